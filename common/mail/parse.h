/* A mail's bytes as what they say (GMime): headers, addresses, ids, date, texts, attachments.
 *
 * Hostile input: sizes, parts and depth are bounded, every text is well-formed UTF-8 without
 * control characters, a header's value is on one line. What does not parse is left out, never
 * guessed. The rules of the mail's own format are in RFC 5322 and 2045-2049; what is read beyond
 * them is what mail programs send. Any thread. */
#ifndef DESK_MAIL_PARSE_H
#define DESK_MAIL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "mail/address.h"

#define MAIL_BYTES_MAX     (25u * 1024 * 1024) /* of a mail as it was fetched */
#define MAIL_PARTS_MAX     200
#define MAIL_DEPTH_MAX     20
#define MAIL_HEADERS_MAX   500
#define MAIL_VALUE_MAX     (16u * 1024) /* bytes of a header's value that are kept */
#define MAIL_SUBJECT_MAX   500          /* bytes */
#define MAIL_NAME_MAX      200          /* bytes of a display name or a file's name */
#define MAIL_ADDRESSES_MAX 100          /* in one field */
#define MAIL_IDS_MAX       100          /* in one field */
#define MAIL_ID_MAX        500          /* bytes of a Message-ID that are kept; longer: none */
#define MAIL_SECTIONS_MAX  50
#define MAIL_SECTION_MAX   (512u * 1024) /* bytes of a section's plain text that are kept */
#define MAIL_REPORT_MAX    (64u * 1024)  /* bytes of a report's part that are kept */

struct mail_header {
    const char *name;  /* as written */
    const char *value; /* unfolded; encoded words decoded, but of Authentication-Results */
};

/* Message-IDs without their angles, as written. */
struct mail_ids {
    const char *const *items;
    size_t count;
};

enum mail_part_kind {
    MAIL_PART_FILE,
    MAIL_PART_INLINE,   /* an image that the HTML shows (cid:) */
    MAIL_PART_CALENDAR, /* text/calendar: an invitation or its answer */
    MAIL_PART_TNEF,     /* winmail.dat: Outlook packed the files into it */
    MAIL_PART_SEALED,   /* S/MIME or PGP: a signature, or what only its owner can read */
    MAIL_PART_MESSAGE,  /* another mail */
};

/* What is not text of the mail itself. */
struct mail_part {
    int number; /* in the mail's order, from 0 */
    int leaf;   /* likewise, of all parts that have none in them, text as well */
    enum mail_part_kind kind;
    const char *name;       /* a file's name without path and tricks; "" if it has none */
    const char *type;       /* lower-case: "image/png" */
    const char *charset;    /* as declared; "" */
    const char *content_id; /* without angles; "" */
    size_t size_bytes;      /* decoded */
    bool open_end; /* it ends where the mail's bytes end: of a mail read in part, it is cut */
    bool cut;      /* its end was not read: the mail has more of parts than is read */
};

/* A stretch of the mail's text. A section with both forms holds the same text twice. */
struct mail_section {
    const char *plain; /* UTF-8, LF, flowed lines joined; NULL: none */
    const char *html;  /* UTF-8; NULL: none */
    size_t html_length;
};

struct mail {
    const struct mail_header *headers; /* in their order, the topmost first */
    size_t header_count;

    struct mail_addresses from; /* of the first From; several authors or fields: see odd_from */
    struct mail_addresses reply_to, to, cc;
    struct mail_addresses delivered; /* Delivered-To, X-Original-To, X-Forwarded-To, Envelope-To */
    bool odd_from;                   /* not exactly one From field with exactly one address */
    const char *return_path;         /* "" for <>; NULL if there is no such header */

    const char *message_id; /* "" if it has none that can be used */
    struct mail_ids in_reply_to, references;
    const char *subject; /* "" if it has none */
    bool has_date;
    int64_t date_ms;     /* by the sender's clock, 1990-2100 */
    int64_t received_ms; /* when the last server got it: of the topmost Received that says
                          * so; 0: none does */

    const struct mail_section *sections;
    size_t section_count;
    const struct mail_part *parts;
    size_t part_count;
    int leaf_count; /* of all parts that have none in them */

    /* Of a multipart/report: its type ("delivery-status"), the fields that a machine reads, and the
     * headers of the mail that it is about; "" for what is missing. */
    const char *report_type, *report, *original;

    bool stopped; /* parts were left out, and the last one that was read may be cut */
    bool
        cut; /* something was left out: too many or too deep parts, too many headers, a long text */
};

/* Is given the decoded bytes of each part, once, while the mail is parsed; part and bytes are
 * borrowed until it returns. */
struct mail_sink {
    void (*take)(void *arg, const struct mail_part *part, const void *bytes, size_t length);
    void *arg;
};

/* Reads a mail; `sink` may be NULL. All memory of *mail is the arena's. PERMANENT "mail.size" for
 * more than MAIL_BYTES_MAX, "mail.syntax" if there is no mail in the bytes at all; *mail is then
 * untouched. */
int mail_parse(struct arena *arena, const char *bytes, size_t length, const struct mail_sink *sink,
               struct mail *mail, struct err *err);

/* True if two names of headers are the same in any case. Most differ in their first letter. */
static inline bool mail_same_name(const char *a, const char *b)
{
    return ((a[0] ^ b[0]) & ~0x20) == 0 && strcasecmp(a, b) == 0;
}

/* The first header of the name (any case), or NULL. Borrowed from the mail. */
const char *mail_header(const struct mail *mail, const char *name);

#endif
