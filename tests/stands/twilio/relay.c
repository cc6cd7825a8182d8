/*
 * A ConversationRelay session, from the handshake to the action that hears how it ended. Called by
 * the runner (verbs.c), by the socket, by call.c for what the person does and by caller.c for
 * hostile frames.
 */
#include "stands/twilio/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/lib/form.h"
#include "stands/lib/ids.h"
#include "stands/lib/websocket.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/ear.h"
#include "stands/twilio/events.h"
#include "stands/twilio/fetch.h"
#include "stands/twilio/relay_frame.h"

enum {
    HANDSHAKE_MS = 15000, /* as for any call-related request */
    MESSAGE_MAX = 1024 * 1024,
    BAD_IN_ROW_MAX = 10,
    URL_MAX_BYTES = 8192,
    ERROR_DESCRIPTION_MAX = 500
};

struct relay {
    struct stand_websocket *ws; /* NULL: never opened, or over */
    const struct twiml_element *noun;
    char session[35];
    double started_ms;
    bool open, ending;
    bool cycle_holds;       /* the talk cycle in hand may not be interrupted */
    bool cycle_preemptible; /* the next talk cycle cuts it */
    int bad_in_row;
    uint64_t frames;
    char *handoff, *last_prompt;
    const char *lang; /* of speech */
};

static struct relay *relay_of(const struct call *call)
{
    return call->verb == &connect_verb ? call->verb_data : NULL;
}

bool relay_begun(const struct call *call)
{
    return relay_of(call) != NULL;
}

bool relay_open(const struct call *call)
{
    const struct relay *relay = relay_of(call);
    return relay && relay->open;
}

uint64_t relay_frames(const struct call *call)
{
    const struct relay *relay = relay_of(call);
    return relay ? relay->frames : 0;
}

static void record(struct call *call, const char *state, int code, const char *why)
{
    struct event event;
    const struct relay *relay = call->verb_data;
    event_start(&event, call, "relay");
    event_text(&event, "state", state);
    event_text(&event, "session", relay->session);
    event_number(&event, "code", code);
    event_text(&event, "reason", why);
    event_end(&event);
}

/* --- the end of a session --- */

static void free_relay(struct call *call)
{
    struct relay *relay = call->verb_data;
    free(relay->handoff);
    free(relay->last_prompt);
    free(relay);
    call->verb_data = NULL;
}

static void close_socket(struct relay *relay, int code)
{
    if (relay->ws)
        stand_websocket_close(relay->ws, code, NULL);
    relay->ws = NULL;
    relay->open = false;
}

struct outcome {
    const char *status; /* SessionStatus */
    int code;           /* of a failure */
    const char *message;
};

/* Ends the session and asks the action. */
static void finish(struct call *call, const struct outcome *outcome)
{
    struct relay *relay = call->verb_data;
    char seconds[32], code[16], session[35];
    struct stand_form form;
    double ms = calls_now(call->twilio->calls) - relay->started_ms;
    bool failed = outcome->code != 0;
    close_socket(relay, STAND_CLOSE_NORMAL);
    record(call, outcome->status, outcome->code, outcome->message);
    snprintf(seconds, sizeof seconds, "%.0f", ms / 1000);
    snprintf(code, sizeof code, "%d", outcome->code);
    memcpy(session, relay->session, sizeof session);
    char *handoff = relay->handoff;
    relay->handoff = NULL;
    stand_form_borrow(&form);
    stand_form_add(&form, "SessionId", session);
    stand_form_add(&form, "SessionStatus", outcome->status);
    stand_form_add(&form, "SessionDuration", seconds);
    if (handoff)
        stand_form_add(&form, "HandoffData", handoff);
    if (failed) {
        stand_form_add(&form, "ErrorCode", code);
        stand_form_add(&form, "ErrorMessage", outcome->message);
    }
    free_relay(call);
    if (!call_over(call)) {
        ear_drop(call);
        ear_turn(call);
    }
    if (failed && !call_over(call) && !twiml_attribute(call->element, "action")) {
        call->verb = NULL; /* it has let go already */
        call_hang_up(call, CALL_FAILS, "relay");
    } else {
        verbs_action(call, &form);
    }
    free(handoff);
}

