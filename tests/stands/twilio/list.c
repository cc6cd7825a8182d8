/*
 * Listing messages with paging. A page token names the last message of the page before, so pages do
 * not shift while messages arrive. Called by twilio.c.
 */
#include "stands/twilio/list.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE_SIZE = 50, PAGE_SIZE_MAX = 1000, ANSWER_MAX = 64 * 1024 * 1024 };

/* One bound on the date of sending: [from_ms, until_ms). */
struct span {
    int64_t from_ms, until_ms;
};

struct filter {
    const char *to, *from;
    bool dated;
    struct span sent;
    const char *token;
    size_t page_size, page;
};

int list_parse_date(const char *text, int64_t *from_ms, int64_t *until_ms)
{
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%d", &parts);
    if (!end)
        return -1;
    int64_t lasts_s = 24 * 3600;
    if (*end == 'T') {
        end = strptime(end, "T%H:%M:%SZ", &parts);
        lasts_s = 1;
    }
    if (!end || *end)
        return -1;
    *from_ms = (int64_t)timegm(&parts) * 1000;
    *until_ms = *from_ms + lasts_s * 1000;
    return 0;
}

static int parse_dates(const struct stand_form *form, struct filter *filter)
{
    static const struct {
        const char *name;
        bool from, until;
    } bounds[] = {{"DateSent", true, true}, {"DateSent>", true, false}, {"DateSent<", false, true}};
    filter->sent = (struct span){INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        const char *text = stand_form_get(form, bounds[i].name);
        struct span span;
        if (!text)
            continue;
        if (list_parse_date(text, &span.from_ms, &span.until_ms) != 0)
            return -1;
        filter->dated = true;
        if (bounds[i].from)
            filter->sent.from_ms = span.from_ms;
        if (bounds[i].until)
            filter->sent.until_ms = span.until_ms;
    }
    return 0;
}

/* Reads the query. Returns 0 or the code of the error. */
static int parse_filter(const struct stand_form *form, struct filter *filter)
{
    const char *size = stand_form_get(form, "PageSize");
    const char *page = stand_form_get(form, "Page");
    *filter = (struct filter){.to = stand_form_get(form, "To"),
                              .from = stand_form_get(form, "From"),
                              .token = stand_form_get(form, "PageToken"),
                              .page_size = PAGE_SIZE};
    if (size) {
        char *end;
        long number = strtol(size, &end, 10);
        if (*end || number < 1)
            return 20001;
        if (number > PAGE_SIZE_MAX)
            return 20007;
        filter->page_size = (size_t)number;
    }
    if (page)
        filter->page = strtoul(page, NULL, 10);
    return parse_dates(form, filter) == 0 ? 0 : 20001;
}

static bool passes(const struct filter *filter, const struct message *message)
{
    if (filter->to && strcmp(filter->to, message->to) != 0)
        return false;
    if (filter->from && (!message->from || strcmp(filter->from, message->from) != 0))
        return false;
    return !filter->dated || (message->sent_ms && message->sent_ms >= filter->sent.from_ms &&
                              message->sent_ms < filter->sent.until_ms);
}

/* The number of messages older than the token's (all without a token, none if it is unknown). */
static size_t start_of(const struct account *account, const struct filter *filter)
{
    if (!filter->token)
        return account->message_count;
    const char *sid = strncmp(filter->token, "PA", 2) == 0 ? filter->token + 2 : "";
    for (size_t i = account->message_count; i > 0; i--) {
        if (strcmp(account->messages[i - 1]->sid, sid) == 0)
            return i - 1;
    }
    return 0;
}

/* Appends a page's URI, or null when `token` is NULL and the page is not the first. */
static void add_uri(const struct account *account, const struct stand_form *form, const char *token,
                    size_t page, struct stand_buf *out)
{
    struct stand_buf query;
    stand_buf_init(&query, 16 * 1024);
    for (size_t i = 0; i < form->count; i++) {
        const char *name = form->pairs[i].name;
        if (strcmp(name, "Page") != 0 && strcmp(name, "PageToken") != 0)
            stand_buf_form_pair(&query, name, form->pairs[i].value);
    }
    stand_buf_printf(out, "\"/2010-04-01/Accounts/%s/Messages.json?%s%sPage=%zu", account->sid,
                     query.len ? query.data : "", query.len ? "&" : "", page);
    if (token)
        stand_buf_printf(out, "&PageToken=PA%s", token);
    stand_buf_puts(out, "\"");
    stand_buf_fini(&query);
}

/* A message as a list shows it, which a rule may have redacted. */
static void add_message(const struct stand_call *call, const struct message *message,
                        struct stand_buf *out)
{
    const struct stand_action *action = call->plan.main;
    struct message seen = *message;
    char nothing[] = "", to[32];
    size_t length = strlen(message->to);
    if (action && action->type == STAND_REDACT) {
        seen.body = action->text ? action->text : nothing;
        if (!action->text && length > 4 && length < sizeof to) {
            memcpy(to, message->to, length - 4);
            memcpy(to + length - 4, "XXXX", sizeof "XXXX");
            seen.to = to;
        }
    }
    message_json(&seen, out);
}

void list_messages(struct twilio *twilio, struct stand_call *call, const struct account *account)
{
    const struct twilio_request *request = call->parsed;
    struct filter filter;
    int code = parse_filter(&request->form, &filter);
    if (code) {
        twilio_fail(call, 400, code, NULL);
        return;
    }
    struct stand_buf out;
    stand_buf_init(&out, ANSWER_MAX);
    stand_buf_puts(&out, "{\"messages\":[");
    int64_t indexed_ms = messages_now_ms() - twilio->index_delay_ms;
    size_t found = 0;
    const char *last = NULL;
    bool more = false;
    for (size_t i = start_of(account, &filter); i > 0 && !more; i--) {
        const struct message *message = account->messages[i - 1];
        if (message->created_ms > indexed_ms || !passes(&filter, message))
            continue;
        more = found == filter.page_size;
        if (more)
            break;
        stand_buf_puts(&out, found++ ? "," : "");
        add_message(call, message, &out);
        last = message->sid;
    }
    size_t start = filter.page * filter.page_size;
    stand_buf_printf(&out, "],\"page\":%zu,\"page_size\":%zu,\"start\":%zu,\"end\":%zu,\"uri\":",
                     filter.page, filter.page_size, start, start + (found ? found - 1 : 0));
    add_uri(account, &request->form, filter.token ? filter.token + 2 : NULL, filter.page, &out);
    stand_buf_puts(&out, ",\"first_page_uri\":");
    add_uri(account, &request->form, NULL, 0, &out);
    stand_buf_puts(&out, ",\"previous_page_uri\":null,\"next_page_uri\":");
    if (more)
        add_uri(account, &request->form, last, filter.page + 1, &out);
    else
        stand_buf_puts(&out, "null");
    stand_buf_puts(&out, "}");
    twilio_answer(call, 200, &out);
    stand_buf_fini(&out);
}
