/* Questions to the database before the model is asked. A turn's go out at once while few units are
 * on their way; under load, when a round trip costs more than the questions, the turns that wait
 * share one. think.c calls it. */
#include "briefing_inside.h"

#include "base/map.h"
#include "base/mem.h"
#include "counters.h"
#include "question.h"
#include "reception.h"
#include "service/log.h"
#include "store/assistant.h"
#include "store/booking_look.h"
#include "store/knowledge.h"
#include "stranger.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX     (32 * 1024)
#define PASSAGES_MAX (256 * 1024)

bool briefing_is_needed(const struct assistant *assistant)
{
    const struct workflow *workflow = &assistant->workflow;
    return workflow->hours != NULL || workflow->service_count > 0 || workflow->passages > 0;
}

bool briefing_says(const struct briefing *briefing, const struct assistant *assistant,
                   enum workflow_closed mode)
{
    return briefing->timed && briefing->open == 0 && assistant->workflow.closed_mode == mode;
}

/* ---- the answer ---- */

static const char *weekday_name(const char *key)
{
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(names[i], key, 3) == 0)
            return names[i];
    return "";
}

/* Returns workflow_is_open. */
static int add_clock(const struct workflow *workflow, const struct briefing_asked *asked,
                     const struct pg_answer *answer, struct strbuf *out)
{
    const char *local = pg_text(answer->results, asked->clock, 0, 0);
    const char *weekday = pg_text(answer->results, asked->clock, 0, 1);
    int open = workflow_is_open(workflow, weekday, local);
    if (strlen(local) < 16)
        return open;
    strbuf_printf(out, "It is now %s %.10s %s at the business%s.\n", weekday_name(weekday), local,
                  local + 11,
                  open < 0    ? ""
                  : open == 1 ? ", which is open"
                              : ", which is closed");
    if (open == 0)
        workflow_describe_closed(workflow, out);
    return open;
}

static void add_coming(const struct briefing_asked *asked, const struct pg_answer *answer,
                       struct strbuf *out)
{
    struct booking_appointment coming;
    char id[UUID_TEXT_SIZE];
    int row = 0;
    if (asked->coming < 0)
        return;
    for (; booking_look_read_coming(answer, asked->coming, row, &coming); row++) {
        if (row == 0)
            strbuf_add_text(out, "The customer's appointments:\n");
        strbuf_printf(out, "- %s %s %s: %s (%s), id %s\n", coming.start.weekday, coming.start.date,
                      coming.start.time, coming.service, coming.state, uuid_format(&coming.id, id));
    }
    if (row == 0)
        strbuf_add_text(out, "The customer has no appointment.\n");
}

/* The best passage that may be quoted as it is; NULL if there is none. In the arena. */
static const char *quotable(struct arena *arena, int statement, const struct pg_answer *answer)
{
    struct knowledge_found found;
    for (int row = 0;
         statement >= 0 && knowledge_read_found(answer->results, statement, row, &found); row++)
        if (reception_may_quote(found.kind == CHUNK_FAQ, found.heading, found.rank))
            return arena_strdup(arena, found.text);
    return NULL;
}

/* What a search found, as JSON in the arena; NULL: nothing. */
static const char *passages_of(struct arena *arena, int statement, const struct pg_answer *answer)
{
    struct knowledge_found found;
    struct json_writer w;
    struct strbuf out;
    if (statement < 0)
        return NULL;
    strbuf_init(&out, PASSAGES_MAX);
    json_writer_init(&w, &out);
    json_open_array(&w, NULL);
    for (int row = 0; knowledge_read_found(answer->results, statement, row, &found); row++) {
        json_open_object(&w, NULL);
        json_add_text(&w, "document", found.document);
        json_add_text(&w, "heading", found.heading);
        json_add_text(&w, "text", found.text);
        json_close_object(&w);
    }
    json_close_array(&w);
    const char *list =
        out.length > 2 && !out.overflow ? arena_strndup(arena, out.data, out.length) : NULL;
    strbuf_fini(&out);
    return list;
}

