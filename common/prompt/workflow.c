/* Reading the reception workflow, and telling it to the model. The engine reads it once for each
 * version; prompt.c and the tools use it. */
#include "prompt/workflow.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define SECTION_MAX       (512 * 1024)
#define PASSAGES_MAX      8
#define MOST_PER_CUSTOMER 2 /* unless the tenant says another */

static const struct {
    const char *key, *name;
} days[] = {{"mon", "Monday"}, {"tue", "Tuesday"},  {"wed", "Wednesday"}, {"thu", "Thursday"},
            {"fri", "Friday"}, {"sat", "Saturday"}, {"sun", "Sunday"}};

/* ---- reading ---- */

static const char *copy_json(struct arena *arena, const struct json *value)
{
    struct strbuf text;
    if (value == NULL)
        return NULL;
    strbuf_init(&text, SECTION_MAX);
    json_print(value, &text);
    const char *copy = text.overflow ? NULL : arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return copy;
}

static const char *copy_text(struct arena *arena, const struct json *object, const char *name)
{
    const char *text = json_member_text(object, name);
    return text != NULL ? arena_strdup(arena, text) : "";
}

static void read_number(const struct json *object, const char *name, int max, int *out)
{
    int64_t number;
    if (json_member_int(object, name, 0, max, &number))
        *out = (int)number;
}

static void read_resources(struct arena *arena, const struct json *names,
                           struct booking_rules *rules)
{
    const char **list = arena_alloc(arena, BOOKING_RESOURCES_MAX * sizeof *list);
    size_t count = 0;
    for (const struct json *n = json_first(names); n != NULL && count < BOOKING_RESOURCES_MAX;
         n = json_next(n))
        if (json_text(n) != NULL)
            list[count++] = arena_strdup(arena, json_text(n));
    rules->resources = list;
    rules->resource_count = count;
}

static void read_questions(struct arena *arena, const struct json *intake, struct workflow *out)
{
    out->questions = arena_alloc(arena, WORKFLOW_FIELDS_MAX * sizeof *out->questions);
    for (const struct json *f = json_first(intake);
         f != NULL && out->question_count < WORKFLOW_FIELDS_MAX; f = json_next(f))
        if (question_read(arena, f, &out->questions[out->question_count]))
            out->question_count++;
}

/* Those questions that stand in the service's list, in its order. */
static void read_fields(const struct json *names, const struct workflow *workflow,
                        struct workflow_service *service)
{
    for (const struct json *n = json_first(names);
         n != NULL && service->field_count < WORKFLOW_FIELDS_MAX; n = json_next(n))
        for (size_t i = 0; json_text(n) != NULL && i < workflow->question_count; i++)
            if (strcmp(workflow->questions[i].name, json_text(n)) == 0) {
                service->fields[service->field_count++] = &workflow->questions[i];
                break;
            }
}

static struct workflow_service read_service(struct arena *arena, const struct json *from,
                                            const struct json *config,
                                            const struct workflow *workflow)
{
    struct workflow_service service = {
        .rules = {.timezone = workflow->timezone,
                  .hours = workflow->hours != NULL ? workflow->hours : "{}",
                  .holidays = workflow->holidays != NULL ? workflow->holidays : "[]",
                  .service = copy_text(arena, from, "name")},
        .price = copy_text(arena, from, "price"),
        .description = copy_text(arena, from, "description")};
    struct booking_rules *rules = &service.rules;
    read_number(from, "duration_min", 1440, &rules->duration_min);
    read_number(from, "buffer_before_min", 240, &rules->buffer_before_min);
    read_number(from, "buffer_after_min", 240, &rules->buffer_after_min);
    read_number(from, "step_min", 240, &rules->step_min);
    read_number(from, "lead_min", 527040, &rules->lead_min);
    read_number(from, "horizon_days", 366, &rules->horizon_days);
    read_number(from, "hold_min", 10080, &rules->hold_min);
    read_number(from, "change_min", 527040, &rules->change_min);
    rules->most_per_customer = MOST_PER_CUSTOMER;
    read_number(json_member(config, "booking"), "most_per_customer", 100,
                &rules->most_per_customer);
    read_resources(arena, json_member(from, "resources"), rules);
    read_fields(json_member(from, "intake"), workflow, &service);
    return service;
}

