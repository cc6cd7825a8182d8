/* `phone:` of a tenant file: how calls of its numbers are answered. What it becomes are the members
 * of the directory's record (docs/INTERFACES.md), defaults filled in: ingress has none of its own.
 * What is said stands in the business's own words, in full. */
#include <string.h>
#include <strings.h>

#include "contract/directory_voice.h"
#include "prompt/phone_words.h"
#include "tenant_file.h"
#include "tenant_section.h"

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)
#define SAY_MAX          640 /* DIRECTORY_WORDING_MAX bytes, whatever the script */
#define FILLER_MAX       120 /* it is to be over before the answer comes */
#define HINTS_MAX        100
#define HINT_MAX         100

/* Of the file, and of the record. */
static const char *const modes[] = {"streaming", "webhook", NULL};
static const char *const record_modes[] = {"relay", "gather"};
static const char *const missed_calls[] = {"ignore", "task", NULL};
static const char *const caller_ids[] = {"any", "attested", NULL};
static const char *const tts_providers[] = {"Amazon", "Google", "ElevenLabs", NULL};
static const char *const listeners[] = {"Deepgram", "Google", NULL};
static const char *const interruptible[] = {"any", "speech", "dtmf", "none", NULL};
static const char *const sensitivities[] = {"high", "medium", "low", NULL};

struct phone {
    const char *mode, *missed_calls, *caller_id, *not_understood;
    const char *language, *voice, *tts_provider, *transcription_provider, *speech_model;
    const struct yaml_node *words, *languages, *hints, *fillers, *blocked;
    const char *interruptible, *interrupt_sensitivity;
    const char *consent_line, *greeting, *fallback, *record_prompt, *still_there, *goodbye;
    const char *transfer_caller_id;
    int64_t silence_ms, speaking_rate;
    bool transcribe;
};

static const struct field phone_fields[] = {
    /* The first ones are written otherwise. */
    {"mode", FIELD_CHOICE, AT(phone, mode), 0, 0, false, modes},
    {"missed_calls", FIELD_CHOICE, AT(phone, missed_calls), 0, 0, false, missed_calls},
    {"caller_id", FIELD_CHOICE, AT(phone, caller_id), 0, 0, false, caller_ids},
    {"language", FIELD_LANGUAGE, AT(phone, language), 0, 0, false, NULL},
    {"voice", FIELD_WORD, AT(phone, voice), 0, 0, false, NULL},
    {"tts_provider", FIELD_CHOICE, AT(phone, tts_provider), 0, 0, false, tts_providers},
    {"transcription_provider", FIELD_CHOICE, AT(phone, transcription_provider), 0, 0, false,
     listeners},
    {"speech_model", FIELD_WORD, AT(phone, speech_model), 0, 0, false, NULL},
    {"words", FIELD_MAPPING, AT(phone, words), 0, 0, false, NULL},
    {"languages", FIELD_LIST, AT(phone, languages), 0, DIRECTORY_LANGUAGES_MAX, false, NULL},
    {"hints", FIELD_LIST, AT(phone, hints), 0, HINTS_MAX, false, NULL},
    {"interruptible", FIELD_CHOICE, AT(phone, interruptible), 0, 0, false, interruptible},
    {"interrupt_sensitivity", FIELD_CHOICE, AT(phone, interrupt_sensitivity), 0, 0, false,
     sensitivities},
    {"consent_line", FIELD_TEXT, AT(phone, consent_line), 1, SAY_MAX, false, NULL},
    {"greeting", FIELD_TEXT, AT(phone, greeting), 1, SAY_MAX, true, NULL},
    {"fillers", FIELD_LIST, AT(phone, fillers), 1, DIRECTORY_FILLERS_MAX, true, NULL},
    {"fallback", FIELD_TEXT, AT(phone, fallback), 1, SAY_MAX, true, NULL},
    {"record_prompt", FIELD_TEXT, AT(phone, record_prompt), 1, SAY_MAX, true, NULL},
    {"still_there", FIELD_TEXT, AT(phone, still_there), 1, SAY_MAX, true, NULL},
    {"not_understood", FIELD_TEXT, AT(phone, not_understood), 1, SAY_MAX, false, NULL},
    {"goodbye", FIELD_TEXT, AT(phone, goodbye), 1, SAY_MAX, true, NULL},
    {"blocked", FIELD_LIST, AT(phone, blocked), 0, DIRECTORY_BLOCKED_MAX, false, NULL},
    {"silence", FIELD_MS, AT(phone, silence_ms), 1000, 600000, false, NULL},
    {"speaking_rate", FIELD_INT, AT(phone, speaking_rate), 5, 40, false, NULL},
    {"transcribe", FIELD_BOOL, AT(phone, transcribe), 0, 0, false, NULL},
    {"transfer_caller_id", FIELD_E164, AT(phone, transfer_caller_id), 0, 0, false, NULL},
};

