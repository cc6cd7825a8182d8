/* Dead letters of the batch that a consumer has in hand: each is produced until the brokers have
 * it, so that its record's offset may be stored then. Used by engine and responder. Loop thread. */
#ifndef DESK_SERVICE_DEAD_LETTERS_H
#define DESK_SERVICE_DEAD_LETTERS_H

#include <stddef.h>

#include "bus/bus.h"
#include "service/metrics.h"

struct dead_letters;

struct dead_letters_options {
    struct loop *loop;
    struct bus_producer *producer; /* borrowed; closed before dead_letters_free */
    const char *prefix, *service;  /* topic_prefix and who gives up; static or of the settings */
    struct metric *dead, *lost;    /* counted: records given up, and those without any letter */
    /* The last of those added is over. Never called from inside an add. */
    void (*on_over)(void *arg);
    void *arg;
};

/* Returns owned. */
struct dead_letters *dead_letters_new(const struct dead_letters_options *options);

/* Frees, also what is not over; sets to NULL; accepts NULL. */
void dead_letters_free(struct dead_letters **letters);

/* Sends the record's letter with this code (copied). The record is borrowed until none is left. */
void dead_letters_add(struct dead_letters *letters, const struct bus_record *record,
                      const char *code);

/* How many are not over: not confirmed, and not given up as impossible. */
size_t dead_letters_left(const struct dead_letters *letters);

#endif
