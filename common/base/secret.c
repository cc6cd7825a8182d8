/* Secrets in memory. Made by config, crypto and store; revealed only where a library needs them. */
#include "base/secret.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct secret {
    size_t length;
    char bytes[];
};

struct secret *secret_new(const void *bytes, size_t length)
{
    struct secret *secret = xmalloc(sizeof *secret + length + 1);
    secret->length = length;
    memcpy(secret->bytes, bytes, length);
    secret->bytes[length] = '\0';
    return secret;
}

void secret_free(struct secret **secret)
{
    if (*secret == NULL)
        return;
    explicit_bzero((*secret)->bytes, (*secret)->length);
    free(*secret);
    *secret = NULL;
}

const char *secret_reveal(const struct secret *secret)
{
    return secret->bytes;
}

size_t secret_length(const struct secret *secret)
{
    return secret->length;
}
