/* One table says which of the stand-in's events are shown, and how. Times are the stand-in's own
 * clock. call.c calls it. */
#include "call_told.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"

#define TIME_MAX 1e15 /* epoch ms that a whole number holds exactly */

static const struct table_column columns[] = {
    {"at_ms", TABLE_INT}, {"who", TABLE_TEXT}, {"ms", TABLE_INT}, {"words", TABLE_TEXT}};

/* The telling of one call. */
struct telling {
    struct arena *arena;
    struct table *table;
    double created; /* when it was placed */
    double turn;    /* since when the desk is waited for: the end of the caller's last words */
};

/* The event's number of that name; `fallback` if it is none. */
static double number_of(const struct json *event, const char *name, double fallback)
{
    const struct json *value = json_member(event, name);
    if (value == NULL || json_type(value) != JSON_NUMBER)
        return fallback;
    const double number = json_number(value);
    return isfinite(number) && fabs(number) < TIME_MAX ? number : fallback;
}

static const char *text_of(const struct json *event, const char *name)
{
    const char *text = json_member_text(event, name);
    return text != NULL ? text : "";
}

static const char *whole(struct arena *arena, double ms)
{
    return arena_printf(arena, "%" PRId64, (int64_t)llround(ms));
}

static void add(struct telling *telling, double at, const char *who, const char *ms,
                const char *words)
{
    const char *cells[] = {whole(telling->arena, at - telling->created), who, ms, words};
    table_add(telling->table, cells);
}

static double time_of(const struct json *event)
{
    return number_of(event, "time", 0);
}

/* ms: how long he spoke. */
static void tell_said(struct telling *telling, const struct json *event)
{
    const double from = number_of(event, "from", time_of(event));
    const double until = number_of(event, "until", from);
    add(telling, from, "caller", whole(telling->arena, until - from), text_of(event, "text"));
    telling->turn = until;
}

/* ms: since the caller's words, keys or the answer. */
static void tell_audible(struct telling *telling, const struct json *event)
{
    const double from = number_of(event, "from", time_of(event));
    const double since = telling->turn > 0 ? from - telling->turn : from - telling->created;
    add(telling, from, "desk", whole(telling->arena, since), text_of(event, "text"));
}

static void tell_key(struct telling *telling, const struct json *event)
{
    add(telling, time_of(event), "caller", NULL,
        arena_printf(telling->arena, "presses %.4s", text_of(event, "digit")));
    telling->turn = time_of(event);
}

static void tell_interrupt(struct telling *telling, const struct json *event)
{
    add(telling, time_of(event), "caller", NULL, "cuts in");
}

static void tell_dial(struct telling *telling, const struct json *event)
{
    add(telling, time_of(event), "desk", NULL,
        arena_printf(telling->arena, "rings up %.40s", text_of(event, "to")));
}

static void tell_bridged(struct telling *telling, const struct json *event)
{
    add(telling, time_of(event), "desk", NULL, "puts the two through");
}

static void tell_recording(struct telling *telling, const struct json *event)
{
    add(telling, time_of(event), "desk", NULL,
        arena_printf(telling->arena, "has a recording of %.0f s", number_of(event, "seconds", 0)));
}

static void tell_hangup(struct telling *telling, const struct json *event)
{
    add(telling, time_of(event), text_of(event, "by"), NULL, "hangs up");
}

static void tell_error(struct telling *telling, const struct json *event)
{
    add(telling, time_of(event), "error", NULL,
        arena_printf(telling->arena, "%.0f %.500s", number_of(event, "code", 0),
                     text_of(event, "message")));
}

static const struct {
    const char *kind;
    void (*tell)(struct telling *telling, const struct json *event);
} kinds[] = {
    {"said", tell_said},           {"audible", tell_audible}, {"dtmf", tell_key},
    {"interrupt", tell_interrupt}, {"dial", tell_dial},       {"bridged", tell_bridged},
    {"recording", tell_recording}, {"hangup", tell_hangup},   {"error", tell_error},
};

void call_told_read(const struct json *call, struct call_told *told)
{
    *told = (struct call_told){
        .over = json_member_bool(call, "over", false),
        .script = text_of(call, "script"),
        .silence_max_ms = (int64_t)llround(number_of(call, "silence_max_ms", 0)),
        .errors = (size_t)fabs(number_of(call, "errors", 0)),
    };
}

struct table *call_told_rows(struct arena *arena, const struct json *call)
{
    struct telling telling = {
        .arena = arena,
        .table = table_new(arena, columns, sizeof columns / sizeof columns[0]),
        .created = number_of(call, "created", 0),
        .turn = number_of(call, "answered", 0),
    };
    for (const struct json *event = json_first(json_member(call, "events")); event != NULL;
         event = json_next(event))
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (strcmp(kinds[i].kind, text_of(event, "kind")) == 0)
                kinds[i].tell(&telling, event);
    return telling.table;
}
