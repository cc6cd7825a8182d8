/* A mailbox's two servers, one step after the other. The session stays open between the steps, so
 * that the mail to itself is looked for where the folder was selected. mailbox_check.c calls. */
#include "mailbox_probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "http/address.h"
#include "http/client.h"
#include "loop/loop.h"
#include "mail/compose.h"
#include "mail/imap_session.h"
#include "mail/login.h"
#include "mail/smtp.h"
#include "mail/token.h"
#include "mailbox_words.h"
#include "store/credential.h"

#define QUIET_MS   30000
#define CONNECT_MS 15000
#define POLL_MS    1000
#define KEEP_MS    60000 /* so long a new refresh token waits for the database */
#define LATEST_MAX 50    /* mails that came since the folder was selected, and are looked into */

/* What a login came to. */
struct way {
    struct mail_login *login; /* owned; NULL: the row names a secret, or there is none */
    struct secret *secret;    /* owned: password, token */
};

struct mailbox_probe {
    struct desk *desk;
    const struct mailbox_admin_row *row;
    struct mail_smtp_account smtp_account;
    struct way in, out;
    struct way *sends; /* which of them SMTP logs in with; NULL: none */
    struct loop *loop;
    struct timer *timer;
    struct http_client *http;
    struct address_list *networks; /* besides public addresses */
    struct oauth *oauth;
    const char *renewed; /* the login with the new refresh token, wrapped; NULL: there is none */
    struct imap_session *session;
    struct mail_smtp *smtp;
    struct imap_selected selected;
    uint32_t first_uid; /* mails from there on came since the folder was selected */
    const char *to;     /* the mail to itself */
    const char *message_id;
    int64_t sent_ms;
    bool over;      /* the session */
    bool on_imap;   /* the step is the session's, so that its end ends the step */
    bool done;      /* the step */
    bool found;     /* the mail to itself */
    struct err err; /* of the step; code "": it went well */
    const char *said;
    uint32_t uids[LATEST_MAX];
    size_t uid_count;
};

static void end_step(struct mailbox_probe *probe)
{
    probe->done = true;
    loop_stop(probe->loop);
}

static void on_timer(void *arg)
{
    end_step(arg);
}

static void begin_step(struct mailbox_probe *probe, bool on_imap)
{
    probe->err = (struct err){.code = ""};
    probe->said = NULL;
    probe->done = false;
    probe->on_imap = on_imap;
}

/* Runs until a callback ends the step. */
static int wait_for_step(struct mailbox_probe *probe, struct err *err)
{
    while (!probe->done)
        loop_run(probe->loop);
    probe->done = false;
    if (probe->err.code[0] == '\0')
        return 0;
    *err = probe->err;
    return -1;
}

/* ---- logins ---- */

static int open_way(struct mailbox_probe *probe, const char *wrapped, const char *name,
                    struct way *way, struct err *err)
{
    const struct secret *key = NULL;
    const struct mailbox_admin_row *row = probe->row;
    if (desk_key(probe->desk, DESK_KEY_CREDENTIALS, &key, err) != 0 ||
        mail_login_open(
            &key, 1, credential_mailbox_context(probe->desk->arena, &row->tenant, &row->id, name),
            wrapped, &way->login, err) != 0)
        return -1;
    if (way->login->password != NULL)
        way->secret =
            secret_new(secret_reveal(way->login->password), secret_length(way->login->password));
    return 0;
}

static int read_reference(const char *reference, struct way *way, struct err *err)
{
    if (secret_read(reference, &way->secret, err) != 0)
        return -1;
    return way->secret != NULL ? 0
                               : err_set(err, ERR_PERMANENT, "secret.reference",
                                         "the secret of the mailbox is empty; put it there");
}

static int open_in(struct mailbox_probe *probe, struct err *err)
{
    const struct mailbox_admin_row *row = probe->row;
    if (strcmp(row->secret_from, "sealed") == 0)
        return open_way(probe, row->wrapped_in != NULL ? row->wrapped_in : "", "in", &probe->in,
                        err);
    return read_reference(
        arena_printf(probe->desk->arena, "%s:%s", row->secret_from, row->secret_name), &probe->in,
        err);
}

