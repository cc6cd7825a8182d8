/* The list of callees. Called by dial.c and outbound.c when a number is dialled, by twilio.c. */
#include "stands/twilio/callees.h"

#include <stdlib.h>
#include <string.h>

#include "stands/twilio/call_settings.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/script.h"

struct callees {
    cJSON *list; /* oldest first */
};

struct callees *callees_new(void)
{
    struct callees *callees = stand_alloc(sizeof *callees);
    callees->list = cJSON_CreateArray();
    return callees;
}

void callees_reset(struct callees *callees)
{
    cJSON_Delete(callees->list);
    callees->list = cJSON_CreateArray();
}

static bool check_answer(const cJSON *item)
{
    static const char *const answers[] = {"human", "machine", "busy", "no-answer", "failed"};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, answers[i]) == 0)
            return true;
    }
    return false;
}

/* What is wrong with an entry, appended to `why`; 0 or -1. */
static int check(const cJSON *entry, struct stand_buf *why)
{
    static const char *const texts[] = {"number", "amd", "refused_status"};
    static const char *const numbers[] = {"ring_ms", "greeting_ms", "speech_ms", "amd_ms", "count"};
    const cJSON *item;
    cJSON_ArrayForEach(item, entry)
    {
        bool good = false;
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            good |= strcmp(item->string, texts[i]) == 0 && cJSON_IsString(item);
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
            good |= strcmp(item->string, numbers[i]) == 0 && cJSON_IsNumber(item) &&
                    item->valuedouble >= 0 && item->valuedouble < 1e9;
        good |= strcmp(item->string, "answer") == 0 && check_answer(item);
        if (strcmp(item->string, "script") == 0) {
            if (script_check(item, why) != 0)
                return -1;
            good = true;
        }
        if (!good && call_settings_check(item) != 1) {
            stand_buf_printf(why, "bad key or value: %.60s", item->string);
            return -1;
        }
    }
    if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(entry, "number")))
        return 0;
    stand_buf_puts(why, "expected an object with a number");
    return -1;
}

void callees_post(struct twilio *twilio, struct stand_exchange *x)
{
    struct callees *callees = twilio->calls->callees;
    size_t len;
    const char *body = stand_exchange_body(x, &len);
    cJSON *json = cJSON_ParseWithLength(body, len);
    cJSON *list = cJSON_IsArray(json) ? json : cJSON_CreateArray();
    if (cJSON_IsObject(json))
        cJSON_AddItemToArray(list, json);
    struct stand_buf why;
    stand_buf_init(&why, 1024);
    int result = cJSON_IsArray(json) || cJSON_IsObject(json) ? 0 : -1;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list)
    {
        if (result == 0)
            result = check(entry, &why);
    }
    if (cJSON_GetArraySize(callees->list) + cJSON_GetArraySize(list) > CALLEES_MAX)
        result = -1;
    while (result == 0 && list->child)
        cJSON_AddItemToArray(callees->list, cJSON_DetachItemFromArray(list, 0));
    cJSON_Delete(list);
    struct stand_buf out;
    stand_buf_init(&out, 4096);
    stand_buf_puts(&out, result == 0 ? "{\"ok\":true}\n" : "{\"error\":");
    if (result != 0) {
        stand_buf_json_text(&out, why.data ? why.data : "expected an entry or a list of entries");
        stand_buf_puts(&out, "}\n");
    }
    stand_control_answer(x, result == 0 ? 200 : 400, out.data);
    stand_buf_fini(&out);
    stand_buf_fini(&why);
}

static cJSON *find(const struct callees *callees, const char *number)
{
    cJSON *found = NULL, *entry;
    cJSON_ArrayForEach(entry, callees->list)
    {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(entry, "number");
        if (strcmp(name->valuestring, number) == 0)
            found = entry;
    }
    return found;
}

cJSON *callees_take(struct callees *callees, const char *number)
{
    cJSON *entry = find(callees, number);
    if (!entry)
        entry = find(callees, "*");
    if (!entry)
        return cJSON_CreateObject();
    cJSON *copy = cJSON_Duplicate(entry, true);
    cJSON *count = cJSON_GetObjectItemCaseSensitive(entry, "count");
    if (count && count->valuedouble <= 1)
        cJSON_Delete(cJSON_DetachItemViaPointer(callees->list, entry));
    else if (count)
        cJSON_SetNumberValue(count, count->valuedouble - 1);
    return copy;
}
