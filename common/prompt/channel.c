/* The rules of the channels. prompt.c puts those of the turn's into the prompt, and the engine
 * keeps replies from quoting any. */
#include "prompt/channel.h"

#include <string.h>

#include "prompt/mark.h"

const char *const prompt_channel_names[PROMPT_CHANNELS] = {
    [PROMPT_SMS] = "sms", [PROMPT_VOICE] = "voice", [PROMPT_MAIL] = "mail"};

static const char sms_rules[] =
    "The channel is text messages: plain text without markup, at most 320 characters, one reply to "
    "all that the customer just wrote.";

static const char voice_rules[] =
    "The channel is a phone call: what you write is spoken to the caller. Use one to three short "
    "spoken sentences, ask one thing at a time, and write no lists, no mark-up, no links and no "
    "emoji. Say dates, times and numbers as one says them aloud. If the caller asks you to repeat "
    "something, say it again in other and fewer words; if he asks you to speak slower, use very "
    "short sentences, one fact each, and read numbers out digit by digit. \"[keys pressed: ...]\" "
    "is what he typed on the keypad of his telephone, as an answer to what you asked; a \"#\" only "
    "ends it.";

static const char mail_rules[] =
    "The channel is e-mail. Write the whole mail that the customer gets, and nothing else: a "
    "greeting, by the customer's name where you know it; the answer to everything that was asked, "
    "in short paragraphs of plain text, as long as it takes and no longer; a closing line and the "
    "name of the business. Write no subject line and no mark-up, and keep to the subject of the "
    "thread. Of the files that came with a mail you have what is written in <" MARK_FILE
    "> marks: read it like the mail. All other files are only named to you: do not pretend to know "
    "what is in them, or in what is left out; where the answer depends on it, say that a person "
    "will look at it.";

const char *const prompt_channel_rules[PROMPT_CHANNELS] = {
    [PROMPT_SMS] = sms_rules, [PROMPT_VOICE] = voice_rules, [PROMPT_MAIL] = mail_rules};

bool prompt_channel_named(const char *name, enum prompt_channel *channel)
{
    for (int i = 0; i < PROMPT_CHANNELS; i++)
        if (strcmp(prompt_channel_names[i], name) == 0) {
            *channel = (enum prompt_channel)i;
            return true;
        }
    return false;
}
