/* Marks in the prompt: what others wrote stands between tags of ours, and cannot imitate one. Pure,
 * any thread. */
#ifndef DESK_PROMPT_MARK_H
#define DESK_PROMPT_MARK_H

#include "base/arena.h"
#include "base/strbuf.h"

/* What the desk itself tells between the customer's words; a passage of the tenant's papers. */
#define MARK_DESK    "desk"
#define MARK_PASSAGE "passage"
/* What a customer's attachment says. */
#define MARK_FILE "attachment"
/* What a model made of older messages; what a model is to make a summary of. */
#define MARK_SUMMARY "summary"
#define MARK_TALK    "conversation"

/* A text that a customer, a tool, a document or the model wrote, as it may stand in a prompt: a "<"
 * in front of one of our tags' names, also as an escape of JSON, becomes U+2039; what is invisible
 * goes, but line feed, tab and what scripts or emoji need; U+2028 and U+2029 become spaces, so that
 * line feeds alone end lines. In the arena, or the text itself if nothing is to be changed; JSON
 * stays JSON. */
const char *mark_data(struct arena *arena, const char *text);

/* Appends a name as a tag's attribute: on one line, without quotes and angles, cut to 200 bytes. */
void mark_attribute(struct strbuf *out, const char *name);

#endif
