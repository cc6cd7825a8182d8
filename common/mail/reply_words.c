/* The words of mail programs in the languages that they speak, as data: a row is a program's habit
 * in one language. A new program or language is a row and a case in the test. Called by reply.c.
 * Sources: talon, email_reply_trimmer, quotequail and the programs' own mails. */
#include "mail/reply_inside.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* ---- attributions ---- */

/* A line that begins with `begin` (none: anything, and the line must hold a time of day or an
 * address), holds `verb` behind it, and ends in a colon. `last`: the verb is the last word.
 * `loose`: never strong by itself. */
static const struct {
    const char *begin, *verb;
    bool last;
    const char *rule;
    bool loose;
} attributions[] = {
    {"On ", " wrote", true, "attribution: en, Gmail, Apple Mail, Thunderbird, Yahoo, Proton",
     false},
    {"On ", " writes", true, "attribution: en, Gnus", false},
    {"At ", " wrote", true, "attribution: en, Claws Mail", false},
    {"", " wrote", true, "attribution: en, Roundcube, mutt, KMail", false},
    {"", " writes", true, "attribution: en, Gnus", false},
    {"Am ", " schrieb", false, "attribution: de, Gmail, Apple Mail, Thunderbird", false},
    {"", " schrieb", false, "attribution: de, GMX, Roundcube, KMail", false},
    {"Le ", " a écrit", true, "attribution: fr, Gmail, Apple Mail, Thunderbird, Orange", false},
    {"", " a écrit", true, "attribution: fr, Roundcube", false},
    {"El ", " escribió", true, "attribution: es, Gmail, Apple Mail, Thunderbird", false},
    {"", " escribió", true, "attribution: es, Roundcube", false},
    {"Il ", " ha scritto", true, "attribution: it, Gmail, Apple Mail, Thunderbird, Libero", false},
    {"", " ha scritto", true, "attribution: it, Roundcube", false},
    {"Em ", " escreveu", true, "attribution: pt, Gmail, Thunderbird, UOL", false},
    {"No dia ", " escreveu", true, "attribution: pt, Apple Mail", false},
    {"", " escreveu", true, "attribution: pt, Roundcube", false},
    {"Op ", " schreef", false, "attribution: nl, Gmail, Apple Mail, Thunderbird", false},
    {"", " schreef", false, "attribution: nl, Roundcube", false},
    {"W dniu ", " pisze", true, "attribution: pl, Thunderbird", false},
    {"W dniu ", " napisał", false, "attribution: pl, Outlook, Apple Mail, o2", false},
    {"", " napisał(a)", true, "attribution: pl, Gmail, WP", false},
    {"Den ", " skrev", false, "attribution: sv, da, no, Gmail, Apple Mail, Thunderbird", false},
    {"På ", " skrev", false, "attribution: no, Opera Mail", false},
    {"", " skrev", false, "attribution: sv, da, no, Gmail, Roundcube", false},
    {"", " kirjoitti", true, "attribution: fi, Gmail, Thunderbird", false},
    {"Dne ", " napsal", false, "attribution: cs, Thunderbird, Seznam", false},
    {"", " napsal(a)", true, "attribution: cs, Roundcube", false},
    {"", " napsal", true, "attribution: cs, Gmail", false},
    {"", " ezt írta", false, "attribution: hu, Gmail, Thunderbird", false},
    {"", " a scris", true, "attribution: ro, Gmail, Apple Mail", false},
    {"", " şunu yazdı", true, "attribution: tr, Gmail", false},
    {"", " yazdı", true, "attribution: tr, Thunderbird, Apple Mail", false},
    {"", " έγραψε", true, "attribution: el, Gmail, Thunderbird", false},
    {"", " написал", false, "attribution: ru, Apple Mail, Thunderbird", false},
    {"", " пишет", true, "attribution: ru, Thunderbird, Yandex", false},
    {"", " пише", true, "attribution: uk, Thunderbird, Gmail", false},
    {"", "写道", true, "attribution: zh, Gmail, Apple Mail, Foxmail, NetEase", false},
    {"", "寫道", true, "attribution: zh, Gmail, Apple Mail", false},
    {"", "のメール", true, "attribution: ja, Apple Mail", false},
    {"", "さんは書きました", true, "attribution: ja, Thunderbird", false},
    {"", "님이 작성", true, "attribution: ko, Gmail, Apple Mail", false},
    {"", " כתב", false, "attribution: he, Gmail", false},
    {"", " كتب", false, "attribution: ar, Gmail", false},
    {"", ">", true, "attribution: ru and others, Mail.ru, Yandex", true},
};

