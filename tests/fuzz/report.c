/* Reports on mails of ours: delivery status, bounces of other forms, complaints. The input is the
 * mail; and what its first line says is read as a status code. */
#include "mail/report.h"
#include "fuzz/touch.h"
#include "mail/body.h"

static void touch_report(const struct mail_report *report)
{
    MUST(report->recipient_count <= MAIL_REPORT_RECIPIENTS_MAX);
    for (size_t i = 0; i < report->recipient_count; i++) {
        const struct mail_report_recipient *recipient = &report->recipients[i];
        touch_line(recipient->address);
        touch_line(recipient->diagnostic);
        MUST(strlen(recipient->diagnostic) <= MAIL_REPORT_TEXT_MAX);
        MUST(strlen(recipient->status) < MAIL_REPORT_STATUS_SIZE);
        touch_line(recipient->status);
        MUST(mail_report_action_name(recipient->action)[0] != '\0');
        MUST(mail_fault_name(recipient->fault)[0] != '\0');
    }
    touch_line(report->original_id);
    touch_line(report->envelope_id);
    touch_line(report->feedback);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct mail mail;
    struct mail_text text;
    struct mail_report report;
    struct err err;
    const char *line = arena_strndup(arena, (const char *)bytes, length < 40 ? length : 40);
    MUST(mail_fault_name(mail_report_fault(line))[0] != '\0');
    if (mail_parse(arena, (const char *)bytes, length, NULL, &mail, &err) == 0) {
        mail_body_read(arena, &mail, &text);
        mail_report_read(arena, &mail, text.text, &report);
        touch_report(&report);
    }
    arena_free(&arena);
    return 0;
}
