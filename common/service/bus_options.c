/* Kafka client options from the settings that all services share, and librdkafka's log lines into
 * ours. Called by services before they open producers and consumers, and by deskctl. */
#include "base/mem.h"
#include "service/inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MAX      16
#define ID_BYTES_MAX 256

/* One copy of each client id for the life of the process, because the options only borrow it. */
static const char *intern(const char *id)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static char *ids[IDS_MAX];
    size_t i = 0;
    pthread_mutex_lock(&mutex);
    while (i < IDS_MAX && ids[i] != NULL && strcmp(ids[i], id) != 0)
        i++;
    assert(i < IDS_MAX);
    if (ids[i] == NULL)
        ids[i] = xstrdup(id);
    pthread_mutex_unlock(&mutex);
    return ids[i];
}

/* Syslog's numbers: 0-3 are errors, 4 a warning, the rest detail. A broker that is away is an
 * error to librdkafka and a warning to us: readiness and metrics tell what it means. */
static void on_log(void *arg, int syslog_level, const char *facility, const char *message)
{
    (void)arg;
    if (syslog_level <= 4)
        log_warn("kafka.client", LOG_TEXT("facility", facility), LOG_TEXT("message", message));
    else
        log_debug("kafka.client", LOG_TEXT("facility", facility), LOG_TEXT("message", message));
}

void service_bus_connection(const struct config_kafka *kafka, struct bus_options *options)
{
    bool plain = strcmp(kafka->security, "plaintext") == 0;
    *options = (struct bus_options){
        .brokers = kafka->brokers,
        .security = plain ? "" : kafka->security,
        .ca_file = kafka->ca_file,
        .cert_file = kafka->cert_file,
        .key_file = kafka->key_file,
        .sasl_user = kafka->sasl_user,
        .sasl_password = kafka->sasl_password == NULL ? "" : secret_reveal(kafka->sasl_password),
    };
}

void service_bus_options(const struct config_kafka *kafka, const struct config_common *common,
                         const char *name, struct bus_options *options)
{
    char id[ID_BYTES_MAX];
    snprintf(id, sizeof id, "frontdesk-%s-%s", name, common->instance);
    service_bus_connection(kafka, options);
    options->client_id = intern(id);
    options->log = on_log;
}
