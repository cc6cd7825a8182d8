/* `reception:` of a tenant file: the business's own words in place of the sentences that the desk
 * says by itself. Which there are says prompt/wording.h. */
#include "tenant_section.h"

#include <assert.h>
#include <string.h>

#include "prompt/wording.h"

struct reception {
    const struct yaml_node *words;
};

static const struct field reception_field = {"words", FIELD_MAPPING, 0, 0, 0, true, NULL};

static void check_marks(struct problems *problems, const struct wording_key *key,
                        const struct yaml_node *node, const char *text)
{
    const char *wrong = wording_wrong_mark(key, text);
    if (wrong == NULL)
        return;
    const int length = (int)strcspn(wrong, "}") + (wrong[strcspn(wrong, "}")] == '}');
    if (key->names_business)
        problems_add(problems, node->line,
                     "%s: \"%.*s\" is not known; write {business} or no braces", key->name,
                     length < 40 ? length : 40, wrong);
    else
        problems_add(problems, node->line, "%s: takes no {business}; write it without braces",
                     key->name);
}

void section_write_wording(struct section *section, const struct yaml_node *words,
                           const struct wording_key *keys, size_t count)
{
    struct field fields[WORDING_KEYS];
    const char *texts[WORDING_KEYS] = {NULL};
    assert(count <= WORDING_KEYS);
    json_open_object(section->writer, "words");
    for (size_t i = 0; i < count; i++)
        fields[i] = (struct field){.key = keys[i].name,
                                   .kind = FIELD_TEXT,
                                   .offset = i * sizeof texts[0],
                                   .min = 1,
                                   .max = keys[i].max};
    fields_read(section->problems, words, "words", fields, count, texts);
    for (size_t i = 0; i < count; i++)
        if (texts[i] != NULL)
            check_marks(section->problems, &keys[i], yaml_get(words, keys[i].name), texts[i]);
    section_write_fields(section, fields, count, texts);
    json_close_object(section->writer);
}

void section_read_reception(struct section *section, const struct yaml_node *node)
{
    struct reception reception = {NULL};
    fields_read(section->problems, node, "reception", &reception_field, 1, &reception);
    json_open_object(section->writer, NULL);
    if (reception.words != NULL)
        section_write_wording(section, reception.words, wording_keys, WORDING_KEYS);
    json_close_object(section->writer);
}

const char *section_missing_words(struct problems *problems, const struct yaml_node *words,
                                  const struct wording_key *keys, size_t count)
{
    const bool has_some = words != NULL && words->kind == YAML_MAPPING;
    const char *missing = "";
    for (size_t i = 0; i < count; i++)
        if (!has_some || yaml_get(words, keys[i].name) == NULL)
            missing = arena_printf(problems->arena, "%s%s%s", missing, *missing != '\0' ? ", " : "",
                                   keys[i].name);
    return missing;
}

void section_note_words(struct problems *problems, const struct yaml_node *root,
                        const char *language)
{
    const struct yaml_node *node = yaml_get(root, "language");
    const struct yaml_node *reception = yaml_get(root, "reception");
    const struct yaml_node *words =
        reception != NULL && reception->kind == YAML_MAPPING ? yaml_get(reception, "words") : NULL;
    if (node == NULL || wording_is_known(language))
        return;
    const char *missing = section_missing_words(problems, words, wording_keys, WORDING_KEYS);
    if (*missing != '\0')
        problems_note(problems, node->line,
                      "language: the desk has no words of its own in %s and says these in English; "
                      "give them under reception: words: (%s)",
                      language, missing);
}
