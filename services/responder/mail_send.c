/* A delivery as a mail: composed from rows that never change, so that each copy is the same mail,
 * and sent through its mailbox's account. The secret is read anew for each, so that a rotated one
 * counts at once. What the server said goes into the attempt as code and enhanced code; its text
 * may name the customer, and stays out of log and rows. */
#include "mail_send.h"

#include <stdio.h>
#include <string.h>

#include "base/stop.h"
#include "counters.h"
#include "mail/compose.h"
#include "mail/quote.h"
#include "mail/smtp.h"
#include "mail/subject.h"
#include "mail/token.h"
#include "mailbox_login.h"
#include "outcome.h"
#include "send.h"
#include "sent_copies.h"
#include "service/log.h"
#include "store/delivery_taken.h"

#define HOLD_OFF_MS 300000 /* a person must mend something */
#define UNIT_MS     5000

static struct mail_signer signer_of(const struct responder *responder, const struct uuid *tenant)
{
    return (struct mail_signer){.tenant = *tenant,
                                .keys = (const struct secret *const *)responder->shared->mail_keys,
                                .key_count = responder->shared->mail_key_count};
}

const char *const *mail_send_tokens(const struct responder *responder, struct arena *arena,
                                    const struct delivery_ref *refs, size_t count)
{
    const char **tokens = arena_alloc(arena, (count + 1) * sizeof *tokens);
    for (size_t i = 0; i < count; i++) {
        struct mail_signer signer = signer_of(responder, &refs[i].tenant);
        tokens[i] = responder->shared->mail_key_count > 0
                        ? mail_token_write(arena, &signer, MAIL_TOKEN_DELIVERY, &refs[i].id)
                        : NULL;
    }
    return tokens;
}

const struct delivery_mail *mail_send_copy(struct arena *arena, const struct delivery_mail *mail)
{
    if (mail == NULL)
        return NULL;
    struct delivery_mail *copy = arena_alloc(arena, sizeof *copy);
    *copy = *mail;
    const char **texts[] = {&copy->author,      &copy->language,   &copy->url,
                            &copy->secret,      &copy->from_name,  &copy->subject,
                            &copy->in_reply_to, &copy->references, &copy->message_id,
                            &copy->quoted,      &copy->quoted_on,  &copy->login.way,
                            &copy->login.hex};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_strdup(arena, *texts[i]);
    return copy;
}

/* ---- back-off ---- */

/* Greylisting passes within minutes; a mailbox that is full, within hours. */
static int64_t back_off_ms(int attempt)
{
    static const int64_t steps_ms[] = {60000, 300000, 600000, 900000, 1800000};
    int last = (int)(sizeof steps_ms / sizeof *steps_ms) - 1;
    return steps_ms[attempt < 1 ? 0 : attempt > last ? last : attempt - 1];
}

static int64_t again_ms(const struct flight *flight, const struct mail_smtp_result *result)
{
    if (strcmp(result->error, "smtp.gate") == 0 || strcmp(result->error, "smtp.busy") == 0)
        return REST_GIVE_BACK_MS;
    return result->judgement.action == SMTP_HOLD_OFF ? HOLD_OFF_MS : back_off_ms(flight->attempt);
}

/* ---- outcome ---- */

/* "550 5.1.1", or what went wrong without a word of the server. */
static const char *code_of(struct arena *arena, const struct mail_smtp_result *result)
{
    if (result->reply.code == 0)
        return result->error;
    return arena_printf(arena, "%d%s%s", result->reply.code,
                        result->reply.enhanced[0] != '\0' ? " " : "", result->reply.enhanced);
}

