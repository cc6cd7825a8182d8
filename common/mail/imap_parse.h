/* What a whole response of an IMAP server says (RFC 9051 section 9): its kind, its status, its data
 * as a tree. Hostile input: depth and nodes are bounded, and what is not the grammar is refused.
 * Any thread. */
#ifndef DESK_MAIL_IMAP_PARSE_H
#define DESK_MAIL_IMAP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define IMAP_DEPTH_MAX 20
#define IMAP_NODES_MAX 200000
#define IMAP_TAG_MAX   32

enum imap_node_kind { IMAP_ATOM, IMAP_STRING, IMAP_LIST };

struct imap_node {
    enum imap_node_kind kind;
    const char *text; /* an atom's or a string's; NUL-terminated unless it was a literal */
    size_t length;
    const struct imap_node *first; /* of a list; NULL: it is empty */
    const struct imap_node *next;
};

enum imap_response_kind {
    IMAP_UNTAGGED, /* "* ..." */
    IMAP_TAGGED,   /* the end of a command */
    IMAP_CONTINUE, /* "+ ..." */
};

enum imap_status { IMAP_DATA, IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };

struct imap_response {
    enum imap_response_kind kind;
    const char *tag;         /* of a tagged one */
    enum imap_status status; /* IMAP_DATA for what is none */
    /* Of a status: what stands in brackets, "UIDNEXT 5" as two nodes; NULL if nothing does, or what
     * does is malformed. */
    const struct imap_node *code;
    const char *text; /* of a status or a continuation: for people, as it came; "" */
    /* Of data: "* 12 FETCH (...)" is the number 12, the name "FETCH" and a list. */
    bool has_number;
    uint32_t number;
    const char *name; /* upper-case */
    const struct imap_node *data;
};

/* Reads a response without its line's end. All memory is the arena's, but literals stay where they
 * are in `bytes`. RETRY_LATER "imap.syntax" if it is no response; *out is then untouched. */
int imap_parse(struct arena *arena, const char *bytes, size_t length, struct imap_response *out,
               struct err *err);

/* True for an atom or a string of this text, in any case. Accepts NULL. */
bool imap_node_is(const struct imap_node *node, const char *text);

/* True for an atom that is a whole number within min..max, then in *value. Accepts NULL. */
bool imap_node_number(const struct imap_node *node, int64_t min, int64_t max, int64_t *value);

/* In a list of pairs ("UID 5 FLAGS (...)", as FETCH brings them), what follows the atom `key`, or
 * NULL. A key "BODY[TEXT]" finds "BODY[TEXT]<0>" too. */
const struct imap_node *imap_pair(const struct imap_node *first, const char *key);

/* Reads "17-Jul-1996 02:44:25 -0700" as milliseconds since 1970; false if it is none. Accepts NULL.
 */
bool imap_node_time(const struct imap_node *node, int64_t *wall_ms);

#endif
