/* The parts of a mail: which are its text, which are files, which is the machine's half of a
 * report. The walk is bounded in depth and number; bytes are decoded one part at a time. Called by
 * parse.c. */
#include "mail/parse_inside.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "mail/charset.h"
#include "mail/flowed.h"

#define NO_SECTION       SIZE_MAX
#define TYPE_MAX         128
#define SUBJECT_NAME_MAX 150
#define MARKUP_BYTES     (2u * 1024 * 1024) /* of all HTML parts that are kept */
#define JOINED_BYTES     (8u * 1024 * 1024) /* that are copied to put forms of a section together */

struct reading {
    struct arena *arena;
    GMimeParserOptions *options;
    const struct mail_sink *sink;
    struct mail *mail;
    struct mail_section *sections;
    size_t section_count;
    struct mail_part *parts;
    size_t part_count;
    GMimeObject *open; /* the part that ends with the bytes, and at no boundary; NULL: none */
    size_t markup, joined;
    int seen;    /* parts of any kind */
    bool digest; /* a part without a type is a mail */
    bool report; /* the mail is a multipart/report */
};

static void walk(struct reading *r, GMimeObject *object, size_t section, bool related, int depth);

/* ---- names and types ---- */

/* Characters that turn the direction of text make "exe.fdp" out of "pdf.exe". */
static bool turns_text(const char *at)
{
    return strncmp(at, "\xe2\x80", 2) == 0
               ? ((unsigned char)at[2] >= 0x8b && (unsigned char)at[2] <= 0x8f) ||
                     ((unsigned char)at[2] >= 0xaa && (unsigned char)at[2] <= 0xae)
               : strncmp(at, "\xe2\x81", 2) == 0 && (unsigned char)at[2] >= 0xa0 &&
                     (unsigned char)at[2] <= 0xaf;
}

const char *mail_file_name(struct arena *arena, const char *name)
{
    struct strbuf out;
    const char *line = mail_line(arena, name, 4 * MAIL_NAME_MAX);
    for (const char *at = line; *at != '\0'; at++)
        if (*at == '/' || *at == '\\')
            line = at + 1;
    line += strspn(line, ". ");
    strbuf_init(&out, 4 * MAIL_NAME_MAX);
    while (*line != '\0') {
        if (turns_text(line)) {
            line += 3;
            continue;
        }
        strbuf_add_char(&out, strchr("<>:\"|?*", *line) != NULL ? '_' : *line);
        line++;
    }
    const char *result = arena_strndup(arena, out.data, text_utf8_prefix(out.data, MAIL_NAME_MAX));
    strbuf_fini(&out);
    return result;
}

/* "image/png"; "application/octet-stream" for what has no usable type. */
static const char *type_of(struct arena *arena, GMimeObject *object)
{
    GMimeContentType *type = g_mime_object_get_content_type(object);
    const char *media = type == NULL ? NULL : g_mime_content_type_get_media_type(type);
    const char *sub = type == NULL ? NULL : g_mime_content_type_get_media_subtype(type);
    if (media == NULL || sub == NULL)
        return "application/octet-stream";
    char *text = arena_printf(arena, "%.60s/%.60s", media, sub);
    for (char *c = text; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        else if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return "application/octet-stream";
    }
    if (strncmp(text, "massage/", 8) == 0) /* as parse_scan.c spelt it */
        text[1] = 'e';
    else if (strcmp(text, "multipart/digast") == 0)
        text[13] = 'e';
    return text;
}

static const char *content_id_of(struct arena *arena, GMimeObject *object)
{
    const char *id = g_mime_object_get_content_id(object);
    return id == NULL ? "" : mail_line(arena, id, MAIL_NAME_MAX);
}

static bool is_parameter(GMimeObject *object, const char *name, const char *value)
{
    const char *found = g_mime_object_get_content_type_parameter(object, name);
    return found != NULL && strcasecmp(found, value) == 0;
}

static bool is_attached(GMimeObject *object)
{
    const char *disposition = g_mime_object_get_disposition(object);
    return disposition != NULL && strcasecmp(disposition, "attachment") == 0;
}

/* ---- bytes ---- */

/* The decoded bytes of a part. */
struct decoded {
    const char *bytes; /* the mail's own, or one of these */
    size_t length;
    char *copy;
    GMimeStream *stream;
};

static void fini_decoded(struct decoded *decoded)
{
    free(decoded->copy);
    if (decoded->stream != NULL)
        g_object_unref(decoded->stream);
}

