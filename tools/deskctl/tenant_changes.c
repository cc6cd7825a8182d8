/* Changes of a tenant as data, as lines and as JSON. tenant_plan and tenant_diff fill the list; the
 * commands of `deskctl tenant` show it. */
#include "tenant_changes.h"

#include <string.h>

#include "base/text.h"
#include "table.h"

#define SHOWN_BYTES  60 /* of a value */
#define SIGN(change) ("+~-"[(change)->action])

void tenant_changes_add(struct tenant_changes *changes, struct tenant_change change)
{
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity == 0 ? 32 : changes->capacity * 2;
        struct tenant_change *items = arena_alloc(changes->arena, capacity * sizeof *items);
        if (changes->count > 0)
            memcpy(items, changes->items, changes->count * sizeof *items);
        changes->items = items;
        changes->capacity = capacity;
    }
    changes->items[changes->count++] = change;
}

bool tenant_changes_add_text(struct tenant_changes *changes, const char *what, const char *field,
                             const char *before, const char *after)
{
    if (before == NULL && after == NULL)
        return false;
    if (before != NULL && after != NULL && strcmp(before, after) == 0)
        return false;
    enum tenant_action action = before == NULL  ? TENANT_ADD
                                : after == NULL ? TENANT_REMOVE
                                                : TENANT_CHANGE;
    tenant_changes_add(changes, (struct tenant_change){action, what, field, before, after});
    return true;
}

/* ---- for people ---- */

static const char *clipped(struct arena *arena, const char *text)
{
    size_t length = text_utf8_prefix(text, SHOWN_BYTES);
    const char *line = arena_strndup(arena, text, length);
    size_t end = strcspn(line, "\n");
    return text[length] == '\0' && line[end] == '\0'
               ? line
               : arena_printf(arena, "%.*s...", (int)end, line);
}

static void print_change(struct arena *arena, const struct tenant_change *change,
                         struct strbuf *out)
{
    strbuf_printf(out, "  %c %s", SIGN(change), change->what);
    if (*change->field != '\0') {
        strbuf_add_char(out, ' ');
        table_add_safe(out, change->field, false, 0);
    }
    strbuf_add_text(out, ": ");
    if (change->before != NULL)
        table_add_safe(out, clipped(arena, change->before), false, 0);
    if (change->before != NULL && change->after != NULL)
        strbuf_add_text(out, " -> ");
    if (change->after != NULL)
        table_add_safe(out, clipped(arena, change->after), false, 0);
    strbuf_add_char(out, '\n');
}

void tenant_changes_print(const struct tenant_changes *changes, struct strbuf *out)
{
    for (size_t i = 0; i < changes->count; i++)
        print_change(changes->arena, &changes->items[i], out);
}

static void add_to_line(struct arena *arena, const struct tenant_change *change,
                        struct strbuf *line)
{
    const char *entry = change->action == TENANT_REMOVE ? change->before : change->after;
    strbuf_printf(line, "%s%c %s", line->length > 0 ? "; " : "", SIGN(change), change->what);
    if (*change->field != '\0')
        strbuf_printf(line, " %s", change->field);
    else if (entry != NULL)
        strbuf_printf(line, " %s", clipped(arena, entry));
}

const char *tenant_changes_line(const struct tenant_changes *changes, size_t max_bytes)
{
    struct strbuf line;
    strbuf_init(&line, max_bytes + 1024);
    for (size_t i = 0; i < changes->count && line.length <= max_bytes; i++)
        add_to_line(changes->arena, &changes->items[i], &line);
    bool whole = line.length <= max_bytes && !line.overflow;
    size_t length = whole ? line.length : text_utf8_prefix(line.data, max_bytes - strlen("..."));
    const char *text =
        arena_printf(changes->arena, "%.*s%s", (int)length, line.data, whole ? "" : "...");
    strbuf_fini(&line);
    return text;
}

/* ---- for scripts ---- */

void tenant_changes_write(const struct tenant_changes *changes, const char *tenant,
                          struct json_writer *writer)
{
    static const char *const actions[] = {"add", "change", "remove"};
    for (size_t i = 0; i < changes->count; i++) {
        const struct tenant_change *change = &changes->items[i];
        json_open_object(writer, NULL);
        json_add_text(writer, "tenant", tenant);
        json_add_text(writer, "action", actions[change->action]);
        json_add_text(writer, "what", change->what);
        json_add_text(writer, "field", change->field);
        json_add_text(writer, "before", change->before);
        json_add_text(writer, "after", change->after);
        json_close_object(writer);
    }
}

void tenant_changes_write_fields(const struct tenant_changes *changes, struct json_writer *writer)
{
    json_open_array(writer, "fields");
    for (size_t i = 0; i < changes->count; i++)
        json_add_text(
            writer, NULL,
            arena_printf(changes->arena, "%s %s", changes->items[i].what, changes->items[i].field));
    json_close_array(writer);
}
