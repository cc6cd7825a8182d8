/* `deskctl tenant apply`, and the table of all of `deskctl tenant`. Everything is checked before
 * anything is asked, everything is shown before anything is written, and all files are one
 * transaction. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "files.h"
#include "store/schema.h"
#include "store/tenant.h"
#include "tenant_file.h"
#include "tenant_history.h"
#include "tenant_plan.h"
#include "tenant_resources.h"
#include "tenant_room.h"
#include "tenant_show.h"
#include "json/json.h"

#define AUDIT_BYTES_MAX (2 * 1024 * 1024)

struct batch {
    struct desk *desk;
    struct pg_session *session;
    struct tenant_file *files;
    struct tenant_plan *plans;
    size_t count;
    size_t changes, edge_changes;
};

/* ---- planning ---- */

/* Whether the same apply takes the channel from that tenant: a number may move. */
static bool is_given_up(const struct batch *batch, const struct tenant_channel *channel)
{
    for (size_t i = 0; i < batch->count; i++)
        for (size_t j = 0; j < batch->plans[i].channel_count; j++)
            if (batch->plans[i].channels[j].remove &&
                uuid_equal(&batch->plans[i].channels[j].row.id, &channel->id))
                return true;
    return false;
}

/* Numbers that another tenant has, before anybody is asked for a yes. */
static int check_numbers(struct batch *batch, size_t index, struct problems *problems,
                         struct err *err)
{
    const struct tenant_file *file = &batch->files[index];
    problems->file = file->path;
    for (size_t i = 0; i < file->channel_count; i++) {
        const struct tenant_file_channel *channel = &file->channels[i];
        struct tenant_channel *taken = NULL;
        if (tenant_find_channel(batch->session, batch->desk->arena, channel->kind, channel->number,
                                &taken, err) != 0)
            return -1;
        if (taken != NULL && !uuid_equal(&taken->tenant, &batch->plans[index].row.id) &&
            !is_given_up(batch, taken))
            problems_add(problems, channel->line,
                         "number: %s belongs to another tenant, %s; remove it there first, or "
                         "apply that file together with this one",
                         channel->number, taken->tenant_name);
    }
    return 0;
}

static int plan_all(struct batch *batch, struct problems *problems, struct err *err)
{
    struct tenant_keys keys;
    if (desk_key(batch->desk, DESK_KEY_CREDENTIALS, &keys.credentials, err) != 0 ||
        desk_key(batch->desk, DESK_KEY_EDGE_PUBLIC, &keys.edge_public, err) != 0 ||
        desk_begin(batch->desk, &batch->session, err) != 0)
        return -1;
    if (tenant_lock_all(batch->session, err) != 0)
        return -1;
    for (size_t i = 0; i < batch->count; i++) {
        const struct tenant_file *file = &batch->files[i];
        struct tenant_row *existing = NULL;
        bool known = false;
        if (tenant_zone_is_known(batch->session, file->timezone, &known, err) != 0 ||
            tenant_find(batch->session, batch->desk->arena, file->name, &existing, err) != 0)
            return -1;
        problems->file = file->path;
        if (!known)
            problems_add(problems, 1,
                         "timezone: the database does not know \"%s\"; write a name "
                         "of the IANA list, like America/New_York",
                         file->timezone);
        tenant_plan_make(batch->desk->arena, file, existing, &keys, &batch->plans[i]);
        tenant_room_check(problems, file, &batch->plans[i].row);
        batch->changes += batch->plans[i].change_count;
    }
    for (size_t i = 0; i < batch->count; i++)
        if (check_numbers(batch, i, problems, err) != 0)
            return -1;
    return 0;
}

/* ---- showing ---- */

static void show_plans(const struct batch *batch)
{
    struct strbuf out;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    for (size_t i = 0; i < batch->count; i++) {
        const struct tenant_plan *plan = &batch->plans[i];
        strbuf_printf(&out, "%s (%s): %zu change%s\n", plan->row.name, batch->files[i].path,
                      plan->change_count, plan->change_count == 1 ? "" : "s");
        const struct tenant_changes changes = tenant_plan_changes(batch->desk->arena, plan);
        tenant_changes_print(&changes, &out);
    }
    fputs(out.data, stderr);
    strbuf_fini(&out);
}

