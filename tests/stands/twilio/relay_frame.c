/*
 * Reading the server's frames by a table of their members. A member that Twilio does not know is an
 * error too, because a test must see it. Called by relay.c.
 */
#include "stands/twilio/relay_frame.h"

#include <stdio.h>
#include <string.h>

static const char *const names[RELAY_FRAME_TYPES] = {[RELAY_TEXT] = "text",
                                                     [RELAY_PLAY] = "play",
                                                     [RELAY_SEND_DIGITS] = "sendDigits",
                                                     [RELAY_LANGUAGE] = "language",
                                                     [RELAY_END] = "end"};

enum kind { TEXT, TRUTH, WHOLE };

static const struct member {
    enum relay_frame_type type;
    const char *name;
    enum kind kind;
    bool needed;
    size_t offset;
} members[] = {
    {RELAY_TEXT, "token", TEXT, true, offsetof(struct relay_frame, token)},
    {RELAY_TEXT, "last", TRUTH, false, offsetof(struct relay_frame, last)},
    {RELAY_TEXT, "lang", TEXT, false, offsetof(struct relay_frame, lang)},
    {RELAY_TEXT, "interruptible", TRUTH, false, offsetof(struct relay_frame, interruptible)},
    {RELAY_TEXT, "preemptible", TRUTH, false, offsetof(struct relay_frame, preemptible)},
    {RELAY_PLAY, "source", TEXT, true, offsetof(struct relay_frame, source)},
    {RELAY_PLAY, "loop", WHOLE, false, offsetof(struct relay_frame, loop)},
    {RELAY_PLAY, "preemptible", TRUTH, false, offsetof(struct relay_frame, preemptible)},
    {RELAY_PLAY, "interruptible", TRUTH, false, offsetof(struct relay_frame, interruptible)},
    {RELAY_SEND_DIGITS, "digits", TEXT, true, offsetof(struct relay_frame, digits)},
    {RELAY_LANGUAGE, "ttsLanguage", TEXT, false, offsetof(struct relay_frame, tts_language)},
    {RELAY_LANGUAGE, "transcriptionLanguage", TEXT, false,
     offsetof(struct relay_frame, transcription_language)},
    {RELAY_END, "handoffData", TEXT, false, offsetof(struct relay_frame, handoff)},
};

enum { MEMBERS = sizeof members / sizeof members[0], LOOP_MAX = 1000 };

const char *relay_frame_name(enum relay_frame_type type)
{
    return names[type];
}

static int complain(char *why, size_t size, const char *what, const char *name)
{
    snprintf(why, size, "%s: %.60s", what, name);
    return -1;
}

static int set(struct relay_frame *frame, const struct member *member, const cJSON *item)
{
    char *place = (char *)frame + member->offset;
    if (member->kind == TEXT && cJSON_IsString(item))
        memcpy(place, &item->valuestring, sizeof item->valuestring);
    else if (member->kind == TRUTH && cJSON_IsBool(item))
        *(bool *)place = cJSON_IsTrue(item);
    else if (member->kind == WHOLE && cJSON_IsNumber(item) && item->valuedouble >= 0 &&
             item->valuedouble <= LOOP_MAX)
        *(long *)(void *)place = (long)item->valuedouble;
    else
        return -1;
    return 0;
}

static int read_members(const cJSON *json, struct relay_frame *frame, bool seen[MEMBERS], char *why,
                        size_t size)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, json)
    {
        size_t at = 0;
        if (strcmp(item->string, "type") == 0)
            continue;
        while (at < MEMBERS &&
               (members[at].type != frame->type || strcmp(members[at].name, item->string) != 0))
            at++;
        if (at == MEMBERS)
            return complain(why, size, "an unknown member", item->string);
        if (seen[at])
            return complain(why, size, "a member given twice", item->string);
        seen[at] = true;
        if (set(frame, &members[at], item) != 0)
            return complain(why, size, "a wrong value", item->string);
    }
    return 0;
}

int relay_frame_read(const cJSON *json, struct relay_frame *frame, char *why, size_t size)
{
    bool seen[MEMBERS] = {false};
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(json, "type");
    *frame = (struct relay_frame){.type = RELAY_FRAME_TYPES, .interruptible = true, .loop = 1};
    if (!cJSON_IsObject(json) || !cJSON_IsString(type))
        return complain(why, size, "no object with a type", "");
    for (int i = 0; i < RELAY_FRAME_TYPES; i++) {
        if (strcmp(names[i], type->valuestring) == 0)
            frame->type = (enum relay_frame_type)i;
    }
    if (frame->type == RELAY_FRAME_TYPES)
        return complain(why, size, "an unknown type", type->valuestring);
    if (read_members(json, frame, seen, why, size) != 0)
        return -1;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (members[i].type == frame->type && members[i].needed && !seen[i])
            return complain(why, size, "a member is missing", members[i].name);
    }
    if (frame->digits &&
        (!*frame->digits || strspn(frame->digits, "0123456789w#*") != strlen(frame->digits)))
        return complain(why, size, "a wrong value", "digits");
    if (frame->type == RELAY_LANGUAGE && !frame->tts_language && !frame->transcription_language)
        return complain(why, size, "a member is missing", "ttsLanguage");
    return 0;
}