/* What the stream holds within its bounds. */
static void borrow(GMimeStream *stream, struct decoded *out)
{
    GByteArray *array = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    size_t all = array == NULL || array->data == NULL ? 0 : array->len;
    size_t from = stream->bound_start < 0 ? 0 : (size_t)stream->bound_start;
    size_t end = stream->bound_end < 0 ? all : (size_t)stream->bound_end;
    if (end > all)
        end = all;
    out->bytes = from < end ? (const char *)array->data + from : "";
    out->length = from < end ? end - from : 0;
}

static void decode_content(GMimeDataWrapper *content, struct decoded *out)
{
    GMimeEncoding decoder;
    GMimeContentEncoding encoding = g_mime_data_wrapper_get_encoding(content);
    GMimeStream *stream = g_mime_data_wrapper_get_stream(content);
    if (encoding == GMIME_CONTENT_ENCODING_UUENCODE || !GMIME_IS_STREAM_MEM(stream)) {
        out->stream = g_mime_stream_mem_new(); /* GMime's filter finds where it begins */
        g_mime_data_wrapper_write_to_stream(content, out->stream);
        borrow(out->stream, out);
        return;
    }
    borrow(stream, out);
    if (encoding != GMIME_CONTENT_ENCODING_BASE64 &&
        encoding != GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
        return;
    g_mime_encoding_init_decode(&decoder, encoding);
    out->copy = xmalloc(g_mime_encoding_outlen(&decoder, out->length) + 1);
    size_t length = g_mime_encoding_step(&decoder, out->bytes, out->length, out->copy);
    length += g_mime_encoding_flush(&decoder, "", 0, out->copy + length);
    out->bytes = out->copy;
    out->length = length;
}

/* They live until fini_decoded, and not longer than the object. */
static void decode(GMimeObject *object, struct decoded *out)
{
    GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(object));
    *out = (struct decoded){.bytes = ""};
    if (content != NULL)
        decode_content(content, out);
}

/* A text part in UTF-8, in the arena. */
static const char *text_of(struct reading *r, GMimeObject *object, size_t max)
{
    char declared[48] = "";
    const char *charset = g_mime_object_get_content_type_parameter(object, "charset");
    struct decoded decoded;
    struct strbuf text;
    decode(object, &decoded);
    if ((charset == NULL || charset[0] == '\0') &&
        strcmp(type_of(r->arena, object), "text/html") == 0) {
        mail_charset_of_html(decoded.bytes, decoded.length, declared);
        charset = declared;
    }
    strbuf_init(&text, max);
    mail_charset_decode(charset, decoded.bytes, decoded.length, &text);
    r->mail->cut |= text.overflow;
    const char *result = arena_strndup(r->arena, text.data, text.length);
    strbuf_fini(&text);
    fini_decoded(&decoded);
    return result;
}

/* ---- what a part is ---- */

/* Types that are more than a file; the name decides where the type is a lie of a gateway. */
static const struct {
    const char *type, *name;
    enum mail_part_kind kind;
} kinds[] = {
    {"text/calendar", NULL, MAIL_PART_CALENDAR},
    {"application/ics", NULL, MAIL_PART_CALENDAR},
    {"application/ms-tnef", NULL, MAIL_PART_TNEF},
    {"application/vnd.ms-tnef", NULL, MAIL_PART_TNEF},
    {NULL, "winmail.dat", MAIL_PART_TNEF},
    {"application/pkcs7-mime", NULL, MAIL_PART_SEALED},
    {"application/x-pkcs7-mime", NULL, MAIL_PART_SEALED},
    {"application/pkcs7-signature", NULL, MAIL_PART_SEALED},
    {"application/x-pkcs7-signature", NULL, MAIL_PART_SEALED},
    {"application/pgp-encrypted", NULL, MAIL_PART_SEALED},
    {"application/pgp-signature", NULL, MAIL_PART_SEALED},
    {NULL, "smime.p7m", MAIL_PART_SEALED},
};

static enum mail_part_kind kind_of(const struct mail_part *part, bool related)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].type != NULL ? strcmp(part->type, kinds[i].type) == 0
                                  : strcasecmp(part->name, kinds[i].name) == 0)
            return kinds[i].kind;
    bool shown = related && part->content_id[0] != '\0' && strncmp(part->type, "image/", 6) == 0;
    return shown ? MAIL_PART_INLINE : MAIL_PART_FILE;
}

static void give(struct reading *r, struct mail_part *part, GMimeObject *object, const char *bytes,
                 size_t length)
{
    part->open_end = object == r->open;
    part->cut = part->open_end && r->mail->stopped;
    if (r->parts == NULL)
        r->parts = arena_alloc(r->arena, MAIL_PARTS_MAX * sizeof *r->parts);
    part->number = (int)r->part_count;
    part->leaf = r->mail->leaf_count - 1;
    part->size_bytes = length;
    if (r->sink != NULL)
        r->sink->take(r->sink->arg, part, bytes, length);
    r->parts[r->part_count++] = *part;
}

