/* `deskctl directory publish`: the whole directory from Postgres, for a new or emptied topic. What
 * the topic has and Postgres has not is removed by tombstones, and the complete marker at the end
 * makes a waiting ingress ready. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "command.h"
#include "contract/event.h"
#include "publish.h"
#include "store/tenant.h"

struct publication {
    struct desk *desk;
    struct bus_producer *producer;
    struct map *living; /* "kind:address" of every channel published */
    struct map *stale;  /* keys in the topic that are to be removed; value: the key */
    int64_t channels, removed;
};

static int publish_channel(struct publication *p, const struct directory_channel *channel,
                           struct err *err)
{
    struct arena *arena = p->desk->arena;
    struct bus_record record;
    directory_channel_encode(arena, p->desk->settings.kafka.topic_prefix, channel, &record);
    if (bus_produce_wait(p->producer, &record, PUBLISH_WAIT_MS, err) != 0)
        return -1;
    map_put_text(p->living, topic_key_channel(arena, channel->kind, channel->address), p);
    p->channels++;
    return 0;
}

/* ---- what must go ---- */

static bool look_at_key(void *arg, const struct bus_record *record)
{
    struct publication *p = arg;
    char *key = arena_strndup(p->desk->arena, record->key, record->key_length);
    if (strchr(key, ':') == NULL)
        return true; /* the complete marker */
    if (record->value == NULL)
        map_remove_text(p->stale, key);
    else if (map_get_text(p->living, key) == NULL)
        map_put_text(p->stale, key, key);
    return true;
}

struct removal {
    struct publication *p;
    struct err *err;
    int result;
};

static bool remove_key(void *arg, const void *key, size_t key_length, void *value)
{
    struct removal *removal = arg;
    struct arena *arena = removal->p->desk->arena;
    const char *text = value, *colon = strchr(text, ':');
    struct bus_record record;
    (void)key;
    (void)key_length;
    directory_removed_encode(arena, removal->p->desk->settings.kafka.topic_prefix,
                             arena_strndup(arena, text, (size_t)(colon - text)), colon + 1,
                             &record);
    removal->result =
        bus_produce_wait(removal->p->producer, &record, PUBLISH_WAIT_MS, removal->err);
    removal->p->removed += removal->result == 0;
    return removal->result == 0;
}

static int remove_stale(struct publication *p, struct err *err)
{
    struct bus_options options;
    struct removal removal = {.p = p, .err = err};
    if (desk_bus(p->desk, &options, err) != 0 ||
        bus_scan(&options, desk_topic(p->desk, TOPIC_DIRECTORY), PUBLISH_WAIT_MS, look_at_key, p,
                 err) != 0)
        return -1;
    map_each(p->stale, remove_key, &removal);
    return removal.result;
}

/* ---- the whole ---- */

static int complete(struct publication *p, struct err *err)
{
    struct bus_record record;
    char id[UUID_TEXT_SIZE];
    const struct uuid new_id = uuid_new();
    const struct directory_complete in = {
        .event = {.id = uuid_format(&new_id, id),
                  .source = "frontdesk/deskctl",
                  .subject = "",
                  .time_ms = clock_wall_ms(),
                  .tenant = "",
                  .traceparent = ""},
        .channels = p->channels,
    };
    directory_complete_encode(p->desk->arena, p->desk->settings.kafka.topic_prefix, &in, &record);
    return bus_produce_wait(p->producer, &record, PUBLISH_WAIT_MS, err);
}

static int read_rows(struct desk *desk, struct directory_row **rows, size_t *count, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0)
        return -1;
    int result = tenant_list_directory(session, desk->arena, rows, count, err);
    desk_rollback(desk);
    return result;
}

/* Only what is still current is marked: a change during the publication is published by itself. */
static int mark(struct desk *desk, const struct directory_row *rows, size_t count, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (tenant_mark_published(session, &rows[i], err) != 0) {
            desk_rollback(desk);
            return -1;
        }
    return desk_commit(desk, err);
}

static int publish(struct publication *p, struct err *err)
{
    struct directory_row *rows = NULL;
    size_t count = 0;
    if (read_rows(p->desk, &rows, &count, err) != 0 ||
        publish_open(p->desk, TOPIC_DIRECTORY, &p->producer, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!rows[i].removed && publish_channel(p, &rows[i].channel, err) != 0)
            return -1;
    if (remove_stale(p, err) != 0 || complete(p, err) != 0)
        return -1;
    return mark(p->desk, rows, count, err);
}

static int run_publish(struct desk *desk, const struct words *words)
{
    (void)words;
    struct publication p = {.desk = desk, .living = map_new(), .stale = map_new()};
    struct err err;
    int result = publish(&p, &err);
    bus_producer_close(&p.producer, 0);
    map_free(&p.living);
    map_free(&p.stale);
    if (result != 0)
        return desk_fail(&err);
    desk_note("published %" PRId64 " channels, removed %" PRId64, p.channels, p.removed);
    return DESK_OK;
}

const struct command command_directory[] = {
    {"directory publish", "", "publish all channels to the edge from the database",
     "Writes one record per channel to the directory topic, removes what the database does not\n"
     "have, and ends with the marker that makes a waiting ingress ready. Safe at any time.",
     NULL, 0, 0, run_publish},
    {.words = NULL},
};
