/* The reception workflow of an assistant's version, as the engine uses it: opening hours, holidays,
 * and what can be booked (docs/TENANT_FILE.md says what the JSON holds). Read once; never changes.
 * Pure. */
#ifndef DESK_ENGINE_WORKFLOW_H
#define DESK_ENGINE_WORKFLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "store/booking_rules.h"
#include "json/json.h"

#define WORKFLOW_SERVICES_MAX 50
#define WORKFLOW_FIELDS_MAX   20

/* What is asked of a customer. */
struct workflow_field {
    const char *name, *ask;
    bool required;
};

struct workflow_service {
    struct booking_rules rules;
    const char *price, *description; /* "" if not set */
    struct workflow_field fields[WORKFLOW_FIELDS_MAX];
    size_t field_count;
};

struct workflow {
    const char *timezone;
    const char *hours, *holidays; /* JSON; NULL: the business does not say */
    struct workflow_service *services;
    size_t service_count;
    int passages;     /* of the knowledge base that each prompt gets */
    const char *tell; /* what a customer is told who needs a person; "" if not set */
};

/* Reads the sections of a version's config into the arena; what is missing is left empty. */
void workflow_read(struct arena *arena, const struct json *config, const char *timezone,
                   struct workflow *out);

/* The service of that name, without regard to ASCII case; NULL if there is none. */
const struct workflow_service *workflow_find(const struct workflow *workflow, const char *name);

/* Appends hours, holidays and services as lines for the prompt; nothing if there are none. */
void workflow_describe(const struct workflow *workflow, struct strbuf *out);

/* Whether the business is open at a moment of its clock, "2026-12-01T09:00" with the weekday "tue":
 * a holiday's hours replace the day's. 1 open, 0 closed, -1 it does not say. */
int workflow_is_open(const struct workflow *workflow, const char *weekday, const char *local);

#endif
