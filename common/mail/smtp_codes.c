/* The tables of replies and errors. smtp.c's verdict takes its class from here, the responder its
 * alert and what it tells. */
#include "mail/smtp_codes.h"

#include <stddef.h>
#include <string.h>

#define AT(stage) (1u << (stage))
#define SESSION   (AT(SMTP_CONNECT) | AT(SMTP_GREETING) | AT(SMTP_HELLO) | AT(SMTP_STARTTLS))
#define CONTENT   (AT(SMTP_DATA) | AT(SMTP_DOT))
#define ANY_STAGE (~0u)
#define ANY_CODE  0
#define CLASS(n)  (n) /* 4 or 5 instead of a code: every code of the class */

/* Top down, the first that fits: special rows stand before general ones. `enhanced` is the
 * beginning of the enhanced code, "" fits all. */
static const struct {
    unsigned stages;
    int code;
    const char *enhanced;
    struct smtp_judgement judgement;
} table[] = {
    /* the server closes whatever it was asked */
    {ANY_STAGE, 421, "", {SMTP_BACK_OFF, false, "the server closes its connections for now"}},

    /* before the mail is spoken of, a no is about the account, never about the mail */
    {AT(SMTP_GREETING), CLASS(5), "", {SMTP_HOLD_OFF, true, "the server takes no mail from here"}},
    {AT(SMTP_STARTTLS), CLASS(4), "", {SMTP_BACK_OFF, false, "TLS is not available just now"}},
    {AT(SMTP_STARTTLS), CLASS(5), "", {SMTP_HOLD_OFF, true, "the server refuses STARTTLS"}},
    {AT(SMTP_AUTH),
     ANY_CODE,
     "5.7.30",
     {SMTP_HOLD_OFF, true, "the server takes no passwords any more: use auth=xoauth2"}},
    {AT(SMTP_AUTH), 432, "", {SMTP_BACK_OFF, false, "too many sessions of the mailbox"}},
    {AT(SMTP_AUTH), CLASS(4), "", {SMTP_BACK_OFF, false, "logging in failed for now"}},
    {AT(SMTP_AUTH), 534, "", {SMTP_HOLD_OFF, true, "the server wants a stronger way to log in"}},
    {AT(SMTP_AUTH), 535, "", {SMTP_HOLD_OFF, true, "the mailbox's user or secret is wrong"}},
    {AT(SMTP_AUTH), 538, "", {SMTP_HOLD_OFF, true, "logging in needs TLS: remove tls=none"}},
    {AT(SMTP_AUTH), CLASS(5), "", {SMTP_HOLD_OFF, true, "logging in was refused"}},
    {SESSION, CLASS(5), "", {SMTP_HOLD_OFF, true, "the server refuses the session"}},

    /* who sends */
    {AT(SMTP_MAIL) | AT(SMTP_RCPT),
     530,
     "",
     {SMTP_HOLD_OFF, true, "the server wants an account: add the user to the URL"}},
    {AT(SMTP_MAIL) | CONTENT, 552, "5.3.4", {SMTP_FINAL, true, "the mail is too large"}},
    {AT(SMTP_MAIL) | CONTENT, 552, "5.2.3", {SMTP_FINAL, true, "the mail is too large"}},
    {AT(SMTP_MAIL) | CONTENT, 552, "5.2.2", {SMTP_BACK_OFF, false, "a mailbox is full"}},
    {AT(SMTP_MAIL), 552, "", {SMTP_FINAL, true, "the mail is too large"}},
    {AT(SMTP_MAIL), 553, "", {SMTP_HOLD_OFF, true, "the account may not send as this mailbox"}},
    {AT(SMTP_MAIL),
     CLASS(5),
     "5.7",
     {SMTP_HOLD_OFF, true, "the account may not send as this mailbox"}},
    {AT(SMTP_MAIL), CLASS(5), "", {SMTP_HOLD_OFF, true, "the server refuses the sender"}},

    /* whom to: 552 is "too many recipients" or a full mailbox, and temporary (RFC 5321 4.5.3.1.10)
     */
    {AT(SMTP_RCPT), 552, "", {SMTP_BACK_OFF, false, "the recipient's mailbox is full"}},
    {AT(SMTP_RCPT), CLASS(5), "5.2.2", {SMTP_BACK_OFF, false, "the recipient's mailbox is full"}},
    {AT(SMTP_RCPT),
     CLASS(5),
     "5.2.1",
     {SMTP_NO_ADDRESS, false, "the recipient's mailbox is closed"}},
    {AT(SMTP_RCPT), CLASS(5), "5.1.8", {SMTP_FINAL, true, "the sender's domain is refused"}},
    {AT(SMTP_RCPT), CLASS(5), "5.1.7", {SMTP_FINAL, true, "the sender's address is refused"}},
    {AT(SMTP_RCPT),
     CLASS(5),
     "5.1",
     {SMTP_NO_ADDRESS, false, "the recipient's address does not exist"}},
    {AT(SMTP_RCPT), CLASS(5), "5.7", {SMTP_FINAL, true, "the server's policy refuses it"}},
    {AT(SMTP_RCPT), 554, "", {SMTP_FINAL, true, "the server will not relay there"}},
    {AT(SMTP_RCPT), 550, "", {SMTP_NO_ADDRESS, false, "the recipient's address does not exist"}},
    {AT(SMTP_RCPT), 551, "", {SMTP_NO_ADDRESS, false, "the recipient has moved"}},
    {AT(SMTP_RCPT), 553, "", {SMTP_NO_ADDRESS, false, "the recipient's address is not allowed"}},
    {AT(SMTP_RCPT), CLASS(5), "", {SMTP_FINAL, true, "the server refuses the recipient"}},
    {AT(SMTP_RCPT),
     450,
     "",
     {SMTP_BACK_OFF, false, "the recipient's mailbox is not to be had now"}},
    {AT(SMTP_RCPT), 451, "", {SMTP_BACK_OFF, false, "the server asks to come again (greylisting)"}},

    /* the mail */
    {CONTENT, CLASS(5), "5.7.1", {SMTP_FINAL, true, "refused as spam or by policy"}},
    {CONTENT, CLASS(5), "5.7.23", {SMTP_FINAL, true, "refused: SPF does not allow our server"}},
    {CONTENT, CLASS(5), "5.7.25", {SMTP_FINAL, true, "refused: our server has no reverse name"}},
    {CONTENT,
     CLASS(5),
     "5.7.26",
     {SMTP_FINAL, true, "refused: neither SPF nor DKIM passed (DMARC)"}},
    {CONTENT, CLASS(5), "5.7", {SMTP_FINAL, true, "refused by policy"}},
    {CONTENT,
     CLASS(5),
     "5.1.1",
     {SMTP_NO_ADDRESS, false, "the recipient's address does not exist"}},
    {CONTENT, CLASS(5), "5.6", {SMTP_FINAL, true, "the server does not understand the mail"}},
    {CONTENT, 552, "", {SMTP_FINAL, true, "the mail is too large"}},
    {CONTENT, 503, "", {SMTP_BACK_OFF, true, "the server lost track of the session"}},
    {CONTENT, CLASS(5), "", {SMTP_FINAL, true, "the server refuses the mail"}},

    {ANY_STAGE, 452, "", {SMTP_BACK_OFF, false, "the server has no room just now"}},
    {ANY_STAGE, CLASS(4), "", {SMTP_BACK_OFF, false, "the server asks to come again"}},
    {ANY_STAGE, CLASS(5), "", {SMTP_FINAL, true, "the server refuses it"}},
    {ANY_STAGE, ANY_CODE, "", {SMTP_BACK_OFF, true, "the server's answer makes no sense"}},
};

