/* Reading of the forms that Twilio sends about a call. A call that is refused is a caller who hears
 * nothing: so little decides, and all else is taken as far as it is good. Called by ingress for
 * every voice webhook. */
#include "contract/twilio_call.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "base/uuid.h"
#include "contract/event_codec.h"

#define WORD_MAX       48
#define SECONDS_MAX    (7 * 24 * 3600)
#define CONFIDENCE_MAX 32 /* characters */

bool twilio_call_is_sid(const char *text, const char *prefix)
{
    uint8_t bytes[16];
    return strncmp(text, prefix, 2) == 0 && text_parse_hex(text + 2, bytes, sizeof bytes);
}

bool twilio_call_is_session_id(const char *text)
{
    struct uuid id;
    return twilio_call_is_sid(text, "VX") || uuid_parse(text, &id);
}

/* ---- rules; all are asked about well-formed UTF-8 that is not "" ---- */

static bool is_call_sid(const char *text)
{
    return twilio_call_is_sid(text, "CA");
}

static bool is_recording_sid(const char *text)
{
    return twilio_call_is_sid(text, "RE");
}

static bool is_word(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz_-")] == '\0';
}

static bool is_token(const char *text)
{
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")] ==
           '\0';
}

static bool is_keys(const char *text)
{
    return text[strspn(text, "0123456789*#ABCD")] == '\0';
}

static bool is_ended_by(const char *text)
{
    return strcmp(text, "hangup") == 0 || is_keys(text);
}

