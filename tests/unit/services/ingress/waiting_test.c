/* Requests that wait for a step: who gets which frame, what a takeover and an outage do to them,
 * and how many may wait. */
#include "waiting.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"

#define TENANT "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f"
#define OTHER  "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e10"
#define CALL   "CA00000000000000000000000000000101"
#define AGES   60000 /* of patience, for what comes */

static struct waiting *waiting;
static struct arena *arena;

static struct waiter *wait_for(const char *tenant, const char *call_sid, int64_t step)
{
    return waiting_begin(waiting, &(struct waiting_for){tenant, call_sid, step});
}

static enum waiting_outcome end(struct waiter *waiter, int64_t patience_ms,
                                struct voice_frame *frame)
{
    return waiting_end(&waiter, patience_ms > 0 ? clock_mono_ms() + patience_ms : 0, arena, frame);
}

static struct voice_frame a_frame(enum voice_frame_kind kind, int64_t step, int64_t epoch,
                                  const char *text)
{
    return (struct voice_frame){.event = {.tenant = TENANT},
                                .call_sid = CALL,
                                .kind = kind,
                                .step = step,
                                .epoch = epoch,
                                .fence = 7,
                                .text = text,
                                .lang = "",
                                .keys = "",
                                .handoff = ""};
}

static bool give(enum voice_frame_kind kind, int64_t step, int64_t epoch, const char *text)
{
    const struct voice_frame frame = a_frame(kind, step, epoch, text);
    return waiting_frame(waiting, &frame);
}

/* Both of one step get the answer, nobody else's. */
static void test_answers(void)
{
    struct voice_frame frame;
    struct waiter *one = wait_for(TENANT, CALL, 3), *same = wait_for(TENANT, CALL, 3),
                  *next = wait_for(TENANT, CALL, 4), *other = wait_for(OTHER, CALL, 3);
    char text[] = "Hello.";
    CU_ASSERT_TRUE(give(VOICE_FRAME_STEP, 3, 1, text));
    memset(text, 'x', sizeof text - 1); /* it was copied */
    CU_ASSERT_TRUE(give(VOICE_FRAME_STEP, 3, 1, "Twice."));
    CU_ASSERT_FALSE(give(VOICE_FRAME_STEP, 5, 1, "Five."));
    CU_ASSERT_FALSE(give(VOICE_FRAME_TEXT, 0, 1, "A piece."));
    CU_ASSERT_EQUAL(end(one, AGES, &frame), WAITING_ANSWERED);
    CU_ASSERT_STRING_EQUAL(frame.text, "Hello.");
    CU_ASSERT(frame.step == 3 && frame.fence == 7 && frame.epoch == 1);
    CU_ASSERT_EQUAL(end(same, AGES, &frame), WAITING_ANSWERED);
    CU_ASSERT_STRING_EQUAL(frame.text, "Hello.");
    CU_ASSERT_EQUAL(end(next, 0, &frame), WAITING_LATE);
    CU_ASSERT_EQUAL(end(other, 1, &frame), WAITING_LATE);
    CU_ASSERT_FALSE(give(VOICE_FRAME_STEP, 4, 1, "Too late."));
}

/* What was not given to Twilio when a person took over is not said. */
static void test_takeover(void)
{
    struct voice_frame frame;
    struct waiter *one = wait_for(TENANT, CALL, 1), *two = wait_for(TENANT, CALL, 2);
    CU_ASSERT_TRUE(give(VOICE_FRAME_STEP, 1, 4, "Of the AI."));
    CU_ASSERT_TRUE(give(VOICE_FRAME_STOP, 0, 5, ""));
    CU_ASSERT_TRUE(give(VOICE_FRAME_STEP, 2, 4, "Of the AI."));
    CU_ASSERT_EQUAL(end(one, 1, &frame), WAITING_LATE);
    CU_ASSERT_TRUE(give(VOICE_FRAME_STEP, 2, 5, "Of the next."));
    CU_ASSERT_EQUAL(end(two, AGES, &frame), WAITING_ANSWERED);
    CU_ASSERT_STRING_EQUAL(frame.text, "Of the next.");
}

static void test_failure(void)
{
    struct voice_frame frame;
    struct waiter *one = wait_for(TENANT, CALL, 1), *two = wait_for(TENANT, CALL, 2);
    CU_ASSERT_TRUE(give(VOICE_FRAME_STEP, 2, 1, "Two."));
    waiting_fail(waiting, CALL);
    CU_ASSERT_EQUAL(end(one, AGES, &frame), WAITING_FAILED);
    CU_ASSERT_EQUAL(end(two, AGES, &frame), WAITING_ANSWERED);
}

static void test_crowd(void)
{
    struct voice_frame frame;
    struct waiter *all[4];
    for (size_t i = 0; i < 4; i++) {
        all[i] = wait_for(TENANT, CALL, 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(all[i]);
    }
    CU_ASSERT_PTR_NULL(wait_for(TENANT, CALL, 1));
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(end(all[i], 0, &frame), WAITING_LATE);
    struct waiter *again = wait_for(TENANT, CALL, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    CU_ASSERT_EQUAL(end(again, 0, &frame), WAITING_LATE);
}

static void *give_later(void *arg)
{
    (void)arg;
    while (!give(VOICE_FRAME_STEP, 9, 1, "From another thread."))
        ;
    return NULL;
}

static void test_wakes_a_thread(void)
{
    struct voice_frame frame;
    pthread_t thread;
    struct waiter *one = wait_for(TENANT, CALL, 9);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, give_later, NULL), 0);
    CU_ASSERT_EQUAL(end(one, AGES, &frame), WAITING_ANSWERED);
    CU_ASSERT_STRING_EQUAL(frame.text, "From another thread.");
    pthread_join(thread, NULL);
}

int main(void)
{
    CU_initialize_registry();
    arena = arena_new();
    waiting = waiting_new(4);
    CU_pSuite suite = CU_add_suite("waiting", NULL, NULL);
    CU_add_test(suite, "answers", test_answers);
    CU_add_test(suite, "takeover", test_takeover);
    CU_add_test(suite, "failure", test_failure);
    CU_add_test(suite, "crowd", test_crowd);
    CU_add_test(suite, "wakes a thread", test_wakes_a_thread);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    waiting_free(&waiting);
    arena_free(&arena);
    unsigned int failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
