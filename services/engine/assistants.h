/* Assistant versions, read once from the database and kept: a version never changes. */
#ifndef DESK_ENGINE_ASSISTANTS_H
#define DESK_ENGINE_ASSISTANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/uuid.h"
#include "engine.h"
#include "llm/llm.h"
#include "phone_plan.h"
#include "prompt/profile.h"
#include "prompt/prompt.h"
#include "prompt/wording.h"
#include "prompt/workflow.h"
#include "rate.h"
#include "store/usage.h"
#include "tenant_tools.h"
#include "triggers.h"

#define ASSISTANT_MODELS_MAX  8
#define ASSISTANT_HEADERS_MAX 4
#define ASSISTANT_TOOLS_MAX   32

struct assistant_model {
    int number;           /* its entry's in the tenant's chain, from 1 */
    const char *provider; /* the vendor, or the host of its URL */
    enum llm_dialect dialect;
    const char *base_url, *model;
    struct secret *key;                             /* NULL: none */
    const char *key_header;                         /* NULL: Authorization */
    const char *headers[ASSISTANT_HEADERS_MAX + 1]; /* NULL-terminated */
    const char *extra;                              /* a JSON object, or NULL */
    double temperature;                             /* < 0: not sent */
    int max_tokens;
    int64_t window; /* tokens of prompt and answer; 0: not known */
    bool max_completion_tokens, no_stream_usage, echo_reasoning;
    int64_t first_token_ms, total_ms;
    int64_t race_after_ms; /* on a call the next model is asked, too; 0: never, -1: race.h's way */
    struct rate_limits rate;
    int64_t concurrent; /* calls at once of the tenant's account; 0: not limited */
    int64_t price_in, price_cached, price_out; /* billionths of a dollar a token; -1: not known */
    int64_t price_written; /* the same, of input that a cache keeps for later calls */
};

struct assistant_tools {
    struct llm_tool items[ASSISTANT_TOOLS_MAX];
    size_t count;
    int64_t tokens; /* of a prompt that offers them */
};

struct assistant {
    struct profile profile;
    const char *fallback, *degraded; /* never "" */
    struct wording words;            /* what the desk says by itself, in the tenant's language */
    struct assistant_model models[ASSISTANT_MODELS_MAX];
    size_t model_count;
    struct assistant_tools tools;          /* what its models may call, */
    struct assistant_tools call_tools;     /* on the phone, */
    struct assistant_tools message_tools;  /* while only messages are taken, */
    struct assistant_tools stranger_tools; /* and for who may not be who he says (stranger.h), */
    struct assistant_tools stranger_call_tools;      /* on the phone, too */
    struct tenant_tool http_tools[TENANT_TOOLS_MAX]; /* those of them that are the tenant's */
    size_t http_tool_count;
    struct workflow workflow;
    struct prompt_fixed fixed; /* of profile and workflow */
    struct triggers triggers;
    struct phone_plan phone;
    struct usage_limits budget; /* of the tenant */
};

/* A request to that model, complete but for what it is asked and offered; borrows from the model.
 */
struct llm_request assistant_request(const struct assistant_model *model);

/* Whether the tool of that name is among them. */
bool assistant_may_use(const struct assistant_tools *tools, const char *tool);

/* The tenant's own tool of that name; NULL if it is none. */
const struct tenant_tool *assistant_http_tool(const struct assistant *assistant, const char *tool);

struct assistants;

/* Returns owned; frees with all versions. */
struct assistants *assistants_new(struct engine *engine);
void assistants_free(struct assistants **assistants);

/* The version, or NULL while it is being read: then the session (by id) gets a call of
 * think_assistant_ready when it is there, or when it cannot be had (`assistant` NULL). */
const struct assistant *assistants_get(struct assistants *assistants, const char *tenant,
                                       const char *id, int version, const struct uuid *session);

#endif