/* A letter's questions are asked for only if all of it together found nothing that answers. */
static void keep_passages(struct arena *arena, const struct briefing_asked *asked,
                          const struct pg_answer *answer, struct briefing *briefing)
{
    briefing->passages = briefing->quoted = passages_of(arena, asked->passages, answer);
    briefing->answer = quotable(arena, asked->passages, answer);
    if (briefing->answer != NULL || asked->letter < 0)
        return;
    briefing->answer = quotable(arena, asked->letter, answer);
    briefing->quoted = passages_of(arena, asked->letter, answer);
}

void briefing_keep(struct briefing *briefing, struct arena *arena,
                   const struct assistant *assistant, const struct briefing_asked *asked,
                   const struct pg_answer *answer)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    briefing->open = add_clock(&assistant->workflow, asked, answer, &text);
    add_coming(asked, answer, &text);
    keep_passages(arena, asked, answer, briefing);
    briefing->ready = briefing->timed = true;
    briefing->text = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
}

/* Better without it than no answer; what was known of the clock stands. */
static void do_without(struct briefing *briefing)
{
    if (!briefing->timed)
        briefing->open = -1;
    briefing->ready = briefing->timed = true;
}

bool briefing_waits(const struct session *session, uint64_t ticket)
{
    return session->ticket == ticket &&
           (session->state == TURN_THINKING || session->state == TURN_ACTING ||
            session->state == TURN_ENDING);
}

static void enqueue(struct session *session)
{
    session_unlist(session);
    session->list = LIST_BRIEFINGS;
    TAILQ_INSERT_TAIL(&session->engine->sessions->briefings, session, link);
}

/* Who shared a unit that failed goes out alone, once more; who was alone waits, or does without. */
static void was_not_read(struct session *session, const struct err *err, bool shared)
{
    session->alone = true;
    if (shared) {
        session->ticket = ++session->engine->sessions->next_ticket;
        enqueue(session);
        return;
    }
    if (!err_is_retryable(err))
        do_without(&session->briefing);
    think_briefed(session);
}

static void tell_turn(const struct briefing_unit *reading, const struct briefing_asked *asked,
                      const struct pg_answer *answer)
{
    struct session *session =
        map_get(reading->sessions->by_id, asked->session_id.bytes, sizeof asked->session_id.bytes);
    if (session == NULL || !briefing_waits(session, asked->ticket))
        return;
    const struct assistant *assistant = think_assistant(session);
    session->ticket = 0;
    if (answer->err != NULL) {
        was_not_read(session, answer->err, reading->count > 1);
        return;
    }
    session->alone = false;
    if (assistant != NULL)
        briefing_keep(&session->briefing, session->arena, assistant, asked, answer);
    think_briefed(session);
}

static void was_read(void *arg, const struct pg_answer *answer)
{
    struct briefing_unit *reading = arg;
    struct sessions *sessions = reading->sessions;
    sessions->briefings_in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "briefing"),
                 LOG_INT("turns", (int64_t)reading->count), LOG_ERR(answer->err));
    for (size_t i = 0; i < reading->count; i++)
        tell_turn(reading, &reading->turns[i], answer);
    briefing_unit_free(reading);
    briefing_flush(sessions);
}

/* ---- asking ---- */

struct briefing_unit *briefing_unit_new(struct sessions *sessions)
{
    struct briefing_unit *reading = xcalloc(1, sizeof *reading);
    reading->sessions = sessions;
    reading->arena = arena_new();
    return reading;
}

void briefing_unit_free(struct briefing_unit *reading)
{
    arena_free(&reading->arena);
    free(reading);
}

/* The statement that tells the time there: one for all turns of a zone. */
static int clock_of(const struct briefing_unit *reading, const char *timezone, struct pg_unit *unit)
{
    for (size_t i = 0; i < reading->count; i++)
        if (strcmp(reading->turns[i].timezone, timezone) == 0)
            return reading->turns[i].clock;
    assistant_add_clock(unit, timezone);
    return unit->count - 1;
}

