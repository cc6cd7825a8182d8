/* Reading of the two lists, and what is made of them: see twilio_calls.h. */
#include "contract/twilio_calls.h"

#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "contract/twilio_call.h"
#include "contract/twilio_call_end.h"
#include "contract/twilio_page.h"
#include "contract/voice.h"
#include "json/json.h"

static const struct list {
    const char *path, *member, *sid;
} lists[] = {[TWILIO_CALLS] = {"Calls", "calls", "CA"},
             [TWILIO_RECORDINGS] = {"Recordings", "recordings", "RE"},
             [TWILIO_PLACED] = {"Calls", "calls", "CA"}};

const char *twilio_calls_url(struct arena *arena, const struct twilio_calls_query *query)
{
    struct strbuf url;
    strbuf_init(&url, 2048);
    strbuf_printf(&url, "%s/2010-04-01/Accounts/%s/%s.json?PageSize=1000", query->base,
                  query->account_sid, lists[query->kind].path);
    if (query->kind != TWILIO_RECORDINGS) {
        strbuf_add_text(&url, query->kind == TWILIO_CALLS ? "&To=" : "&From=");
        text_add_percent(&url, query->number);
    }
    if (query->kind != TWILIO_PLACED)
        twilio_page_add_day(&url, query->kind == TWILIO_CALLS ? "StartTime" : "DateCreated",
                            query->since_ms);
    const char *text = arena_strdup(arena, url.data);
    strbuf_fini(&url);
    return text;
}

static const char *member(struct arena *arena, const struct json *item, const char *name)
{
    const char *text = json_member_text(item, name);
    return text != NULL ? arena_strdup(arena, text) : "";
}

static int64_t date_of(const struct json *item, const char *const names[2])
{
    int64_t at_ms = 0;
    struct err err;
    for (int i = 0; i < 2 && at_ms == 0; i++) {
        const char *text = json_member_text(item, names[i]);
        if (text != NULL && clock_parse_rfc2822(text, &at_ms, &err) != 0)
            at_ms = 0;
    }
    return at_ms;
}

/* A number, which Twilio writes as text; -1: not told. */
static int64_t seconds_of(const struct json *item)
{
    const char *text = json_member_text(item, "duration");
    int64_t seconds = -1;
    if (text == NULL || !text_parse_int(text, 0, VOICE_SECONDS_MAX, &seconds))
        return -1;
    return seconds;
}

static const char *problem_of(const struct twilio_listed *listed)
{
    if (!twilio_call_is_sid(listed->sid, lists[listed->kind].sid) ||
        !twilio_call_is_sid(listed->call_sid, "CA"))
        return "its sid is none";
    if (listed->began_ms == 0 || listed->at_ms == 0)
        return "it has no readable date";
    if (listed->kind != TWILIO_RECORDINGS &&
        (!text_is_e164(listed->to) || strlen(listed->from) > VOICE_ADDRESS_MAX))
        return "its numbers cannot be read";
    return "";
}

static void read_item(struct arena *arena, const struct json *item, enum twilio_calls_kind kind,
                      struct twilio_listed *out)
{
    static const char *const began[] = {"start_time", "date_created"};
    static const char *const ended[] = {"end_time", "date_created"};
    static const char *const ordered[] = {"date_created", "start_time"};
    const bool is_call = kind != TWILIO_RECORDINGS;
    *out = (struct twilio_listed){
        .kind = kind,
        .sid = member(arena, item, "sid"),
        .call_sid = member(arena, item, is_call ? "sid" : "call_sid"),
        .began_ms = date_of(item, kind == TWILIO_PLACED ? ordered : began),
        .at_ms = date_of(item, is_call ? ended : began),
        .from = is_call ? member(arena, item, kind == TWILIO_PLACED ? "to" : "from") : "",
        .to = is_call ? member(arena, item, kind == TWILIO_PLACED ? "from" : "to") : "",
        .status = member(arena, item, "status"),
        .duration_s = seconds_of(item),
    };
    out->event_id = is_call ? arena_printf(arena, "%s:ended", out->sid) : out->sid;
    out->error = problem_of(out);
}

static bool is_older(const struct twilio_listed *listed, const struct twilio_calls_query *query)
{
    return listed->began_ms != 0 && listed->began_ms < query->since_ms;
}

