/* Records of desk.inbound.voice as the engine's lane of calls takes them: what the claim stores,
 * and what is done beside it. */
#ifndef DESK_ENGINE_VOICE_RECORD_H
#define DESK_ENGINE_VOICE_RECORD_H

#include "contract/voice.h"
#include "intake_inside.h"
#include "store/call_answer.h"
#include "voice_message.h"

/* A record, by its place in the batch. */
struct voice_record {
    enum item_kind {
        ITEM_NOTE,
        ITEM_PROMPT,
        ITEM_RESUMED, /* the call has another socket */
        ITEM_WAIT,    /* webhook mode: a request waits for the answer to a step */
        ITEM_TASK,
        ITEM_TRANSCRIPT,
        ITEM_FOUND,  /* the call's end, which only the provider has told */
        ITEM_MISSED, /* its end, of which people are to hear if nobody answered the caller */
        ITEM_OVER,   /* its end, which may come before all else that is told of it */
        ITEM_DIALLED,
        ITEM_HEARD,    /* from here on nothing is claimed */
        ITEM_ANSWERED, /* a call that we placed, */
        ITEM_ENDED /* the end of one, or of one that nobody answered: there need be no session */
    } kind;
    const char *call_sid;
    int partition;
    int64_t step, wait;           /* webhook mode: of the request that told it; else 0 */
    int64_t gone_ms;              /* of struct voice_setup */
    const char *attestation;      /* of the caller's number: "full", "partial", "failed"; or "" */
    const char *reason;           /* of what was heard; what became of a transfer */
    struct uuid dial;             /* that transfer's id */
    struct voice_spoken spoken;   /* no turn: nothing is told of one */
    struct voice_message message; /* that the caller left */
    struct call_answer answered;  /* by whoever we called */
    bool is_not_plain;            /* words whose claim found more to be looked at than the call */
};

/* Reads one of any type; texts live in the batch's arena. PERMANENT: it cannot be claimed. */
int voice_record_read(struct intake *intake, const struct bus_record *record,
                      struct voice_record *item, struct inbox_event *event, struct err *err);

#endif
