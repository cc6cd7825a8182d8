/* Registration of the mailpoller's metrics. */
#include "counters.h"

#include <stddef.h>
#include <stdio.h>

struct counters counters;

#define ROW(field, kind, name, labels, help)                                                       \
    {                                                                                              \
        &counters.field, metric_##kind, name, labels, help                                         \
    }

static void init_classes(void)
{
    static char labels[COUNTERS_CLASSES][40];
    for (int class = 0; class < COUNTERS_CLASSES; class ++) {
        snprintf(labels[class], sizeof labels[class], "class=\"%s\"",
                 mail_class_name((enum mail_class) class));
        counters.published[class] = metric_counter("frontdesk_mails_published_total", labels[class],
                                                   "Mails published by class");
    }
}

void counters_init(void)
{
    const struct {
        struct metric **metric;
        struct metric *(*make)(const char *name, const char *labels, const char *help);
        const char *name, *labels, *help;
    } rows[] = {
        ROW(reported, counter, "frontdesk_mail_reports_total", "",
            "Reports on mails of ours that were published"),
        ROW(skipped, counter, "frontdesk_mails_skipped_total", "",
            "Mails passed by without an event, listed for a person"),
        ROW(gone, counter, "frontdesk_mails_gone_total", "",
            "Mails that somebody removed before they were fetched"),
        ROW(attachments, counter, "frontdesk_attachments_stored_total", "", "Attachments stored"),
        ROW(attachment_bytes, counter, "frontdesk_attachments_stored_bytes_total", "",
            "Bytes of attachments stored"),
        ROW(files_read, counter, "frontdesk_mail_files_read_total", "",
            "Attached PDFs whose text was read"),
        ROW(files_unread, counter, "frontdesk_mail_files_unread_total", "",
            "Attached PDFs that could not be read within bounds"),
        ROW(swept, counter, "frontdesk_attachments_swept_total", "",
            "Attachments dropped whose mail nobody claimed within 30 days"),
        ROW(mailboxes, gauge, "frontdesk_mailboxes_in_hand", "", "Mailboxes in hand"),
        ROW(connected, gauge, "frontdesk_mailboxes_connected", "",
            "Mailboxes in hand whose server let us in"),
        ROW(sessions_failed, counter, "frontdesk_mailbox_failures_total", "",
            "Sessions with mail servers that failed"),
        ROW(logins_refused, counter, "frontdesk_mailbox_logins_refused_total", "",
            "Logins that a server refused: user or secret are to be mended"),
        ROW(rescans, counter, "frontdesk_mailbox_rescans_total", "",
            "Mailboxes read again because their UIDVALIDITY changed"),
        ROW(database_failures, counter, "frontdesk_mailbox_units_failed_total", "",
            "Statements of a mailbox that failed; it is taken up again"),
        ROW(publish_failures, counter, "frontdesk_mail_publish_failures_total", "",
            "Records that Kafka did not take and that were sent again"),
        ROW(not_held, counter, "frontdesk_mailboxes_not_held_total", "",
            "Mailboxes dropped because another process has them"),
        ROW(workers_lost, counter, "frontdesk_workers_lost_total", "",
            "Times a worker of this process was marked dead"),
        ROW(publish_seconds, histogram, "frontdesk_mail_publish_seconds", "",
            "Time from a mail's fetch to its moved cursor"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        *rows[i].metric = rows[i].make(rows[i].name, rows[i].labels, rows[i].help);
    init_classes();
}
