/* The cache of access tokens: one entry for each mailbox, with its grant, its token and those who
 * wait for one. Mailpoller and responder hold one per loop; `deskctl mailbox check` makes one for
 * its run. */
#include "mail/oauth.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "json/json.h"

#define ANSWER_MAX       ((size_t)64 * 1024)
#define TOTAL_DEFAULT_MS 30000
#define LIFE_DEFAULT_S   300 /* of a token whose endpoint does not say */
#define LIFE_MAX_S       86400
#define SLACK_MAX_MS     300000 /* so much before its end a token is not given out any more */
#define ERROR_WORD_MAX   60

struct entry {
    struct oauth *oauth;
    struct uuid owner;
    int64_t version;
    char *token_url, *client_id, *scope;
    struct secret *client_secret, *refresh_token;
    struct secret *former; /* the refresh token that the endpoint gave that for; NULL: none */
    struct secret *token;  /* NULL: none, or it was refused */
    int64_t good_until_ms;
    struct http_transfer *transfer;
    struct timer *timer; /* tells those who ask for a token that is there */
    LIST_HEAD(, oauth_wait) waiting;
};

struct oauth_wait {
    LIST_ENTRY(oauth_wait) entry;
    oauth_done *done;
    void *arg;
};

struct oauth {
    struct oauth_options options;
    struct map *entries; /* by owner */
};

/* ---- telling ---- */

static void tell(struct entry *entry, const struct secret *token, const struct err *err)
{
    LIST_HEAD(, oauth_wait) told = LIST_HEAD_INITIALIZER(told);
    struct oauth_wait *wait;
    /* Who asks again in its callback waits for the next answer. */
    while ((wait = LIST_FIRST(&entry->waiting)) != NULL) {
        LIST_REMOVE(wait, entry);
        LIST_INSERT_HEAD(&told, wait, entry);
    }
    while ((wait = LIST_FIRST(&told)) != NULL) {
        LIST_REMOVE(wait, entry);
        wait->done(wait->arg, token, err);
        free(wait);
    }
}

static bool is_good(const struct entry *entry)
{
    return entry->token != NULL && clock_mono_ms() < entry->good_until_ms;
}

/* ---- the answer (RFC 6749 sections 5.1, 5.2) ---- */

static struct secret *text_secret(const struct json *answer, const char *name)
{
    const char *text = json_member_text(answer, name);
    size_t length = text != NULL ? strlen(text) : 0;
    if (length == 0 || length > OAUTH_TOKEN_MAX)
        return NULL;
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return NULL; /* it would end a command or a header */
    return secret_new(text, length);
}

/* Of the refresh token that was given last. */
static void have_kept(struct entry *entry)
{
    const struct oauth_options *options = &entry->oauth->options;
    const struct oauth_grant grant = {entry->token_url, entry->client_id, entry->scope,
                                      entry->client_secret, entry->refresh_token};
    if (options->on_rotated != NULL)
        options->on_rotated(options->arg, &entry->owner, entry->version, &grant);
}

static int take_token(struct entry *entry, const struct json *answer, struct err *err)
{
    int64_t life_s = LIFE_DEFAULT_S;
    struct secret *token = text_secret(answer, "access_token");
    struct secret *refresh = text_secret(answer, "refresh_token");
    if (token == NULL) {
        secret_free(&refresh);
        return err_set(err, ERR_RETRY_LATER, "oauth.answer",
                       "the token endpoint's answer has no access token");
    }
    (void)json_member_int(answer, "expires_in", 1, LIFE_MAX_S, &life_s);
    int64_t slack_ms = life_s * 1000 / 10 < SLACK_MAX_MS ? life_s * 1000 / 10 : SLACK_MAX_MS;
    secret_free(&entry->token);
    entry->token = token;
    entry->good_until_ms = clock_mono_ms() + life_s * 1000 - slack_ms;
    if (refresh == NULL || entry->refresh_token == NULL ||
        strcmp(secret_reveal(refresh), secret_reveal(entry->refresh_token)) == 0) {
        secret_free(&refresh);
        return 0;
    }
    secret_free(&entry->former);
    entry->former = entry->refresh_token;
    entry->refresh_token = refresh;
    have_kept(entry);
    return 0;
}

/* The endpoint's word for its refusal: "invalid_grant". Nothing else of it is shown. */
static const char *error_word(const struct json *answer, char word[ERROR_WORD_MAX + 1])
{
    const char *text = json_member_text(answer, "error");
    size_t length = text != NULL ? strspn(text, "abcdefghijklmnopqrstuvwxyz_") : 0;
    if (length == 0 || length > ERROR_WORD_MAX || text[length] != '\0')
        return "no reason given";
    memcpy(word, text, length + 1);
    return word;
}

