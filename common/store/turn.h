/* Turns: start, commit and giving back, in batches (docs/PROTOCOL.md, turn).
 *
 * Each adds its statements to an empty unit: first the locks in id order (conversation FOR SHARE,
 * session), then, with a snapshot of its own, the statement that compares and writes. Arrays are
 * made in the arena; texts live until the unit is done. Loop thread. At most 500 items each. */
#ifndef DESK_STORE_TURN_H
#define DESK_STORE_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/escalation.h"
#include "store/reception_record.h"

/* A turn that was lost with its worker this often runs in the process's suspect slot; one more and
 * it is failed. */
#define TURN_TRIES_SUSPECT 2
#define TURN_TRIES_MAX     3

/* How often a turn begins anew because a text came; then it commits what it has. */
#define TURN_RECOMPUTES_MAX 2

/* Sessions in hand as array literals of equal length; epochs and fences of sessions without a
 * running turn are -1. */
struct turn_held {
    const char *tenants, *sessions, *fences, *epochs;
};

/* Adds to a renewal: which of the sessions in hand moved on (other worker, fence or epoch)? Rows:
 * session id and the fence that was given (the caller's own start may have raised it meanwhile). */
void turn_add_moved(struct pg_unit *unit, const char *worker, const struct turn_held *held);

/* ---- start ---- */
struct turn_start {
    const char *tenant;
    struct uuid session, conversation; /* the conversation as last seen, which is locked */
    struct uuid turn;                  /* fresh id, used if no turn is running */
    bool recompute;                    /* the running turn starts anew because a message came */
    bool suspect_slot;                 /* the caller holds the process's suspect slot */
};

struct turn_times {
    int64_t deadline_ms, adopter_ms; /* of a new turn; at least, of one that is adopted */
    int64_t answer_within_ms;        /* texts that are older are not answered any more */
};

/* Adds the start of `count` turns by `worker`: raises the fence of each session that is still ours
 * and due, opens or adopts its turn and reads what the prompt needs. Open events that became too
 * old meanwhile (in a conversation that a person held) end as late. Rows: turn_read_started. */
void turn_add_start(struct pg_unit *unit, struct arena *arena, const char *worker,
                    const struct turn_start *starts, size_t count, const struct turn_times *times);

/* The same for turns that are new, in a unit whose earlier statements claimed what they answer and
 * have locked session and conversation (store/voice.h). No row where there is more to be looked at
 * than a new turn: such a one is started by itself. `claim`: the one that must have
 * written an event that each turn answers (store/inbox_call.h); NULL: whichever. */
void turn_add_fresh(struct pg_unit *unit, struct arena *arena, const char *worker,
                    const struct turn_start *starts, size_t count, const struct turn_times *times,
                    const char *claim);

enum turn_start_kind {
    TURN_START_RUN,     /* think */
    TURN_START_FAIL,    /* lost too often: commit the degraded reply */
    TURN_START_SUSPECT, /* not started: come again with the suspect slot */
    TURN_START_NOTHING, /* no open event: due_at is cleared */
    TURN_START_HELD,    /* a person has the conversation: due_at is cleared */
    TURN_START_MOVED, /* the conversation is another one, which was not locked: start again with the
                         one given */
    TURN_START_LOST,  /* the session is not ours any more */
};

struct turn_started {
    size_t index; /* into the starts given */
    enum turn_start_kind kind;
    struct uuid turn, conversation, contact;
    int64_t fence, epoch, claimed;
    int64_t deadline_ms; /* left */
    int tries, recomputes;
    const char *events;    /* text[] literal: provider ids of the open rows that the prompt holds */
    const char *context;   /* JSON: see docs/PROTOCOL.md, context */
    const char *assistant; /* assistant id */
    int assistant_version;
    const char *traceparent;
    const char *rounds;    /* JSON: the rounds that stand (docs/PROTOCOL.md, rounds); "" if none */
    int last_round;        /* the highest number given, dropped ones included */
    const char *summary;   /* of the conversation's older messages; "" if none */
    const char *earlier;   /* of the contact's last conversation before it; "" if none */
    const char *reception; /* JSON: what was noted without a model (reception_record.h), with
                              `recorded` once it is a task for people, `due` while it will be
                              one by itself; "" if nothing */
    bool has_knowledge;    /* the tenant has documents to look into */

