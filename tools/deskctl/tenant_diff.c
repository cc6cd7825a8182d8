/* The comparison of configs. It knows no section by name: what it must know of one is in
 * tenant_sections, so that a new section is compared as soon as it is read. */
#include "tenant_diff.h"

#include <string.h>

#include "canonical.h"
#include "tenant_section.h"

/* Where the walk is: what a change there is called. */
struct place {
    struct tenant_changes *changes;
    const char *what;
    const char *path;  /* "" at the top */
    const char *joint; /* between the path and a member's name */
    const char *shown; /* member that is shown beside an entry's name; NULL: none */
    bool whole;        /* a block or list that comes or goes is one change */
};

/* ---- values as people read them ---- */

/* Numbers whose names end so. */
static const struct {
    const char *suffix, *unit;
} units[] = {{"_min", " min"}, {"_ms", " ms"}, {"_days", " days"}};

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), end = strlen(suffix);
    return length > end && strcmp(text + length - end, suffix) == 0;
}

/* The index of its unit; -1 if it has none. A model's members are shown as they are stored. */
static int unit_of(const struct place *place, const char *name, const struct json *value)
{
    if (json_type(value) != JSON_NUMBER || strncmp(place->path, "models[", 7) == 0)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (ends_with(name, units[i].suffix))
            return (int)i;
    return -1;
}

static const char *number_text(const struct place *place, const char *name,
                               const struct json *value)
{
    struct arena *arena = place->changes->arena;
    double number = json_number(value);
    int unit = unit_of(place, name, value);
    if (strcmp(name, "temperature") == 0)
        return arena_printf(arena, "%.2f", number);
    if (strcmp(name, "cost") == 0)
        return arena_printf(arena, "%.2f dollars", number / 1e9);
    return arena_printf(arena, "%s%s", canonical_json(arena, value),
                        unit >= 0 ? units[unit].unit : "");
}

/* [["08:00","12:00"]] is opening hours. */
static bool is_spans(const struct json *value)
{
    bool spans = json_type(value) == JSON_ARRAY && json_count(value) > 0;
    for (const struct json *span = json_first(value); span != NULL && spans; span = json_next(span))
        spans = json_type(span) == JSON_ARRAY && json_count(span) == 2 &&
                json_text(json_first(span)) != NULL &&
                json_text(json_next(json_first(span))) != NULL;
    return spans;
}

static const char *spans_text(struct arena *arena, const struct json *value)
{
    const char *text = "";
    for (const struct json *span = json_first(value); span != NULL; span = json_next(span))
        text = arena_printf(arena, "%s%s%s-%s", text, *text != '\0' ? ", " : "",
                            json_text(json_first(span)), json_text(json_next(json_first(span))));
    return text;
}

/* ["a","b"] is words. */
static const char *words_text(struct arena *arena, const struct json *value)
{
    const char *text = NULL;
    for (const struct json *word = json_first(value); word != NULL; word = json_next(word)) {
        if (json_text(word) == NULL)
            return NULL;
        text = text == NULL ? arena_strdup(arena, json_text(word))
                            : arena_printf(arena, "%s, %s", text, json_text(word));
    }
    return text;
}

/* The value on one line; NULL is absent. `name` is the member's. */
static const char *value_text(const struct place *place, const char *name, const struct json *value)
{
    struct arena *arena = place->changes->arena;
    if (value == NULL || json_type(value) == JSON_NULL)
        return NULL;
    if (strcmp(name, "key_wrapped") == 0)
        return TENANT_SECRET_SHOWN;
    switch (json_type(value)) {
    case JSON_STRING:
        return arena_strdup(arena, json_text(value));
    case JSON_NUMBER:
        return number_text(place, name, value);
    default:
        if (is_spans(value))
            return spans_text(arena, value);
        const char *words = json_type(value) == JSON_ARRAY ? words_text(arena, value) : NULL;
        return words != NULL ? words : canonical_json(arena, value);
    }
}

/* ---- walking ---- */

static const char *joined(const struct place *place, const char *joint, const char *name)
{
    return *place->path == '\0'
               ? arena_strdup(place->changes->arena, name)
               : arena_printf(place->changes->arena, "%s%s%s", place->path, joint, name);
}