static void read_languages(struct arena *arena, const struct json *tags, struct workflow *out)
{
    for (const struct json *t = json_first(tags);
         t != NULL && out->language_count < WORKFLOW_LANGUAGES_MAX; t = json_next(t))
        if (json_text(t) != NULL)
            out->languages[out->language_count++] = arena_strdup(arena, json_text(t));
}

static void read_day(struct arena *arena, const char *key, const struct json *spans,
                     struct workflow *out)
{
    struct workflow_day *day = &out->days[out->day_count++];
    *day = (struct workflow_day){
        .key = arena_strdup(arena, key),
        .spans = arena_alloc(arena, (json_count(spans) + 1) * sizeof *day->spans)};
    for (const struct json *s = json_first(spans); s != NULL; s = json_next(s)) {
        const struct json *from = json_first(s);
        const struct json *to = from != NULL ? json_next(from) : NULL;
        if (to != NULL && json_text(from) != NULL && json_text(to) != NULL)
            day->spans[day->span_count++] = (struct workflow_span){
                arena_strdup(arena, json_text(from)), arena_strdup(arena, json_text(to))};
    }
}

static void read_days(struct arena *arena, const struct json *config, struct workflow *out)
{
    const struct json *hours = json_member(config, "hours");
    const struct json *holidays = json_member(config, "holidays");
    const size_t room = json_count(hours) + json_count(holidays) + 1;
    out->days = arena_alloc(arena, room * sizeof *out->days);
    for (const struct json *h = json_first(hours); h != NULL; h = json_next(h))
        if (json_name(h) != NULL)
            read_day(arena, json_name(h), h, out);
    for (const struct json *h = json_first(holidays); h != NULL; h = json_next(h))
        if (json_member_text(h, "day") != NULL)
            read_day(arena, json_member_text(h, "day"), json_member(h, "hours"), out);
}

static void read_closed(struct arena *arena, const struct json *from, struct workflow *out)
{
    const char *mode = json_member_text(from, "mode");
    out->closed_say = copy_text(arena, from, "say");
    if (mode != NULL && strcmp(mode, "take_message") == 0)
        out->closed_mode = WORKFLOW_TAKE_MESSAGE;
    else if (mode != NULL && strcmp(mode, "closed_text") == 0)
        out->closed_mode = WORKFLOW_CLOSED_TEXT;
}

/* The actions of intents, and the tool that each needs. */
static const struct {
    const char *name, *tool;
    const char *does, *without; /* told to the model with the tool, and when it may not use it */
} actions[] = {
    {"answer", NULL, "answer from the facts and papers that you have", NULL},
    {"book", "book", "offer a free time and book it with the tools for appointments",
     "ask when it would suit, and say that you will pass it on"},
    {"take_message", "take_message", "record it with take_message", "say that you will pass it on"},
    {"escalate", "escalate", "call escalate at once", "say that you will pass it on"},
    {"end", "end_conversation", "take your leave and call end_conversation", "take your leave"},
};
#define ACTIONS (sizeof actions / sizeof *actions)

/* The index of an action; that of "answer" for one of a newer release. */
static size_t find_action(const char *name)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (strcmp(actions[i].name, name) == 0)
            return i;
    return 0;
}

static bool holds(const struct json *names, const char *name)
{
    for (const struct json *n = json_first(names); n != NULL && name != NULL; n = json_next(n))
        if (json_text(n) != NULL && strcmp(json_text(n), name) == 0)
            return true;
    return false;
}

