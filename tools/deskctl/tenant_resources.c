/* From the config's list of names to rows. `tenant apply` and `tenant rollback` call it in the
 * transaction that writes the version. */
#include "tenant_resources.h"

#include <string.h>

#include "store/booking_admin.h"
#include "json/json.h"

#define RESOURCES_MAX 100

int tenant_resources_write(struct pg_session *session, struct arena *arena,
                           const struct tenant_row *row, struct err *err)
{
    struct booking_resource_changes changes;
    struct json *config = NULL;
    const char **names = arena_alloc(arena, RESOURCES_MAX * sizeof *names);
    size_t count = 0;
    if (json_parse(row->config, strlen(row->config), &config, err) != 0)
        return -1;
    for (const struct json *n = json_first(json_member(config, "resources"));
         n != NULL && count < RESOURCES_MAX; n = json_next(n))
        if (json_text(n) != NULL)
            names[count++] = arena_strdup(arena, json_text(n));
    json_free(&config);
    return booking_admin_set_resources(session, &row->id, names, count, &changes, err);
}
