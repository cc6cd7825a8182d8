/* `deskctl reconcile`: asks Twilio which messages came in and injects those that no inbox row
 * knows, because a webhook was lost: all pages first, then the oldest first, because a customer's
 * texts are claimed in the order of the topic. While the installation is held (a database that went
 * back) it also asks which messages left, and ends the events that were answered before. The event
 * has the MessageSid as its id, like a webhook's, so injecting what arrives by itself after all
 * changes nothing. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "contract/event.h"
#include "contract/twilio_page.h"
#include "fetch.h"
#include "publish.h"
#include "store/admin.h"
#include "store/hold.h"
#include "store/tenant.h"
#include "tenant_plan.h"

#define PAGES_MAX        1000
#define SINCE_DEFAULT_MS (2 * 3600 * 1000)
#define SINCE_MAX_MS     (90LL * 24 * 3600 * 1000)

struct reconcile {
    struct desk *desk;
    struct fetch *fetch;
    struct bus_producer *producer; /* opened with the first message to inject */
    struct table *table;
    bool execute;
    int64_t since_ms;
    size_t seen, missing, failed;
    size_t foreign;  /* came in before the number was the tenant's */
    int64_t settled; /* rows that what left has ended */
    bool held;
    const char *base; /* without its last slash */
};

static const struct table_column columns[] = {
    {"tenant", TABLE_TEXT}, {"number", TABLE_TEXT}, {"from", TABLE_TEXT},
    {"sid", TABLE_TEXT},    {"at", TABLE_TEXT},     {"outcome", TABLE_TEXT},
};

/* One number while it is asked about. */
struct number {
    const struct tenant_channel *channel;
    struct secret *token;
    struct admin_window window;
};

static void note(struct reconcile *r, const struct tenant_channel *channel,
                 const struct twilio_message *message, const char *outcome)
{
    char at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(message->at_ms, at);
    const char *cells[] = {
        channel->tenant_name, channel->address, message->sms.from, message->sid, at, outcome};
    table_add(r->table, cells);
}

static int add_media(struct reconcile *r, const struct number *number,
                     struct twilio_message *message, struct err *err)
{
    const char *account_sid = number->channel->account_sid;
    const char *body = NULL;
    size_t length = 0;
    if (message->media == 0)
        return 0;
    const char *url = twilio_page_media_url(r->desk->arena, r->base, account_sid, message->sid);
    if (fetch_get(r->fetch, r->desk->arena, url, account_sid, number->token, &body, &length, err) !=
        0)
        return -1;
    return twilio_page_read_media(r->desk->arena, body, length, r->base, &message->sms, err);
}

static int inject(struct reconcile *r, const struct number *number, struct twilio_message *message,
                  struct err *err)
{
    const struct tenant_channel *channel = number->channel;
    struct arena *arena = r->desk->arena;
    struct bus_record record;
    char tenant[UUID_TEXT_SIZE];
    if (add_media(r, number, message, err) != 0)
        return -1;
    if (r->producer == NULL && publish_open(r->desk, TOPIC_INBOUND_SMS, &r->producer, err) != 0)
        return -1;
    twilio_page_to_event(arena, uuid_format(&channel->tenant, tenant), channel->account_sid,
                         message);
    sms_received_encode(arena, r->desk->settings.kafka.topic_prefix, &message->sms, &record);
    return bus_produce_wait(r->producer, &record, PUBLISH_WAIT_MS, err);
}

static int settle_sent(struct reconcile *r, const struct number *number,
                       struct twilio_message *message, struct err *err)
{
    const struct tenant_channel *channel = number->channel;
    struct pg_session *session = NULL;
    const struct admin_sent sent = {channel->tenant, channel->address, message->to, message->sid,
                                    message->at_ms};
    int64_t rows = 0;
    if (desk_begin(r->desk, &session, err) != 0 ||
        admin_settle_sent(session, &sent, &rows, err) != 0)
        return -1;
    r->settled += rows;
    if (r->execute)
        return desk_commit(r->desk, err);
    desk_rollback(r->desk);
    return 0;
}

static int settle(struct reconcile *r, const struct number *number, struct twilio_message *message,
                  struct err *err)
{
    const struct tenant_channel *channel = number->channel;
    struct pg_session *session = NULL;
    bool known = false;
    r->seen++;
    if (desk_begin(r->desk, &session, err) != 0 ||
        admin_inbox_knows(session, &channel->tenant, channel->kind, message->sid, &known, err) != 0)
        return -1;
    desk_rollback(r->desk);
    if (known)
        return 0;
    if (message->at_ms != 0 && message->at_ms < number->window.arrived_ms) {
        r->foreign++;
        return 0;
    }
    if (*message->error != '\0') {
        r->failed++;
        note(r, channel, message,
             arena_printf(r->desk->arena, "cannot be injected: %s", message->error));
        return 0;
    }
    r->missing++;
    if (r->execute && inject(r, number, message, err) != 0)
        return -1;
    note(r, channel, message, r->execute ? "injected" : "missing");
    return 0;
}

