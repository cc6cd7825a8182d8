/* `deskctl reconcile`: asks Twilio which messages (and calls: reconcile_calls.c) came in and
 * injects those that no inbox row knows, because a webhook was lost: all pages first, then the
 * oldest first, because a customer's texts are claimed in the order of the topic. While the
 * installation is held (a database that went back) it then waits until all of it is claimed, asks
 * which messages left, and ends the events that were answered before. The event has the MessageSid
 * as its id, like a webhook's, so injecting what arrives by itself after all changes nothing. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "catch_up.h"
#include "command.h"
#include "contract/event.h"
#include "contract/twilio_page.h"
#include "fetch.h"
#include "listing.h"
#include "publish.h"
#include "reconcile_calls.h"
#include "store/admin.h"
#include "store/hold.h"
#include "store/job.h"
#include "store/tenant.h"
#include "tenant_plan.h"

#define SINCE_DEFAULT_MS (2 * 3600 * 1000)
#define SINCE_MAX_MS     (90LL * 24 * 3600 * 1000)
#define WAIT_DEFAULT_MS  60000
#define BEFORE_OPEN_MS   60000 /* the provider's clock against that of whoever wrote event_time */

struct reconcile {
    struct desk *desk;
    struct fetch *fetch;
    struct bus_producer *producer, *calls; /* opened with the first message or call to inject */
    struct table *table;
    bool execute, whole; /* whole: every number of every tenant */
    int64_t now_ms, since_ms, wait_ms;
    size_t seen, missing, failed;
    size_t foreign;   /* came in before the number was the tenant's */
    int64_t settled;  /* rows that what left has ended */
    int64_t placed;   /* the same of calls that left */
    int64_t asked_ms; /* since when what left was asked for, at the earliest number */
    bool settling;    /* what left was asked for */
    struct hold_state hold;
    struct injected *injected; /* newest first */
    const char *base;          /* without its last slash */
};

