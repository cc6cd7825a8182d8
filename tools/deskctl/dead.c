/* `deskctl dead list|show`: what the engines gave up on. Records that could not be claimed are in
 * the dead letter topic; turns that failed three times, deliveries that wait for a person, and
 * texts and replies that were too late to go by themselves are rows. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "store/admin.h"
#include "store/tenant.h"
#include "transcript.h"
#include "json/json.h"

#define SCAN_MS      60000
#define LETTERS_MAX  10000 /* more are counted, not listed */
#define LIST_DEFAULT 100
#define SHOWN_BYTES  4096

static const struct table_column columns[] = {
    {"kind", TABLE_TEXT}, {"id", TABLE_TEXT},     {"at", TABLE_TEXT},     {"code", TABLE_TEXT},
    {"tries", TABLE_INT}, {"tenant", TABLE_TEXT}, {"origin", TABLE_TEXT},
};

/* ---- records ---- */

struct scan {
    struct desk *desk;
    struct table *table;
    const char *tenant; /* uuid text or NULL: all */
    int64_t listed, more;
    /* for show */
    int32_t partition;
    int64_t offset;
    struct strbuf *out;
    bool found;
};

static int64_t header_number(const struct bus_record *record, const char *name)
{
    uint64_t number = 0;
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        if (strcmp(header->name, name) != 0 || header->value_length > 8)
            continue;
        for (size_t j = 0; j < header->value_length; j++)
            number = number << 8 | ((const uint8_t *)header->value)[j];
    }
    return (int64_t)number;
}

static const char *time_text(struct arena *arena, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, text);
    return arena_strdup(arena, text);
}

static bool list_record(void *arg, const struct bus_record *record)
{
    struct scan *scan = arg;
    struct arena *arena = scan->desk->arena;
    const char *tenant = bus_header_text(record, arena, "tenant");
    if (scan->tenant != NULL && (tenant == NULL || strcmp(tenant, scan->tenant) != 0))
        return true;
    if (scan->listed == LETTERS_MAX) {
        scan->more++;
        return true;
    }
    const char *topic = bus_header_text(record, arena, "kafka_dlt-original-topic");
    const char *cells[] = {
        "record",
        arena_printf(arena, "%" PRId32 ":%" PRId64, record->partition, record->offset),
        time_text(arena, record->timestamp_ms),
        bus_header_text(record, arena, "dlq-code"),
        bus_header_text(record, arena, "dlq-attempts"),
        tenant,
        arena_printf(arena, "%s %" PRId64 ":%" PRId64, topic != NULL ? topic : "?",
                     header_number(record, "kafka_dlt-original-partition"),
                     header_number(record, "kafka_dlt-original-offset")),
    };
    int64_t tries;
    if (cells[4] != NULL && !text_parse_int(cells[4], 0, INT32_MAX, &tries))
        cells[4] = NULL;
    table_add(scan->table, cells);
    scan->listed++;
    return true;
}

static int scan_letters(struct desk *desk, struct scan *scan,
                        bool (*visit)(void *arg, const struct bus_record *record), struct err *err)
{
    struct bus_options options;
    if (desk_bus(desk, &options, err) != 0)
        return -1;
    return bus_scan(&options, desk_topic(desk, TOPIC_DLQ), SCAN_MS, visit, scan, err);
}

/* ---- list ---- */

static int list_rows(struct desk *desk, struct scan *scan, const char *tenant, int64_t limit,
                     struct err *err)
{
    struct pg_session *session = NULL;
    struct tenant_row *row = NULL;
    struct admin_dead *rows = NULL;
    char text[UUID_TEXT_SIZE];
    size_t count = 0;
    if (desk_begin(desk, &session, err) != 0)
        return -1;
    if (tenant != NULL) {
        if (tenant_find(session, desk->arena, tenant, &row, err) != 0)
            return -1;
        if (row == NULL)
            return err_set(err, ERR_PERMANENT, "tenant.not_found", "there is no tenant \"%.60s\"",
                           tenant);
        scan->tenant = arena_strdup(desk->arena, uuid_format(&row->id, text));
    }
    if (admin_list_dead(session, desk->arena, tenant, limit, &rows, &count, err) != 0)
        return -1;
    desk_rollback(desk);
    for (size_t i = 0; i < count; i++) {
        const char *cells[] = {
            rows[i].kind,
            rows[i].id,
            rows[i].at,
            rows[i].code,
            arena_printf(desk->arena, "%" PRId64, rows[i].tries),
            rows[i].tenant,
            arena_printf(desk->arena, "conversation %s",
                         rows[i].conversation != NULL ? rows[i].conversation : "-"),
        };
        table_add(scan->table, cells);
    }
    return 0;
}