static void fail(struct call *call, int code, const char *message)
{
    struct outcome outcome = {.status = "failed", .code = code, .message = message};
    event_error(call, code, message);
    finish(call, &outcome);
}

static void relay_stop(struct call *call)
{
    record(call, "dropped", 0, NULL);
    close_socket(call->verb_data, STAND_CLOSE_NORMAL);
    free_relay(call);
}

static void relay_hung_up(struct call *call)
{
    struct outcome outcome = {.status = call->state == CALL_FAILED ? "failed" : "completed"};
    finish(call, &outcome);
}

/* --- sending --- */

static void send_json(struct call *call, cJSON *json)
{
    struct relay *relay = call->verb_data;
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text && relay->ws)
        stand_websocket_send(relay->ws, STAND_FRAME_TEXT, true, text, strlen(text));
    cJSON_free(text);
}

static cJSON *frame_of(const char *type)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "type", type);
    return json;
}

static void send_setup(struct call *call)
{
    struct relay *relay = call->verb_data;
    cJSON *json = frame_of("setup");
    const char *from = call->forwarded_from ? call->forwarded_from : "";
    cJSON_AddStringToObject(json, "sessionId", relay->session);
    cJSON_AddStringToObject(json, "accountSid", call->account->sid);
    cJSON_AddStringToObject(json, "parentCallSid", call->parent ? call->parent->sid : "");
    cJSON_AddStringToObject(json, "callSid", call->sid);
    cJSON_AddStringToObject(json, "from", call->from);
    cJSON_AddStringToObject(json, "to", call->to);
    cJSON_AddStringToObject(json, "forwardedFrom", from);
    cJSON_AddStringToObject(json, "callType", "PSTN");
    cJSON_AddStringToObject(json, "callerName", call->caller_name ? call->caller_name : "");
    cJSON_AddStringToObject(json, "direction", call->direction);
    cJSON_AddStringToObject(json, "callStatus", call->documents > 1 ? "IN-PROGRESS" : "RINGING");
    cJSON *parameters = cJSON_AddObjectToObject(json, "customParameters");
    for (size_t i = 0; i < relay->noun->child_count; i++) {
        const struct twiml_element *child = &relay->noun->children[i];
        if (strcmp(child->name, "Parameter") == 0)
            cJSON_AddStringToObject(parameters, twiml_attribute(child, "name"),
                                    twiml_attribute(child, "value"));
    }
    send_json(call, json);
}

static void send_error(struct call *call, const char *why, const char *data, size_t len)
{
    struct stand_buf text;
    cJSON *json = frame_of("error");
    stand_buf_init(&text, ERROR_DESCRIPTION_MAX * 2);
    stand_buf_puts(&text, "Invalid message received: ");
    stand_buf_add(&text, data, stand_utf8_prefix(data, len, ERROR_DESCRIPTION_MAX / 4));
    cJSON_AddStringToObject(json, "description",
                            stand_utf8_all(text.data, text.len) ? text.data : why);
    send_json(call, json);
    stand_buf_fini(&text);
}

/* Whether an attribute that lists kinds of input (none, dtmf, speech, any) has this one. */
static bool allows(const struct relay *relay, const char *name, const char *kind, bool fallback)
{
    const char *value = twiml_attribute(relay->noun, name);
    if (!value)
        return fallback;
    return strcmp(value, "any") == 0 || strcmp(value, "true") == 0 || strcmp(value, kind) == 0;
}

/* Input comes while something is spoken: stops it if that may be. Returns whether the input is to
 * be reported. */