/* The length without white space, and without one colon, at the end. */
static size_t without_colon(const char *line, size_t length)
{
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    if (length > 0 && line[length - 1] == ':')
        length--;
    else if (length > 3 && memcmp(line + length - 3, "：", 3) == 0)
        length -= 3;
    for (;;) {
        if (length > 0 && isspace((unsigned char)line[length - 1]))
            length--;
        else if (length > 1 && memcmp(line + length - 2, "\xc2\xa0", 2) == 0)
            length -= 2;
        else
            return length;
    }
}

bool reply_words_can_end_attribution(const char *line, size_t length)
{
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    return (length > 0 && line[length - 1] == ':') ||
           (length > 3 && memcmp(line + length - 3, "：", 3) == 0);
}

/* "10:30" */
static bool tells_time(const char *line)
{
    for (const char *c = line; (c = strpbrk(c, ":h.")) != NULL; c++)
        if (c > line && isdigit((unsigned char)c[-1]) && isdigit((unsigned char)c[1]) &&
            isdigit((unsigned char)c[2]) && !isdigit((unsigned char)c[3]) &&
            (*c != '.' || strstr(line, "kl") != NULL))
            return true;
    return false;
}

/* "2026" */
static bool tells_year(const char *line)
{
    for (size_t digits; *line != '\0'; line += digits + (line[digits] != '\0')) {
        digits = strspn(line, "0123456789");
        if (digits == 4 && (strncmp(line, "19", 2) == 0 || strncmp(line, "20", 2) == 0))
            return true;
    }
    return false;
}

/* Programs tell an author by his name, people by a pronoun. */
static const char *const pronouns[] = {
    "I wrote",       "you wrote",     "we wrote",    "he wrote",       "she wrote",
    "they wrote",    "schrieb ich",   "schrieb er",  "schrieb sie",    "schrieb man",
    "schrieben",     "m'a écrit",     "m’a écrit",   "il a écrit",     "elle a écrit",
    "on a écrit",    "me escribió",   "él escribió", "usted escribió", "ella escribió",
    "mi ha scritto", "ci ha scritto", "me escreveu", "você escreveu",  "schreef ik",
    "schreef u",     "schreef je",    "schreef jij", "schreef hij",    "schreven",
    "napisałem",     "napisałam",     "napisaliśmy", "skrev jag",      "skrev du",
    "skrev ni",      "skrev vi",      "skrev jeg",   "skrev De",       "napsal jsem",
    "napsala jsem",  "napsali",       "я написал",   "я написала",     "вы написали",
    "мы написали",
};

/* The first byte of a letter or a digit: not of the punctuation behind ASCII. */
static bool is_letter(unsigned char byte)
{
    return isalnum(byte) || (byte >= 0xc3 && byte < 0xe2);
}

/* ASCII letters in either case. Of scripts that put no space between words it may be anywhere;
 * else it stands alone. */
static bool holds_word(const char *line, const char *word)
{
    for (const char *at = line; (at = strcasestr(at, word)) != NULL; at++) {
        const char *before = at;
        while (before > line && ((unsigned char)*--before & 0xc0) == 0x80)
            ;
        if ((unsigned char)word[0] >= 0xe3 ||
            ((before == at || !is_letter((unsigned char)*before)) &&
             !is_letter((unsigned char)at[strlen(word)])))
            return true;
    }
    return false;
}

static bool holds_one(const char *line, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (holds_word(line, words[i]))
            return true;
    return false;
}

const char *reply_words_attribution(const char *line, bool *strong, bool *anchored)
{
    size_t end = without_colon(line, strlen(line));
    if (end == strlen(line) || strpbrk(line, "0123456789@") == NULL)
        return NULL;
    const bool address = strchr(line, '@') != NULL, timed = tells_time(line);
    for (size_t i = 0; i < sizeof attributions / sizeof attributions[0]; i++) {
        const char *begin = attributions[i].begin, *verb = attributions[i].verb;
        size_t length = strlen(verb);
        if (strncmp(line, begin, strlen(begin)) != 0 || (begin[0] == '\0' && !address && !timed))
            continue;
        if (attributions[i].last ? end <= length || memcmp(line + end - length, verb, length) != 0
                                 : strstr(line, verb) == NULL)
            continue;
        *strong = (address || (timed && tells_year(line))) && !attributions[i].loose &&
                  !holds_one(line, pronouns, sizeof pronouns / sizeof pronouns[0]);
        *anchored = begin[0] != '\0';
        return attributions[i].rule;
    }
    return NULL;
}

