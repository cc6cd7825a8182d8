/*
 * Actions: a table maps each key to its field, so that the JSON of a rule and the directive in a
 * text are read by the same code. Called by faults.c.
 */
#include "stands/lib/action.h"

#include <stdlib.h>
#include <string.h>

enum { ACTION_TEXT_MAX = 64 * 1024 };

struct key {
    const char *name;
    size_t offset;
    bool text;
};

#define NUMBER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct stand_action, field), false                                        \
    }
#define TEXT(field)                                                                                \
    {                                                                                              \
#field, offsetof(struct stand_action, field), true                                         \
    }

static const struct key keys[] = {
    NUMBER(ms),       NUMBER(chunks),    NUMBER(bytes),       NUMBER(status),
    NUMBER(reset),    TEXT(code),        TEXT(message),       TEXT(error_type),
    TEXT(error_code), TEXT(retry_after), TEXT(mode),          TEXT(name),
    TEXT(arguments),  TEXT(text),        TEXT(finish_reason), NUMBER(every_ms),
};

static const char *const type_names[STAND_ACTION_TYPES] = {
    [STAND_DELAY] = "delay",
    [STAND_STALL] = "stall",
    [STAND_CUT_OFF] = "cut",
    [STAND_STATUS] = "status",
    [STAND_WRONG_JSON] = "wrong_json",
    [STAND_EMPTY] = "empty",
    [STAND_HUGE] = "huge",
    [STAND_NONSENSE] = "nonsense",
    [STAND_ANSWER_LOST] = "accepted_but_answer_lost",
    [STAND_ERROR_IN_STREAM] = "error_in_stream",
    [STAND_TRUNCATE] = "truncate",
    [STAND_TOOL_CALL] = "tool_call",
    [STAND_REPLY] = "reply",
    [STAND_OBEY] = "obey",
    [STAND_HANG] = "hang",
    [STAND_REFUSE] = "refuse",
    [STAND_CALLBACKS] = "callbacks",
    [STAND_REDACT] = "redact",
};

const char *stand_action_name(enum stand_action_type type)
{
    return type_names[type];
}

struct stand_action *stand_action_new(void)
{
    struct stand_action *action = stand_alloc(sizeof *action);
    action->references = 1;
    action->type = STAND_ACTION_TYPES;
    action->ms = action->chunks = action->bytes = action->status = action->reset =
        action->every_ms = -1;
    return action;
}

bool stand_action_ready(const struct stand_action *action)
{
    return action->type != STAND_ACTION_TYPES;
}

static char **text_field(struct stand_action *action, const struct key *key)
{
    return (char **)((char *)action + key->offset);
}

void stand_action_release(struct stand_action *action)
{
    if (!action || --action->references > 0)
        return;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].text)
            free(*text_field(action, &keys[i]));
    }
    free(action);
}

static int set_type(struct stand_action *action, const char *value, size_t len)
{
    for (int type = 0; type < STAND_ACTION_TYPES; type++) {
        if (strlen(type_names[type]) == len && memcmp(type_names[type], value, len) == 0) {
            action->type = (enum stand_action_type)type;
            return 0;
        }
    }
    return -1;
}

static int set_number(int64_t *number, const char *value, size_t len)
{
    int64_t result = 0;
    if (len == 4 && memcmp(value, "true", 4) == 0) {
        *number = 1;
        return 0;
    }
    if (len == 0 || len > 10)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return -1;
        result = result * 10 + (value[i] - '0');
    }
    *number = result;
    return 0;
}

int stand_action_set(struct stand_action *action, const char *key, const char *value, size_t len)
{
    if (strcmp(key, "type") == 0 || strcmp(key, "action") == 0)
        return set_type(action, value, len);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].name, key) != 0)
            continue;
        if (!keys[i].text)
            return set_number((int64_t *)((char *)action + keys[i].offset), value, len);
        if (len > ACTION_TEXT_MAX)
            return -1;
        char **text = text_field(action, &keys[i]);
        free(*text);
        *text = stand_copy(value, len);
        return 0;
    }
    return -1;
}
