/* Follows an SMTP session. Commands may be pipelined, so each one sent waits in line for its reply;
 * AUTH has replies in between (334), DATA two (354 and the one to the dot). Replies are bounded and
 * made printable here, once. smtp_esmtp.c and smtp_curl.c feed it, smtp_codes.c judges by it. */
#include "mail/smtp_dialogue.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PENDING_MAX (sizeof((struct smtp_dialogue *)0)->pending / sizeof(enum smtp_stage))

static const char *const stage_names[SMTP_STAGES] = {
    [SMTP_CONNECT] = "connect",   [SMTP_GREETING] = "greeting", [SMTP_HELLO] = "hello",
    [SMTP_STARTTLS] = "starttls", [SMTP_AUTH] = "auth",         [SMTP_MAIL] = "mail",
    [SMTP_RCPT] = "rcpt",         [SMTP_DATA] = "data",         [SMTP_DOT] = "dot",
    [SMTP_OTHER] = "other",
};

static const struct {
    const char *verb;
    enum smtp_stage stage;
} verbs[] = {
    {"EHLO", SMTP_HELLO}, {"HELO", SMTP_HELLO}, {"STARTTLS", SMTP_STARTTLS}, {"AUTH", SMTP_AUTH},
    {"MAIL", SMTP_MAIL},  {"RCPT", SMTP_RCPT},  {"DATA", SMTP_DATA},
};

const char *smtp_stage_name(enum smtp_stage stage)
{
    return stage_names[stage];
}

void smtp_dialogue_init(struct smtp_dialogue *dialogue)
{
    memset(dialogue, 0, sizeof *dialogue);
}

/* ---- the line of commands that wait for a reply ---- */

static void expect(struct smtp_dialogue *d, enum smtp_stage stage)
{
    if (d->pending_count == PENDING_MAX) {
        d->broken = true;
        return;
    }
    d->pending[(d->pending_first + d->pending_count++) % PENDING_MAX] = stage;
}

/* What the server says unasked is its greeting, or belongs to what it was last asked (a 421). */
static enum smtp_stage take_expected(struct smtp_dialogue *d)
{
    if (d->pending_count == 0)
        return d->last == SMTP_CONNECT ? SMTP_GREETING : d->last;
    enum smtp_stage stage = d->pending[d->pending_first];
    d->pending_first = (d->pending_first + 1) % PENDING_MAX;
    d->pending_count--;
    return stage;
}

enum smtp_stage smtp_dialogue_stage(const struct smtp_dialogue *dialogue)
{
    return dialogue->pending_count > 0 ? dialogue->pending[dialogue->pending_first]
                                       : dialogue->last;
}

/* ---- commands ---- */

/* A line without a known verb is an answer to a 334 while AUTH is under way, else QUIT, RSET ... */
static void line_sent(struct smtp_dialogue *d)
{
    enum smtp_stage stage = SMTP_OTHER;
    bool in_auth = d->auth_goes_on;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs && !in_auth; i++) {
        size_t length = strlen(verbs[i].verb);
        if (strncasecmp(d->verb, verbs[i].verb, length) == 0 &&
            !isalnum((unsigned char)d->verb[length]))
            stage = verbs[i].stage;
    }
    if (in_auth)
        stage = SMTP_AUTH;
    d->auth_goes_on = false;
    memset(d->verb, 0, sizeof d->verb);
    d->verb_length = 0;
    if (stage != SMTP_OTHER)
        d->last = stage;
    expect(d, stage);
}

void smtp_dialogue_sent(struct smtp_dialogue *dialogue, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !dialogue->broken; i++) {
        if (bytes[i] == '\n')
            line_sent(dialogue);
        else if (dialogue->verb_length < sizeof dialogue->verb - 1)
            dialogue->verb[dialogue->verb_length++] = bytes[i];
    }
}

/* ---- replies ---- */

/* "5.7.1 " in front of the text, of the same class as the code (RFC 2034); its length or 0. */
static size_t enhanced_length(const char *text, size_t length, int code)
{
    size_t at = 0;
    for (int part = 0; part < 3; part++) {
        size_t digits = 0;
        while (at < length && isdigit((unsigned char)text[at]) && digits < 4)
            at++, digits++;
        if (digits == 0 || digits > 3 || (part == 0 && digits != 1))
            return 0;
        if (part < 2 && (at >= length || text[at++] != '.'))
            return 0;
    }
    bool ends = at == length || text[at] == ' ' || text[at] == '\r';
    return ends && text[0] - '0' == code / 100 ? at : 0;
}

