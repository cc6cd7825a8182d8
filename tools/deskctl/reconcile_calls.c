/* The calls of one number. What was said in them: all pages of the calls to it and from it, then of
 * the account's recordings, of which those count that were left in one of these calls. What left:
 * all pages of the calls from it. reconcile.c calls it. */
#include "reconcile_calls.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "contract/twilio_calls.h"
#include "publish.h"
#include "store/admin.h"
#include "store/call_reconcile.h"
#include "store/voice.h"

#define PAGES_MAX 1000

/* Newest first, as the pages come. */
static int read_list(const struct reconcile_calls *calls, enum twilio_calls_kind kind,
                     struct twilio_listed **first, struct err *err)
{
    struct arena *arena = calls->desk->arena;
    const char *account_sid = calls->channel->account_sid;
    const struct twilio_calls_query query = {calls->base, account_sid, calls->channel->address,
                                             kind, calls->since_ms - calls->since_ms % 1000};
    const char *url = twilio_calls_url(arena, &query);
    struct twilio_listed **end = first;
    *first = NULL;
    for (int pages = 0; url != NULL; pages++) {
        struct twilio_calls_page page;
        const char *body = NULL;
        size_t length = 0;
        if (pages == PAGES_MAX)
            return err_set(err, ERR_PERMANENT, "reconcile.pages",
                           "the provider lists more than %d pages of calls", PAGES_MAX);
        if (fetch_get(calls->fetch, arena, url, account_sid, calls->token, &body, &length, err) !=
                0 ||
            twilio_calls_read(arena, body, length, &query, &page, err) != 0)
            return -1;
        for (*end = page.first; *end != NULL;)
            end = &(*end)->next;
        url = page.next != NULL ? arena_printf(arena, "%s%s", calls->base, page.next) : NULL;
    }
    return 0;
}

static const char *array_of(struct arena *arena, const char *text)
{
    struct pg_array array;
    pg_array_init(&array);
    pg_array_add(&array, text);
    const char *literal = pg_array_take(&array, arena);
    pg_array_fini(&array);
    return literal;
}

/* One that nobody answered is to be told where people want to hear of it. */
static int knows_rung(const struct reconcile_calls *calls, struct pg_session *session,
                      const struct twilio_listed *listed, bool *known, struct err *err)
{
    struct arena *arena = calls->desk->arena;
    char at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(listed->at_ms, at);
    const struct voice_rung rung = {.ours = calls->channel->address,
                                    .call_sids = array_of(arena, listed->sid),
                                    .callers = array_of(arena, listed->from),
                                    .ends = array_of(arena, at)};
    bool missed = false;
    int result = voice_is_rung(session, &calls->channel->tenant, &rung, &missed, err);
    *known = !missed;
    return result;
}

static int is_known(const struct reconcile_calls *calls, const struct twilio_listed *listed,
                    bool *known, struct err *err)
{
    const struct uuid *tenant = &calls->channel->tenant;
    struct pg_session *session = NULL;
    if (desk_begin(calls->desk, &session, err) != 0)
        return -1;
    bool open = false;
    int result = 0;
    if (listed->kind == TWILIO_RECORDINGS)
        result = admin_inbox_knows(session, tenant, "voice", listed->sid, known, err);
    else if (listed->kind == TWILIO_CALLS && strcmp(listed->status, "completed") == 0)
        result = voice_knows_end(session, tenant, listed->sid, known, err);
    else if (listed->kind == TWILIO_CALLS)
        result = knows_rung(calls, session, listed, known, err);
    else if ((result = voice_is_open(session, tenant, listed->sid, &open, err)) == 0)
        *known = !open;
    desk_rollback(calls->desk);
    return result;
}

static int inject(const struct reconcile_calls *calls, const struct twilio_listed *call,
                  const struct twilio_listed *recording, struct err *err)
{
    struct arena *arena = calls->desk->arena;
    struct bus_record record;
    char tenant[UUID_TEXT_SIZE];
    if (*calls->producer == NULL &&
        publish_open(calls->desk, TOPIC_INBOUND_VOICE, calls->producer, err) != 0)
        return -1;
    twilio_calls_encode(arena, calls->desk->settings.kafka.topic_prefix,
                        uuid_format(&calls->channel->tenant, tenant), calls->channel->account_sid,
                        call, recording, &record);
    return bus_produce_wait(*calls->producer, &record, PUBLISH_WAIT_MS, err);
}

