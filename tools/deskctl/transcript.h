/* A conversation for people: its JSON (store/admin.h) as lines. One thread. */
#ifndef DESKCTL_TRANSCRIPT_H
#define DESKCTL_TRANSCRIPT_H

#include "base/strbuf.h"
#include "json/json.h"

/* Appends the transcript of what admin_show_conversation gave. */
void transcript_print(const struct json *conversation, struct strbuf *out);

/* Appends a message with what became of it; accepts NULL. */
void transcript_add_message(const struct json *message, struct strbuf *out);

/* Appends a turn with its model calls, and a delivery with its attempts, each line indented. */
void transcript_add_turn(const struct json *turn, struct strbuf *out);
void transcript_add_delivery(const struct json *delivery, struct strbuf *out);

#endif
