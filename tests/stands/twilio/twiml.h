/*
 * TwiML, read strictly: what Twilio would not understand, or would only warn of, is a problem here,
 * because a test has to see it. libxml2 parses; no entity, DTD or network is allowed.
 */
#ifndef STANDS_TWILIO_TWIML_H
#define STANDS_TWILIO_TWIML_H

#include "stands/lib/buf.h"

enum {
    TWIML_BYTES_MAX = 64 * 1024,
    TWIML_INLINE_CHARACTERS_MAX = 4000, /* given by REST */
    TWIML_ATTRIBUTES_MAX = 64
};

struct twiml_attribute {
    const char *name, *value;
};

/* An element, with the text of all that is in it. */
struct twiml_element {
    const char *name, *text;
    struct twiml_attribute *attributes;
    size_t attribute_count;
    struct twiml_element *children; /* elements alone */
    size_t child_count;
};

/* What is wrong, as Twilio's error notification would say it: 11750 too big, 12100 not XML or not a
 * Response, 12200 not in the schema (an unknown verb, attribute, value or nesting). */
struct twiml_problem {
    int code;
    char message[200];
};

struct twiml;

/* Reads a document. Returns it owned, or NULL with the problem. */
struct twiml *twiml_parse(const char *text, size_t len, struct twiml_problem *problem);

/* Frees a document and NULLs the pointer; NULL inside is fine. */
void twiml_free(struct twiml **twiml);

/* The Response; lives as long as the document. */
const struct twiml_element *twiml_root(const struct twiml *twiml);

/* The value of an attribute, or NULL. */
const char *twiml_attribute(const struct twiml_element *element, const char *name);

/* The value of a whole number's attribute, or `fallback`. */
long twiml_number(const struct twiml_element *element, const char *name, long fallback);

/* Whether an attribute is `true`; `fallback` when it is not there. */
bool twiml_flag(const struct twiml_element *element, const char *name, bool fallback);

/* The first child of this name, or NULL. */
const struct twiml_element *twiml_child(const struct twiml_element *element, const char *name);

#endif
