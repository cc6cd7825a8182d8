/* TwiML of a call, made of what the directory knows of the number: who calls is answered by a
 * relay, asked for a message, put through, or refused. Fills the request's response; a document
 * that cannot be made is our bug: it is logged and the call ends with <Hangup/>. Server threads. */
#ifndef DESK_INGRESS_ANSWER_H
#define DESK_INGRESS_ANSWER_H

#include "contract/voice.h"
#include "handoff.h"
#include "webhook.h"

#define ANSWER_TOKEN_S      60 /* in which Twilio opens the socket */
#define ANSWER_MESSAGE_S    180
#define ANSWER_WRITTEN_S    120  /* of a message that Twilio writes down: no longer ones */
#define ANSWER_BRIEFING_MAX 1200 /* bytes of the briefing in the whisper's URL, percent-encoded */

/* The call that is answered. */
struct answer {
    struct webhook *webhook;
    const struct channel *channel; /* of our number, with a voice part */
    const char *call_sid;
    const char *person;      /* the other end's number, or ""; it goes into the recording's URL */
    const char *attestation; /* what the carrier has found of `person` (twilio_call_attestation) */
    int64_t parted_ms; /* when a relay session before this one had ended, epoch ms; 0: none had */
    const char *say;   /* of a call that we placed, in place of the greeting; else NULL */
    int step;          /* of webhook mode, that is answered; 0: a call in streaming mode */
};

/* What Twilio says when the socket is there. */
enum answer_greeting {
    ANSWER_GREETS,   /* consent line and greeting: the caller has heard nothing yet */
    ANSWER_CONSENTS, /* the consent line alone: it broke off */
    ANSWER_GREETED,  /* nothing */
};

/* A relay socket: the call's first, as far as anybody has heard, if it greets. `failures`: sessions
 * that failed one after the other before this one. */
void answer_relay(const struct answer *answer, enum answer_greeting greeting, int failures);

/* Records a message, after the words (NULL: after none). */
void answer_message(const struct answer *answer, enum voice_record_why why, const char *words);

/* Records one of a caller who has heard nothing yet: after the consent line, if there is one, and
 * the fallback. */
void answer_unheard(const struct answer *answer);

/* Rings up a person, who hears the briefing before he is put through; says the words before (NULL:
 * none). */
void answer_dial(const struct answer *answer, const struct handoff *handoff, const char *words);

/* Says the words (NULL: none) and ends the call. `channel` may be NULL. */
void answer_hangup(struct webhook *webhook, const struct channel *channel, const char *words);

/* Does not take the call. */
void answer_reject(struct webhook *webhook);

/* What the person who is rung up hears, and is asked for a key. `channel` may be NULL. */
void answer_whisper(struct webhook *webhook, const struct channel *channel, const char *tenant,
                    const char *briefing);

/* Says the words and asks for one key, twice; `action` gets it. Without one the call ends. */
void answer_ask(const struct answer *answer, const char *action, const char *words);

/* Says the words and asks that URL again. */
void answer_wait(const struct answer *answer, const char *url, const char *words);

/* Nothing: the call goes on, or is over anyway. */
void answer_nothing(struct webhook *webhook);

#endif
