/* `escalation:` of a tenant file: when a person is called, who, and what the customer is told. */
#include <string.h>

#include "tenant_file.h"
#include "tenant_section.h"

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)
#define ROTA_MAX         10
#define WORDS_MAX        50
#define REASONS          6

static const char *const reasons[REASONS + 1] = {"customer_asks", "policy_word", "repeated_failure",
                                                 "low_grounding", "anger",       "provider_outage"};

struct escalation {
    const struct yaml_node *on, *words, *rota, *transfer;
    int64_t accept_within, rounds;
    const char *tell;
};

static const struct field escalation_fields[] = {
    {"on", FIELD_LIST, AT(escalation, on), 1, REASONS, true, NULL},
    {"words", FIELD_LIST, AT(escalation, words), 1, WORDS_MAX, false, NULL},
    {"rota", FIELD_LIST, AT(escalation, rota), 0, ROTA_MAX, false, NULL},
    {"transfer", FIELD_MAPPING, AT(escalation, transfer), 0, 0, false, NULL},
    {"accept_within", FIELD_MINUTES, AT(escalation, accept_within), 1, 60, false, NULL},
    {"rounds", FIELD_INT, AT(escalation, rounds), 1, 5, false, NULL},
    {"tell", FIELD_TEXT, AT(escalation, tell), 1, 320, false, NULL},
};

/* ---- the rota ---- */

struct turn {
    const char *name, *call, *sms, *mail, *phone;
    const struct yaml_node *hours;
};

static const struct field turn_fields[] = {
    {"name", FIELD_TEXT, AT(turn, name), 1, 60, true, NULL},
    {"call", FIELD_E164, AT(turn, call), 0, 0, false, NULL},
    {"sms", FIELD_E164, AT(turn, sms), 0, 0, false, NULL},
    {"mail", FIELD_NAME, AT(turn, mail), 0, 0, false, NULL},
    {"phone", FIELD_E164, AT(turn, phone), 0, 0, false, NULL},
    {"hours", FIELD_NODE, AT(turn, hours), 0, 0, false, NULL},
};

/* A text or a call to one's own number would come back as a customer's. */
static void check_number(struct section *section, const struct yaml_node *entry, const char *key,
                         const char *number)
{
    for (size_t i = 0; i < section->file->channel_count; i++) {
        const char *own = section->file->channels[i].number;
        if (own != NULL && strcmp(own, number) == 0)
            problems_add(section->problems, yaml_get(entry, key)->line,
                         "%s: %s is the number of a channel here; write a person's", key, number);
    }
}

/* As the claim writes whoever mails: in lower case. */
static void check_mail(struct section *section, const struct yaml_node *entry, const char *mail)
{
    const char *at = strchr(mail, '@');
    if (at == NULL || at == mail || at[1] == '\0' || strchr(at + 1, '@') != NULL)
        problems_add(section->problems, yaml_get(entry, "mail")->line,
                     "mail: \"%.60s\" is no address; write ines@clinic.example", mail);
    else if (mail[strcspn(mail, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0')
        problems_add(section->problems, yaml_get(entry, "mail")->line,
                     "mail: write the address in lower case");
}

/* Without a number for calls there is none to call from. */
static void check_call(struct section *section, const struct yaml_node *entry, const char *number)
{
    bool has_voice = false;
    for (size_t i = 0; i < section->file->channel_count; i++)
        has_voice |= section->file->channels[i].is_voice;
    if (!has_voice)
        problems_add(section->problems, yaml_get(entry, "call")->line,
                     "call: there is no channel of kind voice to call from; add one");
    check_number(section, entry, "call", number);
}

static void check_ways(struct section *section, const struct yaml_node *entry,
                       const struct turn *turn)
{
    if (entry->kind == YAML_MAPPING && yaml_get(entry, "sms") == NULL &&
        yaml_get(entry, "mail") == NULL && yaml_get(entry, "call") == NULL)
        problems_add(
            section->problems, entry->line,
            "an entry of the rota needs call:, sms: or mail:; without them nobody can tell "
            "them");
    if (turn->call != NULL)
        check_call(section, entry, turn->call);
    if (turn->sms != NULL)
        check_number(section, entry, "sms", turn->sms);
    if (turn->phone != NULL)
        check_number(section, entry, "phone", turn->phone);
    if (turn->mail != NULL)
        check_mail(section, entry, turn->mail);
}

static void write_rota(struct section *section, const struct yaml_node *rota)
{
    json_open_array(section->writer, "rota");
    for (const struct yaml_node *entry = rota->first; entry != NULL; entry = entry->next) {
        struct turn turn = {.name = NULL};
        fields_read(section->problems, entry, "an entry of the rota", turn_fields,
                    COUNT(turn_fields), &turn);
        section_check_unique(section, rota, entry, "name", "name");
        check_ways(section, entry, &turn);
        json_open_object(section->writer, NULL);
        section_write_fields(section, turn_fields, COUNT(turn_fields), &turn);
        if (turn.hours != NULL)
            section_write_week(section, "hours", turn.hours);
        json_close_object(section->writer);
    }
    json_close_array(section->writer);
}

/* ---- how a call is put through ---- */

static void write_transfer(struct section *section, const struct yaml_node *node)
{
    static const char *const modes[] = {"warm", "cold", NULL};
    struct transfer {
        const char *mode;
        int64_t ring_ms;
    } transfer = {"warm", 20000};
    const struct field fields[] = {
        {"mode", FIELD_CHOICE, AT(transfer, mode), 0, 0, false, modes},
        {"ring", FIELD_MS, AT(transfer, ring_ms), 5000, 60000, false, NULL},
    };
    fields_read(section->problems, node, "transfer", fields, COUNT(fields), &transfer);
    json_open_object(section->writer, "transfer");
    section_write_fields(section, fields, COUNT(fields), &transfer);
    json_close_object(section->writer);
}

/* ---- the whole ---- */

static void check_words(struct section *section, const struct yaml_node *node,
                        const struct escalation *escalation)
{
    bool looked_for = false;
    const struct yaml_node *reason = escalation->on != NULL ? escalation->on->first : NULL;
    for (; reason != NULL; reason = reason->next)
        looked_for |= reason->kind == YAML_SCALAR && strcmp(reason->text, "policy_word") == 0;
    if (escalation->on == NULL || looked_for == (escalation->words != NULL))
        return;
    if (looked_for && yaml_get(node, "words") == NULL)
        problems_add(section->problems, escalation->on->line,
                     "on: policy_word needs words:; add them");
    else if (!looked_for)
        problems_add(section->problems, escalation->words->line,
                     "words: nothing looks for them; add policy_word to on:, or remove them");
}

void section_read_escalation(struct section *section, const struct yaml_node *node)
{
    static const struct section_words on = {.key = "on", .known = reasons};
    static const struct section_words words = {.key = "words", .max = 60};
    struct escalation escalation = {.accept_within = 5, .rounds = 2};
    fields_read(section->problems, node, "escalation", escalation_fields, COUNT(escalation_fields),
                &escalation);
    json_open_object(section->writer, NULL);
    section_write_words(section, "on", escalation.on, &on);
    section_write_words(section, "words", escalation.words, &words);
    if (escalation.rota != NULL)
        write_rota(section, escalation.rota);
    if (escalation.transfer != NULL)
        write_transfer(section, escalation.transfer);
    section_write_fields(section, escalation_fields, COUNT(escalation_fields), &escalation);
    check_words(section, node, &escalation);
    json_close_object(section->writer);
}
