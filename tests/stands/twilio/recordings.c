/*
 * The recordings' store, their status callbacks and their part of the REST API. Called by record.c,
 * dial.c, call.c and calls_rest.c.
 */
#include "stands/twilio/recordings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/lib/ids.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/events.h"
#include "stands/twilio/list.h"
#include "stands/twilio/progress.h"

enum {
    HEAD_BYTES = 44,
    BYTES_A_SECOND = 8000,
    TRANSCRIBED_S_MIN = 2,
    TRANSCRIBED_S_MAX = 120,
    MEDIA_BYTES_MAX = 64 * 1024 * 1024,
    ANSWER_MAX = 4 * 1024 * 1024
};

struct recordings {
    struct recording **list;
    size_t count, cap;
};

struct recordings *recordings_new(void)
{
    return stand_alloc(sizeof(struct recordings));
}

void recordings_reset(struct recordings *recordings)
{
    for (size_t i = 0; i < recordings->count; i++)
        free(recordings->list[i]);
    recordings->count = 0;
}

void recording_url(const struct twilio *twilio, const struct recording *recording, char *url)
{
    snprintf(url, RECORDING_URL_MAX, "http://127.0.0.1:%d/2010-04-01/Accounts/%s/Recordings/%s",
             stand_server_port(twilio->app.server), recording->account->sid, recording->sid);
}

static struct recording *add(struct call *call, const struct recording_draft *draft)
{
    struct recordings *recordings = call->twilio->calls->recordings;
    if (recordings->count == RECORDINGS_MAX)
        return NULL;
    if (recordings->count == recordings->cap) {
        recordings->cap = recordings->cap ? recordings->cap * 2 : 64;
        struct recording **grown =
            realloc(recordings->list, recordings->cap * sizeof(struct recording *));
        if (!grown)
            abort();
        recordings->list = grown;
    }
    struct recording *recording = stand_alloc(sizeof *recording);
    stand_sid(recording->sid, "RE");
    recording->account = call->account;
    memcpy(recording->call_sid, call->sid, sizeof recording->call_sid);
    recording->source = draft->source;
    recording->status = "in-progress";
    recording->started_ms = draft->started_ms;
    recordings->list[recordings->count++] = recording;
    return recording;
}

static void date_text(double ms, char *out, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(out, size, "%a, %d %b %Y %H:%M:%S +0000", &parts);
}

/* Sends a status callback when its URL wants this status. */
static void tell(struct call *call, const struct recording *recording, const char *callback,
                 const char *events, const char *status, double wait_ms)
{
    char url[RECORDING_URL_MAX], seconds[32], start[64];
    struct stand_form form;
    if (!callback || !strstr(events ? events : "completed", status))
        return;
    recording_url(call->twilio, recording, url);
    snprintf(seconds, sizeof seconds, "%.0f", recording->seconds);
    date_text(recording->started_ms, start, sizeof start);
    stand_form_borrow(&form);
    stand_form_add(&form, "AccountSid", call->account->sid);
    stand_form_add(&form, "CallSid", call->sid);
    stand_form_add(&form, "RecordingSid", recording->sid);
    stand_form_add(&form, "RecordingUrl", url);
    stand_form_add(&form, "RecordingStatus", status);
    stand_form_add(&form, "RecordingDuration", seconds);
    stand_form_add(&form, "RecordingChannels", "1");
    stand_form_add(&form, "RecordingStartTime", start);
    stand_form_add(&form, "RecordingSource", recording->source);
    progress_send(call, callback, &form, wait_ms);
}

/* Of 2 to 120 s; what is shorter or longer is never told. */
static void tell_transcript(struct call *call, const struct recording *recording,
                            const struct recording_draft *draft)
{
    const char *how = call->settings.transcription;
    char url[RECORDING_URL_MAX], sid[35];
    struct stand_form form;
    if (!draft->transcribe_callback || draft->empty || recording->seconds < TRANSCRIBED_S_MIN ||
        recording->seconds > TRANSCRIBED_S_MAX || (how && strcmp(how, "none") == 0))
        return;
    bool failed = how && strcmp(how, "failed") == 0;
    recording_url(call->twilio, recording, url);
    stand_sid(sid, "TR");
    stand_form_borrow(&form);
    stand_form_add(&form, "AccountSid", call->account->sid);
    stand_form_add(&form, "ApiVersion", "2010-04-01");
    stand_form_add(&form, "CallSid", call->sid);
    stand_form_add(&form, "CallStatus", call_status(call));
    stand_form_add(&form, "Direction", call->direction);
    stand_form_add(&form, "From", call->from);
    stand_form_add(&form, "To", call->to);
    stand_form_add(&form, "RecordingSid", recording->sid);
    stand_form_add(&form, "RecordingUrl", url);
    stand_form_add(&form, "TranscriptionSid", sid);
    stand_form_add(&form, "TranscriptionStatus", failed ? "failed" : "completed");
    stand_form_add(&form, "TranscriptionText", failed ? "" : draft->words);
    progress_send(call, draft->transcribe_callback, &form, call->settings.transcription_delay_ms);
}

