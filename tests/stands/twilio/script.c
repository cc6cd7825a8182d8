/*
 * The scripts' grammar as two tables: what a step is, and which options it takes. Called by
 * calls_control.c and callees.c to check, and by caller.c to play.
 */
#include "stands/twilio/script.h"

#include <string.h>

enum { STEPS_MAX = 100000, BYTES_MAX = 16 * 1024 * 1024 };

enum kind { TEXT, WHOLE, TRUTH, OBJECT, TEXT_OR_TRUTH };

static const struct step_rule {
    const char *name;
    enum kind kind;
    const char *options; /* a list, each word between blanks */
} steps[SCRIPT_STEPS] = {
    [SCRIPT_SAY] = {"say", TEXT, " ms lang last confidence blind timeout_ms "},
    [SCRIPT_INTERRUPT] = {"interrupt", TEXT,
                          " after_chars after_words ms lang last confidence timeout_ms "},
    [SCRIPT_PRESS] = {"press", TEXT, " gap_ms blind timeout_ms "},
    [SCRIPT_SILENCE] = {"silence", WHOLE, " "},
    [SCRIPT_WAIT_FOR] = {"wait_for", TEXT, " chars words count timeout_ms "},
    [SCRIPT_HANGUP] = {"hangup", TRUTH, " "},
    [SCRIPT_FRAME] = {"frame", OBJECT, " times per_second fragments binary opcode timeout_ms "},
    [SCRIPT_RAW] = {"raw", TEXT, " times per_second repeat fragments binary opcode timeout_ms "},
    [SCRIPT_HEX] = {"hex", TEXT, " times per_second repeat fragments binary opcode timeout_ms "},
    [SCRIPT_AGAIN] = {"again", TRUTH, " times per_second timeout_ms "},
    [SCRIPT_CUT] = {"cut", TEXT_OR_TRUTH, " timeout_ms "},
    [SCRIPT_CLOSE] = {"close", WHOLE, " timeout_ms "},
};

static const struct {
    const char *name;
    enum kind kind;
} options[] = {{"ms", WHOLE},          {"lang", TEXT},         {"last", TRUTH},
               {"confidence", WHOLE},  {"blind", TRUTH},       {"timeout_ms", WHOLE},
               {"after_chars", WHOLE}, {"after_words", WHOLE}, {"gap_ms", WHOLE},
               {"chars", WHOLE},       {"words", WHOLE},       {"count", WHOLE},
               {"times", WHOLE},       {"per_second", WHOLE},  {"repeat", WHOLE},
               {"fragments", WHOLE},   {"binary", TRUTH},      {"opcode", WHOLE}};

static const char *const conditions[SCRIPT_CONDITIONS] = {
    [SCRIPT_ANSWERED] = "answered",     [SCRIPT_RINGING] = "ringing",
    [SCRIPT_CONNECTING] = "connecting", [SCRIPT_RELAY] = "relay",
    [SCRIPT_FRAMES] = "frames",         [SCRIPT_TOKENS] = "tokens",
    [SCRIPT_PROMPTS] = "prompts",       [SCRIPT_AUDIBLE] = "audible",
    [SCRIPT_REPLY] = "reply",           [SCRIPT_GATHER] = "gather",
    [SCRIPT_RECORD] = "record",         [SCRIPT_DIAL] = "dial",
    [SCRIPT_BRIDGED] = "bridged",
};

static bool holds(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; (at = strchr(at, ' ')) != NULL; at++) {
        if (strncmp(at + 1, word, len) == 0 && at[1 + len] == ' ')
            return true;
    }
    return false;
}

static bool is_kind(const cJSON *item, enum kind kind)
{
    bool number = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 1e9;
    switch (kind) {
    case TEXT:
        return cJSON_IsString(item);
    case WHOLE:
        return number;
    case TRUTH:
        return cJSON_IsBool(item);
    case OBJECT:
        return cJSON_IsObject(item);
    case TEXT_OR_TRUTH:
    default:
        return cJSON_IsTrue(item) ||
               (cJSON_IsString(item) && strcmp(item->valuestring, "reset") == 0);
    }
}

