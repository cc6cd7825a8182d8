/* Reading the profile out of a version's config. The engine and `deskctl prompt show` call it. */
#include "prompt/profile.h"

static const char *text_of(struct arena *arena, const struct json *config, const char *name)
{
    const char *text = json_member_text(config, name);
    return text != NULL ? arena_strdup(arena, text) : "";
}

void profile_read(struct arena *arena, const struct json *config, struct profile *out)
{
    out->persona = text_of(arena, config, "persona");
    out->facts = text_of(arena, config, "facts");
    out->tone = text_of(arena, config, "tone");
}