static int open_out(struct mailbox_probe *probe, struct err *err)
{
    const struct mailbox_admin_row *row = probe->row;
    if (row->smtp_url == NULL)
        return 0;
    if (mail_smtp_account_parse(row->smtp_url, &probe->smtp_account, err) != 0)
        return -1;
    if (probe->smtp_account.auth == MAIL_SMTP_NO_AUTH)
        return 0;
    bool sealed = strcmp(row->smtp_secret, "sealed") == 0;
    probe->sends = sealed && row->wrapped_out == NULL ? &probe->in : &probe->out;
    if (probe->sends == &probe->in)
        return 0;
    return sealed ? open_way(probe, row->wrapped_out, "out", &probe->out, err)
                  : read_reference(row->smtp_secret, &probe->out, err);
}

bool mailbox_probe_wants_token(const struct mailbox_probe *probe)
{
    return probe->in.login != NULL && probe->in.login->password == NULL;
}

static void on_token(void *arg, const struct secret *token, const struct err *err)
{
    struct mailbox_probe *probe = arg;
    if (token != NULL)
        probe->in.secret = secret_new(secret_reveal(token), secret_length(token));
    else
        probe->err = *err;
    end_step(probe);
}

/* The endpoint may take the old one no more: from here on the new one is in this process alone. */
static void on_rotated(void *arg, const struct uuid *owner, int64_t version,
                       const struct oauth_grant *grant)
{
    struct mailbox_probe *probe = arg;
    struct arena *arena = probe->desk->arena;
    const struct mail_login login = {.grant = *grant};
    const struct secret *key = NULL;
    (void)version;
    if (desk_key(probe->desk, DESK_KEY_CREDENTIALS, &key, &probe->err) == 0)
        probe->renewed = mail_login_wrap_text(
            arena, &login, key, credential_mailbox_context(arena, &probe->row->tenant, owner, "in"),
            &probe->err);
}

static int try_to_keep(struct mailbox_probe *probe, struct err *err)
{
    struct desk *desk = probe->desk;
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) == 0 &&
        mailbox_admin_renew(session, desk->arena, probe->row, probe->renewed, err) == 0 &&
        desk_commit(desk, err) == 0)
        return 0;
    desk_disconnect(desk);
    return -1;
}

/* As the services do (service/mailbox_token.h), but not for ever: somebody waits for the command.
 */
static int keep(struct mailbox_probe *probe, struct err *err)
{
    const int64_t end_ms = clock_mono_ms() + KEEP_MS;
    struct err why;
    for (bool told = false; try_to_keep(probe, &why) != 0; told = true) {
        if (clock_mono_ms() >= end_ms)
            return err_set(err, ERR_PERMANENT, "oauth.not_kept",
                           "the token endpoint gave a new refresh token, and the database did not "
                           "take it: log in at the provider anew and add the mailbox with "
                           "--replace (%.100s)",
                           why.message);
        if (!told)
            desk_note("a new refresh token of the mailbox waits for the database: %s", why.message);
        begin_step(probe, false);
        timer_start(probe->timer, POLL_MS, 0);
        if (wait_for_step(probe, err) != 0)
            return -1;
    }
    return 0;
}

int mailbox_probe_token(struct mailbox_probe *probe, struct err *err)
{
    begin_step(probe, false);
    oauth_ask(probe->oauth, &probe->row->id, probe->row->version_in, &probe->in.login->grant,
              on_token, probe);
    if (wait_for_step(probe, err) != 0)
        return -1;
    return probe->renewed != NULL ? keep(probe, err) : 0;
}

/* ---- IMAP ---- */

static void on_ready(void *arg)
{
    end_step(arg);
}

static void on_end(void *arg, const struct err *err)
{
    struct mailbox_probe *probe = arg;
    probe->over = true;
    if (!probe->on_imap)
        return;
    if (err != NULL)
        mailbox_words_imap(probe->row, err, &probe->err);
    end_step(probe);
}

