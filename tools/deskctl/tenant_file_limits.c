/* `tools:`, `budgets:`, `knowledge:` and `recover:` of a tenant file: what the assistant may use.
 */
#include <string.h>

#include "tenant_file.h"
#include "tenant_section.h"

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)

/* ---- tools ---- */

const char *const section_tools[] = {
    "take_message", "escalate",      "end_conversation", "check_availability",
    "book",         "reschedule",    "cancel",           "search_knowledge",
    "send_text",    "transfer_call", "switch_language",  NULL,
};

static bool needs_services(const char *tool)
{
    static const char *const booking[] = {"check_availability", "book", "reschedule", "cancel"};
    for (size_t i = 0; i < COUNT(booking); i++)
        if (strcmp(booking[i], tool) == 0)
            return true;
    return false;
}

/* Whether somebody of the rota has a phone. */
static bool has_phone(const struct section *section)
{
    const struct yaml_node *escalation = yaml_get(section->root, "escalation");
    const struct yaml_node *rota = escalation != NULL && escalation->kind == YAML_MAPPING
                                       ? yaml_get(escalation, "rota")
                                       : NULL;
    const struct yaml_node *entry = rota != NULL ? rota->first : NULL;
    for (; entry != NULL; entry = entry->next)
        if (entry->kind == YAML_MAPPING && yaml_get(entry, "phone") != NULL)
            return true;
    return false;
}

/* Tools of calls are there for callers. */
static void check_phone(struct section *section, const struct yaml_node *entry)
{
    static const char *const of_calls[] = {"send_text", "transfer_call", "switch_language"};
    bool needs = false;
    for (size_t i = 0; i < COUNT(of_calls); i++)
        needs = needs || strcmp(of_calls[i], entry->text) == 0;
    if (needs && yaml_get(section->root, "phone") == NULL)
        problems_add(section->problems, entry->line,
                     "tools: %s needs phone:; add it, or remove the tool", entry->text);
    else if (strcmp(entry->text, "transfer_call") == 0 && !has_phone(section))
        problems_add(section->problems, entry->line,
                     "tools: transfer_call needs somebody in rota: of escalation: with a phone:; "
                     "add it, or remove the tool");
}

void section_read_tools(struct section *section, const struct yaml_node *node)
{
    static const struct section_words tools = {.key = "tools", .known = section_tools};
    bool services = section_names(section, "services", "name")[0] != NULL;
    section_write_words(section, NULL, node, &tools);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next)
        if (!services && entry->kind == YAML_SCALAR && needs_services(entry->text))
            problems_add(section->problems, entry->line,
                         "tools: %s needs services:; add them, or remove it", entry->text);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next)
        if (entry->kind == YAML_SCALAR)
            check_phone(section, entry);
}

/* ---- budgets ---- */

#define TOKENS_MAX        1000000000
#define CENTS_MAX         10000000
#define SEGMENTS_MAX      1000000
#define BILLIONTHS_A_CENT 10000000

struct budgets {
    const struct yaml_node *day, *month;
};

static const struct field budgets_fields[] = {
    {"day", FIELD_MAPPING, AT(budgets, day), 0, 0, false, NULL},
    {"month", FIELD_MAPPING, AT(budgets, month), 0, 0, false, NULL},
};

struct amounts {
    int64_t tokens, cents, segments; /* -1: no limit */
};

static const struct field amount_fields[] = {
    {"tokens", FIELD_INT, AT(amounts, tokens), 1, TOKENS_MAX, false, NULL},
    {"dollars", FIELD_HUNDREDTHS, AT(amounts, cents), 1, CENTS_MAX, false, NULL},
    {"sms_segments", FIELD_INT, AT(amounts, segments), 1, SEGMENTS_MAX, false, NULL},
};

/* What costs nothing never reaches a budget in dollars. */
static void check_prices(struct section *section, const char *name, const struct yaml_node *node)
{
    const struct yaml_node *dollars = yaml_get(node, "dollars");
    for (size_t i = 0; i < section->file->model_count; i++) {
        const struct tenant_file_model *model = &section->file->models[i];
        if (model->price_in >= 0 && model->price_out >= 0)
            continue;
        problems_add(section->problems, dollars->line,
                     "dollars: the model %s (line %d) has no price, so that it would never reach "
                     "them; give it price: {input: ..., output: ...} or a vendor: whose file has "
                     "one, or add tokens: to the %s",
                     model->model != NULL ? model->model : "without a name", model->line, name);
        return;
    }
}

static void write_amounts(struct section *section, const char *name, const struct yaml_node *node)
{
    struct amounts amounts = {-1, -1, -1};
    if (node == NULL)
        return;
    fields_read(section->problems, node, name, amount_fields, COUNT(amount_fields), &amounts);
    if (amounts.cents >= 0 && yaml_get(node, "tokens") == NULL)
        check_prices(section, name, node);
    json_open_object(section->writer, name);
    if (amounts.tokens >= 0)
        json_add_int(section->writer, "tokens", amounts.tokens);
    if (amounts.cents >= 0)
        json_add_int(section->writer, "cost", amounts.cents * BILLIONTHS_A_CENT);
    if (amounts.segments >= 0)
        json_add_int(section->writer, "segments", amounts.segments);
    json_close_object(section->writer);
}

void section_read_budgets(struct section *section, const struct yaml_node *node)
{
    struct budgets budgets = {NULL, NULL};
    fields_read(section->problems, node, "budgets", budgets_fields, COUNT(budgets_fields),
                &budgets);
    json_open_object(section->writer, NULL);
    write_amounts(section, "day", budgets.day);
    write_amounts(section, "month", budgets.month);
    json_close_object(section->writer);
}

/* ---- knowledge and recovery ---- */

void section_read_knowledge(struct section *section, const struct yaml_node *node)
{
    static const struct field passages = {"passages", FIELD_INT, 0, 0, 8, false, NULL};
    int64_t count = 4;
    fields_read(section->problems, node, "knowledge", &passages, 1, &count);
    json_open_object(section->writer, NULL);
    section_write_fields(section, &passages, 1, &count);
    json_close_object(section->writer);
}

struct recover {
    bool answer, by_itself;
};

static const struct field recover_fields[] = {
    {"answer", FIELD_BOOL, AT(recover, answer), 0, 0, false, NULL},
    {"by_itself", FIELD_BOOL, AT(recover, by_itself), 0, 0, false, NULL},
};

void section_read_recover(struct section *section, const struct yaml_node *node)
{
    struct recover recover = {false, false};
    const struct yaml_node *by_itself = yaml_get(node, "by_itself");
    fields_read(section->problems, node, "recover", recover_fields, COUNT(recover_fields),
                &recover);
    if (recover.by_itself && !recover.answer)
        problems_add(section->problems, by_itself->line,
                     "by_itself: needs answer: true; add it, or remove this");
    json_open_object(section->writer, NULL);
    section_write_fields(section, recover_fields, COUNT(recover_fields), &recover);
    json_close_object(section->writer);
}
