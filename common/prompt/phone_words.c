/* The words of calls by language, and the tenant's own in their place. The engine's voice says
 * them; deskctl checks a tenant's. */
#include "prompt/phone_words.h"

#include <stddef.h>

#define AT(member) offsetof(struct phone_words, member)

const struct wording_key phone_words_keys[] = {
    {"filler", AT(filler), 120, false},     {"bridge", AT(bridge), 120, false},
    {"reaching", AT(reaching), 160, false}, {"nobody", AT(nobody), 160, false},
    {"noted", AT(noted), 160, false},       {"more", AT(more), 120, false},
    {"call_for", AT(call_for), 120, true},  {"press", AT(press), 120, false},
};

_Static_assert(sizeof phone_words_keys / sizeof phone_words_keys[0] == PHONE_WORDS_KEYS,
               "PHONE_WORDS_KEYS counts the table");

static const struct phone_words all[] = {
    {.language = "en",
     .filler = "One moment, I am looking that up.",
     .bridge = "Sorry, let me go on.",
     .reaching = "One moment, please. I am trying to reach somebody for you.",
     .nobody = "I am sorry, nobody could take your call just now.",
     .noted = "I have noted for my colleagues that you wanted to speak to somebody.",
     .more = "Is there anything else that I can do for you?",
     .call_for = "A call for {business}.",
     .press = "Press 1 to take the call."},
    {.language = "es",
     .filler = "Un momento, lo estoy mirando.",
     .bridge = "Perdón, continúo.",
     .reaching = "Un momento, por favor. Estoy intentando localizar a alguien.",
     .nobody = "Lo siento, nadie ha podido atender su llamada ahora.",
     .noted = "He anotado para mis compañeros que quería hablar con alguien.",
     .more = "¿Puedo ayudarle en algo más?",
     .call_for = "Una llamada para {business}.",
     .press = "Pulse 1 para aceptar la llamada."},
    {.language = "de",
     .filler = "Einen Moment, ich sehe nach.",
     .bridge = "Entschuldigung, ich mache weiter.",
     .reaching = "Einen Moment bitte. Ich versuche, jemanden für Sie zu erreichen.",
     .nobody = "Es tut mir leid, gerade konnte niemand Ihren Anruf annehmen.",
     .noted = "Ich habe für meine Kollegen notiert, dass Sie mit jemandem sprechen wollten.",
     .more = "Kann ich sonst noch etwas für Sie tun?",
     .call_for = "Ein Anruf für {business}.",
     .press = "Drücken Sie die 1, um das Gespräch anzunehmen."},
    {.language = "fr",
     .filler = "Un instant, je regarde.",
     .bridge = "Pardon, je continue.",
     .reaching = "Un instant, s'il vous plaît. J'essaie de joindre quelqu'un.",
     .nobody = "Je suis désolé, personne n'a pu prendre votre appel.",
     .noted = "J'ai noté pour mes collègues que vous vouliez parler à quelqu'un.",
     .more = "Puis-je faire autre chose pour vous ?",
     .call_for = "Un appel pour {business}.",
     .press = "Appuyez sur 1 pour prendre l'appel."},
};

#define COUNT (sizeof all / sizeof *all)

bool phone_words_is_known(const char *language)
{
    return wording_row(all, COUNT, sizeof *all, language) != NULL;
}

const struct phone_words *phone_words_of(const char *language)
{
    const struct phone_words *known = wording_row(all, COUNT, sizeof *all, language);
    return known != NULL ? known : &all[0];
}

void phone_words_read(struct arena *arena, const struct json *words, const char *language,
                      struct phone_words *out)
{
    *out = *phone_words_of(language);
    for (size_t i = 0; i < PHONE_WORDS_KEYS; i++) {
        const char *own = json_member_text(words, phone_words_keys[i].name);
        if (own != NULL && own[0] != '\0')
            *(const char **)((char *)out + phone_words_keys[i].offset) = arena_strdup(arena, own);
    }
}
