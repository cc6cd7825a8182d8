/* `deskctl directory publish`: the whole directory from Postgres, for a new or emptied topic. What
 * the topic has and Postgres has not is removed by tombstones, and the complete marker at the end
 * makes a waiting ingress ready.
 *
 * Channels change and relays publish meanwhile, so what is read first may be old by the time it is
 * written, and would be the last record of its key. The topic is therefore read before the rows
 * (what appears later is not taken for stale), and the rows are read again after writing, until
 * nothing that was written differs from them. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "command.h"
#include "contract/event.h"
#include "publish.h"
#include "store/tenant.h"

#define ROUNDS_MAX 20 /* each one only after a change in the milliseconds of the one before */

/* What is known of a key of the topic. */
struct entry {
    const char *key;                       /* "kind:address" */
    enum { SEEN, PUBLISHED, REMOVED } put; /* by others, or what this command wrote last */
    struct uuid channel;                   /* PUBLISHED */
    int64_t version;
    size_t round; /* the last round that found a living channel under it */
};

struct publication {
    struct desk *desk;
    struct bus_producer *producer;
    struct map *entries; /* by key */
    size_t round;        /* from 1 */
    size_t written;      /* in this round */
    int64_t channels, removed;
};

static struct entry *entry_of(struct publication *p, const char *key)
{
    struct entry *entry = map_get_text(p->entries, key);
    if (entry != NULL)
        return entry;
    entry = arena_alloc(p->desk->arena, sizeof *entry);
    *entry = (struct entry){.key = key, .put = SEEN};
    map_put_text(p->entries, key, entry);
    return entry;
}

/* ---- what the topic has ---- */

static bool look_at_key(void *arg, const struct bus_record *record)
{
    struct publication *p = arg;
    const char *key = arena_strndup(p->desk->arena, record->key, record->key_length);
    if (strchr(key, ':') == NULL)
        return true; /* the complete marker */
    if (record->value == NULL)
        map_remove_text(p->entries, key);
    else
        entry_of(p, key);
    return true;
}

static int read_topic(struct publication *p, struct err *err)
{
    struct bus_options options;
    if (desk_bus(p->desk, &options, err) != 0)
        return -1;
    return bus_scan(&options, desk_topic(p->desk, TOPIC_DIRECTORY), PUBLISH_WAIT_MS, look_at_key, p,
                    err);
}

/* ---- writing ---- */

static int publish_channel(struct publication *p, const struct directory_channel *channel,
                           struct err *err)
{
    struct arena *arena = p->desk->arena;
    struct entry *entry = entry_of(p, topic_key_channel(arena, channel->kind, channel->address));
    struct bus_record record;
    entry->round = p->round;
    if (entry->put == PUBLISHED && entry->version == channel->version &&
        uuid_equal(&entry->channel, &channel->channel))
        return 0;
    directory_channel_encode(arena, p->desk->settings.kafka.topic_prefix, channel, &record);
    if (bus_produce_wait(p->producer, &record, PUBLISH_WAIT_MS, err) != 0)
        return -1;
    entry->put = PUBLISHED;
    entry->version = channel->version;
    entry->channel = channel->channel;
    p->written++;
    return 0;
}

struct removal {
    struct publication *p;
    struct err *err;
    int result;
};

static bool remove_stale(void *arg, const void *key, size_t key_length, void *value)
{
    struct removal *removal = arg;
    struct publication *p = removal->p;
    struct arena *arena = p->desk->arena;
    struct entry *entry = value;
    const char *colon = strchr(entry->key, ':');
    struct bus_record record;
    (void)key;
    (void)key_length;
    if (entry->round == p->round || entry->put == REMOVED)
        return true;
    directory_removed_encode(arena, p->desk->settings.kafka.topic_prefix,
                             arena_strndup(arena, entry->key, (size_t)(colon - entry->key)),
                             colon + 1, &record);
    removal->result = bus_produce_wait(p->producer, &record, PUBLISH_WAIT_MS, removal->err);
    if (removal->result != 0)
        return false;
    entry->put = REMOVED;
    p->written++;
    p->removed++;
    return true;
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

/* Brings the topic in line with the rows as they are now. */
static int publish_round(struct publication *p, struct directory_row **rows, size_t *count,
                         struct err *err)
{
    struct removal removal = {.p = p, .err = err};
    p->round++;
    p->written = 0;
    p->channels = 0;
    if (read_rows(p->desk, rows, count, err) != 0)
        return -1;
    for (size_t i = 0; i < *count; i++) {
        if ((*rows)[i].removed)
            continue;
        if (publish_channel(p, &(*rows)[i].channel, err) != 0)
            return -1;
        p->channels++;
    }
    map_each(p->entries, remove_stale, &removal);
    return removal.result;
}

static int publish_rounds(struct publication *p, struct directory_row **rows, size_t *count,
                          struct err *err)
{
    do {
        if (p->round == ROUNDS_MAX)
            return err_set(err, ERR_RETRY_LATER, "directory.busy",
                           "the channels changed all the time; publish again");
        if (publish_round(p, rows, count, err) != 0)
            return -1;
    } while (p->written > 0);
    return 0;
}

/* ---- the whole ---- */

static int complete(struct publication *p, struct err *err)
{
    struct bus_record record;
    const struct directory_complete in = {
        .event = {.id = "", /* by its time: only the codec makes ids */
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
    if (read_topic(p, err) != 0 || publish_open(p->desk, TOPIC_DIRECTORY, &p->producer, err) != 0 ||
        publish_rounds(p, &rows, &count, err) != 0 || complete(p, err) != 0)
        return -1;
    return mark(p->desk, rows, count, err);
}

static int run_publish(struct desk *desk, const struct words *words)
{
    (void)words;
    struct publication p = {.desk = desk, .entries = map_new()};
    struct err err;
    int result = publish(&p, &err);
    bus_producer_close(&p.producer, 0);
    map_free(&p.entries);
    if (result != 0)
        return desk_fail(&err);
    const struct desk_fact facts[] = {{"channels", NULL, p.channels}, {"removed", NULL, p.removed}};
    desk_note("published %" PRId64 " channels, removed %" PRId64, p.channels, p.removed);
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

const struct command command_directory[] = {
    {"directory publish", "", "publish all channels to the edge from the database",
     "Writes one record per channel to the directory topic, removes what the database does not\n"
     "have, and ends with the marker that makes a waiting ingress ready. Safe at any time.",
     NULL, 0, 0, run_publish},
    {.words = NULL},
};
