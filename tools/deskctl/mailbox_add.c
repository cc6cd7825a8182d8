/* `deskctl mailbox add`: a file becomes a channel, a mailbox, its account and its wrapped logins,
 * in one transaction. */
#include <stdio.h>
#include <string.h>

#include "mailbox.h"
#include "mailbox_file.h"
#include "store/credential.h"
#include "store/tenant.h"

#define LINE_MAX_BYTES 2048

/* ---- standard input ---- */

static bool is_secret(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    return length > 0;
}

/* Reads the line of --secret-stdin; NULL in *secret without that option. */
static int read_given(const struct words *words, struct secret **secret)
{
    char line[LINE_MAX_BYTES + 2];
    *secret = NULL;
    if (words_option(words, "secret-stdin") == NULL)
        return 0;
    if (fgets(line, sizeof line, stdin) == NULL)
        line[0] = '\0';
    size_t length = strcspn(line, "\r\n");
    bool good = length <= LINE_MAX_BYTES && is_secret(line, length);
    if (good)
        *secret = secret_new(line, length);
    explicit_bzero(line, sizeof line);
    return good ? 0
                : desk_usage("standard input has no secret on its first line (no spaces, at most "
                             "%d characters); nothing was changed",
                             LINE_MAX_BYTES);
}

/* ---- rows ---- */

struct adding {
    struct desk *desk;
    struct pg_session *session;
    const struct mailbox_file *file;
    const struct secret *key; /* wraps */
    bool replace, replaced, moved, returned;
    struct uuid from; /* if it moved */
};

static const char *wrap(const struct adding *adding, const struct mailbox_admin_row *row,
                        const struct mail_login *login, const char *way, struct err *err)
{
    struct arena *arena = adding->desk->arena;
    return mail_login_wrap_text(arena, login, adding->key,
                                credential_mailbox_context(arena, &row->tenant, &row->id, way),
                                err);
}

/* Ports of their own lead to whichever server a tunnel or proxy has there. */
static bool is_elsewhere(const struct mailbox_admin_row *row, const struct mailbox_file *file)
{
    return !mailbox_admin_same_port(row->port, file->imap.port) ||
           strcmp(row->host, file->imap.host) != 0 ||
           strcmp(row->user_name, file->imap.user) != 0 || strcmp(row->folder, file->folder) != 0;
}

/* A mailbox at another place is another one, whose UIDs are none of what was read: the one that was
 * left there not long ago, or a new one. */
static int take_id(struct adding *adding, const struct mailbox_admin_row *there,
                   struct mailbox_admin_row *row, struct err *err)
{
    adding->moved = there != NULL && is_elsewhere(there, adding->file);
    if (there != NULL && !adding->moved) {
        row->id = there->id;
        return 0;
    }
    if (adding->moved)
        adding->from = there->id;
    if (mailbox_admin_find_left(adding->session, row, &row->id, err) != 0)
        return -1;
    adding->returned = !uuid_is_nil(&row->id);
    if (!adding->returned)
        row->id = uuid_new();
    return 0;
}

/* The row of that address: the tenant's own, or a new one. `row` has what the file says of it. */
static int find_place(struct adding *adding, const struct tenant_row *tenant,
                      struct mailbox_admin_row *row, struct err *err)
{
    struct mailbox_admin_row *rows = NULL;
    struct tenant_channel *channel = NULL;
    size_t count = 0;
    const char *address = adding->file->address;
    struct arena *arena = adding->desk->arena;
    if (mailbox_admin_list(adding->session, arena, NULL, address, &rows, &count, err) != 0 ||
        tenant_find_channel(adding->session, arena, "mail", address, &channel, err) != 0)
        return -1;
    if ((count > 0 && memcmp(&rows[0].tenant, &tenant->id, sizeof tenant->id) != 0) ||
        (channel != NULL && memcmp(&channel->tenant, &tenant->id, sizeof tenant->id) != 0))
        return err_set(err, ERR_PERMANENT, "mailbox.address",
                       "%.120s belongs to another tenant already; remove it there first", address);
    if (count > 0 && !adding->replace)
        return err_set(err, ERR_PERMANENT, "mailbox.exists",
                       "%.120s is there already; --replace changes it and keeps what was read",
                       address);
    row->tenant = tenant->id;
    row->channel = channel != NULL ? channel->id : uuid_new();
    adding->replaced = count > 0;
    return take_id(adding, count > 0 ? &rows[0] : NULL, row, err);
}

