/* `services:`, `booking:`, `resources:` and `intake:` of a tenant file: what can be booked, how
 * much of it, what it takes up, and what is asked for it. */
#include "tenant_section.h"

#include <string.h>

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)
#define DAY_MINUTES      (24 * 60)
#define NAME_MAX_CHARS   60

/* ---- resources ---- */

static const struct field resource_name = {"name", FIELD_TEXT, 0, 1, NAME_MAX_CHARS, true, NULL};

void section_read_resources(struct section *section, const struct yaml_node *node)
{
    json_open_array(section->writer, NULL);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        const char *name = "";
        if (entry->kind == YAML_SCALAR)
            (void)fields_read_one(section->problems, entry, &resource_name, &name);
        else
            fields_read(section->problems, entry, "a resource", &resource_name, 1, &name);
        section_check_unique(section, node, entry, "name", "resources");
        json_add_text(section->writer, NULL, name);
    }
    json_close_array(section->writer);
}

/* ---- intake ---- */

#define FIELD_NAME_MAX 31
#define ANSWER_MAX     1000
#define CHOICES_MAX    20
#define CHOICE_LENGTH  60
#define ANSWER_USUAL   200 /* unless the field says another */

struct question {
    const char *field, *ask, *type;
    const struct yaml_node *choices;
    bool required;
    int64_t max;
};

static const char *const types[] = {"text", "number", "date",   "phone",
                                    "mail", "yes_no", "choice", NULL};

static const struct field question_fields[] = {
    {"field", FIELD_IDENT, AT(question, field), 0, FIELD_NAME_MAX, true, NULL},
    {"ask", FIELD_TEXT, AT(question, ask), 1, 200, true, NULL},
    {"type", FIELD_CHOICE, AT(question, type), 0, 0, false, types},
    {"choices", FIELD_LIST, AT(question, choices), 2, CHOICES_MAX, false, NULL},
    {"required", FIELD_BOOL, AT(question, required), 0, 0, false, NULL},
    {"max", FIELD_INT, AT(question, max), 1, ANSWER_MAX, false, NULL},
};

static void check_question(struct section *section, const struct yaml_node *entry,
                           const struct question *question)
{
    const struct yaml_node *choices = yaml_get(entry, "choices"), *max = yaml_get(entry, "max");
    bool choice = strcmp(question->type, "choice") == 0, text = strcmp(question->type, "text") == 0;
    if (choice && choices == NULL)
        problems_add(section->problems, entry->line, "type: choice needs choices:; add them");
    else if (!choice && choices != NULL)
        problems_add(section->problems, choices->line,
                     "choices: only type: choice has them; remove them or write that type");
    if (!text && max != NULL)
        problems_add(section->problems, max->line,
                     "max: only type: text has a longest answer; remove it");
}

void section_read_intake(struct section *section, const struct yaml_node *node)
{
    static const struct section_words choices = {.key = "choices", .max = CHOICE_LENGTH};
    json_open_array(section->writer, NULL);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct question question = {.type = "text", .required = true, .max = -1};
        fields_read(section->problems, entry, "a field of intake", question_fields,
                    COUNT(question_fields), &question);
        section_check_unique(section, node, entry, "field", "field");
        check_question(section, entry, &question);
        if (strcmp(question.type, "text") == 0 && question.max < 0)
            question.max = ANSWER_USUAL;
        json_open_object(section->writer, NULL);
        section_write_fields(section, question_fields, COUNT(question_fields), &question);
        section_write_words(section, "choices", question.choices, &choices);
        json_close_object(section->writer);
    }
    json_close_array(section->writer);
}

/* ---- services ---- */

#define BUFFER_MAX    240
#define RESOURCES_MAX 100
#define INTAKE_MAX    20

struct service {
    const char *name, *price, *description;
    int64_t duration, buffer_before, buffer_after, step, lead, horizon, hold, change;
    const struct yaml_node *resources, *intake;
};

static const struct field service_fields[] = {
    {"name", FIELD_TEXT, AT(service, name), 1, NAME_MAX_CHARS, true, NULL},
    {"duration", FIELD_MINUTES, AT(service, duration), 5, DAY_MINUTES, true, NULL},
    {"buffer_before", FIELD_MINUTES, AT(service, buffer_before), 0, BUFFER_MAX, false, NULL},
    {"buffer_after", FIELD_MINUTES, AT(service, buffer_after), 0, BUFFER_MAX, false, NULL},
    {"step", FIELD_MINUTES, AT(service, step), 5, BUFFER_MAX, false, NULL},
    {"lead", FIELD_MINUTES, AT(service, lead), 0, 30 * DAY_MINUTES, false, NULL},
    {"horizon", FIELD_DAYS, AT(service, horizon), 1, 366, false, NULL},
    {"hold", FIELD_MINUTES, AT(service, hold), 1, DAY_MINUTES, false, NULL},
    {"change", FIELD_MINUTES, AT(service, change), 0, 30 * DAY_MINUTES, false, NULL},
    {"resources", FIELD_LIST, AT(service, resources), 1, RESOURCES_MAX, true, NULL},
    {"price", FIELD_TEXT, AT(service, price), 1, 100, false, NULL},
    {"description", FIELD_TEXT, AT(service, description), 1, 500, false, NULL},
    {"intake", FIELD_LIST, AT(service, intake), 0, INTAKE_MAX, false, NULL},
};

void section_read_services(struct section *section, const struct yaml_node *node)
{
    const struct section_words resources = {
        "resources", NAME_MAX_CHARS, section_names(section, "resources", "name"), "resources"};
    const struct section_words intake = {"intake", FIELD_NAME_MAX,
                                         section_names(section, "intake", "field"), "intake"};
    json_open_array(section->writer, NULL);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct service service = {
            .step = 30, .lead = 2 * 60, .horizon = 60, .hold = 10, .change = DAY_MINUTES};
        fields_read(section->problems, entry, "a service", service_fields, COUNT(service_fields),
                    &service);
        section_check_unique(section, node, entry, "name", "name");
        json_open_object(section->writer, NULL);
        section_write_fields(section, service_fields, COUNT(service_fields), &service);
        section_write_words(section, "resources", service.resources, &resources);
        section_write_words(section, "intake", service.intake, &intake);
        json_close_object(section->writer);
    }
    json_close_array(section->writer);
}

/* ---- booking ---- */

void section_read_booking(struct section *section, const struct yaml_node *node)
{
    static const struct field most = {"most_per_customer", FIELD_INT, 0, 0, 100, false, NULL};
    int64_t count = 2;
    fields_read(section->problems, node, "booking", &most, 1, &count);
    json_open_object(section->writer, NULL);
    section_write_fields(section, &most, 1, &count);
    json_close_object(section->writer);
}
