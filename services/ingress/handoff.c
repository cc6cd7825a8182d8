/* Reading a handoff. Called by voice_step.c when a relay session has ended. */
#include "handoff.h"

#include "base/text.h"
#include "json/json.h"

#include <string.h>

#define RING_MIN_S 5
#define RING_S     20

static const char *const kinds[] = {"relay", "record", "hangup", "dial"};
#define KINDS (sizeof kinds / sizeof kinds[0])
static const char *const whys[] = {"fallback", "closed", "asked", "transfer"};
#define WHYS (sizeof whys / sizeof whys[0])

/* The place of the word in the list; -1 if it is not there. */
static int find(const char *const *list, size_t count, const char *word)
{
    for (size_t i = 0; word != NULL && i < count; i++)
        if (strcmp(list[i], word) == 0)
            return (int)i;
    return -1;
}

/* Without `why` it is the fallback's: that was said already. */
static int read_record(const struct json *object, struct handoff *out, struct err *err)
{
    const char *why = json_member_text(object, "why");
    int place = find(whys, WHYS, why);
    if (json_member(object, "why") != NULL && place < 0)
        return err_set(err, ERR_PERMANENT, "handoff.why",
                       "why is none of fallback, closed, asked, transfer");
    out->why = place < 0 ? VOICE_RECORD_FALLBACK : (enum voice_record_why)place;
    out->announced = out->why == VOICE_RECORD_FALLBACK;
    return 0;
}

static int read_dial(struct arena *arena, const struct json *object, struct handoff *out,
                     struct err *err)
{
    const char *dial = json_member_text(object, "dial"), *to = json_member_text(object, "to");
    const char *briefing = json_member_text(object, "briefing");
    int64_t timeout_s = RING_S;
    if (dial == NULL || !uuid_parse(dial, &out->dial) || uuid_is_nil(&out->dial))
        return err_set(err, ERR_PERMANENT, "handoff.dial", "dial is not a uuid");
    if (to == NULL || !text_is_e164(to))
        return err_set(err, ERR_PERMANENT, "handoff.to", "to is not an E.164 number");
    if (json_member(object, "timeout_s") != NULL &&
        !json_member_int(object, "timeout_s", RING_MIN_S, HANDOFF_RING_MAX_S, &timeout_s))
        return err_set(err, ERR_PERMANENT, "handoff.timeout_s", "timeout_s is not 5 to %d",
                       HANDOFF_RING_MAX_S);
    out->to = arena_strdup(arena, to);
    out->timeout_s = (int)timeout_s;
    out->briefing = arena_strdup(arena, briefing == NULL ? "" : briefing);
    out->cold = json_member_bool(object, "cold", false);
    return 0;
}

static int read_object(struct arena *arena, const struct json *object, struct handoff *out,
                       struct err *err)
{
    int kind = find(kinds, KINDS, json_member_text(object, "do"));
    if (kind < 0)
        return err_set(err, ERR_PERMANENT, "handoff.do",
                       "do is none of relay, record, hangup, dial");
    out->kind = (enum handoff_kind)kind;
    if (out->kind == HANDOFF_RECORD)
        return read_record(object, out, err);
    return out->kind == HANDOFF_DIAL ? read_dial(arena, object, out, err) : 0;
}

int handoff_read(struct arena *arena, const char *text, struct handoff *out, struct err *err)
{
    struct json *document;
    struct handoff handoff = {.to = "", .briefing = ""};
    if (json_parse(text, strlen(text), &document, err) != 0)
        return -1;
    int rc = read_object(arena, document, &handoff, err);
    json_free(&document);
    if (rc == 0)
        *out = handoff;
    return rc;
}