static bool interrupt(struct call *call, const char *kind)
{
    struct relay *relay = call->verb_data;
    struct stand_buf heard, unheard;
    struct event event;
    double now_ms = calls_now(call->twilio->calls);
    if (!ear_busy(call))
        return true;
    if (relay->cycle_holds || !allows(relay, "interruptible", kind, true))
        return allows(relay, "reportInputDuringAgentSpeech", kind, false);
    stand_buf_init(&heard, AUDIBLE_TEXT_MAX);
    stand_buf_init(&unheard, AUDIBLE_TEXT_MAX);
    audible_heard(&call->audible, now_ms, &heard);
    audible_unheard(&call->audible, now_ms, &unheard);
    double ms = audible_for_ms(&call->audible, now_ms);
    event_start(&event, call, "interrupt");
    event_bytes(&event, "heard", heard.data ? heard.data : "", heard.len);
    event_bytes(&event, "unheard", unheard.data ? unheard.data : "", unheard.len);
    event_number(&event, "duration_ms", ms);
    event_end(&event);
    cJSON *json = frame_of("interrupt");
    cJSON_AddStringToObject(json, "utteranceUntilInterrupt", heard.data ? heard.data : "");
    cJSON_AddNumberToObject(json, "durationUntilInterruptMs", (double)(long)ms);
    send_json(call, json);
    ear_drop(call);
    stand_buf_fini(&heard);
    stand_buf_fini(&unheard);
    return true;
}

/* --- what the person does --- */

static bool relay_listens(const struct call *call)
{
    return relay_open(call);
}

static void relay_speech_began(struct call *call)
{
    struct relay *relay = call->verb_data;
    if (!relay->open)
        return;
    call->deaf = !interrupt(call, "speech");
    if (!ear_busy(call) && call->audible.open)
        ear_close(call, false); /* what comes after the speech is another talk cycle */
}

static void send_prompt(struct call *call)
{
    const struct relay *relay = call->verb_data;
    struct event event;
    call->prompts++;
    event_start(&event, call, "prompt");
    event_text(&event, "frame", relay->last_prompt);
    event_end(&event);
    stand_websocket_send(relay->ws, STAND_FRAME_TEXT, true, relay->last_prompt,
                         strlen(relay->last_prompt));
}

static void relay_speech(struct call *call, const struct speech *speech)
{
    struct relay *relay = call->verb_data;
    if (!relay->ws)
        return;
    cJSON *json = frame_of("prompt");
    cJSON_AddStringToObject(json, "voicePrompt", speech->text);
    cJSON_AddStringToObject(json, "lang", speech->lang ? speech->lang : relay->lang);
    cJSON_AddBoolToObject(json, "last", speech->last);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    free(relay->last_prompt);
    relay->last_prompt = stand_copy(text, strlen(text));
    cJSON_free(text);
    send_prompt(call);
}

static void relay_key(struct call *call, char key)
{
    struct relay *relay = call->verb_data;
    char digit[2] = {key, '\0'};
    if (!relay->open || !twiml_flag(relay->noun, "dtmfDetection", false))
        return;
    if (!interrupt(call, "dtmf"))
        return;
    ear_turn_over(call);
    ear_turn(call);
    cJSON *json = frame_of("dtmf");
    cJSON_AddStringToObject(json, "digit", digit);
    send_json(call, json);
}

void relay_send(struct call *call, int opcode, const char *data, size_t len, size_t fragments)
{
    struct relay *relay = relay_of(call);
    if (!relay || !relay->ws)
        return;
    size_t parts = fragments > 0 && fragments <= len ? fragments : 1;
    for (size_t i = 0; i < parts; i++) {
        size_t from = len * i / parts, until = len * (i + 1) / parts;
        stand_websocket_send(relay->ws, i == 0 ? opcode : STAND_FRAME_CONTINUATION, i + 1 == parts,
                             data + from, until - from);
    }
}

void relay_again(struct call *call)
{
    const struct relay *relay = relay_of(call);
    if (relay && relay->ws && relay->last_prompt)
        send_prompt(call);
}

void relay_cut(struct call *call, bool reset)
{
    struct relay *relay = relay_of(call);
    if (!relay)
        return;
    if (relay->ws)
        stand_websocket_cut(relay->ws, reset);
    relay->ws = NULL;
    fail(call, 64105, "the socket was cut by the script");
}

void relay_close(struct call *call, int code)
{
    struct relay *relay = relay_of(call);
    if (!relay)
        return;
    close_socket(relay, code);
    fail(call, 64105, "the socket was closed by the script");
}

/* --- what the server sends --- */

