/* Questions to the database before the model is asked. A turn's go out at once while few units are
 * on their way; under load, when a round trip costs more than the questions, the turns that wait
 * share one. think.c calls it. */
#include "briefing.h"

#include "base/map.h"
#include "base/mem.h"
#include "mail_turn.h"
#include "reception.h"
#include "service/log.h"
#include "session.h"
#include "store/assistant.h"
#include "store/booking_look.h"
#include "store/knowledge.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UNIT_MS         3000
#define UNITS_IN_FLIGHT 3
#define QUESTIONS_MAX   3 /* statements of a turn */
#define TURNS_MAX       (PG_STATEMENTS_MAX / QUESTIONS_MAX)
#define TEXT_MAX        (32 * 1024)
#define PASSAGES_MAX    (256 * 1024)
#define QUESTION_MAX    6400

/* A turn's part of a unit. */
struct asked {
    struct uuid session_id;
    uint64_t ticket;
    const char *timezone;
    int clock, coming, passages; /* statements; -1: not asked */
};

/* The unit on its way; it outlives sessions that are dropped meanwhile. */
struct reading {
    struct sessions *sessions;
    struct arena *arena;
    size_t count;
    struct asked turns[TURNS_MAX];
};

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

/* ---- the question: what the customer wrote last, in a row ---- */

/* What stands behind it may be automatic texts: a recovery asks the same again. A text that came
 * while a reply was being made belongs to it, as do all that are open. */

