/* What the edge must know of a business's telephone number, to answer its calls by itself: a part
 * of struct directory_channel (contract/event.h) of kind "voice". Whoever fills it knows all
 * defaults: ingress has neither a database nor words of its own. */
#ifndef DESK_CONTRACT_DIRECTORY_VOICE_H
#define DESK_CONTRACT_DIRECTORY_VOICE_H

#include <stdbool.h>
#include <stddef.h>

#define DIRECTORY_WORDING_MAX   2560 /* bytes of one wording: 640 characters */
#define DIRECTORY_HINTS_MAX     4096 /* bytes */
#define DIRECTORY_VOICE_MAX     128  /* bytes of a voice's name */
#define DIRECTORY_PROVIDER_MAX  64   /* bytes of a provider's or speech model's name */
#define DIRECTORY_LANGUAGES_MAX 10
#define DIRECTORY_FILLERS_MAX   4
#define DIRECTORY_BLOCKED_MAX   200

enum directory_mode { DIRECTORY_RELAY, DIRECTORY_GATHER };

/* What the caller can cut off: by both, by speaking, by a key, not at all. */
enum directory_interruptible {
    DIRECTORY_INTERRUPT_ANY,
    DIRECTORY_INTERRUPT_SPEECH,
    DIRECTORY_INTERRUPT_DTMF,
    DIRECTORY_INTERRUPT_NONE,
};

enum directory_sensitivity {
    DIRECTORY_SENSITIVITY_HIGH,
    DIRECTORY_SENSITIVITY_MEDIUM,
    DIRECTORY_SENSITIVITY_LOW,
};

/* How one language is spoken and understood. "" anywhere: the provider's default. */
struct directory_language {
    const char *code; /* tag such as "en-US"; or "multi" */
    const char *voice, *tts_provider;
    const char *transcription_provider, *speech_model;
};

struct directory_voice {
    enum directory_mode mode;           /* a socket, or one webhook a step */
    struct directory_language language; /* of the greeting; the caller may change it */
    struct directory_language languages[DIRECTORY_LANGUAGES_MAX]; /* further ones */
    size_t language_count;
    const char *hints; /* words to expect, separated by commas; "" none */
    enum directory_interruptible interruptible;
    enum directory_sensitivity interrupt_sensitivity;
    const char *consent_line; /* said before the greeting; "" none */
    const char *greeting;
    const char *fillers[DIRECTORY_FILLERS_MAX]; /* 1-4, taken in turn */
    size_t filler_count;
    const char *fallback;       /* nobody can answer; the caller is asked for a message */
    const char *record_prompt;  /* before the tone of a message */
    const char *still_there;    /* to a caller who says nothing */
    const char *not_understood; /* of one who was not understood (GATHER); "" as still_there */
    const char *goodbye;
    bool transcribe;   /* messages are written down by the provider, where the language allows */
    bool missed_calls; /* people are told of a caller who says nothing, or is not answered */
    const char *blocked[DIRECTORY_BLOCKED_MAX]; /* E.164: calls from them are refused */
    size_t blocked_count;
    int silence_ms;                 /* 1,000-600,000: without a word of the caller */
    int speaking_rate;              /* tenths of a character a second, 10-1,000 */
    const char *transfer_caller_id; /* E.164: what the person rung up sees; "" the caller's */
};

#endif