static int print_plans(const struct batch *batch, const char *result)
{
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "result", result);
    json_open_array(&writer, "changes");
    for (size_t i = 0; i < batch->count; i++) {
        const struct tenant_changes changes =
            tenant_plan_changes(batch->desk->arena, &batch->plans[i]);
        tenant_changes_write(&changes, batch->plans[i].row.name, &writer);
    }
    json_close_array(&writer);
    json_close_object(&writer);
    strbuf_add_char(&out, '\n');
    return desk_print(&out);
}

/* ---- writing ---- */

static int write_audit(struct batch *batch, const struct tenant_plan *plan, struct err *err)
{
    struct strbuf detail;
    struct json_writer writer;
    const struct tenant_changes changes = tenant_plan_changes(batch->desk->arena, plan);
    strbuf_init(&detail, AUDIT_BYTES_MAX);
    json_writer_init(&writer, &detail);
    json_open_object(&writer, NULL);
    tenant_changes_write_fields(&changes, &writer);
    json_close_object(&writer);
    int result = tenant_audit(batch->session, &plan->row.id, desk_actor(batch->desk),
                              "tenant.apply", plan->row.name, detail.data, err);
    strbuf_fini(&detail);
    return result;
}

static int write_channels(struct batch *batch, const struct tenant_plan *plan, struct err *err)
{
    for (size_t j = 0; j < plan->channel_count; j++) {
        const struct tenant_channel_plan *channel = &plan->channels[j];
        batch->edge_changes += channel->edge_changed || channel->remove;
        if (channel->write &&
            tenant_put_channel(batch->session, &channel->row, &plan->row.assistant,
                               channel->edge_changed, err) != 0)
            return -1;
    }
    return 0;
}

static int write_plan(struct batch *batch, const struct tenant_plan *plan, struct err *err)
{
    if (plan->change_count == 0)
        return 0;
    if ((plan->tenant_changed && tenant_put(batch->session, &plan->row, err) != 0) ||
        (plan->assistant_changed &&
         (tenant_put_assistant(batch->session, &plan->row, desk_actor(batch->desk), err) != 0 ||
          tenant_resources_write(batch->session, batch->desk->arena, &plan->row, err) != 0)) ||
        write_channels(batch, plan, err) != 0)
        return -1;
    return write_audit(batch, plan, err);
}

/* Removals first: a number may move from one tenant to another in one go. */
static int write_all(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->count; i++)
        for (size_t j = 0; j < batch->plans[i].channel_count; j++)
            if (batch->plans[i].channels[j].remove &&
                tenant_remove_channel(batch->session, &batch->plans[i].channels[j].row, err) != 0)
                return -1;
    for (size_t i = 0; i < batch->count; i++)
        if (write_plan(batch, &batch->plans[i], err) != 0)
            return -1;
    return desk_commit(batch->desk, err);
}

static int finish(struct batch *batch, const struct words *words, struct err *err)
{
    struct desk *desk = batch->desk;
    bool yes = words_option(words, "yes") != NULL, dry = words_option(words, "dry-run") != NULL;
    if (!desk->json)
        show_plans(batch);
    if (batch->changes == 0 || dry) {
        desk_rollback(desk);
        int code =
            desk->json ? print_plans(batch, batch->changes > 0 ? "pending" : "unchanged") : DESK_OK;
        return code == DESK_OK && batch->changes > 0 ? DESK_DIFFERENT : code;
    }
    if (!yes && schema_wait_for_person(batch->session, err) != 0)
        return -1;
    if (!yes && !desk_confirm(desk, "apply these changes?")) {
        desk_rollback(desk);
        if (!desk->interactive)
            desk_note("nothing was changed; add --yes to apply without being asked");
        return DESK_DIFFERENT;
    }
    if (write_all(batch, err) != 0)
        return -1;
    if (batch->edge_changes > 0)
        desk_note("the edge learns of this from a running engine, or by `deskctl directory "
                  "publish`");
    return desk->json ? print_plans(batch, "applied") : DESK_OK;
}

