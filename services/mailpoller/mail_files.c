/* The files of a mail. mail_event.c calls it while it reads the mail and when it encodes the event;
 * box_files.c hands it what a program made of a file. */
#include "mail_files.h"

#include <string.h>
#include <strings.h>

#include "event_text.h"
#include "mail/charset.h"
#include "mail/html.h"

#define TOLD_MAX    ((size_t)32 * 1024)  /* of all files, as they are written in JSON */
#define READ_MAX    ((size_t)64 * 1024)  /* bytes of a file that are looked at for its text */
#define MAGIC_IN    1024                 /* bytes at whose beginning a PDF says that it is one */
#define MARKUP_MAX  ((size_t)512 * 1024) /* bytes of HTML that are read: it takes long */
#define LEAST_BYTES ((size_t)64)         /* a text of which less has room is not told */

static const char *kind_name(enum mail_part_kind kind)
{
    static const char *const names[] = {
        [MAIL_PART_FILE] = "file", [MAIL_PART_INLINE] = "inline", [MAIL_PART_CALENDAR] = "calendar",
        [MAIL_PART_TNEF] = "tnef", [MAIL_PART_SEALED] = "sealed", [MAIL_PART_MESSAGE] = "message"};
    return names[kind];
}

static const char *type_of(struct arena *arena, const struct mail_part *part)
{
    const char *type = event_text_line(arena, part->type, MAIL_EVENT_TYPE_MAX);
    return type[0] != '\0' ? type : "application/octet-stream";
}

/* ---- what can be read ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcasecmp(name + length - tail, end) == 0;
}

/* By what it is: mail programs send PDFs as octet streams, and other things under that type. */
static bool is_pdf(const void *bytes, size_t length)
{
    return memmem(bytes, length < MAGIC_IN ? length : MAGIC_IN, "%PDF-", 5) != NULL;
}

static bool is_html(const struct mail_part *part)
{
    return strcmp(part->type, "text/html") == 0 || ends_with(part->name, ".html") ||
           ends_with(part->name, ".htm");
}

/* Many programs send what they do not know as application/octet-stream. */
static bool is_text(const struct mail_part *part, const void *bytes, size_t length)
{
    static const char *const ends[] = {".txt", ".csv", ".md", ".log", ".html", ".htm"};
    if (part->kind != MAIL_PART_FILE && part->kind != MAIL_PART_CALENDAR)
        return false;
    if (memchr(bytes, '\0', length < MAGIC_IN ? length : MAGIC_IN) != NULL)
        return strncmp(part->type, "text/", 5) == 0; /* UTF-16 */
    if (strncmp(part->type, "text/", 5) == 0)
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(part->name, ends[i]))
            return true;
    return false;
}

/* Well-formed text without white space around it; NULL: there is none. */
static const char *text_of(struct arena *arena, const char *charset, const char *bytes,
                           size_t length, bool *cut)
{
    struct strbuf out;
    strbuf_init(&out, READ_MAX);
    *cut |= length > READ_MAX;
    mail_charset_decode(charset, bytes, length < READ_MAX ? length : READ_MAX, &out);
    *cut |= out.overflow;
    const char *from = out.data, *end = out.data + out.length;
    while (from < end && strchr(" \t\n", *from) != NULL)
        from++;
    while (end > from && strchr(" \t\n", end[-1]) != NULL)
        end--;
    const char *text = from == end ? NULL : arena_strndup(arena, from, (size_t)(end - from));
    strbuf_fini(&out);
    return text;
}

static void read_text(struct mail_keeper *keeper, const struct mail_part *part, const char *bytes,
                      size_t length, struct mail_file_text *to)
{
    to->text = text_of(keeper->arena, part->charset, bytes, length, &to->cut);
    if (to->text == NULL || !is_html(part))
        return;
    if (keeper->markup >= MARKUP_MAX) {
        to->text = NULL;
        return;
    }
    keeper->markup += strlen(to->text);
    struct mail_text html;
    mail_html_read(keeper->arena, to->text, strlen(to->text), &html);
    to->text = html.text[0] != '\0' ? html.text : NULL;
    to->cut |= html.cut;
}

