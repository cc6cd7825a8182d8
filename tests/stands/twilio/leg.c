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

const char *leg_answered_by(const struct call *call, bool to_the_end)
{
    const char *answer = leg_text(call, "answer"), *amd = leg_text(call, "amd");
    if (amd)
        return amd;
    if (answer && strcmp(answer, "machine") == 0)
        return to_the_end ? "machine_end_beep" : "machine_start";
    return "human";
}

double leg_detection_ms(const struct call *call)
{
    const char *answer = leg_text(call, "answer");
    bool machine = answer && strcmp(answer, "machine") == 0;
    double greeting_ms = leg_number(call, "greeting_ms", GREETING_MS);
    return leg_number(call, "amd_ms", machine && call->detects_end ? greeting_ms : DETECT_MS);
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
    stand_form_add(&form, "AnsweredBy", leg_answered_by(call, call->detects_end));
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