static struct delivery_change change_of(const struct flight *flight,
                                        const struct mail_smtp_result *result)
{
    struct delivery_change change = {.error_code = code_of(flight->arena, result),
                                     .next_in_ms = -1};
    switch (result->class) {
    case MAIL_SMTP_ACCEPTED:
        change.event = DELIVERY_ACCEPTED;
        change.outcome = "accepted";
        change.error_code = NULL;
        change.sid = flight->mail->message_id;
        change.provider_status = "accepted";
        break;
    case MAIL_SMTP_REFUSED:
        change.event = DELIVERY_DECLINED;
        change.outcome = "refused";
        change.reason = result->judgement.action == SMTP_NO_ADDRESS ? "bad_address" : "refused";
        break;
    case MAIL_SMTP_UNKNOWN:
        change.event = DELIVERY_NO_ANSWER;
        change.outcome = "unknown";
        change.next_in_ms = flight->responder->shared->settings.mail_again_after_ms;
        break;
    case MAIL_SMTP_DEFERRED:
        change.event = DELIVERY_DEFER;
        change.outcome = result->reply.code != 0 ? "deferred" : "not_sent";
        change.next_in_ms = again_ms(flight, result);
        break;
    }
    return change;
}

static void note(struct flight *flight, const struct mail_smtp_result *result)
{
    flight->change = change_of(flight, result);
    metric_add(send_counter(&flight->change), 1);
    metric_observe_us(counters.request_seconds, result->total_us);
    const char *code = code_of(flight->arena, result);
    if (result->class != MAIL_SMTP_ACCEPTED && result->judgement.alert) {
        metric_add(counters.alerts, 1);
        log_error("mail.alert", LOG_TEXT("delivery", flight->id), LOG_TEXT("code", code),
                  LOG_TEXT("stage", smtp_stage_name(result->stage)),
                  LOG_TEXT("meaning", result->judgement.meaning));
    } else if (result->class != MAIL_SMTP_ACCEPTED) {
        log_info("attempt.ended", LOG_TEXT("delivery", flight->id),
                 LOG_INT("attempt", flight->attempt), LOG_TEXT("outcome", flight->change.outcome),
                 LOG_TEXT("code", code), LOG_TEXT("stage", smtp_stage_name(result->stage)));
    }
}

static void log_in(struct flight *flight);

/* A token may be refused before its end: nothing of the mail has left, and another one is bought at
 * once. A second refusal is the server's word on the account. */
static bool is_renewed(struct flight *flight, const struct mail_smtp_result *result)
{
    if (!flight->token_used || result->began ||
        (result->stage != SMTP_AUTH && strcmp(result->error, "smtp.denied") != 0))
        return false;
    mailbox_login_refused(flight->responder->logins, &flight->mail->login.mailbox);
    if (result->judgement.action != SMTP_HOLD_OFF || flight->token_renewed ||
        flight->responder->draining)
        return false;
    flight->token_renewed = true;
    log_in(flight);
    return true;
}

static void on_done(void *arg, const struct mail_smtp_result *result)
{
    struct flight *flight = arg;
    flight->mail_transfer = NULL;
    if (is_renewed(flight, result))
        return;
    STOP_POINT("responder.answered", flight->id);
    note(flight, result);
    if (result->class == MAIL_SMTP_ACCEPTED && flight->mail->wants_copy)
        sent_copies_add(flight->responder->copies, flight);
    send_over(flight);
}

/* ---- the mail ---- */

/* The ids of the chain; its texts are parts of one that is cut in place. */
static const char *const *split(struct arena *arena, const char *references, size_t *count)
{
    const char **ids = arena_alloc(arena, (strlen(references) / 2 + 2) * sizeof *ids);
    *count = 0;
    for (char *at = arena_strdup(arena, references); *at != '\0';) {
        size_t length = strcspn(at, " ");
        char *next = at + length + (at[length] == ' ');
        at[length] = '\0';
        if (length > 0)
            ids[(*count)++] = at;
        at = next;
    }
    return ids;
}

static enum mail_compose_author author_of(const char *author)
{
    if (strcmp(author, "operator") == 0)
        return MAIL_AUTHOR_PERSON;
    return strcmp(author, "ai") == 0 ? MAIL_AUTHOR_ANSWER : MAIL_AUTHOR_NOTICE;
}

