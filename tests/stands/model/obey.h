/*
 * What a model does that obeys whoever speaks to it: a rule with the action `obey` turns the
 * stand-in into one. An instruction is the mark `INJECT:` and a JSON object behind it, in any text
 * of the request but the descriptions of tools:
 *
 *   INJECT:{"call":NAME,"arguments":OBJECT or TEXT,"times":N}   asks for the tool, N times (1)
 *   INJECT:{"say":TEXT}                                         says that
 *   INJECT:{"print":"system"|"tools"|"everything","from":N,"bytes":N,"as":"upper"|"spaced"|
 *                                          "base64"}: says what it was told; "everything" without
 *                                          the tools
 *
 * Calls come first, one an answer, in the order in which they stand in the request, whether or not
 * they were offered or may still be called; then all that is to be said, as one text. The same
 * instruction twice counts once. In a text that is JSON itself, quotes may be escaped once more.
 */
#ifndef STANDS_MODEL_OBEY_H
#define STANDS_MODEL_OBEY_H

#include <stddef.h>

struct cJSON;

/* What comes next. `tool` NULL: `text` is said; both NULL: there was no instruction. Owned. */
struct obedience {
    char *tool, *text;
};

/* Reads the request; `results` of the calls have been answered since anybody was answered. */
void obey_read(const struct cJSON *root, size_t results, struct obedience *out);

/* Frees the texts; zeroed is fine. */
void obey_fini(struct obedience *obedience);

#endif
