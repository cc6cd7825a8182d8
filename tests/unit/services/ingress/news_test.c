/* News of calls on their way to a loop that stops. */
#include "news.h"

#include "loop/loop.h"

#include <CUnit/Basic.h>
#include <poll.h>

#define DEADLINE_MS 600000 /* longer than the test may take */
#define ON_ITS_WAY_MS                                                                              \
    100 /* for the thread; if that is too short it finds the way closed, and passes */

static struct ingress ingress;

static void deliver(void *arg)
{
    bool *written = arg;
    struct news *news = news_new(&ingress, NEWS_ENDED);
    *written = news_deliver(&news, DEADLINE_MS);
}

/* Whoever waits for it is told at once. Guard: arrive in news_deafen. */
static void nothing_is_left_on_the_way(void)
{
    struct loop *loop = loop_new();
    bool written = true;
    news_listen(&ingress, loop);
    struct thread *thread = thread_start(deliver, &written);
    poll(NULL, 0, ON_ITS_WAY_MS);
    news_deafen(&ingress);
    thread_join(&thread);
    CU_ASSERT_FALSE(written);
    struct news *late = news_new(&ingress, NEWS_ENDED);
    CU_ASSERT_FALSE(news_send(&late));
    loop_free(&loop);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("news of calls", NULL, NULL);
    CU_add_test(suite, "nothing is left on the way", nothing_is_left_on_the_way);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
