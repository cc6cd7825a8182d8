/* An entry of a tenant's chain of models. One thread. */
#ifndef DESKCTL_TENANT_FILE_MODEL_H
#define DESKCTL_TENANT_FILE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "fields.h"
#include "vendor_file.h"

/* With what the vendor's file says worked in. */
struct tenant_file_model {
    const char *vendor; /* NULL: none */
    const char *dialect, *base_url, *model;
    const char *auth;           /* as in struct vendor */
    const char *const *headers; /* header_count of them, borrowed from the vendor */
    size_t header_count;
    const char *extra;              /* canonical JSON object; NULL: none */
    struct secret *key;             /* NULL: the endpoint needs none */
    int64_t temperature_hundredths; /* -1: not sent */
    int64_t max_tokens;
    int64_t first_token_ms, total_ms;
    int64_t race_after_ms;                     /* on a call; 0: never, -1: the engine knows */
    int64_t price_in, price_cached, price_out; /* billionths of a dollar per token; -1: unknown */
    const struct yaml_node *price;             /* private */
    int line;                                  /* of the entry */
    int64_t price_written;                     /* the same, of what a cache keeps; 0: unknown */
    int64_t window;                            /* tokens of prompt and answer; 0: unknown */
    int64_t requests_per_minute, tokens_per_minute; /* 0: not limited */
    int64_t concurrent;                             /* calls at once; 0: not limited */
    bool max_completion_tokens;                     /* the vendor calls the limit so */
    bool stream_usage, echo_reasoning;
};

/* Reads an entry, which may name one of these vendors. What is wrong is in `problems`. The key is
 * the caller's to free in any case. */
void tenant_file_model_read(struct problems *problems, const struct vendors *vendors,
                            const struct yaml_node *node, struct tenant_file_model *model);

#endif
