/* What the stand-in tells of a call, as rows for people: who, when, what. One thread. */
#ifndef DESKCTL_CALL_TOLD_H
#define DESKCTL_CALL_TOLD_H

#include "table.h"
#include "json/json.h"

/* How a call went, from GET /_calls/CA... of the stand-in (tests/stands/README.md). */
struct call_told {
    bool over;
    const char *script; /* "done", "cut short", "timed out", "running"; "" if it does not say */
    int64_t silence_max_ms;
    size_t errors; /* of what the desk answered */
};

/* Reads the answer; texts are borrowed from it. What is absent or of another type counts as not
 * over, "" and 0. */
void call_told_read(const struct json *call, struct call_told *told);

/* A row for each of its events that somebody on the line noticed. */
struct table *call_told_rows(struct arena *arena, const struct json *call);

#endif
