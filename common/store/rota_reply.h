/* Codes that people of a rota text or mail back (docs/PROTOCOL.md, escalations): what a claim does
 * with them, in its own transaction. Texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_ROTA_REPLY_H
#define DESK_STORE_ROTA_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* Of the codes that one number texts, so many that it was never sent within an hour; all others of
 * that hour count for nothing. The last is answered so, and then none. */
#define ROTA_WRONG_MAX 5

/* A text that is a code and says yes, or a mail that begins with OK or with the code of its
 * thread's notice: it accepts what that is about. A text that says more than that (`within`)
 * accepts nothing: it is told how.
 */
struct rota_code {
    const char *tenant, *channel, *provider_id, *address;
    const char *code;                     /* in capitals */
    bool within;                          /* there is more in the text */
    struct uuid message, delivery, audit; /* fresh ids */
    int64_t place;                        /* order of arrival */
};

/* What is true of an inbox row `j` of a text from a number that was sent codes in the last days,
 * and whose whole text looks like one: for the claim's insert. */
#define ROTA_SENDER_SQL                                                                            \
    "EXISTS (SELECT FROM escalation_notices r WHERE r.tenant_id = j.tenant_id"                     \
    " AND r.sms = j.address AND r.sent_at > clock_timestamp() - interval '7 days')"

/* What is true of one that names a code among other words, `j.code`: that its number was sent it.
 */
#define ROTA_CODE_SQL                                                                              \
    "EXISTS (SELECT FROM escalation_notices r WHERE r.tenant_id = j.tenant_id"                     \
    " AND r.sms = j.address AND r.code = j.code"                                                   \
    " AND r.sent_at > clock_timestamp() - interval '7 days')"

/* What is true of a mail's `f` whose thread is a notice's. */
#define ROTA_THREAD_SQL                                                                            \
    "EXISTS (SELECT FROM escalation_notices r WHERE r.tenant_id = f.tenant_id"                     \
    " AND r.id = f.thread_id)"

/* Adds the statements that act on the codes among the inbox rows that the claim `claim` ended as
 * 'rota': each accepts its escalation, or not, and is answered in its own session. A code that its
 * number was never sent ends as 'rota_wrong'. Behind the claim's own statements, which lock
 * contact, conversation and session. */
void rota_add_replies(struct pg_unit *unit, struct arena *arena, const char *claim,
                      const struct rota_code *codes, size_t count);

/* An answer that is to leave. */
struct rota_answer {
    struct uuid tenant, session, delivery;
};

/* Reads row `row` of an answer whose replies begin at statement `first`; false: no more. */
bool rota_read_answer(const struct pg_answer *answer, int first, int row, struct rota_answer *out);

#endif
