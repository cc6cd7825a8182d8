/* The answers of a booking's call: see details.h. tool_booking.c calls it. */
#include "details.h"

#include "base/strbuf.h"
#include "base/text.h"
#include "store/booking_rules.h"

#include <string.h>

#define SCHEMA_MAX  (64 * 1024)
#define NAMES_SHOWN 120 /* bytes */
#define NAME_SHOWN  40

static bool is_asked(const struct workflow *workflow, const struct question *question)
{
    for (size_t i = 0; i < workflow->service_count; i++)
        if (workflow_question(&workflow->services[i], question->name) == question)
            return true;
    return false;
}

const char *details_schema(struct arena *arena, const struct workflow *workflow)
{
    struct strbuf text;
    struct json_writer w;
    size_t count = 0;
    strbuf_init(&text, SCHEMA_MAX);
    json_writer_init(&w, &text);
    json_open_object(&w, NULL);
    json_add_text(&w, "type", "object");
    json_add_text(&w, "description",
                  "the answers to what the service asks for; leave out what is not known");
    json_open_object(&w, "properties");
    for (size_t i = 0; i < workflow->question_count; i++)
        if (is_asked(workflow, &workflow->questions[i])) {
            question_write_schema(&workflow->questions[i], &w);
            count++;
        }
    json_close_object(&w);
    json_add_bool(&w, "additionalProperties", false);
    json_close_object(&w);
    const char *schema = count > 0 && !text.overflow ? arena_strdup(arena, text.data) : NULL;
    strbuf_fini(&text);
    return schema;
}

/* ---- judging ---- */

static int refuse(const char *name, const char *why, struct err *err)
{
    char place[NAME_SHOWN + 1];
    size_t length = text_utf8_prefix(name, sizeof place - 1);
    memcpy(place, name, length);
    place[length] = '\0';
    struct strbuf words;
    strbuf_init(&words, 4096);
    strbuf_printf(&words, "arguments.details.%s: %s", place, why);
    err_set(err, ERR_PERMANENT, "tool.details", "%.*s",
            (int)text_utf8_prefix(words.data, ERR_MESSAGE_MAX - 1), words.data);
    strbuf_fini(&words);
    return -1;
}

static int refuse_unknown(const struct workflow_service *service, const char *name, struct err *err)
{
    struct strbuf words;
    strbuf_init(&words, 4096);
    strbuf_add_text(&words, service->field_count > 0
                                ? "the service asks for no such thing, only for "
                                : "the service asks for nothing; leave details out");
    for (size_t i = 0; i < service->field_count; i++) {
        if (words.length > NAMES_SHOWN) {
            strbuf_add_text(&words, ", ...");
            break;
        }
        strbuf_printf(&words, "%s%s", i == 0 ? "" : ", ", service->fields[i]->name);
    }
    refuse(name, words.data, err);
    strbuf_fini(&words);
    return -1;
}

int details_check(const struct workflow_service *service, const struct json *details,
                  struct err *err)
{
    struct err why;
    for (const struct json *given = json_first(details); given != NULL; given = json_next(given)) {
        const struct question *question = workflow_question(service, json_name(given));
        if (question == NULL)
            return refuse_unknown(service, json_name(given), err);
        if (question_is_answered(given) && question_check(question, given, &why) != 0)
            return refuse(question->name, why.message, err);
    }
    return 0;
}

bool details_miss(const struct json *details, const struct question *question)
{
    return question->required && !question_is_answered(json_member(details, question->name));
}

const char *details_keep(struct arena *arena, const struct workflow_service *service,
                         const struct json *details)
{
    struct strbuf text;
    struct json_writer w;
    if (details == NULL)
        return NULL;
    strbuf_init(&text, BOOKING_DETAILS_MAX); /* more is no JSON, which the booking refuses */
    json_writer_init(&w, &text);
    json_open_object(&w, NULL);
    for (size_t i = 0; i < service->field_count; i++) {
        const struct json *given = json_member(details, service->fields[i]->name);
        if (question_is_answered(given))
            question_write_answer(service->fields[i], given, &w);
    }
    json_close_object(&w);
    const char *kept = arena_strdup(arena, text.data);
    strbuf_fini(&text);
    return kept;
}
