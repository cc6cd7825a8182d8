/* Ringing at a callee. Called by dial.c and outbound.c. */
#include "stands/twilio/leg.h"

#include <stdio.h>
#include <string.h>

#include "stands/twilio/call_settings.h"
#include "stands/twilio/callees.h"
#include "stands/twilio/caller.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/progress.h"

enum { RING_MS = 500, DETECT_MS = 100, GREETING_MS = 3000 };

double leg_number(const struct call *call, const char *name, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(call->options, name);
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

const char *leg_text(const struct call *call, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(call->options, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

void leg_listen_as_usual(struct call *call)
{
    call->detect_silence_ms = 5000;
    call->detect_speech_ms = 2400;
    call->detect_end_ms = 1200;
    call->detect_timeout_ms = 30000;
}

/* What is found, and when. */
struct detection {
    const char *by;
    double ms;
};

/* As Twilio listens to who speaks for so long once the call is taken. */
static struct detection listen_to(const struct call *call, double speech_ms)
{
    if (speech_ms == 0)
        return (struct detection){"unknown", call->detect_silence_ms};
    if (speech_ms < call->detect_speech_ms)
        return (struct detection){"human", speech_ms + call->detect_end_ms};
    if (call->detects_end)
        return (struct detection){"machine_end_beep", speech_ms};
    return (struct detection){"machine_start", call->detect_speech_ms};
}

static struct detection detect(const struct call *call)
{
    const char *answer = leg_text(call, "answer"), *amd = leg_text(call, "amd");
    const bool machine = answer && strcmp(answer, "machine") == 0;
    const double speech_ms = leg_number(call, "speech_ms", -1);
    struct detection found = {"human", DETECT_MS};
    if (speech_ms >= 0)
        found = listen_to(call, speech_ms);
    else if (machine && call->detects_end)
        found =
            (struct detection){"machine_end_beep", leg_number(call, "greeting_ms", GREETING_MS)};
    else if (machine)
        found.by = "machine_start";
    found.by = amd ? amd : found.by;
    found.ms = leg_number(call, "amd_ms", found.ms);
    if (found.ms > call->detect_timeout_ms)
        found = (struct detection){"unknown", call->detect_timeout_ms};
    return found;
}

const char *leg_answered_by(const struct call *call)
{
    return detect(call).by;
}

double leg_detection_ms(const struct call *call)
{
    return detect(call).ms;
}

void leg_detect_aside(struct call *call)
{
    struct stand_form form;
    char ms[32];
    double wait_ms = leg_detection_ms(call) / call->settings.speed;
    if (!call->amd_callback)
        return;
    snprintf(ms, sizeof ms, "%.0f", wait_ms);
    stand_form_borrow(&form);
    stand_form_add(&form, "CallSid", call->sid);
    stand_form_add(&form, "AccountSid", call->account->sid);
    stand_form_add(&form, "AnsweredBy", leg_answered_by(call));
    stand_form_add(&form, "MachineDetectionDuration", ms);
    progress_send(call, call->amd_callback, &form, wait_ms);
}

static void on_timeout(struct call *call)
{
    call_hang_up(call, CALL_IS_NOT_ANSWERED, "timeout");
}

static void on_taken(struct call *call)
{
    void (*answered)(struct call *) = call->on_taken;
    call_answer(call);
    caller_start(call, cJSON_GetObjectItemCaseSensitive(call->options, "script"));
    if (!call_over(call))
        answered(call);
}

static void on_busy(struct call *call)
{
    call_hang_up(call, CALL_IS_BUSY, "callee");
}

static void on_failure(struct call *call)
{
    call_hang_up(call, CALL_FAILS, "carrier");
}

void leg_dial(struct call *call, double timeout_ms, void (*answered)(struct call *call))
{
    cJSON_Delete(call->options);
    call->options = callees_take(call->twilio->calls->callees, call->to);
    call_settings_read(call, call->options);
    call->on_taken = answered;
    const char *answer = leg_text(call, "answer");
    double ring_ms = leg_number(call, "ring_ms", RING_MS);
    progress_note(call, PROGRESS_INITIATED);
    call_move(call, CALL_RINGS);
    void (*then)(struct call *) = on_taken;
    if (answer && strcmp(answer, "busy") == 0)
        then = on_busy;
    else if (answer && strcmp(answer, "failed") == 0)
        then = on_failure;
    if ((answer && strcmp(answer, "no-answer") == 0) || ring_ms > timeout_ms)
        call_after(call, timeout_ms, on_timeout);
    else
        call_after(call, ring_ms, then);
}
