/* The sentences of `deskctl mailbox check`, by the codes of the errors behind them. */
#include "mailbox_words.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* %s is the server as HOST:PORT. */
static const struct {
    const char *code, *sentence;
} sentences[] = {
    {"stream.resolve", "no machine has the name of %s: is the host in the URL right?"},
    {"stream.connect", "there is no way to %s: is the port right, and does a firewall let us out?"},
    {"stream.address",
     "%s is at no public address, and the mailpoller goes to no other one: list its "
     "network in mail_networks, of the services and of deskctl"},
    {"stream.timeout", "there is no way to %s: is the port right, and does a firewall let us out?"},
    {"stream.tls", "the certificate of %s is not valid for its name, or of a CA that is not known "
                   "here: use the name in the certificate, or set mail_ca_file"},
    {"stream.starttls", "%s offers no STARTTLS: is it the right port, or does imaps:// fit it?"},
    {"stream.reset",
     "%s breaks the connection: does it want TLS from the first byte (imaps://), or "
     "STARTTLS (imap://)?"},
    {"stream.closed", "%s hangs up before anybody logged in: is it the right port?"},
    {"imap.authentication", "%s does not take user and secret: is the password right, and may "
                            "passwords be used at all (app password, oauth)?"},
    {"imap.mechanism", "%s offers no way to log in with what the mailbox has: try oauth for a "
                       "password, or a password for oauth"},
    {"imap.unavailable",
     "%s lets nobody in now; try again later, and if it stays so see whether the "
     "account may use IMAP and how many connections it has"},
    {"imap.timeout", "%s did not answer in time; try again later"},
    {"smtp.resolve", "no machine has the name of %s: is the host in the URL right?"},
    {"smtp.connect", "there is no way to %s: is the port right, and does a firewall let us out?"},
    {"smtp.certificate", "the certificate of %s is not valid for its name, or of a CA that is not "
                         "known here: use the name in the certificate, or set mail_ca_file"},
    {"smtp.tls",
     "%s agrees on no TLS: does it want TLS from the first byte (smtps://), or STARTTLS "
     "(smtp://)?"},
    {"smtp.no_starttls", "%s offers no STARTTLS: is it the right port, or does smtps:// fit it?"},
    {"smtp.no_auth", "%s offers no way to log in with what the mailbox has"},
    {"smtp.denied", "%s does not take user and secret: is the password right, and may passwords be "
                    "used at all (app password, oauth)?"},
    {"smtp.timeout", "%s did not answer in time; try again later"},
};

static const char *sentence_of(const char *code)
{
    for (size_t i = 0; i < COUNT(sentences); i++)
        if (strcmp(sentences[i].code, code) == 0)
            return sentences[i].sentence;
    return NULL;
}

/* The sentence with the server in its place. */
static int say(const char *sentence, const char *host, int port, char *out, size_t size)
{
    const char *place = strstr(sentence, "%s");
    return snprintf(out, size, "%.*s%.100s:%d%s", (int)(place - sentence), sentence, host, port,
                    place + 2);
}

/* ---- IMAP ---- */

void mailbox_words_imap(const struct mailbox_admin_row *row, const struct err *why, struct err *err)
{
    char text[ERR_MESSAGE_MAX];
    const char *sentence = sentence_of(why->code);
    if (sentence == NULL)
        snprintf(text, sizeof text, "%.100s:%d: %.120s", row->host, (int)row->port, why->message);
    else
        say(sentence, row->host, (int)row->port, text, sizeof text);
    err_set(err, why->class, why->code, "%s", text);
}

void mailbox_words_refusal(const struct mailbox_admin_row *row, const struct imap_answer *answer,
                           struct err *err)
{
    if (answer->ask == IMAP_ASK_SELECT)
        err_set(err, ERR_PERMANENT, "mailbox.folder",
                "the folder %.80s cannot be opened (%.40s): is there one of that name?",
                row->folder, answer->code[0] != '\0' ? answer->code : "no reason given");
    else
        err_set(err, ERR_RETRY_LATER, "mailbox.refused",
                "the IMAP server refuses to look into the folder (%.40s)",
                answer->code[0] != '\0' ? answer->code : "no reason given");
}

