/* The sessions in memory as lists: for the renewal, which asks what of them moved on, and for the
 * adoption, which leaves them out; and how many they are. adopt.c asks, and the lanes. */
#include "base/map.h"
#include "session.h"

#include <string.h>

/* What a renewal compares: the fence of a turn that thinks; a commit finds out by itself. */
int64_t session_listed_fence(const struct session *session)
{
    bool running = session->arena != NULL && session->state != TURN_COMMITTING;
    return running ? session->turn.fence : -1;
}

struct listing {
    struct pg_array tenants, ids, fences, epochs;
};

static bool list_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)key, (void)key_length;
    struct listing *listing = arg;
    const struct session *session = value;
    int64_t fence = session_listed_fence(session);
    if (session->with_claim)
        return true; /* its row is not ours yet */
    pg_array_add(&listing->tenants, session->tenant);
    pg_array_add_uuid(&listing->ids, &session->id);
    pg_array_add_int(&listing->fences, fence);
    pg_array_add_int(&listing->epochs, fence >= 0 ? session->turn.epoch : -1);
    return true;
}

void sessions_list(struct sessions *sessions, struct arena *arena, struct session_arrays *out)
{
    struct listing listing;
    struct pg_array *const arrays[] = {&listing.tenants, &listing.ids, &listing.fences,
                                       &listing.epochs};
    const char **const literals[] = {&out->tenants, &out->ids, &out->fences, &out->epochs};
    for (int i = 0; i < 4; i++)
        pg_array_init(arrays[i]);
    map_each(sessions->by_id, list_one, &listing);
    for (int i = 0; i < 4; i++) {
        *literals[i] = pg_array_take(arrays[i], arena);
        pg_array_fini(arrays[i]);
    }
}

/* Of thousands: by the map alone, without a look at each session. */
static bool add_id(void *arg, const void *key, size_t key_length, void *value)
{
    struct uuid id;
    (void)key_length, (void)value;
    memcpy(id.bytes, key, sizeof id.bytes);
    pg_array_add_uuid(arg, &id);
    return true;
}

const char *sessions_ids(struct sessions *sessions, struct arena *arena)
{
    struct pg_array ids;
    pg_array_init(&ids);
    map_each(sessions->by_id, add_id, &ids);
    const char *literal = pg_array_take(&ids, arena);
    pg_array_fini(&ids);
    return literal;
}

size_t sessions_count(const struct sessions *sessions)
{
    return map_count(sessions->by_id);
}

size_t sessions_at_work(const struct sessions *sessions)
{
    return shares_at_work(sessions->shares) + sessions->suspects_at_work;
}

bool sessions_have_room(const struct sessions *sessions, const char *tenant, const struct uuid *id,
                        enum share_kind kind)
{
    return shares_have_room(sessions->shares, tenant, kind) ||
           map_get(sessions->by_id, id->bytes, sizeof id->bytes) != NULL;
}