static int run_list(struct desk *desk, const struct words *words)
{
    struct scan scan = {.desk = desk};
    const char *most = words_option(words, "limit");
    int64_t limit = LIST_DEFAULT;
    struct err err;
    if (most != NULL && !text_parse_int(most, 1, ADMIN_ROWS_MAX, &limit))
        return desk_usage("--limit must be a number from 1 to %d", ADMIN_ROWS_MAX);
    scan.table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    if (list_rows(desk, &scan, words_option(words, "tenant"), limit, &err) != 0 ||
        scan_letters(desk, &scan, list_record, &err) != 0)
        return desk_fail(&err);
    int code = desk_print_table(desk, scan.table, "nothing is dead");
    if (scan.more > 0)
        desk_note("and %" PRId64 " records more", scan.more);
    return code;
}

/* ---- show ---- */

/* Text if it is text, else hexadecimal; cut. */
static const char *readable(struct arena *arena, const void *bytes, size_t length)
{
    size_t shown = length < SHOWN_BYTES ? length : SHOWN_BYTES;
    struct strbuf text;
    strbuf_init(&text, 4 * SHOWN_BYTES);
    if (text_is_utf8(bytes, length))
        strbuf_add(&text, bytes,
                   length > shown ? text_utf8_prefix(arena_strndup(arena, bytes, length), shown)
                                  : length);
    else
        text_add_hex(&text, bytes, shown);
    if (length > shown)
        strbuf_add_text(&text, "...");
    const char *copy = arena_strdup(arena, text.data);
    strbuf_fini(&text);
    return copy;
}

static void print_record(struct desk *desk, const struct bus_record *record, struct strbuf *out)
{
    strbuf_printf(out, "record %" PRId32 ":%" PRId64 " of %s, %s\nkey ", record->partition,
                  record->offset, record->topic, time_text(desk->arena, record->timestamp_ms));
    table_add_safe(out, readable(desk->arena, record->key, record->key_length), false, 0);
    strbuf_add_char(out, '\n');
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        strbuf_add_text(out, "header ");
        table_add_safe(out, header->name, false, 0);
        strbuf_add_text(out, " ");
        table_add_safe(out, readable(desk->arena, header->value, header->value_length), false, 0);
        strbuf_add_char(out, '\n');
    }
    strbuf_printf(out, "value, %zu bytes\n", record->value_length);
    table_add_safe(out, readable(desk->arena, record->value, record->value_length), true, 0);
    strbuf_add_char(out, '\n');
}

static void write_record(struct desk *desk, const struct bus_record *record, struct strbuf *out)
{
    struct json_writer writer;
    struct strbuf value;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_add_int(&writer, "partition", record->partition);
    json_add_int(&writer, "offset", record->offset);
    json_add_text(&writer, "at", time_text(desk->arena, record->timestamp_ms));
    json_add_text(&writer, "key", readable(desk->arena, record->key, record->key_length));
    json_open_object(&writer, "headers");
    for (size_t i = 0; i < record->header_count; i++)
        json_add_text(
            &writer,
            readable(desk->arena, record->headers[i].name, strlen(record->headers[i].name)),
            readable(desk->arena, record->headers[i].value, record->headers[i].value_length));
    json_close_object(&writer);
    strbuf_init(&value, 2 * BUS_VALUE_MAX);
    text_add_base64(&value, record->value, record->value_length);
    json_add_text(&writer, "value_base64", value.data);
    strbuf_fini(&value);
    json_close_object(&writer);
    strbuf_add_char(out, '\n');
}