static const struct {
    const char *error;
    struct smtp_judgement judgement;
} errors[] = {
    {"smtp.account", {SMTP_HOLD_OFF, true, "the SMTP account of the mailbox is not readable"}},
    {"smtp.credentials", {SMTP_HOLD_OFF, true, "the mailbox's secret cannot be read"}},
    {"smtp.token", {SMTP_BACK_OFF, false, "the token endpoint gives no token just now"}},
    {"smtp.message", {SMTP_FINAL, true, "the mail is none that can be sent"}},
    {"smtp.size", {SMTP_FINAL, true, "the mail is larger than the server says it takes"}},
    {"smtp.resolve", {SMTP_BACK_OFF, true, "the server's name cannot be resolved"}},
    {"smtp.connect", {SMTP_BACK_OFF, true, "the server cannot be reached"}},
    {"smtp.certificate", {SMTP_HOLD_OFF, true, "the server's certificate is not valid for it"}},
    {"smtp.tls", {SMTP_HOLD_OFF, true, "no TLS could be agreed on with the server"}},
    {"smtp.no_starttls", {SMTP_HOLD_OFF, true, "the server offers no STARTTLS"}},
    {"smtp.injected", {SMTP_HOLD_OFF, true, "somebody spoke into the session before TLS"}},
    {"smtp.no_auth", {SMTP_HOLD_OFF, true, "the server offers no way to log in that we have"}},
    {"smtp.denied", {SMTP_HOLD_OFF, true, "the mailbox's user or token is wrong"}},
    {"smtp.timeout", {SMTP_BACK_OFF, false, "the server did not answer in time"}},
    {"smtp.dropped", {SMTP_BACK_OFF, false, "the server closed the connection"}},
    {"smtp.protocol", {SMTP_BACK_OFF, true, "the server's answer makes no sense"}},
    {"smtp.busy", {SMTP_BACK_OFF, false, "other mails were being sent all the time"}},
    {"smtp.gate", {SMTP_BACK_OFF, false, "it may not leave any more: the lease was over"}},
    {"smtp.unknown", {SMTP_ASK_NOBODY, false, "no answer came behind the end of the mail"}},
};

static bool code_fits(int row, int code)
{
    return row == ANY_CODE || (row < 10 ? code / 100 == row : code == row);
}

/* "5.7.1" fits "5.7.1" and not "5.7.10"; "5.7" fits both. */
static bool enhanced_fits(const char *row, const char *enhanced)
{
    size_t length = strlen(row);
    return length == 0 || (strncmp(row, enhanced, length) == 0 &&
                           (enhanced[length] == '\0' || enhanced[length] == '.'));
}

struct smtp_judgement smtp_codes_judge(enum smtp_stage stage, const struct smtp_reply *reply)
{
    size_t i = 0;
    while ((table[i].stages & AT(stage)) == 0 || !code_fits(table[i].code, reply->code) ||
           !enhanced_fits(table[i].enhanced, reply->enhanced))
        i++;
    return table[i].judgement;
}

struct smtp_judgement smtp_codes_judge_error(const char *error)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].error, error) == 0)
            return errors[i].judgement;
    return (struct smtp_judgement){SMTP_BACK_OFF, true, "sending failed"};
}
