/* Opt-out words. Source: Twilio's default keywords for English long codes; Twilio answers all of
 * them itself, the words for help too, and calls the webhook all the same. */
#include "consent.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *word;
    enum inbox_consent consent;
} words[] = {
    {"stop", INBOX_STOP},   {"stopall", INBOX_STOP}, {"unsubscribe", INBOX_STOP},
    {"cancel", INBOX_STOP}, {"end", INBOX_STOP},     {"quit", INBOX_STOP},
    {"revoke", INBOX_STOP}, {"optout", INBOX_STOP},  {"start", INBOX_START},
    {"yes", INBOX_START},   {"unstop", INBOX_START}, {"help", INBOX_HELP},
    {"info", INBOX_HELP},
};

enum inbox_consent consent_word(const char *body, const char *opt_out_type)
{
    if (strcasecmp(opt_out_type, "STOP") == 0)
        return INBOX_STOP;
    if (strcasecmp(opt_out_type, "START") == 0)
        return INBOX_START;
    if (strcasecmp(opt_out_type, "HELP") == 0)
        return INBOX_HELP;
    body += strspn(body, " \t\r\n");
    size_t length = strlen(body);
    while (length > 0 && strchr(" \t\r\n", body[length - 1]) != NULL)
        length--;
    if (length > 0 && (body[length - 1] == '.' || body[length - 1] == '!'))
        length--;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == length && strncasecmp(words[i].word, body, length) == 0)
            return words[i].consent;
    return INBOX_NO_WORD;
}
