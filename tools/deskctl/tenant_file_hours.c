/* `hours:` and `holidays:` of a tenant file: when the business is open, in its own time. The rota
 * of an escalation keeps its hours in the same form. */
#include "tenant_section.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS        7
#define SPANS_MAX   4
#define DAY_MINUTES (24 * 60)

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

struct span {
    int from, to; /* minutes of the day */
};

struct spans {
    struct span items[SPANS_MAX];
    size_t count; /* 0: closed */
};

/* ---- one day ---- */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "08:00" at this place; -1 if it is no time of the day. 24:00 is the end of one. */
static int parse_clock(const char *text)
{
    if (!digit(text[0]) || !digit(text[1]) || text[2] != ':' || !digit(text[3]) || !digit(text[4]))
        return -1;
    int minutes =
        ((text[0] - '0') * 10 + text[1] - '0') * 60 + (text[3] - '0') * 10 + text[4] - '0';
    return text[3] <= '5' && minutes <= DAY_MINUTES ? minutes : -1;
}

static bool parse_span(const char *text, struct span *span)
{
    if (strlen(text) != strlen("08:00-17:00") || text[5] != '-')
        return false;
    span->from = parse_clock(text);
    span->to = parse_clock(text + 6);
    return span->from >= 0 && span->to >= 0;
}

static void add_span(struct problems *problems, const struct yaml_node *node, const char *key,
                     struct spans *spans)
{
    const struct span *last = spans->count > 0 ? &spans->items[spans->count - 1] : NULL;
    struct span span;
    if (node->kind != YAML_SCALAR || !parse_span(node->text, &span))
        problems_add(problems, node->line,
                     "%s: \"%.40s\" must be hours, like 08:00-17:00, or closed", key,
                     node->kind == YAML_SCALAR ? node->text : "a block");
    else if (span.to <= span.from)
        problems_add(problems, node->line,
                     "%s: %s ends before it begins; end it at 24:00 and write the rest on the next "
                     "day",
                     key, node->text);
    else if (last != NULL && span.from < last->to)
        problems_add(problems, node->line,
                     "%s: %s begins before the hours above it end; write them in order, without "
                     "overlap",
                     key, node->text);
    else
        spans->items[spans->count++] = span;
}

static struct spans read_spans(struct problems *problems, const struct yaml_node *node,
                               const char *key)
{
    struct spans spans = {.count = 0};
    if (node->kind == YAML_SEQUENCE && (node->count == 0 || node->count > SPANS_MAX)) {
        problems_add(problems, node->line, "%s: has %zu entries; write 1 to %d, or closed", key,
                     node->count, SPANS_MAX);
    } else if (node->kind == YAML_SEQUENCE) {
        for (const struct yaml_node *item = node->first; item != NULL; item = item->next)
            add_span(problems, item, key, &spans);
    } else if (node->kind != YAML_SCALAR || strcmp(node->text, "closed") != 0) {
        add_span(problems, node, key, &spans);
    }
    return spans;
}

static void write_spans(struct json_writer *writer, const char *name, const struct spans *spans)
{
    char text[16];
    if (spans->count == 0)
        return;
    json_open_array(writer, name);
    for (size_t i = 0; i < spans->count; i++) {
        const int ends[] = {spans->items[i].from, spans->items[i].to};
        json_open_array(writer, NULL);
        for (size_t j = 0; j < 2; j++) {
            snprintf(text, sizeof text, "%02d:%02d", ends[j] / 60, ends[j] % 60);
            json_add_text(writer, NULL, text);
        }
        json_close_array(writer);
    }
    json_close_array(writer);
}

/* ---- the week ---- */

/* The day that the text begins with; -1 if with none. */
static int day_of(const char *text)
{
    for (int day = 0; day < DAYS; day++)
        if (strncmp(text, day_names[day], 3) == 0)
            return day;
    return -1;
}

/* "mon" or "mon-thu"; false after a problem. */
static bool parse_days(struct problems *problems, const struct yaml_node *node, int *first,
                       int *last)
{
    const char *key = node->key;
    size_t length = strlen(key);
    *first = *last = day_of(key);
    if (length == 7 && key[3] == '-')
        *last = day_of(key + 4);
    else if (length != 3)
        *first = -1;
    if (*first < 0 || *last < 0) {
        problems_add(problems, node->line,
                     "hours has no \"%.20s\"; write mon, tue, wed, thu, fri, sat, sun, or several "
                     "like mon-thu",
                     key);
        return false;
    }
    if (*last < *first)
        problems_add(
            problems, node->line,
            "hours: %s runs over the week's end; write one line up to sun and one from mon", key);
    return *last >= *first;
}

static void read_days(struct problems *problems, const struct yaml_node *node,
                      struct spans week[DAYS], bool known[DAYS])
{
    int first, last;
    if (!parse_days(problems, node, &first, &last))
        return;
    struct spans spans = read_spans(problems, node, node->key);
    for (int day = first; day <= last; day++) {
        if (known[day])
            problems_add(problems, node->line, "hours: %s is there twice; remove one",
                         day_names[day]);
        known[day] = true;
        week[day] = spans;
    }
}

void section_write_week(struct section *section, const char *name, const struct yaml_node *node)
{
    struct spans week[DAYS] = {{.count = 0}};
    bool known[DAYS] = {false};
    if (node->kind != YAML_MAPPING) {
        problems_add(section->problems, node->line,
                     "hours: must be a block of indented lines like mon-fri: 08:00-17:00");
        return;
    }
    for (const struct yaml_node *day = node->first; day != NULL; day = day->next)
        read_days(section->problems, day, week, known);
    json_open_object(section->writer, name);
    for (size_t day = 0; day < DAYS; day++)
        write_spans(section->writer, day_names[day], &week[day]);
    json_close_object(section->writer);
}

void section_read_hours(struct section *section, const struct yaml_node *node)
{
    section_write_week(section, NULL, node);
}

/* ---- holidays ---- */

struct holiday {
    const char *day, *name;
    const struct yaml_node *hours;
};

#define AT(member) offsetof(struct holiday, member)

static const struct field holiday_fields[] = {
    {"day", FIELD_DATE, AT(day), 0, 0, true, NULL},
    {"name", FIELD_TEXT, AT(name), 1, 60, true, NULL},
    {"hours", FIELD_NODE, AT(hours), 0, 0, false, NULL},
};

#define FIELD_COUNT (sizeof holiday_fields / sizeof holiday_fields[0])

static int by_day(const void *a, const void *b)
{
    const struct holiday *left = a, *right = b;
    return strcmp(left->day, right->day);
}

/* Their order in the file means nothing, so they are kept in that of the calendar. */
void section_read_holidays(struct section *section, const struct yaml_node *node)
{
    struct problems *problems = section->problems;
    struct holiday *list = arena_alloc(problems->arena, (node->count + 1) * sizeof *list);
    size_t count = 0;
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct holiday *holiday = &list[count++];
        holiday->day = "";
        fields_read(problems, entry, "a holiday", holiday_fields, FIELD_COUNT, holiday);
        section_check_unique(section, node, entry, "day", "day");
    }
    qsort(list, count, sizeof *list, by_day);
    json_open_array(section->writer, NULL);
    for (size_t i = 0; i < count; i++) {
        struct spans spans = {.count = 0};
        if (list[i].hours != NULL)
            spans = read_spans(problems, list[i].hours, "hours");
        json_open_object(section->writer, NULL);
        section_write_fields(section, holiday_fields, FIELD_COUNT, &list[i]);
        write_spans(section->writer, "hours", &spans);
        json_close_object(section->writer);
    }
    json_close_array(section->writer);
}