static bool is_refusal(int status, const char *word)
{
    static const char *const refusals[] = {
        "invalid_grant",          "invalid_client", "unauthorized_client", "invalid_scope",
        "unsupported_grant_type", "access_denied",  "interaction_required"};
    if (status == 401 || status == 403)
        return true;
    for (size_t i = 0; status == 400 && i < sizeof refusals / sizeof *refusals; i++)
        if (strcmp(word, refusals[i]) == 0)
            return true;
    return false;
}

static int refuse(const struct http_result *result, const struct json *answer, struct err *err)
{
    char space[ERROR_WORD_MAX + 1];
    const char *word = error_word(answer, space);
    if (is_refusal(result->status, word))
        return err_set(err, ERR_FALL_BACK, "oauth.refused",
                       "the token endpoint takes the grant no more (%d, %s): log in at the "
                       "provider anew and add the mailbox with --replace",
                       result->status, word);
    if (result->status == 429 || result->status >= 500 ||
        strcmp(word, "temporarily_unavailable") == 0 || strcmp(word, "server_error") == 0) {
        err_set(err, ERR_RETRY_LATER, "oauth.unavailable",
                "the token endpoint gives no token now (%d)", result->status);
        if (err != NULL)
            err->retry_after_ms = http_retry_after_ms(result->retry_after);
        return -1;
    }
    return err_set(err, ERR_FALL_BACK, "oauth.endpoint",
                   "the token endpoint answers %d (%s): is its URL right?", result->status, word);
}

static int take_answer(struct entry *entry, const struct http_result *result, struct err *err)
{
    struct json *answer = NULL;
    int rc;
    if (result->err != NULL)
        return err_set(err, result->err->class, result->err->code, "the token endpoint: %.180s",
                       result->err->message);
    bool is_json = json_parse(result->body, result->body_length, &answer, NULL) == 0;
    if (result->status != 200)
        rc = refuse(result, answer, err);
    else if (is_json)
        rc = take_token(entry, answer, err);
    else
        rc =
            err_set(err, ERR_RETRY_LATER, "oauth.answer", "the token endpoint's answer is no JSON");
    json_free(&answer);
    return rc;
}

static void on_done(void *arg, const struct http_result *result)
{
    struct entry *entry = arg;
    struct err err;
    entry->transfer = NULL;
    if (take_answer(entry, result, &err) == 0)
        tell(entry, entry->token, NULL);
    else
        tell(entry, NULL, &err);
}

/* ---- the request ---- */

static void add_field(struct strbuf *body, const char *name, const char *value)
{
    strbuf_printf(body, "%s%s=", body->length > 0 ? "&" : "", name);
    text_add_percent(body, value);
}

static void buy(struct entry *entry)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    struct strbuf body;
    strbuf_init(&body, ANSWER_MAX * 4);
    add_field(&body, "grant_type",
              entry->refresh_token != NULL ? "refresh_token" : "client_credentials");
    if (entry->refresh_token != NULL)
        add_field(&body, "refresh_token", secret_reveal(entry->refresh_token));
    if (entry->client_id[0] != '\0')
        add_field(&body, "client_id", entry->client_id);
    if (entry->client_secret != NULL)
        add_field(&body, "client_secret", secret_reveal(entry->client_secret));
    if (entry->scope[0] != '\0')
        add_field(&body, "scope", entry->scope);
    const int64_t total_ms = entry->oauth->options.total_ms;
    entry->transfer =
        http_start(entry->oauth->options.client, &(struct http_call){.method = "POST",
                                                                     .url = entry->token_url,
                                                                     .headers = headers,
                                                                     .body = body.data,
                                                                     .body_length = body.length,
                                                                     .answer_max_bytes = ANSWER_MAX,
                                                                     .total_ms = total_ms,
                                                                     .on_done = on_done,
                                                                     .arg = entry});
    explicit_bzero(body.data, body.length);
    strbuf_fini(&body);
}

/* ---- asking ---- */

static struct secret *copy_secret(const struct secret *secret)
{
    return secret != NULL ? secret_new(secret_reveal(secret), secret_length(secret)) : NULL;
}

static void drop_grant(struct entry *entry)
{
    free(entry->token_url);
    free(entry->client_id);
    free(entry->scope);
    secret_free(&entry->client_secret);
    secret_free(&entry->refresh_token);
    secret_free(&entry->former);
}

static void take_grant(struct entry *entry, const struct oauth_grant *grant)
{
    drop_grant(entry);
    entry->token_url = xstrdup(grant->token_url);
    entry->client_id = xstrdup(grant->client_id);
    entry->scope = xstrdup(grant->scope);
    entry->client_secret = copy_secret(grant->client_secret);
    entry->refresh_token = copy_secret(grant->refresh_token);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(secret_reveal(a), secret_reveal(b)) == 0;
}