#define WRITTEN_OTHERWISE 3

static void add_text(struct section *section, const char *name, const char *text)
{
    if (text != NULL)
        json_add_text(section->writer, name, text);
}

/* ---- what the desk says by itself ---- */

static void write_words(struct section *section, const struct yaml_node *words)
{
    if (words != NULL)
        section_write_wording(section, words, phone_words_keys, PHONE_WORDS_KEYS);
}

/* Such as the reception's words, but of each language that calls are held in. */
static void note_words(struct section *section, int line, const char *language,
                       const struct yaml_node *words)
{
    const char *missing =
        section_missing_words(section->problems, words, phone_words_keys, PHONE_WORDS_KEYS);
    if (language != NULL && !phone_words_is_known(language) && *missing != '\0')
        problems_note(section->problems, line,
                      "language: in calls in %.40s the desk says these in English; give them as "
                      "words: of that language (%s)",
                      language, missing);
}

/* ---- further languages ---- */

struct language {
    const char *language, *voice, *tts_provider, *transcription_provider, *speech_model;
    const struct yaml_node *words;
};

static const struct field language_fields[] = {
    {"language", FIELD_LANGUAGE, AT(language, language), 0, 0, true, NULL},
    {"voice", FIELD_WORD, AT(language, voice), 0, 0, false, NULL},
    {"tts_provider", FIELD_CHOICE, AT(language, tts_provider), 0, 0, false, tts_providers},
    {"transcription_provider", FIELD_CHOICE, AT(language, transcription_provider), 0, 0, false,
     listeners},
    {"speech_model", FIELD_WORD, AT(language, speech_model), 0, 0, false, NULL},
    {"words", FIELD_MAPPING, AT(language, words), 0, 0, false, NULL},
};

static void write_languages(struct section *section, const struct yaml_node *list)
{
    if (list == NULL)
        return;
    json_open_array(section->writer, "languages");
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct language language = {.language = NULL};
        fields_read(section->problems, node, "a language", language_fields, COUNT(language_fields),
                    &language);
        section_check_unique(section, list, node, "language", "languages");
        json_open_object(section->writer, NULL);
        add_text(section, "code", language.language);
        section_write_fields(section, language_fields + 1, COUNT(language_fields) - 1, &language);
        write_words(section, language.words);
        note_words(section, node->line, language.language, language.words);
        json_close_object(section->writer);
    }
    json_close_array(section->writer);
}

/* ---- lists ---- */

/* Hints are one text in the record; a comma parts them. */
static void write_hints(struct section *section, const struct yaml_node *list)
{
    static const struct field field = {"hints", FIELD_TEXT, 0, 1, HINT_MAX, true, NULL};
    struct strbuf hints;
    strbuf_init(&hints, DIRECTORY_HINTS_MAX);
    for (const struct yaml_node *node = list != NULL ? list->first : NULL; node != NULL;
         node = node->next) {
        const char *text = "";
        if (!fields_read_one(section->problems, node, &field, &text))
            continue;
        if (text[strcspn(text, ",\n\t")] != '\0')
            problems_add(section->problems, node->line,
                         "hints: \"%.60s\" has a comma or a line's end; make it two", text);
        if (hints.length > 0)
            strbuf_add_char(&hints, ',');
        strbuf_add_text(&hints, text);
    }
    if (hints.overflow)
        problems_add(section->problems, list->line, "hints: are more than %d bytes; leave some out",
                     DIRECTORY_HINTS_MAX);
    if (hints.length > 0)
        json_add_text(section->writer, "hints", hints.data);
    strbuf_fini(&hints);
}

