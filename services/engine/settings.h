/* The engine's configuration. */
#ifndef DESK_ENGINE_SETTINGS_H
#define DESK_ENGINE_SETTINGS_H

#include "base/err.h"
#include "service/config.h"

struct engine_settings {
    struct config_common common;
    struct config_kafka kafka;
    struct secret *database_url;
    const char *id_key_file;           /* keyed ids of contacts, sessions and messages */
    const char *credentials_key_files; /* opens the model keys; the first one is current */
    int64_t loops, database_connections;
    int64_t worker_lease_ms, adopt_every_ms;
    int64_t burst_ms, burst_max_ms;
    int64_t turn_deadline_ms, adopter_deadline_ms;
    int64_t unfinished_message_ms, recovery_every_ms;
    int64_t answer_within_ms, quiet_ms, loop_replies, loop_window_ms;
    int64_t mail_burst_ms, mail_burst_max_ms, mail_deadline_ms, mail_answer_within_ms;
    int64_t mail_loop_replies, mail_loop_window_ms;
    const char *tool_networks; /* that tenants' HTTP tools may reach besides public addresses */
    int64_t tool_calls_per_tenant;
    int64_t max_in_flight, provider_in_flight, claim_batch;
    int64_t prompt_tokens;
    int64_t rate_engines;
    int64_t session_timeout_ms, heartbeat_ms;
    int64_t voice_session_timeout_ms, voice_heartbeat_ms;
    int64_t voice_deadline_ms, voice_heard_wait_ms, voice_filler_ms;
    int64_t transcript_wait_ms, missed_call_wait_ms;
};

/* The table behind --help and docs/CONFIGURATION.md, and its length. */
extern const struct config_spec engine_config[];
extern const size_t engine_config_count;

/* What the values must be to one another. PERMANENT "config.invalid"; the message names the
 * setting and what it must be. */
int settings_check(const struct engine_settings *settings, struct err *err);

#endif