const char *mailbox_words_server(struct arena *arena, const struct mailbox_admin_row *row,
                                 const char *capabilities)
{
    static const char *const telling[] = {"IDLE",    "QRESYNC",  "CONDSTORE",   "MOVE",
                                          "UIDPLUS", "LITERAL+", "SPECIAL-USE", "X-GM-EXT-1"};
    const char *found = "";
    for (size_t i = 0; i < COUNT(telling); i++)
        if (strstr(capabilities, arena_printf(arena, " %s ", telling[i])) != NULL)
            found = arena_printf(arena, "%s %s", found, telling[i]);
    return arena_printf(arena, "%s:%lld lets %s in by %s; it can%s", row->host,
                        (long long)row->port, row->user_name, row->security,
                        found[0] != '\0' ? found : " nothing of note");
}

const char *mailbox_words_folder(struct arena *arena, const struct mailbox_admin_row *row,
                                 const struct imap_selected *selected, uint32_t highest)
{
    const char *head =
        arena_printf(arena,
                     selected->next_uid > 0 ? "%s has %lu mails, the next one's UID is %lu"
                                            : "%s has %lu mails, the highest UID is %lu",
                     row->folder, (unsigned long)selected->exists,
                     (unsigned long)(selected->next_uid > 0 ? selected->next_uid : highest));
    if (row->uid_validity == 0 && row->read_at != NULL)
        return arena_printf(arena,
                            "%s; it was read elsewhere until %s, and what came since a day before "
                            "the newest mail of there is read here",
                            head, row->read_at);
    if (row->uid_validity == 0)
        return arena_printf(arena, "%s; it was not read yet and begins there", head);
    if (row->uid_validity != (int64_t)selected->validity)
        return arena_printf(arena,
                            "%s; it was made anew since it was read (UIDVALIDITY %lld, now %lu)",
                            head, (long long)row->uid_validity, (unsigned long)selected->validity);
    return arena_printf(arena, "%s; it was read up to UID %lld", head, (long long)row->last_uid);
}

/* ---- SMTP ---- */

void mailbox_words_plus(const struct mailbox_admin_row *row, char form[MAILBOX_PLUS_SIZE])
{
    size_t local = strcspn(row->address, "@");
    snprintf(form, MAILBOX_PLUS_SIZE, "%.*s+...%.40s", (int)(local < 24 ? local : 24), row->address,
             row->address + local);
}

/* Refused may be the address with the token alone. */
static void say_recipient(const struct mailbox_admin_row *row,
                          const struct mail_smtp_account *account,
                          const struct mail_smtp_result *result, char *out, size_t size)
{
    char form[MAILBOX_PLUS_SIZE];
    mailbox_words_plus(row, form);
    if (!row->plus_addresses)
        snprintf(out, size, "%.80s:%d takes no mail for %.80s (%d): %s", account->host,
                 account->port, row->address, result->reply.code, result->judgement.meaning);
    else
        snprintf(out, size,
                 "%.40s:%d takes no mail for %s (%d), where answers go: turn plus addresses on "
                 "there, or write plus_addresses: false and --replace",
                 account->host, account->port, form, result->reply.code);
}

static void say_stage(const struct mailbox_admin_row *row, const struct mail_smtp_account *account,
                      const struct mail_smtp_result *result, char *out, size_t size)
{
    switch (result->stage) {
    case SMTP_AUTH:
        say(sentence_of("smtp.denied"), account->host, account->port, out, size);
        break;
    case SMTP_MAIL:
        snprintf(out, size,
                 "%.80s:%d refuses %.80s as a sender (%d): may the account send as that address?",
                 account->host, account->port, row->address, result->reply.code);
        break;
    case SMTP_RCPT:
        say_recipient(row, account, result, out, size);
        break;
    default:
        snprintf(out, size, "%.80s:%d says %d at %s: %s", account->host, account->port,
                 result->reply.code, smtp_stage_name(result->stage), result->judgement.meaning);
        break;
    }
}

void mailbox_words_smtp(const struct mailbox_admin_row *row,
                        const struct mail_smtp_account *account,
                        const struct mail_smtp_result *result, struct err *err)
{
    char text[ERR_MESSAGE_MAX], code[ERR_CODE_MAX];
    const char *sentence = result->error[0] != '\0' ? sentence_of(result->error) : NULL;
    if (result->error[0] != '\0')
        snprintf(code, sizeof code, "%s", result->error);
    else
        snprintf(code, sizeof code, "smtp.%d", result->reply.code);
    if (sentence != NULL)
        say(sentence, account->host, account->port, text, sizeof text);
    else if (result->error[0] != '\0')
        snprintf(text, sizeof text, "%.80s:%d: %s", account->host, account->port,
                 result->judgement.meaning);
    else
        say_stage(row, account, result, text, sizeof text);
    err_set(err, result->class == MAIL_SMTP_REFUSED ? ERR_PERMANENT : ERR_RETRY_LATER, code, "%s",
            text);
}