static void take_text(struct call *call, const struct relay_frame *frame)
{
    struct relay *relay = call->verb_data;
    if (!call->audible.open) { /* a new talk cycle */
        if (relay->cycle_preemptible && ear_busy(call))
            ear_drop(call);
        relay->cycle_holds = !frame->interruptible;
        relay->cycle_preemptible =
            frame->preemptible || twiml_flag(relay->noun, "preemptible", false);
    }
    call->tokens++;
    if (*frame->token)
        ear_say(call, frame->token, strlen(frame->token));
    if (frame->last)
        ear_close(call, true);
}

static void send_digits(struct call *call, const char *digits)
{
    enum { DIGIT_MS = 250 };
    ear_sound(call, DIGIT_MS * (double)strlen(digits));
    ear_close(call, true);
}

static void take_end(struct call *call, const struct relay_frame *frame)
{
    struct relay *relay = call->verb_data;
    struct outcome outcome = {.status = "ended"};
    struct stand_buf unheard;
    struct event event;
    stand_buf_init(&unheard, AUDIBLE_TEXT_MAX);
    audible_unheard(&call->audible, calls_now(call->twilio->calls), &unheard);
    relay->handoff = frame->handoff ? stand_copy(frame->handoff, strlen(frame->handoff)) : NULL;
    event_start(&event, call, "end");
    event_text(&event, "handoffData", relay->handoff);
    event_bytes(&event, "unheard", unheard.data ? unheard.data : "", unheard.len);
    event_end(&event);
    stand_buf_fini(&unheard);
    if (call->settings.end_after_speech && ear_busy(call))
        relay->ending = true;
    else
        finish(call, &outcome);
}

static void record_frame(struct call *call, const struct relay_frame *frame)
{
    struct event event;
    event_start(&event, call, frame->type == RELAY_TEXT ? "token" : "frame");
    event_text(&event, "type", relay_frame_name(frame->type));
    const struct {
        const char *name, *value;
    } texts[] = {{"text", frame->token},
                 {"lang", frame->lang},
                 {"source", frame->source},
                 {"digits", frame->digits},
                 {"ttsLanguage", frame->tts_language},
                 {"transcriptionLanguage", frame->transcription_language}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].value)
            event_text(&event, texts[i].name, texts[i].value);
    }
    if (frame->type == RELAY_TEXT)
        event_flag(&event, "last", frame->last);
    event_end(&event);
}

static void act(struct call *call, const struct relay_frame *frame)
{
    struct relay *relay = call->verb_data;
    long loops = frame->loop == 0 ? 1000 : frame->loop;
    record_frame(call, frame);
    if (relay->ending)
        return; /* nothing is taken after an end */
    switch (frame->type) {
    case RELAY_TEXT:
        take_text(call, frame);
        break;
    case RELAY_PLAY:
        ear_sound(call, call->settings.play_ms * (double)loops);
        ear_close(call, true);
        break;
    case RELAY_SEND_DIGITS:
        send_digits(call, frame->digits);
        break;
    case RELAY_LANGUAGE:
        break;
    case RELAY_END:
    case RELAY_FRAME_TYPES:
    default:
        take_end(call, frame);
        break;
    }
}

static void refuse_frame(struct call *call, const char *why, const char *data, size_t len)
{
    struct relay *relay = call->verb_data;
    struct event event;
    call->errors++;
    event_start(&event, call, "error");
    event_number(&event, "code", 64107);
    event_text(&event, "message", why);
    event_bytes(&event, "frame", data, len);
    event_end(&event);
    send_error(call, why, data, len);
    if (++relay->bad_in_row < BAD_IN_ROW_MAX)
        return;
    close_socket(relay, STAND_CLOSE_NOT_UTF8);
    fail(call, 64105, "ten bad frames in a row");
}

