/* The cache of assistant versions, and reading one from its JSON. Keys of models and tools are
 * opened once, here. */
#include "assistants.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "budget.h"
#include "crypto/crypto.h"
#include "prompt/tokens.h"
#include "service/log.h"
#include "session.h"
#include "store/assistant.h"
#include "store/credential.h"
#include "tools.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITERS_MAX   20000
#define READ_AGAIN_MS 200
#define EXTRA_MAX     8192
#define PRICE_MAX     100000000 /* a tenth of a dollar a token */
#define WINDOW_MAX    100000000
#define RATE_MAX      1000000000
#define CALLS_MAX     100000
#define KEY_SIZE      (2 * UUID_TEXT_SIZE + 12)

struct entry {
    struct assistants *all;
    struct arena *arena;
    struct assistant assistant;
    char key[KEY_SIZE], tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE], version[12];
    bool ready;
    struct timer *retry; /* the database did not answer */
    struct uuid *waiters;
    size_t waiter_count;
};

struct assistants {
    struct engine *engine;
    struct map *entries;
};

struct assistants *assistants_new(struct engine *engine)
{
    struct assistants *all = xcalloc(1, sizeof *all);
    all->engine = engine;
    all->entries = map_new();
    return all;
}

static void key_of(const char *tenant, const char *id, int version, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%s/%s/%d", tenant, id, version);
}

static void entry_free(struct entry *entry)
{
    for (size_t i = 0; i < entry->assistant.model_count; i++)
        secret_free(&entry->assistant.models[i].key);
    for (size_t i = 0; i < entry->assistant.http_tool_count; i++)
        tenant_tool_fini(&entry->assistant.http_tools[i]);
    arena_free(&entry->arena);
    timer_free(&entry->retry);
    free(entry->waiters);
    free(entry);
}

static bool free_entry(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    entry_free(value);
    return true;
}

void assistants_free(struct assistants **assistants)
{
    if (*assistants == NULL)
        return;
    map_each((*assistants)->entries, free_entry, NULL);
    map_free(&(*assistants)->entries);
    free(*assistants);
    *assistants = NULL;
}

static const char *text_or(struct arena *arena, const struct json *object, const char *name,
                           const char *fallback)
{
    const char *text = json_member_text(object, name);
    return arena_strdup(arena, text != NULL && text[0] != '\0' ? text : fallback);
}

static int open_key(struct entry *entry, const char *wrapped, struct secret **key, struct err *err)
{
    struct engine_shared *shared = entry->all->engine->shared;
    struct strbuf bytes;
    struct uuid tenant, assistant;
    if (!uuid_parse(entry->tenant, &tenant) || !uuid_parse(entry->id, &assistant))
        return err_set(err, ERR_BUG, "assistant.id", "an id is not a uuid");
    strbuf_init(&bytes, 8192);
    const char *context = credential_model_context(entry->arena, &tenant, &assistant);
    int rc = text_decode_base64(wrapped, strlen(wrapped), &bytes)
                 ? crypto_unwrap((const struct secret *const *)shared->credential_keys,
                                 shared->credential_key_count, context, bytes.data, bytes.length,
                                 key, err)
                 : err_set(err, ERR_PERMANENT, "assistant.key", "key_wrapped is not base64");
    strbuf_fini(&bytes);
    return rc;
}

/* Who answers, for people who read records: the file's word, else host and port of the URL. */
static const char *provider_of(struct entry *entry, const struct json *from)
{
    const char *given = json_member_text(from, "vendor");
    const char *url = json_member_text(from, "base_url");
    const char *host = url != NULL ? strstr(url, "://") : NULL;
    if (given != NULL && given[0] != '\0')
        return arena_strdup(entry->arena, given);
    if (host == NULL)
        return "unknown";
    host += strlen("://");
    return arena_printf(entry->arena, "%.*s", (int)strcspn(host, "/?#"), host);
}

/* How this vendor's endpoint differs from its dialect. Versions from before it was written have
 * none of it: OpenAI's way. */
