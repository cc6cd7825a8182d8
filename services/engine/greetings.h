/* Words that the reception without a model knows from a name or a reason (docs/RECEPTION.md): data.
 * Static. */
#ifndef DESK_ENGINE_GREETINGS_H
#define DESK_ENGINE_GREETINGS_H

/* Words of greeting and thanks in all languages, each between spaces, in small letters. */
extern const char greetings_words[];

/* What stands before a name ("my name is "), in small letters, NULL-terminated: anywhere in a text,
 * and at its beginning only. */
extern const char *const greetings_name_anywhere[];
extern const char *const greetings_name_first[];

#endif
