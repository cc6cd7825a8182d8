/* Offsets follow claims (docs/PROTOCOL.md), so a committed record has its inbox row, or is a dead
 * letter. reconcile.c calls it while the installation is held: what is claimed after it has asked
 * the provider would be answered again. */
#include "catch_up.h"

#include <inttypes.h>
#include <poll.h>

#include "base/clock.h"

#define PAUSE_MS 200

static int wait_group(struct desk *desk, struct bus_admin *admin, const struct bus_ends *ends,
                      int64_t patience_ms, struct err *err)
{
    const char *group =
        topic_engine_group(desk->arena, desk->settings.kafka.topic_prefix, TOPIC_INBOUND_SMS);
    int64_t least = INT64_MAX, until_ms = 0, behind = 0;
    for (;;) {
        if (bus_admin_behind(admin, group, ends, &behind, err) != 0)
            return -1;
        if (behind == 0)
            return 0;
        if (least == INT64_MAX)
            desk_note("waiting until the engines have claimed %" PRId64 " records of %s", behind,
                      ends->topic);
        if (behind < least) {
            least = behind;
            until_ms = clock_mono_ms() + patience_ms;
        }
        if (clock_mono_ms() > until_ms)
            return err_set(err, ERR_RETRY_LATER, "engines.behind",
                           "the engines have left %" PRId64 " records of %s unclaimed for %" PRId64
                           " s, and nothing was settled: start engines, let them catch up, run it "
                           "again",
                           behind, ends->topic, patience_ms / 1000);
        poll(NULL, 0, PAUSE_MS);
    }
}

int catch_up_wait(struct desk *desk, int64_t patience_ms, struct err *err)
{
    const char *topic = desk_topic(desk, TOPIC_INBOUND_SMS);
    struct bus_options options;
    struct bus_admin *admin = NULL;
    struct bus_ends ends;
    if (desk_bus(desk, &options, err) != 0 || bus_admin_open(&options, &admin, err) != 0)
        return -1;
    int result = bus_admin_ends(admin, desk->arena, topic, &ends, err);
    if (result == 0)
        result = wait_group(desk, admin, &ends, patience_ms, err);
    bus_admin_close(&admin);
    return result;
}
