/* The mailpoller's configuration. */
#ifndef DESK_MAILPOLLER_SETTINGS_H
#define DESK_MAILPOLLER_SETTINGS_H

#include "service/config.h"

struct mailpoller_settings {
    struct config_common common;
    struct config_kafka kafka;
    struct secret *database_url;
    const char *mail_token_key_files;  /* sign what our mails carry; the first one is current */
    const char *credentials_key_files; /* open what deskctl wrapped; "": none */
    const char *mail_ca_file;          /* "": the system's bundle */
    const char *mail_networks;         /* besides public addresses */
    const char *pdf_program;           /* "": PDFs are not read */
    int64_t loops, database_connections;
    int64_t worker_lease_ms, adopt_every_ms;
    int64_t max_mailboxes, idle_max;
    int64_t poll_every_ms, idle_ms;
    int64_t connect_timeout_ms, command_timeout_ms;
    int64_t retry_ms, retry_max_ms, login_retry_ms;
};

/* The table behind --help and docs/CONFIGURATION.md, and its length. */
extern const struct config_spec mailpoller_config[];
extern const size_t mailpoller_config_count;

#endif
