/*
 * The schema of TwiML for voice, after Twilio's pages on each verb. Called by twiml.c for every
 * element. A verb that the caller does not play (Enqueue, Refer, ...) is unknown here.
 */
#include "stands/twilio/twiml_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum text { TEXT_NONE, TEXT_NEEDED, TEXT_OPTIONAL };

static const struct element_rule {
    const char *name, *parents; /* parents: a list, each word between blanks */
    enum text text;
} elements[] = {
    {"Response", "  ", TEXT_NONE},
    {"Say", " Response Gather ", TEXT_NEEDED},
    {"Play", " Response Gather ", TEXT_OPTIONAL},
    {"Pause", " Response Gather ", TEXT_NONE},
    {"Gather", " Response ", TEXT_NONE},
    {"Record", " Response ", TEXT_NONE},
    {"Dial", " Response ", TEXT_OPTIONAL},
    {"Number", " Dial ", TEXT_NEEDED},
    {"Redirect", " Response ", TEXT_NEEDED},
    {"Hangup", " Response ", TEXT_NONE},
    {"Reject", " Response ", TEXT_NONE},
    {"Connect", " Response ", TEXT_NONE},
    {"ConversationRelay", " Connect ", TEXT_NONE},
    {"Language", " ConversationRelay ", TEXT_NONE},
    {"Parameter", " ConversationRelay ", TEXT_NONE},
};

/* SSML, which may stand in a Say and in itself. */
static const char ssml[] = " break emphasis lang p s phoneme prosody say-as sub w ";

enum kind { ANY, WHOLE, TRUTH, METHOD, URL, SOCKET, ONE_OF, SOME_OF };

