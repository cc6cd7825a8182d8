/* What a command of deskctl works with: settings, connections made when first asked for, output and
 * exit codes. One thread. */
#ifndef DESKCTL_DESK_H
#define DESKCTL_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "bus/bus.h"
#include "contract/topics.h"
#include "pg/pg.h"
#include "settings.h"
#include "table.h"

struct tenant_row;

enum desk_exit {
    DESK_OK = 0,
    DESK_FAILED = 1,
    DESK_USAGE = 2,
    DESK_DIFFERENT = 3, /* topics diff and dry runs: there is something to do */
    DESK_NOT_FOUND = 4,
};

#define DESK_OUTPUT_MAX (256u * 1024 * 1024)

struct desk {
    struct arena *arena; /* lives as long as the command */
    struct settings settings;
    bool json;                  /* --json was given */
    bool interactive;           /* a person can be asked: stdin and stderr are a terminal */
    struct pg_session *session; /* private: desk_database */
    struct pg_session *owner;   /* private: desk_owner */
    bool in_transaction;        /* private: desk_begin */
    struct secret *keys[4];     /* private: desk_key */
};

/* Closes the connections and wipes the keys. */
void desk_fini(struct desk *desk);

/* Says on stderr what failed; returns the exit code (DESK_NOT_FOUND for codes that end in
 * "not_found", else DESK_FAILED). */
int desk_fail(const struct err *err);

/* Says on stderr what is wrong with the command line; returns DESK_USAGE. */
int desk_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line on stderr for people: progress, hints. */
void desk_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes the buffer to stdout and frees it. Returns DESK_OK, or DESK_FAILED when stdout is broken.
 */
int desk_print(struct strbuf *out);

/* Prints the table (and frees nothing: it is the arena's). Returns as desk_print. */
int desk_print_table(const struct desk *desk, const struct table *table, const char *empty);

/* What a command has done, for --json. */
struct desk_fact {
    const char *name;
    const char *text; /* NULL: the number */
    int64_t number;
};

/* With --json prints one object with these members; else nothing, people read the notes. Returns as
 * desk_print. */
int desk_print_facts(const struct desk *desk, const struct desk_fact *facts, size_t count);

/* The session that serves as frontdesk_ops, borrowed: inside desk_begin..desk_commit only.
 * PERMANENT "desk.config" when no address is configured, or pg's error. */
int desk_database(struct desk *desk, struct pg_session **session, struct err *err);

/* Closes that session, as its connection may be dead: who asks next gets another one. */
void desk_disconnect(struct desk *desk);

/* The owner's session on the direct connection, for migrations; borrowed. */
int desk_owner(struct desk *desk, struct pg_session **session, struct err *err);

/* Opens a transaction as frontdesk_ops (local to it, so that a pooler's connection goes back clean)
 * with bounded waits. The session is the one of desk_database. */
int desk_begin(struct desk *desk, struct pg_session **session, struct err *err);
int desk_commit(struct desk *desk, struct err *err);
/* Ends the transaction, if one is open, without effect; its own failure does not matter. */
void desk_rollback(struct desk *desk);

/* The tenant of that name, in the arena; inside a transaction. PERMANENT "tenant.not_found". */
int desk_find_tenant(struct desk *desk, struct pg_session *session, const char *name,
                     struct tenant_row **row, struct err *err);

/* Kafka client options from the settings; texts are borrowed from them. PERMANENT "desk.config"
 * without brokers. */
int desk_bus(const struct desk *desk, struct bus_options *options, struct err *err);

/* Full name of a topic, in the arena. */
const char *desk_topic(const struct desk *desk, enum topic topic);

enum desk_key { DESK_KEY_EDGE_PUBLIC, DESK_KEY_EDGE_SECRET, DESK_KEY_CREDENTIALS, DESK_KEY_ID };

/* A key from its file, read once; borrowed. PERMANENT "desk.config" if none is configured, or
 * "crypto.key_file". */
int desk_key(struct desk *desk, enum desk_key which, const struct secret **key, struct err *err);

/* The configured file of a key, "" if none. */
const char *desk_key_file(const struct desk *desk, enum desk_key which);

/* Asks on the terminal; true for "y" or "yes". False without a terminal. */
bool desk_confirm(const struct desk *desk, const char *question);

/* Who is at the keyboard, for audit rows: "deskctl:<login name>", in the arena. */
const char *desk_actor(const struct desk *desk);

#endif
