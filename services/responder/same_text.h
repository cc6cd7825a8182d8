/* Whether the provider's copy of a text is ours: Twilio's Smart Encoding rewrites typographic
 * characters to those of the GSM alphabet before it stores and sends a text. Source: "List of
 * characters replaced by Smart Encoding" (twilio.com/docs/messaging/services). Any thread. */
#ifndef DESK_RESPONDER_SAME_TEXT_H
#define DESK_RESPONDER_SAME_TEXT_H

#include <stdbool.h>

/* True if the texts (well-formed UTF-8) are the same once both are rewritten; blanks in a row count
 * as one. */
bool same_text(const char *a, const char *b);

#endif
