/* The writer of TwiML. Attributes are tables, so that each is checked and escaped by the same few
 * lines; elements are opened and closed here only, so that no document is unbalanced. Called by
 * ingress for every answer to a voice webhook, and for calls that we place or change by REST. */
#include "contract/twiml_inside.h"

#include <string.h>

#include "base/text.h"
#include "contract/relay.h"

static const char *const interruptions[] = {"none", "dtmf", "speech", "any", NULL};
static const char *const inputs[] = {"dtmf", "speech", "dtmf speech", NULL};
static const char *const sensitivities[] = {"low", "medium", "high", NULL};
static const char *const relay_events[] = {"speaker-events", "tokens-played", NULL};
static const char *const call_events[] = {"initiated", "ringing", "answered", "completed", NULL};
static const char *const recording_events[] = {"in-progress", "completed", "absent", NULL};
static const char *const detections[] = {"Enable", "DetectMessageEnd", NULL};
static const char *const trims[] = {"trim-silence", "do-not-trim", NULL};
static const char *const methods[] = {"GET", "POST", NULL};

/* ---- elements ---- */

static void push(struct twiml *twiml, const char *name)
{
    strbuf_add_char(&twiml->out, '>');
    if ((size_t)twiml->depth == sizeof twiml->open / sizeof twiml->open[0])
        twiml_fail(twiml, "twiml.order", "it is nested too deep", name);
    else
        twiml->open[twiml->depth++] = name;
}

static void pop(struct twiml *twiml, const char *name)
{
    if (twiml->depth == 0 || strcmp(twiml->open[twiml->depth - 1], name) != 0) {
        twiml_fail(twiml, "twiml.order", "it is closed but not the last that was opened", name);
        return;
    }
    twiml->depth--;
    strbuf_printf(&twiml->out, "</%s>", name);
}

static void add_content(struct twiml *twiml, const char *name, const char *text)
{
    push(twiml, name);
    twiml_add_escaped(&twiml->out, text, strlen(text));
    pop(twiml, name);
}

static void add_end_of_empty(struct twiml *twiml)
{
    strbuf_add_text(&twiml->out, "/>");
}

enum verb {
    VERB_SAY,
    VERB_GATHER,
    VERB_REDIRECT,
    VERB_HANGUP,
    VERB_REJECT,
    VERB_CONNECT,
    VERB_DIAL,
    VERB_RECORD,
};

static const struct {
    const char *name;
    bool in_gather; /* may stand in a Gather */
    bool is_last;   /* nothing behind it is ever run */
    bool alone;
} verbs[] = {
    [VERB_SAY] = {"Say", true, false, false},
    [VERB_GATHER] = {"Gather", false, false, false},
    [VERB_REDIRECT] = {"Redirect", false, true, false},
    [VERB_HANGUP] = {"Hangup", false, true, false},
    [VERB_REJECT] = {"Reject", false, true, true},
    [VERB_CONNECT] = {"Connect", false, true, false},
    [VERB_DIAL] = {"Dial", false, true, false},
    [VERB_RECORD] = {"Record", false, false, false},
};

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* Writes the beginning of a verb's element; false if none may be written here. */
static bool begin_verb(struct twiml *twiml, enum verb verb)
{
    const char *name = verbs[verb].name;
    bool inside = twiml->depth > 1;
    if (twiml->failed)
        return false;
    if (twiml->finished)
        return twiml_fail(twiml, "twiml.order", "the document is finished", name);
    if (twiml->over)
        return twiml_fail(twiml, "twiml.order", "nothing runs behind the verb before it", name);
    if (inside && !verbs[verb].in_gather)
        return twiml_fail(twiml, "twiml.order", "it may not stand in a Gather", name);
    if (verbs[verb].alone && twiml->verbs > 0)
        return twiml_fail(twiml, "twiml.order", "it must be the only verb", name);
    if (twiml->verbs++ == 0) {
        strbuf_add_text(&twiml->out, HEAD "<Response");
        push(twiml, "Response");
    }
    if (!inside)
        twiml->needs_more = false;
    twiml->over = verbs[verb].is_last;
    strbuf_printf(&twiml->out, "<%s", name);
    return true;
}

/* ---- the document ---- */

