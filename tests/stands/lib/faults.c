/*
 * Fault rules: read from JSON or from a directive in a text, and weighed for each request. Called
 * by app.c before a request is handled. Without rules a request costs one comparison.
 */
#include "stands/lib/faults.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stands/lib/action.h"

enum { RULES_MAX = 1000 };

struct rule {
    char *match, *path, *method;
    uint64_t skip, count, matched, fired;
    double probability;
    uint64_t random;
    struct stand_action *action;
};

struct stand_faults {
    stand_action_check *check;
    struct rule *rules;
    size_t count;
};

struct stand_faults *stand_faults_new(stand_action_check *check)
{
    struct stand_faults *faults = stand_alloc(sizeof *faults);
    faults->check = check;
    return faults;
}

static void free_rules(struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(rules[i].match);
        free(rules[i].path);
        free(rules[i].method);
        stand_action_release(rules[i].action);
    }
    free(rules);
}

void stand_faults_clear(struct stand_faults *faults)
{
    free_rules(faults->rules, faults->count);
    faults->rules = NULL;
    faults->count = 0;
}

void stand_faults_free(struct stand_faults **faults)
{
    if (*faults)
        stand_faults_clear(*faults);
    free(*faults);
    *faults = NULL;
}

/* --- reading --- */

static int set_from_json(struct stand_action *action, const cJSON *item)
{
    if (cJSON_IsString(item))
        return stand_action_set(action, item->string, item->valuestring, strlen(item->valuestring));
    char *text = cJSON_PrintUnformatted(item);
    int result = text ? stand_action_set(action, item->string, text, strlen(text)) : -1;
    cJSON_free(text);
    return result;
}

static int read_action(struct rule *rule, const cJSON *json, struct stand_buf *why)
{
    rule->action = stand_action_new();
    if (!cJSON_IsObject(json)) {
        stand_buf_puts(why, "action must be an object");
        return -1;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, json)
    {
        if (set_from_json(rule->action, item) != 0) {
            stand_buf_printf(why, "action: bad key or value: %.60s", item->string);
            return -1;
        }
    }
    const struct stand_action *action = rule->action;
    if (!stand_action_ready(action))
        stand_buf_puts(why, "action needs a type");
    else if (action->type == STAND_DELAY && action->ms < 0)
        stand_buf_puts(why, "delay needs ms");
    else if (action->type == STAND_STATUS && (action->status < 200 || action->status > 999))
        stand_buf_puts(why, "status needs a status of 200 to 999");
    else
        return 0;
    return -1;
}

static int read_number(const cJSON *item, double *number)
{
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || item->valuedouble < 0 ||
        item->valuedouble > 1e15)
        return -1;
    *number = item->valuedouble;
    return 0;
}

static int read_member(struct rule *rule, const cJSON *item, struct stand_buf *why)
{
    const char *key = item->string;
    if (strcmp(key, "action") == 0)
        return read_action(rule, item, why);
    const struct {
        const char *name;
        char **text;
    } texts[] = {{"match", &rule->match}, {"path", &rule->path}, {"method", &rule->method}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(key, texts[i].name) == 0 && cJSON_IsString(item) && !*texts[i].text) {
            *texts[i].text = stand_copy(item->valuestring, strlen(item->valuestring));
            return 0;
        }
    }
    double number = 0;
    int result = read_number(item, &number);
    if (result == 0 && strcmp(key, "count") == 0)
        rule->count = (uint64_t)number;
    else if (result == 0 && strcmp(key, "after") == 0)
        rule->skip = (uint64_t)number;
    else if (result == 0 && strcmp(key, "seed") == 0)
        rule->random = (uint64_t)number;
    else if (result == 0 && strcmp(key, "probability") == 0 && number <= 1)
        rule->probability = number;
    else {
        stand_buf_printf(why, "bad key or value: %.60s", key);
        return -1;
    }
    return 0;
}

static int read_rule(struct rule *rule, const cJSON *json, struct stand_buf *why)
{
    *rule = (struct rule){.count = UINT64_MAX, .probability = 1, .random = 1};
    const cJSON *item;
    if (!cJSON_IsObject(json)) {
        stand_buf_puts(why, "not an object");
        return -1;
    }
    cJSON_ArrayForEach(item, json)
    {
        if (rule->action && strcmp(item->string, "action") == 0) {
            stand_buf_puts(why, "action given twice");
            return -1;
        }
        if (read_member(rule, item, why) != 0)
            return -1;
    }
    if (!rule->action) {
        stand_buf_puts(why, "action is missing");
        return -1;
    }
    return 0;
}

