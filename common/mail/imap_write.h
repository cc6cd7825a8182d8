/* Commands to an IMAP server (RFC 9051 section 6), written so that nothing in an argument can end a
 * command or begin another one. Any thread; a command belongs to one at a time. */
#ifndef DESK_MAIL_IMAP_WRITE_H
#define DESK_MAIL_IMAP_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define IMAP_COMMAND_MAX (32u * 1024 * 1024)
#define IMAP_STOPS_MAX   8
#define IMAP_NAME_MAX    1000 /* bytes of a mailbox name in its written form */
#define IMAP_DATE_SIZE   24

/* What the server takes without asking for it first (RFC 7888). */
enum imap_literals {
    IMAP_LITERAL_WAIT,  /* none: "+" comes before the bytes may go */
    IMAP_LITERAL_MINUS, /* up to 4096 bytes */
    IMAP_LITERAL_PLUS,  /* any */
};

/* A command as it is sent: in parts, with a wait for "+" between two of them. */
struct imap_command {
    struct strbuf text;
    size_t stops[IMAP_STOPS_MAX]; /* where a part ends and a wait begins */
    size_t stop_count;
    size_t next; /* parts given out */
    size_t given;
    bool bad; /* an argument cannot be written (a NUL), or there were too many literals */
};

/* Begins a command in caller's storage: "<tag> <words>". `words` is ours, like "UID FETCH". */
void imap_command_begin(struct imap_command *command, const char *tag, const char *words);

/* Appends a space and words of ours, formatted. */
void imap_command_words(struct imap_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends a space and anything as a quoted string, or as a literal where it cannot be quoted (line
 * ends, 8-bit bytes, long). `length` bytes, without NUL. */
void imap_command_string(struct imap_command *command, const char *bytes, size_t length,
                         enum imap_literals literals);

/* Appends a space and the bytes as a literal: a message. */
void imap_command_literal(struct imap_command *command, const char *bytes, size_t length,
                          enum imap_literals literals);

/* Ends the line here, and what follows waits for "+" (an answer to AUTHENTICATE). */
void imap_command_wait(struct imap_command *command);

/* Ends the command's last line. */
void imap_command_end(struct imap_command *command);

/* The next part to send, or NULL when all is given out; borrowed. The first is sent at once, each
 * further one after a "+". */
const char *imap_command_part(struct imap_command *command, size_t *length);

/* Wipes and frees; accepts one that never began (zeroed). */
void imap_command_fini(struct imap_command *command);

/* Appends a mailbox's UTF-8 name in modified UTF-7 (RFC 3501 section 5.1.3); false (nothing
 * appended) for what is not UTF-8, has control characters or is longer than IMAP_NAME_MAX. */
bool imap_mailbox_name(struct strbuf *out, const char *name);

/* Writes the day of a time in UTC as SEARCH takes it: "7-Feb-2026". Years 1970-9999. */
const char *imap_date(int64_t wall_ms, char out[IMAP_DATE_SIZE]);

#endif