/* ---- answers below ---- */

static const char *const belows[] = {
    /* en */
    "below", "inline", "in-line", "in line", "in between", "between the lines", "in the text",
    "in red", "in blue", "in green", "in bold", "in capitals",
    /* de */
    "unten", "im Text", "dazwischen", "untenstehend", "nachstehend", "nachfolgend", "in Rot",
    "in Blau", "in Grün",
    /* fr, es, it, pt */
    "ci-dessous", "plus bas", "dans le texte", "en rouge", "en bleu", "abajo", "a continuación",
    "en rojo", "en azul", "qui sotto", "di seguito", "in rosso", "in blu", "abaixo", "a seguir",
    "em vermelho", "em azul",
    /* nl, pl, cs, hu, ro, tr */
    "hieronder", "onderstaand", "in het rood", "in de tekst", "poniżej", "na czerwono", "níže",
    "červeně", "alább", "lentebb", "mai jos", "aşağıda",
    /* sv, da, no, fi */
    "nedan", "nedanför", "nedenfor", "herunder", "nedenunder", "alempana", "alapuolella",
    /* el, ru, uk */
    "παρακάτω", "Παρακάτω", "ниже", "Ниже", "нижче", "Нижче",
    /* zh, ja, ko */
    "以下", "下面", "见下", "見下", "如下", "下方", "下記", "下に", "아래"};

bool reply_words_tell_below(const char *line)
{
    return holds_one(line, belows, sizeof belows / sizeof belows[0]);
}

bool reply_words_go_on(const char *line)
{
    static const char *const marks[] = {",", ":", "，", "：", "、"};
    const size_t length = strlen(line);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const size_t mark = strlen(marks[i]);
        if (length > mark && strcmp(line + length - mark, marks[i]) == 0)
            return true;
    }
    return false;
}

/* ---- separators ---- */

static const struct {
    const char *words;
    bool forward;
    const char *rule;
} separators[] = {
    {"Original Message", false, "separator: en, Outlook, Android, Proton"},
    {"Original message", false, "separator: en, Samsung"},
    {"Original Mail", false, "separator: en, SOGo"},
    {"Original appointment", false, "separator: en, Outlook"},
    {"Reply message", false, "separator: en, Android"},
    {"Ursprüngliche Nachricht", false, "separator: de, Outlook"},
    {"Originalnachricht", false, "separator: de, Samsung, T-Online"},
    {"Original-Nachricht", false, "separator: de, GMX"},
    {"Ursprünglicher Termin", false, "separator: de, Outlook"},
    {"Message d'origine", false, "separator: fr, Outlook, Samsung, Orange"},
    {"Message original", false, "separator: fr, Thunderbird"},
    {"Mensaje original", false, "separator: es, Outlook, Samsung"},
    {"Mensaje de origen", false, "separator: es, Outlook"},
    {"Messaggio originale", false, "separator: it, Outlook, Samsung"},
    {"Mensagem original", false, "separator: pt, Outlook, Samsung"},
    {"Oorspronkelijk bericht", false, "separator: nl, Outlook, Samsung"},
    {"Oryginalna wiadomość", false, "separator: pl, Samsung"},
    {"Wiadomość oryginalna", false, "separator: pl, Outlook"},
    {"Ursprungligt meddelande", false, "separator: sv, Outlook"},
    {"Originalmeddelande", false, "separator: sv, Samsung"},
    {"Oprindelig meddelelse", false, "separator: da, Outlook"},
    {"Opprinnelig melding", false, "separator: no, Outlook"},
    {"Alkuperäinen viesti", false, "separator: fi, Outlook, Samsung"},
    {"Původní zpráva", false, "separator: cs, Outlook, Seznam"},
    {"Eredeti üzenet", false, "separator: hu, Outlook"},
    {"Mesaj original", false, "separator: ro, Outlook"},
    {"Orijinal Mesaj", false, "separator: tr, Outlook"},
    {"Исходное сообщение", false, "separator: ru, Outlook, Samsung"},
    {"Пересылаемое сообщение", true, "forward: ru, Mail.ru"},
    {"Пересланное сообщение", true, "forward: ru, Yandex"},
    {"原始邮件", false, "separator: zh, QQ Mail, Outlook"},
    {"原始郵件", false, "separator: zh, Outlook"},
    {"元のメッセージ", false, "separator: ja, Outlook, Samsung"},
    {"원본 메시지", false, "separator: ko, Outlook, Samsung"},
    {"Forwarded message", true, "forward: en, Gmail"},
    {"Forwarded Message", true, "forward: en, Thunderbird, Proton"},
    {"Weitergeleitete Nachricht", true, "forward: de, Thunderbird"},
    {"Message transféré", true, "forward: fr, Thunderbird"},
    {"Mensaje reenviado", true, "forward: es, Thunderbird"},
    {"Messaggio inoltrato", true, "forward: it, Thunderbird"},
    {"Mensagem encaminhada", true, "forward: pt, Thunderbird"},
    {"Doorgestuurd bericht", true, "forward: nl, Thunderbird"},
    {"Przekazana wiadomość", true, "forward: pl, Thunderbird"},
    {"Vidarebefordrat meddelande", true, "forward: sv, Thunderbird"},
    {"转发的邮件", true, "forward: zh, QQ Mail"},
    {"転送メッセージ", true, "forward: ja, Thunderbird"},
};

