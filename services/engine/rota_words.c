/* The words of calls that the desk places. rota_plan.c and call_back.c say them to whoever answers,
 * voice_answered.c to who has pressed a key. */
#include "rota_words.h"

#include <string.h>
#include <strings.h>

static const char *const reasons[ROTA_REASONS] = {"customer_asks",
                                                  "policy_word",
                                                  "repeated_failure",
                                                  "low_grounding",
                                                  "anger",
                                                  "provider_outage",
                                                  ""};

static const struct rota_words all[] = {
    {.language = "en",
     .reasons = {"A customer asks for a person", "A customer used one of your words",
                 "A customer got no answer twice", "A question cannot be answered",
                 "A customer is upset", "No model answers", "A customer needs a person"},
     .press = "Press 1 to take it, or 2 if you cannot.",
     .yours = "It is yours, thank you. Nobody else is asked. Goodbye.",
     .taken = "Thank you, but %s has it already. Goodbye.",
     .closed = "Thank you, but it is settled already. Goodbye.",
     .late = "The time for it is over and it was not accepted. It is still on the desk's list. "
             "Goodbye.",
     .hello = "Hello, this is %s. You asked us to call you back. How can I help you?",
     .leave = "Hello, this is %s. You asked us to call you back. Please call us again. Goodbye."},
    {.language = "es",
     .reasons = {"Un cliente pide hablar con una persona",
                 "Un cliente ha usado una de sus palabras",
                 "Un cliente se ha quedado dos veces sin respuesta",
                 "Hay una pregunta sin respuesta", "Un cliente está molesto",
                 "Ningún modelo responde", "Un cliente necesita a una persona"},
     .press = "Pulse 1 para encargarse, o 2 si no puede.",
     .yours = "Es suyo, gracias. No se pregunta a nadie más. Adiós.",
     .taken = "Gracias, pero ya lo tiene %s. Adiós.",
     .closed = "Gracias, pero ya está resuelto. Adiós.",
     .late = "El plazo ha terminado y no se ha aceptado. Sigue en la lista. Adiós.",
     .hello = "Hola, le llama %s. Nos pidió que le devolviéramos la llamada. ¿En qué puedo "
              "ayudarle?",
     .leave = "Hola, le llama %s. Nos pidió que le devolviéramos la llamada. Por favor, llámenos "
              "de nuevo. Adiós."},
    {.language = "de",
     .reasons = {"Ein Kunde möchte mit einem Menschen sprechen",
                 "Ein Kunde hat eines Ihrer Wörter benutzt",
                 "Ein Kunde hat zweimal keine Antwort bekommen",
                 "Eine Frage lässt sich nicht beantworten", "Ein Kunde ist verärgert",
                 "Kein Modell antwortet", "Ein Kunde braucht einen Menschen"},
     .press = "Drücken Sie die 1, um es zu übernehmen, oder die 2, wenn Sie nicht können.",
     .yours = "Es gehört Ihnen, danke. Sonst wird niemand gefragt. Auf Wiederhören.",
     .taken = "Danke, aber %s hat es schon übernommen. Auf Wiederhören.",
     .closed = "Danke, aber es ist schon erledigt. Auf Wiederhören.",
     .late = "Die Zeit dafür ist vorbei, es wurde nicht übernommen. Es steht noch auf der Liste. "
             "Auf Wiederhören.",
     .hello = "Guten Tag, hier ist %s. Sie hatten um einen Rückruf gebeten. Wie kann ich Ihnen "
              "helfen?",
     .leave = "Guten Tag, hier ist %s. Sie hatten um einen Rückruf gebeten. Bitte rufen Sie uns "
              "wieder an. Auf Wiederhören."},
    {.language = "fr",
     .reasons = {"Un client demande à parler à quelqu'un", "Un client a utilisé un de vos mots",
                 "Un client est resté deux fois sans réponse", "Une question reste sans réponse",
                 "Un client est mécontent", "Aucun modèle ne répond",
                 "Un client a besoin de quelqu'un"},
     .press = "Appuyez sur 1 pour vous en charger, ou sur 2 si vous ne pouvez pas.",
     .yours = "C'est à vous, merci. Personne d'autre n'est appelé. Au revoir.",
     .taken = "Merci, mais %s s'en occupe déjà. Au revoir.",
     .closed = "Merci, mais c'est déjà réglé. Au revoir.",
     .late = "Le délai est passé et rien n'a été accepté. C'est toujours sur la liste. Au revoir.",
     .hello = "Bonjour, ici %s. Vous nous avez demandé de vous rappeler. Comment puis-je vous "
              "aider ?",
     .leave = "Bonjour, ici %s. Vous nous avez demandé de vous rappeler. Merci de nous rappeler. "
              "Au revoir."},
};

const struct rota_words *rota_words_of(const char *language)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strncasecmp(language, all[i].language, 2) == 0)
            return &all[i];
    return &all[0];
}

const char *rota_words_reason(const struct rota_words *words, const char *reason)
{
    size_t i = 0;
    while (i < ROTA_REASONS - 1 && strcmp(reasons[i], reason) != 0)
        i++;
    return words->reasons[i];
}

const char *rota_words_fill(struct arena *arena, const char *text, const char *value)
{
    const char *place = strstr(text, "%s");
    return arena_printf(arena, "%.*s%s%s", (int)(place - text), text, value, place + 2);
}
