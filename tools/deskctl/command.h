/* The table of commands: words, arguments, options, help, handler. It drives parsing, `deskctl
 * help` and the suggestion for a mistyped command. One thread. */
#ifndef DESKCTL_COMMAND_H
#define DESKCTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "desk.h"

struct option {
    const char *name;  /* without dashes; NULL ends the list */
    const char *value; /* name of its value in help; NULL: a flag */
    const char *help;
};

#define COMMAND_WORDS_MAX   64
#define COMMAND_OPTIONS_MAX 12

/* What the command line held beside the command's own words and the settings. */
struct words {
    const char *const *operands; /* NULL-terminated */
    size_t count;
    const struct option *options;            /* the command's */
    const char *values[COMMAND_OPTIONS_MAX]; /* by index of the option; NULL: not given */
};

struct command {
    const char *words;     /* "db migrate" */
    const char *arguments; /* "FILE..." for help; "" if none */
    const char *summary;   /* half a line */
    const char *help;      /* paragraphs, or NULL */
    const struct option *options;
    size_t min, max; /* operands */
    /* Returns an exit code (enum desk_exit). */
    int (*run)(struct desk *desk, const struct words *words);
};

/* The groups; each ends with a command whose words are NULL. */
extern const struct command command_keys[], command_db[], command_topics[], command_vendor[],
    command_tenant[], command_mailbox[], command_kb[], command_directory[], command_conversation[],
    command_contact[], command_prompt[], command_appointment[], command_escalation[],
    command_usage[], command_dead[], command_recover[], command_quarantine[], command_reconcile[],
    command_hold[], command_doctor[], command_call[];

/* The value of an option of this command, or NULL; "" for a flag that was given. */
const char *words_option(const struct words *words, const char *name);

/* Calls `visit` for each command of each group, in the order of help. */
void command_each(void (*visit)(void *arg, const struct command *command), void *arg);

/* Runs the command line; returns the exit code of the process. */
int command_main(int argc, char **argv);

#endif