/* Lines of their own, without dashes. */
static const struct {
    const char *words, *rule;
} forwards[] = {
    {"Begin forwarded message:", "forward: en, Apple Mail"},
    {"Anfang der weitergeleiteten Nachricht:", "forward: de, Apple Mail"},
    {"Début du message réexpédié :", "forward: fr, Apple Mail"},
    {"Début du message transféré :", "forward: fr, Apple Mail"},
    {"Inicio del mensaje reenviado:", "forward: es, Apple Mail"},
    {"Inizio messaggio inoltrato:", "forward: it, Apple Mail"},
    {"Início da mensagem reencaminhada:", "forward: pt, Apple Mail"},
    {"Begin doorgestuurd bericht:", "forward: nl, Apple Mail"},
};

const char *reply_words_separator(const char *line, bool *forward)
{
    size_t dashes = strspn(line, "-_*= ");
    const char *words = line + dashes;
    *forward = true;
    for (size_t i = 0; i < sizeof forwards / sizeof forwards[0]; i++)
        if (strcasecmp(line, forwards[i].words) == 0)
            return forwards[i].rule;
    if (dashes < 2 || (line[0] != '-' && line[0] != '_'))
        return NULL;
    for (size_t i = 0; i < sizeof separators / sizeof separators[0]; i++) {
        size_t length = strlen(separators[i].words);
        if (strncasecmp(words, separators[i].words, length) != 0 ||
            words[length + strspn(words + length, "-_*= :")] != '\0')
            continue;
        *forward = separators[i].forward;
        return separators[i].rule;
    }
    return NULL;
}

/* ---- headers ---- */

