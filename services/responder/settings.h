/* The responder's configuration. */
#ifndef DESK_RESPONDER_SETTINGS_H
#define DESK_RESPONDER_SETTINGS_H

#include "service/config.h"

struct responder_settings {
    struct config_common common;
    struct config_kafka kafka;
    struct secret *database_url;
    const char *credentials_key_files; /* opens the providers' tokens; the first one is current */
    const char *twilio_base_url, *public_url;
    int64_t loops, database_connections;
    int64_t worker_lease_ms, adopt_every_ms;
    int64_t lookup_after_ms; /* 0: lease + 120 s */
    int64_t park_after_ms, max_attempts;
    int64_t max_in_flight, max_per_channel, claim_batch;
    int64_t request_timeout_ms;
    int64_t gap_audit_every_ms, call_audit_after_ms, call_look_up_after_ms;
    int64_t recording_max_bytes, recording_timeout_ms, recording_tries;
    const char *mail_token_key_files; /* sign reply addresses and Message-IDs; "": no mail leaves */
    const char *mail_ca_file, *mail_hello, *mail_networks;
    int64_t mail_in_flight, mail_threads, mail_per_account, mail_drain_ms;
    int64_t mail_connect_ms, mail_command_ms, mail_data_ms, mail_dot_ms, mail_begin_ms;
    int64_t mail_again_after_ms, mail_park_after_ms, mail_copies;
    int64_t session_timeout_ms, heartbeat_ms;
};

/* The table behind --help and docs/CONFIGURATION.md, and its length. */
extern const struct config_spec responder_config[];
extern const size_t responder_config_count;

/* When an unknown send is looked up, from the end of its request. */
int64_t settings_lookup_after_ms(const struct responder_settings *settings);

/* The same from its claim, of one whose worker died: it may have begun to leave a lease later and
 * be answered as late as a request may be. */
int64_t settings_lost_after_ms(const struct responder_settings *settings);

/* The same of a mail, which has no look-up: when it is sent again, counted from its claim if its
 * worker died. By then the last byte of it had left, or could not any more, mail_again_after_ms
 * ago.
 */
int64_t settings_mail_lost_after_ms(const struct responder_settings *settings);

#endif
