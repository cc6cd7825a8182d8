/* A consumer that works in batches: takes records, hands them over, and stores their offsets when
 * all of them are done. Both of the responder's consumers are one. (The engine's intake claims what
 * it takes by itself.) Loop thread. */
#ifndef DESK_RESPONDER_INTAKE_H
#define DESK_RESPONDER_INTAKE_H

#include <stdbool.h>

#include "contract/topics.h"
#include "responder.h"

struct intake;

struct intake_options {
    struct responder *responder;
    enum topic topic;
    const char *group; /* without the prefix */
    size_t batch_max;
    /* May a batch be taken now? */
    bool (*ready)(void *arg);
    /* One record of the batch: -1 with the code of its dead letter in *err. Work that it starts is
     * announced with intake_begin and ends with intake_end. */
    int (*record)(void *arg, const struct bus_record *record, struct err *err);
    /* All records of the batch have been handed over. */
    void (*batch)(void *arg);
    void *arg;
};

/* Opens the consumer. Returns owned. */
int intake_open(const struct intake_options *options, struct intake **intake, struct err *err);

/* Commits what is stored and closes; sets to NULL; accepts NULL. */
void intake_close(struct intake **intake);

/* Memory of the batch in hand. */
struct arena *intake_arena(struct intake *intake);

/* Work of the batch in hand begins and ends, `count` pieces at a time. */
void intake_begin(struct intake *intake, size_t count);
void intake_end(struct intake *intake, size_t count);

/* Makes a record of the batch in hand a dead letter, after it was taken. */
void intake_give_up(struct intake *intake, const struct bus_record *record, const char *code);

/* As intake_end, but the work was given up: the batch's offsets are not stored. */
void intake_abandon(struct intake *intake, size_t count);

/* Looks for records: something that `ready` waits for may have happened. */
void intake_wake(struct intake *intake);

/* No batch is in hand. */
bool intake_idle(const struct intake *intake);

#endif
