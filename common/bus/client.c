/* What every Kafka client here shares: settings, log, error classes and the wake-up through an
 * eventfd. docs/KAFKA.md says why each setting has its value. Called by the producer, the consumer,
 * the administration and the scan. */
#include "bus/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024
/* librdkafka's main thread sleeps whole milliseconds, rounded down, and then looks again and again
 * until its next timer has come. With a wake-up that may come so much late it has. */
#define TIMER_SLACK_NS 2000000ul

static const struct bus_setting common_settings[] = {
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "500"},
    /* A lost SYN is sent again after 1, 3, 7, 15 s: a new try is sooner there once the way is back.
     */
    {"socket.connection.setup.timeout.ms", "3000"},
    /* A topic or partition made after us is noticed within this time, not within 5 minutes. */
    {"topic.metadata.refresh.interval.ms", "30000"},
    {"log.connection.close", "false"},
    {NULL, NULL},
};

static const struct {
    rd_kafka_resp_err_t code;
    enum err_class class;
    const char *name;
} errors[] = {
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_PERMANENT, "bus.too_large"},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, ERR_PERMANENT, "bus.too_large"},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, ERR_PERMANENT, "bus.invalid_record"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERR_PERMANENT, "bus.no_topic"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_PERMANENT, "bus.no_topic"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERR_PERMANENT, "bus.no_topic"},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ERR_PERMANENT, "bus.bad_topic"},
    {RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, ERR_FALL_BACK, "bus.topic_exists"},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, ERR_PERMANENT, "bus.bad_config"},
    /* Not only a number too large: also while brokers are starting and still fenced. */
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ERR_RETRY_LATER, "bus.replication"},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, ERR_PERMANENT, "bus.bad_config"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_PERMANENT, "bus.bad_config"},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, ERR_BUG, "bus.config"},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, ERR_RETRY_LATER, "bus.full"},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_RETRY_LATER, "bus.timeout"},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERR_RETRY_LATER, "bus.timeout"},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_RETRY_LATER, "bus.denied"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_RETRY_LATER, "bus.denied"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERR_RETRY_LATER, "bus.denied"},
};

int bus_client_fail(struct err *err, rd_kafka_resp_err_t code, const char *what)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == code)
            return err_set(err, errors[i].class, errors[i].name, "%s: %s", what,
                           rd_kafka_err2str(code));
    return err_set(err, ERR_RETRY_LATER, "bus.broker", "%s: %s", what, rd_kafka_err2str(code));
}

const char *bus_client_number(int64_t value, char out[BUS_NUMBER_SIZE])
{
    snprintf(out, BUS_NUMBER_SIZE, "%lld", (long long)value);
    return out;
}

void bus_client_log(const struct bus_client *client, int syslog_level, const char *facility,
                    const char *format, ...)
{
    if (client->log == NULL)
        return;
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    client->log(client->log_arg, syslog_level, facility, line);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct bus_client *client = rd_kafka_opaque(rk);
    if (client == NULL)
        return;
    /* "OFFSET: offset reset": records that were not read are gone, or the topic was made anew. */
    bool alarm = strcmp(facility, "OFFSET") == 0 && strstr(text, "offset reset") != NULL;
    bus_client_log(client, alarm ? LOG_ERR : level, facility, "%s", text);
}

/* The severity of a client error: only what nobody but a person can mend is an error. */
static int error_level(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__FATAL:
        return LOG_CRIT;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return LOG_ERR;
    default:
        return LOG_WARNING;
    }
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct bus_client *client = opaque;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        char text[512] = "";
        rd_kafka_resp_err_t cause = rd_kafka_fatal_error(rk, text, sizeof text);
        atomic_store(&client->fatal, true);
        bus_client_log(client, LOG_CRIT, rd_kafka_err2name(cause), "%s", text);
        return;
    }
    bus_client_log(client, error_level(code), rd_kafka_err2name(code), "%s", reason);
}

