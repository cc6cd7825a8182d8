/* The executor of an IMAP session's table (imap_table.c): sends what the rules say, feeds what
 * comes to the reader, and tells the owner. The mailpoller holds one for each mailbox. */
#include "mail/imap_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "mail/imap_inside.h"
#include "mail/parse.h"

#define QUIET_DEFAULT_MS 60000
#define TOTAL_DEFAULT_MS 600000
#define LOGOUT_MS        5000
#define CHALLENGES_MAX   3
#define DEPTH_MAX        8 /* steps that have nothing to send, one after the other */

/* ---- sending ---- */

void imap_new_tag(struct imap_session *session)
{
    uint8_t bytes[6];
    crypto_random(bytes, sizeof bytes); /* a mail cannot guess it */
    snprintf(session->tag, sizeof session->tag, "d%02x%02x%02x%02x%02x%02x", bytes[0], bytes[1],
             bytes[2], bytes[3], bytes[4], bytes[5]);
}

enum imap_literals imap_literals_of(const struct imap_session *session)
{
    if (imap_session_can(session, "LITERAL+"))
        return IMAP_LITERAL_PLUS;
    return imap_session_can(session, "LITERAL-") ? IMAP_LITERAL_MINUS : IMAP_LITERAL_WAIT;
}

static void arm(struct imap_session *session, int64_t ms)
{
    int64_t left = session->total_end_ms - clock_mono_ms();
    timer_start(session->timer, ms < left ? ms : left > 0 ? left : 0, 0);
}

/* From now on an answer is awaited. */
static void expect(struct imap_session *session)
{
    session->total_end_ms = clock_mono_ms() + session->options.total_ms;
    arm(session, session->options.quiet_ms);
}

static void send_part(struct imap_session *session, struct imap_command *command)
{
    size_t length = 0;
    const char *part = imap_command_part(command, &length);
    if (part != NULL)
        stream_send(session->stream, part, length);
}

/* Begins one of the session's own commands. */
static struct imap_command *begin(struct imap_session *session, const char *words)
{
    imap_command_fini(&session->command);
    imap_new_tag(session);
    imap_command_begin(&session->command, session->tag, words);
    return &session->command;
}

static void send_own(struct imap_session *session)
{
    imap_command_end(&session->command);
    expect(session);
    send_part(session, &session->command);
}

/* ---- the steps to a session that is ready; each returns false if it has nothing to send ---- */

static bool ask_what(struct imap_session *session)
{
    begin(session, "CAPABILITY");
    send_own(session);
    return true;
}

/* What a SASL mechanism says first, in base64 (RFC 4616; Google's XOAUTH2). */
static void add_initial(const struct imap_session *session, struct strbuf *out)
{
    struct strbuf raw;
    const struct imap_session_options *options = &session->options;
    strbuf_init(&raw, (size_t)64 * 1024);
    if (options->auth == IMAP_AUTH_XOAUTH2) {
        strbuf_printf(&raw, "user=%s\001auth=Bearer ", session->user);
    } else {
        strbuf_add_char(&raw, '\0');
        strbuf_add_text(&raw, session->user);
        strbuf_add_char(&raw, '\0');
    }
    strbuf_add(&raw, secret_reveal(options->secret), secret_length(options->secret));
    if (options->auth == IMAP_AUTH_XOAUTH2)
        strbuf_add_text(&raw, "\001\001");
    text_add_base64(out, raw.data, raw.length);
    if (raw.length > 0)
        explicit_bzero(raw.data, raw.length);
    strbuf_fini(&raw);
}

static bool authenticate(struct imap_session *session, const char *mechanism)
{
    struct imap_command *command = begin(session, "AUTHENTICATE");
    imap_command_words(command, "%s", mechanism);
    if (imap_session_can(session, "SASL-IR"))
        strbuf_add_char(&command->text, ' ');
    else
        imap_command_wait(command);
    add_initial(session, &command->text);
    send_own(session);
    return true;
}

/* The mechanism LOGIN (draft-murchison-sasl-login): name and password, each when it is asked for.
 */
static bool authenticate_login(struct imap_session *session)
{
    const struct secret *secret = session->options.secret;
    struct imap_command *command = begin(session, "AUTHENTICATE LOGIN");
    imap_command_wait(command);
    text_add_base64(&command->text, session->user, strlen(session->user));
    imap_command_wait(command);
    text_add_base64(&command->text, secret_reveal(secret), secret_length(secret));
    send_own(session);
    return true;
}

