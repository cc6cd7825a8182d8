/* The versions of an assistant: what changed from each to the next, and the way back. A version is
 * never changed: going back makes a new one, so that the history tells what was answered with. */
#include "tenant_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/schema.h"
#include "store/tenant_version.h"
#include "tenant_plan.h"
#include "tenant_resources.h"
#include "json/json.h"

#define LIST_DEFAULT    20
#define LIST_MAX        1000
#define LINE_BYTES_MAX  160
#define AUDIT_BYTES_MAX (2 * 1024 * 1024)

/* ---- history ---- */

static const struct table_column list_columns[] = {
    {"version", TABLE_INT},     {"current", TABLE_BOOL}, {"created_at", TABLE_TEXT},
    {"created_by", TABLE_TEXT}, {"changes", TABLE_TEXT},
};

/* What changed from the version before; NULL is "there is none". */
static const char *changed_line(struct arena *arena, const struct tenant_version *before,
                                const struct tenant_version *version)
{
    struct tenant_changes changes = {.arena = arena};
    if (before == NULL)
        return "(the first)";
    tenant_plan_compare(&changes, before->config, version->config);
    return changes.count == 0 ? "(the same)" : tenant_changes_line(&changes, LINE_BYTES_MAX);
}

static void add_versions(struct desk *desk, const struct tenant_row *row,
                         const struct tenant_versions *versions, size_t count, struct table *table)
{
    for (size_t i = 0; i < count; i++) {
        const struct tenant_version *version = &versions->items[i];
        const struct tenant_version *before = i + 1 < versions->count ? version + 1 : NULL;
        const char *cells[] = {arena_printf(desk->arena, "%" PRId64, version->version),
                               version->version == row->version ? "true" : "false",
                               version->created_at, version->created_by,
                               changed_line(desk->arena, before, version)};
        table_add(table, cells);
    }
}

static int list(struct desk *desk, const struct words *words, int64_t limit, struct err *err)
{
    struct pg_session *session = NULL;
    struct tenant_row *row = NULL;
    struct tenant_versions versions = {NULL, 0};
    /* One more: the oldest that is shown is compared with it. */
    if (desk_begin(desk, &session, err) != 0 ||
        desk_find_tenant(desk, session, words->operands[0], &row, err) != 0 ||
        tenant_version_list(session, desk->arena, row, limit + 1, &versions, err) != 0)
        return -1;
    desk_rollback(desk);
    size_t shown = versions.count > (size_t)limit ? (size_t)limit : versions.count;
    struct table *table =
        table_new(desk->arena, list_columns, sizeof list_columns / sizeof list_columns[0]);
    add_versions(desk, row, &versions, shown, table);
    return desk_print_table(desk, table, "no version yet");
}

int tenant_history_list(struct desk *desk, const struct words *words)
{
    const char *most = words_option(words, "limit");
    struct err err;
    int64_t limit = LIST_DEFAULT;
    if (most != NULL && !text_parse_int(most, 1, LIST_MAX, &limit))
        return desk_usage("--limit must be a number from 1 to %d", LIST_MAX);
    int code = list(desk, words, limit, &err);
    if (code >= 0)
        return code;
    desk_rollback(desk);
    return desk_fail(&err);
}

/* ---- rollback ---- */

struct back {
    struct desk *desk;
    struct pg_session *session;
    struct tenant_row *row;
    const struct tenant_version *version;
    struct tenant_plan plan;
};

static int find_version(struct back *back, int64_t number, struct err *err)
{
    struct tenant_versions versions = {NULL, 0};
    if (tenant_version_find(back->session, back->desk->arena, back->row, number, &versions, err) !=
        0)
        return -1;
    back->version = versions.items;
    if (versions.count > 0)
        return 0;
    return err_set(err, ERR_PERMANENT, "tenant.version_not_found",
                   "%s has no version %" PRId64 "; `deskctl tenant history %s` shows all",
                   back->row->name, number, back->row->name);
}

/* `number` 0: the one before the current. */
static int plan_back(struct back *back, const char *name, int64_t number, struct err *err)
{
    if (desk_begin(back->desk, &back->session, err) != 0 ||
        tenant_lock_all(back->session, err) != 0 ||
        desk_find_tenant(back->desk, back->session, name, &back->row, err) != 0 ||
        find_version(back, number > 0 ? number : back->row->version - 1, err) != 0)
        return -1;
    tenant_plan_rollback(back->desk->arena, back->row, back->version->config, &back->plan);
    return 0;
}

