/* Reading what a version says of the phone: see phone_plan.h. assistants.c reads it, the tools of
 * calls ask. */
#include "phone_plan.h"

#include "base/strbuf.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

#define HOURS_MAX 8192
#define RING_MS   20000

static void read_person(struct arena *arena, const struct json *entry, struct phone_plan *out)
{
    const char *name = json_member_text(entry, "name"), *phone = json_member_text(entry, "phone");
    const struct json *hours = json_member(entry, "hours");
    struct strbuf text;
    if (name == NULL || phone == NULL || !text_is_e164(phone) ||
        out->person_count == PHONE_PEOPLE_MAX)
        return;
    strbuf_init(&text, HOURS_MAX);
    if (hours != NULL)
        json_print(hours, &text);
    out->people[out->person_count++] =
        (struct phone_person){.name = arena_strdup(arena, name),
                              .phone = arena_strdup(arena, phone),
                              .hours = hours != NULL ? arena_strdup(arena, text.data) : NULL};
    strbuf_fini(&text);
}

static void add_language(struct arena *arena, const struct json *from, const char *tag,
                         struct phone_plan *out)
{
    if (tag == NULL || tag[0] == '\0' || out->language_count == PHONE_LANGUAGES_MAX)
        return;
    phone_words_read(arena, json_member(from, "words"), tag, &out->words[out->language_count]);
    out->languages[out->language_count++] = arena_strdup(arena, tag);
}

void phone_plan_read(struct arena *arena, const struct json *config, struct phone_plan *out)
{
    const struct json *escalation = json_member(config, "escalation");
    const struct json *phone = json_member(config, "phone");
    const char *mode = json_member_text(json_member(escalation, "transfer"), "mode");
    int64_t ring_ms = RING_MS, rate = PHONE_RATE;
    const char *caller_id = json_member_text(phone, "caller_id");
    *out = (struct phone_plan){.cold = mode != NULL && strcmp(mode, "cold") == 0,
                               .attested_only =
                                   caller_id != NULL && strcmp(caller_id, "attested") == 0};
    json_member_int(json_member(escalation, "transfer"), "ring_ms", 5000, 60000, &ring_ms);
    out->ring_s = (int)(ring_ms / 1000);
    json_member_int(phone, "speaking_rate", 10, 1000, &rate);
    out->speaking_rate = (int)rate;
    for (const struct json *e = json_first(json_member(escalation, "rota")); e != NULL;
         e = json_next(e))
        read_person(arena, e, out);
    add_language(arena, phone, json_member_text(phone, "language"), out);
    for (const struct json *l = json_first(json_member(phone, "languages")); l != NULL;
         l = json_next(l))
        add_language(arena, l, json_member_text(l, "code"), out);
}

const struct phone_person *phone_plan_find(const struct phone_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->person_count; i++)
        if (strcasecmp(plan->people[i].name, name) == 0)
            return &plan->people[i];
    return NULL;
}

/* Their number; -1: there is none. */
static int language_of(const struct phone_plan *plan, const char *tag)
{
    const size_t primary = strcspn(tag, "-_");
    int like = -1;
    for (int i = (int)plan->language_count - 1; i >= 0; i--) {
        const char *code = plan->languages[i];
        if (strcasecmp(code, tag) == 0)
            return i;
        if (strncasecmp(code, tag, primary) == 0 && strcspn(code, "-_") == primary)
            like = i;
    }
    return like;
}

const char *phone_plan_language(const struct phone_plan *plan, const char *tag)
{
    const int found = language_of(plan, tag);
    return found >= 0 ? plan->languages[found] : NULL;
}

const struct phone_words *phone_plan_words(const struct phone_plan *plan, const char *tag)
{
    const int found = language_of(plan, tag);
    return found >= 0 ? &plan->words[found] : phone_words_of(tag);
}
