/* Configuration as a table: one static array per service drives parsing, --help, --check-config and
 * docs/CONFIGURATION.md. A value comes from --key=value, else the environment FRONTDESK_<KEY>, else
 * the file named by --config ("key = value" lines, # comments), else the default. */
#ifndef DESK_SERVICE_CONFIG_H
#define DESK_SERVICE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/strbuf.h"

enum config_type {
    CONFIG_TEXT, /* const char *   (never NULL; "" when empty) */
    CONFIG_INT,  /* int64_t, min..max */
    CONFIG_MS,   /* int64_t milliseconds, min..max; takes "250ms", "3s", "10m", "24h" or plain ms */
    CONFIG_BYTES,  /* int64_t, min..max; takes "64k", "2m" or plain bytes */
    CONFIG_BOOL,   /* bool; true/false */
    CONFIG_CHOICE, /* const char *, one of `choices` */
    CONFIG_SECRET, /* struct secret * (NULL when empty); "file:PATH", "env:NAME" or the text */
};

enum config_flags {
    CONFIG_REQUIRED = 1, /* empty is an error */
};

struct config_spec {
    const char *key; /* snake_case; the environment name is FRONTDESK_ + upper case */
    enum config_type type;
    size_t offset;        /* of the field in the settings struct */
    const char *fallback; /* the default as text; NULL or "": empty */
    int64_t min, max;     /* for numbers */
    unsigned flags;
    const char *const *choices; /* NULL-terminated, for CONFIG_CHOICE */
    const char *help;           /* one sentence */
};

/* The settings that every service has; first member of each settings struct. */
struct config_common {
    const char *instance;     /* name of this replica: static membership, logs, stream partition */
    const char *log_level;    /* debug, info, warn, error */
    const char *admin_listen; /* healthz, readyz, metrics */
    int64_t drain_ms;         /* SIGTERM: longest drain */
};

/* Kafka settings, shared by all that talk to it. */
struct config_kafka {
    const char *brokers, *topic_prefix, *security, *ca_file, *cert_file, *key_file;
    const char *sasl_user;
    struct secret *sasl_password;
};

/* Table rows for the shared groups; `s` is the settings struct, `m` the member of that type. */
#define CONFIG_COMMON_ROWS(s, m)                                                                   \
    {"instance",                                                                                   \
     CONFIG_TEXT,                                                                                  \
     offsetof(struct s, m.instance),                                                               \
     "",                                                                                           \
     0,                                                                                            \
     0,                                                                                            \
     CONFIG_REQUIRED,                                                                              \
     NULL,                                                                                         \
     "Name of this replica, unique among those running and stable over restarts."},                \
        {"log_level", CONFIG_CHOICE,     offsetof(struct s, m.log_level), "info", 0, 0,            \
         0,           config_log_levels, "Least severity that is logged."},                        \
        {"admin_listen",                                                                           \
         CONFIG_TEXT,                                                                              \
         offsetof(struct s, m.admin_listen),                                                       \
         "127.0.0.1:0",                                                                            \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         "Address of /healthz, /readyz and /metrics; port 0 lets the kernel choose."},             \
    {                                                                                              \
        "drain_ms", CONFIG_MS, offsetof(struct s, m.drain_ms), "25s", 0, 600000, 0, NULL,          \
            "Longest time between SIGTERM and the end."                                            \
    }

#define CONFIG_KAFKA_ROWS(s, m)                                                                      \
    {"kafka_brokers",                                                                                \
     CONFIG_TEXT,                                                                                    \
     offsetof(struct s, m.brokers),                                                                  \
     "",                                                                                             \
     0,                                                                                              \
     0,                                                                                              \
     CONFIG_REQUIRED,                                                                                \
     NULL,                                                                                           \
     "Bootstrap servers, host:port, comma-separated."},                                              \
        {"topic_prefix",                                                                             \
         CONFIG_TEXT,                                                                                \
         offsetof(struct s, m.topic_prefix),                                                         \
         "desk.",                                                                                    \
         0,                                                                                          \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         "Start of every topic name."},                                                              \
        {"kafka_security",                                                                           \
         CONFIG_CHOICE,                                                                              \
         offsetof(struct s, m.security),                                                             \
         "plaintext",                                                                                \
         0,                                                                                          \
         0,                                                                                          \
         0,                                                                                          \
         config_kafka_security,                                                                      \
         "How to reach the brokers."},                                                               \
        {"kafka_ca_file",                                                                            \
         CONFIG_TEXT,                                                                                \
         offsetof(struct s, m.ca_file),                                                              \
         "",                                                                                         \
         0,                                                                                          \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         "CA bundle (PEM) that signed the brokers' certificates."},                                  \
        {"kafka_cert_file",                                                                          \
         CONFIG_TEXT,                                                                                \
         offsetof(struct s, m.cert_file),                                                            \
         "",                                                                                         \
         0,                                                                                          \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         "Client certificate (PEM) for mtls."},                                                      \
        {"kafka_key_file",                                                                           \
         CONFIG_TEXT,                                                                                \
         offsetof(struct s, m.key_file),                                                             \
         "",                                                                                         \
         0,                                                                                          \
         0,                                                                                          \
         0,                                                                                          \
         NULL,                                                                                       \
         "Client key (PEM) for mtls."},                                                              \
        {"kafka_sasl_user",         CONFIG_TEXT, offsetof(struct s, m.sasl_user), "", 0, 0, 0, NULL, \
         "User for sasl_plain_tls."},                                                                \
    {                                                                                                \
        "kafka_sasl_password", CONFIG_SECRET, offsetof(struct s, m.sasl_password), "", 0, 0, 0,      \
            NULL, "Password for sasl_plain_tls."                                                     \
    }

extern const char *const config_log_levels[];
extern const char *const config_kafka_security[]; /* plaintext, mtls, sasl_plain_tls */

/* Where values come from. */
struct config_sources {
    const char *const *arguments; /* "--key=value" words, NULL-terminated */
    const char *file;             /* path or NULL */
};

/* Fills *settings (zeroed by the caller). All problems are collected: PERMANENT "config.invalid",
 * and `problems` gets one line each, naming key, source and what to do. An unknown key is a problem
 * (with the nearest known one suggested). On failure *settings must still be given to config_free.
 */
int config_load(const struct config_spec *specs, size_t count, const struct config_sources *sources,
                void *settings, struct strbuf *problems, struct err *err);

/* Frees what config_load put into *settings. */
void config_free(const struct config_spec *specs, size_t count, void *settings);

/* Appends the effective values, one "key = value" line each, secrets masked. */
void config_print(const struct config_spec *specs, size_t count, const void *settings,
                  struct strbuf *out);

/* Appends the table as Markdown (docs/CONFIGURATION.md) or as --help text. */
void config_document(const struct config_spec *specs, size_t count, const char *title,
                     struct strbuf *out);
void config_help(const struct config_spec *specs, size_t count, struct strbuf *out);

#endif
