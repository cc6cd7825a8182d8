/* `calls:` of a tenant file: when and how customers are called back. */
#include "tenant_file.h"
#include "tenant_section.h"

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)

struct calls {
    const struct yaml_node *hours;
    int64_t tries, again, ring;
    const char *back;
};

/* What is not said is not written: the desk's own hours are the same for all (store). */
void section_read_calls(struct section *section, const struct yaml_node *node)
{
    static const char *const ways[] = {"ask", "auto", NULL};
    struct calls calls = {NULL, 1, 10, 25000, "ask"};
    const struct field fields[] = {
        {"hours", FIELD_NODE, AT(calls, hours), 0, 0, false, NULL},
        {"tries", FIELD_INT, AT(calls, tries), 1, 5, false, NULL},
        {"again", FIELD_MINUTES, AT(calls, again), 1, 1440, false, NULL},
        {"ring", FIELD_MS, AT(calls, ring), 5000, 60000, false, NULL},
        {"back", FIELD_CHOICE, AT(calls, back), 0, 0, false, ways},
    };
    fields_read(section->problems, node, "calls", fields, COUNT(fields), &calls);
    bool has_voice = false;
    for (size_t i = 0; i < section->file->channel_count; i++)
        has_voice |= section->file->channels[i].is_voice;
    if (!has_voice)
        problems_add(section->problems, node->line,
                     "calls: there is no channel of kind voice to call from; add one, or remove "
                     "calls");
    json_open_object(section->writer, NULL);
    if (calls.hours != NULL)
        section_write_week(section, "hours", calls.hours);
    section_write_fields(section, fields, COUNT(fields), &calls);
    json_close_object(section->writer);
}
