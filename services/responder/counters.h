/* The responder's metrics, registered once at start. */
#ifndef DESK_RESPONDER_COUNTERS_H
#define DESK_RESPONDER_COUNTERS_H

#include "service/metrics.h"

struct counters {
    struct metric *claimed, *refused, *no_row, *claim_failures, *claim_seconds;
    struct metric *accepted, *declined, *deferred, *unknown, *not_sent, *alerts;
    struct metric *request_seconds, *settle_failures, *in_flight;
    struct metric *expired, *parked, *adopted, *look_ups_failed, *found, *not_found, *gave_up;
    struct metric *call_ends, *call_ends_failed, *call_ends_given_up;
    struct metric *receipts, *receipts_no_effect, *receipts_unknown, *dead_letters,
        *dead_letters_lost;
    struct metric *workers_lost, *credentials_bad;
    struct metric *copies, *copies_failed;
    struct metric *gap_audits, *gap_audits_failed, *gaps;
    struct metric *recordings_kept, *recordings_missed, *recordings_given_up;
};
extern struct counters counters;

/* Registers all; main thread, before the loops. */
void counters_init(void);

#endif