/* Of a call that came in. */
static bool is_over(const struct twilio_listed *listed)
{
    enum voice_end how;
    return twilio_call_is_over(listed->status, &how);
}

static bool counts(const struct json *item, const struct twilio_listed *listed,
                   const struct twilio_calls_query *query)
{
    const char *word =
        json_member_text(item, query->kind == TWILIO_RECORDINGS ? "source" : "direction");
    if (word == NULL || is_older(listed, query))
        return false;
    if (query->kind == TWILIO_PLACED)
        return strcmp(word, "outbound-api") == 0 && strcmp(listed->to, query->number) == 0 &&
               text_is_e164(listed->from);
    if (query->kind == TWILIO_RECORDINGS)
        return strcmp(listed->status, "completed") == 0 && strcmp(word, "RecordVerb") == 0;
    return is_over(listed) && strcmp(word, "inbound") == 0 &&
           strcmp(listed->to, query->number) == 0;
}

int twilio_calls_read(struct arena *arena, const char *bytes, size_t length,
                      const struct twilio_calls_query *query, struct twilio_calls_page *page,
                      struct err *err)
{
    const struct list *list = &lists[query->kind];
    struct twilio_calls_page read = {.first = NULL};
    struct twilio_listed **end = &read.first, *listed;
    struct json *document = NULL;
    size_t seen = 0, older = 0;
    if (json_parse(bytes, length, &document, err) != 0)
        return err_set(err, ERR_PERMANENT, "twilio.page", "the provider's answer is not JSON");
    const struct json *items = json_member(document, list->member);
    int result =
        items != NULL && json_type(items) == JSON_ARRAY
            ? twilio_page_next(arena, document, query->account_sid, list->path, &read.next, err)
            : err_set(err, ERR_PERMANENT, "twilio.page", "the provider's answer holds no %s",
                      list->member);
    for (const struct json *item = result == 0 ? json_first(items) : NULL; item != NULL;
         item = json_next(item)) {
        listed = arena_alloc(arena, sizeof *listed);
        read_item(arena, item, query->kind, listed);
        seen++;
        older += is_older(listed, query);
        if (!counts(item, listed, query))
            continue;
        *end = listed;
        end = &listed->next;
    }
    json_free(&document);
    if (query->kind == TWILIO_PLACED && seen > 0 && older == seen)
        read.next = NULL;
    if (result == 0)
        *page = read;
    return result;
}

struct twilio_listed *twilio_calls_turned(struct twilio_listed *list)
{
    struct twilio_listed *oldest = NULL, *next;
    for (; list != NULL; list = next) {
        next = list->next;
        list->next = oldest;
        oldest = list;
    }
    return oldest;
}

void twilio_calls_encode(struct arena *arena, const char *prefix, const char *tenant,
                         const char *account_sid, const struct twilio_listed *call,
                         const struct twilio_listed *recording, struct bus_record *record)
{
    const struct twilio_listed *told = recording != NULL ? recording : call;
    const struct event event = {.id = told->event_id,
                                .source = arena_printf(arena, "twilio/%s", account_sid),
                                .subject = "",
                                .time_ms = told->at_ms,
                                .tenant = tenant,
                                .traceparent = event_traceparent(arena, NULL)};
    const struct voice_call of = {.call_sid = call->call_sid,
                                  .account_sid = account_sid,
                                  .from = call->from,
                                  .to = call->to,
                                  .relay_session = ""};
    if (recording != NULL) {
        const char *url = arena_printf(arena,
                                       "https://api.twilio.com/2010-04-01/Accounts/%s/"
                                       "Recordings/%s",
                                       account_sid, recording->sid);
        voice_recorded_encode(arena, prefix,
                              &(struct voice_recorded){.event = event,
                                                       .call = of,
                                                       .recording_sid = recording->sid,
                                                       .url = url,
                                                       .duration_s = recording->duration_s > 0
                                                                         ? recording->duration_s
                                                                         : 0,
                                                       .why = VOICE_RECORD_FALLBACK},
                              record);
        return;
    }
    enum voice_end reason = VOICE_COMPLETED;
    twilio_call_is_over(call->status, &reason);
    voice_ended_encode(arena, prefix,
                       &(struct voice_ended){.event = event,
                                             .call = of,
                                             .reason = reason,
                                             .duration_s = call->duration_s,
                                             .outbound = call->kind == TWILIO_PLACED,
                                             .found = true},
                       record);
}
