/* Requests to and answers from Twilio's Messages and Calls resources. send.c and look_up.c move the
 * bytes. The rule for answers: a 4xx and a failed connect created nothing; no answer after the
 * first byte, a 5xx, and a 2xx that cannot be read may have created the message. */
#include "rest.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "provider_errors.h"
#include "same_text.h"
#include "json/json.h"

#define BACK_OFF_MAX_MS 60000
#define PAGE_SIZE       "1000"
#define CLOCKS_OFF_MS   86400000 /* the most that somebody leaves a clock wrong by */

/* ---- requests ---- */

static size_t without_slash(const char *url)
{
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/')
        length--;
    return length;
}

const char *rest_base(struct arena *arena, const char *base_url)
{
    return arena_strndup(arena, base_url, without_slash(base_url));
}

static const char *resource_url(struct arena *arena, const char *base_url, const char *account_sid,
                                const char *resource)
{
    struct strbuf url;
    strbuf_init(&url, 4096);
    strbuf_add(&url, base_url, without_slash(base_url));
    strbuf_add_text(&url, "/2010-04-01/Accounts/");
    text_add_percent(&url, account_sid);
    strbuf_printf(&url, "/%s.json", resource);
    const char *text = arena_strdup(arena, url.data);
    strbuf_fini(&url);
    return text;
}

const char *rest_messages_url(struct arena *arena, const char *base_url, const char *account_sid)
{
    return resource_url(arena, base_url, account_sid, "Messages");
}

const char *rest_calls_url(struct arena *arena, const char *base_url, const char *account_sid)
{
    return resource_url(arena, base_url, account_sid, "Calls");
}

const char *rest_call_url(struct arena *arena, const char *base_url, const char *account_sid,
                          const char *sid)
{
    return resource_url(arena, base_url, account_sid, arena_printf(arena, "Calls/%s", sid));
}

void rest_add_pair(struct strbuf *form, const char *name, const char *value)
{
    if (form->length > 0)
        strbuf_add_char(form, '&');
    strbuf_add_text(form, name);
    strbuf_add_char(form, '=');
    text_add_percent(form, value);
}

/* Twilio's connection override: it repeats what we answer with 503 or not at all (twilio.com/docs,
 * webhooks-connection-overrides). It is never sent to us and not signed. */
#define REPEAT "#rc=5&rp=all"

const char *rest_callback_url(struct arena *arena, const struct rest_create *create)
{
    char tenant[UUID_TEXT_SIZE], delivery[UUID_TEXT_SIZE];
    const char *url = arena_printf(arena, "%.*s/twilio/status?tenant=%s&delivery=%s&attempt=%d",
                                   (int)without_slash(create->public_url), create->public_url,
                                   uuid_format(&create->ref->tenant, tenant),
                                   uuid_format(&create->ref->id, delivery), create->attempt);
    return create->traceparent[0] == '\0'
               ? arena_printf(arena, "%s" REPEAT, url)
               : arena_printf(arena, "%s&traceparent=%s" REPEAT, url, create->traceparent);
}

const char *rest_create_form(struct arena *arena, const struct rest_create *create)
{
    const struct delivery_route *route = create->route;
    struct strbuf form;
    strbuf_init(&form, (size_t)256 * 1024);
    rest_add_pair(&form, "To", route->to);
    if (route->service_sid[0] != '\0')
        rest_add_pair(&form, "MessagingServiceSid", route->service_sid);
    else
        rest_add_pair(&form, "From", route->from);
    rest_add_pair(&form, "Body", create->body);
    rest_add_pair(&form, "StatusCallback", rest_callback_url(arena, create));
    const char *text = arena_strdup(arena, form.data);
    strbuf_fini(&form);
    return text;
}

const char *rest_list_url(struct arena *arena, const char *base_url, const char *account_sid,
                          const struct rest_wanted *wanted)
{
    struct strbuf query;
    strbuf_init(&query, 1024);
    rest_add_pair(&query, "To", wanted->to);
    rest_add_pair(&query, "PageSize", PAGE_SIZE);
    const char *url =
        arena_printf(arena, "%s?%s",
                     wanted->is_call ? rest_calls_url(arena, base_url, account_sid)
                                     : rest_messages_url(arena, base_url, account_sid),
                     query.data);
    strbuf_fini(&query);
    return url;
}

/* ---- answers ---- */

int64_t rest_back_off_ms(int attempt)
{
    int64_t base = BACK_OFF_MAX_MS;
    if (attempt < 7)
        base = (int64_t)1000 << (attempt > 1 ? attempt - 1 : 0);
    if (base > BACK_OFF_MAX_MS)
        base = BACK_OFF_MAX_MS;
    uint16_t random;
    crypto_random(&random, sizeof random);
    return base * 8 / 10 + base * 4 / 10 * random / UINT16_MAX;
}

static bool is_sid(const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    return length >= 8 && length < REST_SID_MAX && strspn(text, allowed) == length;
}

static void set(struct rest_verdict *out, enum delivery_event event, const char *outcome,
                const char *meaning)
{
    out->change.event = event;
    out->change.outcome = outcome;
    out->meaning = meaning;
}

