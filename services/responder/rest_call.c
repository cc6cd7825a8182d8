/* The form that places a call. Ingress, which has no database, answers when somebody takes it: what
 * it is to say stands in the Url, which Twilio signs. Called by send.c. */
#include "rest.h"

#include <string.h>

#include "base/text.h"

/* Twilio listens to who takes the call before it asks us what to say (reference of its Calls
 * resource: 2,000-10,000 ms, usually 5,000; 30 s): who takes it and says nothing, or sits in a
 * noise, would hear nothing for as long. With our answer's way it stays below 4.5 s. */
#define SILENCE_MS "2500" /* without a sound of theirs: Twilio does not know, and asks us */
#define TIMEOUT_S  "4"    /* with one: a machine has been known for it after 2.4 s */

#define WORDS_MAX 1200 /* bytes of each text, percent-encoded: Twilio's URLs have room for more */

/* The beginning of the text that fits, back to a character. */
static const char *fit(struct arena *arena, const char *text)
{
    struct strbuf encoded;
    size_t length = strlen(text);
    strbuf_init(&encoded, WORDS_MAX);
    text_add_percent(&encoded, text);
    while (encoded.overflow) {
        length = text_utf8_prefix(text, length - length / 8 - 1);
        text = arena_strndup(arena, text, length);
        strbuf_clear(&encoded);
        text_add_percent(&encoded, text);
    }
    strbuf_fini(&encoded);
    return text;
}

static void add_words(struct strbuf *url, const char *name, const char *text)
{
    strbuf_printf(url, "&%s=", name);
    text_add_percent(url, text);
}

/* contract/call_token.h has the form of the path. It is asked once more when it could not be
 * reached, as every URL of a call. */
static const char *answer_url(struct arena *arena, const struct rest_create *create)
{
    char tenant[UUID_TEXT_SIZE], delivery[UUID_TEXT_SIZE];
    struct strbuf url;
    strbuf_init(&url, 8192);
    strbuf_printf(&url, "%s/twilio/voice/%s/%s/0?delivery=%s", rest_base(arena, create->public_url),
                  strcmp(create->call->purpose, "rota") == 0 ? "asked" : "back",
                  uuid_format(&create->ref->tenant, tenant),
                  uuid_format(&create->ref->id, delivery));
    add_words(&url, "say", fit(arena, create->body));
    if (create->call->leave[0] != '\0')
        add_words(&url, "leave", fit(arena, create->call->leave));
    strbuf_add_text(&url, "#rc=2&rp=ct,5xx");
    const char *text = arena_strdup(arena, url.data);
    strbuf_fini(&url);
    return text;
}

/* A machine is waited for to its beep only where something is said to it: that takes as long as it
 * speaks. */
static void add_detection(struct strbuf *form, bool to_the_end)
{
    rest_add_pair(form, "MachineDetection", to_the_end ? "DetectMessageEnd" : "Enable");
    rest_add_pair(form, "MachineDetectionSilenceTimeout", SILENCE_MS);
    if (!to_the_end)
        rest_add_pair(form, "MachineDetectionTimeout", TIMEOUT_S);
}

const char *rest_create_call_form(struct arena *arena, const struct rest_create *create)
{
    static const char *const events[] = {"initiated", "ringing", "answered", "completed"};
    const struct delivery_route *route = create->route;
    struct strbuf form;
    strbuf_init(&form, (size_t)64 * 1024);
    rest_add_pair(&form, "To", route->to);
    rest_add_pair(&form, "From", route->from);
    rest_add_pair(&form, "Url", answer_url(arena, create));
    rest_add_pair(&form, "Timeout", arena_printf(arena, "%d", create->call->ring_s));
    add_detection(&form, create->call->leave[0] != '\0');
    rest_add_pair(&form, "StatusCallback", rest_callback_url(arena, create));
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        rest_add_pair(&form, "StatusCallbackEvent", events[i]);
    const char *text = arena_strdup(arena, form.data);
    strbuf_fini(&form);
    return text;
}
