/* The stop points' machinery, compiled only into the test builds. */
#include "base/stop.h"

#if FRONTDESK_STOP_POINTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(struct stop_slot) == 256, "tests map this layout");

static struct stop_slot *slots;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void map_file(void)
{
    const char *path = getenv("FRONTDESK_STOP_FILE");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *memory = mmap(NULL, STOP_SLOTS * sizeof(struct stop_slot), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED)
        slots = memory;
}

/* Takes one from the counter if it is positive. */
static bool take(int32_t *counter)
{
    _Atomic int32_t *value = (_Atomic int32_t *)counter;
    int32_t seen = atomic_load(value);
    while (seen > 0)
        if (atomic_compare_exchange_weak(value, &seen, seen - 1))
            return true;
    return false;
}

static void act(struct stop_slot *slot, const char *subject)
{
    snprintf(slot->subject, sizeof slot->subject, "%s", subject);
    slot->pid = (int32_t)getpid();
    atomic_fetch_add((_Atomic int32_t *)&slot->hits, 1);
    if (slot->action == STOP_KILL)
        kill(getpid(), SIGKILL);
    else if (slot->action == STOP_FREEZE)
        raise(SIGSTOP);
    else if (slot->action == STOP_ABORT)
        abort();
}

void stop_reach(const char *name, const char *subject)
{
    pthread_once(&once, map_file);
    if (slots == NULL)
        return;
    if (subject == NULL)
        subject = "";
    for (int i = 0; i < STOP_SLOTS; i++) {
        struct stop_slot *slot = &slots[i];
        if (slot->name[0] == '\0' || strncmp(slot->name, name, sizeof slot->name) != 0)
            continue;
        if (slot->match[0] != '\0' && strstr(subject, slot->match) == NULL)
            continue;
        atomic_fetch_add((_Atomic int32_t *)&slot->passed, 1);
        if (!take(&slot->skip) && take(&slot->armed))
            act(slot, subject);
    }
}

#else
typedef int stop_points_are_off;
#endif
