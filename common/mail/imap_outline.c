/* The writer of a mail's outline. imap_take.c calls it for mails that are fetched in part. Strings
 * of the server are what a stranger wrote into his mail: none may end a line. */
#include "mail/imap_outline.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mail/parse.h"

#define WORD_MAX   60  /* bytes of a type or of a parameter's name */
#define VALUE_MAX  600 /* of a parameter */
#define PARAMS_MAX 20

struct outline {
    struct strbuf out;
    int parts; /* so far */
};

static void write_part(struct outline *outline, const struct imap_node *part);

static const struct imap_node *after(const struct imap_node *node, int count)
{
    while (node != NULL && count-- > 0)
        node = node->next;
    return node;
}

static bool is_text(const struct imap_node *node)
{
    return node != NULL && node->kind != IMAP_LIST && !imap_node_is(node, "NIL");
}

/* ---- texts ---- */

/* What may stand in a field without quotes; else `otherwise`. */
static void add_word(struct strbuf *out, const struct imap_node *node, const char *otherwise)
{
    static const char signs[] = "-+._*";
    size_t written = 0;
    for (size_t i = 0; is_text(node) && i < node->length && written < WORD_MAX; i++) {
        char c = node->text[i];
        bool fits = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    (c != '\0' && strchr(signs, c) != NULL);
        if (fits) {
            strbuf_add_char(out, c);
            written++;
        }
    }
    if (written == 0)
        strbuf_add_text(out, otherwise);
}

static void add_line(struct strbuf *out, const struct imap_node *node)
{
    for (size_t i = 0; is_text(node) && i < node->length && i < VALUE_MAX; i++)
        if ((unsigned char)node->text[i] >= ' ' && node->text[i] != 0x7f)
            strbuf_add_char(out, node->text[i]);
}

static void add_quoted(struct strbuf *out, const struct imap_node *node)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < node->length && i < VALUE_MAX; i++) {
        char c = node->text[i];
        if ((unsigned char)c < ' ' || c == 0x7f)
            continue;
        if (c == '"' || c == '\\')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, c);
    }
    strbuf_add_char(out, '"');
}

/* "utf-8''Rechnung%20M%C3%A4rz.pdf" (RFC 2231). */
static void add_encoded(struct strbuf *out, const struct imap_node *node)
{
    for (size_t i = 0; i < node->length && i < VALUE_MAX; i++) {
        char c = node->text[i];
        if (c > ' ' && c < 0x7f && strchr("\"\\;,()<>@:/[]?=", c) == NULL)
            strbuf_add_char(out, c);
    }
}

/* A list of names and values in turn. The boundary is ours. */
static void add_params(struct strbuf *out, const struct imap_node *params)
{
    const struct imap_node *name =
        params != NULL && params->kind == IMAP_LIST ? params->first : NULL;
    for (int i = 0; i < PARAMS_MAX && name != NULL && name->next != NULL; i++) {
        const struct imap_node *value = name->next;
        bool encoded = is_text(name) && name->length > 0 && name->text[name->length - 1] == '*';
        if (is_text(name) && is_text(value) && !imap_node_is(name, "boundary")) {
            strbuf_add_text(out, "; ");
            add_word(out, name, "x");
            strbuf_add_char(out, '=');
            if (encoded)
                add_encoded(out, value);
            else
                add_quoted(out, value);
        }
        name = value->next;
    }
}

/* ---- parts ---- */

/* ("attachment" ("FILENAME" "a.pdf")) */
static void add_disposition(struct strbuf *out, const struct imap_node *disposition)
{
    if (disposition == NULL || disposition->kind != IMAP_LIST || !is_text(disposition->first))
        return;
    strbuf_add_text(out, "Content-Disposition: ");
    add_word(out, disposition->first, "attachment");
    add_params(out, disposition->first->next);
    strbuf_add_text(out, "\r\n");
}

/* Its type, parameters, id, description, encoding and size, then what only some types have. Of an
 * attached mail the subject is its name. */
static void write_single(struct outline *outline, const struct imap_node *type)
{
    struct strbuf *out = &outline->out;
    const struct imap_node *subtype = after(type, 1), *id = after(type, 3);
    bool mail = imap_node_is(type, "message") &&
                (imap_node_is(subtype, "rfc822") || imap_node_is(subtype, "global"));
    const struct imap_node *envelope = mail ? after(type, 7) : NULL;
    strbuf_add_text(out, "Content-Type: ");
    add_word(out, type, "application");
    strbuf_add_char(out, '/');
    add_word(out, subtype, "octet-stream");
    add_params(out, after(type, 2));
    strbuf_add_text(out, "\r\n");
    if (is_text(id)) {
        strbuf_add_text(out, "Content-ID: ");
        add_line(out, id);
        strbuf_add_text(out, "\r\n");
    }
    add_disposition(out, after(type, mail ? 11 : imap_node_is(type, "text") ? 9 : 8));
    strbuf_add_text(out, "\r\n");
    if (mail) {
        strbuf_add_text(out, "Subject: ");
        if (envelope != NULL && envelope->kind == IMAP_LIST)
            add_line(out, after(envelope->first, 1));
        strbuf_add_text(out, "\r\n\r\n");
    }
}

static void write_multipart(struct outline *outline, const struct imap_node *first)
{
    struct strbuf *out = &outline->out;
    const int number = outline->parts;
    const struct imap_node *part = first;
    while (part != NULL && part->kind == IMAP_LIST)
        part = part->next;
    strbuf_add_text(out, "Content-Type: multipart/");
    add_word(out, part, "mixed");
    strbuf_printf(out, "; boundary=\"outline-%04d\"\r\n\r\n", number);
    for (part = first; part != NULL && part->kind == IMAP_LIST; part = part->next) {
        if (outline->parts == MAIL_PARTS_MAX)
            break;
        strbuf_printf(out, "--outline-%04d\r\n", number);
        write_part(outline, part);
        strbuf_add_text(out, "\r\n");
    }
    strbuf_printf(out, "--outline-%04d--\r\n", number);
}

static void write_part(struct outline *outline, const struct imap_node *part)
{
    const struct imap_node *first = part->first;
    outline->parts++;
    if (first != NULL && first->kind == IMAP_LIST)
        write_multipart(outline, first);
    else
        write_single(outline, first);
}

const char *imap_outline(struct arena *arena, const struct imap_node *structure, size_t *length)
{
    struct outline outline = {.parts = 0};
    if (structure == NULL || structure->kind != IMAP_LIST)
        return NULL;
    strbuf_init(&outline.out, IMAP_OUTLINE_MAX);
    strbuf_add_text(&outline.out, "MIME-Version: 1.0\r\n");
    write_part(&outline, structure);
    *length = outline.out.length;
    const char *text = arena_strndup(arena, outline.out.data, outline.out.length);
    strbuf_fini(&outline.out);
    return text;
}
