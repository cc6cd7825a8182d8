/* A conversation and a person: takeover, reply, hand-back (docs/PROTOCOL.md, takeover). Blocking,
 * in a transaction of the caller (schema_begin_as_ops), who commits it, or rolls it back after a
 * failure. The conversation is locked by raising its epoch; what must see the raised epoch is a
 * later statement of the same transaction. */
#ifndef DESK_STORE_CONVERSATION_H
#define DESK_STORE_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* Names a conversation and who acts on it. */
struct conversation_ref {
    struct uuid tenant, conversation;
    const char *actor; /* the operator's name, for the row and the audit log */
};

#define CONVERSATION_CALLS_MAX 8

struct conversation_takeover {
    int64_t epoch;
    struct conversation_call {
        char call_sid[48];
        int partition;               /* of desk.voice.stream */
    } calls[CONVERSATION_CALLS_MAX]; /* that go on: each is to be told of the epoch (`stop`) */
    size_t call_count;
    int64_t suppressed; /* AI replies that will not leave */
    int64_t in_flight;  /* AI replies that a responder is just sending or asks about */
};

/* Raises the epoch, names the holder, takes in what the person's earlier conversations have left
 * (gather.h), suppresses what has not left, counts what may be leaving, and accepts the
 * conversation's escalations in the holder's name: nobody else of a rota is told. PERMANENT
 * "conversation.missing", "conversation.held" (by somebody else); RETRY_NOW "conversation.merged"
 * when it has just become part of another one. */
int conversation_take_over(struct pg_session *session, const struct conversation_ref *ref,
                           struct conversation_takeover *out, struct err *err);

/* What a takeover does behind its raise, for a conversation that its holder has already and that
 * has grown (store/merge.h). */
int conversation_silence(struct pg_session *session, const struct conversation_ref *ref,
                         struct conversation_takeover *out, struct err *err);

/* *yours is true when no AI reply can start to leave any more: each listed one is settled, or its
 * worker's lease is over (that worker is then marked dead and the reply unknown), or it is a mail
 * that has begun to leave before (*begun counts them; store/delivery_taken.h). Asks of the
 * conversation that it has become part of, if it has. */
int conversation_is_yours(struct pg_session *session, const struct conversation_ref *ref,
                          bool *yours, int64_t *begun, struct err *err);

struct conversation_reply {
    const char *body;              /* UTF-8, not empty */
    size_t characters;             /* of it */
    struct uuid message, delivery; /* fresh ids */
    struct uuid session;           /* out: where it leaves, */
    bool by_mail;                  /* and how */
};

/* Stores what the holder says and the delivery that takes it there: by the number or mailbox that
 * the customer wrote to last, in that thread. A responder finds the row also if nobody wakes it.
 * PERMANENT "conversation.missing", "conversation.not_yours", "conversation.no_channel" (number or
 * mailbox was removed, or nothing came in writing), "conversation.opted_out",
 * "conversation.too_long" (for a text). */
int conversation_reply(struct pg_session *session, const struct conversation_ref *ref,
                       struct conversation_reply *reply, struct err *err);

/* Raises the epoch, frees the conversation, re-opens events whose reply was suppressed and that no
 * person answered (a reply whose turn has changed something is sent again instead), makes every
 * session with open events due (*due gets how many), and closes the escalations that are accepted,
 * by whomever, and no messages. PERMANENT "conversation.missing", "conversation.not_held". */
int conversation_hand_back(struct pg_session *session, const struct conversation_ref *ref,
                           int64_t *due, struct err *err);

#endif
