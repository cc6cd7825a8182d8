/* ConversationRelay's frames. A frame that decides something is read strictly; what only informs is
 * left out rather than refused, because a call must not end over it. Called by ingress for every
 * frame of every call. */
#include "contract/relay.h"

#include "base/text.h"
#include "contract/event_codec.h"
#include "contract/twilio_call.h"
#include "json/json.h"

#include <math.h>
#include <string.h>

#define DURATION_MAX_MS (24LL * 3600 * 1000) /* the longest call */
#define WORD_MAX        32
#define CALL_SID_CHARS  34

/* ---- rules ---- */

/* Strictly Twilio's form: it is compared with the one in the socket's path. */
static bool is_call_sid(const char *text)
{
    return twilio_call_is_sid(text, "CA");
}

static bool is_address(const char *text)
{
    return event_is_line(text);
}

static bool is_filled(const char *text)
{
    return text[0] != '\0' && event_is_line(text);
}

/* As in our own records: a prompt with another one could be published, and read by nobody. */
static bool is_language(const char *text)
{
    return strlen(text) <= RELAY_LANGUAGE_MAX && event_is_language_tag(text);
}

/* ---- reading ---- */

struct reading {
    struct arena *arena;
    const struct json *frame;
    const char *type;
    struct err *err;
};

static int refuse(const struct reading *reading, const char *name, const char *what)
{
    if (json_member(reading->frame, name) == NULL)
        return err_set(reading->err, ERR_PERMANENT, "relay.member", "the %s frame has no %s",
                       reading->type, name);
    return err_set(reading->err, ERR_PERMANENT, "relay.member", "%s of the %s frame is not %s",
                   name, reading->type, what);
}

/* A member of `setup`. */
static const struct field {
    const char *name;
    size_t offset, bytes_max;
    bool required;
    bool (*check)(const char *text);
    const char *what;
} fields[] = {
    {"sessionId", offsetof(struct relay_setup, session_id), 36, true, twilio_call_is_session_id,
     "VX and 32 hexadecimal digits, or a uuid"},
    {"accountSid", offsetof(struct relay_setup, account_sid), 36, true, event_is_account_sid,
     "AC and 32 hexadecimal digits, or a uuid"},
    {"callSid", offsetof(struct relay_setup, call_sid), CALL_SID_CHARS, true, is_call_sid,
     "CA and 32 hexadecimal digits"},
    {"to", offsetof(struct relay_setup, to), RELAY_NAME_MAX, true, is_filled, "an address"},
    {"from", offsetof(struct relay_setup, from), RELAY_NAME_MAX, false, is_address, ""},
    {"parentCallSid", offsetof(struct relay_setup, parent_call_sid), CALL_SID_CHARS, false,
     is_call_sid, ""},
    {"forwardedFrom", offsetof(struct relay_setup, forwarded_from), RELAY_NAME_MAX, false,
     is_address, ""},
    {"callerName", offsetof(struct relay_setup, caller_name), RELAY_NAME_MAX, false, is_address,
     ""},
    {"callType", offsetof(struct relay_setup, call_type), WORD_MAX, false, is_address, ""},
    {"direction", offsetof(struct relay_setup, direction), WORD_MAX, false, is_address, ""},
    {"callStatus", offsetof(struct relay_setup, call_status), WORD_MAX, false, is_address, ""},
};

static int read_setup(const struct reading *reading, struct relay_frame *out)
{
    const struct json *ours = json_member(reading->frame, "customParameters");
    const char *attestation = json_member_text(ours, RELAY_ATTESTATION);
    const char *parted = json_member_text(ours, RELAY_PARTED);
    out->setup.parted_ms = 0;
    if (parted != NULL)
        text_parse_int(parted, 1, INT64_MAX, &out->setup.parted_ms);
    out->setup.attestation =
        attestation != NULL && strlen(attestation) <= WORD_MAX && is_address(attestation)
            ? arena_strdup(reading->arena, attestation)
            : "";
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const struct field *field = &fields[i];
        const char *text = json_member_text(reading->frame, field->name);
        bool good = text != NULL && strlen(text) <= field->bytes_max && field->check(text);
        if (!good && field->required)
            return refuse(reading, field->name, field->what);
        *(const char **)(void *)((char *)&out->setup + field->offset) =
            good ? arena_strdup(reading->arena, text) : "";
    }
    return 0;
}

