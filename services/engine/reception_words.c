/* The wordings of the reception without a model. reception.c puts them together. */
#include "reception_words.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct reception_words all[] = {
    {.language = "en",
     .offer = "I can take a message for our team.",
     .ask_name = "May I have your name?",
     .ask_reason = "What is it about?",
     .ask_call_back = "How and when can we reach you: at this number, or another way?",
     .thanks = "Thank you.",
     .automatic = "An automatic answer from our notes:",
     .noted = "This is recorded for our team:",
     .name = "Name",
     .reason = "About",
     .call_back = "Reach you",
     .added = "I have added this to your message:",
     .stands = "Your message is recorded for our team.",
     .full = "Your message is recorded for our team. I cannot add more to it.",
     .booked = "Your appointment is booked:",
     .cancelled = "Your appointment is cancelled:",
     .nothing = "I could not record anything yet."},
    {.language = "es",
     .offer = "Puedo tomar un recado para nuestro equipo.",
     .ask_name = "¿Me dice su nombre?",
     .ask_reason = "¿De qué se trata?",
     .ask_call_back = "¿Cómo y cuándo podemos contactarle: en este número o de otra forma?",
     .thanks = "Gracias.",
     .automatic = "Una respuesta automática de nuestras notas:",
     .noted = "Esto queda anotado para nuestro equipo:",
     .name = "Nombre",
     .reason = "Asunto",
     .call_back = "Contacto",
     .added = "He añadido esto a su recado:",
     .stands = "Su recado está anotado para nuestro equipo.",
     .full = "Su recado está anotado para nuestro equipo. No puedo añadir más.",
     .booked = "Su cita está reservada:",
     .cancelled = "Su cita está cancelada:",
     .nothing = "Todavía no he podido anotar nada."},
    {.language = "de",
     .offer = "Ich kann eine Nachricht für unser Team aufnehmen.",
     .ask_name = "Wie ist Ihr Name?",
     .ask_reason = "Worum geht es?",
     .ask_call_back = "Wie und wann erreichen wir Sie: unter dieser Nummer oder anders?",
     .thanks = "Danke.",
     .automatic = "Eine automatische Antwort aus unseren Unterlagen:",
     .noted = "Das ist für unser Team notiert:",
     .name = "Name",
     .reason = "Anliegen",
     .call_back = "Erreichbar",
     .added = "Das habe ich zu Ihrer Nachricht notiert:",
     .stands = "Ihre Nachricht ist für unser Team notiert.",
     .full = "Ihre Nachricht ist für unser Team notiert. Mehr kann ich nicht aufnehmen.",
     .booked = "Ihr Termin ist gebucht:",
     .cancelled = "Ihr Termin ist abgesagt:",
     .nothing = "Ich konnte noch nichts notieren."},
    {.language = "fr",
     .offer = "Je peux prendre un message pour notre équipe.",
     .ask_name = "Quel est votre nom ?",
     .ask_reason = "De quoi s'agit-il ?",
     .ask_call_back = "Comment et quand pouvons-nous vous joindre : à ce numéro ou autrement ?",
     .thanks = "Merci.",
     .automatic = "Une réponse automatique tirée de nos notes :",
     .noted = "Ceci est noté pour notre équipe :",
     .name = "Nom",
     .reason = "Sujet",
     .call_back = "Vous joindre",
     .added = "J'ai ajouté ceci à votre message :",
     .stands = "Votre message est noté pour notre équipe.",
     .full = "Votre message est noté pour notre équipe. Je ne peux rien y ajouter.",
     .booked = "Votre rendez-vous est réservé :",
     .cancelled = "Votre rendez-vous est annulé :",
     .nothing = "Je n'ai encore rien pu noter."},
};
#define COUNT (sizeof all / sizeof *all)

const char reception_greetings[] =
    " hi hello hey there good morning afternoon evening day thanks thank you ok okay bye "
    "hallo guten tag morgen abend moin servus danke tschüss "
    "hola buenos buenas días dias tardes noches gracias adiós "
    "bonjour bonsoir salut merci ";

const char *const reception_name_anywhere[] = {"my name is ",    "mi nombre es ", "me llamo ",
                                               "mein name ist ", "ich heiße ",    "ich heisse ",
                                               "mon nom est ",   "je m'appelle ", NULL};

const char *const reception_name_first[] = {"i am ",    "i'm ",      "this is ", "name: ", "soy ",
                                            "ich bin ", "hier ist ", "je suis ", "c'est ", NULL};

const struct reception_words *reception_words_of(const char *language)
{
    bool has_two = strcspn(language, "-_") == 2;
    for (size_t i = 0; has_two && i < COUNT; i++)
        if (strncasecmp(all[i].language, language, 2) == 0)
            return &all[i];
    return &all[0];
}

const struct reception_words *reception_words_at(size_t index)
{
    return index < COUNT ? &all[index] : NULL;
}
