/* See slow.h. intake.c asks it of claims, statements.c of starts, rounds and commits. */
#include "slow.h"

#include <string.h>

#include "base/clock.h"
#include "store/worker.h"

bool slow_is_own(const struct engine *engine, const struct err *err, int64_t sent_us,
                 int64_t deadline_ms)
{
    const bool cut =
        strcmp(err->code, "pg.lost") == 0 && clock_mono_us() - sent_us >= deadline_ms * 1000;
    const bool cancelled = strcmp(err->code, "pg.57014") == 0; /* statement_timeout */
    return (cut || cancelled) && worker_lease_left_ms(engine->worker) > 0;
}
