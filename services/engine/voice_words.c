/* The words that cover a wait in a call. voice.c says them. */
#include "voice_words.h"

#include <stddef.h>
#include <strings.h>

static const struct voice_words all[] = {
    {.language = "en",
     .filler = "One moment, I am looking that up.",
     .bridge = "Sorry, let me go on.",
     .reaching = "One moment, please. I am trying to reach somebody for you.",
     .nobody = "I am sorry, nobody could take your call just now.",
     .noted = "I have noted for my colleagues that you wanted to speak to somebody.",
     .more = "Is there anything else that I can do for you?",
     .call_for = "A call for %s.",
     .press = "Press 1 to take the call."},
    {.language = "es",
     .filler = "Un momento, lo estoy mirando.",
     .bridge = "Perdón, continúo.",
     .reaching = "Un momento, por favor. Estoy intentando localizar a alguien.",
     .nobody = "Lo siento, nadie ha podido atender su llamada ahora.",
     .noted = "He anotado para mis compañeros que quería hablar con alguien.",
     .more = "¿Puedo ayudarle en algo más?",
     .call_for = "Una llamada para %s.",
     .press = "Pulse 1 para aceptar la llamada."},
    {.language = "de",
     .filler = "Einen Moment, ich sehe nach.",
     .bridge = "Entschuldigung, ich mache weiter.",
     .reaching = "Einen Moment bitte. Ich versuche, jemanden für Sie zu erreichen.",
     .nobody = "Es tut mir leid, gerade konnte niemand Ihren Anruf annehmen.",
     .noted = "Ich habe für meine Kollegen notiert, dass Sie mit jemandem sprechen wollten.",
     .more = "Kann ich sonst noch etwas für Sie tun?",
     .call_for = "Ein Anruf für %s.",
     .press = "Drücken Sie die 1, um das Gespräch anzunehmen."},
    {.language = "fr",
     .filler = "Un instant, je regarde.",
     .bridge = "Pardon, je continue.",
     .reaching = "Un instant, s'il vous plaît. J'essaie de joindre quelqu'un.",
     .nobody = "Je suis désolé, personne n'a pu prendre votre appel.",
     .noted = "J'ai noté pour mes collègues que vous vouliez parler à quelqu'un.",
     .more = "Puis-je faire autre chose pour vous ?",
     .call_for = "Un appel pour %s.",
     .press = "Appuyez sur 1 pour prendre l'appel."},
};

const struct voice_words *voice_words_of(const char *language)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strncasecmp(language, all[i].language, 2) == 0)
            return &all[i];
    return &all[0];
}
