/* The vendors' files (deploy/vendors/NAME.yaml): how each vendor of models is reached, what its
 * endpoint wants differently and what its models cost. Adding a vendor is a file. One thread. */
#ifndef DESKCTL_VENDOR_FILE_H
#define DESKCTL_VENDOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"

#define VENDORS_MAX        64
#define VENDOR_HEADERS_MAX 4
#define VENDOR_MODELS_MAX  64
#define VENDOR_RATE_MAX    1000000000      /* a minute */
#define VENDOR_PRICE_MAX   (10000 * 10000) /* 10,000 dollars per million tokens */
#define VENDOR_CALLS_MAX   100000          /* at once */

struct vendor_model {
    const char *model;
    int64_t input, cached, output; /* ten-thousandths of a dollar per million tokens; -1: unknown */
    int64_t cache_write;           /* the same, of input that the cache keeps; 0: unknown */
    int64_t window;                /* tokens; 0: unknown */
    const char *note;              /* "" if none */
};

struct vendor {
    const char *name, *display_name;
    const char *dialect;                     /* one of vendor_file_dialects */
    const char *base_url;                    /* the part before what the dialect appends */
    const char *auth;                        /* "bearer", "x-api-key", "x-goog-api-key", "none" */
    const char *headers[VENDOR_HEADERS_MAX]; /* "Name: value" */
    size_t header_count;
    const char *extra;         /* canonical JSON object for the request's body; NULL: none */
    const char *default_model; /* NULL: none */
    const char *priced;        /* date of the prices, "2026-09-23"; NULL: none known */
    int64_t requests_per_minute, tokens_per_minute; /* of a tenant's account; 0: not limited */
    int64_t concurrent;                             /* calls at once, likewise */
    int64_t window; /* of models of which the list says none; 0: unknown */
    struct vendor_model *models;
    size_t model_count;
    bool key_required;
    bool max_completion_tokens; /* the limit's name; only the openai dialect has a choice */
    bool temperature;           /* the vendor takes one */
    bool stream_usage;          /* stream_options.include_usage is sent; openai dialect only */
    bool echo_reasoning;        /* the model's turns come back with reasoning_content; the same */
};

struct vendors {
    struct vendor *items; /* by name */
    size_t count;
};

/* "openai", "gemini", "anthropic", NULL. */
extern const char *const vendor_file_dialects[];

/* How a dialect's own vendor wants the key, as in `auth`. Static. */
const char *vendor_file_usual_auth(const char *dialect);

/* Reads every NAME.yaml of the folder into the arena of `problems`. Everything that is wrong is in
 * `problems`; *vendors is usable only if there is none. */
void vendor_file_read(struct problems *problems, const char *dir, struct vendors *vendors);

/* The vendor of that name, borrowed; NULL if there is none. */
const struct vendor *vendor_file_find(const struct vendors *vendors, const char *name);

/* What its file says of a model, borrowed; NULL if it does not list it. */
const struct vendor_model *vendor_file_find_model(const struct vendor *vendor, const char *model);

/* How a tenant file usually names its key: "env:GEMINI_API_KEY". In the arena. */
const char *vendor_file_key_reference(struct arena *arena, const struct vendor *vendor);

#endif
