/* A set of CallSids behind a mutex: see passed.h. Called by voice.c and voice_step.c. */
#include "passed.h"

#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct passed {
    pthread_mutex_t mutex;
    struct map *calls;
};

struct passed *passed_new(void)
{
    struct passed *passed = xcalloc(1, sizeof *passed);
    pthread_mutex_init(&passed->mutex, NULL);
    passed->calls = map_new();
    return passed;
}

void passed_free(struct passed **passed)
{
    struct passed *freed = *passed;
    if (freed == NULL)
        return;
    *passed = NULL;
    map_free(&freed->calls);
    pthread_mutex_destroy(&freed->mutex);
    free(freed);
}

bool passed_on(struct passed *passed, const char *call_sid)
{
    pthread_mutex_lock(&passed->mutex);
    bool first = map_count(passed->calls) < PASSED_MAX &&
                 map_put_text(passed->calls, call_sid, passed) == NULL;
    pthread_mutex_unlock(&passed->mutex);
    return first;
}
