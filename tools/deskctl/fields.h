/* Typed fields of a YAML mapping, read by a table, with problems that name file, line, what is
 * wrong and how to mend it. Secrets are only ever references; their values are never in a message.
 * One thread. */
#ifndef DESKCTL_FIELDS_H
#define DESKCTL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "yaml/yaml.h"

#define PROBLEMS_MAX 200 /* more are counted, not listed */

struct problems {
    struct arena *arena; /* where read values live */
    const char *file;    /* as the user named it; relative file: references start in its folder */
    struct strbuf text;  /* "file:line: what; how to mend\n" */
    size_t count;
    const char *notices; /* what is no problem, but worth saying; the same lines, "" if none */
};

/* Prepares; the text must be freed with strbuf_fini. `file` may be changed between files. */
void problems_init(struct problems *problems, struct arena *arena, const char *file);

/* Adds one. */
void problems_add(struct problems *problems, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a notice. */
void problems_note(struct problems *problems, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a file of fields, which becomes problems->file; its tree lives in the arena. NULL after
 * adding a problem. */
const struct yaml_node *fields_read_file(struct problems *problems, const char *path);

enum field_kind {
    FIELD_TEXT,       /* const char *, min..max characters */
    FIELD_SLUG,       /* const char *, a-z 0-9 - */
    FIELD_IDENT,      /* const char *, a-z 0-9 _ */
    FIELD_ZONE,       /* const char *, IANA time zone */
    FIELD_LANGUAGE,   /* const char *, "en" or "en-US" */
    FIELD_E164,       /* const char * */
    FIELD_ACCOUNT,    /* const char *, AC + 32 hex, or a compatible carrier's UUID */
    FIELD_SERVICE,    /* const char *, MG + 32 hex */
    FIELD_NAME,       /* const char *, printable ASCII without spaces, at most 100 */
    FIELD_WORD,       /* const char *, letters, digits, . _ -, at most 64 */
    FIELD_DATE,       /* const char *, 2026-09-23 */
    FIELD_ENDPOINT,   /* const char *, http(s) URL that may have a query */
    FIELD_URL,        /* const char *, http(s) base without its last slash */
    FIELD_CHOICE,     /* const char *, one of `choices` */
    FIELD_INT,        /* int64_t, min..max */
    FIELD_MS,         /* int64_t milliseconds, min..max */
    FIELD_MINUTES,    /* int64_t minutes, min..max; written in m, h or d */
    FIELD_DAYS,       /* int64_t days, min..max */
    FIELD_HUNDREDTHS, /* int64_t hundredths of a decimal number with at most two places, min..max */
    FIELD_PRICE,      /* int64_t ten-thousandths of one with at most four places, min..max */
    FIELD_BOOL,       /* bool */
    FIELD_SECRET,     /* struct secret *, owned by the one who reads: "env:NAME" or "file:PATH" */
    FIELD_MAPPING,    /* const struct yaml_node * */
    FIELD_LIST,       /* const struct yaml_node *, min..max items */
    FIELD_NODE,       /* const struct yaml_node *, whatever it is */
};

/* Kinds from FIELD_SLUG to FIELD_URL also take "env:NAME" and "env:NAME:-DEFAULT"; a `max` other
 * than 0 bounds their characters. */
struct field {
    const char *key;
    enum field_kind kind;
    size_t offset; /* in the struct that is filled */
    int64_t min, max;
    bool required;
    const char *const *choices; /* NULL-terminated */
};

/* Fills *out from the mapping; what is absent stays as it was. Unknown keys, missing ones, wrong
 * kinds and bad values are problems. `what` names the mapping in messages ("a channel"). */
void fields_read(struct problems *problems, const struct yaml_node *mapping, const char *what,
                 const struct field *fields, size_t count, void *out);

/* Reads one value that stands by itself, such as an item of a list; messages call it field->key.
 * False after adding a problem. */
bool fields_read_one(struct problems *problems, const struct yaml_node *node,
                     const struct field *field, void *target);

/* Reads one secret reference; NULL after adding a problem. Returns owned. */
struct secret *fields_read_secret(struct problems *problems, const struct yaml_node *node,
                                  const char *what);

#endif
