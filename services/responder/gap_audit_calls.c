/* The calls of a number: all pages of the calls to it, of those that we placed from it, then of the
 * account's recordings, of which those count that were left in one of these calls. What the inbox
 * does not know is published, the recordings first, so that a call that left one is no missed call:
 * the ends when all recordings are confirmed. Of each the oldest first. A call that we placed is
 * its delivery's to tell of (call_ends.c): here it ends only the session of who took it. One that
 * nobody answered counts where people are to hear of missed calls. */
#include "gap_audit_inside.h"

#include <string.h>

#include "base/clock.h"
#include "service/log.h"
#include "store/inbox.h"
#include "store/voice.h"

static void ask_page(struct gap_audit *audit, const char *url);

static struct twilio_calls_query query_of(const struct gap_audit *audit)
{
    return (struct twilio_calls_query){audit->base, audit->route.account_sid, audit->route.from,
                                       audit->kind, audit->since_ms};
}

/* ---- publishing ---- */

static void inject(struct gap_audit *audit, const struct twilio_listed *call,
                   const struct twilio_listed *recording)
{
    const struct twilio_listed *told = recording != NULL ? recording : call;
    struct bus_record record;
    if (*told->error != '\0' || *call->error != '\0')
        log_warn("gap_audit.unreadable", LOG_TEXT("sid", told->sid),
                 LOG_TEXT("why", *told->error != '\0' ? told->error : call->error));
    else if (!audit->failed && map_get_text(audit->unknown, told->event_id) != NULL) {
        twilio_calls_encode(audit->arena,
                            gap_audit_responder(audit)->shared->settings.kafka.topic_prefix,
                            audit->tenant, audit->route.account_sid, call, recording, &record);
        gap_audit_produce(audit, &record);
    }
}

/* The list is the account's: those that were left in other calls are not this number's. */
static void inject_recordings(struct gap_audit *audit)
{
    struct map *calls = map_new();
    for (struct twilio_listed *call = audit->calls; call != NULL; call = call->next)
        map_put_text(calls, call->sid, call);
    for (struct twilio_listed *call = audit->placed; call != NULL; call = call->next)
        map_put_text(calls, call->sid, call);
    for (struct twilio_listed *one = audit->recordings; one != NULL; one = one->next) {
        const struct twilio_listed *call = map_get_text(calls, one->call_sid);
        if (call != NULL)
            inject(audit, call, one);
    }
    map_free(&calls);
}

static void inject_ends(struct gap_audit *audit)
{
    audit->reports = 1; /* our own, until all are sent */
    audit->then = NULL;
    for (struct twilio_listed *call = audit->calls; call != NULL; call = call->next)
        inject(audit, call, NULL);
    for (struct twilio_listed *call = audit->placed; call != NULL; call = call->next)
        inject(audit, call, NULL);
    gap_audit_landed(audit);
}

/* An end must not be there when its call's recording got lost on the way. */
static void inject_all(struct gap_audit *audit)
{
    audit->calls = twilio_calls_turned(audit->calls);
    audit->placed = twilio_calls_turned(audit->placed);
    audit->recordings = twilio_calls_turned(audit->recordings);
    audit->reports = 1;
    audit->then = inject_ends;
    inject_recordings(audit);
    gap_audit_landed(audit);
}

/* ---- what is known ---- */

enum { UNKNOWN_CALLS, UNKNOWN_RUNG, UNKNOWN_PLACED, UNKNOWN_RECORDINGS };

static void unknown_known(void *arg, const struct pg_answer *answer)
{
    struct gap_audit *audit = arg;
    const struct pg_result *r = answer->results;
    if (gap_audit_leaves(audit, answer))
        return;
    for (int statement = UNKNOWN_CALLS; statement <= UNKNOWN_PLACED; statement++)
        for (int row = 0; row < pg_rows(r, statement); row++)
            map_put_text(audit->unknown,
                         arena_printf(audit->arena, "%s:ended", pg_text(r, statement, row, 0)),
                         audit);
    for (int row = 0; row < pg_rows(r, UNKNOWN_RECORDINGS); row++)
        map_put_text(audit->unknown, pg_text(r, UNKNOWN_RECORDINGS, row, 0), audit);
    inject_all(audit);
}

/* The sids, people or ends of those that somebody answered, or that nobody did. */
struct choice {
    const struct twilio_listed *list;
    int64_t before_ms;
    bool answered;
    enum { CHOICE_SIDS, CHOICE_PEOPLE, CHOICE_ENDS } of;
};

