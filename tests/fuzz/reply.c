/* What is new in a mail. The input is a mail; or, if its first byte is 0 to 3, a mail's text (1:
 * with the subject of a forward, 2: as HTML). */
#include "mail/reply.h"
#include "fuzz/touch.h"
#include "mail/body.h"

/* The text of a mail with nothing but it, so that it is read as any other. */
static const char *mail_of(struct arena *arena, unsigned how, const char *text, size_t length,
                           size_t *total)
{
    const char *head =
        arena_printf(arena,
                     "From: a@b.example\r\nSubject: %s\r\nContent-Type: text/%s; "
                     "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
                     (how & 1) != 0 ? "Fwd: x" : "Re: x", (how & 2) != 0 ? "html" : "plain");
    size_t before = strlen(head);
    char *mail = arena_alloc(arena, before + length + 1);
    memcpy(mail, head, before);
    memcpy(mail + before, text, length);
    *total = before + length;
    return mail;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct mail mail;
    struct mail_text text;
    struct mail_reply reply;
    struct err err;
    const char *at = (const char *)bytes;
    size_t total = length;
    if (length > 0 && bytes[0] < 4)
        at = mail_of(arena, bytes[0], at + 1, total - 1, &total);
    if (mail_parse(arena, at, total, NULL, &mail, &err) == 0) {
        mail_body_read(arena, &mail, &text);
        mail_reply_read(arena, &text, mail.subject, &reply);
        touch_text(reply.text);
        MUST(reply.rule != NULL);
        /* "blank only if the whole text is" */
        MUST(reply.text[strspn(reply.text, " \n\t")] != '\0' ||
             text.text[strspn(text.text, " \n\t")] == '\0');
    }
    arena_free(&arena);
    return 0;
}
