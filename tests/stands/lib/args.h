/* Command-line options and process set-up, shared by the stand-ins. */
#ifndef STANDS_LIB_ARGS_H
#define STANDS_LIB_ARGS_H

#include <stdbool.h>
#include <stdint.h>

enum stand_arg_kind { STAND_ARG_FLAG, STAND_ARG_NUMBER, STAND_ARG_TEXT };

/* One option `--name`. `value` points to bool, int64_t or const char * after `kind`. */
struct stand_arg {
    const char *name;
    enum stand_arg_kind kind;
    void *value;
    const char *help;
};

/* Reads argv into the table, which ends with a NULL name. Numbers are 0..1e9. `--help` prints the
 * table and ends with 0; a wrong command line says what is wrong on stderr and ends with 2. */
void stand_args_parse(int argc, char **argv, const struct stand_arg *table);

/* Splits "127.0.0.1:PORT" (IPv4 literal or `localhost`; port 0..65535). Returns 0, or -1 when it
 * is not such a text; `host` has room for 64 bytes. */
int stand_args_address(const char *text, char *host, int *port);

/* Raises the limit of open files as far as allowed, ignores SIGPIPE, and, when asked, has this
 * process killed as soon as its parent is gone. Ends with 1 if the parent is gone already. */
void stand_args_process(bool die_with_parent);

#endif