static bool is_url(const char *text)
{
    if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* ---- fields ---- */

enum need {
    NEED_VALUE, /* once and of its shape */
    NEED_SHAPE, /* absent or "" is fine; doubled or of another shape is not */
    INFORMS,    /* "" unless it is there once and of its shape */
};

struct field {
    const char *name;
    size_t offset;
    enum need need;
    size_t bytes_max;
    bool (*check)(const char *text); /* NULL: any text */
    const char *code, *what;         /* of what decides */
};

#define FIELD(type, name, member, need, max, check, code, what)                                    \
    {                                                                                              \
        name, offsetof(struct type, member), need, max, check, code, what                          \
    }

static bool fits(const struct field *field, const char *value)
{
    size_t length = strlen(value);
    if (length == 0)
        return field->need != NEED_VALUE;
    return length <= field->bytes_max && text_is_utf8(value, length) &&
           (field->check == NULL || field->check(value));
}

static int take(const struct form *form, const struct field *field, void *out, struct err *err)
{
    size_t count = form_count(form, field->name);
    const char *value = count == 1 ? form_get(form, field->name) : "";
    bool good = count <= 1 && fits(field, value);
    if (!good && field->need != INFORMS)
        return err_set(err, ERR_PERMANENT, field->code, "%s %s %s", field->name,
                       count == 0  ? "is missing; it is"
                       : count > 1 ? "is there more than once; it is"
                                   : "is not",
                       field->what);
    *(const char **)(void *)((char *)out + field->offset) = good ? value : "";
    return 0;
}

static int take_all(const struct form *form, const struct field *fields, size_t count, void *out,
                    struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (take(form, &fields[i], out, err) != 0)
            return -1;
    return 0;
}

#define TAKE_ALL(form, fields, out, err)                                                           \
    take_all(form, fields, sizeof(fields) / sizeof((fields)[0]), out, err)

/* A number that only informs; `fallback` if it is not there once and within 0..max. */
static int64_t number_of(const struct form *form, const char *name, int64_t max, int64_t fallback)
{
    int64_t number = fallback;
    if (form_count(form, name) == 1)
        (void)text_parse_int(form_get(form, name), 0, max, &number);
    return number;
}

/* The beginning of a text that was found good, cut between code points. */
static const char *beginning(struct arena *arena, const struct form *form, const char *name,
                             size_t bytes_max)
{
    const char *value = form_count(form, name) == 1 ? form_get(form, name) : "";
    return arena_strndup(arena, value, text_utf8_prefix(value, bytes_max));
}

/* ---- the call ---- */

const char *twilio_call_attestation(const char *stir_verstat)
{
    static const char passed[] = "TN-Validation-Passed-", failed[] = "TN-Validation-Failed";
    if (strncmp(stir_verstat, failed, sizeof failed - 1) == 0)
        return "failed";
    if (strncmp(stir_verstat, passed, sizeof passed - 1) != 0)
        return "";
    return strcmp(stir_verstat + sizeof passed - 1, "A") == 0 ? "full" : "partial";
}

static const struct field call_fields[] = {
    FIELD(twilio_call, "CallSid", call_sid, NEED_VALUE, 34, is_call_sid, "webhook.call_sid",
          "CA and 32 hexadecimal digits"),
    FIELD(twilio_call, "AccountSid", account_sid, NEED_VALUE, 36, event_is_account_sid,
          "webhook.account_sid", "AC and 32 hexadecimal digits, or a uuid"),
    FIELD(twilio_call, "From", from, NEED_SHAPE, TWILIO_CALL_ADDRESS_MAX, event_is_line,
          "webhook.from", "a line of at most 256 bytes"),
    FIELD(twilio_call, "To", to, NEED_VALUE, TWILIO_CALL_ADDRESS_MAX, event_is_line, "webhook.to",
          "a line of 1 to 256 bytes"),
    FIELD(twilio_call, "CallStatus", status, NEED_VALUE, WORD_MAX, is_word, "webhook.call_status",
          "a lower-case word"),
    FIELD(twilio_call, "Direction", direction, NEED_SHAPE, WORD_MAX, is_word, "webhook.direction",
          "a lower-case word"),
    FIELD(twilio_call, "ForwardedFrom", forwarded_from, INFORMS, TWILIO_CALL_ADDRESS_MAX,
          event_is_line, NULL, NULL),
    FIELD(twilio_call, "CallerName", caller_name, INFORMS, TWILIO_CALL_ADDRESS_MAX, event_is_line,
          NULL, NULL),
    FIELD(twilio_call, "ParentCallSid", parent_call_sid, INFORMS, 34, is_call_sid, NULL, NULL),
    FIELD(twilio_call, "StirVerstat", stir_verstat, INFORMS, WORD_MAX, is_token, NULL, NULL),
    FIELD(twilio_call, "AnsweredBy", answered_by, INFORMS, WORD_MAX, is_word, NULL, NULL),
};

int twilio_call_read(const struct form *form, struct twilio_call *out, struct err *err)
{
    struct twilio_call call;
    if (TAKE_ALL(form, call_fields, &call, err) != 0)
        return -1;
    *out = call;
    return 0;
}

/* ---- Gather ---- */

/* "0.87" as 870; -1 for what is no decimal number from 0 to 1. */
static int per_mille(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > CONFIDENCE_MAX || (text[0] != '0' && text[0] != '1'))
        return -1;
    int sum = (text[0] - '0') * 1000;
    if (length == 1)
        return sum;
    const char *digits = text + 2;
    if (text[1] != '.' || digits[strspn(digits, "0123456789")] != '\0' || digits[0] == '\0')
        return -1;
    for (int i = 0, weight = 100; i < 3 && digits[i] != '\0'; i++, weight /= 10)
        sum += (digits[i] - '0') * weight;
    bool above = text[0] == '1' && digits[strspn(digits, "0")] != '\0';
    return above ? -1 : sum;
}