static void read_intents(struct arena *arena, const struct json *config, struct workflow *out)
{
    const struct json *intents = json_member(config, "intents");
    out->intents = arena_alloc(arena, WORKFLOW_INTENTS_MAX * sizeof *out->intents);
    for (const struct json *i = json_first(intents);
         i != NULL && out->intent_count < WORKFLOW_INTENTS_MAX; i = json_next(i)) {
        const char *when = json_member_text(i, "when");
        size_t action = find_action(copy_text(arena, i, "action"));
        if (when == NULL)
            continue;
        bool allowed = holds(json_member(config, "tools"), actions[action].tool);
        out->intents[out->intent_count++] =
            (struct workflow_intent){.when = arena_strdup(arena, when),
                                     .action = actions[action].name,
                                     .tool = allowed ? actions[action].tool : NULL,
                                     .service = copy_text(arena, i, "service"),
                                     .say = copy_text(arena, i, "say")};
    }
}

void workflow_read(struct arena *arena, const struct json *config, const char *timezone,
                   struct workflow *out)
{
    const struct json *services = json_member(config, "services");
    *out = (struct workflow){.timezone = timezone,
                             .hours = copy_json(arena, json_member(config, "hours")),
                             .holidays = copy_json(arena, json_member(config, "holidays")),
                             .greeting = copy_text(arena, config, "greeting"),
                             .tell = copy_text(arena, json_member(config, "escalation"), "tell")};
    read_days(arena, config, out);
    read_languages(arena, json_member(config, "languages"), out);
    read_closed(arena, json_member(config, "after_hours"), out);
    read_intents(arena, config, out);
    read_questions(arena, json_member(config, "intake"), out);
    out->services = arena_alloc(arena, WORKFLOW_SERVICES_MAX * sizeof *out->services);
    for (const struct json *s = json_first(services);
         s != NULL && out->service_count < WORKFLOW_SERVICES_MAX; s = json_next(s))
        out->services[out->service_count++] = read_service(arena, s, config, out);
    read_number(json_member(config, "knowledge"), "passages", PASSAGES_MAX, &out->passages);
}

const struct workflow_service *workflow_find(const struct workflow *workflow, const char *name)
{
    const struct workflow_service *close = NULL;
    for (size_t i = 0; i < workflow->service_count; i++) {
        const struct workflow_service *service = &workflow->services[i];
        if (strcmp(service->rules.service, name) == 0)
            return service;
        if (close == NULL && strcasecmp(service->rules.service, name) == 0)
            close = service;
    }
    return close;
}

const struct question *workflow_question(const struct workflow_service *service, const char *name)
{
    for (size_t i = 0; i < service->field_count; i++)
        if (strcmp(service->fields[i]->name, name) == 0)
            return service->fields[i];
    return NULL;
}

/* ---- telling ---- */

static void describe_spans(const struct json *spans, struct strbuf *out)
{
    const char *between = " ";
    if (json_first(spans) == NULL)
        strbuf_add_text(out, " closed");
    for (const struct json *s = json_first(spans); s != NULL; s = json_next(s)) {
        const struct json *from = json_first(s);
        const struct json *to = from != NULL ? json_next(from) : NULL;
        if (to == NULL || json_text(from) == NULL || json_text(to) == NULL)
            continue;
        strbuf_printf(out, "%s%s-%s", between, json_text(from), json_text(to));
        between = " and ";
    }
}

static void describe_hours(const struct json *hours, struct strbuf *out)
{
    strbuf_add_text(out, "Opening hours:\n");
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        strbuf_printf(out, "- %s", days[i].name);
        describe_spans(json_member(hours, days[i].key), out);
        strbuf_add_char(out, '\n');
    }
}

static void describe_holidays(const struct json *holidays, struct strbuf *out)
{
    if (json_first(holidays) != NULL)
        strbuf_add_text(out, "Other hours:\n");
    for (const struct json *h = json_first(holidays); h != NULL; h = json_next(h)) {
        const char *day = json_member_text(h, "day"), *name = json_member_text(h, "name");
        strbuf_printf(out, "- %s %s:", day != NULL ? day : "", name != NULL ? name : "");
        describe_spans(json_member(h, "hours"), out);
        strbuf_add_char(out, '\n');
    }
}

