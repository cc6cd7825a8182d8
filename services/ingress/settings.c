/* Ingress's configuration table. */
#include "settings.h"

#include "contract/twilio.h"
#include "contract/voice.h"

#define ROW(key, type, field, fallback, min, max, flags, help)                                     \
    {                                                                                              \
        key, type, offsetof(struct ingress_settings, field), fallback, min, max, flags, NULL, help \
    }

const struct config_spec ingress_config[] = {
    CONFIG_COMMON_ROWS(ingress_settings, common),
    CONFIG_KAFKA_ROWS(ingress_settings, kafka),
    ROW("listen", CONFIG_TEXT, listen, "127.0.0.1:8081", 0, 0, CONFIG_REQUIRED,
        "IPv4 address and port for webhooks, plain HTTP: a proxy stands before it."),
    ROW("public_url", CONFIG_TEXT, public_url, "", 0, 0, CONFIG_REQUIRED,
        "Base of the webhook URLs as configured at Twilio, https://host; it is what Twilio signs."),
    ROW("edge_secret_key_file", CONFIG_TEXT, edge_secret_key_file, "", 0, 0, CONFIG_REQUIRED,
        "File with the 32-byte key (hexadecimal) that opens the sealed signing keys."),
    ROW("relay_listen", CONFIG_TEXT, relay_listen, "127.0.0.1:8083", 0, 0, 0,
        "IPv4 address and port for ConversationRelay's sockets (/relay/), plain; behind the "
        "proxy. Empty: no calls are answered here, callers are asked for a message."),
    ROW("max_calls", CONFIG_INT, max_calls, "1000", 1, 60000, 0,
        "Relay sockets open at once, a descriptor each; a caller beyond is asked for a message."),
    ROW("stream_partition", CONFIG_INT, stream_partition, "-1", -1, VOICE_PARTITION_MAX, 0,
        "Partition of voice.stream to read, modulo how many there are; -1: from the instance's "
        "name. Several may share one."),
    ROW("threads", CONFIG_INT, threads, "128", 2, 512, 0,
        "Connections served at once; more wait to be accepted."),
    ROW("concurrency", CONFIG_INT, concurrency, "120", 1, 512, 0,
        "Requests inside at once; more are answered 503. Less than threads."),
    ROW("status_concurrency", CONFIG_INT, status_concurrency, "60", 1, 512, 0,
        "Status callbacks inside at once; more are answered 503, so that texts find room. Less "
        "than concurrency."),
    ROW("step_concurrency", CONFIG_INT, step_concurrency, "60", 1, 512, 0,
        "Callers in webhook mode whose requests wait for an engine at once; more are put off with "
        "a filler. Never more than half of concurrency: texts need room."),
    ROW("step_wait_ms", CONFIG_MS, step_wait_ms, "4s", 100, 4000, 0,
        "Longest wait of such a request, in which the caller hears nothing; then a filler. The "
        "proxy must wait for longer."),
    ROW("request_deadline_ms", CONFIG_MS, request_deadline_ms, "10s", 1000, 60000, 0,
        "Longest time for a request to arrive in full."),
    ROW("produce_deadline_ms", CONFIG_MS, produce_deadline_ms, "4s", 100, 12000, 0,
        "Longest wait for Kafka's acknowledgement; then 503, and Twilio tries again."),
    ROW("quarantine_per_source", CONFIG_INT, quarantine_per_source, "120", 0, 1000000, 0,
        "Webhooks of one sender that are parked each minute when they cannot be verified."),
    ROW("quarantine_per_number", CONFIG_INT, quarantine_per_number, "60", 0, 1000000, 0,
        "Webhooks for one number that are parked each minute; all unknown numbers count as one."),
};
const size_t ingress_config_count = sizeof ingress_config / sizeof ingress_config[0];

int ingress_settings_check(const struct ingress_settings *settings, struct err *err)
{
    if (!twilio_is_public_url(settings->public_url))
        return err_set(err, ERR_PERMANENT, "config.invalid",
                       "public_url \"%s\" must be like https://desk.example.com: no slash at the "
                       "end, no query, no credentials",
                       settings->public_url);
    if (settings->concurrency >= settings->threads)
        return err_set(err, ERR_PERMANENT, "config.invalid",
                       "concurrency (%lld) must be less than threads (%lld): the rest answers 503",
                       (long long)settings->concurrency, (long long)settings->threads);
    if (settings->status_concurrency >= settings->concurrency)
        return err_set(
            err, ERR_PERMANENT, "config.invalid",
            "status_concurrency (%lld) must be less than concurrency (%lld): the rest is "
            "for texts",
            (long long)settings->status_concurrency, (long long)settings->concurrency);
    return 0;
}