/* Whether it is of the same client for the same things. */
static bool same_client(const struct entry *entry, const struct oauth_grant *grant)
{
    return entry->token_url != NULL && strcmp(entry->token_url, grant->token_url) == 0 &&
           strcmp(entry->client_id, grant->client_id) == 0 &&
           strcmp(entry->scope, grant->scope) == 0 &&
           same_secret(entry->client_secret, grant->client_secret) &&
           (entry->refresh_token == NULL) == (grant->refresh_token == NULL);
}

/* A refresh token that this process or another one was given comes from the database under another
 * version. What was bought with the former one is as good as before: whoever dropped it would buy
 * anew, be given the next refresh token, and so have the others drop theirs. The former one of ours
 * was to be replaced there, and may have been wrapped anew instead: ours is to be kept once more.
 */
static void change_grant(struct entry *entry, int64_t version, const struct oauth_grant *grant)
{
    bool is_renewed = same_client(entry, grant);
    entry->version = version;
    if (is_renewed && same_secret(entry->refresh_token, grant->refresh_token))
        return;
    if (is_renewed && entry->former != NULL && same_secret(entry->former, grant->refresh_token)) {
        have_kept(entry);
        return;
    }
    if (entry->transfer != NULL)
        http_cancel(entry->oauth->options.client, entry->transfer);
    entry->transfer = NULL;
    if (!is_renewed)
        secret_free(&entry->token);
    take_grant(entry, grant);
}

/* The token is there already, or was given up by the time. */
static void on_timer(void *arg)
{
    struct entry *entry = arg;
    if (is_good(entry))
        tell(entry, entry->token, NULL);
    else if (entry->transfer == NULL && LIST_FIRST(&entry->waiting) != NULL)
        buy(entry);
}

static struct entry *entry_of(struct oauth *oauth, const struct uuid *owner)
{
    struct entry *entry = map_get(oauth->entries, owner->bytes, sizeof owner->bytes);
    if (entry != NULL)
        return entry;
    entry = xcalloc(1, sizeof *entry);
    entry->oauth = oauth;
    entry->owner = *owner;
    entry->version = -1;
    entry->timer = timer_new(oauth->options.loop, on_timer, entry);
    LIST_INIT(&entry->waiting);
    map_put(oauth->entries, owner->bytes, sizeof owner->bytes, entry);
    return entry;
}

struct oauth_wait *oauth_ask(struct oauth *oauth, const struct uuid *owner, int64_t version,
                             const struct oauth_grant *grant, oauth_done *done, void *arg)
{
    struct entry *entry = entry_of(oauth, owner);
    struct oauth_wait *wait = xcalloc(1, sizeof *wait);
    wait->done = done;
    wait->arg = arg;
    if (entry->version < version)
        change_grant(entry, version, grant);
    LIST_INSERT_HEAD(&entry->waiting, wait, entry);
    if (entry->transfer == NULL)
        timer_start(entry->timer, 0, 0);
    return wait;
}

void oauth_cancel(struct oauth_wait **wait)
{
    if (*wait == NULL)
        return;
    LIST_REMOVE(*wait, entry);
    free(*wait);
    *wait = NULL;
}

void oauth_forget(struct oauth *oauth, const struct uuid *owner)
{
    struct entry *entry = map_get(oauth->entries, owner->bytes, sizeof owner->bytes);
    if (entry != NULL)
        secret_free(&entry->token);
}

/* ---- life ---- */

struct oauth *oauth_new(const struct oauth_options *options)
{
    struct oauth *oauth = xcalloc(1, sizeof *oauth);
    oauth->options = *options;
    if (oauth->options.total_ms <= 0)
        oauth->options.total_ms = TOTAL_DEFAULT_MS;
    oauth->entries = map_new();
    return oauth;
}

static bool free_entry(void *arg, const void *key, size_t key_length, void *value)
{
    (void)key, (void)key_length;
    struct oauth *oauth = arg;
    struct entry *entry = value;
    struct oauth_wait *wait;
    if (entry->transfer != NULL)
        http_cancel(oauth->options.client, entry->transfer);
    while ((wait = LIST_FIRST(&entry->waiting)) != NULL)
        oauth_cancel(&wait);
    timer_free(&entry->timer);
    drop_grant(entry);
    secret_free(&entry->token);
    free(entry);
    return true;
}

void oauth_free(struct oauth **oauth)
{
    if (*oauth == NULL)
        return;
    map_each((*oauth)->entries, free_entry, *oauth);
    map_free(&(*oauth)->entries);
    free(*oauth);
    *oauth = NULL;
}
