/* What the mail tests share: the corpus under tests/data/mail, read as mailpoller reads a mail. */
#ifndef DESK_TESTS_MAIL_FILES_H
#define DESK_TESTS_MAIL_FILES_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "mail/body.h"
#include "mail/parse.h"

#define MAIL_FILES "tests/data/mail/"

/* The file's bytes with a NUL behind, in the arena; *length without it. */
static inline char *mail_file(struct arena *arena, const char *name, size_t *length)
{
    char *path = arena_printf(arena, MAIL_FILES "%s", name), *bytes;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s is missing; run the test from the tree's root\n", path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    bytes = arena_alloc(arena, *length + 1);
    if (fread(bytes, 1, *length, file) != *length)
        exit(1);
    fclose(file);
    return bytes;
}

/* Checks that a text is what everything behind the parser relies on. */
static inline void mail_clean(const char *text)
{
    CU_ASSERT(text_is_utf8(text, strlen(text)));
    for (; *text != '\0'; text++)
        CU_ASSERT((unsigned char)*text >= ' ' || *text == '\n' || *text == '\t');
}

static inline void mail_clean_line(const char *text)
{
    mail_clean(text);
    CU_ASSERT_PTR_NULL(strpbrk(text, "\n\t"));
}

static inline void mail_clean_addresses(const struct mail_addresses *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mail_clean_line(list->items[i].name);
        mail_clean_line(list->items[i].address);
    }
}

/* Parses bytes that must parse, and checks every text of the result. */
static inline void mail_read(struct arena *arena, const char *bytes, size_t length,
                             const struct mail_sink *sink, struct mail *mail)
{
    struct err err;
    if (mail_parse(arena, bytes, length, sink, mail, &err) != 0) {
        CU_FAIL("does not parse");
        *mail = (struct mail){
            .message_id = "", .subject = "", .report_type = "", .report = "", .original = ""};
        return;
    }
    for (size_t i = 0; i < mail->header_count; i++) {
        mail_clean_line(mail->headers[i].name);
        mail_clean_line(mail->headers[i].value);
    }
    mail_clean_addresses(&mail->from);
    mail_clean_addresses(&mail->to);
    mail_clean_addresses(&mail->cc);
    mail_clean_line(mail->subject);
    mail_clean_line(mail->message_id);
    mail_clean(mail->report);
    mail_clean(mail->original);
    for (size_t i = 0; i < mail->section_count; i++) {
        mail_clean(mail->sections[i].plain == NULL ? "" : mail->sections[i].plain);
        mail_clean(mail->sections[i].html == NULL ? "" : mail->sections[i].html);
    }
    for (size_t i = 0; i < mail->part_count; i++) {
        mail_clean_line(mail->parts[i].name);
        mail_clean_line(mail->parts[i].type);
    }
}

/* The mail of a file and its whole text. */
static inline void mail_read_file(struct arena *arena, const char *name, struct mail *mail,
                                  struct mail_text *text)
{
    size_t length;
    const char *bytes = mail_file(arena, name, &length);
    mail_read(arena, bytes, length, NULL, mail);
    mail_body_read(arena, mail, text);
    mail_clean(text->text);
}

#endif
