/* The frames that a ConversationRelay server may send, read strictly. */
#ifndef STANDS_TWILIO_RELAY_FRAME_H
#define STANDS_TWILIO_RELAY_FRAME_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

enum relay_frame_type {
    RELAY_TEXT,
    RELAY_PLAY,
    RELAY_SEND_DIGITS,
    RELAY_LANGUAGE,
    RELAY_END,
    RELAY_FRAME_TYPES
};

/* One frame; texts are borrowed from the JSON and NULL when they were not there. */
struct relay_frame {
    enum relay_frame_type type;
    const char *token, *lang;                          /* text */
    const char *source;                                /* play */
    const char *digits;                                /* sendDigits */
    const char *tts_language, *transcription_language; /* language */
    const char *handoff;                               /* end */
    bool last, interruptible, preemptible;
    long loop;
};

/* Reads a frame. Returns 0, or -1 with the reason in `why` (`size` bytes). */
int relay_frame_read(const cJSON *json, struct relay_frame *frame, char *why, size_t size);

/* The word for a type. */
const char *relay_frame_name(enum relay_frame_type type);

#endif