/* Where the key is not configured nothing can be said. */
static int say_closed(const struct back *back, struct err *err)
{
    const struct secret *key = NULL;
    if (*desk_key_file(back->desk, DESK_KEY_CREDENTIALS) == '\0')
        return 0;
    if (desk_key(back->desk, DESK_KEY_CREDENTIALS, &key, err) != 0)
        return -1;
    size_t closed = tenant_plan_count_closed(back->desk->arena, &back->plan.row, key);
    if (closed > 0)
        desk_note("version %" PRId64 " has %zu of its keys wrapped for another credentials key: "
                  "`deskctl tenant apply` with the tenant's file wraps them anew",
                  back->version->version, closed);
    return 0;
}

static void show(const struct back *back)
{
    struct strbuf out;
    const struct tenant_changes changes = tenant_plan_changes(back->desk->arena, &back->plan);
    strbuf_init(&out, DESK_OUTPUT_MAX);
    strbuf_printf(&out, "%s: version %" PRId64 " becomes version %" PRId64 ", %zu change%s\n",
                  back->row->name, back->version->version, back->plan.row.version, changes.count,
                  changes.count == 1 ? "" : "s");
    tenant_changes_print(&changes, &out);
    fputs(out.data, stderr);
    strbuf_fini(&out);
}

static int print_result(const struct back *back, const char *result)
{
    struct strbuf out;
    struct json_writer writer;
    const struct tenant_changes changes = tenant_plan_changes(back->desk->arena, &back->plan);
    if (!back->desk->json)
        return DESK_OK;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "result", result);
    json_add_int(&writer, "from", back->version->version);
    json_add_int(&writer, "version", back->plan.row.version);
    json_open_array(&writer, "changes");
    tenant_changes_write(&changes, back->row->name, &writer);
    json_close_array(&writer);
    json_close_object(&writer);
    strbuf_add_char(&out, '\n');
    return desk_print(&out);
}

static int write_audit(struct back *back, struct err *err)
{
    struct strbuf detail;
    struct json_writer writer;
    const struct tenant_changes changes = tenant_plan_changes(back->desk->arena, &back->plan);
    strbuf_init(&detail, AUDIT_BYTES_MAX);
    json_writer_init(&writer, &detail);
    json_open_object(&writer, NULL);
    json_add_int(&writer, "from", back->version->version);
    json_add_int(&writer, "version", back->plan.row.version);
    tenant_changes_write_fields(&changes, &writer);
    json_close_object(&writer);
    int result = tenant_audit(back->session, &back->row->id, desk_actor(back->desk),
                              "tenant.rollback", back->row->name, detail.data, err);
    strbuf_fini(&detail);
    return result;
}

static int write_back(struct back *back, struct err *err)
{
    if (tenant_put_assistant(back->session, &back->plan.row, desk_actor(back->desk), err) != 0 ||
        tenant_resources_write(back->session, back->desk->arena, &back->plan.row, err) != 0 ||
        write_audit(back, err) != 0 || desk_commit(back->desk, err) != 0)
        return -1;
    desk_note(
        "the tenant's file does not know of this: `deskctl tenant apply` with it goes forward "
        "again");
    return print_result(back, "applied");
}

static int finish(struct back *back, const struct words *words, struct err *err)
{
    struct desk *desk = back->desk;
    bool yes = words_option(words, "yes") != NULL, dry = words_option(words, "dry-run") != NULL;
    if (!desk->json)
        show(back);
    if (say_closed(back, err) != 0)
        return -1;
    if (!back->plan.assistant_changed || dry) {
        bool pending = back->plan.assistant_changed;
        desk_rollback(desk);
        int code = print_result(back, pending ? "pending" : "unchanged");
        return code == DESK_OK && pending ? DESK_DIFFERENT : code;
    }
    if (!yes && schema_wait_for_person(back->session, err) != 0)
        return -1;
    if (!yes && !desk_confirm(desk, "go back to this version?")) {
        desk_rollback(desk);
        if (!desk->interactive)
            desk_note("nothing was changed; add --yes to go back without being asked");
        return DESK_DIFFERENT;
    }
    return write_back(back, err);
}

int tenant_history_rollback(struct desk *desk, const struct words *words)
{
    struct back back = {.desk = desk};
    struct err err;
    int64_t number = 0;
    if (words->count > 1 && !text_parse_int(words->operands[1], 1, INT32_MAX, &number))
        return desk_usage("\"%.40s\" is no version; `deskctl tenant history` shows their numbers",
                          words->operands[1]);
    if (plan_back(&back, words->operands[0], number, &err) == 0) {
        int code = finish(&back, words, &err);
        if (code >= 0)
            return code;
    }
    desk_rollback(desk);
    return desk_fail(&err);
}
