/* Logging: one JSON line per event on stderr. Ids and numbers only: never a body, a phone number or
 * a secret. common/ returns errors; services log them once, where they are handled. Any thread. A
 * line that cannot be written without waiting is dropped and counted. */
#ifndef DESK_SERVICE_LOG_H
#define DESK_SERVICE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_kind { LOG_KIND_END, LOG_KIND_TEXT, LOG_KIND_INT, LOG_KIND_BOOL, LOG_KIND_ERR };

struct log_field {
    const char *name;
    enum log_kind kind;
    const char *text;
    int64_t number;
    const struct err *err;
};

#define LOG_TEXT(n, v)                                                                             \
    {                                                                                              \
        .name = (n), .kind = LOG_KIND_TEXT, .text = (v)                                            \
    }
#define LOG_INT(n, v)                                                                              \
    {                                                                                              \
        .name = (n), .kind = LOG_KIND_INT, .number = (v)                                           \
    }
#define LOG_BOOL(n, v)                                                                             \
    {                                                                                              \
        .name = (n), .kind = LOG_KIND_BOOL, .number = (v)                                          \
    }
/* Writes class, code, message, origin of the error. */
#define LOG_ERR(e)                                                                                 \
    {                                                                                              \
        .name = "err", .kind = LOG_KIND_ERR, .err = (e)                                            \
    }

/* log_info("turn.finished", LOG_TEXT("turn", id), LOG_INT("ms", 12)); at least one field. */
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write((level), (event),                                                            \
                      (const struct log_field[]){__VA_ARGS__, {.kind = LOG_KIND_END}});            \
    } while (0)

/* Sets who writes and the least level ("debug", "info", "warn", "error"). Once, at start. */
void log_init(const char *service, const char *instance, const char *level);

/* True if the level is written. */
bool log_enabled(enum log_level level);

/* The function behind the macros; `fields` ends with LOG_KIND_END. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Lines dropped so far because the sink did not take them. */
uint64_t log_dropped(void);

#endif
