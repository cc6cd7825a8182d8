/*
 * Running a TwiML document: one verb after the other. What each verb is, is a row of functions;
 * gather.h, record.h, dial.h and relay.h have the rows of the larger ones.
 */
#ifndef STANDS_TWILIO_VERBS_H
#define STANDS_TWILIO_VERBS_H

#include "stands/twilio/call.h"

struct verb {
    const char *name;
    /* Starts it; it ends by verbs_next, by a new document, or by call_hang_up. */
    void (*start)(struct call *call, const struct twiml_element *element);
    /* It is dropped and must let go of all it holds. May be NULL, as all that follow. */
    void (*stop)(struct call *call);
    /* The leg is over: like stop, but its action may still be asked. NULL: stop. */
    void (*hung_up)(struct call *call);
    bool theirs; /* while it runs the turn is the person's: nobody owes an answer */
    /* Whether it takes speech now; NULL: never. */
    bool (*listens)(const struct call *call);
    void (*speech_began)(struct call *call);
    void (*speech)(struct call *call, const struct speech *speech);
    void (*key)(struct call *call, char key);
    /* Everything that was to be heard has been heard, or a Pause is over. */
    void (*quiet)(struct call *call);
};

/* Runs a document from its top; takes it. What ran before must have been dropped. */
void verbs_run(struct call *call, struct twiml *twiml, const char *url);

/* The verb in hand is over: the next one, or the document's end. */
void verbs_next(struct call *call);

/* Drops the verb in hand and what is left of the document. */
void verbs_drop(struct call *call);

/* Tells the person that the application failed, and hangs up. */
void verbs_sorry(struct call *call);

/* Lets the leg hear a Say, Play or Pause; the verb's `quiet` follows. */
void verbs_prompt(struct call *call, const struct twiml_element *element);

/* Asks the `action` of the verb in hand and goes on with its TwiML. `form` (further parameters) is
 * read at once. Without an action the next verb runs. */
void verbs_action(struct call *call, const struct stand_form *form);

#endif