int stand_faults_load(struct stand_faults *faults, const char *json, size_t len,
                      struct stand_buf *why)
{
    cJSON *root = cJSON_ParseWithLength(json, len);
    const cJSON *list =
        cJSON_IsObject(root) ? cJSON_GetObjectItemCaseSensitive(root, "rules") : root;
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : -1;
    if (count < 0 || count > RULES_MAX) {
        stand_buf_puts(why, "expected {\"rules\":[...]} with at most 1000 rules");
        cJSON_Delete(root);
        return -1;
    }
    struct rule *rules = stand_alloc(((size_t)count + 1) * sizeof *rules);
    int n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        struct rule *rule = &rules[n++];
        if (read_rule(rule, item, why) != 0 ||
            (faults->check && !faults->check(rule->action, why))) {
            stand_buf_printf(why, " (rule %d)", n);
            free_rules(rules, (size_t)n);
            cJSON_Delete(root);
            return -1;
        }
    }
    cJSON_Delete(root);
    stand_faults_clear(faults);
    faults->rules = rules;
    faults->count = (size_t)count;
    return 0;
}

void stand_faults_json(const struct stand_faults *faults, struct stand_buf *out)
{
    stand_buf_puts(out, "[");
    for (size_t i = 0; i < faults->count; i++) {
        const struct rule *rule = &faults->rules[i];
        stand_buf_printf(out, "%s{\"matched\":%llu,\"fired\":%llu,\"type\":\"%s\"}", i ? "," : "",
                         (unsigned long long)rule->matched, (unsigned long long)rule->fired,
                         stand_action_name(rule->action->type));
    }
    stand_buf_puts(out, "]");
}

/* --- weighing --- */

static bool holds(const char *text, const char *part)
{
    return text && strstr(text, part) != NULL;
}

static bool rule_matches(const struct rule *rule, const struct stand_sighting *seen)
{
    if (rule->method && strcmp(rule->method, seen->method) != 0)
        return false;
    if (rule->path && !holds(seen->path, rule->path))
        return false;
    return !rule->match || holds(seen->path, rule->match) || holds(seen->query, rule->match) ||
           holds(seen->params, rule->match) ||
           memmem(seen->body, seen->body_len, rule->match, strlen(rule->match)) != NULL;
}

/* splitmix64: the same seed gives the same sequence on every machine. */
static double next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static bool rule_fires(struct rule *rule, const struct stand_sighting *seen)
{
    if (rule->fired >= rule->count || !rule_matches(rule, seen))
        return false;
    if (rule->matched++ < rule->skip)
        return false;
    if (rule->probability < 1 && next_random(&rule->random) >= rule->probability)
        return false;
    rule->fired++;
    return true;
}

void stand_faults_plan(struct stand_faults *faults, const struct stand_sighting *sighting,
                       struct stand_plan *plan)
{
    *plan = (struct stand_plan){0};
    for (size_t i = 0; i < faults->count; i++) {
        struct stand_action *action = faults->rules[i].action;
        struct stand_action **place =
            action->type == STAND_CALLBACKS ? &plan->callbacks : &plan->main;
        bool adds = action->type == STAND_DELAY;
        if ((!adds && *place) || !rule_fires(&faults->rules[i], sighting))
            continue;
        if (adds) {
            plan->delay_ms += action->ms > 0 ? (uint64_t)action->ms : 0;
        } else {
            action->references++;
            *place = action;
        }
    }
}

void stand_plan_fini(struct stand_plan *plan)
{
    stand_action_release(plan->main);
    stand_action_release(plan->callbacks);
    *plan = (struct stand_plan){0};
}

/* --- directive --- */

/* Reads `key=value` or `key="value"` at `*at`, before `end`. Returns 0 or -1. */
static int read_word(struct stand_action *action, const char **at, const char *end)
{
    char key[32];
    const char *equals = memchr(*at, '=', (size_t)(end - *at));
    if (!equals || (size_t)(equals - *at) >= sizeof key)
        return -1;
    memcpy(key, *at, (size_t)(equals - *at));
    key[equals - *at] = '\0';
    const char *value = equals + 1;
    bool quoted = value < end && *value == '"';
    if (quoted)
        value++;
    const char *stop = memchr(value, quoted ? '"' : ' ', (size_t)(end - value));
    if (!stop && quoted)
        return -1;
    if (!stop)
        stop = end;
    *at = quoted ? stop + 1 : stop;
    return stand_action_set(action, key, value, (size_t)(stop - value));
}

struct stand_action *stand_faults_directive(const char *text)
{
    static const char opening[] = "{{stand ";
    const char *at = strstr(text, opening);
    const char *end = at ? strstr(at, "}}") : NULL;
    if (!end)
        return NULL;
    at += sizeof opening - 1;
    struct stand_action *action = stand_action_new();
    while (at < end) {
        if (*at == ' ') {
            at++;
        } else if (read_word(action, &at, end) != 0) {
            stand_action_release(action);
            return NULL;
        }
    }
    if (!stand_action_ready(action)) {
        stand_action_release(action);
        return NULL;
    }
    return action;
}