/* One direction of a number: which of the listed messages count, and what is done with each. */
struct direction {
    bool outgoing;
    int (*settle)(struct reconcile *r, const struct number *number, struct twilio_message *message,
                  struct err *err);
};
static const struct direction came_in = {false, settle};
static const struct direction went_out = {true, settle_sent};

static const char *first_url(const struct reconcile *r, const struct tenant_channel *channel,
                             const struct direction *direction)
{
    struct twilio_page_query query = {r->base, channel->account_sid, channel->address,
                                      TWILIO_PAGE_TO, r->since_ms};
    if (direction->outgoing)
        query.side =
            channel->messaging_service_sid != NULL ? TWILIO_PAGE_ACCOUNT : TWILIO_PAGE_FROM;
    return twilio_page_url(r->desk->arena, &query);
}

static void take_page(const struct reconcile *r, const struct tenant_channel *channel,
                      const struct direction *direction, const struct twilio_page *page,
                      struct twilio_list *list)
{
    for (size_t i = 0; i < page->count; i++) {
        struct twilio_message *message = &page->messages[i];
        bool counts =
            direction->outgoing
                ? twilio_page_went_out(message, channel->address, channel->messaging_service_sid,
                                       r->since_ms)
                : twilio_page_came_in(message, channel->address, channel->account_sid, r->since_ms);
        if (counts)
            twilio_list_add(r->desk->arena, list, message);
    }
}

static int read_pages(struct reconcile *r, const struct number *number,
                      const struct direction *direction, struct twilio_list *list, struct err *err)
{
    const struct tenant_channel *channel = number->channel;
    struct arena *arena = r->desk->arena;
    const char *url = first_url(r, channel, direction);
    for (int pages = 0; url != NULL; pages++) {
        struct twilio_page page;
        const char *body = NULL;
        size_t length = 0;
        if (pages == PAGES_MAX)
            return err_set(err, ERR_PERMANENT, "reconcile.pages",
                           "more than %d pages; use a later --since", PAGES_MAX);
        if (fetch_get(r->fetch, arena, url, channel->account_sid, number->token, &body, &length,
                      err) != 0 ||
            twilio_page_read(arena, body, length, channel->account_sid, &page, err) != 0)
            return -1;
        take_page(r, channel, direction, &page, list);
        bool more = page.next != NULL && !twilio_page_is_older(&page, r->since_ms);
        url = more ? arena_printf(arena, "%s%s", r->base, page.next) : NULL;
    }
    return 0;
}

static int reconcile_direction(struct reconcile *r, const struct number *number,
                               const struct direction *direction, struct err *err)
{
    struct twilio_list list = {.count = 0};
    if (read_pages(r, number, direction, &list, err) != 0)
        return -1;
    twilio_list_sort(&list);
    for (size_t i = 0; i < list.count; i++)
        if (direction->settle(r, number, list.items[i], err) != 0)
            return -1;
    return 0;
}

/* number->token is owned by the caller, also on failure. */
static int open_number(struct reconcile *r, struct number *number, struct err *err)
{
    const struct tenant_channel *channel = number->channel;
    const struct secret *key = NULL;
    struct pg_session *session = NULL;
    if (desk_key(r->desk, DESK_KEY_CREDENTIALS, &key, err) != 0 ||
        tenant_plan_open_token(channel, key, &number->token, err) != 0 ||
        desk_begin(r->desk, &session, err) != 0 ||
        admin_read_window(session, &channel->tenant, &channel->id, &number->window, err) != 0)
        return -1;
    desk_rollback(r->desk);
    number->window.arrived_ms -= number->window.arrived_ms % 1000; /* the list has whole seconds */
    return 0;
}

static int reconcile_channel(struct reconcile *r, const struct tenant_channel *channel,
                             struct err *err)
{
    struct number number = {.channel = channel};
    if (channel->removed)
        return 0;
    int result = open_number(r, &number, err);
    if (result == 0)
        result = reconcile_direction(r, &number, &came_in, err);
    if (result == 0 && r->held)
        result = reconcile_direction(r, &number, &went_out, err);
    secret_free(&number.token);
    return result;
}