int twilio_call_read_input(struct arena *arena, const struct form *form,
                           struct twilio_call_input *out, struct err *err)
{
    static const struct field fields[] = {
        FIELD(twilio_call_input, "SpeechResult", speech, NEED_SHAPE, SIZE_MAX, NULL,
              "webhook.speech_result", "one UTF-8 text"),
        FIELD(twilio_call_input, "Digits", keys, NEED_SHAPE, TWILIO_CALL_KEYS_MAX, is_keys,
              "webhook.digits", "at most 64 of 0-9, *, #, A-D"),
    };
    struct twilio_call_input input;
    if (TAKE_ALL(form, fields, &input, err) != 0)
        return -1;
    input.speech = beginning(arena, form, "SpeechResult", TWILIO_CALL_SPEECH_MAX);
    input.confidence_pm =
        form_count(form, "Confidence") == 1 ? per_mille(form_get(form, "Confidence")) : -1;
    *out = input;
    return 0;
}

/* ---- Connect ---- */

int twilio_call_read_relayed(struct arena *arena, const struct form *form,
                             struct twilio_call_relayed *out, struct err *err)
{
    static const struct field fields[] = {
        FIELD(twilio_call_relayed, "SessionStatus", status, NEED_VALUE, WORD_MAX, is_word,
              "webhook.session_status", "a lower-case word"),
        FIELD(twilio_call_relayed, "HandoffData", handoff, NEED_SHAPE, TWILIO_CALL_HANDOFF_MAX,
              NULL, "webhook.handoff_data", "UTF-8 of at most 4096 bytes"),
        FIELD(twilio_call_relayed, "SessionId", session_id, INFORMS, 36, twilio_call_is_session_id,
              NULL, NULL),
        FIELD(twilio_call_relayed, "ErrorCode", error_code, INFORMS, 10, event_is_digits, NULL,
              NULL),
        FIELD(twilio_call_relayed, "ErrorMessage", error_message, INFORMS, SIZE_MAX, event_is_line,
              NULL, NULL),
    };
    struct twilio_call_relayed relayed;
    if (TAKE_ALL(form, fields, &relayed, err) != 0)
        return -1;
    if (relayed.error_message[0] != '\0')
        relayed.error_message = beginning(arena, form, "ErrorMessage", TWILIO_CALL_PROBLEM_MAX);
    relayed.duration_s = number_of(form, "SessionDuration", SECONDS_MAX, -1);
    *out = relayed;
    return 0;
}

/* ---- Dial ---- */

static int truth_of(const struct form *form, const char *name)
{
    const char *value = form_count(form, name) == 1 ? form_get(form, name) : "";
    return strcmp(value, "true") == 0 ? 1 : strcmp(value, "false") == 0 ? 0 : -1;
}

int twilio_call_read_dialled(const struct form *form, struct twilio_call_dialled *out,
                             struct err *err)
{
    static const struct field fields[] = {
        FIELD(twilio_call_dialled, "DialCallStatus", status, NEED_VALUE, WORD_MAX, is_word,
              "webhook.dial_call_status", "a lower-case word"),
        FIELD(twilio_call_dialled, "DialCallSid", call_sid, INFORMS, 34, is_call_sid, NULL, NULL),
    };
    struct twilio_call_dialled dialled;
    if (TAKE_ALL(form, fields, &dialled, err) != 0)
        return -1;
    dialled.duration_s = number_of(form, "DialCallDuration", SECONDS_MAX, -1);
    dialled.bridged = truth_of(form, "DialBridged");
    *out = dialled;
    return 0;
}

int twilio_call_read_detected(const struct form *form, struct twilio_call_detected *out,
                              struct err *err)
{
    static const struct field fields[] = {
        FIELD(twilio_call_detected, "CallSid", call_sid, NEED_VALUE, 34, is_call_sid,
              "webhook.call_sid", "CA and 32 hexadecimal digits"),
        FIELD(twilio_call_detected, "AccountSid", account_sid, NEED_VALUE, 36, event_is_account_sid,
              "webhook.account_sid", "AC and 32 hexadecimal digits, or a uuid"),
        FIELD(twilio_call_detected, "AnsweredBy", answered_by, NEED_VALUE, WORD_MAX, is_word,
              "webhook.answered_by", "a lower-case word"),
    };
    struct twilio_call_detected detected;
    if (TAKE_ALL(form, fields, &detected, err) != 0)
        return -1;
    *out = detected;
    return 0;
}

