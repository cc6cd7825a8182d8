/*
 * Recording events: into the stand-in's ledger of calls, and the numbers of its entries into the
 * call. Called by everything that does something in a call.
 */
#include "stands/twilio/events.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stands/twilio/calls.h"

enum { MEMBERS_MAX = 4 * 1024 * 1024, TEXT_MAX = 64 * 1024, CALL_EVENTS_MAX = 1000000 };

void event_start(struct event *event, struct call *call, const char *kind)
{
    event->call = call;
    event->kind = kind;
    stand_buf_init(&event->members, MEMBERS_MAX);
}

static void name_member(struct event *event, const char *name)
{
    stand_buf_printf(&event->members, ",\"%s\":", name);
}

void event_bytes(struct event *event, const char *name, const char *text, size_t len)
{
    name_member(event, name);
    if (len <= TEXT_MAX) {
        stand_buf_json(&event->members, text, len);
        return;
    }
    stand_buf_json(&event->members, text, TEXT_MAX);
    stand_buf_puts(&event->members, ",\"truncated\":true");
}

void event_text(struct event *event, const char *name, const char *text)
{
    if (text) {
        event_bytes(event, name, text, strlen(text));
    } else {
        name_member(event, name);
        stand_buf_puts(&event->members, "null");
    }
}

void event_number(struct event *event, const char *name, double number)
{
    name_member(event, name);
    if (number == floor(number) && fabs(number) < 1e15)
        stand_buf_printf(&event->members, "%.0f", number);
    else
        stand_buf_printf(&event->members, "%.3f", number);
}

void event_flag(struct event *event, const char *name, bool flag)
{
    name_member(event, name);
    stand_buf_puts(&event->members, flag ? "true" : "false");
}

void event_end(struct event *event)
{
    struct call *call = event->call;
    struct stand_ledger *ledger = call->twilio->calls->events;
    const char *members = event->members.data ? event->members.data : "";
    uint64_t id = stand_ledger_add(ledger, event->kind, "",
                                   event->members.overflow ? ",\"truncated\":true" : members);
    stand_ledger_sid(ledger, id, call->sid);
    stand_buf_fini(&event->members);
    if (id == 0 || call->event_count == CALL_EVENTS_MAX)
        return;
    if (call->event_count == call->event_cap) {
        call->event_cap = call->event_cap ? call->event_cap * 2 : 32;
        size_t *grown = realloc(call->events, call->event_cap * sizeof *grown);
        if (!grown)
            abort();
        call->events = grown;
    }
    call->events[call->event_count++] = stand_ledger_count(ledger);
}

void event_error(struct call *call, int code, const char *message)
{
    struct event event;
    call->errors++;
    event_start(&event, call, "error");
    event_number(&event, "code", code);
    event_text(&event, "message", message);
    event_end(&event);
}

void event_json(const struct stand_ledger *ledger, size_t seq, struct stand_buf *out)
{
    struct stand_ledger_view view;
    stand_ledger_view(ledger, seq, &view);
    stand_buf_printf(out, "{\"seq\":%zu,\"time\":%.3f,\"call\":\"%s\",\"kind\":\"%s\"%s}", seq,
                     view.time_ms, view.sid ? view.sid : "", view.method, view.params);
}