static const struct attribute_rule {
    const char *element, *name;
    enum kind kind;
    long min, max;      /* of a WHOLE */
    const char *values; /* of ONE_OF and SOME_OF, each between blanks */
    bool needed;
} attributes[] = {
    {"Say", "voice", ANY, 0, 0, NULL, false},
    {"Say", "language", ANY, 0, 0, NULL, false},
    {"Say", "loop", WHOLE, 0, 1000, NULL, false},
    {"Play", "loop", WHOLE, 0, 1000, NULL, false},
    {"Play", "digits", ANY, 0, 0, NULL, false},
    {"Pause", "length", WHOLE, 0, 14400, NULL, false},
    {"Gather", "input", ONE_OF, 0, 0, " dtmf| speech| dtmf speech| speech dtmf|", false},
    {"Gather", "action", URL, 0, 0, NULL, false},
    {"Gather", "method", METHOD, 0, 0, NULL, false},
    {"Gather", "actionOnEmptyResult", TRUTH, 0, 0, NULL, false},
    {"Gather", "timeout", WHOLE, 0, 600, NULL, false},
    {"Gather", "speechTimeout", ANY, 0, 0, NULL, false},
    {"Gather", "speechModel", ANY, 0, 0, NULL, false},
    {"Gather", "language", ANY, 0, 0, NULL, false},
    {"Gather", "hints", ANY, 0, 0, NULL, false},
    {"Gather", "finishOnKey", ANY, 0, 0, NULL, false},
    {"Gather", "numDigits", WHOLE, 1, 1000, NULL, false},
    {"Gather", "profanityFilter", TRUTH, 0, 0, NULL, false},
    {"Gather", "partialResultCallback", URL, 0, 0, NULL, false},
    {"Gather", "partialResultCallbackMethod", METHOD, 0, 0, NULL, false},
    {"Gather", "enhanced", TRUTH, 0, 0, NULL, false},
    {"Gather", "bargeIn", TRUTH, 0, 0, NULL, false},
    {"Gather", "maxSpeechTime", WHOLE, 1, 600, NULL, false},
    {"Gather", "debug", TRUTH, 0, 0, NULL, false},
    {"Record", "action", URL, 0, 0, NULL, false},
    {"Record", "method", METHOD, 0, 0, NULL, false},
    {"Record", "timeout", WHOLE, 0, 600, NULL, false},
    {"Record", "finishOnKey", ANY, 0, 0, NULL, false},
    {"Record", "maxLength", WHOLE, 1, 86400, NULL, false},
    {"Record", "playBeep", TRUTH, 0, 0, NULL, false},
    {"Record", "trim", ONE_OF, 0, 0, " trim-silence| do-not-trim|", false},
    {"Record", "recordingStatusCallback", URL, 0, 0, NULL, false},
    {"Record", "recordingStatusCallbackMethod", METHOD, 0, 0, NULL, false},
    {"Record", "recordingStatusCallbackEvent", SOME_OF, 0, 0, " in-progress| completed| absent|",
     false},
    {"Record", "transcribe", TRUTH, 0, 0, NULL, false},
    {"Record", "transcribeCallback", URL, 0, 0, NULL, false},
    {"Dial", "action", URL, 0, 0, NULL, false},
    {"Dial", "method", METHOD, 0, 0, NULL, false},
    {"Dial", "timeout", WHOLE, 5, 600, NULL, false},
    {"Dial", "timeLimit", WHOLE, 1, 86400, NULL, false},
    {"Dial", "callerId", ANY, 0, 0, NULL, false},
    {"Dial", "answerOnBridge", TRUTH, 0, 0, NULL, false},
    {"Dial", "hangupOnStar", TRUTH, 0, 0, NULL, false},
    {"Dial", "record", ONE_OF, 0, 0,
     " do-not-record| record-from-answer| record-from-ringing| record-from-answer-dual|"
     " record-from-ringing-dual|",
     false},
    {"Dial", "recordingStatusCallback", URL, 0, 0, NULL, false},
    {"Dial", "recordingStatusCallbackMethod", METHOD, 0, 0, NULL, false},
    {"Dial", "recordingStatusCallbackEvent", SOME_OF, 0, 0, " in-progress| completed| absent|",
     false},
    {"Dial", "ringTone", ANY, 0, 0, NULL, false},
    {"Dial", "sequential", TRUTH, 0, 0, NULL, false},
    {"Dial", "trim", ONE_OF, 0, 0, " trim-silence| do-not-trim|", false},
    {"Dial", "callReason", ANY, 0, 0, NULL, false},
    {"Number", "url", URL, 0, 0, NULL, false},
    {"Number", "method", METHOD, 0, 0, NULL, false},
    {"Number", "sendDigits", ANY, 0, 0, NULL, false},
    {"Number", "statusCallback", URL, 0, 0, NULL, false},
    {"Number", "statusCallbackMethod", METHOD, 0, 0, NULL, false},
    {"Number", "machineDetection", ONE_OF, 0, 0, " Enable| DetectMessageEnd|", false},
    {"Number", "amdStatusCallback", URL, 0, 0, NULL, false},
    {"Number", "amdStatusCallbackMethod", METHOD, 0, 0, NULL, false},
    {"Number", "statusCallbackEvent", SOME_OF, 0, 0, " initiated| ringing| answered| completed|",
     false},
    {"Redirect", "method", METHOD, 0, 0, NULL, false},
    {"Reject", "reason", ONE_OF, 0, 0, " rejected| busy|", false},
    {"Connect", "action", URL, 0, 0, NULL, false},
    {"Connect", "method", METHOD, 0, 0, NULL, false},
    {"ConversationRelay", "url", SOCKET, 0, 0, NULL, true},
    {"ConversationRelay", "welcomeGreeting", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "welcomeGreetingInterruptible", ONE_OF, 0, 0,
     " none| dtmf| speech| any| true| false|", false},
    {"ConversationRelay", "welcomeGreetingLanguage", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "language", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "ttsLanguage", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "transcriptionLanguage", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "ttsProvider", ONE_OF, 0, 0,
     " Google| Amazon| ElevenLabs| google| amazon| elevenlabs|", false},
    {"ConversationRelay", "voice", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "transcriptionProvider", ONE_OF, 0, 0,
     " Google| Deepgram| google| deepgram|", false},
    {"ConversationRelay", "speechModel", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "interruptible", ONE_OF, 0, 0, " none| dtmf| speech| any| true| false|",
     false},
    {"ConversationRelay", "interruptSensitivity", ONE_OF, 0, 0, " low| medium| high|", false},
    {"ConversationRelay", "reportInputDuringAgentSpeech", ONE_OF, 0, 0, " none| dtmf| speech| any|",
     false},
    {"ConversationRelay", "preemptible", TRUTH, 0, 0, NULL, false},
    {"ConversationRelay", "dtmfDetection", TRUTH, 0, 0, NULL, false},
    {"ConversationRelay", "hints", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "speechTimeout", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "eotThreshold", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "partialPrompts", TRUTH, 0, 0, NULL, false},
    {"ConversationRelay", "ignoreBackchannel", TRUTH, 0, 0, NULL, false},
    {"ConversationRelay", "deepgramSmartFormat", TRUTH, 0, 0, NULL, false},
    {"ConversationRelay", "elevenlabsTextNormalization", ONE_OF, 0, 0, " on| auto| off|", false},
    {"ConversationRelay", "profanityFilter", TRUTH, 0, 0, NULL, false},
    {"ConversationRelay", "backgroundNoiseReduction", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "events", SOME_OF, 0, 0, " speaker-events| tokens-played|", false},
    {"ConversationRelay", "debug", SOME_OF, 0, 0, " debugging| speaker-events| tokens-played|",
     false},
    {"ConversationRelay", "intelligenceService", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "conversationConfiguration", ANY, 0, 0, NULL, false},
    {"ConversationRelay", "conversationId", ANY, 0, 0, NULL, false},
    {"Language", "code", ANY, 0, 0, NULL, true},
    {"Language", "ttsProvider", ANY, 0, 0, NULL, false},
    {"Language", "voice", ANY, 0, 0, NULL, false},
    {"Language", "transcriptionProvider", ANY, 0, 0, NULL, false},
    {"Language", "speechModel", ANY, 0, 0, NULL, false},
    {"Parameter", "name", ANY, 0, 0, NULL, true},
    {"Parameter", "value", ANY, 0, 0, NULL, true},
};