static void write_blocked(struct section *section, const struct yaml_node *list)
{
    static const struct field field = {"blocked", FIELD_E164, 0, 0, 0, true, NULL};
    if (list == NULL || list->first == NULL)
        return;
    json_open_array(section->writer, "blocked");
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        const char *number = "";
        if (!fields_read_one(section->problems, node, &field, &number))
            continue;
        section_check_unique(section, list, node, NULL, "blocked");
        json_add_text(section->writer, NULL, number);
    }
    json_close_array(section->writer);
}

/* ---- the whole ---- */

/* Asks for it again in that language; NULL: we do not speak it. */
static const char *not_understood_in(const char *language)
{
    static const char *const words[][2] = {
        {"en", "Sorry, I did not catch that. Could you say it again?"},
        {"es", "Perdón, no le he entendido. ¿Puede repetirlo?"},
        {"de", "Entschuldigung, das habe ich nicht verstanden. Können Sie es wiederholen?"},
        {"fr", "Pardon, je n'ai pas compris. Pouvez-vous répéter ?"}};
    for (size_t i = 0; i < COUNT(words); i++)
        if (strncasecmp(language, words[i][0], 2) == 0)
            return words[i][1];
    return NULL;
}

void section_read_phone(struct section *section, const struct yaml_node *node)
{
    static const struct section_words fillers = {.key = "fillers", .max = FILLER_MAX};
    struct phone phone = {.mode = modes[0],
                          .missed_calls = missed_calls[0],
                          .caller_id = caller_ids[0],
                          .language = section->file->language,
                          .interruptible = "any",
                          .interrupt_sensitivity = "high",
                          .silence_ms = 30000,
                          .speaking_rate = 15};
    fields_read(section->problems, node, "phone", phone_fields, COUNT(phone_fields), &phone);
    if (phone.voice != NULL && phone.tts_provider == NULL)
        problems_add(section->problems, node->line,
                     "voice: needs tts_provider; say whose voice %.60s is", phone.voice);
    if (phone.transcribe && strcasecmp(phone.language, "en-US") != 0)
        problems_note(
            section->problems, node->line,
            "transcribe: messages in %.40s are not written down; Twilio understands en-US "
            "only",
            phone.language);
    json_open_object(section->writer, NULL);
    const bool webhook = strcmp(phone.mode, modes[0]) != 0;
    if (webhook && phone.not_understood == NULL)
        phone.not_understood = not_understood_in(phone.language);
    json_add_text(section->writer, "mode", record_modes[webhook]);
    /* Texts in the order of the table; lists, and numbers in other units, below. */
    for (size_t i = WRITTEN_OTHERWISE; i < COUNT(phone_fields); i++)
        if (phone_fields[i].kind <= FIELD_CHOICE)
            section_write_fields(section, &phone_fields[i], 1, &phone);
    write_words(section, phone.words);
    note_words(section, node->line, phone.language, phone.words);
    write_languages(section, phone.languages);
    write_hints(section, phone.hints);
    section_write_words(section, "fillers", phone.fillers, &fillers);
    write_blocked(section, phone.blocked);
    json_add_int(section->writer, "silence_ms", phone.silence_ms);
    json_add_int(section->writer, "speaking_rate", phone.speaking_rate * 10);
    if (phone.transcribe)
        json_add_bool(section->writer, "transcribe", true);
    if (strcmp(phone.missed_calls, missed_calls[0]) != 0)
        json_add_bool(section->writer, "missed_calls", true);
    if (strcmp(phone.caller_id, caller_ids[0]) != 0)
        json_add_text(section->writer, "caller_id", phone.caller_id);
    json_close_object(section->writer);
}
