/* What a model is told of the channel that its reply leaves by: the only part of the rules that is
 * not the same for all turns of an assistant's version. Pure. */
#ifndef DESK_PROMPT_CHANNEL_H
#define DESK_PROMPT_CHANNEL_H

#include <stdbool.h>

enum prompt_channel { PROMPT_SMS, PROMPT_VOICE, PROMPT_MAIL, PROMPT_CHANNELS };

/* Its name, as in channels.kind. */
extern const char *const prompt_channel_names[PROMPT_CHANNELS];

extern const char *const prompt_channel_rules[PROMPT_CHANNELS];

/* Looks the name up; false: there is no such channel. */
bool prompt_channel_named(const char *name, enum prompt_channel *channel);

#endif