    /* Of a call; "" and 0 of texts (docs/VOICE.md). */
    const char *call_sid;
    int stream_partition;     /* where the ingress that holds it reads */
    int64_t number;           /* of the turn, rising within the session */
    bool again;               /* the turn was running before */
    const char *heard;        /* what of it was heard, as far as is known */
    const char *heard_reason; /* why the ingress said so last, or "anew"; "" if it has not */
    const char *answers;      /* text[] literal: the events of the start before; "" if none */
    const char *caller;       /* his number, or what he is known by who withholds it */
    const char *text_number;  /* ours that he could be texted from; "" if there is none */
    const char *language;     /* that the call is held in by now; "": the usual */
    const char *attestation;  /* of his number (store/voice.h); "": nobody has told */

    bool is_mail;  /* the session is a thread of mails; */
    bool verified; /* and all that is to be answered is from whom it says */
};

/* Reads row `row`, texts borrowed from the answer; false when there is none. */
bool turn_read_started(const struct pg_answer *answer, int row, struct turn_started *out);

/* Likewise, of a unit in which the start is statement `s`. */
bool turn_read_started_at(const struct pg_answer *answer, int s, int row, struct turn_started *out);

/* ---- commit ---- */
struct turn_llm_call {
    struct uuid id; /* fresh; the same when a commit is sent again */
    const char *provider, *model, *outcome, *error_code, *finish, *request_id;
    int64_t tokens_in, tokens_out, tokens_cached; /* -1: not told */
    int64_t queue_ms; /* the turn was ready, the request had not left; -1: not known */
    int64_t connect_ms, first_token_ms, total_ms; /* -1: not reached */
    int64_t cost;                                 /* billionths of a dollar; -1: not known */
    int64_t started_ms;                           /* wall clock */
};

#define TURN_CALLS_MAX 64 /* and one for each round that was on its way as they were reached */

struct turn_commit {
    const char *tenant;
    struct uuid session, conversation, turn;
    int64_t fence, epoch, claimed;
    bool final;                    /* recomputed twice already: newer events do not matter */
    bool ends;                     /* the conversation closes, unless other events are open */
    const char *events;            /* text[] literal from the start */
    const char *event_state;       /* "answered" or "failed" */
    const char *turn_state;        /* "finished" or "failed" */
    const char *outcome;           /* "reply", "closed", "fallback", "degraded", "budget_spent",
                                      "interrupted" */
    const char *error_code;        /* or NULL */
    const char *body;              /* the reply; "": the turn says nothing, its events end */
    int64_t segments;              /* that it takes as a text message */
    int64_t sockets;               /* of a call that came since the start, and are known of */
    bool by_mail;                  /* the reply is a mail (store/delivery_mail.h) */
    struct uuid message, delivery; /* fresh ids */
    int64_t answer_within_ms;
    const char *traceparent;
    const char *passages; /* JSON: what the prompt held of the tenant's knowledge; or NULL */
    const char *prompt;   /* JSON: what is kept of the last prompt (prompt/record.h); or NULL */
    const char *handoff, *lang;               /* of a call's reply (store/voice_step.h); or NULL */
    const struct reception_record *reception; /* what is to be noted; NULL: as it was */
    const struct turn_llm_call *calls;
    size_t call_count; /* at most TURN_CALLS_MAX */
    struct escalation_trigger trigger;
};

/* Adds the commit of `count` turns, guarded by worker, fence, epoch and `claimed`: reply, delivery,
 * the state of the events, the reception's notes, and what its trigger opens. The model calls are
 * stored and counted (docs/PROTOCOL.md, budgets) however that is judged. Rows: turn_read_committed.
 */
void turn_add_commit(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct turn_commit *commits, size_t count);

enum turn_commit_kind {
    TURN_COMMITTED,      /* done, nothing else open */
    TURN_COMMITTED_MORE, /* done, other events are open: due_in_ms */
    TURN_REFUSED_NEWER,  /* an event came after the prompt: recompute */
    TURN_REFUSED_EPOCH,  /* a person took or gave back: the session was given back */
    TURN_REFUSED_LOST,   /* another worker or fence has the session */
    TURN_REFUSED_MOVED,  /* the call has another socket: what was not heard is to be said there */
};

struct turn_committed {
    size_t index;
    enum turn_commit_kind kind;
    int64_t due_in_ms;
};

/* Reads row `row`; false when there is none. */
bool turn_read_committed(const struct pg_answer *answer, int row, struct turn_committed *out);

/* ---- giving back ---- */

/* Drain: every session of the worker becomes anybody's, due as it was; then the worker's row goes.
 */
void turn_add_give_back(struct pg_unit *unit, const char *worker);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const turn_statements[];
extern const char *const turn_mark_statements[];
extern const char *const turn_lock_statements[];
extern const char *const turn_start_statements[];
extern const char *const turn_fresh_statements[];
extern const char *const turn_commit_statements[];

#endif