static int read_tenants(struct desk *desk, const char *name, struct tenant_row **rows,
                        size_t *count, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0)
        return -1;
    int result = name != NULL ? tenant_find(session, desk->arena, name, rows, err)
                              : tenant_list(session, desk->arena, rows, count, err);
    desk_rollback(desk);
    if (result == 0 && name != NULL && *rows == NULL)
        return err_set(err, ERR_PERMANENT, "tenant.not_found", "there is no tenant \"%.60s\"",
                       name);
    if (name != NULL)
        *count = 1;
    return result;
}

/* One number that cannot be asked must not keep the others from being asked. */
static void reconcile_tenants(struct reconcile *r, const struct tenant_row *rows, size_t count)
{
    struct err err;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < rows[i].channel_count; j++)
            if (reconcile_channel(r, &rows[i].channels[j], &err) != 0) {
                desk_rollback(r->desk);
                desk_note("%s %s: %s (%s)", rows[i].name, rows[i].channels[j].address, err.message,
                          err.code);
                r->failed++;
            }
}

static bool parse_since(const char *text, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t factor;
    } units[] = {{'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t length = strlen(text);
    char number[8];
    int64_t value;
    if (length < 2 || length > sizeof number)
        return false;
    memcpy(number, text, length - 1);
    number[length - 1] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (text[length - 1] == units[i].unit && text_parse_int(number, 1, 1000000, &value)) {
            *ms = value * units[i].factor;
            return *ms <= SINCE_MAX_MS;
        }
    return false;
}

static int finish(struct reconcile *r)
{
    int code = desk_print_table(r->desk, r->table, "nothing is missing");
    desk_note("%zu inbound messages looked at, %zu %s, %zu problems", r->seen, r->missing,
              r->execute ? "injected" : "missing", r->failed);
    if (r->foreign > 0)
        desk_note("%zu texts were left alone: they came before the number was the tenant's",
                  r->foreign);
    if (r->held)
        desk_note("the installation is held: %" PRId64 " events and replies %s answered before",
                  r->settled, r->execute ? "were settled as" : "would be settled as");
    if (!r->execute && r->missing > 0)
        desk_note("add --execute to inject them");
    if (code != DESK_OK || r->failed > 0)
        return DESK_FAILED;
    return !r->execute && r->missing > 0 ? DESK_DIFFERENT : DESK_OK;
}

static int read_held(struct desk *desk, bool *held, struct err *err)
{
    struct pg_session *session = NULL;
    struct hold_state state;
    if (desk_begin(desk, &session, err) != 0 || hold_read(session, &state, err) != 0)
        return -1;
    desk_rollback(desk);
    *held = !state.released;
    return 0;
}

static int run(struct desk *desk, const struct words *words)
{
    struct reconcile r = {.desk = desk, .execute = words_option(words, "execute") != NULL};
    const char *since = words_option(words, "since");
    struct tenant_row *rows = NULL;
    size_t count = 0, length = strlen(desk->settings.twilio_base_url);
    int64_t span_ms = SINCE_DEFAULT_MS;
    struct err err;
    if (since != NULL && !parse_since(since, &span_ms))
        return desk_usage("--since must be a time back from now, like 90m, 2h or 3d (at most 90d)");
    while (length > 0 && desk->settings.twilio_base_url[length - 1] == '/')
        length--;
    r.base = arena_strndup(desk->arena, desk->settings.twilio_base_url, length);
    r.since_ms = clock_wall_ms() - span_ms;
    if (read_tenants(desk, words_option(words, "tenant"), &rows, &count, &err) != 0)
        return desk_fail(&err);
    if (read_held(desk, &r.held, &err) != 0)
        return desk_fail(&err);
    r.table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    r.fetch = fetch_new();
    reconcile_tenants(&r, rows, count);
    fetch_free(&r.fetch);
    bus_producer_close(&r.producer, 0);
    return finish(&r);
}

static const struct option options[] = {
    {"tenant", "NAME", "only this tenant's numbers"},
    {"since", "TIME", "how far back: 90m, 2h, 3d (default 2h, at most 90d)"},
    {"execute", NULL, "inject what is missing (default: only show it, exit 3)"},
    {NULL, NULL, NULL},
};

const struct command command_reconcile[] = {
    {"reconcile", "", "find texts that the provider has and the inbox has not",
     "Lists the inbound messages of each number at the provider. What no inbox row knows is put\n"
     "into the inbound topic with its usual id; nothing is answered twice. Texts older than the\n"
     "answer-by time (24 h) are stored and listed, not answered; what came before the number was\n"
     "the tenant's is left alone.",
     options, 0, 0, run},
    {.words = NULL},
};
