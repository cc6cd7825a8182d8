/* The fixed wordings by language, and the tenant's own in their place. The engine's reception,
 * escalations and rota say them; deskctl checks a tenant's. */
#include "prompt/wording.h"

#include <string.h>
#include <strings.h>

#define AT(member) offsetof(struct wording, member)

/* The longest record that the reception reads back fits into one text with the longest words: what
 * stands in it names no business. */
const struct wording_key wording_keys[] = {
    {"offer", AT(offer), 120, true},
    {"ask_name", AT(ask_name), 160, true},
    {"ask_reason", AT(ask_reason), 160, true},
    {"ask_call_back", AT(ask_call_back), 160, true},
    {"thanks", AT(thanks), 40, false},
    {"automatic", AT(automatic), 80, true},
    {"noted", AT(noted), 60, false},
    {"name", AT(name), 20, false},
    {"reason", AT(reason), 20, false},
    {"call_back", AT(call_back), 20, false},
    {"added", AT(added), 100, true},
    {"stands", AT(stands), 160, true},
    {"full", AT(full), 200, true},
    {"nothing", AT(nothing), 100, true},
    {"booked", AT(booked), 100, true},
    {"cancelled", AT(cancelled), 100, true},
    {"passed_on", AT(passed_on), 320, true},
    {"taken", AT(taken), 320, true},
    {"nobody", AT(nobody), 320, true},
};

_Static_assert(sizeof wording_keys / sizeof wording_keys[0] == WORDING_KEYS,
               "WORDING_KEYS counts the table");

static const struct wording all[] = {
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
     .nothing = "I could not record anything yet.",
     .passed_on = "I have passed this on to our team.",
     .taken = "Somebody of our team is looking after this already.",
     .nobody =
         "Nobody of our team could take this yet. Your message stands, and somebody will read it."},
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
     .nothing = "Todavía no he podido anotar nada.",
     .passed_on = "He pasado esto a nuestro equipo.",
     .taken = "Alguien de nuestro equipo ya se ocupa de esto.",
     .nobody = "Nadie de nuestro equipo ha podido atender esto todavía. Su mensaje queda anotado y "
               "alguien lo leerá."},
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
     .nothing = "Ich konnte noch nichts notieren.",
     .passed_on = "Ich habe das an unser Team weitergegeben.",
     .taken = "Jemand aus unserem Team kümmert sich bereits darum.",
     .nobody = "Aus unserem Team konnte sich noch niemand darum kümmern. Ihre Nachricht bleibt "
               "notiert und wird gelesen."},
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
     .nothing = "Je n'ai encore rien pu noter.",
     .passed_on = "J'ai transmis cela à notre équipe.",
     .taken = "Quelqu'un de notre équipe s'en occupe déjà.",
     .nobody = "Personne de notre équipe n'a encore pu s'en occuper. Votre message reste noté et "
               "sera lu."},
};
#define COUNT (sizeof all / sizeof *all)

const void *wording_row(const void *rows, size_t count, size_t size, const char *language)
{
    const bool has_two = strcspn(language, "-_") == 2;
    const char *row = rows;
    for (size_t i = 0; has_two && i < count; i++, row += size)
        if (strncasecmp(*(const char *const *)row, language, 2) == 0)
            return row;
    return NULL;
}

bool wording_is_known(const char *language)
{
    return wording_row(all, COUNT, sizeof *all, language) != NULL;
}

const struct wording *wording_of(const char *language)
{
    const struct wording *known = wording_row(all, COUNT, sizeof *all, language);
    return known != NULL ? known : &all[0];
}

/* ---- a tenant's own ---- */

static const char business_mark[] = "{business}";

const char *wording_wrong_mark(const struct wording_key *key, const char *text)
{
    const size_t mark = strlen(business_mark);
    for (; *(text += strcspn(text, "{}")) != '\0'; text += mark)
        if (!key->names_business || strncmp(text, business_mark, mark) != 0)
            return text;
    return NULL;
}

const char *wording_fill(struct arena *arena, const char *text, const char *business)
{
    const char *mark = strstr(text, business_mark), *filled = "";
    for (; mark != NULL; mark = strstr(text, business_mark)) {
        filled = arena_printf(arena, "%s%.*s%s", filled, (int)(mark - text), text, business);
        text = mark + strlen(business_mark);
    }
    return arena_printf(arena, "%s%s", filled, text);
}

void wording_read(struct arena *arena, const struct json *words, const char *language,
                  const char *business, struct wording *out)
{
    *out = *wording_of(language);
    for (size_t i = 0; i < WORDING_KEYS; i++) {
        const char *own = json_member_text(words, wording_keys[i].name);
        if (own != NULL && own[0] != '\0')
            *(const char **)((char *)out + wording_keys[i].offset) =
                wording_fill(arena, own, business);
    }
}
