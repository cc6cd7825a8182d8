/* The mailpoller's metrics, registered once at start. */
#ifndef DESK_MAILPOLLER_COUNTERS_H
#define DESK_MAILPOLLER_COUNTERS_H

#include "mail/classify.h"
#include "service/metrics.h"

#define COUNTERS_CLASSES (MAIL_CLASS_SPAM + 1)

struct counters {
    struct metric *published[COUNTERS_CLASSES]; /* by class */
    struct metric *reported, *skipped, *gone, *attachments, *attachment_bytes, *swept;
    struct metric *files_read, *files_unread;
    struct metric *mailboxes, *connected, *sessions_failed, *logins_refused, *rescans;
    struct metric *database_failures, *publish_failures, *not_held, *workers_lost;
    struct metric *publish_seconds;
};
extern struct counters counters;

/* Registers all; main thread, before the loops. */
void counters_init(void);

#endif
