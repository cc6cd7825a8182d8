/* Private to common/contract: the characters and attributes of TwiML, for the verbs of twiml.c. All
 * append to twiml->out. */
#ifndef DESK_CONTRACT_TWIML_INSIDE_H
#define DESK_CONTRACT_TWIML_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "contract/twiml.h"

enum twiml_kind {
    TWIML_NAME,   /* const char *: a voice, a model, a language */
    TWIML_WORD,   /* const char *: one of `words` */
    TWIML_LIST,   /* const char *: some of `words`, a space between */
    TWIML_SPOKEN, /* const char *: cut as a Say is */
    TWIML_KEYS,   /* const char *: some of 1234567890*#, or none */
    TWIML_NUMBER, /* const char *: E.164 */
    TWIML_URL,    /* const char *: http or https */
    TWIML_SOCKET, /* const char *: wss */
    TWIML_INT,    /* int within min..max, 0: unset; TWIML_AUTO where min is that */
    TWIML_FLAG,   /* enum twiml_flag */
    TWIML_HINTS,  /* struct twiml_hints */
};

struct twiml_attribute {
    const char *name;
    enum twiml_kind kind;
    size_t offset;
    bool required;
    int min, max;
    const char *const *words; /* ended by NULL */
};

/* Keeps the first mistake: which name, what is wrong with it. False. */
bool twiml_fail(struct twiml *twiml, const char *code, const char *what, const char *name);

/* False, and a mistake of `name`, if it is not UTF-8. What follows takes UTF-8 only. */
bool twiml_is_utf8(struct twiml *twiml, const char *name, const char *text);

/* True if nothing of the text can be seen or heard. */
bool twiml_is_blank(const char *text);

/* True for an absolute URL of one of the two schemes ("https://") within TWIML_URL_MAX. */
bool twiml_is_url(const char *text, const char *scheme, const char *other);

/* UTF-16 units. */
size_t twiml_characters(const char *text);

/* Appends `length` bytes as the content of an element or of a quoted attribute. */
void twiml_add_escaped(struct strbuf *out, const char *text, size_t length);

/* The same for what is spoken: cut to the limits of a Say. */
void twiml_add_spoken(struct twiml *twiml, const char *text);

/* Appends those of `in`'s fields that are set, in the order of the table. */
void twiml_add_attributes(struct twiml *twiml, const struct twiml_attribute *attributes,
                          size_t count, const void *in);

#define ADD_ATTRIBUTES(twiml, attributes, in)                                                      \
    twiml_add_attributes(twiml, attributes, sizeof(attributes) / sizeof((attributes)[0]), in)

#define FIELD(type, member) .offset = offsetof(struct type, member)

#endif
