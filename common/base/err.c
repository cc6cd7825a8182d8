/* Error values: filled where a failure is found, read where it is handled. Every module uses it. */
#include "base/err.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_fill(struct err *err, enum err_class class, const char *code, const char *origin,
             const char *format, ...)
{
    if (err == NULL)
        return -1;
    /* The arguments may point into *err itself (a message that wraps another): format first. */
    char message[ERR_MESSAGE_MAX + 1]; /* one more: whether the cut would split a character */
    char copy[ERR_CODE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    message[text_utf8_prefix(message, ERR_MESSAGE_MAX - 1)] = '\0';
    snprintf(copy, sizeof copy, "%s", code);
    memset(err, 0, sizeof *err);
    err->class = class;
    memcpy(err->code, copy, sizeof copy);
    memcpy(err->message, message, sizeof err->message);
    err->origin = origin;
    return -1;
}

const char *err_class_name(enum err_class class)
{
    static const char *const names[] = {
        [ERR_RETRY_NOW] = "retry_now",
        [ERR_RETRY_LATER] = "retry_later",
        [ERR_FALL_BACK] = "fall_back",
        [ERR_PERMANENT] = "permanent",
        [ERR_BUG] = "bug",
    };
    return names[class];
}

bool err_is_retryable(const struct err *err)
{
    return err->class == ERR_RETRY_NOW || err->class == ERR_RETRY_LATER;
}
