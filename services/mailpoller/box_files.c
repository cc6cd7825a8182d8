/* Reads the files of the mails in hand that only another program can read: PDFs, one at a time per
 * loop. What does not tell its text in time is known to the model by its name. */
#include "base/clock.h"
#include "box_inside.h"
#include "counters.h"
#include "mail_files.h"
#include "service/log.h"

#define READ_MS      10000 /* all files of a mail together */
#define CPU_S        5
#define MEMORY_BYTES ((size_t)512 * 1024 * 1024)
#define OUTPUT_BYTES ((size_t)64 * 1024)
#define WAIT_MS      100
#define LAST_PAGE    "50"

static struct mail_outcome *outcome_of(struct box *box)
{
    return &box->mails[box->mail_at].outcome;
}

static void note(struct box *box, const char *why)
{
    metric_add(why == NULL ? counters.files_read : counters.files_unread, 1);
    if (why != NULL)
        log_warn("mail.file_unread", LOG_TEXT("mailbox", box->id),
                 LOG_TEXT("event_id", outcome_of(box)->id), LOG_INT("file", (int64_t)box->read_at),
                 LOG_TEXT("why", why));
}

static void on_read(void *arg, const struct child_end *end)
{
    struct box *box = arg;
    box->child = NULL;
    box->mailpoller->reading = NULL;
    if (end->ok)
        mail_files_read(box->mail_arena, outcome_of(box), box->read_at, end->output, end->length,
                        end->cut);
    note(box, end->ok ? NULL : end->why);
    box->read_at++;
    box_happen(box, BOX_ON_NEXT);
}

static struct child *start(struct box *box, int64_t left_ms, struct err *err)
{
    const char *program = box->mailpoller->shared->settings.pdf_program;
    const struct attachment *pdf = &outcome_of(box)->attachments[box->read_at];
    const char *const argv[] = {program, "-q",      "-enc", "UTF-8", "-nopgbrk",
                                "-l",    LAST_PAGE, "-",    "-",     NULL};
    return child_start(box->mailpoller->loop,
                       &(struct child_options){.argv = argv,
                                               .input = pdf->bytes,
                                               .length = pdf->length,
                                               .output_max = OUTPUT_BYTES,
                                               .memory_max = MEMORY_BYTES,
                                               .cpu_s = CPU_S,
                                               .wall_ms = left_ms,
                                               .done = on_read,
                                               .arg = box},
                       err);
}

/* Reads the file, or notes why not and goes on. */
static void read_file(struct box *box)
{
    struct err err;
    struct mailpoller *mailpoller = box->mailpoller;
    if (mailpoller->reading != NULL) {
        timer_start(box->timer, WAIT_MS, 0);
        return;
    }
    const int64_t now_ms = clock_mono_ms();
    if (box->read_until_ms == 0)
        box->read_until_ms = now_ms + READ_MS;
    if (now_ms < box->read_until_ms)
        box->child = start(box, box->read_until_ms - now_ms, &err);
    else
        err_set(&err, ERR_PERMANENT, "child.late", "time");
    if (box->child != NULL) {
        mailpoller->reading = box;
        return;
    }
    note(box, err.message);
    box->read_at++;
    box_happen(box, BOX_ON_NEXT);
}

void box_read(struct box *box)
{
    const struct mailpoller_settings *settings = &box->mailpoller->shared->settings;
    for (; box->mail_at < box->mail_count; box->mail_at++) {
        struct mail_outcome *outcome = outcome_of(box);
        if (!box_mail_counts(&box->mails[box->mail_at]))
            continue;
        box->read_at = mail_event_to_read(outcome, box->read_at);
        if (box->read_at < outcome->attachment_count && settings->pdf_program[0] != '\0') {
            read_file(box);
            return;
        }
        mail_event_seal(box->mail_arena, settings->kafka.topic_prefix, outcome);
        box->read_at = 0;
        box->read_until_ms = 0;
    }
    box->mail_at = 0;
    box_happen(box, BOX_ON_READ);
}

void box_stop_reading(struct box *box)
{
    child_cancel(&box->child);
    if (box->mailpoller->reading == box)
        box->mailpoller->reading = NULL;
}
