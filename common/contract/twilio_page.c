/* What the gap audit and deskctl reconcile read from Twilio's REST interface. A listed message goes
 * through the same function as a webhook's form, so that both ways give the same event. Lists are
 * newest first; what is made of them must not be. Source: Twilio's "Messages resource" and
 * "Twilio's response" pages. */
#include "contract/twilio_page.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/form.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "contract/twilio.h"
#include "json/json.h"

void twilio_page_add_day(struct strbuf *url, const char *name, int64_t since_ms)
{
    struct tm day;
    time_t seconds = (time_t)(since_ms / 1000);
    gmtime_r(&seconds, &day);
    strbuf_printf(url, "&%s%%3E=%04d-%02d-%02d", name, day.tm_year + 1900, day.tm_mon + 1,
                  day.tm_mday);
}

const char *twilio_page_url(struct arena *arena, const struct twilio_page_query *query)
{
    struct strbuf url;
    strbuf_init(&url, 2048);
    strbuf_printf(&url, "%s/2010-04-01/Accounts/%s/Messages.json?PageSize=1000", query->base,
                  query->account_sid);
    if (query->side != TWILIO_PAGE_ACCOUNT) {
        strbuf_add_text(&url, query->side == TWILIO_PAGE_TO ? "&To=" : "&From=");
        text_add_percent(&url, query->number);
    }
    /* What is still queued has no date of sending: only what came in may be asked for by it. */
    if (query->side == TWILIO_PAGE_TO)
        twilio_page_add_day(&url, "DateSent", query->since_ms);
    const char *text = arena_strdup(arena, url.data);
    strbuf_fini(&url);
    return text;
}

/* Numbers come as text ("num_segments": "1"); take both. */
static int64_t count_of(const struct json *message, const char *name)
{
    const char *text = json_member_text(message, name);
    int64_t value = 0;
    if (text == NULL || !text_parse_int(text, 0, 1000, &value))
        (void)json_member_int(message, name, 0, 1000, &value);
    return value;
}

static const char *member(struct arena *arena, const struct json *message, const char *name)
{
    const char *text = json_member_text(message, name);
    return text != NULL ? arena_strdup(arena, text) : "";
}

static int read_form(struct arena *arena, const struct json *message, struct sms_received *sms,
                     struct err *err)
{
    static const char *const names[][2] = {
        {"MessageSid", "sid"}, {"AccountSid", "account_sid"},
        {"From", "from"},      {"To", "to"},
        {"Body", "body"},      {"MessagingServiceSid", "messaging_service_sid"},
    };
    enum { COUNT = sizeof names / sizeof names[0] };
    struct form_pair pairs[COUNT + 2];
    struct form form = {pairs, 0};
    for (size_t i = 0; i < COUNT; i++) {
        const char *value = member(arena, message, names[i][1]);
        if (*value == '\0' && strcmp(names[i][0], "Body") != 0)
            continue;
        pairs[form.count++] =
            (struct form_pair){names[i][0], value, strlen(names[i][0]), strlen(value)};
    }
    const char *segments =
        arena_printf(arena, "%lld", (long long)count_of(message, "num_segments"));
    pairs[form.count++] = (struct form_pair){"NumSegments", segments, 11, strlen(segments)};
    pairs[form.count++] = (struct form_pair){"NumMedia", "0", 8, 1};
    return twilio_sms_from_form(arena, &form, sms, err);
}

static void read_message(struct arena *arena, const struct json *json,
                         struct twilio_message *message)
{
    struct err err;
    bool inbound = strcmp(member(arena, json, "direction"), "inbound") == 0;
    const char *at = json_member_text(json, inbound ? "date_sent" : "date_created");
    if (at == NULL)
        at = json_member_text(json, inbound ? "date_created" : "date_sent");
    *message = (struct twilio_message){
        .sid = member(arena, json, "sid"),
        .from = member(arena, json, "from"),
        .to = member(arena, json, "to"),
        .service = member(arena, json, "messaging_service_sid"),
        .inbound = inbound,
        .media = count_of(json, "num_media"),
        .error = "",
    };
    if (at == NULL || clock_parse_rfc2822(at, &message->at_ms, &err) != 0)
        message->error = "it has no readable date";
    else if (message->inbound && read_form(arena, json, &message->sms, &err) != 0)
        message->error = arena_strdup(arena, err.message);
}

int twilio_page_next(struct arena *arena, const struct json *document, const char *account_sid,
                     const char *resource, const char **path, struct err *err)
{
    const char *next = json_member_text(document, "next_page_uri");
    const char *own =
        arena_printf(arena, "/2010-04-01/Accounts/%s/%s.json?", account_sid, resource);
    *path = NULL;
    if (next == NULL)
        return 0;
    if (strncmp(next, own, strlen(own)) != 0 || strlen(next) > 4096 ||
        next[strcspn(next, " \t\r\n#")] != '\0')
        return err_set(err, ERR_PERMANENT, "twilio.page",
                       "the next page is said to be outside the account's %s", resource);
    *path = arena_strdup(arena, next);
    return 0;
}

