/* The tool stand-in: a tenant's own HTTP tool, as docs/HTTP_TOOLS.md asks for it. */
#ifndef STANDS_TOOL_TOOL_H
#define STANDS_TOOL_TOOL_H

#include "stands/lib/app.h"

struct tool_options {
    const char *listen;
    const char *key; /* that signs; NULL: signatures are not looked at */
    bool die_with_parent;
};

/* Reads the command line, serves until a signal, returns the exit status. */
int tool_main(int argc, char **argv);

#endif
