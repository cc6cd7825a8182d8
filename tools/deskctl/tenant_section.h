/* Sections of a tenant file that are reception data: each becomes the member of the same name in
 * the assistant's config, and only its reader knows what is in it. One thread. */
#ifndef DESKCTL_TENANT_SECTION_H
#define DESKCTL_TENANT_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "json/json.h"

#define TENANT_SECTIONS 19

struct tenant_file;
struct wording_key;

/* What a section is read with. */
struct section {
    struct problems *problems;
    const struct yaml_node *root; /* the whole file: sections name each other's entries */
    struct tenant_file *file;     /* all but the sections is read */
    struct json_writer *writer;   /* takes the section's value; void once there is a problem */
};

/* Checks the section and writes its value, under no name. */
typedef void section_read_fn(struct section *section, const struct yaml_node *node);

struct tenant_section {
    const char *name;
    enum field_kind kind; /* FIELD_MAPPING, FIELD_LIST or FIELD_NODE */
    int64_t max;          /* entries of a list */
    section_read_fn *read;
    const char *shown; /* member that a difference shows beside an entry's name; NULL: none */
};

/* TENANT_SECTIONS of them, in the order in which they are written and shown. */
extern const struct tenant_section tenant_sections[];

/* The table's fields, for the mapping that holds the sections: `offset` is where the first node
 * goes, the others follow it. */
void tenant_section_fields(size_t offset, struct field fields[TENANT_SECTIONS]);

/* Reads those of the nodes that are there (NULL: absent) into file->sections. */
void tenant_section_read(struct problems *problems, const struct yaml_node *root,
                         const struct yaml_node *const nodes[TENANT_SECTIONS],
                         struct tenant_file *file);

/* ---- for the readers ---- */

/* Writes the values that fields_read has filled in, each under its key; a time's name ends with its
 * unit ("duration_min"). A NULL text, a negative number and nodes are left out. */
void section_write_fields(struct section *section, const struct field *fields, size_t count,
                          const void *values);

/* A list of texts. */
struct section_words {
    const char *key;          /* begins the messages */
    int64_t max;              /* characters of each */
    const char *const *known; /* NULL-terminated; NULL: any text */
    const char *of;           /* section whose entries `known` are; NULL: a fixed list */
};

/* Checks the list (NULL: nothing happens) and writes it under this name (NULL: none). */
void section_write_words(struct section *section, const char *name, const struct yaml_node *list,
                         const struct section_words *words);

/* Checks a mapping of the business's own words, by these keys (not more than WORDING_KEYS), and
 * writes it as `words`. */
void section_write_wording(struct section *section, const struct yaml_node *words,
                           const struct wording_key *keys, size_t count);

/* The keys that the mapping (anything else: none) lacks, with commas, in the arena. */
const char *section_missing_words(struct problems *problems, const struct yaml_node *words,
                                  const struct wording_key *keys, size_t count);

/* What the entries of a section are called, NULL-terminated, in the arena: texts, or the member
 * `key`. What is no name is left out: its own section says so. */
const char *const *section_names(const struct section *section, const char *name, const char *key);

/* Says that the text at this line is none of the section's names, unless it is. */
void section_check_known(struct section *section, int line, const char *text,
                         const struct section_words *words);

/* Says so if an earlier entry of the list is called the same; `key` names the member, NULL for a
 * list of texts. `what` begins the message. */
void section_check_unique(struct section *section, const struct yaml_node *list,
                          const struct yaml_node *entry, const char *key, const char *what);

/* Opening hours of a week, as the section `hours` has them, under this name (NULL: none). */
void section_write_week(struct section *section, const char *name, const struct yaml_node *node);

/* The tools that every assistant can have; NULL ends them. */
extern const char *const section_tools[];

section_read_fn section_read_greeting, section_read_languages, section_read_hours,
    section_read_holidays, section_read_after_hours, section_read_resources, section_read_intake,
    section_read_services, section_read_booking, section_read_intents, section_read_escalation,
    section_read_tools, section_read_http_tools, section_read_budgets, section_read_knowledge,
    section_read_recover, section_read_phone, section_read_calls, section_read_reception;

/* Says so if the desk has no words of its own in the file's language, and which the section
 * `reception` lacks. */
void section_note_words(struct problems *problems, const struct yaml_node *root,
                        const char *language);

#endif
