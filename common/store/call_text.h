/* A text to the very person who is on the phone (docs/VOICE.md, what a turn does besides): the
 * tool's effect. Texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_CALL_TEXT_H
#define DESK_STORE_CALL_TEXT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/usage.h"

#define CALL_TEXTS_MAX 5 /* to one caller, of one call */

struct call_text {
    const char *tenant;
    struct uuid id;               /* of the tool call, which must have begun; the delivery's, too */
    struct uuid session, message; /* of texts between the two numbers; fresh */
    const char *from, *to, *body;
    int64_t segments, answer_within_ms;
    struct usage_limits limits; /* of the tenant: its segments */
};

/* Adds it, behind round_add_begin in the same unit, as the unit's last: a message and its delivery
 * in the conversation of the call's turn, once however often the call is repeated. The session of
 * texts is made, or moved to that conversation, as a claim does. */
void call_text_add(struct pg_unit *unit, struct arena *arena, const struct call_text *text);

enum call_text_kind {
    CALL_TEXT_SENT, /* it is on its way, now or by an earlier try of the call */
    CALL_TEXT_OPTED_OUT,
    CALL_TEXT_NO_NUMBER, /* `from` sends no texts any more */
    CALL_TEXT_ENOUGH,    /* CALL_TEXTS_MAX have left */
    CALL_TEXT_SPENT,     /* the segments of the day or month are spent or reserved */
};

/* What came of it, from the last statement of an answer whose call has begun. */
enum call_text_kind call_text_read(const struct pg_answer *answer);

#endif