static const struct {
    const char *word;
    enum reply_header kind;
} headers[] = {
    /* en */
    {"From", REPLY_FROM},
    {"Sent", REPLY_DATE},
    {"Date", REPLY_DATE},
    {"To", REPLY_TO},
    {"Cc", REPLY_CC},
    {"Bcc", REPLY_CC},
    {"Subject", REPLY_SUBJECT},
    {"Importance", REPLY_OTHER},
    {"Priority", REPLY_OTHER},
    {"Attachments", REPLY_OTHER},
    {"Reply-To", REPLY_OTHER},
    /* de */
    {"Von", REPLY_FROM},
    {"Gesendet", REPLY_DATE},
    {"Datum", REPLY_DATE},
    {"An", REPLY_TO},
    {"Kopie", REPLY_CC},
    {"Betreff", REPLY_SUBJECT},
    {"Wichtigkeit", REPLY_OTHER},
    {"Priorität", REPLY_OTHER},
    {"Anlagen", REPLY_OTHER},
    /* fr */
    {"De", REPLY_FROM},
    {"Envoyé", REPLY_DATE},
    {"Envoyé le", REPLY_DATE},
    {"À", REPLY_TO},
    {"A", REPLY_TO},
    {"Objet", REPLY_SUBJECT},
    /* es */
    {"Enviado", REPLY_DATE},
    {"Enviado el", REPLY_DATE},
    {"Fecha", REPLY_DATE},
    {"Para", REPLY_TO},
    {"Asunto", REPLY_SUBJECT},
    /* it */
    {"Da", REPLY_FROM},
    {"Inviato", REPLY_DATE},
    {"Data", REPLY_DATE},
    {"Oggetto", REPLY_SUBJECT},
    /* pt */
    {"Enviada em", REPLY_DATE},
    {"Enviado em", REPLY_DATE},
    {"Enviada", REPLY_DATE},
    {"Assunto", REPLY_SUBJECT},
    /* nl */
    {"Van", REPLY_FROM},
    {"Verzonden", REPLY_DATE},
    {"Aan", REPLY_TO},
    {"Onderwerp", REPLY_SUBJECT},
    /* pl */
    {"Od", REPLY_FROM},
    {"Wysłano", REPLY_DATE},
    {"Do", REPLY_TO},
    {"DW", REPLY_CC},
    {"Temat", REPLY_SUBJECT},
    /* sv, da, no */
    {"Från", REPLY_FROM},
    {"Fra", REPLY_FROM},
    {"Skickat", REPLY_DATE},
    {"Sendt", REPLY_DATE},
    {"Dato", REPLY_DATE},
    {"Till", REPLY_TO},
    {"Til", REPLY_TO},
    {"Kopia", REPLY_CC},
    {"Kopi", REPLY_CC},
    {"Ämne", REPLY_SUBJECT},
    {"Emne", REPLY_SUBJECT},
    /* fi */
    {"Lähettäjä", REPLY_FROM},
    {"Lähetetty", REPLY_DATE},
    {"Vastaanottaja", REPLY_TO},
    {"Aihe", REPLY_SUBJECT},
    /* cs */
    {"Odesláno", REPLY_DATE},
    {"Komu", REPLY_TO},
    {"Předmět", REPLY_SUBJECT},
    /* hu */
    {"Feladó", REPLY_FROM},
    {"Küldve", REPLY_DATE},
    {"Címzett", REPLY_TO},
    {"Tárgy", REPLY_SUBJECT},
    /* ro */
    {"De la", REPLY_FROM},
    {"Trimis", REPLY_DATE},
    {"Către", REPLY_TO},
    {"Subiect", REPLY_SUBJECT},
    /* tr */
    {"Kimden", REPLY_FROM},
    {"Gönderen", REPLY_FROM},
    {"Gönderildi", REPLY_DATE},
    {"Tarih", REPLY_DATE},
    {"Kime", REPLY_TO},
    {"Konu", REPLY_SUBJECT},
    /* el */
    {"Από", REPLY_FROM},
    {"Στάλθηκε", REPLY_DATE},
    {"Προς", REPLY_TO},
    {"Θέμα", REPLY_SUBJECT},
    /* ru, uk */
    {"От", REPLY_FROM},
    {"От кого", REPLY_FROM},
    {"Отправлено", REPLY_DATE},
    {"Дата", REPLY_DATE},
    {"Кому", REPLY_TO},
    {"Копия", REPLY_CC},
    {"Тема", REPLY_SUBJECT},
    {"Від", REPLY_FROM},
    {"Надіслано", REPLY_DATE},
    /* zh */
    {"发件人", REPLY_FROM},
    {"寄件者", REPLY_FROM},
    {"发送时间", REPLY_DATE},
    {"发送日期", REPLY_DATE},
    {"日期", REPLY_DATE},
    {"寄件日期", REPLY_DATE},
    {"收件人", REPLY_TO},
    {"收件者", REPLY_TO},
    {"抄送", REPLY_CC},
    {"主题", REPLY_SUBJECT},
    {"主旨", REPLY_SUBJECT},
    /* ja */
    {"差出人", REPLY_FROM},
    {"送信者", REPLY_FROM},
    {"送信日時", REPLY_DATE},
    {"日時", REPLY_DATE},
    {"宛先", REPLY_TO},
    {"件名", REPLY_SUBJECT},
    /* ko */
    {"보낸 사람", REPLY_FROM},
    {"보낸 날짜", REPLY_DATE},
    {"날짜", REPLY_DATE},
    {"받는 사람", REPLY_TO},
    {"제목", REPLY_SUBJECT},
};