static int read_quirks(struct entry *entry, const struct json *from, struct assistant_model *model,
                       struct err *err)
{
    const char *dialect = json_member_text(from, "dialect");
    const char *auth = json_member_text(from, "auth");
    const struct json *extra = json_member(from, "extra");
    size_t count = 0;
    if (dialect != NULL && !llm_dialect_named(dialect, &model->dialect))
        return err_set(err, ERR_PERMANENT, "assistant.dialect",
                       "no dialect is called \"%s\": this engine is older than the tenant's file",
                       dialect);
    if (auth != NULL && strcmp(auth, "bearer") != 0)
        model->key_header = arena_strdup(entry->arena, auth);
    for (const struct json *h = json_first(json_member(from, "headers"));
         h != NULL && count < ASSISTANT_HEADERS_MAX; h = json_next(h))
        if (json_text(h) != NULL)
            model->headers[count++] = arena_strdup(entry->arena, json_text(h));
    if (extra != NULL && json_type(extra) == JSON_OBJECT) {
        struct strbuf text;
        strbuf_init(&text, EXTRA_MAX);
        json_print(extra, &text);
        model->extra = text.overflow ? NULL : arena_strdup(entry->arena, text.data);
        strbuf_fini(&text);
    }
    model->max_completion_tokens = json_member_bool(from, "max_completion_tokens", false);
    model->no_stream_usage = !json_member_bool(from, "stream_usage", true);
    model->echo_reasoning = json_member_bool(from, "echo_reasoning", false);
    return 0;
}

static int read_model(struct entry *entry, const struct json *from, int place, struct err *err)
{
    struct assistant *assistant = &entry->assistant;
    struct assistant_model model = {
        .number = place,
        .provider = provider_of(entry, from),
        .base_url = text_or(entry->arena, from, "base_url", ""),
        .model = text_or(entry->arena, from, "model", ""),
        .temperature = -1,
        .race_after_ms = -1,
        .price_in = -1,
        .price_cached = -1,
        .price_written = -1,
        .price_out = -1,
    };
    int64_t number = 0;
    if (read_quirks(entry, from, &model, err) != 0)
        return -1;
    if (json_member(from, "temperature") != NULL)
        model.temperature = json_number(json_member(from, "temperature"));
    if (json_member_int(from, "max_tokens", 1, 100000, &number))
        model.max_tokens = (int)number;
    json_member_int(from, "window", 1, WINDOW_MAX, &model.window);
    json_member_int(from, "first_token_ms", 100, 600000, &model.first_token_ms);
    json_member_int(from, "total_ms", 100, 600000, &model.total_ms);
    json_member_int(from, "race_after_ms", 0, 600000, &model.race_after_ms);
    json_member_int(from, "requests_per_minute", 1, RATE_MAX, &model.rate.requests);
    json_member_int(from, "tokens_per_minute", 1, RATE_MAX, &model.rate.tokens);
    json_member_int(from, "concurrent", 1, CALLS_MAX, &model.concurrent);
    json_member_int(from, "price_in", 0, PRICE_MAX, &model.price_in);
    json_member_int(from, "price_cached", 0, PRICE_MAX, &model.price_cached);
    json_member_int(from, "price_written", 0, PRICE_MAX, &model.price_written);
    json_member_int(from, "price_out", 0, PRICE_MAX, &model.price_out);
    const char *wrapped = json_member_text(from, "key_wrapped");
    if (wrapped != NULL && wrapped[0] != '\0' && open_key(entry, wrapped, &model.key, err) != 0)
        return -1;
    assistant->models[assistant->model_count++] = model;
    return 0;
}

/* One that cannot be used, for a key or a dialect that cannot be read, is left out, for the
 * operator to mend: the chain goes on behind it. */
static void read_models(struct entry *entry, const struct json *list)
{
    int place = 1;
    for (const struct json *m = json_first(list); m != NULL; m = json_next(m), place++) {
        struct err err;
        if (entry->assistant.model_count == ASSISTANT_MODELS_MAX)
            return;
        if (read_model(entry, m, place, &err) != 0)
            log_error("assistant.model_not_read", LOG_TEXT("assistant", entry->id),
                      LOG_INT("model", place), LOG_ERR(&err));
    }
}

static void add_tool(struct entry *entry, struct assistant_tools *tools, const struct tool *tool)
{
    const char *parameters =
        tool->fit != NULL ? tool->fit(entry->arena, &entry->assistant.workflow) : tool->parameters;
    if (tools->count < ASSISTANT_TOOLS_MAX)
        tools->items[tools->count++] = (struct llm_tool){tool->name, tool->description, parameters};
}

/* Tools that this engine does not know are those of a newer one: left out. Messages can always be
 * taken while nothing else can be done. */
static void read_tools(struct entry *entry, const struct json *names)
{
    struct assistant *assistant = &entry->assistant;
    for (const struct json *n = json_first(names); n != NULL; n = json_next(n)) {
        const struct tool *tool = json_text(n) != NULL ? tools_named(json_text(n)) : NULL;
        if (tool == NULL) {
            log_warn("assistant.tool_unknown", LOG_TEXT("assistant", entry->id));
            continue;
        }
        add_tool(entry, tool->on_calls ? &assistant->call_tools : &assistant->tools, tool);
        if (tool->when_closed)
            add_tool(entry, &assistant->message_tools, tool);
        if (!tool->of_account && !tool->on_calls)
            add_tool(entry, &assistant->stranger_tools, tool);
    }
    if (!assistant_may_use(&assistant->message_tools, tool_take_message.name))
        add_tool(entry, &assistant->message_tools, &tool_take_message);
}