static void add_choice(struct pg_array *texts, const struct choice *choice,
                       const struct twilio_listed *one)
{
    char at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(one->at_ms, at);
    pg_array_add(texts, choice->of == CHOICE_SIDS     ? one->sid
                        : choice->of == CHOICE_PEOPLE ? one->from
                                                      : at);
}

static const char *texts_of(struct gap_audit *audit, const struct choice *choice)
{
    struct pg_array texts;
    pg_array_init(&texts);
    for (const struct twilio_listed *one = choice->list; one != NULL; one = one->next)
        if (*one->error == '\0' && one->at_ms <= choice->before_ms &&
            (strcmp(one->status, "completed") == 0) == choice->answered)
            add_choice(&texts, choice, one);
    const char *literal = pg_array_take(&texts, audit->arena);
    pg_array_fini(&texts);
    return literal;
}

static const char *sids_of(struct gap_audit *audit, const struct twilio_listed *list,
                           int64_t before_ms)
{
    return texts_of(audit,
                    &(struct choice){.list = list, .before_ms = before_ms, .answered = true});
}

static void ask_unknown(struct gap_audit *audit)
{
    struct pg_unit unit = {.deadline_ms = GAP_AUDIT_UNIT_MS, .done = unknown_known, .arg = audit};
    struct responder *responder = gap_audit_responder(audit);
    const int64_t told_ms = audit->job.now_ms - responder->shared->settings.call_audit_after_ms;
    struct choice rung = {.list = audit->calls, .before_ms = told_ms};
    const char *sids = texts_of(audit, &rung);
    rung.of = CHOICE_PEOPLE;
    const char *people = texts_of(audit, &rung);
    rung.of = CHOICE_ENDS;
    voice_add_unknown(&unit, audit->tenant, sids_of(audit, audit->calls, told_ms));
    voice_add_rung(&unit, audit->tenant,
                   &(struct voice_rung){.ours = audit->route.from,
                                        .call_sids = sids,
                                        .callers = people,
                                        .ends = texts_of(audit, &rung)});
    voice_add_open(&unit, audit->tenant, sids_of(audit, audit->placed, told_ms));
    inbox_add_unknown(&unit, audit->tenant, "voice", sids_of(audit, audit->recordings, INT64_MAX));
    pg_submit(responder->pg, &unit);
}

/* ---- pages ---- */

static void ask_list(struct gap_audit *audit, enum twilio_calls_kind kind,
                     struct twilio_listed **list)
{
    audit->kind = kind;
    audit->calls_end = list;
    const struct twilio_calls_query query = query_of(audit);
    ask_page(audit, twilio_calls_url(audit->arena, &query));
}

/* Without calls nothing was left in them. */
static void list_over(struct gap_audit *audit)
{
    const bool has_calls = audit->calls != NULL || audit->placed != NULL;
    if (audit->kind == TWILIO_CALLS)
        ask_list(audit, TWILIO_PLACED, &audit->placed);
    else if (audit->kind == TWILIO_PLACED && has_calls)
        ask_list(audit, TWILIO_RECORDINGS, &audit->recordings);
    else
        ask_unknown(audit);
}

static void page_done(void *arg, const struct http_result *result)
{
    struct gap_audit *audit = arg;
    const struct twilio_calls_query query = query_of(audit);
    struct twilio_calls_page page;
    struct err err;
    audit->transfer = NULL;
    if (gap_audit_check(audit, result, &err) != 0 ||
        twilio_calls_read(audit->arena, result->body, result->body_length, &query, &page, &err) !=
            0 ||
        gap_audit_count_page(audit, &err) != 0) {
        gap_audit_fail(audit, &err);
        gap_audit_end_badly(audit);
        return;
    }
    for (*audit->calls_end = page.first; *audit->calls_end != NULL;)
        audit->calls_end = &(*audit->calls_end)->next;
    if (page.next != NULL)
        ask_page(audit, arena_printf(audit->arena, "%s%s", audit->base, page.next));
    else
        list_over(audit);
}

static void ask_page(struct gap_audit *audit, const char *url)
{
    gap_audit_ask(audit, url, page_done);
}

void gap_audit_calls(struct gap_audit *audit)
{
    audit->unknown = map_new();
    ask_list(audit, TWILIO_CALLS, &audit->calls);
}