bool smtp_reply_parse(const char *line, size_t length, struct smtp_reply *reply, bool *more)
{
    struct smtp_reply out = {.code = 0};
    if (length < 3 || line[0] < '2' || line[0] > '5' || !isdigit((unsigned char)line[1]) ||
        !isdigit((unsigned char)line[2]) ||
        (length > 3 && line[3] != ' ' && line[3] != '-' && line[3] != '\r'))
        return false;
    out.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    *more = length > 3 && line[3] == '-';
    size_t at = length > 3 ? 4 : 3;
    if (at > length)
        at = length;
    size_t enhanced = enhanced_length(line + at, length - at, out.code);
    memcpy(out.enhanced, line + at, enhanced);
    at += enhanced;
    while (at < length && line[at] == ' ')
        at++;
    size_t used = 0;
    for (; at < length && line[at] != '\r' && used < SMTP_TEXT_MAX; at++)
        out.text[used++] = line[at] >= ' ' && line[at] < 0x7f ? line[at] : '?';
    *reply = out;
    return true;
}

/* "250-SIZE 1000". */
static void read_extension(struct smtp_dialogue *d, const char *line, size_t length)
{
    const char *text = line + 4;
    size_t left = length > 4 ? length - 4 : 0;
    if (left < 6 || strncasecmp(text, "SIZE ", 5) != 0)
        return;
    int64_t limit = 0;
    for (size_t i = 5; i < left && isdigit((unsigned char)text[i]) && limit < INT64_MAX / 100; i++)
        limit = limit * 10 + (text[i] - '0');
    d->size_limit = limit;
}

/* What the server says behind its word on the mail, as that it closes, takes nothing from that. */
static bool is_behind_the_dot(const struct smtp_dialogue *d)
{
    return d->pending_count == 0 && d->last == SMTP_DOT && d->replies[SMTP_DOT].code != 0;
}

static void reply_ended(struct smtp_dialogue *d)
{
    if (is_behind_the_dot(d))
        return;
    enum smtp_stage stage = take_expected(d);
    int class = d->reply.code / 100;
    if (stage == SMTP_AUTH)
        d->reply.text[0] = '\0'; /* a server may repeat what it was sent */
    d->auth_goes_on = stage == SMTP_AUTH && class == 3;
    if (!d->auth_goes_on)
        d->replies[stage] = d->reply;
    if (stage == SMTP_GREETING)
        d->last = SMTP_GREETING;
    if (stage == SMTP_RCPT && d->recipient_count < SMTP_RECIPIENTS_MAX)
        d->recipients[d->recipient_count++] = d->reply;
    d->authenticated |= stage == SMTP_AUTH && class == 2;
    d->tls_expected |= stage == SMTP_STARTTLS && class == 2;
    if (stage == SMTP_DATA && class == 3) {
        d->last = SMTP_DOT;
        expect(d, SMTP_DOT);
    }
}

static void line_received(struct smtp_dialogue *d)
{
    struct smtp_reply reply;
    bool more = false;
    if (!smtp_reply_parse(d->line, d->line_length, &reply, &more) ||
        (d->in_reply && reply.code != d->reply.code)) {
        d->broken = true;
        d->in_reply = false;
        return;
    }
    if (smtp_dialogue_stage(d) == SMTP_HELLO && d->in_reply && reply.code == 250)
        read_extension(d, d->line, d->line_length);
    if (!d->in_reply)
        d->reply = reply;
    d->in_reply = more;
    if (!more)
        reply_ended(d);
}

void smtp_dialogue_received(struct smtp_dialogue *dialogue, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !dialogue->broken; i++) {
        if (dialogue->tls_expected) {
            dialogue->injected = true;
            return;
        }
        if (bytes[i] == '\n') {
            line_received(dialogue);
            dialogue->line_length = 0;
        } else if (dialogue->line_length < sizeof dialogue->line) {
            dialogue->line[dialogue->line_length++] = bytes[i];
        }
    }
}

void smtp_dialogue_secured(struct smtp_dialogue *dialogue)
{
    dialogue->tls_expected = false;
    dialogue->line_length = 0;
    dialogue->size_limit = 0;
}
