/* Ingress's metrics, registered at start so that each is there before its first event. */
#include "counters.h"

#include "base/strbuf.h"

struct counters counters;

static const char *const routes[ROUTE_COUNT] = {"sms", "status", "other"};
static const int statuses[] = {200, 204, 400, 403, 404, 405, 415, 500, 503};
#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])
static struct metric *answered[ROUTE_COUNT][STATUS_COUNT];

static void register_answers(void)
{
    for (int route = 0; route < ROUTE_COUNT; route++) {
        for (size_t i = 0; i < STATUS_COUNT; i++) {
            struct strbuf labels;
            strbuf_init(&labels, 128);
            strbuf_printf(&labels, "route=\"%s\",status=\"%d\"", routes[route], statuses[i]);
            answered[route][i] = metric_counter("frontdesk_ingress_requests_total", labels.data,
                                                "Webhooks answered, by route and status.");
            strbuf_fini(&labels);
        }
    }
}

void counters_init(void)
{
    register_answers();
    counters.in_flight =
        metric_gauge("frontdesk_ingress_in_flight", "", "Webhooks being handled now.");
    counters.produce = metric_histogram("frontdesk_ingress_produce_seconds", "",
                                        "Time until Kafka confirmed a record.");
    counters.produce_failed = metric_counter("frontdesk_ingress_produce_failed_total", "",
                                             "Records that Kafka did not confirm in time.");
    counters.parked = metric_counter("frontdesk_ingress_quarantine_total", "outcome=\"parked\"",
                                     "Webhooks that could not be verified or read.");
    counters.park_refused =
        metric_counter("frontdesk_ingress_quarantine_total", "outcome=\"refused\"",
                       "Webhooks that could not be verified or read.");
    counters.directory_channels =
        metric_gauge("frontdesk_ingress_directory_channels", "", "Channels in the directory.");
    counters.directory_version = metric_gauge("frontdesk_ingress_directory_version", "",
                                              "Highest channel version that was read.");
    counters.directory_bad = metric_counter("frontdesk_ingress_directory_bad_records_total", "",
                                            "Directory records that could not be read.");
    counters.directory_unopened =
        metric_counter("frontdesk_ingress_directory_unopened_keys_total", "",
                       "Signing keys that are not sealed to this ingress's key.");
}

void counters_answered(enum route route, int status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i] == status)
            metric_add(answered[route][i], 1);
}
