/* What all dialects share of a request: where it goes, its frame, and the order of its messages.
 * llm.c calls it; chat.c, gemini.c and anthropic.c know the members, tools.c how to speak of tools.
 */
#include <string.h>

#include "llm/llm_inside.h"

char *llm_request_url(const struct llm_request *request)
{
    struct strbuf url;
    strbuf_init(&url, 4096);
    size_t length = strlen(request->base_url);
    while (length > 0 && request->base_url[length - 1] == '/')
        length--;
    strbuf_add(&url, request->base_url, length);
    llm_wire_of(request->dialect)->write_path(request, &url);
    return strbuf_take(&url);
}

void llm_request_headers(const struct llm_request *request, const char *lines[LLM_HEADERS_MAX + 3])
{
    const char *usual = llm_wire_of(request->dialect)->usual_header;
    size_t count = 0;
    lines[count++] = "Content-Type: application/json";
    lines[count++] = "Accept: text/event-stream";
    for (size_t i = 0;
         request->headers != NULL && request->headers[i] != NULL && i < LLM_HEADERS_MAX; i++)
        lines[count++] = request->headers[i];
    if (usual != NULL && count == 2)
        lines[count++] = usual;
    lines[count] = NULL;
}

static void add_value(struct json_writer *w, const struct json *member)
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    json_print(member, &text);
    json_add_raw(w, json_name(member), text.data);
    strbuf_fini(&text);
}

void llm_extra_write(const struct json *extra, const char *except, struct json_writer *w)
{
    for (const struct json *m = json_first(extra); m != NULL; m = json_next(m))
        if (except == NULL || strcmp(json_name(m), except) != 0)
            add_value(w, m);
}

void llm_request_write(const struct llm_request *request, struct strbuf *out)
{
    const struct llm_wire *wire = llm_wire_of(request->dialect);
    struct json *extra = NULL;
    struct json_writer w;
    if (request->extra != NULL)
        (void)json_parse(request->extra, strlen(request->extra), &extra, NULL);
    json_writer_init(&w, out);
    json_open_object(&w, NULL);
    wire->write_members(request, extra, &w);
    llm_extra_write(extra, wire->own_extra, &w);
    json_close_object(&w);
    json_free(&extra);
}

static void add_part(const struct llm_turns *names, const char *text, bool is_kept,
                     struct json_writer *w)
{
    json_open_object(w, NULL);
    if (names->type != NULL)
        json_add_text(w, "type", names->type);
    json_add_text(w, "text", text);
    if (is_kept && names->tells_kept) {
        json_open_object(w, "cache_control");
        json_add_text(w, "type", "ephemeral");
        json_close_object(w);
    }
    json_close_object(w);
}

/* The first ones, since all that stands behind such an end begins with it. */
static bool is_kept(const struct llm_request *request, size_t at)
{
    size_t before = 0;
    for (size_t i = 0; i < at; i++)
        before += request->messages[i].is_kept;
    return request->messages[at].is_kept && before < LLM_KEPT_MAX;
}

void llm_system_write(const struct llm_request *request, const struct llm_turns *names,
                      const char *name, struct json_writer *w)
{
    bool open = false;
    for (size_t i = 0; i < request->message_count; i++) {
        if (request->messages[i].role != LLM_SYSTEM)
            continue;
        if (!open)
            json_open_array(w, name);
        open = true;
        add_part(names, request->messages[i].text, is_kept(request, i), w);
    }
    if (open)
        json_close_array(w);
}

/* ---- messages as turns of parts ---- */

/* Stands where a conversation was begun by the business. */
static const char nobody_asked[] = "(The business wrote first.)";

struct turns {
    const struct llm_request *request;
    const struct llm_turns *names;
    struct json_writer *w;
    enum llm_role last; /* whose turn is open; LLM_SYSTEM: nobody's */
    size_t calls;       /* written so far */
};

static void close_turn(struct turns *turns)
{
    if (turns->last == LLM_SYSTEM)
        return;
    json_close_array(turns->w);
    json_close_object(turns->w);
}

static void open_turn(struct turns *turns, enum llm_role role)
{
    close_turn(turns);
    json_open_object(turns->w, NULL);
    json_add_text(turns->w, "role", role == LLM_USER ? "user" : turns->names->assistant);
    json_open_array(turns->w, turns->names->parts);
    turns->last = role;
}

/* Makes `role` the one that speaks. */
static void turn_to(struct turns *turns, enum llm_role role)
{
    if (turns->last == LLM_SYSTEM && role == LLM_ASSISTANT) {
        open_turn(turns, LLM_USER);
        add_part(turns->names, nobody_asked, false, turns->w);
    }
    if (turns->last != role)
        open_turn(turns, role);
}

/* The calls of a message, and what came back as the user's next words. */
static void write_round(struct turns *turns, size_t at)
{
    const struct llm_message *message = &turns->request->messages[at];
    struct llm_asked asked;
    for (size_t i = 0; i < message->call_count; i++) {
        llm_asked_fill(turns->request, at, i, turns->calls, &asked);
        turns->names->write_call(turns->request, &asked, turns->w);
    }
    turn_to(turns, LLM_USER);
    for (size_t i = 0; i < message->call_count; i++) {
        llm_asked_fill(turns->request, at, i, turns->calls, &asked);
        turns->names->write_result(&asked, turns->w);
    }
    turns->calls += message->call_count;
}

void llm_turns_write(const struct llm_request *request, const struct llm_turns *names,
                     struct json_writer *w)
{
    struct turns turns = {.request = request, .names = names, .w = w, .last = LLM_SYSTEM};
    json_open_array(w, names->array);
    for (size_t i = 0; i < request->message_count; i++) {
        const struct llm_message *message = &request->messages[i];
        bool calls = message->role == LLM_ASSISTANT && message->call_count > 0;
        if (message->role == LLM_SYSTEM || message->role == LLM_TOOL)
            continue; /* written apart, or with its call */
        turn_to(&turns, message->role);
        if (!calls || !llm_is_blank(message->text))
            add_part(names, message->text, is_kept(request, i), w);
        if (calls)
            write_round(&turns, i);
    }
    close_turn(&turns);
    json_close_array(w);
}
