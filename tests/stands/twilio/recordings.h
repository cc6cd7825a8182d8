/*
 * Recordings: what Record, a recorded Dial and the REST resource leave behind, and their media. A
 * recording's bytes are a WAV head of 44 bytes (8 kHz, 8 bits, mono) and samples that count up from
 * 0 to 255 again and again, 8000 a second or as many as the call's `recording_bytes` says.
 */
#ifndef STANDS_TWILIO_RECORDINGS_H
#define STANDS_TWILIO_RECORDINGS_H

#include "stands/twilio/call.h"

enum { RECORDINGS_MAX = 200000, RECORDING_URL_MAX = 256 };

struct recordings;

struct recording {
    char sid[35];
    const struct account *account;
    char call_sid[35];
    const char *source; /* static: RecordVerb, ... */
    const char *status; /* static */
    double started_ms, ready_ms, seconds;
    size_t bytes;
    bool deleted;
};

/* What a new recording is told of, as TwiML attributes or REST parameters say; all may be NULL. */
struct recording_draft {
    const char *source; /* static */
    const char *callback, *events;
    double started_ms, seconds;
    bool empty;                              /* nothing was said */
    const char *transcribe_callback, *words; /* of Record: what was said; NULL: not written down */
};

/* An empty store. Owned. */
struct recordings *recordings_new(void);

/* Forgets all. */
void recordings_reset(struct recordings *recordings);

/* Adds a finished recording and sends its status callbacks. Borrowed; NULL when the store is full.
 */
struct recording *recordings_add(struct call *call, const struct recording_draft *draft);

/* Starts one on a live call, as REST does; it ends with recordings_stop or the call. */
struct recording *recordings_start(struct call *call, const struct recording_draft *draft);

/* Ends what REST started on a call: the one of this sid, or all (NULL). */
void recordings_stop(struct call *call, const char *sid);

/* Writes the URL of its media, RECORDING_URL_MAX bytes. */
void recording_url(const struct twilio *twilio, const struct recording *recording, char *url);

/* Answers everything under .../Recordings (`rest` begins with ".json" or "/RE...") and, with a
 * call, under .../Calls/{CA}/Recordings. */
void recordings_route(struct twilio *twilio, struct stand_call *request, struct account *account,
                      struct call *call, const char *rest);

#endif
