/* What a phone call writes besides its claims and turns (docs/VOICE.md): which ingress holds it,
 * how far its turns were heard, and its end. Statements are added to a unit whose session they
 * name; texts live until the unit is done, arrays in the arena. Loop thread. */
#ifndef DESK_STORE_VOICE_H
#define DESK_STORE_VOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* Where a call is now. */
struct voice_place {
    const char *tenant;
    struct uuid session;
    const char *call_sid;
    const char *attestation; /* "full", "partial", "failed"; "": this one does not tell */
    int64_t partition;       /* of desk.voice.stream */
};

/* Adds what the claim's rows do not know of their sessions, behind the claim; 1 statement. */
void voice_add_places(struct pg_unit *unit, struct arena *arena, const struct voice_place *places,
                      size_t count);

/* Adds the locks that a turn's statements need of sessions whose conversations nobody knows yet, in
 * the usual order; 2 statements. `places`: only tenant and session count. */
void voice_add_locks(struct pg_unit *unit, struct arena *arena, const struct voice_place *places,
                     size_t count);

/* How far a turn was spoken. */
struct voice_word {
    const char *tenant;
    struct uuid session, turn;
    int64_t fence, epoch, seq;
    const char *text;   /* what was heard of it, */
    bool is_whole;      /* also by way of ingresses before this one */
    const char *reason; /* of the contract: "last", "interrupt", ... */
};

/* Adds that the newest word of the ingress about a turn is kept; an older one than the row has
 * changes nothing. A reply that is committed is settled by it: heard in part or whole, or not at
 * all. A turn that a takeover stopped ends with what was heard as its reply. One that was cut off
 * before anything was heard begins anew, under another number, and its session is due in 3 s in the
 * name of `worker`, or with the caller's next words. */
void voice_add_word(struct pg_unit *unit, struct arena *arena, const char *worker,
                    const struct voice_word *word);

/* What became of it. */
struct voice_told {
    enum voice_told_kind {
        VOICE_TOLD_NOTHING, /* no such turn, or the row knows better */
        VOICE_TOLD_RUNNING, /* kept; the turn runs on, or ends by its own engine */
        VOICE_TOLD_SETTLED, /* kept; the reply is settled */
        VOICE_TOLD_ANEW,    /* the caller's words are open: the session is ours and due */
    } kind;
    struct uuid conversation;
    int64_t claimed, due_in_ms; /* of VOICE_TOLD_ANEW */
    const char *words;          /* all that was heard of the turn; borrowed from the answer */
};

/* Reads it, also behind VOICE_TOLD_RUNNING of a turn that is over by now ("stop"); `first` is the
 * statement that voice_add_word began with. */
void voice_read_told(const struct pg_answer *answer, int first, struct voice_told *out);

/* A call's end. */
struct voice_end_of_call {
    const char *tenant;
    struct uuid session;
    int64_t at_ms; /* wall clock */
};

/* Adds it: what runs is over, with what was heard as its reply; what was said and of which nobody
 * told how far it was heard is settled by an estimate; what the caller said last and nobody
 * answered is late, for people to see; the conversation closes if the desk had ended it
 * (end_conversation) and nothing else of it is due. Behind voice_add_locks; 2 statements, no rows.
 */
void voice_add_end(struct pg_unit *unit, struct arena *arena, const struct voice_end_of_call *end);

/* Adds the same for calls of which nothing was heard for so long, at most 50; 1 statement. */
void voice_add_silent(struct pg_unit *unit, struct arena *arena, int64_t silent_ms);

/* Adds the question how far a turn was heard under a fence; a row once the ingress has said so:
 * voice_read_heard. */
void voice_add_ask(struct pg_unit *unit, struct arena *arena, const char *tenant,
                   const struct uuid *turn, int64_t fence);

/* Whether it has; *text and *reason are borrowed from the answer. */
bool voice_read_heard(const struct pg_answer *answer, const char **text, const char **reason);

/* A call that goes on over another socket while nobody has a turn of it in hand: what a word of
 * ours into it is sent with, and what is left to be said of the last reply. */
struct voice_resumed {
    const char *call_sid; /* texts are borrowed from the answer */
    int partition;
    int64_t epoch, fence;
    struct uuid turn; /* whose reply was cut off; nil: none, the word is a turn of its own */
    int64_t number;
    const char *heard, *body; /* of that turn */
    const char *language;     /* the tenant's */
    const char *bridge;       /* its own words before the rest; "": it has none */
    bool is_news;             /* nothing of it was said before: it needs no bridge */
};

/* Another socket of a call, as its setup tells. */
struct voice_resume {
    const char *tenant, *record; /* the setup's ce_id */
    struct uuid session;
    bool is_told;     /* its ingress held the call before, and says what was heard; else what has
                       * sounded of the last reply is judged by the time: */
    int64_t until_ms; /* what was said by then, epoch ms */
};

/* Adds it, behind the claim of the setup; 2 statements, of which the last has the row. The call is
 * held in the usual language again. */
void voice_add_resume(struct pg_unit *unit, struct arena *arena, const struct voice_resume *resume);

/* Reads it from statement `s`; false: nothing is to be said. */
bool voice_read_resumed(const struct pg_answer *answer, int s, struct voice_resumed *out);

/* Adds the question which of these calls (array literal of call sids) are not known to be over: a
 * row with the sid each. */
void voice_add_unknown(struct pg_unit *unit, const char *tenant, const char *call_sids);

/* Calls to a number of ours that nobody answered. */
struct voice_rung {
    const char *ours;                       /* that number */
    const char *call_sids, *callers, *ends; /* array literals of equal length; RFC 3339 of ends */
};

/* Adds the question of which of them people are to hear and have not: those of a business that
 * wants it, and wanted it then, of callers who are not blocked, and whose end is not known; a row
 * with the sid each. */
void voice_add_rung(struct pg_unit *unit, const char *tenant, const struct voice_rung *rung);

/* Whether there is one among them. Blocking (deskctl). */
int voice_is_rung(struct pg_session *session, const struct uuid *tenant,
                  const struct voice_rung *rung, bool *missed, struct err *err);

/* Whether the call is known to be over. Blocking (deskctl). */
int voice_knows_end(struct pg_session *session, const struct uuid *tenant, const char *call_sid,
                    bool *known, struct err *err);

/* The same of calls that we placed: which of them have a session that is not over. Whom nobody took
 * has none, and nothing to be told. */
void voice_add_open(struct pg_unit *unit, const char *tenant, const char *call_sids);
int voice_is_open(struct pg_session *session, const struct uuid *tenant, const char *call_sid,
                  bool *open, struct err *err);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const voice_statements[];
extern const char *const voice_lock_statements[];
extern const char *const voice_place_statements[];
extern const char *const voice_word_statements[];

#endif
