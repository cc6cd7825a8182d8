/* Ingress's configuration. */
#ifndef DESK_INGRESS_SETTINGS_H
#define DESK_INGRESS_SETTINGS_H

#include "service/config.h"

struct ingress_settings {
    struct config_common common;
    struct config_kafka kafka;
    const char *listen;
    const char *public_url; /* what Twilio signs, without a path's slash at its end */
    const char *edge_secret_key_file;
    const char *relay_listen;            /* "": no sockets */
    int64_t max_calls, stream_partition; /* -1: by the instance's name */
    int64_t threads, concurrency, status_concurrency;
    int64_t step_concurrency, step_wait_ms; /* of webhook mode */
    int64_t request_deadline_ms, produce_deadline_ms;
    int64_t quarantine_per_source, quarantine_per_number; /* each minute */
};

/* The table behind --help and docs/CONFIGURATION.md, and its length. */
extern const struct config_spec ingress_config[];
extern const size_t ingress_config_count;

/* What the table cannot say: public_url must be an http or https URL without query, fragment,
 * credentials or slash at its end; concurrency less than threads, status_concurrency less
 * than concurrency. PERMANENT "config.invalid". */
int ingress_settings_check(const struct ingress_settings *settings, struct err *err);

#endif