/* The newest of them: among those is the mail to itself. */
static void take_found(struct mailbox_probe *probe, const struct imap_answer *answer)
{
    size_t count = imap_cursor_sort(answer->uids, answer->uid_count, probe->first_uid, UINT32_MAX);
    size_t older = count > LATEST_MAX ? count - LATEST_MAX : 0;
    probe->uid_count = count - older;
    for (size_t i = older; i < count; i++)
        probe->uids[i - older] = answer->uids[i];
}

static void on_mail(void *arg, const struct imap_mail *mail)
{
    struct mailbox_probe *probe = arg;
    char *text = xstrndup(mail->bytes, mail->length);
    probe->found |= strstr(text, probe->message_id) != NULL;
    free(text);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    struct mailbox_probe *probe = arg;
    if (!answer->ok)
        mailbox_words_refusal(probe->row, answer, &probe->err);
    else if (answer->ask == IMAP_ASK_SELECT)
        probe->selected = answer->selected;
    else if (answer->ask == IMAP_ASK_SEARCH)
        take_found(probe, answer);
    end_step(probe);
}

int mailbox_probe_log_in(struct mailbox_probe *probe, const char **said, struct err *err)
{
    const struct mailbox_admin_row *row = probe->row;
    const char *ca_file = probe->desk->settings.mail_ca_file;
    begin_step(probe, true);
    bool token = strcmp(row->auth, "xoauth2") == 0;
    probe->session = imap_session_open(&(struct imap_session_options){
        .loop = probe->loop,
        .host = row->host,
        .port = (int)row->port,
        .security = strcmp(row->security, "tls") == 0        ? STREAM_TLS
                    : strcmp(row->security, "starttls") == 0 ? STREAM_STARTTLS_IMAP
                                                             : STREAM_PLAIN,
        .ca_file = ca_file[0] != '\0' ? ca_file : NULL,
        .public_only = true, /* as for the mailpoller */
        .exceptions = probe->networks,
        .auth = token ? IMAP_AUTH_XOAUTH2 : IMAP_AUTH_PASSWORD,
        .user = row->user_name,
        .secret = probe->in.secret,
        .connect_ms = CONNECT_MS,
        .quiet_ms = QUIET_MS,
        .on_ready = on_ready,
        .on_mail = on_mail,
        .on_answer = on_answer,
        .on_end = on_end,
        .arg = probe});
    if (wait_for_step(probe, err) != 0)
        return -1;
    *said =
        mailbox_words_server(probe->desk->arena, row, imap_session_capabilities(probe->session));
    return 0;
}

/* The session may have ended between two steps. */
static int is_open(struct mailbox_probe *probe, struct err *err)
{
    begin_step(probe, true);
    if (!probe->over)
        return 0;
    return err_set(err, ERR_RETRY_LATER, "imap.bye",
                   "the IMAP server ended the session meanwhile; try again");
}

/* Not every server tells UIDNEXT. */
static int find_end(struct mailbox_probe *probe, struct err *err)
{
    probe->first_uid = probe->selected.next_uid;
    if (probe->first_uid > 0)
        return 0;
    begin_step(probe, true);
    imap_session_search(probe->session, 1, 0, 0);
    if (wait_for_step(probe, err) != 0)
        return -1;
    uint32_t highest = probe->uid_count > 0 ? probe->uids[probe->uid_count - 1] : 0;
    probe->first_uid = highest < UINT32_MAX ? highest + 1 : UINT32_MAX;
    return 0;
}

int mailbox_probe_folder(struct mailbox_probe *probe, const char **said, struct err *err)
{
    if (is_open(probe, err) != 0)
        return -1;
    if (!imap_session_select(probe->session, probe->row->folder, true))
        return err_set(err, ERR_PERMANENT, "mailbox.folder",
                       "the folder's name can be none; mend it in the file, and --replace");
    if (wait_for_step(probe, err) != 0 || find_end(probe, err) != 0)
        return -1;
    *said = mailbox_words_folder(probe->desk->arena, probe->row, &probe->selected,
                                 probe->first_uid - 1);
    return 0;
}