/* Behind those of calls alone. */
static void fill_call_tools(struct assistant_tools *calls, const struct assistant_tools *others)
{
    for (size_t i = 0; i < others->count && calls->count < ASSISTANT_TOOLS_MAX; i++)
        calls->items[calls->count++] = others->items[i];
    calls->tokens = tokens_of_tools(calls->items, calls->count);
}

struct llm_request assistant_request(const struct assistant_model *model)
{
    return (struct llm_request){.dialect = model->dialect,
                                .base_url = model->base_url,
                                .key = model->key,
                                .key_header = model->key_header,
                                .headers = model->headers,
                                .extra = model->extra,
                                .model = model->model,
                                .temperature = model->temperature,
                                .max_tokens = model->max_tokens,
                                .max_completion_tokens = model->max_completion_tokens,
                                .no_stream_usage = model->no_stream_usage,
                                .echo_reasoning = model->echo_reasoning,
                                .first_token_ms = model->first_token_ms,
                                .total_ms = model->total_ms};
}

bool assistant_may_use(const struct assistant_tools *tools, const char *tool)
{
    for (size_t i = 0; i < tools->count; i++)
        if (strcmp(tools->items[i].name, tool) == 0)
            return true;
    return false;
}

static int read_http_tool(struct entry *entry, const struct json *from, struct tenant_tool *tool,
                          struct err *err)
{
    const char *wrapped = json_member_text(from, "key_wrapped");
    if (tenant_tool_read(entry->arena, from, tool, err) != 0)
        return -1;
    bool taken =
        tools_named(tool->name) != NULL || assistant_may_use(&entry->assistant.tools, tool->name);
    int rc = taken ? err_set(err, ERR_PERMANENT, "assistant.http_tool", "its name is taken") : 0;
    if (rc == 0 && wrapped != NULL && wrapped[0] != '\0')
        rc = open_key(entry, wrapped, &tool->key, err);
    if (rc != 0)
        tenant_tool_fini(tool);
    return rc;
}

/* One that cannot be used is left out, for the operator to mend: the others still work. */
static void read_http_tools(struct entry *entry, const struct json *list)
{
    struct assistant *assistant = &entry->assistant;
    int64_t number = 1; /* of the entry: the name may be what is wrong */
    for (const struct json *t = json_first(list); t != NULL; t = json_next(t), number++) {
        struct tenant_tool tool;
        struct err err;
        if (assistant->http_tool_count == TENANT_TOOLS_MAX ||
            assistant->tools.count == ASSISTANT_TOOLS_MAX)
            return;
        if (read_http_tool(entry, t, &tool, &err) != 0) {
            log_error("assistant.tool_not_read", LOG_TEXT("assistant", entry->id),
                      LOG_INT("tool", number), LOG_ERR(&err));
            continue;
        }
        assistant->http_tools[assistant->http_tool_count++] = tool;
        assistant->tools.items[assistant->tools.count++] =
            (struct llm_tool){tool.name, tool.description, tool.parameters};
    }
}

const struct tenant_tool *assistant_http_tool(const struct assistant *assistant, const char *tool)
{
    for (size_t i = 0; i < assistant->http_tool_count; i++)
        if (strcmp(assistant->http_tools[i].name, tool) == 0)
            return &assistant->http_tools[i];
    return NULL;
}

