/* Private to briefing.c and briefing_ahead.c: the questions of a turn and what is made of their
 * answers. */
#ifndef DESK_ENGINE_BRIEFING_INSIDE_H
#define DESK_ENGINE_BRIEFING_INSIDE_H

#include "briefing.h"
#include "pg/pg.h"
#include "session.h"

#define BRIEFING_UNIT_MS         3000
#define BRIEFING_UNITS_IN_FLIGHT 3
#define BRIEFING_QUESTIONS_MAX   4 /* statements of a turn */
#define BRIEFING_TURNS_MAX       5

/* What is asked for a turn. Texts are borrowed until it is added. */
struct briefing_wish {
    const char *tenant;
    struct uuid session, contact;
    uint64_t ticket;
    bool is_known;      /* who he says he is, so that his appointments are told */
    const char *search; /* of the knowledge; NULL: none is asked */
    const char *letter; /* a mail's questions alone: see question.h; "": none */
    const struct assistant *assistant;
};

/* A turn's part of a unit. */
struct briefing_asked {
    struct uuid session_id;
    uint64_t ticket;
    const char *timezone;
    int clock, coming, passages, letter; /* statements; -1: not asked */
};

/* The unit on its way; it outlives sessions that are dropped meanwhile. */
struct briefing_unit {
    struct sessions *sessions;
    struct arena *arena;
    size_t count;
    struct briefing_asked turns[BRIEFING_TURNS_MAX];
};

/* Returns owned, empty; and frees. */
struct briefing_unit *briefing_unit_new(struct sessions *sessions);
void briefing_unit_free(struct briefing_unit *reading);

/* Adds a turn's questions. At most BRIEFING_TURNS_MAX turns. */
void briefing_unit_add(struct briefing_unit *reading, struct pg_unit *unit,
                       const struct briefing_wish *wish);

/* Sends what waits in LIST_BRIEFINGS, as far as units may be on their way. */
void briefing_flush(struct sessions *sessions);

/* Fills the briefing from an answer without error, texts in the arena. */
void briefing_keep(struct briefing *briefing, struct arena *arena,
                   const struct assistant *assistant, const struct briefing_asked *asked,
                   const struct pg_answer *answer);

/* Whether the turn still waits for the question with that ticket. */
bool briefing_waits(const struct session *session, uint64_t ticket);

/* ---- briefing_ahead.c ---- */

/* Whether the answer that the turn waits for, with its ticket, was asked for before and is on its
 * way: think_briefed follows, or briefing_read is called again. */
bool briefing_comes(struct session *session);

#endif
