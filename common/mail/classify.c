/* The rules by which robots are known, as a table in the order in which they count. Most are a
 * header and its values; the rest are a test. mailpoller calls it for each mail.
 *
 * Left out on purpose: Feedback-ID, which some relays put on all that they send, people's mail as
 * well; X-Auto-Response-Suppress without All or AutoReply, which Exchange puts on people's mail.
 * Sources: RFC 3834, 3464, 5965, 8098, 2919; the checks of Zammad, Discourse and Chatwoot. */
#include "mail/classify.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "mail/address.h"

#define VALUES_MAX 12

struct look {
    const struct mail *mail;
    const char *text;
    const struct mail_auth *auth;
    const struct mail_house *house;
};

enum how {
    PRESENT,  /* the field is there */
    IS,       /* its first word is one of the values */
    IS_NOT,   /* it is there and its first word is none of them */
    CONTAINS, /* one of the values is one of its words, which commas and spaces part */
};

struct rule {
    const char *name;
    enum mail_class class;
    const char *why;
    const char *field; /* NULL: `test` decides */
    enum how how;
    const char *values[VALUES_MAX];
    bool (*test)(const struct look *look);
};

/* ---- words ---- */

/* Subjects of bounces, as servers and providers write them; the beginning counts. */
static const char *const bounce_subjects[] = {
    "Undelivered Mail Returned to Sender", /* Postfix */
    "Mail delivery failed",                /* Exim */
    "Delivery Status Notification",        /* Gmail, Exchange, qmail-ldap */
    "failure notice",                      /* qmail, Yahoo */
    "Returned mail:",                      /* Sendmail */
    "Undeliverable",                       /* Exchange, Outlook */
    "Undelivered",
    "Delivery Failure",
    "Delivery failed",
    "Delivery delayed",
    "Delayed mail",
    "Warning: message",   /* Exim */
    "Warning: could not", /* Sendmail */
    "Mail System Error",
    "Message not delivered",
    "Message undeliverable",
    "Mail could not be delivered",
    "Returned to sender",
    "Unzustellbar",                      /* Exchange, de */
    "Nicht zustellbar",                  /* Exchange, de */
    "Zustellung fehlgeschlagen",         /* de */
    "Nachricht konnte nicht zugestellt", /* de */
    "Non remis",                         /* Exchange, fr */
    "Non distribuable",                  /* Exchange, fr */
    "Échec de la remise",                /* fr */
    "No se puede entregar",              /* Exchange, es */
    "Non recapitabile",                  /* Exchange, it */
    "Não é possível entregar",           /* Exchange, pt */
    "Não entregue",                      /* Exchange, pt */
    "Onbestelbaar",                      /* Exchange, nl */
    "Niedostarczalne",                   /* Exchange, pl */
    "Nie można dostarczyć",              /* pl */
    "Går inte att leverera",             /* Exchange, sv */
    "Kan ikke leveres",                  /* Exchange, da, no */
    "Недоставленное сообщение",          /* Mail.ru, Yandex */
    "Не удалось доставить",              /* Exchange, ru */
    "配信不能",                          /* Exchange, ja */
    "退信",                              /* QQ Mail, NetEase */
    "系统退信",                          /* QQ Mail, NetEase */
};

/* Subjects of automatic answers: the phrase stands alone or before a colon, a dash, a bracket. */
static const char *const auto_subjects[] = {
    "Autoreply",
    "Auto-reply",
    "Auto reply",
    "Auto response",
    "Auto-response",
    "Autoresponse",
    "Automatic reply",
    "Automated reply",
    "Automatic response",
    "Out of Office",
    "Out of the Office",
    "Out of office autoreply",
    "Out of Office AutoReply",
    "Vacation reply",
    "Away from my mail",
    "Automatische Antwort",
    "Automatische Antwortmail",
    "Abwesenheitsnotiz",
    "Abwesenheitsnachricht",
    "Réponse automatique",
    "Absence du bureau",
    "Message d'absence",
    "Respuesta automática",
    "Fuera de la oficina",
    "Fuera de oficina",
    "Risposta automatica",
    "Fuori sede",
    "Fuori ufficio",
    "Resposta automática",
    "Ausência temporária",
    "Automatisch antwoord",
    "Afwezigheidsbericht",
    "Autosvar",
    "Automatiskt svar",
    "Automatisk svar",
    "Frånvaromeddelande",
    "Automaattinen vastaus",
    "Poissa toimistosta",
    "Odpowiedź automatyczna",
    "Automatyczna odpowiedź",
    "Autoodpowiedź",
    "Automatická odpověď",
    "Automatikus válasz",
    "Răspuns automat",
    "Otomatik yanıt",
    "Автоматический ответ",
    "Автоответ",
    "Автоматична відповідь",
    "自动回复",
    "自動回覆",
    "自動返信",
    "자동 회신",
};

