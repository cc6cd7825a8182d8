/* Stop points: named places where a crash test may end or freeze this very process.
 *
 * Only the test builds have them (FRONTDESK_STOP_POINTS); in the release build STOP_POINT is empty.
 * The environment variable FRONTDESK_STOP_FILE names a file that all processes of a test map
 * shared. A slot is armed by its writer; the process that reaches the point and takes one of the
 * `armed` counts acts. Layout: little-endian, packed as declared, STOP_SLOTS slots of 256 bytes. */
#ifndef DESK_BASE_STOP_H
#define DESK_BASE_STOP_H

#include <stdint.h>

#define STOP_SLOTS 128

enum stop_action {
    STOP_KILL = 1,   /* SIGKILL to itself */
    STOP_FREEZE = 2, /* SIGSTOP to itself; the test sends SIGCONT */
    STOP_ABORT = 3,  /* as a crash of the program itself */
};

struct stop_slot {
    char name[64];    /* offset 0: the point's name, NUL-padded; empty: the slot is free */
    int32_t action;   /* 64: enum stop_action */
    int32_t armed;    /* 68: how many more times to act; taken atomically */
    int32_t skip;     /* 72: passes to let through first; taken atomically */
    int32_t passed;   /* 76: times any process passed the point while the slot was there */
    int32_t hits;     /* 80: times it acted */
    int32_t pid;      /* 84: process that acted last */
    char match[64];   /* 88: act only if the point's subject contains this; empty: always */
    char subject[64]; /* 152: subject of the last hit */
    char unused[40];  /* 216 */
};

#if FRONTDESK_STOP_POINTS
/* Reaches the point `name`; `subject` (may be NULL) is the id of the work in hand: an event's
 * provider id, a delivery or turn id. Any thread. */
#define STOP_POINT(name, subject) stop_reach((name), (subject))
void stop_reach(const char *name, const char *subject);
#else
#define STOP_POINT(name, subject) ((void)(subject))
#endif

#endif