static bool same(struct arena *arena, const struct json *before, const struct json *after)
{
    return strcmp(canonical_json(arena, before), canonical_json(arena, after)) == 0;
}

/* How a leaf is called: a number without the unit, which its value shows. */
static const char *leaf_name(const struct place *place, const char *name, const struct json *value)
{
    int unit = unit_of(place, name, value);
    if (strcmp(name, "key_wrapped") == 0)
        return "key";
    return unit < 0 ? name
                    : arena_strndup(place->changes->arena, name,
                                    strlen(name) - strlen(units[unit].suffix));
}

static void note(const struct place *place, const char *field, const char *before,
                 const char *after)
{
    enum tenant_action action = before == NULL  ? TENANT_ADD
                                : after == NULL ? TENANT_REMOVE
                                                : TENANT_CHANGE;
    tenant_changes_add(place->changes,
                       (struct tenant_change){action, place->what, field, before, after});
}

static void walk(const struct place *place, const char *name, const struct json *before,
                 const struct json *after);

static void walk_members(const struct place *place, const struct json *before,
                         const struct json *after)
{
    for (const struct json *item = json_first(after); item != NULL; item = json_next(item))
        walk(place, json_name(item), json_member(before, json_name(item)), item);
    for (const struct json *item = json_first(before); item != NULL; item = json_next(item))
        if (json_member(after, json_name(item)) == NULL)
            walk(place, json_name(item), item, NULL);
}

/* ---- lists ---- */

/* What an entry is recognised by; NULL if by nothing. */
static const char *id_of(const struct json *entry)
{
    static const char *const names[] = {"day", "name", "field"};
    if (json_type(entry) != JSON_OBJECT)
        return json_text(entry);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_member_text(entry, names[i]) != NULL)
            return json_member_text(entry, names[i]);
    return NULL;
}

static const struct json *entry_of(const struct json *list, const char *id)
{
    for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry))
        if (strcmp(id_of(entry), id) == 0)
            return entry;
    return NULL;
}

/* Whether each entry has a name of its own; an absent list has none to mistake. */
static bool is_named(const struct json *list)
{
    if (list != NULL && json_type(list) != JSON_ARRAY)
        return false;
    for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry))
        if (id_of(entry) == NULL)
            return false;
    for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry))
        if (entry_of(list, id_of(entry)) != entry)
            return false;
    return true;
}

/* An entry that came or went, on one line. */
static const char *entry_text(const struct place *place, const struct json *entry)
{
    const char *id = id_of(entry);
    const struct json *shown = place->shown != NULL ? json_member(entry, place->shown) : NULL;
    return shown != NULL ? arena_printf(place->changes->arena, "%s %s", id,
                                        value_text(place, place->shown, shown))
                         : arena_strdup(place->changes->arena, id);
}

/* The names that both lists have, in the order of the first. */
static const char *common_names(struct arena *arena, const struct json *list,
                                const struct json *other)
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry))
        if (entry_of(other, id_of(entry)) != NULL)
            strbuf_printf(&text, "%s%s", text.length > 0 ? ", " : "", id_of(entry));
    const char *copy = arena_strdup(arena, text.data);
    strbuf_fini(&text);
    return copy;
}

/* Inside an entry its name is the path. */
static void walk_entry(const struct place *list, const struct json *before,
                       const struct json *after)
{
    struct place place = *list;
    if (json_type(after) != JSON_OBJECT || json_type(before) != JSON_OBJECT)
        return;
    place.path = joined(list, " ", id_of(after));
    place.joint = " ";
    place.whole = true;
    walk_members(&place, before, after);
}

static void walk_list(const struct place *place, const struct json *before,
                      const struct json *after)
{
    struct arena *arena = place->changes->arena;
    for (const struct json *entry = json_first(after); entry != NULL; entry = json_next(entry)) {
        const struct json *was = entry_of(before, id_of(entry));
        if (was == NULL)
            note(place, place->path, NULL, entry_text(place, entry));
        else
            walk_entry(place, was, entry);
    }
    for (const struct json *entry = json_first(before); entry != NULL; entry = json_next(entry))
        if (entry_of(after, id_of(entry)) == NULL)
            note(place, place->path, entry_text(place, entry), NULL);
    tenant_changes_add_text(place->changes, place->what, joined(place, " ", "order"),
                            common_names(arena, before, after), common_names(arena, after, before));
}

