/* `deskctl quarantine list|release`: webhooks that ingress could not verify or read. A release
 * proves the signature under the tenant's present keys, or an operator vouches for it in so many
 * words (quarantine_release.c). */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/form.h"
#include "base/text.h"
#include "command.h"
#include "contract/event.h"
#include "contract/twilio_call.h"
#include "quarantine.h"
#include "store/admin.h"
#include "store/tenant.h"
#include "store/voice.h"

#define SCAN_MS    60000
#define PARKED_MAX 10000

struct scan {
    struct desk *desk;
    struct arena *scratch;
    struct parked *items;
    size_t count, more, unreadable;
    const char *address;    /* only of this address, or NULL */
    const char *const *ids; /* only these, or NULL */
    size_t id_count;
};

static bool is_wanted(const struct scan *scan, const char *id, const char *address)
{
    if (scan->address != NULL && strcmp(scan->address, address) != 0)
        return false;
    for (size_t i = 0; i < scan->id_count; i++)
        if (strcmp(scan->ids[i], id) == 0)
            return true;
    return scan->id_count == 0;
}

static struct parked keep(struct arena *arena, const char *id, const struct webhook_quarantined *in)
{
    struct form form;
    struct err err;
    struct parked item = {
        .id = id,
        .event_id = arena_strdup(arena, in->event.id),
        .at_ms = in->event.time_ms,
        .reason = arena_strdup(arena, in->reason),
        .path = arena_strdup(arena, in->path),
        .url = arena_strdup(arena, in->url),
        .signature = arena_strdup(arena, in->signature),
        .remote = arena_strdup(arena, in->remote),
        .address = arena_strdup(arena, in->address),
        .body = arena_strndup(arena, in->body, in->body_length),
        .body_length = in->body_length,
        .sid = "",
    };
    if (form_parse(arena, item.body, item.body_length, &form, &err) == 0) {
        const char *sid = form_get(&form, "MessageSid");
        if (sid == NULL)
            sid = form_get(&form, "CallSid");
        if (sid != NULL && strlen(sid) <= 64 && text_is_utf8(sid, strlen(sid)))
            item.sid = sid;
    }
    return item;
}

static bool collect(void *arg, const struct bus_record *record)
{
    struct scan *scan = arg;
    struct webhook_quarantined in;
    struct err err;
    const char *id =
        arena_printf(scan->desk->arena, "%" PRId32 ":%" PRId64, record->partition, record->offset);
    arena_reset(scan->scratch);
    if (webhook_quarantined_decode(scan->scratch, record, &in, &err) != 0) {
        scan->unreadable++;
        return true;
    }
    if (!is_wanted(scan, id, in.address))
        return true;
    if (scan->count == PARKED_MAX)
        scan->more++;
    else
        scan->items[scan->count++] = keep(scan->desk->arena, id, &in);
    return true;
}

static int scan_topic(struct scan *scan, struct err *err)
{
    struct bus_options options;
    scan->items = arena_alloc(scan->desk->arena, PARKED_MAX * sizeof *scan->items);
    if (desk_bus(scan->desk, &options, err) != 0)
        return -1;
    scan->scratch = arena_new();
    int result =
        bus_scan(&options, desk_topic(scan->desk, TOPIC_QUARANTINE), SCAN_MS, collect, scan, err);
    arena_free(&scan->scratch);
    return result;
}

/* ---- list ---- */

static const struct table_column columns[] = {
    {"id", TABLE_TEXT},      {"at", TABLE_TEXT},  {"reason", TABLE_TEXT}, {"path", TABLE_TEXT},
    {"address", TABLE_TEXT}, {"sid", TABLE_TEXT}, {"remote", TABLE_TEXT}, {"known", TABLE_BOOL},
};

static bool is_of_call(const struct parked *item)
{
    return strcmp(item->path, QUARANTINE_CALL_PATH) == 0 ||
           strcmp(item->path, QUARANTINE_END_PATH) == 0;
}

/* Whether the inbox has it meanwhile: by a release, or because the provider came again; of a call,
 * whether its end is known. */
static int is_known(struct pg_session *session, struct arena *arena, const struct parked *item,
                    bool *known, struct err *err)
{
    struct tenant_channel *channel = NULL;
    *known = false;
    if (*item->sid == '\0' || *item->address == '\0')
        return 0;
    const bool call = is_of_call(item);
    if (tenant_find_channel(session, arena, call ? "voice" : "sms", item->address, &channel, err) !=
        0)
        return -1;
    if (channel == NULL)
        return 0;
    return call && twilio_call_is_sid(item->sid, "CA")
               ? voice_knows_end(session, &channel->tenant, item->sid, known, err)
               : admin_inbox_knows(session, &channel->tenant, call ? "voice" : "sms", item->sid,
                                   known, err);
}