unsigned reply_words_header(const char *line)
{
    enum { WORD_MAX = 40 };
    char word[WORD_MAX + 1];
    size_t used = 0;
    if (strpbrk(line, ":\xef") == NULL) /* the first byte of "：" */
        return 0;
    line += strspn(line, "* \t"); /* bold, as plain text shows it */
    while (*line != '\0' && *line != ':' && strncmp(line, "：", 3) != 0 && used < WORD_MAX) {
        if (strncmp(line, "\xc2\xa0", 2) == 0) { /* French puts one before the colon */
            word[used++] = ' ';
            line += 2;
        } else {
            word[used++] = *line++;
        }
    }
    if (*line != ':' && strncmp(line, "：", 3) != 0)
        return 0;
    while (used > 0 && strchr("* \t", word[used - 1]) != NULL)
        used--;
    word[used] = '\0';
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (strcasecmp(word, headers[i].word) == 0)
            return headers[i].kind;
    return 0;
}

/* ---- footers ---- */

static const char *const footer_begins[] = {
    /* en */
    "Sent from my ",
    "Sent from Outlook",
    "Sent from Mail for Windows",
    "Sent from Yahoo Mail",
    "Sent from Samsung",
    "Sent from Proton Mail",
    "Sent with Proton Mail",
    "Sent with [Proton Mail]",
    "Get Outlook for ",
    "Get BlueMail for ",
    "Sent with Spark",
    /* de */
    "Gesendet von meinem ",
    "Gesendet von Outlook",
    "Gesendet von Mail ",
    "Gesendet von Yahoo",
    "Gesendet mit der GMX",
    "Gesendet mit der WEB.DE",
    "Von meinem iPhone gesendet",
    "Von meinem iPad gesendet",
    "Von meinem Samsung",
    "Diese Nachricht wurde von meinem Android",
    "Holen Sie sich Outlook",
    /* fr */
    "Envoyé de mon ",
    "Envoyé depuis mon ",
    "Envoyé depuis Outlook",
    "Envoyé depuis l'application ",
    "Envoyé à partir de Outlook",
    "Envoyé à partir d’Outlook",
    "Télécharger Outlook",
    "Obtenir Outlook",
    /* es */
    "Enviado desde mi ",
    "Obtener Outlook",
    /* it */
    "Inviato da iPhone",
    "Inviato da Outlook",
    "Inviato da Posta ",
    "Inviato da Yahoo",
    "Inviato da Libero",
    "Inviato dal mio ",
    "Ottieni Outlook",
    "Scarica Outlook",
    /* pt */
    "Enviado do meu ",
    "Enviado a partir do meu ",
    "Obter o Outlook",
    /* nl */
    "Verstuurd vanaf mijn ",
    "Verzonden vanaf mijn ",
    "Verzonden vanaf Outlook",
    "Outlook voor ",
    "Download Outlook voor ",
    /* pl */
    "Wysłane z iPhone",
    "Wysłane z mojego ",
    "Wysłane z aplikacji ",
    "Wysłano z iPhone",
    "Wysłano z mojego ",
    "Pobierz aplikację Outlook",
    /* sv, da, no, fi */
    "Skickat från min ",
    "Hämta Outlook",
    "Sendt fra min ",
    "Hent Outlook",
    "Lähetetty iPhonesta",
    "Lähetetty Samsung",
    "Lähetetty Outlook",
    /* cs, hu, tr */
    "Odesláno z iPhon",
    "Odesláno z mobil",
    "Odesláno z aplikace ",
    "Elküldve az ",
    "iPhone'umdan gönderildi",
    "iPhone’umdan gönderildi",
    /* ru */
    "Отправлено с iPhone",
    "Отправлено с моего ",
    "Отправлено с мобильн",
    "Отправлено из Outlook",
    "Отправлено из Почты",
    "Отправлено из мобильной ",
    /* zh, ja, ko */
    "发自我的",
    "從我的 iPhone",
    "iPhoneから送信",
    "나의 iPhone에서",
};

bool reply_words_footer(const char *line)
{
    enum { FOOTER_MAX = 120 };
    if (strlen(line) > FOOTER_MAX)
        return false;
    line += strspn(line, "*_[(");
    for (size_t i = 0; i < sizeof footer_begins / sizeof footer_begins[0]; i++)
        if (strncasecmp(line, footer_begins[i], strlen(footer_begins[i])) == 0)
            return true;
    return false;
}