static void take_file(struct reading *r, GMimePart *object, bool related)
{
    const char *name = g_mime_part_get_filename(object);
    const char *charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(object), "charset");
    struct decoded decoded;
    struct mail_part part = {
        .name = name == NULL ? "" : mail_file_name(r->arena, name),
        .type = type_of(r->arena, GMIME_OBJECT(object)),
        .charset = mail_line(r->arena, charset == NULL ? "" : charset, TYPE_MAX),
        .content_id = content_id_of(r->arena, GMIME_OBJECT(object)),
    };
    part.kind = kind_of(&part, related);
    decode(GMIME_OBJECT(object), &decoded);
    give(r, &part, GMIME_OBJECT(object), decoded.bytes, decoded.length);
    fini_decoded(&decoded);
}

/* ---- text ---- */

static const char *join_flowed(struct reading *r, GMimeObject *object, const char *text)
{
    struct strbuf out;
    if (!is_parameter(object, "format", "flowed"))
        return text;
    strbuf_init(&out, 2 * MAIL_SECTION_MAX);
    mail_flowed_join(text, is_parameter(object, "delsp", "yes"), &out);
    text = arena_strndup(r->arena, out.data, out.length);
    strbuf_fini(&out);
    return text;
}

/* Puts text behind what the section has in this form already. */
static const char *append(struct reading *r, const char *before, const char *text, size_t max)
{
    if (before == NULL)
        return text;
    size_t length = strlen(before) + strlen(text);
    if (length < max && length <= JOINED_BYTES - r->joined) {
        r->joined += length;
        return arena_printf(r->arena, "%s\n%s", before, text);
    }
    r->mail->cut = true;
    return before;
}

static void take_text(struct reading *r, GMimeObject *object, bool html, size_t section)
{
    if (section == NO_SECTION) {
        if (r->section_count == MAIL_SECTIONS_MAX) {
            r->mail->cut = true;
            return;
        }
        section = r->section_count++;
    }
    struct mail_section *to = &r->sections[section];
    if (html) {
        if (r->markup == MARKUP_BYTES) {
            r->mail->cut = true;
            return;
        }
        const char *text = text_of(r, object, MARKUP_BYTES - r->markup);
        r->markup += strlen(text);
        to->html = append(r, to->html, text, MARKUP_BYTES);
        to->html_length = strlen(to->html);
    } else {
        const char *text = text_of(r, object, MAIL_SECTION_MAX);
        to->plain = append(r, to->plain, join_flowed(r, object, text), MAIL_SECTION_MAX);
    }
}

/* ---- reports ---- */