static void add_searches(struct briefing_unit *reading, const struct briefing_wish *wish,
                         const char *tenant, struct briefing_asked *asked, struct pg_unit *unit)
{
    int limit = wish->assistant->workflow.passages;
    if (limit <= 0 || wish->search == NULL)
        return;
    knowledge_add_search(unit, reading->arena, tenant, arena_strdup(reading->arena, wish->search),
                         limit);
    asked->passages = unit->count - 1;
    if (wish->letter[0] == '\0')
        return;
    knowledge_add_search(unit, reading->arena, tenant, arena_strdup(reading->arena, wish->letter),
                         limit);
    asked->letter = unit->count - 1;
}

void briefing_unit_add(struct briefing_unit *reading, struct pg_unit *unit,
                       const struct briefing_wish *wish)
{
    const struct workflow *workflow = &wish->assistant->workflow;
    struct briefing_asked *asked = &reading->turns[reading->count];
    const char *tenant = arena_strdup(reading->arena, wish->tenant);
    const char *timezone = arena_strdup(reading->arena, workflow->timezone);
    *asked = (struct briefing_asked){.session_id = wish->session,
                                     .ticket = wish->ticket,
                                     .timezone = timezone,
                                     .clock = clock_of(reading, timezone, unit),
                                     .coming = -1,
                                     .passages = -1,
                                     .letter = -1};
    reading->count++;
    if (workflow->service_count > 0 && wish->is_known) {
        booking_look_add_coming(unit, reading->arena, tenant, &wish->contact, timezone);
        asked->coming = unit->count - 1;
    }
    add_searches(reading, wish, tenant, asked, unit);
}

static void add_turn(struct briefing_unit *reading, const struct session *session,
                     const struct assistant *assistant, struct pg_unit *unit)
{
    const struct turn_started *turn = &session->turn;
    briefing_unit_add(
        reading, unit,
        &(struct briefing_wish){
            .tenant = session->tenant,
            .session = session->id,
            .contact = turn->contact,
            .ticket = session->ticket,
            .is_known = !stranger_is(session, assistant),
            .search = turn->has_knowledge ? question_of(reading->arena, turn->context) : NULL,
            .letter = turn->is_mail ? question_asked(reading->arena, turn->context) : "",
            .assistant = assistant});
}

static void send_unit(struct sessions *sessions)
{
    struct briefing_unit *reading = briefing_unit_new(sessions);
    struct pg_unit unit = {.deadline_ms = BRIEFING_UNIT_MS, .done = was_read, .arg = reading};
    struct session *session;
    bool closed = false;
    while (!closed && reading->count < BRIEFING_TURNS_MAX &&
           unit.count + BRIEFING_QUESTIONS_MAX <= PG_STATEMENTS_MAX &&
           (session = TAILQ_FIRST(&sessions->briefings)) != NULL) {
        if (session->alone && reading->count > 0)
            break;
        closed = session->alone;
        session_unlist(session);
        const struct assistant *assistant =
            briefing_waits(session, session->ticket) ? think_assistant(session) : NULL;
        if (assistant != NULL)
            add_turn(reading, session, assistant, &unit);
        else
            session->ticket = 0; /* nobody waits any more, or think_assistant_ready comes */
    }
    if (reading->count == 0) {
        briefing_unit_free(reading);
        return;
    }
    sessions->briefings_in_flight++;
    pg_submit(sessions->engine->pg, &unit);
}

void briefing_flush(struct sessions *sessions)
{
    while (!TAILQ_EMPTY(&sessions->briefings) &&
           sessions->briefings_in_flight < BRIEFING_UNITS_IN_FLIGHT)
        send_unit(sessions);
}

void briefing_read(struct session *session)
{
    session->ticket = ++session->engine->sessions->next_ticket;
    if (briefing_comes(session))
        return;
    if (session->voice != NULL)
        metric_add(counters.briefed_behind, 1);
    enqueue(session);
    briefing_flush(session->engine->sessions);
}