int mail_send_compose(const struct flight *flight, struct strbuf *out, struct err *err)
{
    const struct delivery_mail *mail = flight->mail;
    struct arena *arena = flight->arena;
    struct mail_signer signer = signer_of(flight->responder, &flight->ref.tenant);
    const struct mail_address to = {.name = "", .address = flight->route.to};
    struct mail_draft draft = {
        .from = {mail->from_name, flight->route.from},
        .reply_to = mail->plus_addresses ? mail_token_address(arena, &signer, flight->route.from,
                                                              &mail->conversation)
                                         : NULL,
        .to = {&to, 1},
        .message_id = mail->message_id,
        .in_reply_to = mail->in_reply_to,
        .subject = strcmp(mail->author, "system") == 0 ? mail->subject
                                                       : mail_subject_reply(arena, mail->subject),
        .date_ms = mail->created_ms,
        .author = author_of(mail->author),
        .text = flight->body,
        .quote_intro = mail_quote_intro(arena, mail->language, mail->quoted_on, flight->route.to),
        .quote = mail_quote_text(arena, mail->quoted),
        .language = mail->language,
    };
    draft.references = split(arena, mail->references, &draft.reference_count);
    return mail_compose(&draft, out, err);
}

/* ---- sending ---- */

static bool may_send(void *arg)
{
    struct flight *flight = arg;
    const struct responder_settings *settings = &flight->responder->shared->settings;
    flight->began = !flight->responder->draining &&
                    send_may_leave(flight, settings->mail_begin_ms + settings->worker_lease_ms);
    return flight->began;
}

/* Whether the end of one that began had left nobody says: the same mail again, as after the
 * process's death. */
static void give_up(struct flight *flight, const char *why)
{
    const struct responder_settings *settings = &flight->responder->shared->settings;
    struct delivery_change change = {.event = DELIVERY_DEFER,
                                     .outcome = "not_sent",
                                     .error_code = why,
                                     .next_in_ms = REST_GIVE_BACK_MS};
    if (flight->mail_transfer != NULL)
        mail_smtp_cancel(flight->responder->mail, flight->mail_transfer);
    flight->mail_transfer = NULL;
    oauth_cancel(&flight->token_wait);
    if (flight->began) {
        change.event = DELIVERY_NO_ANSWER;
        change.outcome = "unknown";
        change.next_in_ms = settings->mail_again_after_ms;
    }
    flight->change = change;
    metric_add(send_counter(&change), 1);
    log_info("attempt.ended", LOG_TEXT("delivery", flight->id), LOG_INT("attempt", flight->attempt),
             LOG_TEXT("outcome", change.outcome), LOG_TEXT("code", change.error_code));
    send_over(flight);
}

static void give_up_one(struct flight *flight)
{
    give_up(flight, "smtp.drain");
}

void mail_send_give_up(struct responder *responder)
{
    if (responder->mail != NULL)
        flights_each_mail(responder->flights, give_up_one);
}

static void noted(void *arg, const struct pg_answer *answer)
{
    struct arena *arena = arg;
    if (answer->err != NULL) /* the next look finds it again */
        log_warn("mail.begin_not_noted", LOG_ERR(answer->err));
    arena_free(&arena);
}

void mail_send_taken(struct flight *flight)
{
    if (flight->began) {
        struct arena *arena = arena_new();
        struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = noted, .arg = arena};
        delivery_taken_add_began(&unit, arena,
                                 &(struct delivery_taken){flight->ref, flight->attempt});
        pg_submit(flight->responder->pg, &unit);
    } else if (flight->mail_transfer != NULL || flight->token_wait != NULL) {
        give_up(flight, "smtp.taken");
    }
}

static void over_later(void *arg)
{
    send_over(arg);
}

/* What never came to the server: judged by the same table as what did. Its place is given on from
 * the loop's next pass: all that wait for it may end the same way. */