static void fail(struct imap_session *session, enum err_class class, const char *code,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static bool log_in(struct imap_session *session)
{
    const struct imap_session_options *options = &session->options;
    session->challenges = 0;
    if (options->auth == IMAP_AUTH_XOAUTH2 && imap_session_can(session, "AUTH=XOAUTH2"))
        return authenticate(session, "XOAUTH2");
    if (options->auth == IMAP_AUTH_PASSWORD && imap_session_can(session, "AUTH=PLAIN"))
        return authenticate(session, "PLAIN");
    if (options->auth == IMAP_AUTH_PASSWORD && !imap_session_can(session, "LOGINDISABLED")) {
        struct imap_command *command = begin(session, "LOGIN");
        imap_command_string(command, session->user, strlen(session->user),
                            imap_literals_of(session));
        imap_command_string(command, secret_reveal(options->secret), secret_length(options->secret),
                            imap_literals_of(session));
        send_own(session);
        return true;
    }
    if (options->auth == IMAP_AUTH_PASSWORD && imap_session_can(session, "AUTH=LOGIN"))
        return authenticate_login(session);
    fail(session, ERR_FALL_BACK, "imap.mechanism",
         "the server offers no way to log in with a %s here",
         options->auth == IMAP_AUTH_XOAUTH2 ? "token" : "password");
    return true;
}

/* A "+" that nothing is left for is a challenge: XOAUTH2 tells in it why it refuses, and wants an
 * empty line before it says NO. */
static void send_more(struct imap_session *session, struct imap_command *command)
{
    size_t length = 0;
    const char *part = imap_command_part(command, &length);
    if (part == NULL &&
        (session->state != IMAP_LOGGING_IN || ++session->challenges > CHALLENGES_MAX)) {
        fail(session, ERR_RETRY_LATER, "imap.protocol", "the server waits for what nobody owes it");
        return;
    }
    if (part == NULL) {
        part = session->options.auth == IMAP_AUTH_XOAUTH2 ? "\r\n" : "*\r\n";
        length = strlen(part);
    }
    stream_send(session->stream, part, length);
}

static bool introduce(struct imap_session *session)
{
    if (!imap_session_can(session, "ID"))
        return false;
    begin(session, "ID (\"name\" \"frontdesk\")");
    send_own(session);
    return true;
}

static bool enable(struct imap_session *session)
{
    bool can = imap_session_can(session, "ENABLE");
    if (!can || (!imap_session_can(session, "QRESYNC") && !imap_session_can(session, "CONDSTORE")))
        return false;
    begin(session, imap_session_can(session, "QRESYNC") ? "ENABLE QRESYNC" : "ENABLE CONDSTORE");
    send_own(session);
    return true;
}

/* ---- ends ---- */

static void end(struct imap_session *session, const struct err *err)
{
    session->state = IMAP_OVER;
    timer_stop(session->timer);
    stream_close(&session->stream);
    imap_command_fini(&session->command);
    session->options.on_end(session->options.arg, err);
}

static void fail(struct imap_session *session, enum err_class class, const char *code,
                 const char *format, ...)
{
    struct err err;
    char message[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    err_set(&err, class, code, "%s", message);
    end(session, &err);
}

static const char *reason_of(const struct imap_session *session)
{
    return session->code[0] != '\0' ? session->code : "no reason given";
}

/* Some refusals are not about user and secret: those must not wait for a person. */
static void fail_login(struct imap_session *session)
{
    const char *passing = imap_answer_passing(session->code, session->words);
    if (passing != NULL)
        fail(session, ERR_RETRY_LATER, "imap.unavailable", "the server lets nobody in now (%s)",
             passing);
    else
        fail(session, ERR_FALL_BACK, "imap.authentication",
             "the server does not take user and secret (%s): mend them", reason_of(session));
}

/* Exchange says BAD where it is only busy. */
static void fail_protocol(struct imap_session *session, enum imap_event event)
{
    const char *passing =
        event == IMAP_ON_BAD ? imap_answer_passing(session->code, session->words) : NULL;
    if (passing != NULL)
        fail(session, ERR_RETRY_LATER, "imap.unavailable", "the server serves nobody now (%s)",
             passing);
    else
        fail(session, ERR_RETRY_LATER, "imap.protocol", "the server breaks the protocol");
}

/* ---- the owner ---- */

static void tell_ready(struct imap_session *session)
{
    timer_stop(session->timer);
    session->options.secret = NULL;
    imap_command_fini(&session->command);
    session->options.on_ready(session->options.arg);
}

static void answer(struct imap_session *session, enum imap_event event)
{
    struct imap_answer *answer = &session->asked.answer;
    timer_stop(session->timer);
    answer->ask = session->asked.ask;
    answer->ok = event == IMAP_ON_OK;
    answer->code = session->code;
    answer->words = session->words;
    if (answer->ok && answer->ask == IMAP_ASK_SELECT && answer->selected.validity == 0) {
        answer->ok = false; /* its UIDs would mean nothing tomorrow */
        answer->code = "UIDNOTSTICKY";
    }
    session->options.on_answer(session->options.arg, answer);
}

static void begin_idle(struct imap_session *session)
{
    session->total_end_ms = INT64_MAX;
    timer_start(session->timer, session->asked.idle_ms, 0);
    if (session->wake || session->news)
        imap_dispatch(session, IMAP_ON_WAKE);
}

static void send_done(struct imap_session *session)
{
    expect(session);
    stream_send(session->stream, "DONE\r\n", 6);
}

static void log_out(struct imap_session *session)
{
    begin(session, "LOGOUT");
    send_own(session);
    timer_start(session->timer, LOGOUT_MS, 0);
}

/* ---- the table's executor ---- */

static void destroy(struct imap_session *session)
{
    imap_command_fini(&session->command);
    imap_take_reset(&session->asked);
    imap_reader_fini(&session->reader);
    strbuf_fini(&session->capabilities);
    strbuf_fini(&session->sent);
    arena_free(&session->arena);
    free(session->host);
    free(session->user);
    free(session->ca_file);
    free(session);
}

static bool act(struct imap_session *session, enum imap_act act, enum imap_event event)
{
    switch (act) {
    case IMAP_DO_WAIT:
        break;
    case IMAP_DO_ASK_WHAT:
        return ask_what(session);
    case IMAP_DO_LOG_IN:
        return log_in(session);
    case IMAP_DO_SEND_PART:
        send_more(session,
                  session->state == IMAP_LOGGING_IN ? &session->command : &session->asked.command);
        break;
    case IMAP_DO_INTRODUCE:
        return introduce(session);
    case IMAP_DO_ENABLE:
        return enable(session);
    case IMAP_DO_TELL_READY:
        tell_ready(session);
        break;
    case IMAP_DO_SEND:
        expect(session);
        send_part(session, &session->asked.command);
        break;
    case IMAP_DO_BEGIN_IDLE:
        begin_idle(session);
        break;
    case IMAP_DO_NOTE_WAKE:
        session->wake = true;
        break;
    case IMAP_DO_SEND_DONE:
        send_done(session);
        break;
    case IMAP_DO_ANSWER:
        answer(session, event);
        break;
    case IMAP_DO_LOG_OUT:
        log_out(session);
        break;
    case IMAP_DO_END:
        end(session, NULL);
        break;
    case IMAP_DO_FAIL_LOGIN:
        fail_login(session);
        break;
    case IMAP_DO_FAIL_PROTOCOL:
        fail_protocol(session, event);
        break;
    case IMAP_DO_FAIL_BYE:
        fail(session, ERR_RETRY_LATER, "imap.bye", "the server ended the session (%s)",
             reason_of(session));
        break;
    case IMAP_DO_FAIL_LATE:
        fail(session, ERR_RETRY_LATER, "imap.timeout", "the server did not answer in time");
        break;
    case IMAP_DO_FAIL_BROKEN:
        end(session, &session->broken);
        break;
    }
    return true;
}

/* The owner may close the session in what a rule does: it is freed when the last step that is on
 * the stack ends. */
static bool leave(struct imap_session *session)
{
    bool closed = session->closed;
    if (--session->depth == 0 && closed)
        destroy(session);
    return closed;
}

void imap_dispatch(struct imap_session *session, enum imap_event event)
{
    session->depth++;
    for (int i = 0; i < DEPTH_MAX && session->state != IMAP_OVER; i++) {
        const struct imap_rule *rule = imap_rule_for(session->state, event);
        session->state = rule->to;
        bool sent = act(session, rule->act, event);
        event = IMAP_ON_OK;
        if (sent && session->state == IMAP_READY && session->leaving)
            event = IMAP_ON_LOGOUT;
        else if (sent)
            break;
    }
    leave(session);
}

/* ---- what comes ---- */

static enum imap_event event_of(enum imap_status status)
{
    return status == IMAP_OK ? IMAP_ON_OK : status == IMAP_NO ? IMAP_ON_NO : IMAP_ON_BAD;
}

static void take(struct imap_session *session, const struct imap_response *response)
{
    struct err err;
    if (response->kind == IMAP_CONTINUE) {
        imap_dispatch(session, IMAP_ON_CONTINUE);
        return;
    }
    if (response->kind == IMAP_TAGGED) {
        imap_take_status(session, response);
        bool ours = strcmp(response->tag, session->tag) == 0;
        session->tag[0] = '\0';
        if (ours)
            imap_dispatch(session, event_of(response->status));
        else
            fail(session, ERR_RETRY_LATER, "imap.protocol", "the server answers what nobody asked");
        return;
    }
    if (imap_take(session, response, &err) != 0)
        end(session, &err);
    else if (response->status == IMAP_BYE)
        imap_dispatch(session, IMAP_ON_BYE);
    else if (session->state == IMAP_GREETING)
        imap_dispatch(session, response->status == IMAP_OK ? IMAP_ON_GREETING : IMAP_ON_BAD);
    else if (session->state == IMAP_IDLING && session->news)
        imap_dispatch(session, IMAP_ON_WAKE);
}

/* A whole response is in the reader. */
static bool take_response(struct imap_session *session)
{
    struct imap_response response;
    struct err err;
    arena_reset(session->arena);
    if (imap_parse(session->arena, session->reader.response.data, session->reader.response.length,
                   &response, &err) != 0) {
        end(session, &err);
        return false;
    }
    session->depth++;
    take(session, &response);
    imap_reader_next(&session->reader);
    if (session->state != IMAP_COMMANDED) /* many sessions wait, few are at work */
        imap_reader_rest(&session->reader);
    bool over = session->state == IMAP_OVER;
    return !leave(session) && !over;
}

static bool is_awaiting(const struct imap_session *session)
{
    return session->state != IMAP_READY && session->state != IMAP_IDLING &&
           session->state != IMAP_LEAVING;
}

static void on_data(void *arg, const char *bytes, size_t length)
{
    struct imap_session *session = arg;
    if (is_awaiting(session))
        arm(session, session->options.quiet_ms);
    for (size_t at = 0; at < length;) {
        size_t used = 0;
        struct err err;
        int whole = imap_reader_take(&session->reader, bytes + at, length - at, &used, &err);
        at += used;
        if (whole < 0) {
            end(session, &err);
            return;
        }
        if (whole > 0 && !take_response(session))
            return;
    }
}

static void on_open(void *arg)
{
    struct imap_session *session = arg;
    expect(session);
    imap_dispatch(session, session->options.security == STREAM_STARTTLS_IMAP ? IMAP_ON_SECURED
                                                                             : IMAP_ON_OPEN);
}

static void on_stream_end(void *arg, const struct err *err)
{
    struct imap_session *session = arg;
    session->broken = *err;
    imap_dispatch(session, IMAP_ON_BROKEN);
}

static void on_timer(void *arg)
{
    struct imap_session *session = arg;
    imap_dispatch(session, session->state == IMAP_IDLING ? IMAP_ON_WAKE : IMAP_ON_LATE);
}

/* ---- life ---- */

struct imap_session *imap_session_open(const struct imap_session_options *options)
{
    struct imap_session *session = xcalloc(1, sizeof *session);
    session->options = *options;
    session->host = xstrdup(options->host);
    session->user = xstrdup(options->user);
    session->ca_file = options->ca_file != NULL ? xstrdup(options->ca_file) : NULL;
    if (options->quiet_ms <= 0)
        session->options.quiet_ms = QUIET_DEFAULT_MS;
    if (options->total_ms <= 0)
        session->options.total_ms = TOTAL_DEFAULT_MS;
    if (options->mail_max == 0)
        session->options.mail_max = MAIL_BYTES_MAX;
    session->state = IMAP_OPENING;
    session->arena = arena_new();
    session->timer = timer_new(options->loop, on_timer, session);
    strbuf_init(&session->capabilities, IMAP_CAPABILITIES_MAX);
    strbuf_init(&session->sent, IMAP_NAME_MAX);
    imap_reader_init(&session->reader, session->options.mail_max + IMAP_LITERALS_SLACK);
    session->stream = stream_open(&(struct stream_options){.loop = options->loop,
                                                           .host = session->host,
                                                           .port = options->port,
                                                           .security = options->security,
                                                           .ca_file = session->ca_file,
                                                           .trust = options->trust,
                                                           .public_only = options->public_only,
                                                           .exceptions = options->exceptions,
                                                           .connect_ms = options->connect_ms,
                                                           .on_open = on_open,
                                                           .on_data = on_data,
                                                           .on_end = on_stream_end,
                                                           .arg = session});
    return session;
}

void imap_session_close(struct imap_session **session)
{
    struct imap_session *s = *session;
    if (s == NULL)
        return;
    *session = NULL;
    s->closed = true;
    s->state = IMAP_OVER;
    stream_close(&s->stream);
    timer_free(&s->timer);
    if (s->depth == 0)
        destroy(s);
}
