/* The last look at a mail before its bytes go to a library: both libraries pass a CR LF in an
 * address on as a command of its own. compose.c writes nothing that fails here. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "mail/address.h"
#include "mail/smtp.h"

#define LINE_MAX_BYTES 998 /* RFC 5322 2.1.1 */

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_PERMANENT, "smtp.message", "the mail cannot be sent: %s", why);
}

static int check_envelope(const struct mail_smtp_call *call, struct err *err)
{
    if (call->to_count == 0 || call->to_count > SMTP_RECIPIENTS_MAX)
        return refuse(err, "it has no recipient, or too many");
    if (!mail_address_is_plain(call->from))
        return refuse(err, "its sender is no plain address");
    for (size_t i = 0; i < call->to_count; i++)
        if (!mail_address_is_plain(call->to[i]))
            return refuse(err, "a recipient is no plain address");
    if (call->envelope_id == NULL)
        return 0;
    size_t length = strlen(call->envelope_id);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)call->envelope_id[i]) && call->envelope_id[i] != '-')
            return refuse(err, "its envelope id has other than letters, digits and hyphens");
    return length <= MAIL_SMTP_ENVELOPE_ID ? 0 : refuse(err, "its envelope id is too long");
}

/* The length of the line at `at` without its CRLF; false if it is none. */
static bool line_at(const char *at, const char *end, size_t *length)
{
    const char *cr = memchr(at, '\r', (size_t)(end - at));
    if (cr == NULL || end - cr < 2 || cr[1] != '\n' || cr - at > LINE_MAX_BYTES)
        return false;
    for (const char *c = at; c < cr; c++)
        if ((*c < ' ' && *c != '\t') || (unsigned char)*c >= 0x7f)
            return false;
    *length = (size_t)(cr - at);
    return true;
}

enum { FIELD_DATE, FIELD_FROM, FIELD_ID, FIELD_SUBJECT, FIELD_TO, FIELD_BCC, FIELDS };

static const char *const field_names[FIELDS] = {"Date",    "From", "Message-ID",
                                                "Subject", "To",   "Bcc"};

/* "Name: ..."; counts those that are counted. */
static bool field_at(const char *line, size_t length, int counts[FIELDS])
{
    size_t name = 0;
    while (name < length && line[name] > ' ' && line[name] != ':')
        name++;
    if (name == 0 || name >= length || line[name] != ':')
        return false;
    for (int i = 0; i < FIELDS; i++)
        counts[i] += strlen(field_names[i]) == name && strncasecmp(line, field_names[i], name) == 0;
    return true;
}

static int check_counts(const int counts[FIELDS], struct err *err)
{
    for (int i = 0; i <= FIELD_TO; i++)
        if (counts[i] != 1)
            return refuse(err, "its Date, From, Message-ID, Subject and To are not one each");
    return counts[FIELD_BCC] == 0 ? 0 : refuse(err, "it has a Bcc");
}

static int check_message(const struct mail_smtp_call *call, struct err *err)
{
    const char *at = call->message, *end = at + call->length;
    int counts[FIELDS] = {0};
    bool in_header = true, first = true;
    if (call->length > MAIL_SMTP_MAX)
        return refuse(err, "it is too large");
    while (at < end) {
        size_t length;
        if (!line_at(at, end, &length))
            return refuse(err, "a line of it is too long, not ASCII, or does not end with CRLF");
        bool folded = length > 0 && (at[0] == ' ' || at[0] == '\t') && !first;
        if (in_header && length == 0)
            in_header = false;
        else if (in_header && !folded && !field_at(at, length, counts))
            return refuse(err, "a line of its header is no field");
        first = false;
        at += length + 2;
    }
    return in_header ? refuse(err, "it has no body") : check_counts(counts, err);
}

int mail_smtp_check(const struct mail_smtp_call *call, struct err *err)
{
    return check_envelope(call, err) != 0 ? -1 : check_message(call, err);
}
