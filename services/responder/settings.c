/* The responder's configuration table. */
#include "settings.h"

#define ROW(key, type, field, fallback, min, max, flags, help)                                     \
    {                                                                                              \
        key, type, offsetof(struct responder_settings, field), fallback, min, max, flags, NULL,    \
            help                                                                                   \
    }

const struct config_spec responder_config[] = {
    CONFIG_COMMON_ROWS(responder_settings, common),
    CONFIG_KAFKA_ROWS(responder_settings, kafka),
    ROW("database_url", CONFIG_SECRET, database_url, "", 0, 0, CONFIG_REQUIRED,
        "PostgreSQL of the role frontdesk_responder, pooled or direct (libpq URI)."),
    ROW("credentials_key_file", CONFIG_TEXT, credentials_key_files, "", 0, 0, CONFIG_REQUIRED,
        "Files with the keys that open stored credentials, comma-separated, the current one "
        "first."),
    ROW("twilio_base_url", CONFIG_TEXT, twilio_base_url, "https://api.twilio.com", 0, 0,
        CONFIG_REQUIRED, "Twilio's REST API, or a regional or compatible one."),
    ROW("public_url", CONFIG_TEXT, public_url, "", 0, 0, CONFIG_REQUIRED,
        "Public base URL of the webhooks: status callbacks come back there."),
    ROW("loops", CONFIG_INT, loops, "1", 1, 64, 0, "Event loops, each a worker of its own."),
    ROW("database_connections", CONFIG_INT, database_connections, "6", 1, 16, 0,
        "Connections per loop, each with one unit in flight."),
    ROW("worker_lease_ms", CONFIG_MS, worker_lease_ms, "4s", 200, 60000, 0,
        "Lease of a worker; nothing leaves without one, and nothing that was claimed longer ago."),
    ROW("adopt_every_ms", CONFIG_MS, adopt_every_ms, "1s", 50, 60000, 0,
        "How often due deliveries without a live owner are looked for."),
    ROW("lookup_after_ms", CONFIG_MS, lookup_after_ms, "0", 0, 3600000, 0,
        "An unknown send is looked up so long after its request ended, or after its claim if its "
        "worker died (then not before its request must be over: worker_lease_ms and "
        "request_timeout_ms); 0: the lease and 120 s, which is what the provider needs to list a "
        "message."),
    ROW("park_after_ms", CONFIG_MS, park_after_ms, "10m", 1000, 86400000, 0,
        "A delivery not settled so long after its first attempt waits for a person."),
    ROW("max_attempts", CONFIG_INT, max_attempts, "5", 1, 100, 0,
        "Attempts with unknown outcome before a delivery waits for a person."),
    ROW("max_in_flight", CONFIG_INT, max_in_flight, "1000", 1, 100000, 0,
        "Texts in hand at once per loop; more wait in the database."),
    ROW("max_per_channel", CONFIG_INT, max_per_channel, "50", 1, 10000, 0,
        "Requests at once for one sender's number."),
    ROW("claim_batch", CONFIG_INT, claim_batch, "256", 1, 500, 0,
        "Most deliveries or receipts in one unit of statements."),
    ROW("request_timeout_ms", CONFIG_MS, request_timeout_ms, "30s", 100, 120000, 0,
        "Longest request to the provider."),
    ROW("gap_audit_every_ms", CONFIG_MS, gap_audit_every_ms, "15m", 0, 86400000, 0,
        "How often a number's inbound list at the provider is compared with the inbox, give or "
        "take a tenth; 0: never."),
    ROW("call_audit_after_ms", CONFIG_MS, call_audit_after_ms, "6m", 0, 3600000, 0,
        "A call whose end nobody has told is taken from the provider's list so long after it: "
        "ingress may still hold what it has heard, for 5 min at most."),
    ROW("call_look_up_after_ms", CONFIG_MS, call_look_up_after_ms, "5m", 100, 3600000, 0,
        "A call that was placed and whose end nobody has told is asked about at the provider so "
        "long after its outcome could have been unknown, and as often."),
    ROW("recording_max_bytes", CONFIG_INT, recording_max_bytes, "16777216", 1000, 67108864, 0,
        "A recording that is larger stays at the provider, and its task says so."),
    ROW("recording_timeout_ms", CONFIG_MS, recording_timeout_ms, "2m", 100, 1800000, 0,
        "Longest request for a recording's bytes."),
    ROW("recording_tries", CONFIG_INT, recording_tries, "100", 1, 10000, 0,
        "Times that a recording is asked for, at the end once an hour, before its task says that "
        "it could not be fetched."),
    ROW("mail_token_key_file", CONFIG_TEXT, mail_token_key_files, "", 0, 0, 0,
        "Files with the keys that sign reply addresses and Message-IDs, comma-separated, the "
        "current "
        "one first; empty: no mail is sent."),
    ROW("mail_ca_file", CONFIG_TEXT, mail_ca_file, "", 0, 0, 0,
        "Certificates that may vouch for a mail server; empty: the system's."),
    ROW("mail_networks", CONFIG_TEXT, mail_networks, "", 0, 0, 0,
        "Networks that mailboxes may be in besides public addresses, as 10.1.0.0/16,fd00::/8, for "
        "copies of sent mails."),
    ROW("mail_hello", CONFIG_TEXT, mail_hello, "", 0, 0, 0,
        "Our name for EHLO; empty: the host's."),
    ROW("mail_in_flight", CONFIG_INT, mail_in_flight, "64", 1, 10000, 0,
        "Mails in hand at once per loop, beside the texts; more wait in the database."),
    ROW("mail_threads", CONFIG_INT, mail_threads, "16", 1, 64, 0,
        "Mails being sent at once per loop, each on a thread; at most half of them, or 1, through "
        "one server."),
    ROW("mail_per_account", CONFIG_INT, mail_per_account, "2", 1, 64, 0,
        "Mails at once for one mailbox."),
    ROW("mail_connect_ms", CONFIG_MS, mail_connect_ms, "15s", 100, 120000, 0,
        "Longest wait for a connection to a mail server."),
    ROW("mail_command_ms", CONFIG_MS, mail_command_ms, "60s", 1000, 600000, 0,
        "Longest wait for its reply to a command."),
    ROW("mail_data_ms", CONFIG_MS, mail_data_ms, "60s", 1000, 600000, 0,
        "Longest wait until it takes a block of the mail; the whole mail has twice that."),
    ROW("mail_dot_ms", CONFIG_MS, mail_dot_ms, "10m", 1000, 3600000, 0,
        "Longest wait for its reply to the end of the mail."),
    ROW("mail_drain_ms", CONFIG_MS, mail_drain_ms, "5s", 0, 600000, 0,
        "A drain waits so long for the servers of mails that have begun; after it their outcome is "
        "unknown, and another process sends them again."),
    ROW("mail_begin_ms", CONFIG_MS, mail_begin_ms, "2m", 1000, 600000, 0,
        "Longest from the claim of a mail until its first byte leaves."),
    ROW("mail_again_after_ms", CONFIG_MS, mail_again_after_ms, "10m", 100, 86400000, 0,
        "A mail whose outcome is unknown is sent again so much later, with the same Message-ID."),
    ROW("mail_park_after_ms", CONFIG_MS, mail_park_after_ms, "4h", 1000, 604800000, 0,
        "A mail not settled so long after its first attempt waits for a person."),
    ROW("mail_copies", CONFIG_INT, mail_copies, "3", 1, 10, 0,
        "Attempts with unknown outcome before a mail waits for a person."),
    ROW("session_timeout_ms", CONFIG_MS, session_timeout_ms, "30s", 1000, 300000, 0,
        "Kafka consumer group session."),
    ROW("heartbeat_ms", CONFIG_MS, heartbeat_ms, "3s", 100, 60000, 0,
        "Kafka consumer group heartbeat."),
};
const size_t responder_config_count = sizeof responder_config / sizeof responder_config[0];

int64_t settings_lookup_after_ms(const struct responder_settings *settings)
{
    return settings->lookup_after_ms > 0 ? settings->lookup_after_ms
                                         : settings->worker_lease_ms + 120000;
}

int64_t settings_lost_after_ms(const struct responder_settings *settings)
{
    const int64_t ended_ms = settings->worker_lease_ms + settings->request_timeout_ms;
    const int64_t after_ms = settings_lookup_after_ms(settings);
    return after_ms > ended_ms ? after_ms : ended_ms;
}

int64_t settings_mail_lost_after_ms(const struct responder_settings *settings)
{
    return settings->mail_begin_ms + settings->worker_lease_ms + 2 * settings->mail_data_ms +
           settings->mail_again_after_ms;
}
