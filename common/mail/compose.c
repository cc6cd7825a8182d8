/* Writes a mail by hand: what goes out is so little of MIME that to know each byte is worth more
 * than a library. The HTML is the text with paragraphs and links, for programs that show nothing
 * else well. The engine's replies and notices become mails by it in the responder. */
#include "mail/compose.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "mail/encode.h"

#define ID_MAX       500
#define URL_MAX      900
#define LANGUAGE_MAX 20

/* ---- checks ---- */

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* A Message-ID that a header can take: printable ASCII with an "@" inside, no encoded word. */
static bool is_id(const char *id)
{
    size_t length = strlen(id);
    const char *at = strchr(id, '@');
    if (length == 0 || length > ID_MAX || strstr(id, "=?") != NULL)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)id[i] <= ' ' || (unsigned char)id[i] >= 0x7f || id[i] == '<' ||
            id[i] == '>')
            return false;
    return at != NULL && at != id && at[1] != '\0';
}

static bool is_url(const char *url, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7f ||
            strchr("<>\"'`\\", url[i]) != NULL)
            return false;
    return length <= URL_MAX;
}

static int check_address(const char *address, struct err *err)
{
    if (address == NULL || !mail_address_is_plain(address))
        return err_set(err, ERR_PERMANENT, "mail.address",
                       "mail cannot be sent to or from an address of that form");
    return 0;
}

static int check_addresses(const struct mail_draft *d, struct err *err)
{
    size_t count = d->to.count + d->cc.count;
    if (d->to.count == 0 || count > MAIL_COMPOSE_RECIPIENTS_MAX)
        return err_set(err, ERR_PERMANENT, "mail.address", "%zu recipients; 1 to %d are allowed",
                       count, MAIL_COMPOSE_RECIPIENTS_MAX);
    if (check_address(d->from.address, err) != 0 ||
        (is_set(d->reply_to) && check_address(d->reply_to, err) != 0))
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct mail_address *to =
            i < d->to.count ? &d->to.items[i] : &d->cc.items[i - d->to.count];
        if (check_address(to->address, err) != 0)
            return -1;
    }
    return 0;
}

static int check_text(const char *text, struct err *err)
{
    size_t length = strlen(text);
    if (length > MAIL_COMPOSE_TEXT_MAX)
        return err_set(err, ERR_PERMANENT, "mail.text", "the text has %zu bytes, %u are allowed",
                       length, MAIL_COMPOSE_TEXT_MAX);
    if (!text_is_utf8(text, length))
        return err_set(err, ERR_PERMANENT, "mail.text", "the text is not UTF-8");
    return 0;
}

static int check(const struct mail_draft *d, struct err *err)
{
    if (check_addresses(d, err) != 0)
        return -1;
    if (!is_set(d->message_id) || !is_id(d->message_id))
        return err_set(err, ERR_PERMANENT, "mail.id", "the Message-ID is none that can be sent");
    if (!is_set(d->text))
        return err_set(err, ERR_PERMANENT, "mail.text", "the mail has no text");
    if (check_text(d->text, err) != 0 || (is_set(d->quote) && check_text(d->quote, err) != 0) ||
        (is_set(d->quote_intro) && check_text(d->quote_intro, err) != 0))
        return -1;
    return 0;
}

/* ---- headers ---- */

