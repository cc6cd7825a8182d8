/*
 * application/x-www-form-urlencoded, read strictly, and the Twilio signature over such a form.
 *
 * Reading refuses what a real sender never produces: a '%' without two hex digits, raw bytes
 * outside printable ASCII, text that is not UTF-8 after decoding, NUL, a pair without a name.
 */
#ifndef STANDS_LIB_FORM_H
#define STANDS_LIB_FORM_H

#include "stands/lib/buf.h"

enum { STAND_FORM_PAIRS_MAX = 200 };

struct stand_pair {
    const char *name;
    const char *value;
};

struct stand_form {
    struct stand_pair pairs[STAND_FORM_PAIRS_MAX];
    size_t count;
    char *text; /* owns every name and value; NULL in a form that only borrows */
};

/* Decodes `len` bytes of form text. Returns 0, or -1 with `*why` (static text) and `form` empty.
 * An empty text is an empty form. Free with stand_form_fini in both cases. */
int stand_form_parse(struct stand_form *form, const char *text, size_t len, const char **why);

/* Frees what the form owns and leaves it empty. */
void stand_form_fini(struct stand_form *form);

/* Starts an empty form for stand_form_add. Needs no stand_form_fini. */
void stand_form_borrow(struct stand_form *form);

/* Appends a pair that borrows both texts. A pair beyond STAND_FORM_PAIRS_MAX is dropped. */
void stand_form_add(struct stand_form *form, const char *name, const char *value);

/* The first value of `name`, or NULL. Borrowed from the form. */
const char *stand_form_get(const struct stand_form *form, const char *name);

/* How often `name` occurs. */
size_t stand_form_times(const struct stand_form *form, const char *name);

/* Appends the form as a JSON object; a repeated name becomes an array. */
void stand_form_json(const struct stand_form *form, struct stand_buf *out);

/* Appends the X-Twilio-Signature of `url` and `form` (NULL for none) under `token`:
 * Base64(HMAC-SHA1(token, url + sorted name+value)). `form` is not changed. */
void stand_form_sign(const struct stand_form *form, const char *url, const char *token,
                     struct stand_buf *out);

#endif
