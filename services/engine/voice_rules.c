/* What changes in a call: see voice_rules.h. voice.c tells it, think.c keeps replies from quoting
 * it. */
#include "voice_rules.h"

#include "prompt/mark.h"

#define CUT_OFF_RULES                                                                              \
    "You were cut off in the middle of this answer. The caller has heard of it: \"%s\" Go on "     \
    "right behind that and repeat nothing of it.\n"

const char voice_cut_off_rules[] = CUT_OFF_RULES;

const char *voice_rules_told(struct arena *arena, const char *lang, const char *heard)
{
    const char *told = NULL;
    if (lang[0] != '\0')
        told = arena_printf(arena, "The call is held in %s now.\n", lang);
    if (heard != NULL)
        told = arena_printf(arena, "%s" CUT_OFF_RULES, told != NULL ? told : "",
                            mark_data(arena, heard));
    return told;
}
