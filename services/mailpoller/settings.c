/* The mailpoller's configuration table. */
#include "settings.h"

#define ROW(key, type, field, fallback, min, max, flags, help)                                     \
    {                                                                                              \
        key, type, offsetof(struct mailpoller_settings, field), fallback, min, max, flags, NULL,   \
            help                                                                                   \
    }

const struct config_spec mailpoller_config[] = {
    CONFIG_COMMON_ROWS(mailpoller_settings, common),
    CONFIG_KAFKA_ROWS(mailpoller_settings, kafka),
    ROW("database_url", CONFIG_SECRET, database_url, "", 0, 0, CONFIG_REQUIRED,
        "PostgreSQL of the role frontdesk_mailpoller, pooled or direct (libpq URI)."),
    ROW("mail_token_key_file", CONFIG_TEXT, mail_token_key_files, "", 0, 0, CONFIG_REQUIRED,
        "Files with the keys that sign addresses and ids of our mails, comma-separated, the "
        "current one first; the responder's."),
    ROW("credentials_key_file", CONFIG_TEXT, credentials_key_files, "", 0, 0, 0,
        "Files with the keys that wrap mailboxes' logins, comma-separated, the current one first; "
        "empty: only mailboxes whose secret is in a file or a variable are read."),
    ROW("mail_ca_file", CONFIG_TEXT, mail_ca_file, "", 0, 0, 0,
        "CA bundle (PEM) that signed the mail servers' certificates; empty: the system's."),
    ROW("mail_networks", CONFIG_TEXT, mail_networks, "", 0, 0, 0,
        "Networks that mailboxes may be in besides public addresses, as 10.1.0.0/16,fd00::/8."),
    ROW("pdf_program", CONFIG_TEXT, pdf_program, "/usr/bin/pdftotext", 0, 0, 0,
        "Program that tells the text of attached PDFs (poppler-utils); it runs without network and "
        "within bounds. Empty, or not there: a PDF is told to the model by its name."),
    ROW("loops", CONFIG_INT, loops, "1", 1, 64, 0, "Event loops, each a worker of its own."),
    ROW("database_connections", CONFIG_INT, database_connections, "4", 1, 16, 0,
        "Connections per loop, each with one unit in flight."),
    ROW("worker_lease_ms", CONFIG_MS, worker_lease_ms, "4s", 200, 60000, 0,
        "Lease of a worker; another one takes its mailboxes over when it has lapsed."),
    ROW("adopt_every_ms", CONFIG_MS, adopt_every_ms, "1s", 50, 60000, 0,
        "How often due mailboxes without a live owner are looked for."),
    ROW("max_mailboxes", CONFIG_INT, max_mailboxes, "500", 1, 10000, 0,
        "Mailboxes in hand at once per loop, each with a connection; more wait for another "
        "process, or until one is given back. Of those that do not keep their connection "
        "(idle_max) at most half, or 1, are of one mail server."),
    ROW("idle_max", CONFIG_INT, idle_max, "400", 0, 10000, 0,
        "Mailboxes per loop that keep their connection while nothing comes; the others are looked "
        "into in turn, about every poll_every_ms, on a connection for each look. With less than "
        "max_mailboxes one process reads them all, however many there are."),
    ROW("poll_every_ms", CONFIG_MS, poll_every_ms, "60s", 50, 3600000, 0,
        "How often a mailbox is looked into whose server does not tell of new mail (IDLE), or "
        "that keeps no connection (idle_max)."),
    ROW("idle_ms", CONFIG_MS, idle_ms, "5m", 50, 1740000, 0,
        "How long a server is trusted to tell of new mail before it is asked; less than what a "
        "firewall lets a silent connection live."),
    ROW("connect_timeout_ms", CONFIG_MS, connect_timeout_ms, "15s", 100, 120000, 0,
        "Longest time to connect to a mail server."),
    ROW("command_timeout_ms", CONFIG_MS, command_timeout_ms, "60s", 100, 600000, 0,
        "A mail server that is silent for so long in the middle of an answer is given up."),
    ROW("retry_ms", CONFIG_MS, retry_ms, "5s", 10, 600000, 0,
        "First pause after a mailbox failed; it doubles with each failure."),
    ROW("retry_max_ms", CONFIG_MS, retry_max_ms, "5m", 10, 3600000, 0,
        "Longest pause after a mailbox failed."),
    ROW("login_retry_ms", CONFIG_MS, login_retry_ms, "15m", 10, 86400000, 0,
        "Pause after a server did not take user and secret: more tries lock an account."),
};
const size_t mailpoller_config_count = sizeof mailpoller_config / sizeof mailpoller_config[0];
