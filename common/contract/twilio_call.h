/* Twilio's forms about a phone call: the request for TwiML with what a verb's action adds, status
 * callbacks, recordings. Each is read once the form's signature has fitted. Texts are borrowed from
 * the form. Any thread, no state. Source: Twilio's "TwiML for Programmable Voice", "Call resource"
 * and pages of the verbs.
 *
 * What decides something must be there once and of its shape: PERMANENT "webhook.<parameter>",
 * outputs untouched. What only informs is left out ("" or -1) rather than refused. Words of Twilio
 * (statuses, directions) are passed through when they are short and of their shape: new ones are
 * for the caller to judge. */
#ifndef DESK_CONTRACT_TWILIO_CALL_H
#define DESK_CONTRACT_TWILIO_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/form.h"

#define TWILIO_CALL_ADDRESS_MAX    256  /* bytes of From, To, CallerName */
#define TWILIO_CALL_SPEECH_MAX     4096 /* bytes of SpeechResult; the rest is cut off */
#define TWILIO_CALL_KEYS_MAX       64   /* of Digits */
#define TWILIO_CALL_HANDOFF_MAX    4096 /* bytes of HandoffData */
#define TWILIO_CALL_PROBLEM_MAX    1024 /* bytes of ErrorMessage; the rest is cut off */
#define TWILIO_CALL_URL_MAX        2048
#define TWILIO_CALL_TRANSCRIPT_MAX 4096

/* What a carrier has found of a caller's number (STIR/SHAKEN), by Twilio's StirVerstat: "full"
 * where the network it comes from knows the caller and that the number is his
 * ("TN-Validation-Passed-A"), "partial" where it passed as less, "failed" where it did not; ""
 * where nobody says anything, as of most calls outside the United States. Source: Twilio's "Trusted
 * Calling with SHAKEN/STIR". */
const char *twilio_call_attestation(const char *stir_verstat);

/* True for the two letters of `prefix` ("CA") and 32 hexadecimal digits. */
bool twilio_call_is_sid(const char *text, const char *prefix);

/* True for a ConversationRelay session's id: VX and 32 hexadecimal digits, or the uuid of a carrier
 * that speaks the same. */
bool twilio_call_is_session_id(const char *text);

/* The call: of every request for TwiML and every status callback. */
struct twilio_call {
    const char *call_sid;    /* CA and 32 hex */
    const char *account_sid; /* AC and 32 hex, or a uuid */
    const char *from;        /* as told; voice_contact judges it; "" if not told */
    const char *to;          /* our number, E.164, or what we dialled */
    const char *status;      /* "ringing", "in-progress", "completed", ... */
    const char *direction;   /* "inbound", "outbound-api", "outbound-dial" */
    /* These only inform. */
    const char *forwarded_from, *caller_name, *parent_call_sid;
    const char *stir_verstat; /* "TN-Validation-Passed-A", ... */
    const char *answered_by;  /* "human", "machine_start", ... */
};

/* Reads CallSid, AccountSid, To, CallStatus, Direction (these decide) and From, which must not be
 * there twice; Direction may be missing. */
int twilio_call_read(const struct form *form, struct twilio_call *out, struct err *err);

/* What a Gather's action adds; both may be "": nothing came. */
struct twilio_call_input {
    const char *speech; /* UTF-8, cut between code points */
    const char *keys;   /* 0-9 * # A-D */
    int confidence_pm;  /* per mille; -1: not told */
};

/* Reads SpeechResult, Digits (these decide) and Confidence. Texts are in the arena. */
int twilio_call_read_input(struct arena *arena, const struct form *form,
                           struct twilio_call_input *out, struct err *err);

/* What Connect's action adds after a ConversationRelay session. */
struct twilio_call_relayed {
    const char *session_id; /* VX..., "" if not told */
    const char *status;     /* "ended" (by us), "completed" (hung up), "failed" */
    const char *handoff;    /* what our `end` frame carried, "" if none */
    int64_t duration_s;     /* -1: not told */
    const char *error_code; /* digits or "" */
    const char *error_message;
};

/* Reads SessionStatus, HandoffData (these decide), SessionId, SessionDuration, ErrorCode and
 * ErrorMessage. Texts are in the arena. */
int twilio_call_read_relayed(struct arena *arena, const struct form *form,
                             struct twilio_call_relayed *out, struct err *err);

/* What Dial's action adds. */
struct twilio_call_dialled {
    const char *status;   /* "completed", "answered", "busy", "no-answer", "failed", "canceled" */
    const char *call_sid; /* of the other leg, "" if there was none */
    int64_t duration_s;   /* -1: not told */
    int bridged;          /* 1, 0; -1: not told */
};

/* Reads DialCallStatus (it decides), DialCallSid, DialCallDuration and DialBridged. */
int twilio_call_read_dialled(const struct form *form, struct twilio_call_dialled *out,
                             struct err *err);

/* Who took the leg of a Dial, as Number's amdStatusCallback tells it: of that leg, not of ours. */
struct twilio_call_detected {
    const char *call_sid, *account_sid; /* of the other leg */
    const char *answered_by;            /* "human", "machine_start", "fax", "unknown", ... */
};

/* Reads CallSid, AccountSid and AnsweredBy (these decide). */
int twilio_call_read_detected(const struct form *form, struct twilio_call_detected *out,
                              struct err *err);

/* Whether that AnsweredBy is a machine's. "unknown" is taken for a person: a machine presses no
 * key, and a person must not be left. */
bool twilio_call_is_machine(const char *answered_by);

/* A recording: what Record's action adds, or a recordingStatusCallback, which tells of no call but
 * its sid. The file may not exist before the callback says "completed". */
struct twilio_call_recording {
    const char *call_sid, *account_sid;
    const char *url;      /* https or http; "" of an absent recording. Its host is not checked */
    const char *sid;      /* RE and 32 hex; "" where only the URL names it */
    const char *status;   /* "completed", "absent", "failed", ...; "" in Record's action */
    const char *ended_by; /* keys, or "hangup"; "" if not told */
    int64_t duration_s;   /* -1: not told */
};

/* Reads CallSid, AccountSid, RecordingUrl, RecordingSid, RecordingStatus (these decide; one of the
 * last three at least), Digits and RecordingDuration. */
int twilio_call_read_recording(const struct form *form, struct twilio_call_recording *out,
                               struct err *err);

/* What Twilio understood of a recording (Record's transcribeCallback). */
struct twilio_call_transcript {
    const char *call_sid, *account_sid, *recording_sid;
    const char *text; /* at most TWILIO_CALL_TRANSCRIPT_MAX bytes; "": nothing was understood */
};

/* Reads CallSid, AccountSid, RecordingSid (these decide), TranscriptionStatus and
 * TranscriptionText, whose beginning counts if the status is "completed". */
int twilio_call_read_transcript(struct arena *arena, const struct form *form,
                                struct twilio_call_transcript *out, struct err *err);

/* Reads CallDuration, what a status callback tells of the whole call at its end; -1: not told. */
int64_t twilio_call_read_duration(const struct form *form);

#endif