bool twilio_call_is_machine(const char *answered_by)
{
    return strncmp(answered_by, "machine", 7) == 0 || strcmp(answered_by, "fax") == 0;
}

/* ---- Record ---- */

int twilio_call_read_recording(const struct form *form, struct twilio_call_recording *out,
                               struct err *err)
{
    static const struct field fields[] = {
        FIELD(twilio_call_recording, "CallSid", call_sid, NEED_VALUE, 34, is_call_sid,
              "webhook.call_sid", "CA and 32 hexadecimal digits"),
        FIELD(twilio_call_recording, "AccountSid", account_sid, NEED_VALUE, 36,
              event_is_account_sid, "webhook.account_sid",
              "AC and 32 hexadecimal digits, or a uuid"),
        FIELD(twilio_call_recording, "RecordingUrl", url, NEED_SHAPE, TWILIO_CALL_URL_MAX, is_url,
              "webhook.recording_url", "an http or https URL of at most 2048 bytes"),
        FIELD(twilio_call_recording, "RecordingSid", sid, NEED_SHAPE, 34, is_recording_sid,
              "webhook.recording_sid", "RE and 32 hexadecimal digits"),
        FIELD(twilio_call_recording, "RecordingStatus", status, NEED_SHAPE, WORD_MAX, is_word,
              "webhook.recording_status", "a lower-case word"),
        FIELD(twilio_call_recording, "Digits", ended_by, INFORMS, TWILIO_CALL_KEYS_MAX, is_ended_by,
              NULL, NULL),
    };
    struct twilio_call_recording recording;
    if (TAKE_ALL(form, fields, &recording, err) != 0)
        return -1;
    if (recording.url[0] == '\0' && recording.sid[0] == '\0' && recording.status[0] == '\0')
        return err_set(err, ERR_PERMANENT, "webhook.recording_url",
                       "RecordingUrl is missing, and no other parameter tells of a recording");
    recording.duration_s = number_of(form, "RecordingDuration", SECONDS_MAX, -1);
    *out = recording;
    return 0;
}

int twilio_call_read_transcript(struct arena *arena, const struct form *form,
                                struct twilio_call_transcript *out, struct err *err)
{
    static const struct field fields[] = {
        FIELD(twilio_call_transcript, "CallSid", call_sid, NEED_VALUE, 34, is_call_sid,
              "webhook.call_sid", "CA and 32 hexadecimal digits"),
        FIELD(twilio_call_transcript, "AccountSid", account_sid, NEED_VALUE, 36,
              event_is_account_sid, "webhook.account_sid",
              "AC and 32 hexadecimal digits, or a uuid"),
        FIELD(twilio_call_transcript, "RecordingSid", recording_sid, NEED_VALUE, 34,
              is_recording_sid, "webhook.recording_sid", "RE and 32 hexadecimal digits"),
        FIELD(twilio_call_transcript, "TranscriptionText", text, INFORMS, SIZE_MAX, NULL, NULL,
              NULL),
    };
    struct twilio_call_transcript transcript;
    if (TAKE_ALL(form, fields, &transcript, err) != 0)
        return -1;
    const char *status = form_get(form, "TranscriptionStatus");
    if (status == NULL || strcmp(status, "completed") != 0)
        transcript.text = "";
    if (transcript.text[0] != '\0')
        transcript.text = beginning(arena, form, "TranscriptionText", TWILIO_CALL_TRANSCRIPT_MAX);
    *out = transcript;
    return 0;
}

/* ---- status callbacks ---- */

int64_t twilio_call_read_duration(const struct form *form)
{
    return number_of(form, "CallDuration", SECONDS_MAX, -1);
}
