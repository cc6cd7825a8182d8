/* Which statements become functions of the database (pg/function.c says why): deskctl
 * makes them, the pools of engine and responder call them. */
#include "store/statements.h"

#include <assert.h>
#include <pthread.h>

#include "store/adoption.h"
#include "store/booking.h"
#include "store/booking_look.h"
#include "store/calls.h"
#include "store/delivery.h"
#include "store/delivery_call.h"
#include "store/delivery_due.h"
#include "store/delivery_mail.h"
#include "store/delivery_taken.h"
#include "store/directory.h"
#include "store/escalation.h"
#include "store/inbox.h"
#include "store/inbox_mail.h"
#include "store/job.h"
#include "store/knowledge.h"
#include "store/mail_copy.h"
#include "store/reception_record.h"
#include "store/recover.h"
#include "store/rota.h"
#include "store/round.h"
#include "store/turn.h"
#include "store/usage.h"
#include "store/voice.h"
#include "store/voice_step.h"
#include "store/worker.h"

#define STATEMENTS_MAX 96

static const char *const of_directory[] = {directory_unpublished_sql, NULL};

static const char *const *const lists[] = {worker_statements,         inbox_statements,
                                           turn_statements,           adoption_statements,
                                           round_statements,          escalation_statements,
                                           booking_statements,        booking_look_statements,
                                           knowledge_statements,      reception_record_statements,
                                           recover_statements,        delivery_statements,
                                           delivery_due_statements,   job_statements,
                                           rota_statements,           usage_statements,
                                           calls_statements,          of_directory,
                                           voice_statements,          delivery_mail_statements,
                                           inbox_mail_statements,     mail_copy_statements,
                                           delivery_taken_statements, voice_step_statements,
                                           delivery_call_statements};

static const char *flat[STATEMENTS_MAX + 1];
static size_t flat_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void flatten(void)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; lists[i][k] != NULL; k++) {
            assert(flat_count < STATEMENTS_MAX);
            flat[flat_count++] = lists[i][k];
        }
}

const char *const *statements_frequent(void)
{
    pthread_once(&once, flatten);
    return flat;
}

int statements_define(struct pg_session *session, size_t *count, struct err *err)
{
    const char *const *statements = statements_frequent();
    *count = flat_count;
    if (pg_session_drop_functions(session, statements, flat_count, err) != 0)
        return -1;
    for (size_t i = 0; i < flat_count; i++)
        if (pg_session_define(session, statements[i], err) != 0)
            return -1;
    return 0;
}
