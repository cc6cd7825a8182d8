/* Errors: what went wrong and what to do next.
 *
 * Functions that can fail return 0 or -1 and take a `struct err *err` last; on failure *err is
 * filled and every other output is untouched. Loops branch on the class, never on the text.
 * Any thread; a struct err belongs to its caller. */
#ifndef DESK_BASE_ERR_H
#define DESK_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

/* What the caller should do. */
enum err_class {
    ERR_RETRY_NOW,   /* a race was lost: the same call again, at once */
    ERR_RETRY_LATER, /* a dependency is away: again after retry_after_ms (0: own back-off) */
    ERR_FALL_BACK,   /* this way is closed, another one may be open */
    ERR_PERMANENT,   /* the input will never work */
    ERR_BUG,         /* our own mistake */
};

#define ERR_MESSAGE_MAX 256
#define ERR_CODE_MAX    48

struct err {
    enum err_class class;
    char code[ERR_CODE_MAX];       /* stable, dotted: "pg.connection", "bus.timeout" */
    char message[ERR_MESSAGE_MAX]; /* one sentence: what is wrong and what to do; no secrets */
    int provider_status;           /* HTTP or SMTP status of the other side, 0 if none */
    int64_t retry_after_ms;        /* 0: not told */
    const char *origin;            /* file:line, static */
};

#define ERR_STR2(x) #x
#define ERR_STR(x)  ERR_STR2(x)

/* Fills *err (may be NULL) and returns -1, so that `return err_set(...)` reads well. `code` and the
 * formatted message are cut to their maximum. */
#define err_set(err, class, code, ...)                                                             \
    err_fill((err), (class), (code), __FILE__ ":" ERR_STR(__LINE__), __VA_ARGS__)

/* The function behind err_set; `origin` is a string that lives for ever. */
int err_fill(struct err *err, enum err_class class, const char *code, const char *origin,
             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The class as a word for logs: "retry_now", "retry_later", "fall_back", "permanent", "bug". */
const char *err_class_name(enum err_class class);

/* True if trying the same again can help (RETRY_NOW or RETRY_LATER). */
bool err_is_retryable(const struct err *err);

#endif
