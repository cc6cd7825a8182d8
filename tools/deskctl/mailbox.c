/* `deskctl mailbox`: its table of commands, and the short ones, list, pause and resume. */
#include "mailbox.h"

#include <string.h>

#include "base/text.h"
#include "mail/address.h"
#include "store/tenant.h"
#include "json/json.h"

#define REASON_MAX 200

/* ---- one mailbox ---- */

int mailbox_find(struct desk *desk, struct pg_session *session, const char *address,
                 struct mailbox_admin_row *row, struct err *err)
{
    struct mailbox_admin_row *rows = NULL;
    size_t count = 0;
    if (mailbox_admin_list(session, desk->arena, NULL, mail_address_lower(desk->arena, address),
                           &rows, &count, err) != 0)
        return -1;
    if (count == 0)
        return err_set(err, ERR_PERMANENT, "mailbox.not_found",
                       "no mailbox has the address %.100s; `deskctl mailbox list` shows all",
                       address);
    *row = rows[0];
    return 0;
}

const char *mailbox_state(const struct mailbox_admin_row *row)
{
    if (row->paused_at != NULL)
        return "paused";
    if (row->failures > 0)
        return "failing";
    if (row->held)
        return row->uid_validity > 0 ? "reading" : "connecting";
    return row->uid_validity > 0 ? "waiting" : "new";
}

/* The poller's words are "code: sentence". */
static const char *sentence_of(const char *error)
{
    const char *colon = strstr(error, ": ");
    return colon != NULL && strcspn(error, " ") > (size_t)(colon - error) ? colon + 2 : error;
}

const char *mailbox_said(struct arena *arena, const struct mailbox_admin_row *row)
{
    if (row->paused_at != NULL)
        return arena_printf(arena, "%s paused it on %s: %s", row->paused_by, row->paused_at,
                            row->paused_why != NULL ? sentence_of(row->paused_why)
                                                    : "no reason given");
    if (row->last_error != NULL)
        return arena_printf(arena, "%s (%lld in a row, again at %s)", sentence_of(row->last_error),
                            (long long)row->failures, row->due_at);
    if (row->alert != NULL)
        return arena_printf(arena, "its server says: %s", row->alert);
    if (row->skipped > 0)
        return arena_printf(arena, "%lld mails were passed by", (long long)row->skipped);
    return NULL;
}

/* ---- list ---- */

static const struct table_column columns[] = {
    {"tenant", TABLE_TEXT},     {"address", TABLE_TEXT},   {"state", TABLE_TEXT},
    {"folder", TABLE_TEXT},     {"last_uid", TABLE_INT},   {"uid_validity", TABLE_INT},
    {"skipped", TABLE_INT},     {"last_read", TABLE_TEXT}, {"server", TABLE_TEXT},
    {"login", TABLE_TEXT},      {"sends_by", TABLE_TEXT},  {"per_minute", TABLE_INT},
    {"per_day", TABLE_INT},     {"sent_copy", TABLE_TEXT}, {"said", TABLE_TEXT},
    {"error_code", TABLE_TEXT},
};

/* People get what fits on a line; scripts all. */
#define COLUMNS_FOR_PEOPLE 8

static const char *number(struct arena *arena, int64_t value)
{
    return value > 0 ? arena_printf(arena, "%lld", (long long)value) : NULL;
}

static const char *code_of(struct arena *arena, const struct mailbox_admin_row *row)
{
    const char *error = row->paused_why != NULL ? row->paused_why : row->last_error;
    if (error == NULL || sentence_of(error) == error)
        return NULL;
    return arena_strndup(arena, error, strcspn(error, ":"));
}

static void add_row(struct arena *arena, struct table *table, bool json,
                    const struct mailbox_admin_row *row)
{
    const char *last_uid = arena_printf(arena, "%lld", (long long)row->last_uid);
    const char *skipped = arena_printf(arena, "%lld", (long long)row->skipped);
    const char *said = mailbox_said(arena, row);
    const char *sent = row->sent_folder == NULL      ? NULL
                       : row->sent_folder[0] == '\0' ? "auto"
                                                     : row->sent_folder;
    const char *for_people[] = {row->tenant_name, row->address, mailbox_state(row), row->folder,
                                last_uid,         skipped,      row->read_at,       said};
    const char *all[] = {row->tenant_name,
                         row->address,
                         mailbox_state(row),
                         row->folder,
                         last_uid,
                         number(arena, row->uid_validity),
                         skipped,
                         row->read_at,
                         arena_printf(arena, "%s:%lld", row->host, (long long)row->port),
                         row->auth,
                         row->smtp_url,
                         number(arena, row->per_minute),
                         number(arena, row->per_day),
                         sent,
                         said,
                         code_of(arena, row)};
    table_add(table, json ? all : for_people);
}

