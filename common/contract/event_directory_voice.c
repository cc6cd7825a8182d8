/* The members of a telephone number's settings in the directory (contract/directory_voice.h):
 * bounds and shapes. A wording may have several lines, as people write them in a tenant file. Used
 * by event_directory.c. */
#include "contract/directory_voice.h"
#include "contract/event_voice.h"

static const char *const mode_names[] = {"relay", "gather", NULL};
static const char *const interruptible_names[] = {"any", "speech", "dtmf", "none", NULL};
static const char *const sensitivity_names[] = {"high", "medium", "low", NULL};

#define WORDING(name, at, required)                                                                \
    VOICE_TEXT(name, at, required, 1, DIRECTORY_WORDING_MAX, event_is_wording,                     \
               "words of at most 2560 bytes")

/* How a language is spoken and understood. `type` holds a struct directory_language at `path`. */
#define LANGUAGE_ROWS(name, type, path)                                                            \
    VOICE_TEXT(name, offsetof(type, path code), true, 2, VOICE_LANG_MAX, event_is_language_tag,    \
               "a language tag of at most 35 bytes"),                                              \
        VOICE_TEXT("voice", offsetof(type, path voice), false, 1, DIRECTORY_VOICE_MAX,             \
                   event_is_line, "a name of at most 128 bytes"),                                  \
        VOICE_TEXT("tts_provider", offsetof(type, path tts_provider), false, 1,                    \
                   DIRECTORY_PROVIDER_MAX, event_is_line, "a name of at most 64 bytes"),           \
        VOICE_TEXT("transcription_provider", offsetof(type, path transcription_provider), false,   \
                   1, DIRECTORY_PROVIDER_MAX, event_is_line, "a name of at most 64 bytes"),        \
        VOICE_TEXT("speech_model", offsetof(type, path speech_model), false, 1,                    \
                   DIRECTORY_PROVIDER_MAX, event_is_line, "a name of at most 64 bytes")

static const struct event_member language_members[] = {
    LANGUAGE_ROWS("code", struct directory_language, ),
    {0},
};
static const struct event_member filler_elements[] = {WORDING(NULL, 0, true), {0}};
static const struct event_member blocked_elements[] = {
    VOICE_TEXT(NULL, 0, true, 8, 16, text_is_e164, "an E.164 number"), {0}};

#define AT(m) offsetof(struct directory_voice, m)
const struct event_member event_directory_voice_members[] = {
    VOICE_ENUM("mode", AT(mode), true, mode_names, "relay or gather"),
    LANGUAGE_ROWS("language", struct directory_voice, language.),
    {"languages", EVENT_LIST, AT(languages), false, 0, DIRECTORY_LANGUAGES_MAX, NULL,
     "a list of at most 10 languages", AT(language_count), sizeof(struct directory_language),
     language_members},
    VOICE_TEXT("hints", AT(hints), false, 1, DIRECTORY_HINTS_MAX, event_is_line,
               "words of at most 4096 bytes"),
    VOICE_ENUM("interruptible", AT(interruptible), false, interruptible_names,
               "any, speech, dtmf or none"),
    VOICE_ENUM("interrupt_sensitivity", AT(interrupt_sensitivity), false, sensitivity_names,
               "high, medium or low"),
    WORDING("consent_line", AT(consent_line), false),
    WORDING("greeting", AT(greeting), true),
    {"fillers", EVENT_LIST, AT(fillers), true, 1, DIRECTORY_FILLERS_MAX, NULL,
     "a list of 1 to 4 fillers", AT(filler_count), sizeof(const char *), filler_elements},
    WORDING("fallback", AT(fallback), true),
    WORDING("record_prompt", AT(record_prompt), true),
    WORDING("still_there", AT(still_there), true),
    WORDING("not_understood", AT(not_understood), false),
    WORDING("goodbye", AT(goodbye), true),
    VOICE_BOOL("transcribe", AT(transcribe)),
    VOICE_BOOL("missed_calls", AT(missed_calls)),
    {"blocked", EVENT_LIST, AT(blocked), false, 0, DIRECTORY_BLOCKED_MAX, NULL,
     "a list of at most 200 numbers", AT(blocked_count), sizeof(const char *), blocked_elements},
    VOICE_NUMBER("silence_ms", EVENT_INT, AT(silence_ms), true, 1000, 600000,
                 "a number from 1000 to 600000"),
    VOICE_NUMBER("speaking_rate", EVENT_INT, AT(speaking_rate), true, 10, 1000,
                 "a number from 10 to 1000"),
    VOICE_TEXT("transfer_caller_id", AT(transfer_caller_id), false, 8, 16, text_is_e164,
               "an E.164 number"),
    {0},
};
