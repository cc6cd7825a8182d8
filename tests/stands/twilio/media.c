/*
 * Media of messages, in the webhook and as Media.json, in Twilio's format ("Media subresource").
 * Called by inbound.c and twilio.c.
 */
#include "stands/twilio/media.h"

#include <stdio.h>

enum { ANSWER_MAX = 64 * 1024 };

void media_form(const struct twilio *twilio, const struct message *message,
                struct media_texts *texts, struct stand_form *form)
{
    snprintf(texts->count, sizeof texts->count, "%d", message->media);
    stand_form_add(form, "NumMedia", texts->count);
    for (int i = 0; i < message->media; i++) {
        const struct medium *medium = &message->medium[i];
        snprintf(texts->names[i][0], sizeof texts->names[i][0], "MediaUrl%d", i);
        snprintf(texts->names[i][1], sizeof texts->names[i][1], "MediaContentType%d", i);
        snprintf(texts->urls[i], sizeof texts->urls[i],
                 "http://127.0.0.1:%d/2010-04-01/Accounts/%s/Messages/%s/Media/%s",
                 stand_server_port(twilio->app.server), message->account->sid, message->sid,
                 medium->sid);
        stand_form_add(form, texts->names[i][0], texts->urls[i]);
        stand_form_add(form, texts->names[i][1], medium->type);
    }
}

static void add_medium(const struct message *message, const struct medium *medium,
                       struct stand_buf *out)
{
    const char *account = message->account->sid;
    stand_buf_printf(out, "{\"sid\":\"%s\",\"account_sid\":\"%s\",\"parent_sid\":\"%s\"",
                     medium->sid, account, message->sid);
    stand_buf_puts(out, ",\"content_type\":");
    stand_buf_json_text(out, medium->type);
    message_date("date_created", message->created_ms, out);
    message_date("date_updated", message->created_ms, out);
    stand_buf_printf(out, ",\"uri\":\"/2010-04-01/Accounts/%s/Messages/%s/Media/%s.json\"}",
                     account, message->sid, medium->sid);
}

void media_list(struct stand_call *call, const struct message *message)
{
    struct stand_buf out;
    char uri[256];
    snprintf(uri, sizeof uri, "/2010-04-01/Accounts/%s/Messages/%s/Media.json?PageSize=50&Page=0",
             message->account->sid, message->sid);
    stand_buf_init(&out, ANSWER_MAX);
    stand_buf_puts(&out, "{\"media_list\":[");
    for (int i = 0; i < message->media; i++) {
        stand_buf_puts(&out, i > 0 ? "," : "");
        add_medium(message, &message->medium[i], &out);
    }
    stand_buf_printf(&out,
                     "],\"page\":0,\"page_size\":50,\"start\":0,\"end\":%d,\"uri\":\"%s\","
                     "\"first_page_uri\":\"%s\",\"previous_page_uri\":null,"
                     "\"next_page_uri\":null}",
                     message->media > 0 ? message->media - 1 : 0, uri, uri);
    twilio_answer(call, 200, &out);
    stand_buf_fini(&out);
}