/* ---- SMTP ---- */

static void on_sent(void *arg, const struct mail_smtp_result *result)
{
    struct mailbox_probe *probe = arg;
    if (result->class == MAIL_SMTP_ACCEPTED)
        probe->said =
            arena_printf(probe->desk->arena, "%s:%d took the mail (%d)", probe->smtp_account.host,
                         probe->smtp_account.port, result->reply.code);
    else
        mailbox_words_smtp(probe->row, &probe->smtp_account, result, &probe->err);
    end_step(probe);
}

/* Where customers' answers will go: by nobody's token, as only its form counts. */
static const char *own_address(struct mailbox_probe *probe)
{
    const struct mailbox_admin_row *row = probe->row;
    struct uuid nobody = uuid_new();
    char text[UUID_TEXT_SIZE];
    struct secret *key = secret_new(uuid_format(&nobody, text), CRYPTO_KEY_BYTES);
    const struct mail_signer signer = {row->tenant, (const struct secret *const *)&key, 1};
    const char *address = mail_token_address(probe->desk->arena, &signer, row->address, &nobody);
    secret_free(&key);
    return row->plus_addresses && address != NULL ? address : row->address;
}

/* Its sender is the mailbox's own address, so that the mailpoller takes it for our own mail. */
static int compose(struct mailbox_probe *probe, struct strbuf *message, struct err *err)
{
    const struct mailbox_admin_row *row = probe->row;
    struct uuid id = uuid_new();
    char text[UUID_TEXT_SIZE];
    probe->to = own_address(probe);
    const struct mail_address to = {.name = "", .address = probe->to};
    probe->sent_ms = clock_wall_ms();
    probe->message_id = arena_printf(probe->desk->arena, "check.%s@%s", uuid_format(&id, text),
                                     mail_address_domain(row->address));
    const struct mail_draft draft = {
        .from = {row->from_name != NULL ? row->from_name : "", row->address},
        .to = {&to, 1},
        .message_id = probe->message_id,
        .subject = "Frontdesk checks this mailbox",
        .date_ms = probe->sent_ms,
        .author = MAIL_AUTHOR_NOTICE,
        .text = "This mail shows that the mailbox sends and receives. It may be deleted.\n",
        .language = "en",
    };
    return mail_compose(&draft, message, err);
}

static int send_it(struct mailbox_probe *probe, struct err *err)
{
    struct strbuf message;
    strbuf_init(&message, MAIL_COMPOSE_MAX);
    int result = compose(probe, &message, err);
    if (result == 0) {
        mail_smtp_start(
            probe->smtp,
            &(struct mail_smtp_call){.account = &probe->smtp_account,
                                     .secret = probe->sends != NULL ? probe->sends->secret : NULL,
                                     .from = probe->row->address,
                                     .to = &probe->to,
                                     .to_count = 1,
                                     .message = message.data,
                                     .length = message.length,
                                     .limits = {.connect_ms = CONNECT_MS,
                                                .command_ms = QUIET_MS,
                                                .data_ms = QUIET_MS,
                                                .dot_ms = 2 * QUIET_MS,
                                                .begin_ms = 2 * QUIET_MS},
                                     .on_done = on_sent,
                                     .arg = probe});
        result = wait_for_step(probe, err);
    }
    strbuf_fini(&message);
    return result;
}

int mailbox_probe_send(struct mailbox_probe *probe, const char **said, struct err *err)
{
    const char *ca_file = probe->desk->settings.mail_ca_file;
    begin_step(probe, false);
    if (mail_smtp_new(&(struct mail_smtp_options){.loop = probe->loop,
                                                  .threads = 1,
                                                  .ca_file = ca_file[0] != '\0' ? ca_file : NULL},
                      &probe->smtp, err) != 0 ||
        send_it(probe, err) != 0)
        return -1;
    *said = probe->said;
    return 0;
}

/* ---- arrival ---- */