enum { RULES = sizeof attributes / sizeof attributes[0] };

__attribute__((format(printf, 3, 4))) static int complain(struct twiml_problem *problem, int code,
                                                          const char *format, ...)
{
    va_list arguments;
    problem->code = code;
    va_start(arguments, format);
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    va_end(arguments);
    return -1;
}

/* Whether `list` holds the `len` bytes of `word` between a blank and `end`. */
static bool holds(const char *list, const char *word, size_t len, char end)
{
    for (const char *at = list; (at = strchr(at, ' ')) != NULL; at++) {
        if (strncmp(at + 1, word, len) == 0 && at[1 + len] == end)
            return true;
    }
    return false;
}

static bool whole(const char *text, long min, long max)
{
    char *end;
    if (!*text || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
        return false;
    long number = strtol(text, &end, 10);
    return number >= min && number <= max;
}

static bool all_of(const char *values, const char *text)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, " ");
        if (len && !holds(values, at, len, '|'))
            return false;
        at += len + (at[len] == ' ');
    }
    return true;
}

static bool fits(const struct attribute_rule *rule, const char *value)
{
    switch (rule->kind) {
    case WHOLE:
        return whole(value, rule->min, rule->max);
    case TRUTH:
        return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
    case METHOD:
        return strcmp(value, "GET") == 0 || strcmp(value, "POST") == 0;
    case URL:
        return *value && !strpbrk(value, " \t\r\n");
    case SOCKET:
        return strncmp(value, "wss://", 6) == 0 && !strpbrk(value, " \t\r\n");
    case ONE_OF:
        return holds(rule->values, value, strlen(value), '|');
    case SOME_OF:
        return all_of(rule->values, value);
    case ANY:
    default:
        return true;
    }
}

static const struct attribute_rule *find_attribute(const char *element, const char *name)
{
    for (size_t i = 0; i < RULES; i++) {
        if (strcmp(attributes[i].element, element) == 0 && strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    }
    return NULL;
}

static int check_attributes(const struct twiml_element *element, struct twiml_problem *problem)
{
    for (size_t i = 0; i < element->attribute_count; i++) {
        const struct twiml_attribute *attribute = &element->attributes[i];
        const struct attribute_rule *rule = find_attribute(element->name, attribute->name);
        if (!rule)
            return complain(problem, 12200, "%.60s has no attribute %.60s", element->name,
                            attribute->name);
        if (!fits(rule, attribute->value))
            return complain(problem, 12200, "a wrong value of %.60s in %.60s", attribute->name,
                            element->name);
    }
    for (size_t i = 0; i < RULES; i++) {
        if (attributes[i].needed && strcmp(attributes[i].element, element->name) == 0 &&
            !twiml_attribute(element, attributes[i].name))
            return complain(problem, 12200, "%.60s needs the attribute %.60s", element->name,
                            attributes[i].name);
    }
    return 0;
}

static bool blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* Text of its own: what stands between its children does not count as that of a Dial. */
static int check_text(const struct element_rule *rule, const struct twiml_element *element,
                      struct twiml_problem *problem)
{
    bool container = element->child_count > 0 && strcmp(element->name, "Say") != 0;
    if (rule->text == TEXT_NEEDED && blank(element->text))
        return complain(problem, 12200, "%.60s needs a text", element->name);
    if (rule->text == TEXT_NONE && !container && !blank(element->text))
        return complain(problem, 12200, "%.60s has no text", element->name);
    return 0;
}

int twiml_schema_check(const struct twiml_element *element, const char *parent,
                       struct twiml_problem *problem)
{
    const struct element_rule *rule = NULL;
    size_t parent_len = strlen(parent);
    if (parent_len == 0 && strcmp(element->name, "Response") != 0)
        return complain(problem, 12100, "the root is %.60s, not Response", element->name);
    bool in_speech = strcmp(parent, "Say") == 0 || holds(ssml, parent, parent_len, ' ');
    if (in_speech && parent_len) {
        if (holds(ssml, element->name, strlen(element->name), ' '))
            return 0;
        return complain(problem, 12200, "%.60s is no SSML that %.60s takes", element->name, parent);
    }
    for (size_t i = 0; i < sizeof elements / sizeof elements[0] && !rule; i++) {
        if (strcmp(elements[i].name, element->name) == 0)
            rule = &elements[i];
    }
    if (!rule)
        return complain(problem, 12200, "an unknown verb or noun: %.60s", element->name);
    if (!holds(rule->parents, parent, parent_len, ' '))
        return complain(problem, 12200, "%.60s does not belong into %.60s", element->name,
                        parent_len ? parent : "the document's top");
    if (check_attributes(element, problem) != 0)
        return -1;
    return check_text(rule, element, problem);
}