void twiml_init(struct twiml *twiml)
{
    *twiml = (struct twiml){.depth = 0};
    strbuf_init(&twiml->out, TWIML_BYTES_MAX);
}

void twiml_fini(struct twiml *twiml)
{
    strbuf_fini(&twiml->out);
}

int twiml_finish(struct twiml *twiml, struct err *err)
{
    if (twiml->finished)
        twiml_fail(twiml, "twiml.order", "the document is finished twice", "Response");
    if (twiml->depth > 1)
        twiml_fail(twiml, "twiml.order", "it is still open", twiml->open[twiml->depth - 1]);
    if (twiml->needs_more)
        twiml_fail(twiml, "twiml.order", "nothing follows it, and an empty result is not asked for",
                   "Gather");
    if (!twiml->failed && twiml->verbs == 0)
        strbuf_add_text(&twiml->out, HEAD "<Response/>");
    else if (!twiml->failed)
        pop(twiml, "Response");
    twiml->finished = true;
    if (twiml->out.overflow)
        twiml_fail(twiml, "twiml.size", "more than 64 kB", "Response");
    if (!twiml->failed)
        return 0;
    strbuf_clear(&twiml->out); /* nobody sends half a document */
    return err_set(err, ERR_BUG, twiml->bug.code, "TwiML was not written: %s", twiml->bug.message);
}

/* ---- simple verbs ---- */

void twiml_say(struct twiml *twiml, const struct twiml_voice *voice, const char *text)
{
    static const struct twiml_attribute attributes[] = {
        {"voice", TWIML_NAME, FIELD(twiml_voice, voice)},
        {"language", TWIML_NAME, FIELD(twiml_voice, language)},
    };
    if (!twiml_is_utf8(twiml, "Say", text) || twiml_is_blank(text) || !begin_verb(twiml, VERB_SAY))
        return;
    if (voice != NULL)
        ADD_ATTRIBUTES(twiml, attributes, voice);
    push(twiml, "Say");
    twiml_add_spoken(twiml, text);
    pop(twiml, "Say");
}

void twiml_redirect(struct twiml *twiml, const char *url)
{
    if (!begin_verb(twiml, VERB_REDIRECT))
        return;
    if (!twiml_is_url(url, "https://", "http://"))
        twiml_fail(twiml, "twiml.attribute", "it is no http or https URL", "Redirect");
    else
        add_content(twiml, "Redirect", url);
}

void twiml_hangup(struct twiml *twiml)
{
    if (begin_verb(twiml, VERB_HANGUP))
        add_end_of_empty(twiml);
}

void twiml_reject(struct twiml *twiml, bool busy)
{
    if (!begin_verb(twiml, VERB_REJECT))
        return;
    strbuf_printf(&twiml->out, " reason=\"%s\"", busy ? "busy" : "rejected");
    add_end_of_empty(twiml);
}

/* ---- Gather ---- */

void twiml_begin_gather(struct twiml *twiml, const struct twiml_gather *gather)
{
    static const struct twiml_attribute attributes[] = {
        {"input", TWIML_WORD, FIELD(twiml_gather, input), .required = true, .words = inputs},
        {"action", TWIML_URL, FIELD(twiml_gather, action), .required = true},
        {"actionOnEmptyResult", TWIML_FLAG, FIELD(twiml_gather, action_on_empty_result)},
        {"numDigits", TWIML_INT, FIELD(twiml_gather, num_digits), .min = 1, .max = 1000},
        {"timeout", TWIML_INT, FIELD(twiml_gather, timeout_s), .min = 1, .max = 600},
        {"speechTimeout", TWIML_INT, FIELD(twiml_gather, speech_timeout_s), .min = TWIML_AUTO,
         .max = 600},
        {"speechModel", TWIML_NAME, FIELD(twiml_gather, speech_model)},
        {"language", TWIML_NAME, FIELD(twiml_gather, language)},
        {"hints", TWIML_HINTS, FIELD(twiml_gather, hints)},
    };
    if (!begin_verb(twiml, VERB_GATHER))
        return;
    if (gather->speech_model != NULL && gather->speech_timeout_s == TWIML_AUTO)
        twiml_fail(twiml, "twiml.attribute", "it is not auto with a speechModel", "speechTimeout");
    ADD_ATTRIBUTES(twiml, attributes, gather);
    push(twiml, "Gather");
    twiml->needs_more = gather->action_on_empty_result != TWIML_YES;
}