static void fill(const struct mailbox_file *file, struct mailbox_admin_row *row)
{
    row->address = file->address;
    row->host = file->imap.host;
    row->port = file->imap.port;
    row->security = file->imap.security == MAIL_SMTP_TLS ? "tls" : "starttls";
    row->auth = file->in.password != NULL ? "password" : "xoauth2";
    row->user_name = file->imap.user;
    row->secret_from = "sealed";
    row->secret_name = "";
    row->folder = file->folder;
    row->trusted_servers = file->trusted_servers;
    row->sent_folder = file->sent_folder;
    row->smtp_url = file->smtp_url;
    row->smtp_secret = file->smtp.auth != MAIL_SMTP_NO_AUTH ? "sealed" : "";
    row->from_name = file->name;
    row->per_minute = file->per_minute;
    row->per_day = file->per_day;
    row->plus_addresses = file->plus_addresses;
}

static int put(struct adding *adding, const struct tenant_row *tenant, struct err *err)
{
    struct mailbox_admin_row row = {0};
    const struct mailbox_file *file = adding->file;
    fill(file, &row);
    if (find_place(adding, tenant, &row, err) != 0)
        return -1;
    row.wrapped_in = wrap(adding, &row, &file->in, "in", err);
    if (row.wrapped_in == NULL)
        return -1;
    if (file->has_out && (row.wrapped_out = wrap(adding, &row, &file->out, "out", err)) == NULL)
        return -1;
    const struct uuid *from = adding->moved ? &adding->from : NULL;
    if (mailbox_admin_put(adding->session, &row, from, &tenant->assistant, err) != 0)
        return -1;
    return tenant_audit(adding->session, &row.tenant, desk_actor(adding->desk),
                        adding->replaced ? "mailbox.replace" : "mailbox.add", row.address, "{}",
                        err);
}

static int find_tenant(struct adding *adding, struct tenant_row **tenant, struct err *err)
{
    const char *name = adding->file->tenant;
    if (tenant_find(adding->session, adding->desk->arena, name, tenant, err) != 0)
        return -1;
    if (*tenant == NULL)
        return err_set(err, ERR_PERMANENT, "tenant.not_found",
                       "there is no tenant \"%.60s\"; `deskctl tenant apply` makes it", name);
    if ((*tenant)->version == 0)
        return err_set(err, ERR_PERMANENT, "tenant.no_assistant",
                       "the tenant \"%.60s\" has no assistant to answer mails; `deskctl tenant "
                       "apply` makes it",
                       name);
    return 0;
}

static int add(struct adding *adding, struct err *err)
{
    struct tenant_row *tenant = NULL;
    if (desk_key(adding->desk, DESK_KEY_CREDENTIALS, &adding->key, err) != 0 ||
        desk_begin(adding->desk, &adding->session, err) != 0 ||
        find_tenant(adding, &tenant, err) != 0 || put(adding, tenant, err) != 0)
        return -1;
    return desk_commit(adding->desk, err);
}

/* ---- the command ---- */

static int add_file(struct desk *desk, const struct words *words, const struct mailbox_file *file)
{
    struct adding adding = {
        .desk = desk, .file = file, .replace = words_option(words, "replace") != NULL};
    struct err err;
    if (add(&adding, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_note("%s %s of %s; `deskctl mailbox check %s` tells whether all of it works",
              adding.replaced ? "changed" : "added", file->address, file->tenant, file->address);
    if (adding.returned)
        desk_note("it was read there before, not long ago: what came there since is read, and "
                  "answered if it was not");
    else if (adding.moved)
        desk_note("it is at another place now: what came there since a day before the newest mail "
                  "that was read is read anew, and answered if it was not");
    const struct desk_fact facts[] = {{"address", file->address, 0},
                                      {"tenant", file->tenant, 0},
                                      {"result", adding.replaced ? "replaced" : "added", 0}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

int mailbox_add(struct desk *desk, const struct words *words)
{
    struct problems problems;
    struct mailbox_file file;
    struct secret *given = NULL;
    if (read_given(words, &given) != 0)
        return DESK_USAGE;
    problems_init(&problems, desk->arena, words->operands[0]);
    mailbox_file_read(&problems, words->operands[0], given, &file);
    int code = DESK_FAILED;
    if (problems.count > 0)
        desk_note("%snothing was changed", problems.text.data);
    else
        code = add_file(desk, words, &file);
    mailbox_file_fini(&file);
    strbuf_fini(&problems.text);
    return code;
}