static void note(const struct reconcile_calls *calls, const struct twilio_listed *call,
                 const struct twilio_listed *listed, const char *outcome)
{
    char at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(listed->at_ms, at);
    const char *cells[] = {
        calls->channel->tenant_name, calls->channel->address, call->from, listed->sid, at, outcome};
    table_add(calls->table, cells);
}

static int settle(struct reconcile_calls *calls, const struct twilio_listed *call,
                  const struct twilio_listed *recording, struct err *err)
{
    const struct twilio_listed *listed = recording != NULL ? recording : call;
    bool known = false;
    calls->seen++;
    if (*listed->error != '\0' || *call->error != '\0') {
        calls->failed++;
        note(calls, call, listed,
             arena_printf(calls->desk->arena, "cannot be injected: %s",
                          *listed->error != '\0' ? listed->error : call->error));
        return 0;
    }
    if (is_known(calls, listed, &known, err) != 0)
        return -1;
    if (known)
        return 0;
    if (call->began_ms < calls->arrived_ms) {
        calls->foreign++;
        return 0;
    }
    calls->missing++;
    if (calls->execute && inject(calls, call, recording, err) != 0)
        return -1;
    note(calls, call, listed, calls->execute ? "injected" : "missing");
    return 0;
}

int reconcile_calls(struct reconcile_calls *calls, struct err *err)
{
    struct twilio_listed *first = NULL, *placed = NULL, *recordings = NULL;
    struct map *by_sid = map_new();
    int result = read_list(calls, TWILIO_CALLS, &first, err);
    if (result == 0)
        result = read_list(calls, TWILIO_PLACED, &placed, err);
    if (result == 0)
        result = read_list(calls, TWILIO_RECORDINGS, &recordings, err);
    for (struct twilio_listed *call = first; result == 0 && call != NULL; call = call->next)
        map_put_text(by_sid, call->sid, call);
    for (struct twilio_listed *call = placed; result == 0 && call != NULL; call = call->next)
        map_put_text(by_sid, call->sid, call);
    for (struct twilio_listed *one = recordings; result == 0 && one != NULL; one = one->next) {
        const struct twilio_listed *call = map_get_text(by_sid, one->call_sid);
        if (call != NULL)
            result = settle(calls, call, one, err);
    }
    for (struct twilio_listed *call = first; result == 0 && call != NULL; call = call->next)
        result = settle(calls, call, NULL, err);
    for (struct twilio_listed *call = placed; result == 0 && call != NULL; call = call->next)
        if (strcmp(call->status, "completed") == 0 && *call->error == '\0')
            result = settle(calls, call, NULL, err);
    map_free(&by_sid);
    return result;
}

/* ---- what left ---- */

static int settle_placed(struct reconcile_calls *calls, const struct twilio_listed *call,
                         struct err *err)
{
    const struct tenant_channel *channel = calls->channel;
    struct pg_session *session = NULL;
    const struct call_placed placed = {.tenant = channel->tenant,
                                       .sender = channel->address,
                                       .address = call->from,
                                       .sid = call->sid,
                                       .status = call->status,
                                       .at_ms = call->began_ms};
    int64_t rows = 0;
    if (*call->error != '\0') {
        calls->failed++;
        note(calls, call, call, arena_printf(calls->desk->arena, "not settled: %s", call->error));
        return 0;
    }
    if (desk_begin(calls->desk, &session, err) != 0 ||
        call_reconcile(session, &placed, &rows, err) != 0)
        return -1;
    calls->settled += rows;
    if (calls->execute)
        return desk_commit(calls->desk, err);
    desk_rollback(calls->desk);
    return 0;
}

int reconcile_placed(struct reconcile_calls *calls, struct err *err)
{
    struct twilio_listed *first = NULL;
    if (read_list(calls, TWILIO_PLACED, &first, err) != 0)
        return -1;
    for (struct twilio_listed *call = twilio_calls_turned(first); call != NULL; call = call->next)
        if (settle_placed(calls, call, err) != 0)
            return -1;
    return 0;
}
