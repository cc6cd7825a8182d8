/* Channel sessions with work in this process, and the execution of the turn table on them.
 *
 * The row in PostgreSQL is the truth; this is what makes it prompt. A session is in here from its
 * claim or adoption until nothing is open any more or another worker has it. Loop thread only. */
#ifndef DESK_ENGINE_SESSION_H
#define DESK_ENGINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "briefing.h"
#include "engine.h"
#include "loop/pace.h"
#include "pg/pg.h"
#include "prompt/rounds.h"
#include "race.h"
#include "shares.h"
#include "store/turn.h"
#include "store/usage.h"
#include "turn_table.h"

struct session {
    struct share *share;       /* its tenant's */
    struct share_entry entry;  /* in line for a place */
    TAILQ_ENTRY(session) link; /* in one list at most */
    enum {
        LIST_NONE,
        LIST_SUSPECTS,
        LIST_STARTS,
        LIST_BRIEFINGS,
        LIST_RESERVES,
        LIST_ROUNDS,
        LIST_COMMITS
    } list;
    struct engine *engine;
    enum turn_state state;
    char tenant[UUID_TEXT_SIZE];
    struct uuid id, conversation;
    bool is_voice;     /* a call: somebody waits in silence */
    int64_t claimed;   /* newest claim that we know of */
    int64_t tried;     /* and by the last start that was sent */
    int64_t due_in_ms; /* for ACTION_WAIT */
    uint64_t ticket;   /* of the statement in flight; 0: none */
    bool recompute, has_place, has_suspect_place;
    bool with_claim; /* its start is a part of the claim's unit (voice_intake.c), which is not
                        committed: nothing of the turn may be heard or stored */
    bool alone; /* a batch with it failed for good, or on a lock: it goes out singly until it passes
                 */
    int db_failures;
    int bugs; /* failures, alone, of a start, or that nobody thought of, in a row */
    struct timer *timer, *deadline;

    /* the running turn; valid from THINKING to COMMITTING */
    struct turn_started turn; /* its texts live in `arena` */
    struct arena *arena;
    struct rounds rounds;
    struct briefing briefing;
    struct briefing_ahead *ahead; /* from STARTING on: asked for before the start; NULL: none */
    bool reserved;                /* of the tenant's budget, since the last start */
    bool full;                    /* it waits for what others have reserved */
    bool failed;                  /* the last model did not answer, or was left alone for that */
    struct usage_amounts most;    /* for LIST_RESERVES: the turn's worst case, */
    size_t most_rounds;           /* as it was with so many rounds, */
    struct usage_limits limits;   /* and what the tenant allows */
    struct measured {
        int64_t *tokens; /* of a call of each model of the chain, -1: not measured; or NULL, */
        size_t rounds;   /* as the turn was with so many */
    } measured;
    struct trimmed {
        int64_t tokens;  /* of a prompt for the model that called one of the turn too long; or 0 */
        int model_index; /* that model */
    } trimmed;
    struct ask asked;        /* the model that the turn asks, or asked last, */
    struct ask rival;        /* and the one beside it; without a call: none */
    struct crowd_entry line; /* for a place among the calls at once of the turn's model */
    struct voice *voice;     /* of a call (voice.h); NULL: texts, or no start yet */
    struct effect *outside;  /* a tenant's tool that is being asked (effects.c); NULL: none */
    int model_tries;         /* of the model that the turn asks */
    int64_t model_retry_ms;  /* the model asked for so much patience */
    int64_t started_ms;      /* monotonic: the turn */
    int64_t ready_ms;        /* monotonic: since when the turn could ask a model; 0: it could not */
    struct turn_commit commit;
    enum { COMMIT_WHOLE, COMMIT_PLAIN, COMMIT_BARE } shape; /* of the commit: what it still holds */

    /* Model calls of which no row is stored yet; they outlive a recompute. */
    struct arena *calls_arena;
    struct uuid calls_turn; /* that they were made for */
    struct turn_llm_call *calls;
    size_t call_count, call_room;
    size_t calls_sent; /* of these, the first so many: in the unit that stores the round */
};
TAILQ_HEAD(session_list, session);

struct sessions {
    struct engine *engine;
    struct map *by_id;
    struct shares *shares;
    struct session_list suspects, starts, briefings, reserves, rounds, commits;
    size_t suspects_at_work; /* 0 or 1 */
    struct pace *start_pace, *reserve_pace, *round_pace, *commit_pace;
    int acts_in_flight, briefings_in_flight;
    uint64_t next_ticket;
};

/* Returns owned, empty; and frees with everything inside, cancelling calls. */
struct sessions *sessions_new(struct engine *engine);
void sessions_free(struct sessions **sessions);

