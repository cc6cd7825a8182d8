/* How many tokens a text may be for a model, without asking one. Pure, any thread. */
#ifndef DESK_PROMPT_TOKENS_H
#define DESK_PROMPT_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "llm/llm.h"

/* Rather too many than too few, whoever's tokenizer counts. By the length of a character in UTF-8:
 * 3 of one byte are a token (English has some 4), one of two bytes is one (Greek, Cyrillic, Arabic,
 * and letters with accents), one of three bytes is two (Chinese, Japanese, Korean, Thai, Indic
 * scripts), one of four bytes three (emoji). Rounded up. */
int64_t tokens_of_text(const char *text);

/* The same of so many bytes of which nothing else is known. */
int64_t tokens_of_bytes(size_t bytes);

/* The same of a message with its calls, and of tools as they are described; each has 4 more for
 * what stands around it. */
int64_t tokens_of_message(const struct llm_message *message);
int64_t tokens_of_tools(const struct llm_tool *tools, size_t count);

/* One of the desk's own tools, on the average: for who does not have them. */
#define TOKENS_OF_DESK_TOOL 160

#endif
