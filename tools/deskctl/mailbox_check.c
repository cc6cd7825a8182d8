/* `deskctl mailbox check`: the steps in order, up to the first that fails, and what the others,
 * that do not need it, say. */
#include <string.h>

#include "base/text.h"
#include "mailbox.h"
#include "mailbox_probe.h"

#define WAIT_DEFAULT_S 60
#define WAIT_MAX_S     600

struct checking {
    struct desk *desk;
    struct table *table;
    size_t failed;
};

static const struct table_column columns[] = {
    {"step", TABLE_TEXT},
    {"result", TABLE_TEXT},
    {"said", TABLE_TEXT},
    {"code", TABLE_TEXT},
};

/* Puts a step on record; true if it went well. */
static bool note(struct checking *checking, const char *step, int result, const char *said,
                 const struct err *err)
{
    const bool good = result == 0;
    const char *cells[] = {step, good ? "ok" : "failed", good ? said : err->message,
                           good ? NULL : err->code};
    table_add(checking->table, cells);
    checking->failed += !good;
    return good;
}

static void skip(struct checking *checking, const char *step, const char *why)
{
    const char *cells[] = {step, "skipped", why, NULL};
    table_add(checking->table, cells);
}

static bool check_in(struct checking *checking, struct mailbox_probe *probe)
{
    struct err err;
    const char *said = NULL;
    int result = mailbox_probe_log_in(probe, &said, &err);
    if (!note(checking, "imap login", result, said, &err))
        return false;
    result = mailbox_probe_folder(probe, &said, &err);
    return note(checking, "folder", result, said, &err);
}

static void check_mail(struct checking *checking, struct mailbox_probe *probe, bool in,
                       int64_t wait_s)
{
    struct err err;
    const char *said = NULL;
    int result = mailbox_probe_send(probe, &said, &err);
    if (!note(checking, "smtp send", result, said, &err)) {
        skip(checking, "arrival", "nothing was sent");
    } else if (!in) {
        skip(checking, "arrival", "the folder cannot be looked into");
    } else {
        desk_note("waiting up to %lld s for the mail to itself", (long long)wait_s);
        result = mailbox_probe_receive(probe, wait_s, &said, &err);
        note(checking, "arrival", result, said, &err);
    }
}

static void check_all(struct checking *checking, struct mailbox_probe *probe,
                      const struct mailbox_admin_row *row, bool mail, int64_t wait_s)
{
    struct err err;
    if (mailbox_probe_wants_token(probe) &&
        !note(checking, "token", mailbox_probe_token(probe, &err), "the endpoint gives tokens",
              &err))
        return;
    bool in = check_in(checking, probe);
    if (row->smtp_url == NULL)
        skip(checking, "smtp send",
             "it has no account to send by: `deskctl mailbox add` gives one");
    else if (!mail)
        skip(checking, "smtp send", "as --no-mail says");
    else
        check_mail(checking, probe, in, wait_s);
}

static int read_row(struct desk *desk, const char *address, struct mailbox_admin_row *row,
                    struct err *err)
{
    struct pg_session *session = NULL;
    int result =
        desk_begin(desk, &session, err) == 0 ? mailbox_find(desk, session, address, row, err) : -1;
    desk_rollback(desk);
    return result;
}

int mailbox_check(struct desk *desk, const struct words *words)
{
    struct mailbox_admin_row row;
    struct mailbox_probe *probe = NULL;
    struct err err;
    int64_t wait_s = WAIT_DEFAULT_S;
    const char *wait = words_option(words, "wait");
    if (wait != NULL && !text_parse_int(wait, 1, WAIT_MAX_S, &wait_s))
        return desk_usage("--wait must be a number of seconds from 1 to %d", WAIT_MAX_S);
    if (read_row(desk, words->operands[0], &row, &err) != 0)
        return desk_fail(&err);
    struct checking checking = {
        .desk = desk,
        .table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]),
    };
    if (note(&checking, "logins", mailbox_probe_new(desk, &row, &probe, &err),
             mailbox_said(desk->arena, &row), &err))
        check_all(&checking, probe, &row, words_option(words, "no-mail") == NULL, wait_s);
    mailbox_probe_free(&probe);
    int code = desk_print_table(desk, checking.table, "");
    return code != DESK_OK ? code : checking.failed > 0 ? DESK_FAILED : DESK_OK;
}