static bool is_machine_part(const char *type)
{
    static const char *const types[] = {"message/delivery-status", "message/global-delivery-status",
                                        "message/feedback-report",
                                        "message/disposition-notification"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

/* True if the part was one of a report that is kept as text. */
static bool take_report(struct reading *r, GMimeObject *object, const char *type)
{
    const char **to = is_machine_part(type)                      ? &r->mail->report
                      : strcmp(type, "text/rfc822-headers") == 0 ? &r->mail->original
                                                                 : NULL;
    if (!r->report || to == NULL || (*to)[0] != '\0')
        return false;
    *to = text_of(r, object, MAIL_REPORT_MAX);
    return true;
}

/* ---- mails in the mail ---- */

static bool is_message(const struct reading *r, GMimeObject *object, const char *type)
{
    static const char *const types[] = {"message/rfc822", "message/global", "message/rfc2822",
                                        "message/news"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return r->digest && g_mime_object_get_header(object, "Content-Type") == NULL;
}

/* Bytes up to the empty line. */
static size_t head_length(const struct decoded *mail)
{
    const char *line = mail->bytes, *end = line + mail->length;
    while (line < end && !mail_is_empty_line(line, end)) {
        const char *found = memchr(line, '\n', (size_t)(end - line));
        line = found == NULL ? end : found + 1;
    }
    return (size_t)(line - mail->bytes);
}

/* It is a file: nobody reads what is in it. */
static void take_message(struct reading *r, GMimeObject *object)
{
    struct decoded decoded;
    decode(object, &decoded);
    if (decoded.length == 0) {
        fini_decoded(&decoded);
        return;
    }
    size_t head = head_length(&decoded);
    if (r->report && r->mail->original[0] == '\0') {
        struct strbuf text;
        strbuf_init(&text, MAIL_REPORT_MAX);
        mail_charset_decode(NULL, decoded.bytes, head, &text);
        r->mail->original = arena_strndup(r->arena, text.data, text.length);
        strbuf_fini(&text);
    }
    const char *subject = mail_parse_subject(r->arena, r->options, decoded.bytes, head);
    const char *name = mail_line(r->arena, subject[0] == '\0' ? "mail" : subject, SUBJECT_NAME_MAX);
    struct mail_part part = {
        .kind = MAIL_PART_MESSAGE,
        .name = mail_file_name(r->arena, arena_printf(r->arena, "%s.eml", name)),
        .type = "message/rfc822",
        .charset = "",
        .content_id = content_id_of(r->arena, object),
    };
    give(r, &part, object, decoded.bytes, decoded.length);
    fini_decoded(&decoded);
}

/* ---- walking ---- */

/* The text of a mail is what stands in it without a name; its first text part is that anyway. */
static void take_part(struct reading *r, GMimePart *object, size_t section, bool related)
{
    const char *type = type_of(r->arena, GMIME_OBJECT(object));
    const char *name = g_mime_part_get_filename(object);
    bool html = strcmp(type, "text/html") == 0;
    bool text = html || strcmp(type, "text/plain") == 0 || strcmp(type, "text/enriched") == 0;
    if (take_report(r, GMIME_OBJECT(object), type))
        return;
    if (is_message(r, GMIME_OBJECT(object), type)) {
        take_message(r, GMIME_OBJECT(object));
        return;
    }
    if (section != NO_SECTION && !text && strncmp(type, "text/", 5) == 0 &&
        strcmp(type, "text/calendar") != 0)
        return; /* one more form of the same text, for some program: AMP, watches */
    if (text && !is_attached(GMIME_OBJECT(object)) &&
        (name == NULL || name[0] == '\0' || r->section_count == 0 || section != NO_SECTION))
        take_text(r, GMIME_OBJECT(object), html, section);
    else
        take_file(r, object, related);
}

/* The forms of an alternative are one section. */
static void walk_multipart(struct reading *r, GMimeMultipart *object, size_t section, bool related,
                           int depth)
{
    const char *type = type_of(r->arena, GMIME_OBJECT(object));
    int count = g_mime_multipart_get_count(object);
    if (strcmp(type, "multipart/alternative") == 0 && section == NO_SECTION &&
        r->section_count < MAIL_SECTIONS_MAX)
        section = r->section_count++;
    related |= strcmp(type, "multipart/related") == 0;
    for (int i = 0; i < count; i++) {
        r->digest = strcmp(type, "multipart/digest") == 0;
        walk(r, g_mime_multipart_get_part(object, i), section, related, depth + 1);
    }
}

static void walk(struct reading *r, GMimeObject *object, size_t section, bool related, int depth)
{
    if (object == NULL)
        return;
    if (depth > MAIL_DEPTH_MAX || r->seen == MAIL_PARTS_MAX) {
        r->mail->cut = true;
        return;
    }
    r->seen++;
    if (GMIME_IS_MULTIPART(object)) {
        walk_multipart(r, GMIME_MULTIPART(object), section, related, depth);
    } else if (GMIME_IS_PART(object)) {
        r->mail->leaf_count++;
        take_part(r, GMIME_PART(object), section, related);
    }
}

/* The last part, if no boundary is behind it. */
static GMimeObject *open_end(GMimeObject *object)
{
    while (object != NULL && GMIME_IS_MULTIPART(object)) {
        GMimeMultipart *multipart = GMIME_MULTIPART(object);
        int count = multipart->write_end_boundary ? 0 : g_mime_multipart_get_count(multipart);
        object = count > 0 ? g_mime_multipart_get_part(multipart, count - 1) : NULL;
    }
    return object;
}

void mail_parse_parts(struct arena *arena, GMimeParserOptions *options, GMimeObject *top,
                      const struct mail_sink *sink, struct mail *mail)
{
    struct reading r = {
        .arena = arena,
        .options = options,
        .open = open_end(top),
        .sink = sink,
        .mail = mail,
        .sections = arena_alloc(arena, MAIL_SECTIONS_MAX * sizeof *r.sections),
    };
    if (top != NULL && strcmp(type_of(arena, top), "multipart/report") == 0) {
        const char *type = g_mime_object_get_content_type_parameter(top, "report-type");
        r.report = true;
        mail->report_type = mail_line(arena, type == NULL ? "unknown" : type, TYPE_MAX);
    }
    walk(&r, top, NO_SECTION, false, 1);
    size_t kept = 0;
    for (size_t i = 0; i < r.section_count; i++)
        if (r.sections[i].plain != NULL || r.sections[i].html != NULL)
            r.sections[kept++] = r.sections[i];
    mail->sections = r.sections;
    mail->section_count = kept;
    mail->parts = r.parts;
    mail->part_count = r.part_count;
}
