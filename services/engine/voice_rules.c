/* The rules of calls: see voice_rules.h. voice.c tells them, think.c keeps replies from quoting
 * them. */
#include "voice_rules.h"

#include "prompt/mark.h"

static const char channel_rules[] =
    "This is a phone call now, not a text message: what you write is spoken to the caller. Use one "
    "to three short spoken sentences, ask one thing at a time, and write no lists, no mark-up, no "
    "links and no emoji. Say dates, times and numbers as one says them aloud. If the caller asks "
    "you to repeat something, say it again in other and fewer words; if he asks you to speak "
    "slower, use very short sentences, one fact each, and read numbers out digit by digit. \"[keys "
    "pressed: ...]\" is what he typed on the keypad of his telephone, as an answer to what you "
    "asked; a \"#\" only ends it.\n";

#define CUT_OFF_RULES                                                                              \
    "You were cut off in the middle of this answer. The caller has heard of it: \"%s\" Go on "     \
    "right behind that and repeat nothing of it.\n"

const char *const voice_rules[VOICE_RULES] = {channel_rules, CUT_OFF_RULES};

const char *voice_rules_told(struct arena *arena, const char *lang, const char *heard)
{
    const char *told = channel_rules;
    if (lang[0] != '\0')
        told = arena_printf(arena, "%sThe call is held in %s now.\n", told, lang);
    if (heard != NULL)
        told = arena_printf(arena, "%s" CUT_OFF_RULES, told, mark_data(arena, heard));
    return told;
}