/* Local parts of robots; what follows one is nothing, or begins with one of "-_.+". */
static const char *const robots[] = {
    "no-reply",       "noreply",        "no_reply",     "no.reply",     "donotreply",
    "do-not-reply",   "do_not_reply",   "do.not.reply", "dont-reply",   "nepasrepondre",
    "nichtantworten", "keineantwort",   "noresponder",  "no-responder", "nao-responda",
    "naoresponda",    "non-rispondere", "bounce",       "bounces",      "mailer-daemon",
    "mailerdaemon",   "postmaster",     "daemon",       "listserv",     "majordomo",
    "autoresponder",  "auto-reply",     "autoreply",
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static bool begins(const char *text, const char *word)
{
    return ((text[0] ^ word[0]) & ~0x20) == 0 && strncasecmp(text, word, strlen(word)) == 0;
}

static bool begins_one(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (begins(text, list[i]))
            return true;
    return false;
}

static const char *from_address(const struct look *look)
{
    return look->mail->from.count == 0 ? "" : look->mail->from.items[0].address;
}

/* True if the author's local part is the word, perhaps with something behind a mark. */
static bool is_from(const struct look *look, const char *word)
{
    const char *address = from_address(look);
    size_t length = strlen(word);
    return begins(address, word) && strchr("@-_.+", address[length]) != NULL &&
           address[length] != '\0';
}

static bool has_no_return_path(const struct look *look)
{
    return look->mail->return_path != NULL && look->mail->return_path[0] == '\0';
}

/* ---- tests ---- */

/* The address without a token behind "+", compared with the house's. */
static bool is_house_address(const struct look *look, const char *address)
{
    for (size_t i = 0; i < look->house->address_count; i++) {
        const char *own = look->house->addresses[i];
        size_t local = strcspn(own, "@");
        if (strncasecmp(address, own, local) == 0 && strchr("@+", address[local]) != NULL &&
            address[local] != '\0' &&
            strcasecmp(mail_address_domain(address), mail_address_domain(own)) == 0)
            return true;
    }
    return false;
}

static bool is_from_house(const struct look *look)
{
    return is_house_address(look, from_address(look));
}

static bool has_own_loop(const struct look *look)
{
    const char *loop = mail_header(look->mail, "X-Loop");
    return loop != NULL && is_house_address(look, loop);
}

static bool is_own_id(const struct look *look, const char *id)
{
    struct uuid delivery;
    return look->house->signer != NULL && id != NULL &&
           mail_token_read_message_id(look->house->signer, id + strspn(id, "<"), &delivery);
}

static bool has_own_id(const struct look *look)
{
    return is_own_id(look, look->mail->message_id) ||
           is_own_id(look, mail_header(look->mail, "X-Microsoft-Original-Message-ID"));
}

static bool is_complaint(const struct look *look)
{
    return strcasecmp(look->mail->report_type, "feedback-report") == 0;
}

static bool is_status(const struct look *look)
{
    return strcasecmp(look->mail->report_type, "delivery-status") == 0;
}

static bool is_receipt(const struct look *look)
{
    return strcasecmp(look->mail->report_type, "disposition-notification") == 0;
}

static bool is_other_report(const struct look *look)
{
    return look->mail->report_type[0] != '\0';
}

static bool is_daemon(const struct look *look)
{
    return is_from(look, "mailer-daemon") || is_from(look, "mailerdaemon");
}

static bool is_from_a_daemon(const struct look *look)
{
    return is_daemon(look) || is_from(look, "postmaster") ||
           is_from(look, "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e");
}

/* As the systems that return mails do. */
static bool is_from_a_system(const struct look *look)
{
    return has_no_return_path(look) || is_from_a_daemon(look);
}

static bool is_bounce_subject(const struct look *look)
{
    return is_from_a_system(look) &&
           begins_one(look->mail->subject, bounce_subjects, COUNT(bounce_subjects));
}

/* The next line of a mail's headers that has the name, as they are quoted in whichever language:
 * what stands behind the name; NULL: there is none. *at is behind it. */
static const char *next_line(const char **at, const char *name)
{
    while (**at != '\0') {
        const char *line = *at + strspn(*at, "> \t");
        *at += strcspn(*at, "\n");
        *at += **at == '\n';
        if (begins(line, name))
            return line + strlen(name);
    }
    return NULL;
}

static bool has_own_id_line(const struct look *look, const char *text)
{
    const char *id;
    while ((id = next_line(&text, "Message-ID:")) != NULL)
        if (is_own_id(look, id + strspn(id, " \t\n")))
            return true;
    return false;
}

static bool is_auto_subject(const struct look *look)
{
    const char *subject = look->mail->subject;
    for (size_t i = 0; i < COUNT(auto_subjects); i++) {
        if (!begins(subject, auto_subjects[i]))
            continue;
        const char *end = subject + strlen(auto_subjects[i]);
        end += strspn(end, " ");
        if (*end == '\0' || strchr(":([-!", *end) != NULL || begins(end, "\xe2\x80\x93") ||
            begins(end, "\xef\xbc\x9a")) /* an en dash, a full-width colon */
            return true;
    }
    return false;
}

/* True for a field whose value says more than "no". */
static bool says_yes(const struct look *look, const char *name)
{
    const char *value = mail_header(look->mail, name);
    return value != NULL && !(begins(value, "no") && strchr(" ;,(", value[2]) != NULL);
}

/* As the programs mark what they answer by themselves. */
static bool is_auto_answer(const struct look *look)
{
    const char *submitted = mail_header(look->mail, "Auto-Submitted");
    return (submitted != NULL && begins(submitted, "auto-replied")) ||
           says_yes(look, "X-Autoreply") || says_yes(look, "X-Autorespond") ||
           mail_header(look->mail, "X-AutoReply-From") != NULL || is_auto_subject(look);
}

static bool is_to_author(const struct look *look, const char *text)
{
    const char *author = from_address(look), *to;
    while ((to = next_line(&text, "To:")) != NULL) {
        const char *found = strcasestr(to, author);
        if (found != NULL && found < to + strcspn(to, "\n"))
            return true;
    }
    return false;
}

/* True if the mail that it quotes was for its author: he has it. Its words may name him anyway. */
static bool quotes_its_author(const struct look *look)
{
    return from_address(look)[0] != '\0' &&
           (is_to_author(look, look->text) || is_to_author(look, look->mail->original));
}

/* Absence notes have no return path either, and may quote our mail's header. */
static bool is_returned(const struct look *look)
{
    if (!is_from_a_system(look) ||
        (!is_from_a_daemon(look) && (is_auto_answer(look) || quotes_its_author(look))))
        return false;
    return has_own_id_line(look, look->text) || has_own_id_line(look, look->mail->original);
}

static bool is_qmail(const struct look *look)
{
    return begins(look->text + strspn(look->text, " \n"), "Hi. This is the qmail-send program at");
}

static bool is_robot(const struct look *look)
{
    for (size_t i = 0; i < COUNT(robots); i++)
        if (is_from(look, robots[i]))
            return true;
    return false;
}

static bool is_noreply_domain(const struct look *look)
{
    const char *domain = mail_address_domain(from_address(look));
    return begins(domain, "noreply.") || begins(domain, "no-reply.") || begins(domain, "bounce.") ||
           begins(domain, "bounces.");
}

static bool has_no_author(const struct look *look)
{
    return look->mail->from.count == 0;
}

static bool is_of_another_sender(const struct look *look)
{
    return look->auth->dmarc == MAIL_AUTH_FAIL;
}

/* ---- the table ---- */

#define FIELD(name_, class_, field_, how_, why_, ...)                                              \
    {                                                                                              \
        .name = name_, .class = class_, .field = field_, .how = how_, .why = why_, .values = {     \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define TEST(name_, class_, test_, why_)                                                           \
    {                                                                                              \
        .name = name_, .class = class_, .test = test_, .why = why_                                 \
    }

static const struct rule rules[] = {
    TEST("own_address", MAIL_CLASS_OWN, is_from_house, "It comes from one of our own mailboxes."),
    TEST("own_id", MAIL_CLASS_OWN, has_own_id, "It is a mail that we sent ourselves."),
    TEST("own_loop", MAIL_CLASS_OWN, has_own_loop, "It is a mail that we sent, and it came back."),
    TEST("feedback_report", MAIL_CLASS_COMPLAINT, is_complaint,
         "A provider reports that its customer called our mail spam."),
    TEST("delivery_status", MAIL_CLASS_BOUNCE, is_status,
         "A mail server reports what became of a mail that we sent."),
    TEST("disposition_notification", MAIL_CLASS_RECEIPT, is_receipt,
         "A mail program reports that our mail was opened or deleted."),
    TEST("report", MAIL_CLASS_ROBOT, is_other_report, "It is a report that a program wrote."),
    FIELD("x_failed_recipients", MAIL_CLASS_BOUNCE, "X-Failed-Recipients", PRESENT,
          "A mail server says that it could not deliver a mail.", NULL),
    TEST("bounce_subject", MAIL_CLASS_BOUNCE, is_bounce_subject,
         "Its subject is that of a mail that could not be delivered."),
    TEST("qmail", MAIL_CLASS_BOUNCE, is_qmail, "qmail says that it could not deliver a mail."),
    TEST("returned", MAIL_CLASS_BOUNCE, is_returned,
         "A mail server returns a mail that we sent, with its Message-ID."),
    TEST("mailer_daemon", MAIL_CLASS_BOUNCE, is_daemon, "A mail server's daemon wrote it."),
    FIELD("auto_replied", MAIL_CLASS_AUTO_REPLY, "Auto-Submitted", IS,
          "Its sender's program says that it answered by itself.", "auto-replied"),
    FIELD("x_autoreply", MAIL_CLASS_AUTO_REPLY, "X-Autoreply", IS_NOT,
          "It is marked as an automatic answer.", "no"),
    FIELD("x_autorespond", MAIL_CLASS_AUTO_REPLY, "X-Autorespond", IS_NOT,
          "It is marked as an automatic answer.", "no"),
    FIELD("x_autoreply_from", MAIL_CLASS_AUTO_REPLY, "X-AutoReply-From", PRESENT,
          "It is marked as an automatic answer.", NULL),
    FIELD("x_mail_autoreply", MAIL_CLASS_AUTO_REPLY, "X-Mail-Autoreply", PRESENT,
          "It is marked as an automatic answer.", NULL),
    FIELD("precedence_auto_reply", MAIL_CLASS_AUTO_REPLY, "Precedence", IS,
          "It is marked as an automatic answer.", "auto_reply", "auto-reply"),
    TEST("auto_subject", MAIL_CLASS_AUTO_REPLY, is_auto_subject,
         "Its subject is that of an automatic answer."),
    FIELD("list_id", MAIL_CLASS_LIST, "List-Id", PRESENT, "It came by a mailing list.", NULL),
    FIELD("list_post", MAIL_CLASS_LIST, "List-Post", PRESENT, "It came by a mailing list.", NULL),
    FIELD("list_help", MAIL_CLASS_LIST, "List-Help", PRESENT, "It came by a mailing list.", NULL),
    FIELD("list_unsubscribe", MAIL_CLASS_LIST, "List-Unsubscribe", PRESENT,
          "It is sent to many: one can unsubscribe from it.", NULL),
    FIELD("mailing_list", MAIL_CLASS_LIST, "Mailing-List", PRESENT, "It came by a mailing list.",
          NULL),
    FIELD("x_mailman_version", MAIL_CLASS_LIST, "X-Mailman-Version", PRESENT,
          "It came by a mailing list.", NULL),
    FIELD("x_beenthere", MAIL_CLASS_LIST, "X-BeenThere", PRESENT, "It came by a mailing list.",
          NULL),
    FIELD("precedence", MAIL_CLASS_LIST, "Precedence", IS, "It is marked as sent to many.", "bulk",
          "list", "junk"),
    FIELD("auto_submitted", MAIL_CLASS_ROBOT, "Auto-Submitted", IS_NOT,
          "Its sender's program says that no person wrote it.", "no"),
    FIELD("x_autogenerated", MAIL_CLASS_ROBOT, "X-Autogenerated", PRESENT,
          "It is marked as written by a program.", NULL),
    FIELD("x_fc_machinegenerated", MAIL_CLASS_ROBOT, "X-FC-MachineGenerated", PRESENT,
          "It is marked as written by a program.", NULL),
    FIELD("x_loop", MAIL_CLASS_ROBOT, "X-Loop", PRESENT, "A program marked it against loops.",
          NULL),
    FIELD("auto_response_suppress", MAIL_CLASS_ROBOT, "X-Auto-Response-Suppress", CONTAINS,
          "Its sender asks that no program answers.", "All", "AutoReply"),
    TEST("robot_address", MAIL_CLASS_ROBOT, is_robot,
         "Its sender's address is that of a program, which reads no answers."),
    TEST("robot_domain", MAIL_CLASS_ROBOT, is_noreply_domain,
         "Its sender's address is that of a program, which reads no answers."),
    TEST("no_return_path", MAIL_CLASS_AUTO_REPLY, has_no_return_path,
         "It was sent so that nothing can come back."),
    TEST("no_author", MAIL_CLASS_ROBOT, has_no_author,
         "It has no sender to whom an answer could go."),
    FIELD("x_spam_flag", MAIL_CLASS_SPAM, "X-Spam-Flag", IS,
          "The mailbox's server takes it for spam.", "yes"),
    FIELD("x_spam_status", MAIL_CLASS_SPAM, "X-Spam-Status", IS,
          "The mailbox's server takes it for spam.", "yes"),
    TEST("dmarc", MAIL_CLASS_SPAM, is_of_another_sender,
         "The mailbox's server says that it does not come from whom it names (DMARC)."),
};

/* ---- judging ---- */

/* True if the word of `length` bytes is one of the rule's values. */
static bool is_one(const struct rule *rule, const char *word, size_t length)
{
    for (size_t i = 0; i < VALUES_MAX && rule->values[i] != NULL; i++)
        if (strlen(rule->values[i]) == length && strncasecmp(word, rule->values[i], length) == 0)
            return true;
    return false;
}

static bool fits_value(const struct rule *rule, const char *value)
{
    size_t first = strcspn(value, " ;,(");
    switch (rule->how) {
    case PRESENT:
        return true;
    case IS:
        return is_one(rule, value, first);
    case IS_NOT:
        return !is_one(rule, value, first);
    case CONTAINS:
        for (size_t length; *value != '\0'; value += length + (value[length] != '\0')) {
            length = strcspn(value, " ;,");
            if (is_one(rule, value, length))
                return true;
        }
    }
    return false;
}

/* A field that stands several times fits if one does: a robot's mark counts. */
static bool fits_field(const struct rule *rule, const struct mail *mail)
{
    for (size_t i = 0; i < mail->header_count; i++)
        if (mail_same_name(mail->headers[i].name, rule->field) &&
            fits_value(rule, mail->headers[i].value))
            return true;
    return false;
}

void mail_classify(const struct mail *mail, const char *text, const struct mail_auth *auth,
                   const struct mail_house *house, struct mail_verdict *out)
{
    const struct look look = {mail, text, auth, house};
    *out = (struct mail_verdict){MAIL_CLASS_PERSON, "", ""};
    for (size_t i = 0; i < COUNT(rules); i++) {
        const struct rule *rule = &rules[i];
        if (rule->field == NULL ? !rule->test(&look) : !fits_field(rule, mail))
            continue;
        *out = (struct mail_verdict){rule->class, rule->name, rule->why};
        return;
    }
}

const char *mail_class_name(enum mail_class class)
{
    static const char *const names[] = {"person",     "own",  "bounce", "complaint", "receipt",
                                        "auto_reply", "list", "robot",  "spam"};
    return names[class];
}