static void add_date(struct strbuf *out, int64_t date_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(date_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    strbuf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
                  months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_addresses(struct strbuf *out, const char *name, const struct mail_address *list,
                          size_t count)
{
    if (count == 0)
        return;
    strbuf_printf(out, "%s:", name);
    size_t column = strlen(name) + 1;
    for (size_t i = 0; i < count; i++) {
        const char *end = i + 1 < count ? "," : "";
        if (is_set(list[i].name)) {
            strbuf_add_char(out, ' ');
            column = mail_encode_phrase(out, list[i].name, column + 1);
        }
        size_t size = strlen(list[i].address) + 4;
        if (column + size > MAIL_ENCODE_COLUMN && column > 1) {
            strbuf_add_text(out, "\r\n");
            column = 0;
        }
        strbuf_printf(out, " <%s>%s", list[i].address, end);
        column += size;
    }
    strbuf_add_text(out, "\r\n");
}

/* The chain of ids, each in a line of its own: of a long one the first, and the last ones. */
static void add_references(struct strbuf *out, const struct mail_draft *d)
{
    const char *ids[MAIL_COMPOSE_REFERENCES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < d->reference_count; i++) {
        if (!is_id(d->references[i]) || strcmp(d->references[i], d->in_reply_to) == 0)
            continue;
        if (count == MAIL_COMPOSE_REFERENCES_MAX - 1) {
            memmove(ids + 1, ids + 2, (count - 2) * sizeof ids[0]);
            count--;
        }
        ids[count++] = d->references[i];
    }
    ids[count++] = d->in_reply_to;
    strbuf_add_text(out, "References:");
    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, "%s <%s>", i > 0 ? "\r\n" : "", ids[i]);
    strbuf_add_text(out, "\r\n");
}

static void add_author(struct strbuf *out, const struct mail_draft *d)
{
    if (d->author == MAIL_AUTHOR_PERSON)
        return;
    strbuf_printf(out, "Auto-Submitted: %s\r\n",
                  d->author == MAIL_AUTHOR_ANSWER ? "auto-replied" : "auto-generated");
    strbuf_add_text(out, "X-Auto-Response-Suppress: All\r\n");
    strbuf_printf(out, "X-Loop: %s\r\n", d->from.address);
}

static void add_headers(struct strbuf *out, const struct mail_draft *d)
{
    const struct mail_address reply_to = {.name = "", .address = d->reply_to};
    add_date(out, d->date_ms);
    add_addresses(out, "From", &d->from, 1);
    if (is_set(d->reply_to))
        add_addresses(out, "Reply-To", &reply_to, 1);
    add_addresses(out, "To", d->to.items, d->to.count);
    add_addresses(out, "Cc", d->cc.items, d->cc.count);
    strbuf_printf(out, "Message-ID: <%s>\r\n", d->message_id);
    if (is_set(d->in_reply_to) && is_id(d->in_reply_to)) {
        strbuf_printf(out, "In-Reply-To: <%s>\r\n", d->in_reply_to);
        add_references(out, d);
    }
    mail_encode_header(out, "Subject", d->subject == NULL ? "" : d->subject);
    add_author(out, d);
    strbuf_add_text(out, "MIME-Version: 1.0\r\n");
}

/* ---- texts ---- */

/* Appends the lines of a text, whatever ends them, with ">" before each. */
static void add_quoted(struct strbuf *out, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\r\n");
        strbuf_add_text(out, length > 0 && text[0] != '>' ? "> " : ">");
        strbuf_add(out, text, length);
        strbuf_add_char(out, '\n');
        text += length;
        text += text[0] == '\r' && text[1] == '\n' ? 2 : text[0] != '\0';
    }
}

static void add_plain(struct strbuf *out, const struct mail_draft *d)
{
    strbuf_add_text(out, d->text);
    if (!is_set(d->quote))
        return;
    strbuf_add_text(out, "\n\n");
    if (is_set(d->quote_intro))
        strbuf_printf(out, "%s\n", d->quote_intro);
    add_quoted(out, d->quote);
}

static void add_escaped(struct strbuf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '&')
            strbuf_add_text(out, "&amp;");
        else if (text[i] == '<')
            strbuf_add_text(out, "&lt;");
        else if (text[i] == '>')
            strbuf_add_text(out, "&gt;");
        else if (text[i] == '"')
            strbuf_add_text(out, "&quot;");
        else
            strbuf_add_char(out, text[i]);
    }
}

/* The length of the link at the beginning of the text, without the stop that ends its sentence. */
static size_t link_at(const char *text)
{
    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0 &&
        strncmp(text, "mailto:", 7) != 0)
        return 0;
    size_t length = strcspn(text, " \t\r\n<>\"'`\\");
    while (length > 0 && strchr(".,;:!?)]", text[length - 1]) != NULL)
        length--;
    return length > 8 && is_url(text, length) ? length : 0;
}

/* A line with its links; spaces at its beginning stay. */
static void add_html_line(struct strbuf *out, const char *line, size_t length)
{
    size_t i = 0;
    for (; i < length && line[i] == ' '; i++)
        strbuf_add_text(out, "&nbsp;");
    while (i < length) {
        bool at_word = i == 0 || !isalnum((unsigned char)line[i - 1]);
        size_t link = at_word ? link_at(line + i) : 0;
        if (link == 0) {
            add_escaped(out, line + i++, 1);
            continue;
        }
        strbuf_add_text(out, "<a href=\"");
        add_escaped(out, line + i, link);
        strbuf_add_text(out, "\">");
        add_escaped(out, line + i, link);
        strbuf_add_text(out, "</a>");
        i += link;
    }
}

