/* The verdict over a session: which reply or error decides, and what becomes of each recipient.
 * What the server said last about the mail outweighs what it said before; an error of our own
 * counts only where the server said no word. smtp.c calls it once a session is over. */
#include <string.h>

#include "base/arena.h"
#include "mail/smtp_inside.h"

static enum mail_smtp_class class_of(enum smtp_action action)
{
    switch (action) {
    case SMTP_FINAL:
    case SMTP_NO_ADDRESS:
        return MAIL_SMTP_REFUSED;
    case SMTP_ASK_NOBODY:
        return MAIL_SMTP_UNKNOWN;
    default:
        return MAIL_SMTP_DEFERRED;
    }
}

static bool is_no(const struct smtp_reply *reply)
{
    return reply->code >= 400;
}

static void decide_by_reply(struct mail_smtp_result *result, enum smtp_stage stage,
                            const struct smtp_reply *reply)
{
    result->stage = stage;
    result->reply = *reply;
    result->error = "";
    result->judgement = smtp_codes_judge(stage, reply);
    result->class = class_of(result->judgement.action);
}

static void decide_by_error(struct mail_smtp_result *result, enum smtp_stage stage,
                            const char *error)
{
    result->stage = stage;
    result->error = error;
    result->judgement = smtp_codes_judge_error(error);
    result->class = class_of(result->judgement.action);
}

/* Every RCPT was refused: the mail may be tried again as long as one of them may. */
static bool all_refused(const struct smtp_dialogue *d, size_t recipients,
                        struct mail_smtp_result *result)
{
    if (recipients == 0 || d->recipient_count < recipients)
        return false;
    const struct smtp_reply *word = NULL;
    for (size_t i = 0; i < recipients; i++) {
        if (!is_no(&d->recipients[i]))
            return false;
        struct smtp_judgement judgement = smtp_codes_judge(SMTP_RCPT, &d->recipients[i]);
        if (word == NULL || class_of(judgement.action) == MAIL_SMTP_DEFERRED)
            word = &d->recipients[i];
    }
    decide_by_reply(result, SMTP_RCPT, word);
    return true;
}

/* The stage of the session before the mail that the server refused; SMTP_STAGES: none. A no to
 * AUTH, or to EHLO from a server that then took HELO, counts unless a yes followed. */
static enum smtp_stage refused_before(const struct smtp_dialogue *d)
{
    static const enum smtp_stage stages[] = {SMTP_DATA,     SMTP_MAIL,  SMTP_AUTH,
                                             SMTP_STARTTLS, SMTP_HELLO, SMTP_GREETING};
    bool auth_failed = is_no(&d->replies[SMTP_AUTH]) && !d->authenticated;
    if (auth_failed)
        return SMTP_AUTH; /* what a server says to who goes on all the same is beside the point */
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (is_no(&d->replies[stages[i]]))
            return stages[i];
    return SMTP_STAGES;
}

static void decide_unaccepted(const struct smtp_dialogue *d, const char *error, size_t recipients,
                              struct mail_smtp_result *result)
{
    enum smtp_stage stage = smtp_dialogue_stage(d), refused = refused_before(d);
    if (stage == SMTP_DOT)
        stage = SMTP_DATA; /* its end has not been sent */
    if (d->injected)
        decide_by_error(result, SMTP_STARTTLS, "smtp.injected");
    else if (refused != SMTP_AUTH && all_refused(d, recipients, result))
        return;
    else if (refused != SMTP_STAGES)
        decide_by_reply(result, refused, &d->replies[refused]);
    else
        decide_by_error(result, stage,
                        error != NULL ? error
                        : d->broken   ? "smtp.protocol"
                                      : "smtp.dropped");
}

static void judge_recipients(struct arena *arena, const struct smtp_dialogue *d, size_t count,
                             struct mail_smtp_result *result)
{
    struct mail_smtp_recipient *recipients = arena_alloc(arena, (count + 1) * sizeof *recipients);
    for (size_t i = 0; i < count; i++) {
        struct mail_smtp_recipient *r = &recipients[i];
        r->class = result->class;
        r->reply = result->reply;
        r->judgement = result->judgement;
        if (i < d->recipient_count && is_no(&d->recipients[i]) && !d->injected) {
            r->reply = d->recipients[i];
            r->judgement = smtp_codes_judge(SMTP_RCPT, &r->reply);
            r->class = class_of(r->judgement.action);
        }
    }
    result->recipients = recipients;
    result->recipient_count = count;
}

void smtp_judge(struct arena *arena, const struct smtp_dialogue *dialogue, const char *error,
                size_t recipients, bool began, bool ended, struct mail_smtp_result *result)
{
    const struct smtp_reply *dot = &dialogue->replies[SMTP_DOT];
    *result = (struct mail_smtp_result){.error = "", .began = began};
    if (ended && dot->code / 100 == 2) {
        result->class = MAIL_SMTP_ACCEPTED;
        result->stage = SMTP_DOT;
        result->reply = *dot;
    } else if (is_no(dot)) {
        decide_by_reply(result, SMTP_DOT, dot);
    } else if (ended) {
        decide_by_error(result, SMTP_DOT, "smtp.unknown");
    } else {
        decide_unaccepted(dialogue, error, recipients, result);
    }
    judge_recipients(arena, dialogue, recipients, result);
}