/* ---- any value ---- */

static bool is_object(const struct json *value)
{
    return value == NULL || json_type(value) == JSON_OBJECT;
}

/* Compares the values at the place itself; false if only as a whole they can be shown. */
static bool walk_inside(const struct place *place, const struct json *before,
                        const struct json *after)
{
    size_t count = place->changes->count;
    if (is_object(before) && is_object(after))
        walk_members(place, before, after);
    else if (is_named(before) && is_named(after))
        walk_list(place, before, after);
    return place->changes->count > count;
}

/* JSON null is absent. */
static const struct json *present(const struct json *value)
{
    return value == NULL || json_type(value) == JSON_NULL ? NULL : value;
}

static void walk(const struct place *at, const char *name, const struct json *before,
                 const struct json *after)
{
    struct arena *arena = at->changes->arena;
    struct place place = *at;
    before = present(before);
    after = present(after);
    if (before == after || (before != NULL && after != NULL && same(arena, before, after)))
        return;
    const struct json *some = after != NULL ? after : before;
    bool one = before == NULL || after == NULL;
    place.path = joined(at, at->joint, name);
    place.joint = ".";
    if (!(one && at->whole) && walk_inside(&place, before, after))
        return;
    note(at, joined(at, at->joint, leaf_name(at, name, some)), value_text(at, name, before),
         value_text(at, name, after));
}

/* ---- the config ---- */

static void compare_section(struct tenant_changes *changes, const struct tenant_section *section,
                            const struct json *before, const struct json *after)
{
    struct place place = {changes, section->name, "", ".", section->shown, false};
    before = json_member(before, section->name);
    after = json_member(after, section->name);
    if (before == NULL && after == NULL)
        return;
    if (before != NULL && after != NULL && same(changes->arena, before, after))
        return;
    if (!walk_inside(&place, before, after))
        note(&place, "", value_text(&place, section->name, before),
             value_text(&place, section->name, after));
}

static const char *model_summary(struct arena *arena, const struct json *entry)
{
    const char *model = json_member_text(entry, "model"),
               *url = json_member_text(entry, "base_url");
    return entry == NULL ? NULL
                         : arena_printf(arena, "%s at %s", model != NULL ? model : "(none)",
                                        url != NULL ? url : "(nowhere)");
}

/* The chain is an order: an entry that moves is another one there. */
static void compare_models(struct tenant_changes *changes, const struct json *before,
                           const struct json *after)
{
    const struct json *was = json_first(json_member(before, "models"));
    const struct json *is = json_first(json_member(after, "models"));
    for (size_t number = 1; was != NULL || is != NULL; number++) {
        const char *name = arena_printf(changes->arena, "models[%zu]", number);
        const struct place place = {changes, "assistant", name, ".", NULL, true};
        if (was != NULL && is != NULL)
            walk_members(&place, was, is);
        else
            note(&place, name, model_summary(changes->arena, was),
                 model_summary(changes->arena, is));
        was = json_next(was);
        is = json_next(is);
    }
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        if (strcmp(tenant_sections[i].name, name) == 0)
            return true;
    return false;
}

/* What is no section: the wording, and members that only another release knows. */
static void compare_rest(struct tenant_changes *changes, const struct json *before,
                         const struct json *after)
{
    const struct place place = {changes, "assistant", "", ".", NULL, true};
    for (const struct json *item = json_first(after); item != NULL; item = json_next(item))
        if (!is_section(json_name(item)) && strcmp(json_name(item), "models") != 0)
            walk(&place, json_name(item), json_member(before, json_name(item)), item);
    for (const struct json *item = json_first(before); item != NULL; item = json_next(item))
        if (!is_section(json_name(item)) && strcmp(json_name(item), "models") != 0 &&
            json_member(after, json_name(item)) == NULL)
            walk(&place, json_name(item), item, NULL);
}

bool tenant_diff_config(struct tenant_changes *changes, const struct json *before,
                        const struct json *after)
{
    size_t count = changes->count;
    compare_rest(changes, before, after);
    compare_models(changes, before, after);
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        compare_section(changes, &tenant_sections[i], before, after);
    return changes->count > count;
}