static void settle_error(struct flight *flight, const char *error, const struct err *err)
{
    struct mail_smtp_result result = {
        .error = error, .judgement = smtp_codes_judge_error(error), .stage = SMTP_CONNECT};
    result.class = result.judgement.action == SMTP_FINAL ? MAIL_SMTP_REFUSED : MAIL_SMTP_DEFERRED;
    log_warn("mail.unsendable", LOG_TEXT("delivery", flight->id), LOG_ERR(err));
    note(flight, &result);
    loop_post(flight->responder->loop, over_later, flight);
}

static void hand_over(struct flight *flight, const struct secret *secret,
                      const struct strbuf *message)
{
    const struct responder_settings *settings = &flight->responder->shared->settings;
    const char *message_id = flight->mail->message_id;
    struct mail_smtp_call call = {
        .account = flight->account,
        .secret = secret,
        .from = flight->route.from,
        .to = &flight->route.to,
        .to_count = 1,
        /* the token in it, by which a report that tells only this is known */
        .envelope_id = arena_strndup(flight->arena, message_id, strcspn(message_id, "@")),
        .message = message->data,
        .length = message->length,
        .limits = {.connect_ms = settings->mail_connect_ms,
                   .command_ms = settings->mail_command_ms,
                   .data_ms = settings->mail_data_ms,
                   .dot_ms = settings->mail_dot_ms,
                   .begin_ms = settings->mail_begin_ms},
        .may_send = may_send,
        .on_done = on_done,
        .arg = flight,
    };
    flight->mail_transfer = mail_smtp_start(flight->responder->mail, &call);
}

static void send_with(struct flight *flight, const struct secret *secret)
{
    struct strbuf message;
    struct err err;
    strbuf_init(&message, MAIL_COMPOSE_MAX);
    if (mail_send_compose(flight, &message, &err) != 0)
        settle_error(flight, "smtp.message", &err);
    else
        hand_over(flight, secret, &message);
    strbuf_fini(&message);
}

/* ---- logging in ---- */

static void on_token(void *arg, const struct secret *token, const struct err *err)
{
    struct flight *flight = arg;
    flight->token_wait = NULL;
    flight->token_used = true;
    if (token != NULL)
        send_with(flight, token);
    else
        settle_error(flight, err->class == ERR_RETRY_LATER ? "smtp.token" : "smtp.credentials",
                     err);
}

static int read_secret(struct flight *flight, struct secret **secret, struct err *err)
{
    const struct delivery_mail *mail = flight->mail;
    if (strcmp(mail->secret, "sealed") != 0) {
        if (secret_read(mail->secret, secret, err) != 0)
            return -1;
        return *secret != NULL ? 0
                               : err_set(err, ERR_PERMANENT, "secret.reference",
                                         "the mailbox's secret is empty");
    }
    struct mailbox_key key;
    if (mailbox_login_open(flight->responder->logins, &flight->ref.tenant, &mail->login, on_token,
                           flight, &key, err) != 0)
        return -1;
    flight->token_wait = key.wait;
    *secret = key.password;
    return 0;
}

/* Sends it, at once or as soon as there is a token. */
static void log_in(struct flight *flight)
{
    struct secret *secret = NULL;
    struct err err;
    if (flight->account->auth != MAIL_SMTP_NO_AUTH && read_secret(flight, &secret, &err) != 0)
        settle_error(flight, "smtp.credentials", &err);
    else if (flight->token_wait == NULL)
        send_with(flight, secret);
    secret_free(&secret);
}

void mail_send_start(struct flight *flight)
{
    struct mail_smtp_account *account = arena_alloc(flight->arena, sizeof *account);
    struct err err;
    flight->account = account;
    if (flight->responder->mail == NULL) {
        err_set(&err, ERR_PERMANENT, "config.invalid", "mail_token_key_file is not set");
        settle_error(flight, "smtp.account", &err);
    } else if (mail_smtp_account_parse(flight->mail->url, account, &err) != 0) {
        settle_error(flight, "smtp.account", &err);
    } else {
        log_in(flight);
    }
}