struct injected {
    const struct tenant_channel *channel;
    const char *sid;
    struct injected *next;
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

static const char *format_time(int64_t ms, char out[CLOCK_RFC3339_SIZE])
{
    clock_format_rfc3339(ms, out);
    return out;
}

static void note(struct reconcile *r, const struct tenant_channel *channel,
                 const struct twilio_message *message, const char *outcome)
{
    char at[CLOCK_RFC3339_SIZE];
    const char *cells[] = {channel->tenant_name,
                           channel->address,
                           message->sms.from,
                           message->sid,
                           format_time(message->at_ms, at),
                           outcome};
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
    if (bus_produce_wait(r->producer, &record, PUBLISH_WAIT_MS, err) != 0)
        return -1;
    struct injected *injected = arena_alloc(arena, sizeof *injected);
    *injected = (struct injected){channel, message->sid, r->injected};
    r->injected = injected;
    return 0;
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

static int inbox_knows(struct reconcile *r, const struct tenant_channel *channel, const char *sid,
                       bool *known, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(r->desk, &session, err) != 0 ||
        admin_inbox_knows(session, &channel->tenant, channel->kind, sid, known, err) != 0)
        return -1;
    desk_rollback(r->desk);
    return 0;
}

static int settle(struct reconcile *r, const struct number *number, struct twilio_message *message,
                  struct err *err)
{
    const struct tenant_channel *channel = number->channel;
    bool known = false;
    r->seen++;
    if (inbox_knows(r, channel, message->sid, &known, err) != 0)
        return -1;
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

/* Since when a number's messages are asked for. A database that went back must be told of all that
 * it may answer again, however far back: what left, since its oldest text without an answer, or
 * call that is still to be placed; what came in, since where its next audit would begin, which
 * after the release would inject the same. */
static int64_t window_start(const struct reconcile *r, const struct admin_window *window,
                            const struct direction *direction)
{
    int64_t needed_ms = r->since_ms;
    if (r->hold.released)
        return r->since_ms;
    if (!direction->outgoing)
        needed_ms = window->audited_ms > 0 ? window->audited_ms - JOB_GAP_AUDIT_OVERLAP_MS
                                           : window->arrived_ms;
    else if (window->open_ms > 0)
        needed_ms = window->open_ms - BEFORE_OPEN_MS;
    if (needed_ms < r->now_ms - SINCE_MAX_MS)
        needed_ms = r->now_ms - SINCE_MAX_MS;
    return needed_ms < r->since_ms ? needed_ms : r->since_ms;
}

static int settle_number(struct reconcile *r, const struct number *number,
                         const struct direction *direction, struct err *err)
{
    struct twilio_list list = {.count = 0};
    const struct listing listing = {.fetch = r->fetch,
                                    .arena = r->desk->arena,
                                    .base = r->base,
                                    .channel = number->channel,
                                    .token = number->token,
                                    .outgoing = direction->outgoing,
                                    .since_ms = window_start(r, &number->window, direction)};
    if (direction->outgoing && listing.since_ms < r->asked_ms)
        r->asked_ms = listing.since_ms;
    if (listing_read(&listing, &list, err) != 0)
        return -1;
    for (size_t i = 0; i < list.count; i++)
        if (direction->settle(r, number, list.items[i], err) != 0)
            return -1;
    return 0;
}

/* Of a number for calls. A call is listed by its begin, and told by its end. */
static int settle_calls(struct reconcile *r, const struct number *number,
                        const struct direction *direction, struct err *err)
{
    const int64_t since_ms = window_start(r, &number->window, direction);
    const bool whole_call = !direction->outgoing && !r->hold.released;
    struct reconcile_calls calls = {
        .desk = r->desk,
        .fetch = r->fetch,
        .producer = &r->calls,
        .table = r->table,
        .base = r->base,
        .channel = number->channel,
        .token = number->token,
        .since_ms = since_ms - (whole_call ? JOB_CALL_AUDIT_OVERLAP_MS : 0),
        .arrived_ms = number->window.arrived_ms,
        .execute = r->execute,
    };
    if (direction->outgoing && since_ms < r->asked_ms)
        r->asked_ms = since_ms;
    int result = direction->outgoing ? reconcile_placed(&calls, err) : reconcile_calls(&calls, err);
    r->placed += calls.settled;
    r->seen += calls.seen;
    r->missing += calls.missing;
    r->failed += calls.failed;
    r->foreign += calls.foreign;
    return result;
}

static int reconcile_channel(struct reconcile *r, const struct tenant_channel *channel,
                             const struct direction *direction, struct err *err)
{
    struct number number = {.channel = channel};
    const bool is_voice = strcmp(channel->kind, "voice") == 0;
    if (channel->removed || (!is_voice && strcmp(channel->kind, "sms") != 0))
        return 0;
    int result = open_number(r, &number, err);
    if (result == 0)
        result = is_voice ? settle_calls(r, &number, direction, err)
                          : settle_number(r, &number, direction, err);
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
static void reconcile_tenants(struct reconcile *r, const struct tenant_row *rows, size_t count,
                              const struct direction *direction)
{
    struct err err;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < rows[i].channel_count; j++)
            if (reconcile_channel(r, &rows[i].channels[j], direction, &err) != 0) {
                desk_rollback(r->desk);
                desk_note("%s %s: %s (%s)", rows[i].name, rows[i].channels[j].address, err.message,
                          err.code);
                r->failed++;
            }
}

/* What left settles only what is claimed: what is still in the topic would be claimed later, and
 * answered again after the release. */
static int wait_claimed(struct reconcile *r, struct err *err)
{
    if (catch_up_wait(r->desk, r->wait_ms, err) != 0)
        return -1;
    for (const struct injected *i = r->injected; i != NULL; i = i->next) {
        bool known = false;
        if (inbox_knows(r, i->channel, i->sid, &known, err) != 0)
            return -1;
        if (!known) {
            r->failed++;
            desk_note("%s %s: %s was injected and is not in the inbox: see `deskctl dead list`",
                      i->channel->tenant_name, i->channel->address, i->sid);
        }
    }
    return 0;
}

static int note_reconciled(struct reconcile *r, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(r->desk, &session, err) != 0 || hold_set_reconciled(session, &r->hold, err) != 0)
        return -1;
    return desk_commit(r->desk, err);
}

/* Both directions of all numbers; `complete` if nothing failed that a release relies on. */
static int reconcile_all(struct reconcile *r, const struct tenant_row *rows, size_t count,
                         bool *complete, struct err *err)
{
    reconcile_tenants(r, rows, count, &came_in);
    if (r->hold.released)
        return 0;
    if (r->execute && wait_claimed(r, err) != 0)
        return -1;
    r->settling = true;
    reconcile_tenants(r, rows, count, &went_out);
    if (!r->execute || !r->whole || r->failed > 0)
        return 0;
    if (note_reconciled(r, err) != 0)
        return -1;
    *complete = true;
    return 0;
}

static bool parse_span(const char *text, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t factor;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
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

static void note_settled(const struct reconcile *r, bool complete)
{
    char since[CLOCK_RFC3339_SIZE];
    desk_note("the installation is held: what left since %s was looked at, %" PRId64
              " events and replies %s answered before",
              format_time(r->asked_ms, since), r->settled,
              r->execute ? "were settled as" : "would be settled as");
    if (r->placed > 0)
        desk_note("%" PRId64 " calls %s placed before: they are not placed again", r->placed,
                  r->execute ? "were settled as" : "would be settled as");
    if (complete)
        desk_note("all numbers are reconciled: `deskctl release` lets responders send");
    else if (r->execute)
        desk_note("not reconciled yet: `deskctl release` needs a run over all tenants without "
                  "problems");
}

static int finish(struct reconcile *r, bool complete)
{
    int code = desk_print_table(r->desk, r->table, "nothing is missing");
    desk_note("%zu inbound messages, calls and recordings looked at, %zu %s, %zu problems", r->seen,
              r->missing, r->execute ? "injected" : "missing", r->failed);
    if (r->foreign > 0)
        desk_note("%zu texts were left alone: they came before the number was the tenant's",
                  r->foreign);
    if (r->settling)
        note_settled(r, complete);
    if (!r->execute && r->missing > 0)
        desk_note("add --execute to inject them");
    if (code != DESK_OK || r->failed > 0)
        return DESK_FAILED;
    return !r->execute && r->missing > 0 ? DESK_DIFFERENT : DESK_OK;
}

static int read_hold(struct desk *desk, struct hold_state *hold, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0 || hold_read(session, hold, err) != 0)
        return -1;
    desk_rollback(desk);
    return 0;
}

static bool read_spans(struct reconcile *r, const struct words *words)
{
    const char *since = words_option(words, "since"), *wait = words_option(words, "wait");
    int64_t span_ms = SINCE_DEFAULT_MS;
    r->wait_ms = WAIT_DEFAULT_MS;
    if ((since != NULL && !parse_span(since, &span_ms)) ||
        (wait != NULL && !parse_span(wait, &r->wait_ms)))
        return false;
    r->now_ms = clock_wall_ms();
    r->since_ms = r->asked_ms = r->now_ms - span_ms;
    return true;
}

static int run(struct desk *desk, const struct words *words)
{
    const char *tenant = words_option(words, "tenant");
    struct reconcile r = {
        .desk = desk, .execute = words_option(words, "execute") != NULL, .whole = tenant == NULL};
    struct tenant_row *rows = NULL;
    size_t count = 0, length = strlen(desk->settings.twilio_base_url);
    bool complete = false;
    struct err err;
    if (!read_spans(&r, words))
        return desk_usage("--since and --wait are times like 90m, 2h or 3d (at most 90d)");
    while (length > 0 && desk->settings.twilio_base_url[length - 1] == '/')
        length--;
    r.base = arena_strndup(desk->arena, desk->settings.twilio_base_url, length);
    if (read_tenants(desk, tenant, &rows, &count, &err) != 0 || read_hold(desk, &r.hold, &err) != 0)
        return desk_fail(&err);
    r.table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    r.fetch = fetch_new();
    if (reconcile_all(&r, rows, count, &complete, &err) != 0) {
        desk_rollback(desk);
        desk_note("deskctl: %s (%s)", err.message, err.code);
        r.failed++;
    }
    fetch_free(&r.fetch);
    bus_producer_close(&r.producer, 0);
    bus_producer_close(&r.calls, 0);
    return finish(&r, complete);
}

static const struct option options[] = {
    {"tenant", "NAME", "only this tenant's numbers"},
    {"since", "TIME", "how far back: 90m, 2h, 3d (default 2h, at most 90d); held: at least so far"},
    {"wait", "TIME", "held: how long engines may stand still before all is claimed (default 60s)"},
    {"execute", NULL, "inject what is missing (default: only show it, exit 3)"},
    {NULL, NULL, NULL},
};

const struct command command_reconcile[] = {
    {"reconcile", "",
     "find texts, calls and recordings that the provider has and the inbox has not",
     "Lists the inbound messages, calls and recordings of each number at the provider. What no\n"
     "inbox row knows is put into the inbound topic with its usual id; nothing is answered twice,\n"
     "and a call that reached nobody becomes a task for people. Texts older than the\n"
     "answer-by time (24 h) are stored and listed, not answered; what came before the number was\n"
     "the tenant's is left alone.\n\n"
     "While the installation is held (a database that was restored; docs/PROTOCOL.md, Restore) it\n"
     "goes back as far as the database may answer again, waits until the engines have claimed all\n"
     "that is in the topic, and settles what was answered, and which calls were placed, before.\n"
     "Replay first.",
     options, 0, 0, run},
    {.words = NULL},
};