static void finish(struct call *call, struct recording *recording,
                   const struct recording_draft *draft)
{
    const struct call_settings *settings = &call->settings;
    double now_ms = calls_now(call->twilio->calls);
    recording->seconds = draft->seconds;
    recording->status = draft->empty                 ? "absent"
                        : settings->recording_status ? settings->recording_status
                                                     : "completed";
    recording->ready_ms = now_ms + settings->recording_delay_ms;
    double bytes = settings->recording_bytes > 0 ? settings->recording_bytes
                                                 : HEAD_BYTES + recording->seconds * BYTES_A_SECOND;
    recording->bytes = bytes < MEDIA_BYTES_MAX ? (size_t)bytes : MEDIA_BYTES_MAX;
    struct event event;
    event_start(&event, call, "recording");
    event_text(&event, "recording", recording->sid);
    event_text(&event, "status", recording->status);
    event_number(&event, "seconds", recording->seconds);
    event_number(&event, "bytes", (double)recording->bytes);
    event_end(&event);
    tell(call, recording, draft->callback, draft->events, recording->status,
         settings->recording_delay_ms);
    tell_transcript(call, recording, draft);
}

struct recording *recordings_add(struct call *call, const struct recording_draft *draft)
{
    struct recording *recording = add(call, draft);
    if (recording)
        finish(call, recording, draft);
    return recording;
}

struct recording *recordings_start(struct call *call, const struct recording_draft *draft)
{
    struct recording *recording = add(call, draft);
    if (recording)
        tell(call, recording, draft->callback, draft->events, "in-progress", 0);
    return recording;
}

void recordings_stop(struct call *call, const char *sid)
{
    struct recordings *recordings = call->twilio->calls->recordings;
    double now_ms = calls_now(call->twilio->calls);
    for (size_t i = recordings->count; i > 0; i--) {
        struct recording *recording = recordings->list[i - 1];
        if (recording->ready_ms > 0 || strcmp(recording->call_sid, call->sid) != 0 ||
            (sid && strcmp(sid, recording->sid) != 0))
            continue;
        struct recording_draft draft = {.seconds = (now_ms - recording->started_ms) / 1000};
        finish(call, recording, &draft);
    }
}

/* --- REST --- */

static void render(const struct recording *recording, struct stand_buf *out)
{
    char start[64];
    date_text(recording->started_ms, start, sizeof start);
    stand_buf_printf(out,
                     "{\"sid\":\"%s\",\"account_sid\":\"%s\",\"call_sid\":\"%s\","
                     "\"status\":\"%s\",\"duration\":\"%.0f\",\"channels\":1,\"source\":\"%s\","
                     "\"date_created\":\"%s\",\"start_time\":\"%s\",\"api_version\":\"2010-04-01\","
                     "\"uri\":\"/2010-04-01/Accounts/%s/Recordings/%s.json\"}",
                     recording->sid, recording->account->sid, recording->call_sid,
                     recording->status, recording->seconds, recording->source, start, start,
                     recording->account->sid, recording->sid);
}

static struct recording *find(const struct twilio *twilio, const struct account *account,
                              const char *sid)
{
    const struct recordings *recordings = twilio->calls->recordings;
    for (size_t i = recordings->count; i > 0; i--) {
        struct recording *recording = recordings->list[i - 1];
        if (recording->account == account && !recording->deleted &&
            strncmp(recording->sid, sid, 34) == 0)
            return recording;
    }
    return NULL;
}

static void list(struct twilio *twilio, struct stand_call *request, const struct account *account,
                 const struct call *call)
{
    const struct twilio_request *parsed = request->parsed;
    const struct recordings *recordings = twilio->calls->recordings;
    const char *call_sid = call ? call->sid : stand_form_get(&parsed->form, "CallSid");
    const char *since = stand_form_get(&parsed->form, "DateCreated>");
    int64_t since_ms = INT64_MIN, until_ms;
    if (since && list_parse_date(since, &since_ms, &until_ms) != 0) {
        twilio_fail(request, 400, 20001, NULL);
        return;
    }
    struct stand_buf out;
    size_t found = 0;
    stand_buf_init(&out, ANSWER_MAX);
    stand_buf_puts(&out, "{\"recordings\":[");
    for (size_t i = recordings->count; i > 0 && found < 1000; i--) {
        const struct recording *recording = recordings->list[i - 1];
        if (recording->account != account || recording->deleted ||
            (int64_t)recording->started_ms < since_ms ||
            (call_sid && strcmp(call_sid, recording->call_sid) != 0))
            continue;
        stand_buf_puts(&out, found++ ? "," : "");
        render(recording, &out);
    }
    stand_buf_printf(&out,
                     "],\"page\":0,\"page_size\":1000,\"start\":0,\"end\":%zu,"
                     "\"next_page_uri\":null,\"previous_page_uri\":null}",
                     found ? found - 1 : 0);
    twilio_answer(request, 200, &out);
    stand_buf_fini(&out);
}

