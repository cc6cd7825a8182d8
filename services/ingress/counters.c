/* Ingress's metrics, registered at start so that each is there before its first event. */
#include "counters.h"

#include "base/strbuf.h"
#include "http/socket.h"

struct counters counters;

static const char *const routes[ROUTE_COUNT] = {"sms",          "status",     "voice",
                                                "voice_status", "voice_step", "other"};
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

static const char *const verdicts[COUNTERS_FRAMES] = {
    [VERDICT_TAKEN] = "taken",
    [VERDICT_HELD] = "held",
    [VERDICT_FOREIGN] = "foreign",
    [VERDICT_OLD_EPOCH] = "old_epoch",
    [VERDICT_OLD_FENCE] = "old_fence",
    [VERDICT_OLD_TURN] = "old_turn",
    [VERDICT_REPEAT] = "repeat",
    [VERDICT_SHUT] = "shut",
    [VERDICT_INTERRUPTED] = "interrupted",
    [VERDICT_OVER] = "over",
    [VERDICT_AGAIN] = "again",
    [COUNTERS_FRAME_NOT_HELD] = "not_held",
    [COUNTERS_FRAME_BAD] = "bad",
};
static struct metric *frames[COUNTERS_FRAMES];
static struct metric *closed[SOCKET_CAUSES], *refused[SOCKET_REFUSALS];

static struct metric *labelled(const char *name, const char *label, const char *value,
                               const char *help)
{
    struct strbuf labels;
    strbuf_init(&labels, 128);
    strbuf_printf(&labels, "%s=\"%s\"", label, value);
    struct metric *metric = metric_counter(name, labels.data, help);
    strbuf_fini(&labels);
    return metric;
}

static void register_sockets(void)
{
    for (int i = 0; i < SOCKET_CAUSES; i++)
        closed[i] = labelled("frontdesk_ingress_relay_closed_total", "cause", socket_cause_name(i),
                             "Relay sockets that ended, by cause.");
    for (int i = 0; i < SOCKET_REFUSALS; i++)
        refused[i] =
            labelled("frontdesk_ingress_relay_refused_total", "reason", socket_refusal_name(i),
                     "Connections that did not become a relay socket.");
    counters.sockets =
        metric_gauge("frontdesk_ingress_relay_sockets", "", "Relay sockets open now.");
    counters.relay_sent = metric_counter("frontdesk_ingress_relay_frames_sent_total", "",
                                         "Frames given to relay sockets to be sent.");
    counters.relay_dropped = metric_counter("frontdesk_ingress_relay_frames_dropped_total", "",
                                            "Of these, words thrown away before they left.");
}

static void register_calls(void)
{
    static const char frames_in[] = "frontdesk_ingress_relay_frames_total";
    static const char frames_help[] = "Frames that came from Twilio.";
    for (int i = 0; i < COUNTERS_FRAMES; i++)
        frames[i] = labelled("frontdesk_ingress_stream_frames_total", "verdict", verdicts[i],
                             "Frames of voice.stream, by what became of them.");
    counters.relay_taken = labelled(frames_in, "outcome", "taken", frames_help);
    counters.relay_ignored = labelled(frames_in, "outcome", "ignored", frames_help);
    counters.relay_bad = labelled(frames_in, "outcome", "bad", frames_help);
    counters.calls = metric_gauge("frontdesk_ingress_calls", "", "Calls held now.");
    counters.fallbacks = metric_counter("frontdesk_ingress_call_fallbacks_total", "",
                                        "Calls in which nobody answered in time.");
    counters.steps_crowded =
        metric_counter("frontdesk_ingress_steps_crowded_total", "",
                       "Steps of webhook mode put off because too many waited.");
    counters.messages_asked = metric_counter("frontdesk_ingress_call_messages_total", "",
                                             "Callers who were asked for a message.");
    counters.voice_produce =
        metric_histogram("frontdesk_ingress_voice_produce_seconds", "",
                         "Time until Kafka confirmed what a call told the engines.");
    counters.voice_late = metric_counter("frontdesk_ingress_voice_late_total", "",
                                         "What callers said that Kafka did not confirm in 3 s.");
    counters.voice_failed = metric_counter("frontdesk_ingress_voice_failed_total", "",
                                           "Records of calls that Kafka did not take.");
}

void counters_init(void)
{
    register_answers();
    register_sockets();
    register_calls();
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

void counters_frame(int verdict)
{
    metric_add(frames[verdict], 1);
}

void counters_closed(int cause, int64_t count)
{
    metric_add(closed[cause], count);
}

void counters_refused(int refusal, int64_t count)
{
    metric_add(refused[refusal], count);
}