int twilio_page_read(struct arena *arena, const char *bytes, size_t length, const char *account_sid,
                     struct twilio_page *page, struct err *err)
{
    struct json *document = NULL;
    struct twilio_page read = {.count = 0};
    if (json_parse(bytes, length, &document, err) != 0)
        return err_set(err, ERR_PERMANENT, "twilio.page", "the provider's answer is not JSON");
    const struct json *list = json_member(document, "messages");
    int result =
        list != NULL && json_type(list) == JSON_ARRAY
            ? twilio_page_next(arena, document, account_sid, "Messages", &read.next, err)
            : err_set(err, ERR_PERMANENT, "twilio.page", "the provider's answer holds no messages");
    if (result == 0) {
        read.messages = arena_alloc(arena, (json_count(list) + 1) * sizeof *read.messages);
        for (const struct json *item = json_first(list); item != NULL; item = json_next(item))
            read_message(arena, item, &read.messages[read.count++]);
        *page = read;
    }
    json_free(&document);
    return result;
}

int twilio_page_read_media(struct arena *arena, const char *bytes, size_t length, const char *base,
                           struct sms_received *sms, struct err *err)
{
    struct json *document = NULL;
    size_t count = 0;
    if (json_parse(bytes, length, &document, err) != 0)
        return err_set(err, ERR_PERMANENT, "twilio.media", "the provider's answer is not JSON");
    const struct json *list = json_member(document, "media_list");
    const struct json *item = list != NULL ? json_first(list) : NULL;
    for (; item != NULL && count < EVENT_MEDIA_MAX; item = json_next(item)) {
        const char *uri = json_member_text(item, "uri");
        size_t path = uri != NULL ? strlen(uri) : 0;
        if (path < 6 || path > 1000 || *uri != '/')
            continue;
        if (strcmp(uri + path - 5, ".json") == 0)
            path -= 5;
        const char *kind = member(arena, item, "content_type");
        sms->media[count++] = (struct event_media){
            .url = arena_printf(arena, "%s%.*s", base, (int)path, uri),
            .content_type = strlen(kind) <= 255 ? kind : "",
        };
    }
    json_free(&document);
    sms->media_count = count;
    return 0;
}

const char *twilio_page_media_url(struct arena *arena, const char *base, const char *account_sid,
                                  const char *sid)
{
    return arena_printf(arena, "%s/2010-04-01/Accounts/%s/Messages/%s/Media.json", base,
                        account_sid, sid);
}

bool twilio_page_came_in(const struct twilio_message *message, const char *number,
                         const char *account_sid, int64_t since_ms)
{
    return message->inbound && *message->sid != '\0' &&
           (*message->error != '\0' ||
            (message->at_ms >= since_ms && strcmp(message->sms.to, number) == 0 &&
             strcmp(message->sms.account_sid, account_sid) == 0));
}

bool twilio_page_went_out(const struct twilio_message *message, const char *number,
                          const char *service, int64_t since_ms)
{
    if (message->inbound || *message->error != '\0' || message->at_ms < since_ms)
        return false;
    return strcmp(message->from, number) == 0 ||
           (service != NULL && strcmp(message->service, service) == 0);
}

bool twilio_page_is_older(const struct twilio_page *page, int64_t since_ms)
{
    for (size_t i = 0; i < page->count; i++)
        if (page->messages[i].at_ms == 0 || page->messages[i].at_ms >= since_ms)
            return false;
    return page->count > 0;
}

void twilio_list_add(struct arena *arena, struct twilio_list *list, struct twilio_message *message)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        struct twilio_message **items = arena_alloc(arena, room * sizeof *items);
        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
        list->room = room;
    }
    message->listed = list->added++;
    list->items[list->count++] = message;
}

void twilio_list_drop_newest(struct twilio_list *list, size_t count)
{
    const size_t dropped = count < list->count ? count : list->count;
    list->count -= dropped;
    for (size_t i = 0; i < list->count; i++)
        list->items[i] = list->items[i + dropped];
}

/* Twilio shows whole seconds: within one, what is listed last came first. */
static int compare_ages(const void *a, const void *b)
{
    const struct twilio_message *left = *(struct twilio_message *const *)a;
    const struct twilio_message *right = *(struct twilio_message *const *)b;
    if (left->at_ms != right->at_ms)
        return left->at_ms < right->at_ms ? -1 : 1;
    return left->listed > right->listed ? -1 : 1;
}

void twilio_list_sort(struct twilio_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(struct twilio_message *), compare_ages);
}

void twilio_page_to_event(struct arena *arena, const char *tenant, const char *account_sid,
                          struct twilio_message *message)
{
    message->sms.event = (struct event){
        .id = message->sid,
        .source = arena_printf(arena, "twilio/%s", account_sid),
        .subject = message->sid,
        .time_ms = message->at_ms,
        .tenant = tenant,
        .replay = true,
        .traceparent = event_traceparent(arena, NULL),
    };
}