static void judge_taken(struct arena *arena, const struct json *document, struct rest_verdict *out)
{
    const char *sid = json_member_text(document, "sid");
    const char *status = json_member_text(document, "status");
    if (!is_sid(sid)) {
        set(out, DELIVERY_NO_ANSWER, "unknown", "accepted, but the answer names no message");
        out->change.reason = "unreadable";
        return;
    }
    set(out, DELIVERY_ACCEPTED, "accepted", "accepted");
    out->change.sid = arena_strdup(arena, sid);
    out->change.provider_status = arena_strdup(arena, status != NULL ? status : "queued");
}

static void judge_refused(struct arena *arena, const struct http_result *result, int attempt,
                          const struct json *document, struct rest_verdict *out)
{
    int64_t code = 0;
    json_member_int(document, "code", 1, 999999, &code);
    struct provider_error error = provider_error_judge(result->status, (int)code);
    out->alert = error.alert;
    out->change.error_code = code > 0 ? arena_printf(arena, "%d", (int)code)
                                      : arena_printf(arena, "http_%d", result->status);
    if (error.action == PROVIDER_FINAL || error.action == PROVIDER_OPT_OUT) {
        set(out, DELIVERY_DECLINED, "refused", error.meaning);
        out->change.reason = error.action == PROVIDER_OPT_OUT ? "opt_out" : "refused";
        out->change.opted_out = error.action == PROVIDER_OPT_OUT;
        return;
    }
    set(out, DELIVERY_DEFER, "deferred", error.meaning);
    int64_t wait_ms =
        error.action == PROVIDER_HOLD_OFF ? BACK_OFF_MAX_MS : rest_back_off_ms(attempt);
    int64_t asked_ms = http_retry_after_ms(result->retry_after);
    out->change.next_in_ms = asked_ms > wait_ms ? asked_ms : wait_ms;
    out->change.reason = "provider";
}

static void judge_silence(struct arena *arena, const struct http_result *result, int attempt,
                          struct rest_verdict *out)
{
    const char *code = result->err != NULL ? result->err->code : "http";
    out->change.error_code = result->status != 0 ? arena_printf(arena, "http_%d", result->status)
                                                 : arena_strdup(arena, code);
    if (result->body_sent) {
        set(out, DELIVERY_NO_ANSWER, "unknown", "no answer that says what became of it");
        out->change.reason = "no_answer";
        return;
    }
    bool gate = strcmp(code, "http.gate") == 0;
    set(out, DELIVERY_DEFER, gate ? "not_sent" : "deferred", "nothing left");
    out->change.reason = gate ? "lease" : "unreachable";
    out->change.next_in_ms = gate ? REST_GIVE_BACK_MS : rest_back_off_ms(attempt);
}

void rest_judge_create(struct arena *arena, const struct http_result *result, int attempt,
                       int64_t wait_max_ms, struct rest_verdict *out)
{
    struct json *document = NULL;
    if (result->err == NULL || result->status >= 400)
        json_parse(result->body != NULL ? result->body : "", result->body_length, &document, NULL);
    *out = (struct rest_verdict){.change = {.next_in_ms = -1, .http_status = result->status}};
    bool refused = result->status >= 400 && result->status <= 499 && result->status != 408;
    if (refused)
        judge_refused(arena, result, attempt, document, out);
    else if (result->err == NULL && result->status >= 200 && result->status <= 299)
        judge_taken(arena, document, out);
    else
        judge_silence(arena, result, attempt, out);
    if (out->change.next_in_ms > wait_max_ms)
        out->change.next_in_ms = wait_max_ms;
    json_free(&document);
}

/* ---- look-up ---- */

static bool text_is(const struct json *message, const char *name, const char *text)
{
    const char *value = json_member_text(message, name);
    return value != NULL && strcmp(value, text) == 0;
}

/* Trial accounts put this before every text (twilio.com/docs/usage/tutorials, free trial). */
#define TRIAL "Sent from your Twilio trial account - "

static bool is_our_text(const struct json *message, const char *text)
{
    const char *body = json_member_text(message, "body");
    if (body != NULL && strncmp(body, TRIAL, strlen(TRIAL)) == 0 && !same_text(body, text))
        body += strlen(TRIAL);
    return body != NULL && same_text(body, text);
}

/* With "XXXX" for the last four digits (twilio.com/docs/messaging, message redaction). */
static bool is_masked(const struct json *message, const char *name, const char *number)
{
    const char *value = json_member_text(message, name);
    size_t length = strlen(number);
    return value != NULL && length > 4 && strlen(value) == length &&
           strncmp(value, number, length - 4) == 0 && strcmp(value + length - 4, "XXXX") == 0;
}

enum kinship { STRANGER, PERHAPS_OURS, OURS };

/* Before this, nothing may be ours: the times that are wanted are of our database's clock, and it
 * may be wrong. */
static int64_t oldest_ms(const struct rest_wanted *wanted)
{
    return wanted->since_ms - CLOCKS_OFF_MS;
}

/* `tenant apply` may have given the channel a service, or taken it, since the attempt. The
 * provider's clock writes whole seconds. Our text at another time is ours if a clock is wrong. */