static int run_list(struct desk *desk, const struct words *words)
{
    static const struct table_column shown[COLUMNS_FOR_PEOPLE] = {
        {"tenant", TABLE_TEXT},    {"address", TABLE_TEXT}, {"state", TABLE_TEXT},
        {"folder", TABLE_TEXT},    {"last_uid", TABLE_INT}, {"skipped", TABLE_INT},
        {"last_read", TABLE_TEXT}, {"said", TABLE_TEXT}};
    struct pg_session *session = NULL;
    struct mailbox_admin_row *rows = NULL;
    struct err err;
    size_t count = 0;
    if (desk_begin(desk, &session, &err) != 0 ||
        mailbox_admin_list(session, desk->arena, words_option(words, "tenant"), NULL, &rows, &count,
                           &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_rollback(desk);
    struct table *table = desk->json
                              ? table_new(desk->arena, columns, sizeof columns / sizeof columns[0])
                              : table_new(desk->arena, shown, COLUMNS_FOR_PEOPLE);
    for (size_t i = 0; i < count; i++)
        add_row(desk->arena, table, desk->json, &rows[i]);
    return desk_print_table(desk, table, "no mailboxes; `deskctl mailbox add FILE` adds one");
}

/* ---- pause and resume ---- */

static const char *detail_of(struct arena *arena, const char *why)
{
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, 4096);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    if (why != NULL)
        json_add_text(&writer, "why", why);
    json_close_object(&writer);
    const char *text = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return text;
}

static int step(struct desk *desk, const char *address, bool pause, const char *why, bool *changed,
                struct err *err)
{
    struct pg_session *session = NULL;
    struct mailbox_admin_row row;
    const char *actor = desk_actor(desk);
    if (desk_begin(desk, &session, err) != 0 ||
        mailbox_find(desk, session, address, &row, err) != 0)
        return -1;
    int result = pause ? mailbox_admin_pause(session, &row, actor, why, changed, err)
                       : mailbox_admin_resume(session, &row, changed, err);
    if (result == 0 && *changed)
        result =
            tenant_audit(session, &row.tenant, actor, pause ? "mailbox.pause" : "mailbox.resume",
                         row.address, detail_of(desk->arena, why), err);
    return result == 0 ? desk_commit(desk, err) : -1;
}

static int change(struct desk *desk, const char *address, bool pause, const char *why)
{
    struct err err;
    bool changed = false;
    if (step(desk, address, pause, why, &changed, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    if (!changed)
        desk_note("%s was %s already", address, pause ? "paused" : "being read");
    else
        desk_note(pause
                      ? "paused: no mail of %s is read until `deskctl mailbox resume`; what waits "
                        "to be sent still is"
                      : "%s is read again, from where it was left",
                  address);
    const struct desk_fact facts[] = {{"address", address, 0},
                                      {"result", changed ? "changed" : "unchanged", 0},
                                      {"state", pause ? "paused" : "due", 0}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static int run_pause(struct desk *desk, const struct words *words)
{
    const char *why = words_option(words, "why");
    if (why != NULL &&
        (why[0] == '\0' || strlen(why) > REASON_MAX || !text_is_utf8(why, strlen(why))))
        return desk_usage("--why must be a sentence of at most %d bytes", REASON_MAX);
    return change(desk, words->operands[0], true, why);
}

static int run_resume(struct desk *desk, const struct words *words)
{
    return change(desk, words->operands[0], false, NULL);
}

/* ---- the table ---- */

static const struct option add_options[] = {
    {"replace", NULL,
     "the mailbox is there already: change it, and keep what was read of it, if it is not at "
     "another host, port, user or folder now"},
    {"secret-stdin", NULL, "the password, or the refresh token, is the line on standard input"},
    {NULL, NULL, NULL},
};
static const struct option list_options[] = {
    {"tenant", "NAME", "only of this tenant"},
    {NULL, NULL, NULL},
};
static const struct option pause_options[] = {
    {"why", "TEXT", "shown by `mailbox list` until it is resumed"},
    {NULL, NULL, NULL},
};
static const struct option check_options[] = {
    {"no-mail", NULL, "log in both ways, but send no mail"},
    {"wait", "SECONDS", "how long the mail to itself may take, 1-600 (default 60)"},
    {NULL, NULL, NULL},
};

const struct command command_mailbox[] = {
    {"mailbox add", "FILE", "let a tenant's mailbox be read and answered",
     "FILE says where the mailbox is and how to log in (docs/MAIL.md has its fields). Secrets are\n"
     "references in it, env:NAME or file:PATH, or come on standard input; they are kept wrapped\n"
     "under the credentials key. A new mailbox is read from its next mail on. `mailbox check`\n"
     "tells whether all of it works.",
     add_options, 1, 1, mailbox_add},
    {"mailbox check", "ADDRESS", "log in both ways, send a mail to itself and read it back",
     "Says of each step what the server told, and of the first that fails, in one sentence, why.\n"
     "The mail is marked as our own, so that nobody answers it; it stays in the mailbox, unread.",
     check_options, 1, 1, mailbox_check},
    {"mailbox list", "", "how each mailbox stands, how far it was read, and what is wrong", NULL,
     list_options, 0, 0, run_list},
    {"mailbox pause", "ADDRESS", "read no more of it, until resumed", NULL, pause_options, 1, 1,
     run_pause},
    {"mailbox resume", "ADDRESS", "read on, at once",
     "For one that is paused; the mailpoller pauses a mailbox itself when its provider takes its\n"
     "grant no more. Add it with --replace first, then.",
     NULL, 1, 1, run_resume},
    {.words = NULL},
};
