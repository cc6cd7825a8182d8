/*
 * Inbound texts: registered as Twilio would list them, and the webhook sent, signed. Twilio's own
 * opt-out keywords take effect here, as they do there. Called by twilio.c.
 */
#include "stands/twilio/inbound.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stands/lib/ids.h"
#include "stands/twilio/callbacks.h"
#include "stands/twilio/media.h"

enum { ANSWER_MAX = 256 * 1024 };

/* A webhook under way; `x` is NULL once whoever asked for it has left. */
struct waiting {
    struct stand_exchange *x;
    char sid[35];
};

static const char *text_of(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static void note_keyword(struct account *account, const struct message *message)
{
    static const struct {
        const char *word;
        bool opted_out;
    } words[] = {{"STOP", true},   {"STOPALL", true}, {"UNSUBSCRIBE", true}, {"CANCEL", true},
                 {"END", true},    {"QUIT", true},    {"REVOKE", true},      {"OPTOUT", true},
                 {"START", false}, {"YES", false},    {"UNSTOP", false}};
    const char *body = message->body + strspn(message->body, " \t\r\n");
    size_t len = strcspn(body, " \t\r\n");
    if (body[len + strspn(body + len, " \t\r\n")])
        return; /* more than the single word */
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) == len && strncasecmp(words[i].word, body, len) == 0) {
            account_set_opted_out(account, message->to, message->from, words[i].opted_out);
            if (message->service)
                account_set_opted_out(account, message->service, message->from, words[i].opted_out);
        }
    }
}

/* What the form of a webhook borrows besides the message. */
struct webhook_texts {
    char segments[16];
    struct media_texts media;
};

static void fill_form(const struct twilio *twilio, const struct message *message, const cJSON *json,
                      struct webhook_texts *texts, struct stand_form *form)
{
    static const char *const places[] = {"FromCity", "FromState", "FromZip",
                                         "ToCity",   "ToState",   "ToZip"};
    snprintf(texts->segments, sizeof texts->segments, "%d", message->segments);
    stand_form_add(form, "ToCountry", "US");
    stand_form_add(form, "FromCountry", "US");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        stand_form_add(form, places[i], "");
    stand_form_add(form, "SmsMessageSid", message->sid);
    stand_form_add(form, "SmsSid", message->sid);
    stand_form_add(form, "MessageSid", message->sid);
    stand_form_add(form, "AccountSid", message->account->sid);
    if (message->service)
        stand_form_add(form, "MessagingServiceSid", message->service);
    stand_form_add(form, "From", message->from);
    stand_form_add(form, "To", message->to);
    stand_form_add(form, "Body", message->body);
    media_form(twilio, message, &texts->media, form);
    stand_form_add(form, "NumSegments", texts->segments);
    stand_form_add(form, "SmsStatus", "received");
    stand_form_add(form, "ApiVersion", "2010-04-01");
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "params"))
    {
        size_t at = 0;
        while (at < form->count && strcmp(form->pairs[at].name, item->string) != 0)
            at++;
        if (cJSON_IsString(item) && at < form->count)
            form->pairs[at].value = item->valuestring;
        else if (cJSON_IsString(item))
            stand_form_add(form, item->string, item->valuestring);
    }
}

static void answer(struct stand_exchange *x, const char *sid, const struct stand_result *result)
{
    struct stand_buf out;
    stand_buf_init(&out, ANSWER_MAX);
    stand_buf_printf(&out, "{\"sid\":\"%s\",\"http_status\":", sid);
    if (result)
        stand_buf_printf(&out, "%d,\"error\":", result->status);
    else
        stand_buf_puts(&out, "null,\"error\":");
    stand_buf_json_text(&out, result ? result->error : NULL);
    stand_buf_puts(&out, ",\"answer\":");
    if (result)
        stand_buf_json(&out, result->body, result->len < 4096 ? result->len : 4096);
    else
        stand_buf_puts(&out, "null");
    stand_buf_puts(&out, "}\n");
    stand_control_answer(x, 200, out.data);
    stand_buf_fini(&out);
}

