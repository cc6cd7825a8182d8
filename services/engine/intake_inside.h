/* Private to the engine's lanes: what intake.c shares with what is one lane's own. */
#ifndef DESK_ENGINE_INTAKE_INSIDE_H
#define DESK_ENGINE_INTAKE_INSIDE_H

#include "base/map.h"
#include "bus/bus.h"
#include "contract/topics.h"
#include "intake.h"
#include "pg/pg.h"
#include "service/dead_letters.h"
#include "service/metrics.h"
#include "shares.h"
#include "store/inbox.h"

/* What a lane does with its records. */
struct intake_lane {
    enum topic topic;
    bool is_static;   /* a member keeps its partitions while it restarts */
    size_t batch_max; /* of its records, which are large; 0: the setting alone */
    /* Decodes the batch in hand into events; what cannot be decoded becomes a dead letter. */
    void (*decode)(struct intake *intake);
    /* How many events from `first` on go into the next unit; at least 1. */
    size_t (*count)(const struct intake *intake);
    /* Adds the statements of the slice in flight. */
    void (*fill)(struct intake *intake, struct pg_unit *unit);
    /* They are on their way; NULL: nothing is to be done meanwhile. */
    void (*sent)(struct intake *intake);
    /* Its unit is committed. It may set claim_count to 0: nothing was claimed, the slice is filled
     * again at once. */
    void (*report)(struct intake *intake, const struct pg_answer *answer);
    /* Its unit was not; NULL: nothing is to be undone. */
    void (*undo)(struct intake *intake);
};

struct intake {
    struct engine *engine;
    const struct intake_lane *lane;
    void *batch; /* the lane's, in `arena` */
    void *slice; /* the lane's, in `claim_arena` */
    struct bus_consumer *consumer;
    struct timer *retry;
    struct arena *claim_arena;  /* of the unit in flight */
    struct arena *arena;        /* of the batch in hand */
    struct bus_record *records; /* claim_batch of them */
    size_t record_count;
    struct inbox_event *events; /* sorted, without repeats */
    size_t event_count;
    size_t first, claim_count; /* the slice in flight: all, or one when tried singly */
    bool in_hand, in_flight, singly, paused, assigned;
    unsigned failures;
    struct dead_letters *letters;
    int64_t sent_us;
};

/* What was claimed comes into memory as sessions of that kind; what has no channel of its tenant is
 * a dead letter. The slice's events are those in hand from `first` on. */
struct intake_counters {
    struct metric *claimed, *duplicates;
};
void intake_report(struct intake *intake, const struct pg_answer *answer, enum share_kind kind,
                   const struct intake_counters *count);

/* Wakes a responder for what people of a rota are answered. */
void intake_wake_answers(struct intake *intake, const struct pg_answer *answer, bool by_mail);

/* The keyed id of the parts. */
struct uuid intake_ident(struct intake *intake, const char *const *parts, size_t count);

/* The event comes to stand in the batch, unless one with its id does; its record is number `place`.
 */
void intake_add(struct intake *intake, struct map *seen, const struct inbox_event *event,
                size_t place);

/* The offset waits until the letter is over. */
void intake_dead_letter(struct intake *intake, size_t place, const char *code);

/* The order of inbox_add_claim, for qsort. */
int intake_by_identity(const void *a, const void *b);

#endif