static int look(struct mailbox_probe *probe, struct err *err)
{
    begin_step(probe, true);
    imap_session_noop(probe->session);
    if (wait_for_step(probe, err) != 0)
        return -1;
    imap_session_search(probe->session, probe->first_uid, UINT32_MAX, 0);
    if (wait_for_step(probe, err) != 0)
        return -1;
    if (probe->uid_count == 0)
        return 0;
    imap_session_fetch(probe->session, probe->uids, probe->uid_count, 1);
    return wait_for_step(probe, err);
}

static int not_arrived(const struct mailbox_probe *probe, int64_t wait_s, struct err *err)
{
    const struct mailbox_admin_row *row = probe->row;
    char form[MAILBOX_PLUS_SIZE];
    if (!row->plus_addresses)
        return err_set(err, ERR_RETRY_LATER, "mailbox.not_arrived",
                       "the mail was taken but is not in %.60s after %lld s: look into the spam "
                       "folder, and whether %.80s is this mailbox's address",
                       row->folder, (long long)wait_s, row->address);
    mailbox_words_plus(row, form);
    return err_set(err, ERR_RETRY_LATER, "mailbox.not_arrived",
                   "the mail was taken but is not in %.30s after %lld s: look into the spam "
                   "folder, and whether mail for %s comes here (else write plus_addresses: false "
                   "and --replace)",
                   row->folder, (long long)wait_s, form);
}

int mailbox_probe_receive(struct mailbox_probe *probe, int64_t wait_s, const char **said,
                          struct err *err)
{
    int64_t begin_ms = clock_mono_ms();
    while (!probe->found) {
        if (is_open(probe, err) != 0 || look(probe, err) != 0)
            return -1;
        if (probe->found)
            break;
        if (clock_mono_ms() - begin_ms >= wait_s * 1000)
            return not_arrived(probe, wait_s, err);
        begin_step(probe, false);
        timer_start(probe->timer, POLL_MS, 0);
        if (wait_for_step(probe, err) != 0)
            return -1;
    }
    *said = arena_printf(probe->desk->arena, "it came back after %.1f s",
                         (double)(clock_mono_ms() - begin_ms) / 1000);
    return 0;
}

/* ---- life ---- */

static int read_networks(struct mailbox_probe *probe, struct err *err)
{
    struct err why;
    if (address_list_parse(probe->desk->settings.mail_networks, &probe->networks, &why) == 0)
        return 0;
    return err_set(err, ERR_PERMANENT, "config.invalid", "mail_networks: %s", why.message);
}

int mailbox_probe_new(struct desk *desk, const struct mailbox_admin_row *row,
                      struct mailbox_probe **out, struct err *err)
{
    struct mailbox_probe *probe = xcalloc(1, sizeof *probe);
    mail_smtp_prepare();
    probe->desk = desk;
    probe->row = row;
    probe->loop = loop_new();
    probe->timer = timer_new(probe->loop, on_timer, probe);
    probe->http = http_client_new(&(struct http_client_options){.loop = probe->loop});
    probe->oauth = oauth_new(&(struct oauth_options){
        .loop = probe->loop, .client = probe->http, .on_rotated = on_rotated, .arg = probe});
    if (read_networks(probe, err) != 0 || open_in(probe, err) != 0 || open_out(probe, err) != 0) {
        mailbox_probe_free(&probe);
        return -1;
    }
    *out = probe;
    return 0;
}

void mailbox_probe_free(struct mailbox_probe **probe)
{
    struct mailbox_probe *closing = *probe;
    if (closing == NULL)
        return;
    *probe = NULL;
    imap_session_close(&closing->session);
    mail_smtp_free(&closing->smtp);
    oauth_free(&closing->oauth);
    http_client_free(&closing->http);
    address_list_free(&closing->networks);
    timer_free(&closing->timer);
    mail_login_free(&closing->in.login);
    mail_login_free(&closing->out.login);
    secret_free(&closing->in.secret);
    secret_free(&closing->out.secret);
    loop_pass(closing->loop);
    loop_free(&closing->loop);
    free(closing);
}