/* Paragraphs are parted by empty lines; other line ends are breaks. */
static void add_html_text(struct strbuf *out, const char *text)
{
    bool open = false;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        if (length > 0) {
            strbuf_add_text(out, open ? "<br>\n" : "<p>");
            add_html_line(out, text, length);
        } else if (open) {
            strbuf_add_text(out, "</p>\n");
        }
        open = length > 0;
        text += length + (text[length] == '\n');
    }
    if (open)
        strbuf_add_text(out, "</p>\n");
}

static void add_html(struct strbuf *out, const struct mail_draft *d)
{
    const char *language = is_set(d->language) ? d->language : "";
    bool known = language[0] != '\0' && strlen(language) <= LANGUAGE_MAX;
    for (const char *c = language; *c != '\0'; c++)
        known = known && (isalnum((unsigned char)*c) || *c == '-');
    strbuf_add_text(out, "<!DOCTYPE html>\n");
    if (known)
        strbuf_printf(out, "<html lang=\"%s\">", language);
    else
        strbuf_add_text(out, "<html>");
    strbuf_add_text(out, "<head><meta charset=\"utf-8\"></head><body>\n");
    add_html_text(out, d->text);
    if (is_set(d->quote)) {
        strbuf_add_text(out, "<div class=\"gmail_quote\">");
        if (is_set(d->quote_intro)) {
            strbuf_add_text(out, "<div class=\"gmail_attr\">");
            add_html_line(out, d->quote_intro, strcspn(d->quote_intro, "\n"));
            strbuf_add_text(out, "</div>\n");
        }
        strbuf_add_text(out, "<blockquote type=\"cite\" style=\"margin:0 0 0 .8ex;"
                             "border-left:1px solid #ccc;padding-left:1ex\">\n");
        add_html_text(out, d->quote);
        strbuf_add_text(out, "</blockquote></div>\n");
    }
    strbuf_add_text(out, "</body></html>\n");
}

/* ---- putting together ---- */

/* A boundary that stands in no quoted-printable text ("=_"), the same for the same mail. */
static void make_boundary(const struct mail_draft *d, char boundary[40])
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    struct strbuf hex;
    crypto_sha256(d->message_id, strlen(d->message_id), hash);
    strbuf_init(&hex, 32);
    text_add_hex(&hex, hash, 12);
    snprintf(boundary, 40, "=_%s", hex.data);
    strbuf_fini(&hex);
}

static void add_part(struct strbuf *out, const char *boundary, const char *type,
                     const struct strbuf *text)
{
    strbuf_printf(out,
                  "--%s\r\nContent-Type: %s; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                  boundary, type);
    mail_encode_body(out, text->data);
    strbuf_add_text(out, "\r\n");
}

int mail_compose(const struct mail_draft *draft, struct strbuf *out, struct err *err)
{
    struct strbuf mail, plain, html;
    char boundary[40];
    if (check(draft, err) != 0)
        return -1;
    make_boundary(draft, boundary);
    strbuf_init(&mail, MAIL_COMPOSE_MAX);
    strbuf_init(&plain, MAIL_COMPOSE_MAX);
    strbuf_init(&html, MAIL_COMPOSE_MAX);
    add_plain(&plain, draft);
    add_html(&html, draft);
    add_headers(&mail, draft);
    strbuf_printf(&mail, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n", boundary);
    add_part(&mail, boundary, "text/plain", &plain);
    add_part(&mail, boundary, "text/html", &html);
    strbuf_printf(&mail, "--%s--\r\n", boundary);
    size_t before = out->length;
    strbuf_add(out, mail.data, mail.length);
    bool fits =
        !mail.overflow && !plain.overflow && !html.overflow && out->length == before + mail.length;
    if (!fits)
        strbuf_truncate(out, before);
    strbuf_fini(&mail);
    strbuf_fini(&plain);
    strbuf_fini(&html);
    return fits ? 0
                : err_set(err, ERR_PERMANENT, "mail.text", "the mail is larger than %u bytes",
                          MAIL_COMPOSE_MAX);
}
