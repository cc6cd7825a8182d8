/* Registration of the responder's metrics. */
#include "counters.h"

#include <stddef.h>

struct counters counters;

#define COUNTER(field, name, labels, help)                                                         \
    {                                                                                              \
        &counters.field, metric_counter, name, labels, help                                        \
    }

void counters_init(void)
{
    static const char attempts[] = "frontdesk_delivery_attempts_total",
                      attempts_help[] = "Attempts by what came of the request";
    static const char look_ups[] = "frontdesk_delivery_look_ups_total",
                      look_ups_help[] = "Unknown sends that were looked up at the provider";
    static const char call_ends[] = "frontdesk_call_ends_total",
                      call_ends_help[] = "Calls without a word of their end, asked about";
    static const char receipts[] = "frontdesk_receipts_total",
                      receipts_help[] = "Receipts by what they changed";
    static const char audits[] = "frontdesk_gap_audits_total",
                      audits_help[] =
                          "Times that a number's list at the provider was looked through";
    static const char copies[] = "frontdesk_sent_copies_total",
                      copies_help[] = "Copies of sent mails for the mailbox's folder";
    static const char recordings[] = "frontdesk_recordings_total",
                      recordings_help[] = "Recordings that were asked for at the provider";
    const struct {
        struct metric **metric;
        struct metric *(*make)(const char *name, const char *labels, const char *help);
        const char *name, *labels, *help;
    } rows[] = {
        COUNTER(claimed, "frontdesk_deliveries_claimed_total", "", "Deliveries claimed to be sent"),
        COUNTER(refused, "frontdesk_deliveries_refused_total", "",
                "Deliveries suppressed or parked by a claim"),
        COUNTER(no_row, "frontdesk_wake_ups_dropped_total", "", "Wake-ups without a delivery"),
        COUNTER(claim_failures, "frontdesk_claim_failures_total", "",
                "Claim units that failed and were tried again"),
        COUNTER(accepted, attempts, "outcome=\"accepted\"", attempts_help),
        COUNTER(declined, attempts, "outcome=\"refused\"", attempts_help),
        COUNTER(deferred, attempts, "outcome=\"deferred\"", attempts_help),
        COUNTER(unknown, attempts, "outcome=\"unknown\"", attempts_help),
        COUNTER(not_sent, attempts, "outcome=\"not_sent\"", attempts_help),
        COUNTER(alerts, "frontdesk_provider_alerts_total", "",
                "Answers of the provider that a person must look at"),
        COUNTER(settle_failures, "frontdesk_settle_failures_total", "",
                "Outcome units that failed and were tried again"),
        COUNTER(expired, "frontdesk_deliveries_expired_total", "",
                "Sends whose worker died or did not know of them"),
        COUNTER(parked, "frontdesk_deliveries_parked_total", "",
                "Deliveries that waited too long for anybody but a person"),
        COUNTER(adopted, "frontdesk_deliveries_adopted_total", "",
                "Due deliveries found without a wake-up"),
        COUNTER(look_ups_failed, look_ups, "outcome=\"failed\"", look_ups_help),
        COUNTER(found, look_ups, "outcome=\"found\"", look_ups_help),
        COUNTER(not_found, look_ups, "outcome=\"not_found\"", look_ups_help),
        COUNTER(gave_up, look_ups, "outcome=\"gave_up\"", look_ups_help),
        COUNTER(call_ends, call_ends, "outcome=\"told\"", call_ends_help),
        COUNTER(call_ends_failed, call_ends, "outcome=\"failed\"", call_ends_help),
        COUNTER(call_ends_given_up, call_ends, "outcome=\"given_up\"", call_ends_help),
        COUNTER(receipts, receipts, "outcome=\"applied\"", receipts_help),
        COUNTER(receipts_no_effect, receipts, "outcome=\"no_effect\"", receipts_help),
        COUNTER(receipts_unknown, receipts, "outcome=\"dropped\"", receipts_help),
        COUNTER(dead_letters, "frontdesk_dead_letters_total", "", "Records that could not be read"),
        COUNTER(dead_letters_lost, "frontdesk_dead_letters_lost_total", "",
                "Records that could not be read and whose dead letter no broker would take"),
        COUNTER(workers_lost, "frontdesk_workers_lost_total", "",
                "Times a worker of this process was marked dead"),
        COUNTER(credentials_bad, "frontdesk_credentials_unreadable_total", "",
                "Credentials of channels and logins of mailboxes that no key opened"),
        COUNTER(copies, copies, "outcome=\"kept\"", copies_help),
        COUNTER(copies_failed, copies, "outcome=\"failed\"", copies_help),
        COUNTER(gap_audits, audits, "outcome=\"done\"", audits_help),
        COUNTER(gap_audits_failed, audits, "outcome=\"failed\"", audits_help),
        COUNTER(
            gaps, "frontdesk_gaps_total", "",
            "Texts, calls and recordings that the provider had and the inbox had not: put into the "
            "inbound topic"),
        COUNTER(recordings_kept, recordings, "outcome=\"kept\"", recordings_help),
        COUNTER(recordings_missed, recordings, "outcome=\"missed\"", recordings_help),
        COUNTER(recordings_given_up, recordings, "outcome=\"given_up\"", recordings_help),
        {&counters.in_flight, metric_gauge, "frontdesk_deliveries_in_flight", "",
         "Deliveries in hand"},
        {&counters.claim_seconds, metric_histogram, "frontdesk_claim_seconds", "",
         "Time of a claim unit"},
        {&counters.request_seconds, metric_histogram, "frontdesk_provider_request_seconds", "",
         "Time of a create request"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        *rows[i].metric = rows[i].make(rows[i].name, rows[i].labels, rows[i].help);
}