static int say_problems(const struct problems *problems)
{
    if (problems->count == 0)
        return 0;
    fputs(problems->text.data, stderr);
    desk_note("deskctl: %zu problem%s; nothing was changed", problems->count,
              problems->count == 1 ? "" : "s");
    return DESK_FAILED;
}

/* Without the folder no vendor is known, which only matters to a tenant file that names one. */
static int read_files(struct batch *batch, const struct words *words, struct problems *problems)
{
    const struct desk *desk = batch->desk;
    struct vendors vendors = {.count = 0};
    const char *dir = NULL;
    struct err err;
    if (files_vendors_dir(desk->arena, desk->settings.vendors_dir, &dir, &err) == 0)
        vendor_file_read(problems, dir, &vendors);
    if (problems->count == 0)
        tenant_file_read(problems, &vendors, words->operands, batch->count, batch->files);
    fputs(problems->notices, stderr);
    return say_problems(problems);
}

static int apply(struct batch *batch, const struct words *words, struct problems *problems)
{
    struct err err;
    int code = read_files(batch, words, problems);
    if (code != 0)
        return code;
    if (plan_all(batch, problems, &err) == 0) {
        code = say_problems(problems);
        code = code != 0 ? code : finish(batch, words, &err);
        if (code >= 0)
            return code;
    }
    desk_rollback(batch->desk);
    return desk_fail(&err);
}

static int run_apply(struct desk *desk, const struct words *words)
{
    struct batch batch = {.desk = desk, .count = words->count};
    struct problems problems;
    batch.files = arena_alloc(desk->arena, batch.count * sizeof *batch.files);
    batch.plans = arena_alloc(desk->arena, batch.count * sizeof *batch.plans);
    problems_init(&problems, desk->arena, "");
    int code = apply(&batch, words, &problems);
    if (code == DESK_FAILED)
        desk_rollback(desk);
    for (size_t i = 0; i < batch.count; i++)
        tenant_file_fini(&batch.files[i]);
    strbuf_fini(&problems.text);
    return code;
}

static const struct option apply_options[] = {
    {"yes", NULL, "apply without asking"},
    {"dry-run", NULL, "only check and show (exit 3 if something would change)"},
    {NULL, NULL, NULL},
};

static const struct option history_options[] = {
    {"limit", "N", "at most so many versions, the newest (default 20)"},
    {NULL, NULL, NULL},
};

static const struct option rollback_options[] = {
    {"yes", NULL, "go back without asking"},
    {"dry-run", NULL, "only show (exit 3 if something would change)"},
    {NULL, NULL, NULL},
};

const struct command command_tenant[] = {
    {"tenant apply", "FILE...", "bring tenants in line with their files",
     "All files are checked first; every problem is named with file, line and how to mend it, and\n"
     "nothing is changed while there is one. Then the differences are shown and, after a yes,\n"
     "applied in one transaction. A channel that is no longer in its file is removed. A changed\n"
     "assistant becomes a new version. Applying a file twice changes nothing the second time.\n"
     "An entry of models: may name a vendor; `deskctl vendor list` shows whose files there are.\n"
     "Secrets are named in the file (env:NAME, file:PATH), stored encrypted and never shown.",
     apply_options, 1, COMMAND_WORDS_MAX, run_apply},
    {"tenant list", "", "all tenants with their numbers", NULL, NULL, 0, 0, tenant_show_list},
    {"tenant show", "NAME", "one tenant with channels and assistant", NULL, NULL, 1, 1,
     tenant_show_one},
    {"tenant history", "NAME", "the versions of its assistant: by whom, when, what changed", NULL,
     history_options, 1, 1, tenant_history_list},
    {"tenant rollback", "NAME [VERSION]", "go back to an older version of its assistant",
     "Makes a new version with the content of that one (default: the one before the current), "
     "after\n"
     "showing what would change and a yes. Name, zone, channels and retention are no part of a\n"
     "version and stay. The tenant's file does not change: applying it goes forward again.",
     rollback_options, 1, 2, tenant_history_rollback},
    {.words = NULL},
};