static bool option_fits(const cJSON *item)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(options[i].name, item->string) == 0)
            return is_kind(item, options[i].kind);
    }
    return false;
}

enum script_step script_step_of(const cJSON *step, const cJSON **value)
{
    for (int i = 0; i < SCRIPT_STEPS; i++) {
        *value = cJSON_GetObjectItemCaseSensitive(step, steps[i].name);
        if (*value)
            return (enum script_step)i;
    }
    return SCRIPT_STEPS;
}

enum script_condition script_condition_of(const cJSON *value)
{
    for (int i = 0; i < SCRIPT_CONDITIONS; i++) {
        if (strcmp(conditions[i], value->valuestring) == 0)
            return (enum script_condition)i;
    }
    return SCRIPT_CONDITIONS;
}

static bool main_value_fits(enum script_step kind, const cJSON *value)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    if (!is_kind(value, steps[kind].kind))
        return false;
    if (kind == SCRIPT_WAIT_FOR)
        return script_condition_of(value) != SCRIPT_CONDITIONS;
    if (kind == SCRIPT_PRESS)
        return strspn(value->valuestring, "0123456789*#w") == strlen(value->valuestring);
    if (kind == SCRIPT_HEX)
        return strlen(value->valuestring) % 2 == 0 &&
               strspn(value->valuestring, hex) == strlen(value->valuestring);
    return true;
}

static int check_step(const cJSON *step, int number, struct stand_buf *why)
{
    const cJSON *value = NULL, *item;
    enum script_step kind = cJSON_IsObject(step) ? script_step_of(step, &value) : SCRIPT_STEPS;
    if (kind == SCRIPT_STEPS) {
        stand_buf_printf(why, "script step %d is none", number);
        return -1;
    }
    cJSON_ArrayForEach(item, step)
    {
        bool good = item == value ? main_value_fits(kind, value)
                                  : holds(steps[kind].options, item->string) && option_fits(item);
        if (!good) {
            stand_buf_printf(why, "script step %d: bad key or value: %.60s", number, item->string);
            return -1;
        }
    }
    return 0;
}

int script_check(const cJSON *script, struct stand_buf *why)
{
    int number = 0;
    const cJSON *step;
    if (!cJSON_IsArray(script) || cJSON_GetArraySize(script) > STEPS_MAX) {
        stand_buf_puts(why, "script must be a list of at most 100000 steps");
        return -1;
    }
    cJSON_ArrayForEach(step, script)
    {
        if (check_step(step, ++number, why) != 0)
            return -1;
    }
    return 0;
}

double script_number(const cJSON *step, const char *name, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(step, name);
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

bool script_flag(const cJSON *step, const char *name, bool fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(step, name);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

const char *script_text(const cJSON *step, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(step, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static int digit_of(char hex)
{
    if (hex <= '9')
        return hex - '0';
    return (hex | 0x20) - 'a' + 10;
}

void script_bytes(const cJSON *step, struct stand_buf *out)
{
    const cJSON *value = NULL;
    enum script_step kind = script_step_of(step, &value);
    double times = script_number(step, "repeat", 1);
    stand_buf_init(out, BYTES_MAX);
    if (kind == SCRIPT_FRAME) {
        char *text = cJSON_PrintUnformatted(value);
        stand_buf_puts(out, text);
        cJSON_free(text);
        return;
    }
    for (double i = 0; i < times && !out->overflow; i++) {
        if (kind == SCRIPT_RAW)
            stand_buf_puts(out, value->valuestring);
        for (const char *at = value->valuestring; kind == SCRIPT_HEX && *at; at += 2) {
            char byte = (char)(digit_of(at[0]) << 4 | digit_of(at[1]));
            stand_buf_add(out, &byte, 1);
        }
    }
}