static int set(rd_kafka_conf_t *conf, const char *key, const char *value, struct err *err)
{
    char text[200];
    if (rd_kafka_conf_set(conf, key, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return 0;
    return err_set(err, ERR_BUG, "bus.config", "Kafka client setting %s is refused: %s", key, text);
}

static int set_all(rd_kafka_conf_t *conf, const struct bus_setting *settings, struct err *err)
{
    for (; settings->key != NULL; settings++)
        if (settings->value != NULL && set(conf, settings->key, settings->value, err) != 0)
            return -1;
    return 0;
}

/* NULL, which set_all skips, for an empty text. */
static const char *given(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static int set_security(rd_kafka_conf_t *conf, const struct bus_options *options, struct err *err)
{
    const char *name = options->security != NULL ? options->security : "";
    if (name[0] == '\0')
        return 0;
    bool sasl = strcmp(name, "sasl_plain_tls") == 0;
    if (!sasl && strcmp(name, "mtls") != 0)
        return err_set(err, ERR_BUG, "bus.config",
                       "Kafka security \"%s\" is none of \"\", mtls, sasl_plain_tls", name);
    const struct bus_setting settings[] = {
        {"security.protocol", sasl ? "SASL_SSL" : "SSL"},
        {"sasl.mechanisms", sasl ? "PLAIN" : NULL},
        {"sasl.username", sasl ? given(options->sasl_user) : NULL},
        {"sasl.password", sasl ? given(options->sasl_password) : NULL},
        {"ssl.ca.location", given(options->ca_file)},
        {"ssl.certificate.location", given(options->cert_file)},
        {"ssl.key.location", given(options->key_file)},
        {NULL, NULL},
    };
    return set_all(conf, settings, err);
}

int bus_client_conf(const struct bus_options *options, struct bus_client *client,
                    const struct bus_setting *settings, rd_kafka_conf_t **conf, struct err *err)
{
    if (given(options->brokers) == NULL)
        return err_set(err, ERR_BUG, "bus.config", "no Kafka brokers are configured");
    const struct bus_setting identity[] = {
        {"bootstrap.servers", options->brokers},
        {"client.id", given(options->client_id)},
        {NULL, NULL},
    };
    rd_kafka_conf_t *made = rd_kafka_conf_new();
    if (set_all(made, identity, err) != 0 || set_all(made, common_settings, err) != 0 ||
        set_security(made, options, err) != 0 || set_all(made, settings, err) != 0) {
        rd_kafka_conf_destroy(made);
        return -1;
    }
    rd_kafka_conf_set_log_cb(made, on_log);
    rd_kafka_conf_set_error_cb(made, on_error);
    client->log = options->log;
    client->log_arg = options->log_arg;
    atomic_init(&client->fatal, false);
    *conf = made;
    return 0;
}

int bus_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, void *opaque, rd_kafka_t **rk,
                   struct err *err)
{
    char text[300];
    rd_kafka_conf_set_opaque(conf, opaque);
    const int slack_ns = prctl(PR_GET_TIMERSLACK); /* its threads take ours over */
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    rd_kafka_t *made = rd_kafka_new(type, conf, text, sizeof text);
    prctl(PR_SET_TIMERSLACK, (unsigned long)slack_ns);
    if (made == NULL) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_BUG, "bus.config", "no Kafka client can be made: %s", text);
    }
    *rk = made;
    return 0;
}

static void on_readable(void *arg, int events)
{
    (void)events;
    struct bus_wake *wake = arg;
    uint64_t count;
    /* Non-blocking; an empty one means that a former pass has read it. */
    ssize_t got = read(wake->fd, &count, sizeof count);
    (void)got;
    wake->fn(wake->arg);
}

void bus_wake_init(struct bus_wake *wake, struct loop *loop, void (*fn)(void *arg), void *arg)
{
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake->fd < 0) {
        perror("eventfd");
        abort();
    }
    wake->fn = fn;
    wake->arg = arg;
    wake->watch = watch_new(loop, wake->fd, on_readable, wake);
    watch_set(wake->watch, WATCH_READ);
}

void bus_wake_enable(const struct bus_wake *wake, rd_kafka_queue_t *queue)
{
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, wake->fd, &one, sizeof one);
}

void bus_wake_up(const struct bus_wake *wake)
{
    static const uint64_t one = 1;
    ssize_t put = write(wake->fd, &one, sizeof one);
    (void)put; /* full: it is awake already */
}

void bus_wake_fini(struct bus_wake *wake)
{
    watch_free(&wake->watch);
    close(wake->fd);
    wake->fd = -1;
}
