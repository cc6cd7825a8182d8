/* The heap wrappers that abort instead of failing. Used everywhere. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *ptr)
{
    if (ptr == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return ptr;
}

void *xmalloc(size_t size_bytes)
{
    return must(malloc(size_bytes > 0 ? size_bytes : 1));
}

void *xcalloc(size_t count, size_t size_bytes)
{
    return must(calloc(count > 0 ? count : 1, size_bytes > 0 ? size_bytes : 1));
}

void *xreallocarray(void *ptr, size_t count, size_t size_bytes)
{
    return must(reallocarray(ptr, count > 0 ? count : 1, size_bytes > 0 ? size_bytes : 1));
}

char *xstrdup(const char *text)
{
    return must(strdup(text));
}

char *xstrndup(const char *bytes, size_t length)
{
    char *copy = xmalloc(length + 1);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}
