/* The part of a prompt that is in each turn of a version, by the engine's own code and estimate
 * (common/prompt), against the windows of the chain. `tenant apply` calls it. */
#include "tenant_room.h"

#include <inttypes.h>
#include <string.h>

#include "prompt/prompt.h"
#include "prompt/tokens.h"
#include "json/json.h"

#define SCHEMA_BYTES_MAX 16384
#define TEXT_TOKENS      500 /* what is to be answered: a long text */

static int64_t tokens_of_http_tool(const struct json *entry)
{
    struct strbuf schema;
    strbuf_init(&schema, SCHEMA_BYTES_MAX);
    json_print(json_member(entry, "parameters"), &schema);
    const struct llm_tool tool = {.name = json_member_text(entry, "name"),
                                  .description = json_member_text(entry, "description"),
                                  .parameters = schema.data};
    const int64_t tokens = tokens_of_tools(&tool, 1);
    strbuf_fini(&schema);
    return tokens;
}

static int64_t tokens_of_all_tools(const struct json *config)
{
    int64_t tokens = 0;
    for (const struct json *t = json_first(json_member(config, "tools")); t != NULL;
         t = json_next(t))
        tokens += TOKENS_OF_DESK_TOOL;
    for (const struct json *t = json_first(json_member(config, "http_tools")); t != NULL;
         t = json_next(t))
        tokens += tokens_of_http_tool(t);
    return tokens;
}

static int64_t longest_channel_rules(void)
{
    int64_t longest = 0;
    for (size_t i = 0; i < PROMPT_CHANNELS; i++) {
        const int64_t tokens = tokens_of_text(prompt_channel_rules[i]);
        longest = tokens > longest ? tokens : longest;
    }
    return longest;
}

static int64_t fixed_tokens(struct arena *arena, const struct tenant_row *row)
{
    struct json *config = NULL;
    struct workflow workflow;
    struct prompt_fixed fixed;
    struct profile profile = {
        .business = row->display_name, .timezone = row->timezone, .language = row->language};
    struct err err;
    if (json_parse(row->config, strlen(row->config), &config, &err) != 0)
        return 0;
    profile_read(arena, config, &profile);
    workflow_read(arena, config, row->timezone, &workflow);
    prompt_fix(arena, &profile, &workflow, &fixed);
    const int64_t tokens = fixed.tokens + longest_channel_rules() + tokens_of_all_tools(config);
    json_free(&config);
    return tokens;
}

void tenant_room_check(struct problems *problems, const struct tenant_file *file,
                       const struct tenant_row *row)
{
    const int64_t needed = fixed_tokens(problems->arena, row) + TEXT_TOKENS;
    problems->file = file->path;
    for (size_t i = 0; i < file->model_count; i++) {
        const struct tenant_file_model *model = &file->models[i];
        if (model->window > 0 && model->window < needed + model->max_tokens)
            problems_add(problems, model->line,
                         "window: %" PRId64 " tokens are too few: rules, business, workflow and "
                         "tools of this file, a customer's text and an answer are some %" PRId64
                         "; let the model have a larger one and write it here as window:, or "
                         "shorten persona, facts, tools or max_tokens",
                         model->window, needed + model->max_tokens);
    }
}
