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
#include "store/inbox_call.h"
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
#define SEQUENCE_MAX   12 /* statements of one function, with the NULL */

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
                                           delivery_call_statements,  turn_mark_statements,
                                           turn_lock_statements,      turn_start_statements,
                                           turn_fresh_statements,     turn_commit_statements,
                                           voice_lock_statements,     voice_place_statements,
                                           voice_word_statements,     round_store_statements,
                                           calls_store_statements,    inbox_call_statements};

/* What follows each other in a unit and is one function: of all but the last nobody reads rows. Of
 * two that begin alike the longer one stands first. */
static const char *const *const sequences[][4] = {
    {inbox_statements},
    {inbox_call_statements, turn_fresh_statements},
    {voice_lock_statements, voice_place_statements, turn_fresh_statements},
    {turn_mark_statements, turn_lock_statements, turn_start_statements},
    {usage_statements},
    {turn_lock_statements, round_store_statements},
    {turn_lock_statements, calls_store_statements, turn_commit_statements},
    {voice_lock_statements, voice_word_statements},
};
enum { SEQUENCES = sizeof sequences / sizeof sequences[0] };

static const char *joined[SEQUENCES][SEQUENCE_MAX], *single[STATEMENTS_MAX][2];
static const char *const *all[SEQUENCES + STATEMENTS_MAX + 1];
static size_t all_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void join(const char *const *const parts[4], const char *out[SEQUENCE_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < 4 && parts[i] != NULL; i++)
        for (size_t k = 0; parts[i][k] != NULL; k++) {
            assert(count < SEQUENCE_MAX - 1);
            out[count++] = parts[i][k];
        }
}

static void list_all(void)
{
    size_t singles = 0;
    for (size_t i = 0; i < SEQUENCES; i++) {
        join(sequences[i], joined[i]);
        all[all_count++] = joined[i];
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; lists[i][k] != NULL; k++) {
            assert(singles < STATEMENTS_MAX);
            single[singles][0] = lists[i][k];
            all[all_count++] = single[singles++];
        }
}

const char *const *const *statements_frequent(void)
{
    pthread_once(&once, list_all);
    return all;
}

int statements_define(struct pg_session *session, size_t *count, struct err *err)
{
    const char *const *const *functions = statements_frequent();
    *count = all_count;
    if (pg_session_drop_functions(session, functions, all_count, err) != 0)
        return -1;
    for (size_t i = 0; i < all_count; i++)
        if (pg_session_define(session, functions[i], err) != 0)
            return -1;
    return 0;
}