/* What was spoken, from its beginning on. */
static const char *spoken(const struct reading *reading, const char *text, size_t bytes_max,
                          bool *cut)
{
    size_t length = text_utf8_prefix(text, bytes_max);
    *cut = text[length] != '\0';
    return arena_strndup(reading->arena, text, length);
}

static int read_prompt(const struct reading *reading, struct relay_frame *out)
{
    const char *text = json_member_text(reading->frame, "voicePrompt");
    const char *lang = json_member_text(reading->frame, "lang");
    const struct json *last = json_member(reading->frame, "last");
    if (text == NULL)
        return refuse(reading, "voicePrompt", "a text");
    if (last != NULL && json_type(last) != JSON_BOOL)
        return refuse(reading, "last", "true or false");
    out->prompt.text = spoken(reading, text, RELAY_PROMPT_MAX, &out->prompt.cut);
    out->prompt.lang = lang != NULL && is_language(lang) ? arena_strdup(reading->arena, lang) : "";
    out->prompt.last = last == NULL || json_bool(last);
    return 0;
}

static int read_dtmf(const struct reading *reading, struct relay_frame *out)
{
    const char *digit = json_member_text(reading->frame, "digit");
    if (digit == NULL || strlen(digit) != 1 || strchr("0123456789*#ABCD", digit[0]) == NULL)
        return refuse(reading, "digit", "one key: 0-9, *, #, A-D");
    out->digit = digit[0];
    return 0;
}

/* Milliseconds as a number, whole or not, or as digits: both were seen. */
static int64_t duration_of(const struct json *value)
{
    int64_t whole = -1;
    const char *text = json_text(value);
    if (text != NULL) {
        (void)text_parse_int(text, 0, DURATION_MAX_MS, &whole);
        return whole;
    }
    if (value == NULL || json_type(value) != JSON_NUMBER)
        return -1;
    double number = json_number(value);
    return number >= 0 && number <= (double)DURATION_MAX_MS ? (int64_t)floor(number) : -1;
}

static int read_interrupt(const struct reading *reading, struct relay_frame *out)
{
    const char *heard = json_member_text(reading->frame, "utteranceUntilInterrupt");
    if (heard == NULL)
        return refuse(reading, "utteranceUntilInterrupt", "a text");
    out->interrupt.heard = spoken(reading, heard, RELAY_HEARD_MAX, &out->interrupt.cut);
    out->interrupt.duration_ms =
        duration_of(json_member(reading->frame, "durationUntilInterruptMs"));
    return 0;
}

static int read_error(const struct reading *reading, struct relay_frame *out)
{
    const char *text = json_member_text(reading->frame, "description");
    bool cut;
    out->problem = spoken(reading, text != NULL ? text : "", RELAY_PROBLEM_MAX, &cut);
    return 0;
}

/* Undocumented: whatever is not as expected is ignored like a name that is new to us. */
static int read_info(const struct reading *reading, struct relay_frame *out)
{
    const char *name = json_member_text(reading->frame, "name");
    const char *value = json_member_text(reading->frame, "value");
    bool caller = name != NULL && strcmp(name, "clientSpeaking") == 0;
    out->kind = RELAY_IGNORED;
    if (name == NULL || value == NULL)
        return 0;
    if (caller || strcmp(name, "agentSpeaking") == 0) {
        bool on = strcmp(value, "on") == 0;
        if (!on && strcmp(value, "off") != 0)
            return 0;
        out->kind = RELAY_SPEAKING;
        out->speaking = (struct relay_speaking){.caller = caller, .on = on};
        (void)json_member_int(reading->frame, "ts", 0, INT64_MAX, &out->speaking.at_ms);
    }
    return 0;
}

static const struct {
    const char *type;
    enum relay_kind kind;
    int (*read)(const struct reading *reading, struct relay_frame *out);
} types[] = {
    {"setup", RELAY_SETUP, read_setup}, {"prompt", RELAY_PROMPT, read_prompt},
    {"dtmf", RELAY_DTMF, read_dtmf},    {"interrupt", RELAY_INTERRUPT, read_interrupt},
    {"error", RELAY_ERROR, read_error}, {"info", RELAY_IGNORED, read_info},
};

static int read_document(struct arena *arena, const struct json *document, struct relay_frame *out,
                         struct err *err)
{
    const char *type = json_member_text(document, "type");
    if (type == NULL)
        return err_set(err, ERR_PERMANENT, "relay.member",
                       "the frame is no object with the text \"type\"");
    out->kind = RELAY_IGNORED;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].type) != 0)
            continue;
        struct reading reading = {arena, document, types[i].type, err};
        out->kind = types[i].kind;
        return types[i].read(&reading, out);
    }
    return 0;
}