static int read_config(struct entry *entry, const struct assistant_row *row, struct err *err)
{
    struct assistant *a = &entry->assistant;
    struct json *config = NULL;
    a->profile = (struct profile){.business = arena_strdup(entry->arena, row->business),
                                  .timezone = arena_strdup(entry->arena, row->timezone),
                                  .language = arena_strdup(entry->arena, row->language)};
    if (json_parse(row->config, strlen(row->config), &config, err) != 0)
        return -1;
    profile_read(entry->arena, config, &a->profile);
    a->fallback = text_or(entry->arena, config, "fallback",
                          "Thank you for your message. We will get back to you shortly.");
    a->degraded = text_or(entry->arena, config, "degraded", a->fallback);
    wording_read(entry->arena, json_member(json_member(config, "reception"), "words"),
                 a->profile.language, a->profile.business, &a->words);
    workflow_read(entry->arena, config, a->profile.timezone, &a->workflow);
    read_tools(entry, json_member(config, "tools"));
    read_http_tools(entry, json_member(config, "http_tools"));
    a->tools.tokens = tokens_of_tools(a->tools.items, a->tools.count);
    a->stranger_call_tools = a->call_tools; /* so far those of calls alone */
    fill_call_tools(&a->stranger_call_tools, &a->stranger_tools);
    fill_call_tools(&a->call_tools, &a->tools);
    a->message_tools.tokens = tokens_of_tools(a->message_tools.items, a->message_tools.count);
    a->stranger_tools.tokens = tokens_of_tools(a->stranger_tools.items, a->stranger_tools.count);
    prompt_fix(entry->arena, &a->profile, &a->workflow, &a->fixed);
    a->budget = budget_read(json_member(config, "budgets"));
    triggers_read(entry->arena, json_member(config, "escalation"), &a->triggers);
    phone_plan_read(entry->arena, config, &a->phone);
    read_models(entry, json_member(config, "models"));
    json_free(&config);
    return 0;
}

/* Not one that has begun anew since, with another version: it has asked for that. */
static bool waits_for(const struct session *session, const struct entry *entry)
{
    char key[KEY_SIZE];
    if (session->turn.assistant == NULL)
        return false;
    key_of(session->tenant, session->turn.assistant, session->turn.assistant_version, key);
    return strcmp(key, entry->key) == 0;
}

static void loaded(void *arg, const struct pg_answer *answer)
{
    struct entry *entry = arg;
    struct assistants *all = entry->all;
    struct assistant_row row;
    struct err err;
    bool usable = false;
    if (answer->err != NULL && err_is_retryable(answer->err) && !all->engine->retiring) {
        timer_start(entry->retry, READ_AGAIN_MS, 0); /* the turns' deadlines bound the wait */
        return;
    }
    if (answer->err != NULL)
        err = *answer->err;
    else if (!assistant_read(answer, &row))
        err_set(&err, ERR_BUG, "assistant.missing", "the assistant version has no row");
    else {
        entry->arena = arena_new();
        if (read_config(entry, &row, &err) == 0)
            err.code[0] = '\0';
        usable = entry->assistant.fallback != NULL;
    }
    if (answer->err != NULL || err.code[0] != '\0')
        log_error("assistant.not_read", LOG_TEXT("assistant", entry->id), LOG_ERR(&err));
    entry->ready = usable;
    struct uuid *waiters = entry->waiters;
    size_t count = entry->waiter_count;
    entry->waiters = NULL;
    entry->waiter_count = 0;
    if (!usable)
        map_remove_text(all->entries, entry->key);
    struct sessions *sessions = all->engine->sessions;
    for (size_t i = 0; i < count && sessions != NULL; i++) {
        struct session *session =
            map_get(sessions->by_id, waiters[i].bytes, sizeof waiters[i].bytes);
        if (session != NULL && waits_for(session, entry))
            think_assistant_ready(session, usable ? &entry->assistant : NULL);
    }
    free(waiters);
    if (!usable)
        entry_free(entry);
}

static void read_entry(void *arg)
{
    struct entry *entry = arg;
    struct pg_unit unit = {.deadline_ms = 5000, .done = loaded, .arg = entry};
    assistant_add_read(&unit, entry->tenant, entry->id, entry->version);
    pg_submit(entry->all->engine->pg, &unit);
}

static struct entry *load(struct assistants *all, const char *key, const char *tenant,
                          const char *id, int version)
{
    struct entry *entry = xcalloc(1, sizeof *entry);
    entry->all = all;
    snprintf(entry->key, sizeof entry->key, "%s", key);
    snprintf(entry->tenant, sizeof entry->tenant, "%s", tenant);
    snprintf(entry->id, sizeof entry->id, "%s", id);
    snprintf(entry->version, sizeof entry->version, "%d", version);
    map_put_text(all->entries, key, entry);
    entry->retry = timer_new(all->engine->loop, read_entry, entry);
    read_entry(entry);
    return entry;
}

const struct assistant *assistants_get(struct assistants *assistants, const char *tenant,
                                       const char *id, int version, const struct uuid *session)
{
    char key[KEY_SIZE];
    key_of(tenant, id, version, key);
    struct entry *entry = map_get_text(assistants->entries, key);
    if (entry == NULL)
        entry = load(assistants, key, tenant, id, version);
    if (entry->ready)
        return &entry->assistant;
    if (entry->waiter_count < WAITERS_MAX) {
        entry->waiters =
            xreallocarray(entry->waiters, entry->waiter_count + 1, sizeof *entry->waiters);
        entry->waiters[entry->waiter_count++] = *session;
    }
    return NULL;
}