/* ---- what is kept ---- */

static bool is_cut(const struct mail_part *part, bool in_part)
{
    return part->cut || (in_part && part->open_end);
}

void mail_files_keep(void *arg, const struct mail_part *part, const void *bytes, size_t length)
{
    struct mail_keeper *keeper = arg;
    struct mail_outcome *out = keeper->out;
    if (out->attachment_count == MAIL_EVENT_FILES_MAX || length > MAIL_BYTES_MAX - keeper->bytes ||
        is_cut(part, keeper->in_part))
        return;
    keeper->bytes += length;
    struct mail_file_text *text = &out->texts[out->attachment_count];
    if (is_pdf(bytes, length))
        text->is_pdf = true;
    else if (is_text(part, bytes, length))
        read_text(keeper, part, bytes, length, text);
    out->attachments[out->attachment_count++] =
        (struct attachment){.event_id = out->id,
                            .number = part->number,
                            .kind = kind_name(part->kind),
                            .name = event_text_line(keeper->arena, part->name, MAIL_EVENT_NAME_MAX),
                            .type = type_of(keeper->arena, part),
                            .bytes = arena_strndup(keeper->arena, bytes, length),
                            .length = length};
}

static bool is_kept(const struct mail_outcome *out, int number)
{
    for (size_t i = 0; i < out->attachment_count; i++)
        if (out->attachments[i].number == number)
            return true;
    return false;
}

static void list(struct arena *arena, const struct mail_part *part, int number, size_t size_bytes,
                 struct mail_outcome *out)
{
    struct mail_received *event = out->event;
    if (event->file_count == MAIL_EVENT_FILES_MAX) {
        event->cut = true;
        return;
    }
    event->files[event->file_count++] =
        (struct mail_event_file){.number = number,
                                 .kind = kind_name(part->kind),
                                 .name = event_text_line(arena, part->name, MAIL_EVENT_NAME_MAX),
                                 .type = type_of(arena, part),
                                 .size_bytes = (int64_t)size_bytes,
                                 .stored = is_kept(out, number),
                                 .text = ""};
}

void mail_files_list(struct arena *arena, const struct mail *mail, bool in_part,
                     struct mail_outcome *out)
{
    for (size_t i = 0; i < mail->part_count; i++) {
        const struct mail_part *part = &mail->parts[i];
        list(arena, part, part->number, is_cut(part, in_part) ? 0 : part->size_bytes, out);
    }
}

void mail_files_list_rest(struct arena *arena, const struct mail *mail, const struct mail *outline,
                          struct mail_outcome *out)
{
    int number = (int)mail->part_count;
    for (size_t i = 0; i < outline->part_count; i++)
        if (outline->parts[i].leaf >= mail->leaf_count)
            list(arena, &outline->parts[i], number++, 0, out);
}

/* ---- what is told ---- */

void mail_files_read(struct arena *arena, struct mail_outcome *out, size_t index, const char *bytes,
                     size_t length, bool cut)
{
    struct mail_file_text *to = &out->texts[index];
    to->text = text_of(arena, "utf-8", bytes, length, &cut);
    to->cut = cut;
}

static const struct mail_file_text *text_by_number(const struct mail_outcome *out, int number)
{
    for (size_t i = 0; i < out->attachment_count; i++)
        if (out->attachments[i].number == number)
            return &out->texts[i];
    return NULL;
}

void mail_files_tell(struct arena *arena, struct mail_outcome *out)
{
    size_t room = TOLD_MAX;
    for (size_t i = 0; i < out->event->file_count; i++) {
        struct mail_event_file *file = &out->event->files[i];
        const struct mail_file_text *from = text_by_number(out, file->number);
        if (from == NULL || from->text == NULL || room < LEAST_BYTES)
            continue;
        file->text_cut = from->cut;
        file->text =
            event_text_fit(arena, from->text, MAIL_EVENT_FILE_TEXT_MAX, room, &file->text_cut);
        size_t written = event_text_written(file->text);
        room -= written < room ? written : room;
    }
}