int relay_read(struct arena *arena, const char *bytes, size_t length, struct relay_frame *out,
               struct err *err)
{
    struct json *document = NULL;
    struct relay_frame frame = {0};
    if (length == 0 || length > RELAY_FRAME_MAX)
        return err_set(err, ERR_PERMANENT, "relay.size", "a frame of %zu bytes; 1 to %d are read",
                       length, RELAY_FRAME_MAX);
    if (json_parse(bytes, length, &document, err) != 0)
        return -1;
    int rc = read_document(arena, document, &frame, err);
    json_free(&document);
    if (rc == 0)
        *out = frame;
    return rc;
}

/* ---- writing ---- */

static int wrong(struct err *err, const char *what)
{
    return err_set(err, ERR_BUG, "relay.write", "a frame to Twilio was not written: %s", what);
}

static bool is_text(const char *text, size_t bytes_max)
{
    size_t length = strlen(text);
    return length <= bytes_max && text_is_utf8(text, length);
}

static void add_flag(struct json_writer *writer, const char *name, enum relay_flag flag)
{
    if (flag != RELAY_UNSET)
        json_add_bool(writer, name, flag == RELAY_YES);
}

static void open_frame(struct json_writer *writer, struct strbuf *out, const char *type)
{
    json_writer_init(writer, out);
    json_open_object(writer, NULL);
    json_add_text(writer, "type", type);
}

/* A frame is there whole or not at all. */
static int close_frame(struct json_writer *writer, size_t start, bool full, struct err *err)
{
    struct strbuf *out = writer->out;
    json_close_object(writer);
    if (!out->overflow)
        return 0;
    strbuf_truncate(out, start);
    out->overflow = full;
    return wrong(err, "the buffer has no room for it");
}

int relay_write_text(const struct relay_text *text, struct strbuf *out, struct err *err)
{
    struct json_writer writer;
    size_t start = out->length;
    bool full = out->overflow;
    if (!is_text(text->token, RELAY_TOKEN_MAX))
        return wrong(err, "the token is longer than 8192 bytes or not UTF-8");
    if (text->lang != NULL && !is_language(text->lang))
        return wrong(err, "lang is no language tag");
    open_frame(&writer, out, "text");
    json_add_text(&writer, "token", text->token);
    json_add_bool(&writer, "last", text->last);
    if (text->lang != NULL)
        json_add_text(&writer, "lang", text->lang);
    add_flag(&writer, "interruptible", text->interruptible);
    add_flag(&writer, "preemptible", text->preemptible);
    return close_frame(&writer, start, full, err);
}

int relay_write_digits(const char *digits, struct strbuf *out, struct err *err)
{
    struct json_writer writer;
    size_t start = out->length, length = strlen(digits);
    bool full = out->overflow;
    if (length == 0 || length > RELAY_DIGITS_MAX || strspn(digits, "0123456789w#*") != length)
        return wrong(err, "digits are 1 to 64 of 0-9, w, #, *");
    open_frame(&writer, out, "sendDigits");
    json_add_text(&writer, "digits", digits);
    return close_frame(&writer, start, full, err);
}

int relay_write_language(const char *tts, const char *transcription, struct strbuf *out,
                         struct err *err)
{
    struct json_writer writer;
    size_t start = out->length;
    bool full = out->overflow;
    if ((tts == NULL && transcription == NULL) || (tts != NULL && !is_language(tts)) ||
        (transcription != NULL && !is_language(transcription)))
        return wrong(err, "a language is a tag, and one at least is wanted");
    open_frame(&writer, out, "language");
    if (tts != NULL)
        json_add_text(&writer, "ttsLanguage", tts);
    if (transcription != NULL)
        json_add_text(&writer, "transcriptionLanguage", transcription);
    return close_frame(&writer, start, full, err);
}

int relay_write_end(const char *handoff, struct strbuf *out, struct err *err)
{
    struct json_writer writer;
    size_t start = out->length;
    bool full = out->overflow;
    if (handoff != NULL && !is_text(handoff, RELAY_HANDOFF_MAX))
        return wrong(err, "handoffData is longer than 4096 bytes or not UTF-8");
    open_frame(&writer, out, "end");
    if (handoff != NULL)
        json_add_text(&writer, "handoffData", handoff);
    return close_frame(&writer, start, full, err);
}