static enum kinship judge_message(const struct json *message, const struct rest_wanted *wanted,
                                  int64_t created_ms)
{
    const char *direction = json_member_text(message, "direction");
    const char *service = json_member_text(message, "messaging_service_sid");
    bool by_number = text_is(message, "from", wanted->from);
    bool by_service = service != NULL && service[0] != '\0';
    bool our_service = by_service && strcmp(service, wanted->service_sid) == 0;
    bool to = text_is(message, "to", wanted->to);
    bool in_time = created_ms >= wanted->since_ms && created_ms <= wanted->until_ms;
    bool our_text = is_our_text(message, wanted->body);
    if (direction == NULL || strncmp(direction, "outbound", 8) != 0 ||
        created_ms < oldest_ms(wanted) || created_ms > wanted->until_ms + CLOCKS_OFF_MS)
        return STRANGER;
    if (wanted->is_call)
        return !to || !by_number || strcmp(direction, "outbound-api") != 0 ? STRANGER
               : in_time                                                   ? OURS
                                                                           : PERHAPS_OURS;
    if (in_time && to && (by_number || our_service) && our_text)
        return OURS;
    if ((in_time || our_text) && (to || is_masked(message, "to", wanted->to)) &&
        (by_number || by_service) && strcmp(direction, "outbound-api") == 0)
        return PERHAPS_OURS;
    return STRANGER;
}

static const char *error_code_of(struct arena *arena, const struct json *message)
{
    int64_t code;
    if (json_member_int(message, "error_code", 1, 999999, &code))
        return arena_printf(arena, "%d", (int)code);
    return arena_strdup(arena, json_member_text(message, "error_code"));
}

/* Oldest first: that is the one nearest to our attempt. */
static void keep(struct rest_page *page, const struct rest_found *found)
{
    size_t at = page->count;
    if (at == REST_FOUND_MAX) {
        page->more = true;
        return;
    }
    for (; at > 0 && page->found[at - 1].created_ms > found->created_ms; at--)
        page->found[at] = page->found[at - 1];
    page->found[at] = *found;
    page->count++;
}

/* Returns whether the message is older than what may be ours. */
static bool look_at(struct arena *arena, const struct json *message,
                    const struct rest_wanted *wanted, struct rest_page *page)
{
    const char *created = json_member_text(message, "date_created");
    const char *sid = json_member_text(message, "sid");
    const char *status = json_member_text(message, "status");
    int64_t created_ms = 0;
    if (created == NULL || clock_parse_rfc2822(created, &created_ms, NULL) != 0)
        return false;
    enum kinship kinship = judge_message(message, wanted, created_ms);
    if (is_sid(sid) && status != NULL && kinship != STRANGER) {
        struct rest_found found = {.ours = kinship == OURS,
                                   .status = arena_strdup(arena, status),
                                   .error_code = error_code_of(arena, message),
                                   .created_ms = created_ms};
        snprintf(found.sid, sizeof found.sid, "%s", sid);
        keep(page, &found);
    }
    return created_ms < oldest_ms(wanted);
}

int rest_read_page(struct arena *arena, const struct http_result *result, const char *base_url,
                   const struct rest_wanted *wanted, struct rest_page *page, struct err *err)
{
    struct json *document = NULL;
    const struct json *list = NULL;
    page->next_url = NULL;
    if (result->err == NULL && result->status == 200 &&
        json_parse(result->body, result->body_length, &document, err) == 0)
        list = json_member(document, wanted->is_call ? "calls" : "messages");
    if (list == NULL || json_type(list) != JSON_ARRAY) {
        json_free(&document);
        return err_set(err, ERR_RETRY_LATER, "twilio.list",
                       "no list of what was sent (HTTP %d, %s)", result->status,
                       result->err != NULL ? result->err->code : "unreadable");
    }
    size_t seen = 0, older = 0;
    for (const struct json *m = json_first(list); m != NULL; m = json_next(m), seen++)
        older += look_at(arena, m, wanted, page);
    const char *next = json_member_text(document, "next_page_uri");
    if (next != NULL && next[0] == '/' && (seen == 0 || older < seen))
        page->next_url =
            arena_printf(arena, "%.*s%s", (int)without_slash(base_url), base_url, next);
    json_free(&document);
    return 0;
}

int rest_read_call(struct arena *arena, const struct http_result *result, const char *sid,
                   struct rest_found *found, struct err *err)
{
    struct json *document = NULL;
    const char *status = NULL;
    if (result->err == NULL && result->status == 200 &&
        json_parse(result->body, result->body_length, &document, err) == 0 &&
        text_is(document, "sid", sid))
        status = json_member_text(document, "status");
    if (status == NULL) {
        json_free(&document);
        return err_set(err, ERR_RETRY_LATER, "twilio.call", "nothing of the call (HTTP %d, %s)",
                       result->status, result->err != NULL ? result->err->code : "unreadable");
    }
    *found = (struct rest_found){.ours = true, .status = arena_strdup(arena, status)};
    snprintf(found->sid, sizeof found->sid, "%s", sid);
    json_free(&document);
    return 0;
}
