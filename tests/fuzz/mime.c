/* A whole mail: parse, text, who wrote it, what its server found out. The input is the mail. */
#include "fuzz/touch.h"
#include "mail/authres.h"
#include "mail/body.h"
#include "mail/classify.h"

static void take(void *arg, const struct mail_part *part, const void *bytes, size_t length)
{
    (void)arg;
    touch_line(part->name);
    touch_line(part->type);
    touch_bytes(bytes, length);
}

static void touch_addresses(const struct mail_addresses *list)
{
    MUST(list->count <= MAIL_ADDRESSES_MAX);
    for (size_t i = 0; i < list->count; i++) {
        touch_line(list->items[i].name);
        touch_line(list->items[i].address);
    }
}

static void touch_ids(const struct mail_ids *ids)
{
    MUST(ids->count <= MAIL_IDS_MAX);
    for (size_t i = 0; i < ids->count; i++)
        touch_line(ids->items[i]);
}

static void touch_mail(const struct mail *mail)
{
    const struct mail_addresses *lists[] = {&mail->from, &mail->reply_to, &mail->to, &mail->cc,
                                            &mail->delivered};
    MUST(mail->header_count <= MAIL_HEADERS_MAX);
    MUST(mail->section_count <= MAIL_SECTIONS_MAX && mail->part_count <= MAIL_PARTS_MAX);
    for (size_t i = 0; i < mail->header_count; i++) {
        touch_line(mail->headers[i].name);
        touch_line(mail->headers[i].value);
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        touch_addresses(lists[i]);
    touch_ids(&mail->in_reply_to);
    touch_ids(&mail->references);
    touch_line(mail->message_id);
    touch_line(mail->subject);
    if (mail->return_path != NULL)
        touch_line(mail->return_path);
    touch_text(mail->report);
    touch_text(mail->original);
    for (size_t i = 0; i < mail->section_count; i++)
        if (mail->sections[i].plain != NULL)
            touch_text(mail->sections[i].plain);
}

static void judge(struct arena *arena, const struct mail *mail)
{
    static const char *const ours[] = {"desk@clinic.example"}, *const trusted[] = {"mx.example",
                                                                                   ""};
    static const struct mail_house house = {ours, 1, NULL};
    struct mail_text text;
    struct mail_verdict verdict;
    struct mail_auth auth;
    mail_body_read(arena, mail, &text);
    touch_text(text.text);
    mail_auth_read(arena, mail, trusted, 2, &auth);
    mail_classify(mail, text.text, &auth, &house, &verdict);
    MUST(mail_class_name(verdict.class)[0] != '\0');
    MUST(!auth.verified || !mail->odd_from);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct mail_sink sink = {.take = take};
    struct arena *arena = arena_new();
    struct mail mail;
    struct err err;
    if (mail_parse(arena, (const char *)bytes, length, &sink, &mail, &err) == 0) {
        touch_mail(&mail);
        judge(arena, &mail);
    }
    arena_free(&arena);
    return 0;
}
