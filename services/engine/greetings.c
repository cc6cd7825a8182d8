/* What customers say around a message, by language. reception.c listens for it. */
#include "greetings.h"

#include <stddef.h>

const char greetings_words[] =
    " hi hello hey there good morning afternoon evening day thanks thank you ok okay bye "
    "hallo guten tag morgen abend moin servus danke tschüss "
    "hola buenos buenas días dias tardes noches gracias adiós "
    "bonjour bonsoir salut merci ";

const char *const greetings_name_anywhere[] = {"my name is ",    "mi nombre es ", "me llamo ",
                                               "mein name ist ", "ich heiße ",    "ich heisse ",
                                               "mon nom est ",   "je m'appelle ", NULL};

const char *const greetings_name_first[] = {"i am ",    "i'm ",      "this is ", "name: ", "soy ",
                                            "ich bin ", "hier ist ", "je suis ", "c'est ", NULL};
