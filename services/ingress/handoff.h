/* What Connect's action is to do with a call when its relay session was ended by us: the JSON
 * object that our `end` frame carried (docs/VOICE.md), written by the engine or by call.c, given
 * back by Twilio. Pure; any thread. */
#ifndef DESK_INGRESS_HANDOFF_H
#define DESK_INGRESS_HANDOFF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "contract/voice.h"

enum handoff_kind {
    HANDOFF_RELAY,  /* a new relay */
    HANDOFF_RECORD, /* the caller's message is recorded */
    HANDOFF_HANGUP,
    HANDOFF_DIAL, /* a person is rung up */
};

#define HANDOFF_RING_MAX_S 600

struct handoff {
    enum handoff_kind kind;
    enum voice_record_why why; /* RECORD */
    bool announced;            /* RECORD: the caller was told already; else he is asked first */
    struct uuid dial;          /* DIAL: our id of the transfer */
    const char *to;            /* DIAL: E.164 */
    int timeout_s;             /* DIAL: of ringing, 5-HANDOFF_RING_MAX_S */
    const char *briefing;      /* DIAL: what the person hears before he accepts; may be "" */
    bool cold;                 /* DIAL: who answers is put through at once, without a briefing */
};

/* Reads it; texts are in the arena. PERMANENT "handoff.*", *out untouched: no JSON object, an
 * unknown `do`, or a member of it missing or wrong. Further members are ignored. */
int handoff_read(struct arena *arena, const char *text, struct handoff *out, struct err *err);

#endif