void twiml_end_gather(struct twiml *twiml)
{
    if (!twiml->failed)
        pop(twiml, "Gather");
}

/* ---- Connect ---- */

static void add_language(struct twiml *twiml, const struct twiml_language *language)
{
    static const struct twiml_attribute attributes[] = {
        {"code", TWIML_NAME, FIELD(twiml_language, code), .required = true},
        {"ttsProvider", TWIML_NAME, FIELD(twiml_language, tts_provider)},
        {"voice", TWIML_NAME, FIELD(twiml_language, voice)},
        {"transcriptionProvider", TWIML_NAME, FIELD(twiml_language, transcription_provider)},
        {"speechModel", TWIML_NAME, FIELD(twiml_language, speech_model)},
    };
    strbuf_add_text(&twiml->out, "<Language");
    ADD_ATTRIBUTES(twiml, attributes, language);
    add_end_of_empty(twiml);
}

static void add_parameter(struct twiml *twiml, const char *name, const char *value)
{
    const struct parameter {
        const char *name, *value;
    } parameter = {name, value};
    static const struct twiml_attribute attributes[] = {
        {"name", TWIML_NAME, FIELD(parameter, name), .required = true},
        {"value", TWIML_NAME, FIELD(parameter, value), .required = true},
    };
    strbuf_add_text(&twiml->out, "<Parameter");
    ADD_ATTRIBUTES(twiml, attributes, &parameter);
    add_end_of_empty(twiml);
}

static const struct twiml_attribute relay_attributes[] = {
    {"url", TWIML_SOCKET, FIELD(twiml_relay, url), .required = true},
    {"welcomeGreeting", TWIML_SPOKEN, FIELD(twiml_relay, welcome_greeting)},
    {"welcomeGreetingInterruptible", TWIML_WORD, FIELD(twiml_relay, welcome_greeting_interruptible),
     .words = interruptions},
    {"language", TWIML_NAME, FIELD(twiml_relay, language)},
    {"ttsProvider", TWIML_NAME, FIELD(twiml_relay, tts_provider)},
    {"voice", TWIML_NAME, FIELD(twiml_relay, voice)},
    {"transcriptionProvider", TWIML_NAME, FIELD(twiml_relay, transcription_provider)},
    {"speechModel", TWIML_NAME, FIELD(twiml_relay, speech_model)},
    {"interruptible", TWIML_WORD, FIELD(twiml_relay, interruptible), .words = interruptions},
    {"interruptSensitivity", TWIML_WORD, FIELD(twiml_relay, interrupt_sensitivity),
     .words = sensitivities},
    {"reportInputDuringAgentSpeech", TWIML_WORD,
     FIELD(twiml_relay, report_input_during_agent_speech), .words = interruptions},
    {"preemptible", TWIML_FLAG, FIELD(twiml_relay, preemptible)},
    {"dtmfDetection", TWIML_FLAG, FIELD(twiml_relay, dtmf_detection)},
    {"hints", TWIML_HINTS, FIELD(twiml_relay, hints)},
    {"ignoreBackchannel", TWIML_FLAG, FIELD(twiml_relay, ignore_backchannel)},
    {"events", TWIML_LIST, FIELD(twiml_relay, events), .words = relay_events},
};

void twiml_connect(struct twiml *twiml, const struct twiml_relay *relay)
{
    static const struct twiml_attribute attributes[] = {
        {"action", TWIML_URL, FIELD(twiml_relay, action), .required = true},
    };
    if (!begin_verb(twiml, VERB_CONNECT))
        return;
    ADD_ATTRIBUTES(twiml, attributes, relay);
    push(twiml, "Connect");
    strbuf_add_text(&twiml->out, "<ConversationRelay");
    ADD_ATTRIBUTES(twiml, relay_attributes, relay);
    if (relay->language_count > TWIML_LANGUAGES_MAX)
        twiml_fail(twiml, "twiml.attribute", "there are more than 20", "Language");
    if (twiml->failed)
        return;
    if (relay->language_count == 0 && relay->attestation == NULL && relay->parted == NULL) {
        add_end_of_empty(twiml);
    } else {
        push(twiml, "ConversationRelay");
        for (size_t i = 0; i < relay->language_count; i++)
            add_language(twiml, &relay->languages[i]);
        if (relay->attestation != NULL)
            add_parameter(twiml, RELAY_ATTESTATION, relay->attestation);
        if (relay->parted != NULL)
            add_parameter(twiml, RELAY_PARTED, relay->parted);
        pop(twiml, "ConversationRelay");
    }
    pop(twiml, "Connect");
}

