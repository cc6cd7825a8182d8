/* `deskctl help`: all commands, one of them, a topic. One thread. */
#ifndef DESKCTL_HELP_H
#define DESKCTL_HELP_H

#include <stdbool.h>

#include "base/arena.h"

/* Prints the overview (words NULL or empty), the help of the command or group that the words name
 * (NULL-terminated), or a topic: "exit-codes", "configuration". Returns DESK_OK, or DESK_USAGE when
 * there is no such thing. */
int help_print(struct arena *arena, char **words);

/* Prints the settings as Markdown, for docs/CONFIGURATION.md. Returns DESK_OK or DESK_FAILED. */
int help_document(void);

/* True if some command's first word is this one. */
bool help_lists_group(const char *word);

#endif
