/* The grammar of a scripted call as two tables: what a step may hold, and which options go with
 * which kind of step. call.c calls it. */
#include "call_script.h"

#include <inttypes.h>
#include <string.h>

#include "json/json.h"

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)
#define WORDS_MAX        2000 /* characters of one utterance */
#define KEYS_MAX         40
#define STEPS_BYTES_MAX  (4 * 1024 * 1024)
#define ABSENT           (-1)

struct head {
    const char *tenant, *from;
    const struct yaml_node *script;
};

static const struct field head_fields[] = {
    {"tenant", FIELD_SLUG, AT(head, tenant), 0, 0, false, NULL},
    {"from", FIELD_E164, AT(head, from), 0, 0, false, NULL},
    {"script", FIELD_LIST, AT(head, script), 1, CALL_STEPS_MAX, true, NULL},
};

struct step {
    const char *say, *interrupt, *press, *wait_for, *lang;
    int64_t silence, ms, after_words, after_chars, confidence, timeout_ms;
    bool hangup;
};

static const char *const conditions[] = {"reply",   "gather",   "record",  "dial",
                                         "bridged", "answered", "audible", NULL};

#define MS_ROW(name)                                                                               \
    {                                                                                              \
#name, FIELD_INT, AT(step, name), 0, CALL_WAIT_MAX_MS, false, NULL                         \
    }

static const struct field step_fields[] = {
    {"say", FIELD_TEXT, AT(step, say), 1, WORDS_MAX, false, NULL},
    {"interrupt", FIELD_TEXT, AT(step, interrupt), 1, WORDS_MAX, false, NULL},
    {"press", FIELD_TEXT, AT(step, press), 1, KEYS_MAX, false, NULL},
    {"wait_for", FIELD_CHOICE, AT(step, wait_for), 0, 0, false, conditions},
    {"hangup", FIELD_BOOL, AT(step, hangup), 0, 0, false, NULL},
    {"lang", FIELD_LANGUAGE, AT(step, lang), 0, 0, false, NULL},
    {"after_words", FIELD_INT, AT(step, after_words), 1, WORDS_MAX, false, NULL},
    {"after_chars", FIELD_INT, AT(step, after_chars), 1, WORDS_MAX, false, NULL},
    {"confidence", FIELD_HUNDREDTHS, AT(step, confidence), 0, 100, false, NULL},
    MS_ROW(silence),
    MS_ROW(ms),
    MS_ROW(timeout_ms),
};

/* What a step does, and which other keys it may have: a list, each word between blanks. */
static const struct kind {
    const char *name, *options;
} kinds[] = {
    {"say", " ms lang confidence timeout_ms "},
    {"interrupt", " after_words after_chars ms lang confidence timeout_ms "},
    {"press", " timeout_ms "},
    {"silence", " "},
    {"wait_for", " timeout_ms "},
    {"hangup", " "},
};

static const struct kind *kind_of(const char *key)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].name, key) == 0)
            return &kinds[i];
    return NULL;
}

static bool takes(const struct kind *kind, const char *key)
{
    const size_t length = strlen(key);
    for (const char *at = kind->options; (at = strchr(at, ' ')) != NULL; at++)
        if (strncmp(at + 1, key, length) == 0 && at[1 + length] == ' ')
            return true;
    return false;
}

static bool is_known(const char *key)
{
    for (size_t i = 0; i < COUNT(step_fields); i++)
        if (strcmp(step_fields[i].key, key) == 0)
            return true;
    return false;
}

/* Exactly one thing is done, and the options are its own. */
static void check_keys(struct problems *problems, const struct yaml_node *node)
{
    const struct kind *kind = NULL;
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        const struct kind *other = kind_of(child->key);
        if (kind != NULL && other != NULL)
            problems_add(problems, child->line,
                         "%s: the step has %s already; write it as a step of its own, behind "
                         "\"- \"",
                         child->key, kind->name);
        kind = kind != NULL ? kind : other;
    }
    if (kind == NULL) {
        problems_add(problems, node->line,
                     "a step: does nothing; write one of say, interrupt, press, silence, wait_for, "
                     "hangup");
        return;
    }
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next)
        if (kind_of(child->key) == NULL && is_known(child->key) && !takes(kind, child->key))
            problems_add(problems, child->line, "%s: means nothing to %s; remove the line",
                         child->key, kind->name);
}

static void check_step(struct problems *problems, const struct yaml_node *node,
                       const struct step *step)
{
    check_keys(problems, node);
    if (step->press != NULL && step->press[strspn(step->press, "0123456789*#w")] != '\0')
        problems_add(problems, node->line,
                     "press: \"%.40s\" has more than keys; write 0-9 * # and w (half a second)",
                     step->press);
    if (yaml_get(node, "hangup") != NULL && !step->hangup)
        problems_add(problems, node->line, "hangup: must be true, or remove the step");
    if (step->interrupt != NULL && step->after_words == ABSENT && step->after_chars == ABSENT)
        problems_add(problems, node->line,
                     "interrupt: needs after_words or after_chars: how much of the reply is heard "
                     "before");
}

static void write_step(struct json_writer *writer, const struct step *step)
{
    const struct {
        const char *name, *text;
    } texts[] = {{"say", step->say},
                 {"interrupt", step->interrupt},
                 {"press", step->press},
                 {"wait_for", step->wait_for},
                 {"lang", step->lang}};
    const struct {
        const char *name;
        int64_t number;
    } numbers[] = {{"silence", step->silence},
                   {"ms", step->ms},
                   {"after_words", step->after_words},
                   {"after_chars", step->after_chars},
                   {"timeout_ms", step->timeout_ms}};
    json_open_object(writer, NULL);
    for (size_t i = 0; i < COUNT(texts); i++)
        if (texts[i].text != NULL)
            json_add_text(writer, texts[i].name, texts[i].text);
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (numbers[i].number != ABSENT)
            json_add_int(writer, numbers[i].name, numbers[i].number);
    if (step->confidence != ABSENT)
        json_add_double(writer, "confidence", (double)step->confidence / 100);
    if (step->hangup)
        json_add_bool(writer, "hangup", true);
    json_close_object(writer);
}

static void read_step(struct problems *problems, const struct yaml_node *node,
                      struct json_writer *writer)
{
    struct step step = {.silence = ABSENT,
                        .ms = ABSENT,
                        .after_words = ABSENT,
                        .after_chars = ABSENT,
                        .confidence = ABSENT,
                        .timeout_ms = ABSENT};
    if (node->kind != YAML_MAPPING) {
        problems_add(problems, node->line,
                     "a step: must be name: value, like \"- say: Good morning\"");
        return;
    }
    fields_read(problems, node, "a step", step_fields, COUNT(step_fields), &step);
    check_step(problems, node, &step);
    write_step(writer, &step);
}

void call_script_read(struct problems *problems, const char *path, struct call_script *script)
{
    struct head head = {0};
    struct strbuf out;
    struct json_writer writer;
    *script = (struct call_script){.steps = "[]"};
    const struct yaml_node *root = fields_read_file(problems, path);
    if (root == NULL)
        return;
    fields_read(problems, root, "a call's script", head_fields, COUNT(head_fields), &head);
    strbuf_init(&out, STEPS_BYTES_MAX);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    for (const struct yaml_node *node = head.script != NULL ? head.script->first : NULL;
         node != NULL; node = node->next)
        read_step(problems, node, &writer);
    json_close_array(&writer);
    *script = (struct call_script){
        .tenant = head.tenant, .from = head.from, .steps = arena_strdup(problems->arena, out.data)};
    strbuf_fini(&out);
}