static void put_number(char *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(number >> (8 * i));
}

static void answer_media(struct stand_call *request, const struct recording *recording,
                         const char *type)
{
    static const char head[HEAD_BYTES + 1] = "RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0"
                                             "\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data....";
    char *body = stand_alloc(recording->bytes + 1);
    for (size_t i = 0; i < recording->bytes; i++)
        body[i] = i < HEAD_BYTES ? head[i] : (char)(uint8_t)(i - HEAD_BYTES);
    if (recording->bytes >= HEAD_BYTES) {
        put_number(body + 4, (uint32_t)recording->bytes - 8);
        put_number(body + 40, (uint32_t)recording->bytes - HEAD_BYTES);
    }
    struct stand_answer answer = {
        .status = 200, .content_type = type, .body = body, .len = recording->bytes};
    stand_call_reply(request, &answer);
    free(body);
}

static void answer_one(struct stand_call *request, const struct recording *recording, int status)
{
    struct stand_buf out;
    stand_buf_init(&out, ANSWER_MAX);
    render(recording, &out);
    twilio_answer(request, status, &out);
    stand_buf_fini(&out);
}

static void start(struct twilio *twilio, struct stand_call *request, struct call *call)
{
    const struct twilio_request *parsed = request->parsed;
    struct recording_draft draft = {.source = "StartCallRecordingAPI",
                                    .callback =
                                        stand_form_get(&parsed->form, "RecordingStatusCallback"),
                                    .events = "in-progress",
                                    .started_ms = calls_now(twilio->calls)};
    const struct recording *recording =
        call->state == CALL_IN_PROGRESS ? recordings_start(call, &draft) : NULL;
    if (recording)
        answer_one(request, recording, 201);
    else
        twilio_fail(request, 400, 21220, NULL);
}

/* One recording: its metadata, its media, an update or its end. */
static void route_one(struct twilio *twilio, struct stand_call *request,
                      const struct account *account, struct call *call, const char *name)
{
    const struct twilio_request *parsed = request->parsed;
    const char *method = stand_exchange_method(request->x);
    const char *ending = strlen(name) >= 34 ? name + 34 : "?";
    struct recording *recording = *ending == '?' ? NULL : find(twilio, account, name);
    bool media = strcmp(ending, "") == 0 || strcmp(ending, ".wav") == 0;
    bool mp3 = strcmp(ending, ".mp3") == 0, json = strcmp(ending, ".json") == 0;
    bool get = strcmp(method, "GET") == 0;
    if (!recording || !(media || mp3 || json)) {
        twilio_fail(request, 404, 20404, NULL);
        return;
    }
    stand_ledger_sid(twilio->app.ledger, request->entry, recording->sid);
    if (get && json) {
        answer_one(request, recording, 200);
    } else if (get && (recording->ready_ms == 0 || recording->ready_ms > calls_now(twilio->calls) ||
                       strcmp(recording->status, "completed") != 0)) {
        twilio_fail(request, 404, 20404, NULL); /* the file is not there yet, or never will be */
    } else if (get) {
        answer_media(request, recording, mp3 ? "audio/mpeg" : "audio/x-wav");
    } else if (strcmp(method, "DELETE") == 0) {
        struct stand_answer answer = {.status = 204, .body = ""};
        recording->deleted = true;
        stand_call_reply(request, &answer);
    } else if (call && json && stand_form_get(&parsed->form, "Status")) {
        recordings_stop(call, recording->sid);
        answer_one(request, recording, 200);
    } else {
        twilio_fail(request, 405, 20004, NULL);
    }
}

void recordings_route(struct twilio *twilio, struct stand_call *request, struct account *account,
                      struct call *call, const char *rest)
{
    bool post = strcmp(stand_exchange_method(request->x), "POST") == 0;
    if (*rest == '/')
        route_one(twilio, request, account, call, rest + 1);
    else if (strcmp(rest, ".json") != 0)
        twilio_fail(request, 404, 20404, NULL);
    else if (post && call)
        start(twilio, request, call);
    else if (post)
        twilio_fail(request, 405, 20004, NULL);
    else
        list(twilio, request, account, call);
}
