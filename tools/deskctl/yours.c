/* What follows on a takeover's commit: see yours.h. */
#include "yours.h"

#include <poll.h>

#include "base/clock.h"
#include "contract/voice.h"
#include "publish.h"
#include "store/worker.h"

#define WAKE_WAIT_MS  5000
#define YOURS_WAIT_MS 15000 /* a lease is 4 s; longer means that something is wrong */

/* A frame that was produced at the end of a lease may be late. */
static int wait_for_engines(struct desk *desk, struct err *err)
{
    struct pg_session *session = NULL;
    int64_t left_ms = 0;
    if (desk_begin(desk, &session, err) != 0 ||
        worker_leases_left(session, "engine", &left_ms, err) != 0 || desk_commit(desk, err) != 0)
        return -1;
    const int64_t until_ms = clock_mono_ms() + left_ms + VOICE_FRAME_LATE_MS;
    for (int64_t now_ms; (now_ms = clock_mono_ms()) < until_ms;)
        poll(NULL, 0, (int)(until_ms - now_ms));
    return 0;
}

int yours_wait(struct desk *desk, const struct conversation_ref *ref, bool are_told, int64_t *begun,
               struct err *err)
{
    if (!are_told && wait_for_engines(desk, err) != 0)
        return -1;
    int64_t until_ms = clock_mono_ms() + YOURS_WAIT_MS;
    for (bool yours = false;;) {
        struct pg_session *session = NULL;
        if (desk_begin(desk, &session, err) != 0 ||
            conversation_is_yours(session, ref, &yours, begun, err) != 0 ||
            desk_commit(desk, err) != 0)
            return -1;
        if (yours)
            return 0;
        if (clock_mono_ms() > until_ms)
            return err_set(err, ERR_RETRY_LATER, "conversation.in_flight",
                           "the conversation is held, but a reply is still being sent; "
                           "`deskctl conversation show` tells which");
        poll(NULL, 0, 100);
    }
}

int yours_stop_calls(struct desk *desk, const struct conversation_ref *ref,
                     const struct conversation_takeover *taken, struct err *err)
{
    struct bus_producer *producer = NULL;
    char tenant[UUID_TEXT_SIZE];
    int rc = 0;
    if (taken->call_count > 0 && publish_open(desk, TOPIC_VOICE_STREAM, &producer, err) != 0)
        return -1;
    for (size_t i = 0; i < taken->call_count; i++) {
        struct bus_record record;
        const struct voice_frame stop = {.event = {.id = "",
                                                   .source = "frontdesk/deskctl",
                                                   .subject = "",
                                                   .time_ms = clock_wall_ms(),
                                                   .tenant = uuid_format(&ref->tenant, tenant),
                                                   .traceparent = ""},
                                         .call_sid = taken->calls[i].call_sid,
                                         .epoch = taken->epoch,
                                         .kind = VOICE_FRAME_STOP,
                                         .text = "",
                                         .lang = "",
                                         .keys = "",
                                         .handoff = ""};
        voice_frame_encode(desk->arena, desk->settings.kafka.topic_prefix, &stop, &record);
        record.partition = taken->calls[i].partition;
        if (bus_produce_wait(producer, &record, WAKE_WAIT_MS, err) != 0)
            rc = -1; /* the others are told all the same */
    }
    bus_producer_close(&producer, 0);
    return rc;
}