/* An event of the session was claimed, or the session was adopted, in our name. */
void sessions_claimed(struct sessions *sessions, const char *tenant, const struct uuid *id,
                      const struct uuid *conversation, int64_t claimed, int64_t due_in_ms);

/* A caller's words are about to be claimed: the session of his call takes a place and waits for the
 * start in the claim's own unit, of which *ticket is a mark. False: it starts as texts do. The
 * conversation is not known yet. */
bool sessions_begin_call(struct sessions *sessions, const char *tenant, const struct uuid *id,
                         uint64_t *ticket);

/* Its row has moved on by a statement of ours: whatever runs of it stops. */
void sessions_forget(struct sessions *sessions, const struct uuid *id);

/* Of what kind a session is that was just claimed or adopted: its place in every line. Texts need
 * no mark. */
void sessions_mark(struct sessions *sessions, const struct uuid *id, enum share_kind kind);

/* How that unit's start was judged, before the unit is committed; only of a turn that runs. The
 * model is asked; what it says is held back until sessions_call_begun. */
void sessions_call_judged(struct sessions *sessions, const struct uuid *id, uint64_t ticket,
                          const struct turn_started *started);

/* That unit is committed, and did not start it: that takes a unit of its own. */
void sessions_call_by_itself(struct sessions *sessions, const struct uuid *id, uint64_t ticket);

/* How that unit's start was answered; NULL: not at all, the unit is not committed. */
void sessions_call_begun(struct sessions *sessions, const struct uuid *id, uint64_t ticket,
                         const struct turn_started *started);

/* True when the turn is not begun anew any more: after two recomputes, or when the caller has been
 * given something of it. */
bool session_is_final(const struct session *session);

/* What a renewal is asked about: the fence of a turn that thinks, else -1. */
int64_t session_listed_fence(const struct session *session);

/* True when the session is in memory or there is room for it: beyond twice the turns at work, or
 * its tenant's share of that, what is due waits in the database, where adoption finds it. */
bool sessions_have_room(const struct sessions *sessions, const char *tenant, const struct uuid *id,
                        enum share_kind kind);

/* A renewal says that another worker, fence or epoch has it; `fence` is what sessions_list gave.
 * Ignored for unknown ids and when we started it anew since. */
void sessions_not_ours(struct sessions *sessions, const struct uuid *id, int64_t fence);

/* The worker died: forget everything, stop every call. */
void sessions_drop_all(struct sessions *sessions);

/* Gives free places away; once a second, since the suspect place is shared between loops. */
void sessions_tick(struct sessions *sessions);

/* Drain: forget what has not started (it is given back in the database). */
void sessions_drop_waiting(struct sessions *sessions);

/* Sessions in memory; turns at work. */
size_t sessions_count(const struct sessions *sessions);
size_t sessions_at_work(const struct sessions *sessions);

/* Array literals of equal length. */
struct session_arrays {
    const char *tenants, *ids, *fences, *epochs; /* -1 without a running turn */
};

/* Fills array literals (in the arena) of all sessions in memory. */
void sessions_list(struct sessions *sessions, struct arena *arena, struct session_arrays *out);

/* Their ids alone, likewise. */
const char *sessions_ids(struct sessions *sessions, struct arena *arena);

/* Returns a new session in memory, which the collection owns. */
struct session *session_new(struct sessions *all, const char *tenant, const struct uuid *id);

/* Its round or commit, which waited for the start to be committed, or for the turn's frames, stands
 * in line. */
void session_line_up(struct session *session);

/* Applies the event by the table; ignored when the table has no rule. The session may be freed. */
void session_apply(struct session *session, enum turn_event event);

/* Takes the session off the list that it stands in, if any: its statement is on the way. */
void session_unlist(struct session *session);

/* ---- statements.c ---- */

/* Send waiting starts, reservations, rounds and commits in batches; called after each change. */
void statements_flush(struct sessions *sessions);

/* A start of the session was answered. */
void statements_started(struct session *session, const struct turn_started *started);

/* The times of turns of that kind. */
struct turn_times statements_times(const struct engine_settings *settings, enum share_kind kind);

/* Their paces, made and freed with all sessions. */
void statements_open(struct sessions *sessions);
void statements_close(struct sessions *sessions);

/* Whether units are on their way that would write. */
bool statements_in_flight(const struct sessions *sessions);

/* The turn as statements about its rounds name it. */
struct round_turn statements_turn(const struct session *session);

/* ---- effects.c ---- */

/* Goes on with the first call of the turn's rounds that is not done, in ENDING only with one of
 * ours that has begun; the outcome comes as EVENT_ACTED, _NEWER, _EPOCH, _NOT_OURS or _DB_AWAY,
 * perhaps from inside. */