static bool show_record(void *arg, const struct bus_record *record)
{
    struct scan *scan = arg;
    if (record->partition != scan->partition || record->offset != scan->offset)
        return true;
    scan->found = true;
    if (scan->desk->json)
        write_record(scan->desk, record, scan->out);
    else
        print_record(scan->desk, record, scan->out);
    return false;
}

static bool parse_position(const char *text, struct scan *scan)
{
    const char *colon = strchr(text, ':');
    char partition[16];
    int64_t number;
    if (colon == NULL || (size_t)(colon - text) >= sizeof partition)
        return false;
    memcpy(partition, text, (size_t)(colon - text));
    partition[colon - text] = '\0';
    if (!text_parse_int(partition, 0, INT32_MAX, &number) ||
        !text_parse_int(colon + 1, 0, INT64_MAX, &scan->offset))
        return false;
    scan->partition = (int32_t)number;
    return true;
}

static int show_row(struct desk *desk, const struct uuid *id, struct strbuf *out, bool *found,
                    struct err *err)
{
    struct pg_session *session = NULL;
    struct json *document = NULL;
    const char *json = NULL;
    if (desk_begin(desk, &session, err) != 0 ||
        admin_show_dead(session, desk->arena, id, &json, err) != 0)
        return -1;
    desk_rollback(desk);
    *found = json != NULL;
    if (json == NULL)
        return 0;
    if (desk->json) {
        strbuf_printf(out, "%s\n", json);
        return 0;
    }
    if (json_parse(json, strlen(json), &document, err) != 0)
        return -1;
    const char *conversation = json_member_text(document, "conversation");
    strbuf_printf(out, "%s of conversation %s, tenant %s\n", json_member_text(document, "kind"),
                  conversation != NULL ? conversation : "-", json_member_text(document, "tenant"));
    transcript_add_message(json_member(document, "message"), out);
    transcript_add_turn(json_member(document, "turn"), out);
    transcript_add_delivery(json_member(document, "delivery"), out);
    json_free(&document);
    return 0;
}

static int show(struct desk *desk, const char *text, struct strbuf *out, struct err *err)
{
    struct scan scan = {.desk = desk, .out = out};
    struct uuid id;
    int result = uuid_parse(text, &id)         ? show_row(desk, &id, out, &scan.found, err)
                 : parse_position(text, &scan) ? scan_letters(desk, &scan, show_record, err)
                                               : 0;
    if (result == 0 && !scan.found)
        return err_set(err, ERR_PERMANENT, "dead.not_found",
                       "there is nothing dead called \"%.60s\"; `deskctl dead list` shows ids",
                       text);
    return result;
}

static int run_show(struct desk *desk, const struct words *words)
{
    struct strbuf out;
    struct err err;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (show(desk, words->operands[0], &out, &err) == 0)
        return desk_print(&out);
    strbuf_fini(&out);
    return desk_fail(&err);
}

static const struct option list_options[] = {
    {"tenant", "NAME", "only of this tenant"},
    {"limit", "N", "at most so many rows of the database, 1-1000 (default 100)"},
    {NULL, NULL, NULL},
};

const struct command command_dead[] = {
    {"dead list", "", "records, turns, deliveries and texts that were given up",
     "record    could not be claimed: in the dead letter topic, id PARTITION:OFFSET\n"
     "turn      failed three times: the customer got the degraded wording; code commit.unfit:\n"
     "          the database refused its reply, and the customer got nothing; start.unfit: it\n"
     "          refused to go on with the turn, likewise\n"
     "delivery  parked: whether it left is not known, or it waited too long; a person decides.\n"
     "          late: its text had waited longer than the answer-by time (24 h)\n"
     "event     a text that came in later than that: stored, not answered by itself; code\n"
     "          start.unfit: the database refused to start its turn, the customer got nothing\n"
     "Nothing here is tried again by itself. Look with `dead show`, then answer the customer\n"
     "yourself; a late receipt still settles a parked delivery.",
     list_options, 0, 0, run_list},
    {"dead show", "ID", "one of them, whole", NULL, NULL, 1, 1, run_show},
    {.words = NULL},
};