static void on_gone(void *user, bool gone)
{
    struct waiting *waiting = user;
    if (gone)
        waiting->x = NULL;
}

static void on_webhook(void *user, const struct stand_result *result)
{
    struct waiting *waiting = user;
    if (waiting->x)
        answer(waiting->x, waiting->sid, result);
    free(waiting);
}

static void send_webhook(struct twilio *twilio, struct stand_exchange *x,
                         const struct message *message, const cJSON *json)
{
    struct webhook_texts texts;
    struct stand_form form;
    stand_form_borrow(&form);
    fill_form(twilio, message, json, &texts, &form);
    struct waiting *waiting = stand_alloc(sizeof *waiting);
    waiting->x = x;
    memcpy(waiting->sid, message->sid, sizeof waiting->sid);
    stand_exchange_on_done(x, on_gone, waiting);
    struct delivery delivery = {.account = message->account,
                                .url = text_of(json, "url"),
                                .sign_url = text_of(json, "sign_url"),
                                .sid = message->sid,
                                .form = &form,
                                .done = on_webhook,
                                .user = waiting};
    callbacks_send(twilio, twilio->webhooks, &delivery);
}

static void read_media(const cJSON *json, struct message_draft *draft)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "media"))
    {
        if (cJSON_IsString(item) && draft->media < MEDIA_MAX)
            draft->media_types[draft->media++] = item->valuestring;
    }
}

/* Finds or adds the message. Returns NULL with the reason in `*why`. */
static struct message *take_message(struct twilio *twilio, const cJSON *json, const char **why)
{
    const char *account_sid = text_of(json, "account_sid");
    const char *sid = text_of(json, "sid");
    const cJSON *date = cJSON_GetObjectItemCaseSensitive(json, "date_sent");
    struct message_draft draft = {.account = account_sid && strlen(account_sid) == 34
                                                 ? accounts_find(&twilio->accounts, account_sid)
                                                 : NULL,
                                  .sid = sid,
                                  .inbound = true,
                                  .from = text_of(json, "from"),
                                  .to = text_of(json, "to"),
                                  .body = text_of(json, "body"),
                                  .service = text_of(json, "service")};
    read_media(json, &draft);
    *why = "expected account_sid (a known one), from, to and body";
    if (!draft.account || !draft.from || !draft.to || !draft.body)
        return NULL;
    *why = "sid must be SM or MM and 32 hexadecimal digits";
    if (sid && !stand_sid_valid(sid, "SMMM"))
        return NULL;
    struct message *message = sid ? messages_find(twilio->messages, sid) : NULL;
    if (message)
        return message;
    *why = "no more messages are kept";
    message = messages_add(twilio->messages, &draft);
    if (message && cJSON_IsNumber(date) && date->valuedouble > 0 && date->valuedouble < 1e14)
        message->sent_ms = message->created_ms = (int64_t)date->valuedouble;
    if (message)
        note_keyword(message->account, message);
    return message;
}

void inbound_post(struct twilio *twilio, struct stand_exchange *x)
{
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    cJSON *json = cJSON_ParseWithLength(body, len);
    const char *why = NULL;
    struct message *message = take_message(twilio, json, &why);
    if (!message) {
        struct stand_buf out;
        stand_buf_init(&out, ANSWER_MAX);
        stand_buf_puts(&out, "{\"error\":");
        stand_buf_json_text(&out, why);
        stand_buf_puts(&out, "}\n");
        stand_control_answer(x, 400, out.data);
        stand_buf_fini(&out);
    } else if (text_of(json, "url")) {
        send_webhook(twilio, x, message, json);
    } else {
        answer(x, message->sid, NULL);
    }
    cJSON_Delete(json);
}