static const char *question_of(struct arena *arena, const char *context)
{
    struct json *items = NULL;
    struct strbuf text;
    struct err err;
    bool answered = false, holds_open = false;
    if (json_parse(context, strlen(context), &items, &err) != 0)
        return "";
    strbuf_init(&text, QUESTION_MAX);
    for (const struct json *i = json_first(items); i != NULL; i = json_next(i)) {
        const char *author = json_member_text(i, "author"), *said = json_member_text(i, "text");
        const char *subject = json_member_text(i, "subject");
        if (author == NULL || said == NULL)
            continue;
        if (strcmp(author, "contact") != 0) {
            answered = answered || !holds_open;
            continue;
        }
        if (answered)
            strbuf_clear(&text);
        answered = false;
        holds_open = holds_open || json_member_bool(i, "open", false);
        if (subject != NULL)
            strbuf_printf(&text, "%s\n", subject);
        strbuf_printf(&text, "%s\n", said);
    }
    const char *question = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    json_free(&items);
    return question;
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
static int add_clock(const struct workflow *workflow, const struct asked *asked,
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

static void add_coming(const struct asked *asked, const struct pg_answer *answer,
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
static const char *quotable(struct arena *arena, const struct asked *asked,
                            const struct pg_answer *answer)
{
    struct knowledge_found found;
    for (int row = 0; asked->passages >= 0 &&
                      knowledge_read_found(answer->results, asked->passages, row, &found);
         row++)
        if (reception_may_quote(found.kind == CHUNK_FAQ, found.heading, found.rank))
            return arena_strdup(arena, found.text);
    return NULL;
}

static void add_passages(const struct asked *asked, const struct pg_answer *answer,
                         struct strbuf *out)
{
    struct knowledge_found found;
    struct json_writer w;
    if (asked->passages < 0)
        return;
    json_writer_init(&w, out);
    json_open_array(&w, NULL);
    for (int row = 0; knowledge_read_found(answer->results, asked->passages, row, &found); row++) {
        json_open_object(&w, NULL);
        json_add_text(&w, "document", found.document);
        json_add_text(&w, "heading", found.heading);
        json_add_text(&w, "text", found.text);
        json_close_object(&w);
    }
    json_close_array(&w);
}

static void keep(struct session *session, const struct assistant *assistant,
                 const struct asked *asked, const struct pg_answer *answer)
{
    struct strbuf text, passages;
    struct briefing *briefing = &session->briefing;
    strbuf_init(&text, TEXT_MAX);
    strbuf_init(&passages, PASSAGES_MAX);
    briefing->open = add_clock(&assistant->workflow, asked, answer, &text);
    add_coming(asked, answer, &text);
    add_passages(asked, answer, &passages);
    briefing->ready = briefing->timed = true;
    briefing->answer = quotable(session->arena, asked, answer);
    briefing->text = arena_strndup(session->arena, text.data, text.length);
    if (passages.length > 2 && !passages.overflow)
        briefing->passages = arena_strndup(session->arena, passages.data, passages.length);
    strbuf_fini(&text);
    strbuf_fini(&passages);
}

/* Better without it than no answer; what was known of the clock stands. */
static void do_without(struct briefing *briefing)
{
    if (!briefing->timed)
        briefing->open = -1;
    briefing->ready = briefing->timed = true;
}

/* Whether the turn still waits for that question. */
static bool waits(const struct session *session, uint64_t ticket)
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

static void tell_turn(const struct reading *reading, const struct asked *asked,
                      const struct pg_answer *answer)
{
    struct session *session =
        map_get(reading->sessions->by_id, asked->session_id.bytes, sizeof asked->session_id.bytes);
    if (session == NULL || !waits(session, asked->ticket))
        return;
    const struct assistant *assistant = think_assistant(session);
    session->ticket = 0;
    if (answer->err != NULL) {
        was_not_read(session, answer->err, reading->count > 1);
        return;
    }
    session->alone = false;
    if (assistant != NULL)
        keep(session, assistant, asked, answer);
    think_briefed(session);
}

static void flush(struct sessions *sessions);

static void was_read(void *arg, const struct pg_answer *answer)
{
    struct reading *reading = arg;
    struct sessions *sessions = reading->sessions;
    sessions->briefings_in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "briefing"),
                 LOG_INT("turns", (int64_t)reading->count), LOG_ERR(answer->err));
    for (size_t i = 0; i < reading->count; i++)
        tell_turn(reading, &reading->turns[i], answer);
    arena_free(&reading->arena);
    free(reading);
    flush(sessions);
}

/* ---- asking ---- */

/* The statement that tells the time there: one for all turns of a zone. */
static int clock_of(const struct reading *reading, const char *timezone, struct pg_unit *unit)
{
    for (size_t i = 0; i < reading->count; i++)
        if (strcmp(reading->turns[i].timezone, timezone) == 0)
            return reading->turns[i].clock;
    assistant_add_clock(unit, timezone);
    return unit->count - 1;
}

static void add_turn(struct reading *reading, const struct session *session,
                     const struct assistant *assistant, struct pg_unit *unit)
{
    const struct workflow *workflow = &assistant->workflow;
    struct asked *asked = &reading->turns[reading->count];
    const char *tenant = arena_strdup(reading->arena, session->tenant);
    *asked = (struct asked){.session_id = session->id,
                            .ticket = session->ticket,
                            .timezone = workflow->timezone,
                            .clock = clock_of(reading, workflow->timezone, unit),
                            .coming = -1,
                            .passages = -1};
    reading->count++;
    if (workflow->service_count > 0 && !mail_turn_is_stranger(session)) {
        booking_look_add_coming(unit, reading->arena, tenant, &session->turn.contact,
                                workflow->timezone);
        asked->coming = unit->count - 1;
    }
    if (workflow->passages > 0 && session->turn.has_knowledge) {
        knowledge_add_search(unit, reading->arena, tenant,
                             question_of(reading->arena, session->turn.context),
                             workflow->passages);
        asked->passages = unit->count - 1;
    }
}

static void send_unit(struct sessions *sessions)
{
    struct reading *reading = xcalloc(1, sizeof *reading);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = was_read, .arg = reading};
    struct session *session;
    bool closed = false;
    reading->sessions = sessions;
    reading->arena = arena_new();
    while (!closed && reading->count < TURNS_MAX &&
           (session = TAILQ_FIRST(&sessions->briefings)) != NULL) {
        if (session->alone && reading->count > 0)
            break;
        closed = session->alone;
        session_unlist(session);
        const struct assistant *assistant =
            waits(session, session->ticket) ? think_assistant(session) : NULL;
        if (assistant != NULL)
            add_turn(reading, session, assistant, &unit);
        else
            session->ticket = 0; /* nobody waits any more, or think_assistant_ready comes */
    }
    if (reading->count == 0) {
        arena_free(&reading->arena);
        free(reading);
        return;
    }
    sessions->briefings_in_flight++;
    pg_submit(sessions->engine->pg, &unit);
}

static void flush(struct sessions *sessions)
{
    while (!TAILQ_EMPTY(&sessions->briefings) && sessions->briefings_in_flight < UNITS_IN_FLIGHT)
        send_unit(sessions);
}

void briefing_read(struct session *session)
{
    session->ticket = ++session->engine->sessions->next_ticket;
    enqueue(session);
    flush(session->engine->sessions);
}
