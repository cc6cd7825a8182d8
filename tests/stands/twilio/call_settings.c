/* Reading a call's settings by a table. Called by calls_control.c, callees.c and leg.c. */
#include "stands/twilio/call_settings.h"

#include <stdlib.h>
#include <string.h>

#include "stands/twilio/progress.h"

static const struct number {
    const char *name;
    size_t offset;
    double least, usual;
} numbers[] = {
    {"rate", offsetof(struct call_settings, rate), 0.1, 15},
    {"speed", offsetof(struct call_settings, speed), 0.01, 1},
    {"tts_ms", offsetof(struct call_settings, tts_ms), 0, 0},
    {"endpoint_ms", offsetof(struct call_settings, endpoint_ms), 0, 0},
    {"play_ms", offsetof(struct call_settings, play_ms), 0, 2000},
    {"ring_ms", offsetof(struct call_settings, ring_ms), 0, 0},
    {"max_ms", offsetof(struct call_settings, max_ms), 1, 14400000},
    {"callbacks_ms", offsetof(struct call_settings, callbacks_ms), 0, 0},
    {"recording_bytes", offsetof(struct call_settings, recording_bytes), 0, 0},
    {"recording_delay_ms", offsetof(struct call_settings, recording_delay_ms), 0, 0},
    {"transcription_delay_ms", offsetof(struct call_settings, transcription_delay_ms), 0, 0},
};

enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

/* Texts of which there are only a few; the values as static texts. */
static const struct choice {
    const char *name;
    const char *values[4];
} choices[] = {
    {"end", {"at_once", "after_speech"}},
    {"setup", {"once", "none"}},
    {"speaker", {"untold", "told"}},
    {"recording_status", {"completed", "absent", "failed"}},
    {"transcription", {"completed", "failed", "none"}},
};

enum { CHOICE_END, CHOICE_SETUP, CHOICE_SPEAKER, CHOICE_RECORDING, CHOICE_TRANSCRIPTION, CHOICES };

static double *place_of(struct call_settings *settings, const struct number *number)
{
    return (double *)(void *)((char *)settings + number->offset);
}

struct call_settings call_settings_default(void)
{
    struct call_settings settings = {0};
    for (size_t i = 0; i < NUMBERS; i++)
        *place_of(&settings, &numbers[i]) = numbers[i].usual;
    return settings;
}

/* The static text of a choice's value, or NULL. */
static const char *choose(const struct choice *choice, const cJSON *item)
{
    for (int i = 0; i < 4 && choice->values[i]; i++) {
        if (cJSON_IsString(item) && strcmp(choice->values[i], item->valuestring) == 0)
            return choice->values[i];
    }
    return NULL;
}

static bool all_texts(const cJSON *list)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item))
            return false;
    }
    return true;
}

int call_settings_check(const cJSON *item)
{
    const char *name = item->string;
    for (size_t i = 0; i < NUMBERS; i++) {
        if (strcmp(name, numbers[i].name) == 0)
            return cJSON_IsNumber(item) && item->valuedouble >= numbers[i].least &&
                           item->valuedouble <= 1e9
                       ? 1
                       : -1;
    }
    for (size_t i = 0; i < CHOICES; i++) {
        if (strcmp(name, choices[i].name) == 0)
            return choose(&choices[i], item) ? 1 : -1;
    }
    if (strcmp(name, "callbacks") == 0)
        return cJSON_IsString(item) && progress_mode(item->valuestring) ? 1 : -1;
    if (strcmp(name, "fillers") == 0)
        return cJSON_IsArray(item) && all_texts(item) ? 1 : -1;
    if (strcmp(name, "params") == 0)
        return cJSON_IsObject(item) && all_texts(item) ? 1 : -1;
    if (strcmp(name, "auth_token") == 0)
        return cJSON_IsString(item) ? 1 : -1;
    return 0;
}

void call_settings_read(struct call *call, cJSON *json)
{
    struct call_settings *settings = &call->settings;
    const cJSON *item;
    for (size_t i = 0; i < NUMBERS; i++) {
        item = cJSON_GetObjectItemCaseSensitive(json, numbers[i].name);
        if (item)
            *place_of(settings, &numbers[i]) = item->valuedouble;
    }
    const char *chosen[CHOICES];
    for (size_t i = 0; i < CHOICES; i++)
        chosen[i] = choose(&choices[i], cJSON_GetObjectItemCaseSensitive(json, choices[i].name));
    if (chosen[CHOICE_END])
        settings->end_after_speech = strcmp(chosen[CHOICE_END], "after_speech") == 0;
    if (chosen[CHOICE_SETUP])
        settings->no_setup = strcmp(chosen[CHOICE_SETUP], "none") == 0;
    if (chosen[CHOICE_SPEAKER])
        settings->tells_speaker = strcmp(chosen[CHOICE_SPEAKER], "told") == 0;
    if (chosen[CHOICE_RECORDING])
        settings->recording_status = chosen[CHOICE_RECORDING];
    if (chosen[CHOICE_TRANSCRIPTION])
        settings->transcription = chosen[CHOICE_TRANSCRIPTION];
    item = cJSON_GetObjectItemCaseSensitive(json, "callbacks");
    if (item)
        settings->callbacks = progress_mode(item->valuestring);
    call->fillers = cJSON_GetObjectItemCaseSensitive(json, "fillers");
    call->params = cJSON_GetObjectItemCaseSensitive(json, "params");
    item = cJSON_GetObjectItemCaseSensitive(json, "auth_token");
    if (item) {
        free(call->token);
        call->token = stand_copy(item->valuestring, strlen(item->valuestring));
    }
    call->audible.rate = settings->rate;
    call->audible.tts_ms = settings->tts_ms;
}