static void on_message(void *user, bool text, const char *data, size_t len)
{
    struct call *call = user;
    struct relay *relay = call->verb_data;
    struct relay_frame frame;
    char why[128];
    relay->frames++;
    call->frames++;
    cJSON *json = text ? cJSON_ParseWithOpts(data, NULL, true) : NULL;
    if (!text)
        refuse_frame(call, "a binary frame", "", 0);
    else if (!json || memchr(data, '\0', len))
        refuse_frame(call, "not JSON", data, len);
    else if (relay_frame_read(json, &frame, why, sizeof why) != 0)
        refuse_frame(call, why, data, len);
    else {
        relay->bad_in_row = 0;
        act(call, &frame);
    }
    cJSON_Delete(json);
    call_changed(call);
}

/* --- the socket --- */

static void on_opened(void *user, int status, const char *why)
{
    struct call *call = user;
    struct relay *relay = call->verb_data;
    if (status != 101) {
        relay->ws = NULL;
        record(call, "refused", status, why);
        fail(call, 64102, why);
        return;
    }
    relay->open = true;
    record(call, "open", 0, NULL);
    if (!call->settings.no_setup)
        send_setup(call);
    const char *greeting = twiml_attribute(relay->noun, "welcomeGreeting");
    if (greeting && *greeting) {
        const char *may = twiml_attribute(relay->noun, "welcomeGreetingInterruptible");
        relay->cycle_holds = may && (strcmp(may, "none") == 0 || strcmp(may, "false") == 0 ||
                                     strcmp(may, "dtmf") == 0);
        ear_say(call, greeting, strlen(greeting));
        ear_close(call, true);
    }
    call_changed(call);
}

static void on_closed(void *user, int code, const char *why)
{
    struct call *call = user;
    struct relay *relay = call->verb_data;
    struct outcome ended = {.status = "ended"};
    relay->ws = NULL;
    relay->open = false;
    record(call, "closed", code, why);
    if (relay->ending)
        finish(call, &ended);
    else
        fail(call, 64105, "the socket ended");
}

static void relay_quiet(struct call *call)
{
    struct relay *relay = call->verb_data;
    struct outcome ended = {.status = "ended"};
    if (!call->audible.open)
        relay->cycle_holds = false;
    if (relay->ending)
        finish(call, &ended);
}

static void connect_start(struct call *call, const struct twiml_element *element)
{
    struct relay *relay = stand_alloc(sizeof *relay);
    const char *why = NULL, *language;
    struct stand_buf url, headers, signature;
    call->verb_data = relay;
    relay->noun = twiml_child(element, "ConversationRelay");
    relay->started_ms = calls_now(call->twilio->calls);
    stand_sid(relay->session, "VX");
    if (!relay->noun) {
        fail(call, 12200, "a Connect without ConversationRelay");
        return;
    }
    language = twiml_attribute(relay->noun, "transcriptionLanguage");
    if (!language)
        language = twiml_attribute(relay->noun, "language");
    relay->lang = language ? language : "en-US";
    stand_buf_init(&url, URL_MAX_BYTES);
    stand_buf_init(&headers, URL_MAX_BYTES);
    stand_buf_init(&signature, 64);
    const char *given = twiml_attribute(relay->noun, "url");
    stand_buf_add(&url, given, strcspn(given, "#"));
    stand_form_sign(NULL, url.data, call->token ? call->token : call->account->token, &signature);
    stand_buf_printf(&headers, "x-twilio-signature: %s\r\n", signature.data);
    struct stand_websocket_options options = {.url = url.data,
                                              .connect = call->twilio->relay_to,
                                              .headers = headers.data,
                                              .timeout_ms = HANDSHAKE_MS,
                                              .message_max = MESSAGE_MAX,
                                              .opened = on_opened,
                                              .message = on_message,
                                              .closed = on_closed,
                                              .user = call};
    relay->ws = stand_websocket_open(call->twilio->calls->loop, &options, &why);
    record(call, "connecting", 0, why);
    stand_buf_fini(&url);
    stand_buf_fini(&headers);
    stand_buf_fini(&signature);
    if (!relay->ws)
        fail(call, 64102, why);
}

const struct verb connect_verb = {
    .name = "Connect",
    .start = connect_start,
    .stop = relay_stop,
    .hung_up = relay_hung_up,
    .listens = relay_listens,
    .speech_began = relay_speech_began,
    .speech = relay_speech,
    .key = relay_key,
    .quiet = relay_quiet,
};
