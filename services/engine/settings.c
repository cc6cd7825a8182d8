/* The engine's configuration table. */
#include "settings.h"

#define ROW(key, type, field, fallback, min, max, flags, help)                                     \
    {                                                                                              \
        key, type, offsetof(struct engine_settings, field), fallback, min, max, flags, NULL, help  \
    }

const struct config_spec engine_config[] = {
    CONFIG_COMMON_ROWS(engine_settings, common),
    CONFIG_KAFKA_ROWS(engine_settings, kafka),
    ROW("database_url", CONFIG_SECRET, database_url, "", 0, 0, CONFIG_REQUIRED,
        "PostgreSQL of the role frontdesk_engine, pooled or direct (libpq URI)."),
    ROW("id_key_file", CONFIG_TEXT, id_key_file, "", 0, 0, CONFIG_REQUIRED,
        "File with the 32-byte key (hexadecimal) that ids are hashed under; the same everywhere, "
        "for "
        "ever."),
    ROW("credentials_key_file", CONFIG_TEXT, credentials_key_files, "", 0, 0, CONFIG_REQUIRED,
        "Files with the keys that open stored credentials, comma-separated, the current one "
        "first."),
    ROW("loops", CONFIG_INT, loops, "1", 1, 64, 0, "Event loops, each a worker of its own."),
    ROW("database_connections", CONFIG_INT, database_connections, "6", 1, 16, 0,
        "Connections per loop, each with one unit in flight."),
    ROW("worker_lease_ms", CONFIG_MS, worker_lease_ms, "4s", 200, 60000, 0,
        "Lease of a worker; what a dead one held is taken up after it."),
    ROW("adopt_every_ms", CONFIG_MS, adopt_every_ms, "1s", 50, 60000, 0,
        "How often due work without a live owner is looked for."),
    ROW("burst_ms", CONFIG_MS, burst_ms, "3s", 0, 60000, 0,
        "A turn starts so long after the last text of a burst."),
    ROW("burst_max_ms", CONFIG_MS, burst_max_ms, "10s", 0, 120000, 0,
        "A turn starts at the latest so long after the first text of a burst."),
    ROW("turn_deadline_ms", CONFIG_MS, turn_deadline_ms, "30s", 100, 600000, 0,
        "Model and tools of one turn end by then; after it the fallback wording is the reply."),
    ROW("adopter_deadline_ms", CONFIG_MS, adopter_deadline_ms, "5s", 100, 60000, 0,
        "What an adopter of a turn has at least, however late it is."),
    ROW("answer_within_ms", CONFIG_MS, answer_within_ms, "24h", 1000, 2592000000, 0,
        "Older texts are stored as late and never answered by themselves."),
    ROW("unfinished_message_ms", CONFIG_MS, unfinished_message_ms, "15m", 1000, 86400000, 0,
        "A message that a customer began to leave without a model becomes a task for people when "
        "nothing is added to it for so long."),
    ROW("recovery_every_ms", CONFIG_MS, recovery_every_ms, "2s", 100, 600000, 0,
        "Of what was answered without a model, a tenant whose file has recover.by_itself gets at "
        "most one conversation answered after all in so long."),
    ROW("quiet_ms", CONFIG_MS, quiet_ms, "168h", 1000, 31536000000, 0,
        "A conversation silent for so long is closed; the next text opens another."),
    ROW("loop_replies", CONFIG_INT, loop_replies, "20", 0, 1000, 0,
        "So many replies of the AI to one customer within loop_window_ms, with no person between, "
        "are a loop: further texts are not answered and the conversation is flagged; 0: no bound."),
    ROW("loop_window_ms", CONFIG_MS, loop_window_ms, "10m", 1000, 86400000, 0, "See loop_replies."),
    ROW("mail_burst_ms", CONFIG_MS, mail_burst_ms, "20s", 0, 600000, 0,
        "The turn of a thread of mails starts so long after its last mail."),
    ROW("mail_burst_max_ms", CONFIG_MS, mail_burst_max_ms, "60s", 0, 3600000, 0,
        "And at the latest so long after the first one of a burst."),
    ROW("mail_deadline_ms", CONFIG_MS, mail_deadline_ms, "5m", 100, 600000, 0,
        "As turn_deadline_ms, of mails."),
    ROW("mail_answer_within_ms", CONFIG_MS, mail_answer_within_ms, "120h", 1000, 2592000000, 0,
        "As answer_within_ms, of mails."),
    ROW("mail_loop_replies", CONFIG_INT, mail_loop_replies, "10", 0, 1000, 0,
        "So many mails of the AI to one address within mail_loop_window_ms, or three times as "
        "many within seven of these, over all threads and with no person between, are a loop, and "
        "so are three times as many within one to all addresses that differ only behind a +, and "
        "a mail that so many addresses, each in answer to the one before, led to: further mails "
        "are not answered and the conversation is flagged; 0: no bound."),
    ROW("mail_loop_window_ms", CONFIG_MS, mail_loop_window_ms, "24h", 1000, 604800000, 0,
        "See mail_loop_replies."),
    ROW("tool_networks", CONFIG_TEXT, tool_networks, "", 0, 0, 0,
        "Networks and addresses that tenants' HTTP tools may reach although they are not public, "
        "comma-separated without spaces (10.20.0.0/16,fd00:20::/64); at most 64."),
    ROW("tool_calls_per_tenant", CONFIG_INT, tool_calls_per_tenant, "16", 1, 1000, 0,
        "Requests to HTTP tools of one tenant at once per loop; more wait for these."),
    ROW("max_in_flight", CONFIG_INT, max_in_flight, "12000", 1, 100000, 0,
        "Turns at work at once per loop; more wait in the database."),
    ROW("provider_in_flight", CONFIG_INT, provider_in_flight, "10000", 1, 100000, 0,
        "Of these, turns that one provider of models works for, or that wait for it, per loop; "
        "less "
        "than max_in_flight, so that a slow one does not take the places of all."),
    ROW("prompt_tokens", CONFIG_INT, prompt_tokens, "24000", 2000, 1000000, 0,
        "Budget of one prompt in tokens, estimated: older messages and papers are left out of it."),
    ROW("rate_engines", CONFIG_INT, rate_engines, "1", 1, 1000, 0,
        "So many engines share the models' limits per minute: each of their loops takes its part."),
    ROW("claim_batch", CONFIG_INT, claim_batch, "256", 1, 500, 0, "Most events in one claim."),
    ROW("session_timeout_ms", CONFIG_MS, session_timeout_ms, "30s", 1000, 300000, 0,
        "Kafka consumer group session."),
    ROW("heartbeat_ms", CONFIG_MS, heartbeat_ms, "3s", 100, 60000, 0,
        "Kafka consumer group heartbeat."),
    ROW("voice_session_timeout_ms", CONFIG_MS, voice_session_timeout_ms, "6s", 1000, 300000, 0,
        "Kafka consumer group session of the lane of phone calls."),
    ROW("voice_heartbeat_ms", CONFIG_MS, voice_heartbeat_ms, "500ms", 100, 60000, 0,
        "Kafka consumer group heartbeat of the lane of phone calls."),
    ROW("voice_deadline_ms", CONFIG_MS, voice_deadline_ms, "10s", 100, 60000, 0,
        "Before the first word of a spoken turn; after it the reception speaks without a model. An "
        "ingress that hears nothing for 12 s speaks itself."),
    ROW("voice_heard_wait_ms", CONFIG_MS, voice_heard_wait_ms, "6s", 0, 30000, 0,
        "Who goes on with a turn that another engine began to speak waits at most so long for what "
        "the caller heard of it: until the group has given the dead engine's records away. With "
        "three quarters of worker_lease_ms at least voice_session_timeout_ms and "
        "voice_heartbeat_ms."),
    ROW("voice_filler_ms", CONFIG_MS, voice_filler_ms, "1500ms", 100, 60000, 0,
        "A tool that takes longer is covered by a word to the caller."),
    ROW("transcript_wait_ms", CONFIG_MS, transcript_wait_ms, "60s", 0, 600000, 0,
        "People are told of a spoken message at the latest so long after it, with what the "
        "provider wrote down of it if that has come."),
    ROW("missed_call_wait_ms", CONFIG_MS, missed_call_wait_ms, "60s", 0, 600000, 0,
        "People are told of a call in which nothing was said, or nobody answered the caller, so "
        "long after its end: a message that was left in it may be told of later than that."),
};
const size_t engine_config_count = sizeof engine_config / sizeof engine_config[0];

/* A dead engine's lease is over a renewal after its death at the soonest, and its records are
 * somebody else's when the group has missed its heartbeats and told the others: only then can the
 * row say what the caller heard. */
int settings_check(const struct engine_settings *settings, struct err *err)
{
    const int64_t lease_ms = settings->worker_lease_ms - settings->worker_lease_ms / 4;
    const int64_t gone_ms = settings->voice_session_timeout_ms + settings->voice_heartbeat_ms;
    if (lease_ms + settings->voice_heard_wait_ms >= gone_ms)
        return 0;
    return err_set(err, ERR_PERMANENT, "config.invalid",
                   "voice_heard_wait_ms must be at least %lld: with three quarters of "
                   "worker_lease_ms (%lld) no less than voice_session_timeout_ms (%lld) and "
                   "voice_heartbeat_ms (%lld), else who goes on with a dead engine's reply says "
                   "again what the caller has heard",
                   (long long)(gone_ms - lease_ms), (long long)settings->worker_lease_ms,
                   (long long)settings->voice_session_timeout_ms,
                   (long long)settings->voice_heartbeat_ms);
}
