/* `greeting:`, `languages:`, `after_hours:` and `intents:` of a tenant file: what the desk says by
 * itself, and what it does about what a customer wants. */
#include <string.h>

#include "tenant_file.h"
#include "tenant_section.h"

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)
#define SAY_MAX          640 /* two texts' worth */

/* ---- greeting and languages ---- */

void section_read_greeting(struct section *section, const struct yaml_node *node)
{
    static const struct field field = {"greeting", FIELD_TEXT, 0, 1, 320, true, NULL};
    const char *text = "";
    (void)fields_read_one(section->problems, node, &field, &text);
    json_add_text(section->writer, NULL, text);
}

/* The first is what the desk speaks when nothing is known of the customer. */
void section_read_languages(struct section *section, const struct yaml_node *node)
{
    static const struct field field = {"languages", FIELD_LANGUAGE, 0, 0, 0, true, NULL};
    const char *first = node->first != NULL ? node->first->text : NULL;
    json_open_array(section->writer, NULL);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        const char *tag = "";
        if (!fields_read_one(section->problems, entry, &field, &tag))
            continue;
        section_check_unique(section, node, entry, NULL, "languages");
        first = entry == node->first ? tag : first;
        json_add_text(section->writer, NULL, tag);
    }
    json_close_array(section->writer);
    if (first == NULL || strcmp(first, section->file->language) != 0)
        problems_add(section->problems, node->line,
                     "languages: the first must be the tenant's own, %s; put it first",
                     section->file->language);
}

/* ---- after hours ---- */

struct after_hours {
    const char *mode, *say;
};

static const char *const modes[] = {"answer", "take_message", "closed_text", NULL};

static const struct field after_fields[] = {
    {"mode", FIELD_CHOICE, AT(after_hours, mode), 0, 0, false, modes},
    {"say", FIELD_TEXT, AT(after_hours, say), 1, SAY_MAX, false, NULL},
};

void section_read_after_hours(struct section *section, const struct yaml_node *node)
{
    struct after_hours after = {.mode = "answer"};
    fields_read(section->problems, node, "after_hours", after_fields, COUNT(after_fields), &after);
    if (after.mode != NULL && strcmp(after.mode, "closed_text") == 0 && after.say == NULL)
        problems_add(section->problems, node->line,
                     "after_hours: closed_text needs say:; add what a customer is answered then");
    json_open_object(section->writer, NULL);
    section_write_fields(section, after_fields, COUNT(after_fields), &after);
    json_close_object(section->writer);
}

/* ---- intents ---- */

struct intent {
    const char *name, *when, *action, *service, *say;
};

static const char *const actions[] = {"answer", "book", "take_message", "escalate", "end", NULL};

static const struct field intent_fields[] = {
    {"name", FIELD_TEXT, AT(intent, name), 1, 60, true, NULL},
    {"when", FIELD_TEXT, AT(intent, when), 1, 200, true, NULL},
    {"action", FIELD_CHOICE, AT(intent, action), 0, 0, true, actions},
    {"service", FIELD_TEXT, AT(intent, service), 1, 60, false, NULL},
    {"say", FIELD_TEXT, AT(intent, say), 1, SAY_MAX, false, NULL},
};

void section_read_intents(struct section *section, const struct yaml_node *node)
{
    const struct section_words service = {
        .key = "service", .known = section_names(section, "services", "name"), .of = "services"};
    json_open_array(section->writer, NULL);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct intent intent = {.name = NULL};
        fields_read(section->problems, entry, "an intent", intent_fields, COUNT(intent_fields),
                    &intent);
        section_check_unique(section, node, entry, "name", "name");
        if (intent.service != NULL)
            section_check_known(section, yaml_get(entry, "service")->line, intent.service,
                                &service);
        else if (intent.action != NULL && strcmp(intent.action, "book") == 0 &&
                 service.known[0] == NULL)
            problems_add(section->problems, yaml_get(entry, "action")->line,
                         "action: book needs services:; add them, or write take_message");
        json_open_object(section->writer, NULL);
        section_write_fields(section, intent_fields, COUNT(intent_fields), &intent);
        json_close_object(section->writer);
    }
    json_close_array(section->writer);
}
