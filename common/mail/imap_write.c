/* IMAP commands. The session builds each command here and sends its parts. */
#include "mail/imap_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define QUOTED_MAX        1000 /* some servers bound a line at 8 kB, older ones at 1 kB */
#define LITERAL_MINUS_MAX 4096

void imap_command_begin(struct imap_command *command, const char *tag, const char *words)
{
    *command = (struct imap_command){0};
    strbuf_init(&command->text, IMAP_COMMAND_MAX);
    strbuf_add_text(&command->text, tag);
    strbuf_add_char(&command->text, ' ');
    strbuf_add_text(&command->text, words);
}

void imap_command_words(struct imap_command *command, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof text) {
        command->bad = true;
        return;
    }
    strbuf_add_char(&command->text, ' ');
    strbuf_add_text(&command->text, text);
}

static void stop(struct imap_command *command)
{
    if (command->stop_count == IMAP_STOPS_MAX)
        command->bad = true;
    else
        command->stops[command->stop_count++] = command->text.length;
}

void imap_command_literal(struct imap_command *command, const char *bytes, size_t length,
                          enum imap_literals literals)
{
    bool at_once = literals == IMAP_LITERAL_PLUS ||
                   (literals == IMAP_LITERAL_MINUS && length <= LITERAL_MINUS_MAX);
    strbuf_printf(&command->text, " {%zu%s}\r\n", length, at_once ? "+" : "");
    if (!at_once)
        stop(command);
    strbuf_add(&command->text, bytes, length);
    command->bad |= memchr(bytes, '\0', length) != NULL;
}

void imap_command_string(struct imap_command *command, const char *bytes, size_t length,
                         enum imap_literals literals)
{
    bool plain = length <= QUOTED_MAX;
    for (size_t i = 0; i < length; i++)
        plain &= (unsigned char)bytes[i] >= ' ' && (unsigned char)bytes[i] < 127;
    if (!plain) {
        imap_command_literal(command, bytes, length, literals);
        return;
    }
    strbuf_add_text(&command->text, " \"");
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            strbuf_add_char(&command->text, '\\');
        strbuf_add_char(&command->text, bytes[i]);
    }
    strbuf_add_char(&command->text, '"');
}

void imap_command_wait(struct imap_command *command)
{
    strbuf_add_text(&command->text, "\r\n");
    stop(command);
}

void imap_command_end(struct imap_command *command)
{
    strbuf_add_text(&command->text, "\r\n");
    command->bad |= command->text.overflow;
}

const char *imap_command_part(struct imap_command *command, size_t *length)
{
    if (command->next > command->stop_count)
        return NULL;
    size_t end =
        command->next < command->stop_count ? command->stops[command->next] : command->text.length;
    const char *part = command->text.data + command->given;
    *length = end - command->given;
    command->given = end;
    command->next++;
    return part;
}

void imap_command_fini(struct imap_command *command)
{
    if (command->text.data == NULL)
        return;
    if (command->text.length > 0)
        explicit_bzero(command->text.data, command->text.length);
    strbuf_fini(&command->text);
    *command = (struct imap_command){0};
}

/* ---- mailbox names ---- */

/* Bits of UTF-16 on their way into base64 with "," for "/" and without padding. */
struct shift {
    struct strbuf *out;
    uint32_t bits;
    int count;
    bool on;
};

static void add_sextets(struct shift *shift, int least)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    for (; shift->count >= least && shift->count > 0; shift->count -= 6) {
        uint32_t sextet = shift->count >= 6 ? shift->bits >> (shift->count - 6)
                                            : shift->bits << (6 - shift->count);
        strbuf_add_char(shift->out, alphabet[sextet & 63]);
        if (shift->count < 6)
            shift->count = 6;
    }
}

static void add_unit(struct shift *shift, uint32_t unit)
{
    if (!shift->on)
        strbuf_add_char(shift->out, '&');
    shift->on = true;
    shift->bits = shift->bits << 16 | unit;
    shift->count += 16;
    add_sextets(shift, 6);
}

static void end_shift(struct shift *shift)
{
    if (!shift->on)
        return;
    add_sextets(shift, 1);
    strbuf_add_char(shift->out, '-');
    shift->on = false;
    shift->bits = 0;
    shift->count = 0;
}

bool imap_mailbox_name(struct strbuf *out, const char *name)
{
    struct strbuf made;
    struct shift shift = {.out = &made};
    strbuf_init(&made, IMAP_NAME_MAX);
    bool good = name[0] != '\0' && text_is_utf8(name, strlen(name));
    for (const char *p = name; good && *p != '\0';) {
        uint32_t point = text_next_code_point(&p);
        good = point >= ' ' && point != 127;
        if (point < 127) {
            end_shift(&shift);
            strbuf_add_text(&made, point == '&' ? "&-" : (char[]){(char)point, '\0'});
        } else if (point < 0x10000) {
            add_unit(&shift, point);
        } else {
            add_unit(&shift, 0xD800 | (point - 0x10000) >> 10);
            add_unit(&shift, 0xDC00 | ((point - 0x10000) & 0x3FF));
        }
    }
    end_shift(&shift);
    good &= !made.overflow;
    if (good)
        strbuf_add(out, made.data, made.length);
    strbuf_fini(&made);
    return good;
}

const char *imap_date(int64_t wall_ms, char out[IMAP_DATE_SIZE])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, IMAP_DATE_SIZE, "%d-%.3s-%04d", tm.tm_mday, months + (ptrdiff_t)3 * tm.tm_mon,
             tm.tm_year + 1900);
    return out;
}
