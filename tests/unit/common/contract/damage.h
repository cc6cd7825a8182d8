/* Tables of damage done to good records, each with the code that the decoder must refuse it with.
 */
#ifndef DESK_UNIT_CONTRACT_DAMAGE_H
#define DESK_UNIT_CONTRACT_DAMAGE_H

#include "unit/common/contract/good.h"

/* What is done to a good record. */
struct damage {
    const char *title;
    const char *code;          /* expected; NULL: still decodes */
    const char *header, *text; /* sets (or adds, or takes out) a header */
    const char *member, *json; /* replaces a member by this JSON text */
    const char *value;         /* the whole value instead */
    const char *key;
};

/* ---- doing damage ---- */

static inline void set_header(struct bus_record *record, const char *name, const char *text)
{
    size_t i = 0;
    while (i < record->header_count && strcmp(record->headers[i].name, name) != 0)
        i++;
    if (text == GONE) {
        CU_ASSERT_FATAL(i < record->header_count);
        record->headers[i] = record->headers[--record->header_count];
        return;
    }
    if (i == record->header_count)
        record->header_count++;
    record->headers[i] = (struct bus_header){name, text, strlen(text)};
}

static inline void damage(struct bus_record *record, const struct damage *d)
{
    if (d->header != NULL)
        set_header(record, d->header, d->text);
    if (d->member != NULL)
        record->value = without_or_with(record, d->member, d->json);
    if (d->value != NULL)
        record->value = d->value;
    if (d->member != NULL || d->value != NULL)
        record->value_length = strlen(record->value);
    if (d->key != NULL) {
        record->key = d->key;
        record->key_length = strlen(d->key);
    }
}

static inline void try_all(const struct damage *cases, size_t count, good_fn *good,
                           decode_fn *decode)
{
    for (size_t i = 0; i < count; i++) {
        struct bus_record record;
        arena = arena_new();
        good(&record);
        damage(&record, &cases[i]);
        expect(cases[i].title, cases[i].code, &record, decode);
        arena_free(&arena);
    }
}
#define TRY_ALL(cases, good, decode) try_all(cases, sizeof cases / sizeof cases[0], good, decode)

/* ---- tables ---- */

#define HEADER(title, code, name, text)                                                            \
    {                                                                                              \
        title, code, name, text, NULL, NULL, NULL, NULL                                            \
    }
#define MEMBER(title, code, name, json)                                                            \
    {                                                                                              \
        title, code, NULL, NULL, name, json, NULL, NULL                                            \
    }
#define VALUE(title, code, text)                                                                   \
    {                                                                                              \
        title, code, NULL, NULL, NULL, NULL, text, NULL                                            \
    }
#define KEY(title, code, text)                                                                     \
    {                                                                                              \
        title, code, NULL, NULL, NULL, NULL, NULL, text                                            \
    }

#define X16  "xxxxxxxxxxxxxxxx"
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16

#endif