static int add_rows(struct scan *scan, struct table *table, struct err *err)
{
    struct pg_session *session = NULL;
    char at[CLOCK_RFC3339_SIZE];
    if (desk_begin(scan->desk, &session, err) != 0)
        return -1;
    for (size_t i = 0; i < scan->count; i++) {
        const struct parked *item = &scan->items[i];
        bool known = false;
        if (is_known(session, scan->desk->arena, item, &known, err) != 0)
            return -1;
        clock_format_rfc3339(item->at_ms, at);
        const char *cells[] = {item->id,      at,        item->reason, item->path,
                               item->address, item->sid, item->remote, known ? "true" : "false"};
        table_add(table, cells);
    }
    desk_rollback(scan->desk);
    return 0;
}

static int run_list(struct desk *desk, const struct words *words)
{
    struct scan scan = {.desk = desk, .address = words_option(words, "address")};
    struct err err;
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    if (scan_topic(&scan, &err) != 0 || add_rows(&scan, table, &err) != 0)
        return desk_fail(&err);
    int code = desk_print_table(desk, table, "the quarantine is empty");
    if (scan.more > 0 || scan.unreadable > 0)
        desk_note("and %zu more, %zu unreadable", scan.more, scan.unreadable);
    return code;
}

/* ---- release ---- */

static size_t say_missing(const struct scan *scan)
{
    size_t missing = 0;
    for (size_t i = 0; i < scan->id_count; i++) {
        bool found = false;
        for (size_t j = 0; j < scan->count; j++)
            found |= strcmp(scan->ids[i], scan->items[j].id) == 0;
        if (!found) {
            desk_note("%s is not in the quarantine; `deskctl quarantine list` shows ids",
                      scan->ids[i]);
            missing++;
        }
    }
    return missing;
}

static int finish_release(const struct scan *scan, struct desk *desk, size_t released,
                          size_t missing)
{
    size_t refused = scan->count - released;
    const struct desk_fact facts[] = {{"released", NULL, (int64_t)released},
                                      {"refused", NULL, (int64_t)refused},
                                      {"missing", NULL, (int64_t)missing},
                                      {"left", NULL, (int64_t)scan->more}};
    desk_note("%zu released, %zu not", released, refused);
    if (scan->more > 0)
        desk_note("%zu more were left, %d at most are looked at: name them by their ids",
                  scan->more, PARKED_MAX);
    int code = desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
    if (code != DESK_OK || refused > 0 || scan->more > 0)
        return DESK_FAILED;
    return missing > 0 || scan->count == 0 ? DESK_NOT_FOUND : DESK_OK;
}

static size_t release_all(struct release *release, const struct scan *scan)
{
    struct err err;
    size_t released = 0;
    for (size_t i = 0; i < scan->count; i++) {
        const struct parked *item = &scan->items[i];
        if (quarantine_release(release, item, &err) == 0) {
            released++;
            desk_note("%s released as %s", item->id, item->sid);
        } else {
            desk_note("%s not released: %s (%s)", item->id, err.message, err.code);
        }
    }
    quarantine_release_end(release);
    return released;
}

static int run_release(struct desk *desk, const struct words *words)
{
    struct scan scan = {.desk = desk,
                        .address = words_option(words, "address"),
                        .ids = words->operands,
                        .id_count = words->count};
    struct release release = {.desk = desk, .vouched = words_option(words, "force-unverified")};
    struct err err;
    if (scan.id_count == 0 && scan.address == NULL)
        return desk_usage("name ids (PARTITION:OFFSET) or --address NUMBER");
    if (release.vouched != NULL && strlen(release.vouched) < 10)
        return desk_usage("--force-unverified needs a reason of at least 10 characters: it is "
                          "kept in the audit log");
    if (scan_topic(&scan, &err) != 0)
        return desk_fail(&err);
    size_t missing = say_missing(&scan);
    return finish_release(&scan, desk, release_all(&release, &scan), missing);
}

static const struct option list_options[] = {
    {"address", "NUMBER", "only webhooks for this number of ours"},
    {NULL, NULL, NULL},
};
static const struct option release_options[] = {
    {"address", "NUMBER", "all for this number of ours"},
    {"force-unverified", "REASON", "release without a fitting signature; the reason is kept"},
    {NULL, NULL, NULL},
};

const struct command command_quarantine[] = {
    {"quarantine list", "", "webhooks that could not be verified or read",
     "KNOWN says that the inbox has the text, or the call's end, meanwhile: nothing is left to\n"
     "release.",
     list_options, 0, 0, run_list},
    {"quarantine release", "[ID...]", "verify parked webhooks again and let them in",
     "The signature is checked under the tenant's present keys, so correct the auth token first\n"
     "(`deskctl tenant apply`). A text that came in by itself meanwhile is not answered twice, a\n"
     "status never moves a delivery backwards. A call that came in is told to people as a missed "
     "one,\n"
     "once. The parked copy stays until the topic's retention.",
     release_options, 0, COMMAND_WORDS_MAX, run_release},
    {.words = NULL},
};
