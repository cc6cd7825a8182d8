/* The model stand-in: OpenAI's, Gemini's and Anthropic's text models over HTTP. */
#ifndef STANDS_MODEL_MODEL_H
#define STANDS_MODEL_MODEL_H

#include "stands/lib/app.h"

/* How it behaves without faults. */
struct model_options {
    const char *listen;
    const char *key;        /* the key wanted; NULL: any or none */
    int64_t chunks;         /* content deltas per answer, at most */
    int64_t first_token_ms; /* wait before the first byte of an answer */
    int64_t delay_ms;       /* wait between two content deltas */
    bool die_with_parent;
};

/* Reads the command line, serves until a signal, returns the exit status. */
int model_main(int argc, char **argv);

#endif