/* ---- Dial ---- */

static void add_number(struct twiml *twiml, const struct twiml_number *number)
{
    static const struct twiml_attribute attributes[] = {
        {"url", TWIML_URL, FIELD(twiml_number, url)},
        {"method", TWIML_WORD, FIELD(twiml_number, method), .words = methods},
        {"statusCallback", TWIML_URL, FIELD(twiml_number, status_callback)},
        {"statusCallbackEvent", TWIML_LIST, FIELD(twiml_number, status_callback_event),
         .words = call_events},
        {"machineDetection", TWIML_WORD, FIELD(twiml_number, machine_detection),
         .words = detections},
        {"amdStatusCallback", TWIML_URL, FIELD(twiml_number, amd_status_callback)},
    };
    strbuf_add_text(&twiml->out, "<Number");
    ADD_ATTRIBUTES(twiml, attributes, number);
    if (number->number == NULL || !text_is_e164(number->number))
        twiml_fail(twiml, "twiml.attribute", "it is no E.164 number", "Number");
    else
        add_content(twiml, "Number", number->number);
}

void twiml_dial(struct twiml *twiml, const struct twiml_dial *dial)
{
    static const struct twiml_attribute attributes[] = {
        {"action", TWIML_URL, FIELD(twiml_dial, action), .required = true},
        {"timeout", TWIML_INT, FIELD(twiml_dial, timeout_s), .min = 5, .max = 600},
        {"timeLimit", TWIML_INT, FIELD(twiml_dial, time_limit_s), .min = 1, .max = 14400},
        {"callerId", TWIML_NUMBER, FIELD(twiml_dial, caller_id)},
        {"answerOnBridge", TWIML_FLAG, FIELD(twiml_dial, answer_on_bridge)},
    };
    if (!begin_verb(twiml, VERB_DIAL))
        return;
    ADD_ATTRIBUTES(twiml, attributes, dial);
    if (dial->number_count == 0 || dial->number_count > TWIML_NUMBERS_MAX)
        twiml_fail(twiml, "twiml.attribute", "1 to 10 numbers are dialled", "Dial");
    push(twiml, "Dial");
    for (size_t i = 0; i < dial->number_count && !twiml->failed; i++)
        add_number(twiml, &dial->numbers[i]);
    pop(twiml, "Dial");
}

/* ---- Record ---- */

void twiml_record(struct twiml *twiml, const struct twiml_record *record)
{
    static const struct twiml_attribute attributes[] = {
        {"action", TWIML_URL, FIELD(twiml_record, action), .required = true},
        {"timeout", TWIML_INT, FIELD(twiml_record, timeout_s), .min = 1, .max = 600},
        {"finishOnKey", TWIML_KEYS, FIELD(twiml_record, finish_on_key)},
        {"maxLength", TWIML_INT, FIELD(twiml_record, max_length_s), .min = 1, .max = 14400},
        {"playBeep", TWIML_FLAG, FIELD(twiml_record, play_beep)},
        {"trim", TWIML_WORD, FIELD(twiml_record, trim), .words = trims},
        {"recordingStatusCallback", TWIML_URL, FIELD(twiml_record, recording_status_callback)},
        {"recordingStatusCallbackEvent", TWIML_LIST,
         FIELD(twiml_record, recording_status_callback_event), .words = recording_events},
        {"transcribe", TWIML_FLAG, FIELD(twiml_record, transcribe)},
        {"transcribeCallback", TWIML_URL, FIELD(twiml_record, transcribe_callback)},
    };
    if (!begin_verb(twiml, VERB_RECORD))
        return;
    bool short_enough = record->max_length_s >= 2 && record->max_length_s <= 120;
    if (record->transcribe == TWIML_YES && !short_enough)
        twiml_fail(twiml, "twiml.attribute", "it is 2 to 120 s with transcribe", "maxLength");
    ADD_ATTRIBUTES(twiml, attributes, record);
    add_end_of_empty(twiml);
}