void effects_run(struct session *session);

/* Stops the request to a tenant's tool that is on its way, if any: its call stays as the database
 * has it. */
void effects_stop(struct session *session);

/* Whether the session waits for a tenant's tool that changes nothing: the call has not begun. */
bool effects_only_ask(const struct session *session);

/* ---- calls.c ---- */

#define CALLS_STOPPED   "stopped"   /* the turn was over or began anew */
#define CALLS_LOST_RACE "lost_race" /* another model had the first word (race.h) */

/* Notes a model call that ended, or was cut with one of the outcomes above and had told so much,
 * for the commit; `assistant` NULL: not known. Tokens that nobody told, of a prompt that may have
 * left, are estimated. Beyond TURN_CALLS_MAX the last row sums them up, unless it is on its way. */
struct assistant;
struct llm_result;
void calls_record(struct session *session, const struct assistant *assistant,
                  const struct llm_result *result);
void calls_record_cut(struct session *session, const struct assistant *assistant,
                      const char *outcome, const struct llm_result *so_far);

/* Their rows are stored, or somebody else does it. */
void calls_forget(struct session *session);

/* Likewise, while the turn goes on, of those that its round was sent with (`calls_sent`): what they
 * used is counted, and not reserved any more. What was noted since is still to be stored. */
void calls_stored(struct session *session);

/* What the noted calls have used, at most 1e15 each; no segments. */
struct usage_amounts calls_used(const struct session *session);

/* Takes from the noted calls what the database could refuse; what they used stays. */
void calls_make_plain(struct session *session);

/* A call of which nothing is known, with a new id; `outcome` is borrowed. */
struct turn_llm_call calls_empty(const char *outcome);

/* Tells in a call that is no turn's own, from calls_empty, what its result says, or what one that
 * is cut has told; the prompt is estimated at so many tokens. Copies are the arena's. */
struct assistant_model;
void calls_describe(struct arena *arena, const struct assistant_model *model,
                    const struct llm_result *result, int64_t prompt_tokens,
                    struct turn_llm_call *call);
void calls_describe_cut(struct arena *arena, const struct assistant_model *model,
                        const struct llm_result *so_far, int64_t prompt_tokens,
                        struct turn_llm_call *call);

/* What a provider says it counted, or -1, which is also what it did not say: beyond a bound nothing
 * is believed, so that no sum overflows. */
int64_t calls_believed(int64_t tokens);

/* What a token costs that the provider's cache keeps for later calls; -1: not known. */
int64_t calls_price_written(const struct assistant_model *model);

/* ---- think.c ---- */

/* The assistant's version of the turn; NULL while it is being read (assistants.h). */
const struct assistant *think_assistant(struct session *session);

/* What is left of the turn's time; negative when it is over. */
int64_t think_time_left_ms(const struct session *session);

/* Asks the model; the outcome comes as EVENT_ANSWER, _TOOLS, _MODEL_AWAY, _NO_MODEL, and for
 * tenants with budgets as EVENT_SPENT, _FULL, _NOT_OURS. */
void think_start(struct session *session);

/* The turn's start is committed: what could not be asked before is asked. */
void think_start_stands(struct session *session);

/* The assistant version that the session waited for is there; NULL: it cannot be had. */
void think_assistant_ready(struct session *session, const struct assistant *assistant);

/* What the turn's models may call: less, perhaps, while the business is closed. */
struct assistant_tools;
const struct assistant_tools *think_tools(const struct session *session,
                                          const struct assistant *assistant);

/* What the model is to be told was read, or the database did not answer (briefing.h). */
void think_briefed(struct session *session);

/* The turn's reservation was judged; NULL: the database did not answer (budget.h). */
void think_reserved(struct session *session, const struct usage_reserved *reserved);

/* Whether the tenant's wordings are in memory; if not, think_assistant_ready comes. */
bool think_has_wording(struct session *session);

/* Stops a call in flight, if any, and records that it was stopped. */
void think_stop(struct session *session);

/* Fills session->commit for a model's reply (`text`), or, with NULL, for what the reception says
 * without one (reception_turn.h). */
void prepare_commit(struct session *session, const char *outcome, const char *text);

/* Whether there is a plain commit in place of one that the database will never take: else only a
 * bare one is left. A recovery has no wording, and must not be asked again for it. */
bool prepare_has_plain(struct session *session);

/* Fills it anew for a turn whose commit the database will never take, from nothing that the model,
 * the customer or the knowledge said: as COMMIT_PLAIN the tenant's wording and the calls' numbers,
 * as COMMIT_BARE a failed turn without a reply. */
void prepare_plain(struct session *session);

#endif