static void describe_service(const struct workflow_service *service, struct strbuf *out)
{
    strbuf_printf(out, "- %s: %d minutes", service->rules.service, service->rules.duration_min);
    if (service->price[0] != '\0')
        strbuf_printf(out, ", %s", service->price);
    if (service->description[0] != '\0')
        strbuf_printf(out, "; %s", service->description);
    for (size_t i = 0; i < service->field_count; i++) {
        strbuf_add_text(out, i == 0 ? "; to book it ask for " : ", ");
        question_describe(service->fields[i], out);
    }
    strbuf_add_char(out, '\n');
}

static void describe_languages(const struct workflow *workflow, struct strbuf *out)
{
    if (workflow->language_count == 0) {
        strbuf_add_text(out, "Answer in the language of the customer's last message.\n");
        return;
    }
    strbuf_printf(out, "Answer in %s", workflow->languages[0]);
    for (size_t i = 1; i < workflow->language_count; i++)
        strbuf_printf(out, "%s%s",
                      i == 1 ? ", or, if the customer's last message is in it, in " : ", ",
                      workflow->languages[i]);
    strbuf_add_text(out, "; in no other language, whoever asks for it.\n");
}

static void describe_intent(const struct workflow_intent *intent, struct strbuf *out)
{
    size_t action = find_action(intent->action);
    bool able = intent->tool != NULL || actions[action].tool == NULL;
    strbuf_printf(out, "- When the customer %s: %s", intent->when,
                  able ? actions[action].does : actions[action].without);
    if (intent->service[0] != '\0')
        strbuf_printf(out, " (service: %s)", intent->service);
    if (intent->say[0] != '\0')
        strbuf_printf(out, ". Say in any case: %s", intent->say);
    strbuf_add_char(out, '\n');
}

void workflow_describe_closed(const struct workflow *workflow, struct strbuf *out)
{
    if (workflow->closed_mode == WORKFLOW_TAKE_MESSAGE)
        strbuf_add_text(out,
                        "Outside the opening hours you only take messages: book, change and cancel "
                        "nothing and call nobody, whatever else you were told to do. Record what "
                        "the customer wants with take_message and say when the business opens.\n");
    if (workflow->closed_say[0] != '\0')
        strbuf_printf(out, "Tell the customer: %s\n", workflow->closed_say);
}

/* Sections are our own text: one that cannot be read is left out. */
static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err;
    return text != NULL && json_parse(text, strlen(text), &value, &err) == 0 ? value : NULL;
}

void workflow_describe(const struct workflow *workflow, struct strbuf *out)
{
    struct json *hours = parse(workflow->hours), *holidays = parse(workflow->holidays);
    describe_languages(workflow, out);
    if (workflow->greeting != NULL && workflow->greeting[0] != '\0')
        strbuf_printf(out,
                      "In front of your first reply of a conversation this greeting is sent by "
                      "itself; neither repeat it nor greet again: %s\n",
                      workflow->greeting);
    if (hours != NULL)
        describe_hours(hours, out);
    if (holidays != NULL)
        describe_holidays(holidays, out);
    if (workflow->service_count > 0)
        strbuf_add_text(out, "Services that can be booked:\n");
    for (size_t i = 0; i < workflow->service_count; i++)
        describe_service(&workflow->services[i], out);
    if (workflow->intent_count > 0)
        strbuf_add_text(out, "What to do:\n");
    for (size_t i = 0; i < workflow->intent_count; i++)
        describe_intent(&workflow->intents[i], out);
    json_free(&hours);
    json_free(&holidays);
}

/* ---- open or not ---- */

int workflow_is_open(const struct workflow *workflow, const char *weekday, const char *local)
{
    const struct workflow_day *usual = NULL, *special = NULL;
    if (workflow->hours == NULL || strlen(local) < 16)
        return -1;
    for (const struct workflow_day *d = workflow->days; d < workflow->days + workflow->day_count;
         d++) {
        if (strcmp(d->key, weekday) == 0)
            usual = d;
        else if (strncmp(d->key, local, 10) == 0)
            special = d;
    }
    const struct workflow_day *day = special != NULL ? special : usual;
    for (size_t i = 0; day != NULL && i < day->span_count; i++)
        if (strncmp(day->spans[i].from, local + 11, 5) <= 0 &&
            strncmp(local + 11, day->spans[i].to, 5) < 0)
            return 1;
    return 0;
}
