/* Unit tests of the SMTP sender, by both libraries, against a server that fails at every step: each
 * fault has its class, nothing before the end of a mail is ever unknown, nothing behind it is ever
 * anything else unless the server said so, and what arrives is what was sent, byte by byte. */
#include "unit/common/mail/smtp_rig.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define PLAIN    "smtp://127.0.0.1:PORT?tls=none"
#define STARTTLS "smtp://desk%40clinic.example@localhost:PORT"
#define TLS      "smtps://desk%40clinic.example@localhost:PORT"
#define TOKEN    "?auth=xoauth2"
#define USER     "user:desk@clinic.example:s3cret"
#define QUICK                                                                                      \
    {                                                                                              \
        .command_ms = 2000, .data_ms = 2000, .dot_ms = 2000                                        \
    }

#define ROW(n, r, u, c, s, number, more, text, ...)                                                \
    {                                                                                              \
        .name = n, .rules = r, .url = u, .class = c, .stage = s, .code = number, .enhanced = more, \
        .error = text, __VA_ARGS__                                                                 \
    }

/* name, server's mode and rules | URL | what must come of it; size 0: a short mail */
static const struct row {
    const char *name, *rules, *url;
    enum mail_smtp_class class;
    enum smtp_stage stage;
    int code;
    const char *enhanced, *error;
    size_t mails; /* that the server took */
    size_t size;
    struct mail_smtp_limits limits;
} rows[] = {
    /* ---- the ordinary way */
    ROW("e-plain", "plain", PLAIN, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250, "2.0.0", "", .mails = 1),
    ROW("e-tls", "starttls;" USER, STARTTLS, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250, "2.0.0", "",
        .mails = 1),
    ROW("c-tls", "tls;" USER, TLS, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250, "2.0.0", "", .mails = 1),
    ROW("c-token", "tls;" USER, TLS TOKEN, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250, "2.0.0", "",
        .mails = 1),
    ROW("c-start", "starttls;" USER, STARTTLS TOKEN, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250, "2.0.0", "",
        .mails = 1),
    ROW("e-large", "starttls;" USER, STARTTLS, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250, "2.0.0", "",
        .mails = 1, .size = 600000),
    ROW("c-large", "tls;" USER, TLS, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250, "2.0.0", "", .mails = 1,
        .size = 600000),
    ROW("e-chunk", "starttls;offer:CHUNKING;" USER, STARTTLS, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250,
        "2.0.0", "", .mails = 1, .size = 600000),
    ROW("e-slow", "plain;greet=slow:0.02;mail=slow:0.02;dot=late:0.5", PLAIN, MAIL_SMTP_ACCEPTED,
        SMTP_DOT, 250, "2.0.0", "", .mails = 1),
    ROW("c-slow", "tls;greet=slow:0.02;dot=late:0.5;" USER, TLS, MAIL_SMTP_ACCEPTED, SMTP_DOT, 250,
        "2.0.0", "", .mails = 1),

    /* ---- dropped at every step */
    ROW("e-d-greet", "plain;greet=drop", PLAIN, MAIL_SMTP_DEFERRED, SMTP_CONNECT, 0, "",
        "smtp.dropped"),
    ROW("e-d-ehlo", "plain;ehlo=drop", PLAIN, MAIL_SMTP_DEFERRED, SMTP_HELLO, 0, "",
        "smtp.dropped"),
    ROW("e-d-start", "starttls;starttls=drop;" USER, STARTTLS, MAIL_SMTP_DEFERRED, SMTP_STARTTLS, 0,
        "", "smtp.dropped"),
    ROW("e-d-auth", "starttls;auth=drop;" USER, STARTTLS, MAIL_SMTP_DEFERRED, SMTP_AUTH, 0, "",
        "smtp.dropped"),
    ROW("e-d-mail", "plain;mail=drop", PLAIN, MAIL_SMTP_DEFERRED, SMTP_MAIL, 0, "", "smtp.dropped"),
    ROW("e-d-rcpt", "plain;rcpt=drop", PLAIN, MAIL_SMTP_DEFERRED, SMTP_RCPT, 0, "", "smtp.dropped"),
    ROW("e-d-data", "plain;data=drop", PLAIN, MAIL_SMTP_DEFERRED, SMTP_DATA, 0, "", "smtp.dropped"),
    ROW("e-d-dot", "plain;dot=drop", PLAIN, MAIL_SMTP_UNKNOWN, SMTP_DOT, 0, "", "smtp.unknown",
        .mails = 1),
    ROW("e-t-dot", "starttls;dot=drop;" USER, STARTTLS, MAIL_SMTP_UNKNOWN, SMTP_DOT, 0, "",
        "smtp.unknown", .mails = 1),
    ROW("c-d-greet", "tls;greet=drop;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_CONNECT, 0, "",
        "smtp.dropped"),
    ROW("c-d-ehlo", "tls;ehlo=drop;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_HELLO, 0, "",
        "smtp.dropped"),
    ROW("c-d-auth", "tls;auth=drop;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_AUTH, 0, "",
        "smtp.dropped"),
    ROW("c-d-mail", "tls;mail=drop;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_MAIL, 0, "",
        "smtp.dropped"),
    ROW("c-d-rcpt", "tls;rcpt=drop;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_RCPT, 0, "",
        "smtp.dropped"),
    ROW("c-d-data", "tls;data=drop;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_DATA, 0, "",
        "smtp.dropped"),
    ROW("c-d-dot", "tls;dot=drop;" USER, TLS, MAIL_SMTP_UNKNOWN, SMTP_DOT, 0, "", "smtp.unknown",
        .mails = 1),

    /* ---- silent at every step */
    ROW("e-h-greet", "plain;greet=hang", PLAIN, MAIL_SMTP_DEFERRED, SMTP_CONNECT, 0, "",
        "smtp.timeout", .limits = QUICK),
    ROW("e-h-ehlo", "plain;ehlo=hang", PLAIN, MAIL_SMTP_DEFERRED, SMTP_HELLO, 0, "", "smtp.timeout",
        .limits = QUICK),
    ROW("e-h-start", "starttls;starttls=hang;" USER, STARTTLS, MAIL_SMTP_DEFERRED, SMTP_STARTTLS, 0,
        "", "smtp.timeout", .limits = QUICK),
    ROW("e-h-rcpt", "plain;rcpt=hang", PLAIN, MAIL_SMTP_DEFERRED, SMTP_RCPT, 0, "", "smtp.timeout",
        .limits = QUICK),
    ROW("e-h-data", "plain;data=hang", PLAIN, MAIL_SMTP_DEFERRED, SMTP_DATA, 0, "", "smtp.timeout",
        .limits = QUICK),
    ROW("e-h-dot", "plain;dot=hang", PLAIN, MAIL_SMTP_UNKNOWN, SMTP_DOT, 0, "", "smtp.unknown",
        .mails = 1, .limits = QUICK),
    ROW("c-h-greet", "tls;greet=hang;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_CONNECT, 0, "",
        "smtp.timeout", .limits = {.connect_ms = 4000, .command_ms = 4000}),
    ROW("c-h-rcpt", "tls;rcpt=hang;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_RCPT, 0, "",
        "smtp.timeout", .limits = QUICK),
    ROW("c-h-dot", "tls;dot=hang;" USER, TLS, MAIL_SMTP_UNKNOWN, SMTP_DOT, 0, "", "smtp.unknown",
        .mails = 1, .limits = QUICK),

    /* ---- a drip that keeps each reply within its limit is over when the whole time is */
    ROW("e-drip", "plain;ehlo=slow:0.5", PLAIN, MAIL_SMTP_DEFERRED, SMTP_HELLO, 0, "",
        "smtp.timeout", .limits = {.command_ms = 6000, .begin_ms = 8000}),
    ROW("c-drip", "tls;ehlo=slow:0.5;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_HELLO, 0, "",
        "smtp.timeout", .limits = {.command_ms = 6000, .begin_ms = 8000}),

    /* ---- TLS */
    ROW("e-strip", "starttls;strip;" USER, STARTTLS, MAIL_SMTP_DEFERRED, SMTP_HELLO, 0, "",
        "smtp.no_starttls"),
    ROW("c-strip", "starttls;strip;" USER, STARTTLS TOKEN, MAIL_SMTP_DEFERRED, SMTP_HELLO, 0, "",
        "smtp.no_starttls"),
    ROW("e-wrong", "starttls;wrongcert;" USER, STARTTLS, MAIL_SMTP_DEFERRED, SMTP_STARTTLS, 0, "",
        "smtp.certificate"),
    ROW("c-wrong", "tls;wrongcert;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_CONNECT, 0, "",
        "smtp.certificate"),
    ROW("e-old", "starttls;expired;" USER, STARTTLS, MAIL_SMTP_DEFERRED, SMTP_STARTTLS, 0, "",
        "smtp.certificate"),
    ROW("c-old", "tls;expired;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_CONNECT, 0, "",
        "smtp.certificate"),
    ROW("e-inject", "starttls;inject;" USER, STARTTLS, MAIL_SMTP_DEFERRED, SMTP_STARTTLS, 0, "",
        "smtp.injected", .limits = QUICK),

    /* ---- what the server says */
    ROW("e-554", "plain;greet=554 5.7.1 not from there", PLAIN, MAIL_SMTP_DEFERRED, SMTP_GREETING,
        554, "5.7.1", ""),
    ROW("e-421", "plain;ehlo=421 4.3.2 closing", PLAIN, MAIL_SMTP_DEFERRED, SMTP_HELLO, 421,
        "4.3.2", ""),
    ROW("e-535", "starttls;user:desk@clinic.example:other", STARTTLS, MAIL_SMTP_DEFERRED, SMTP_AUTH,
        535, "5.7.8", ""),
    ROW("c-535", "tls;user:desk@clinic.example:other", TLS, MAIL_SMTP_DEFERRED, SMTP_AUTH, 535,
        "5.7.8", ""),
    ROW("c-tok535", "tls;user:desk@clinic.example:other", TLS TOKEN, MAIL_SMTP_DEFERRED, SMTP_AUTH,
        0, "", "smtp.denied"),
    ROW("e-noauth", "starttls", STARTTLS, MAIL_SMTP_DEFERRED, SMTP_DATA, 0, "", "smtp.no_auth"),
    ROW("e-mail", "plain;mail=553 5.7.1 not yours", PLAIN, MAIL_SMTP_DEFERRED, SMTP_MAIL, 553,
        "5.7.1", ""),
    ROW("e-550", "plain;rcpt=550 5.1.1 nobody of that name", PLAIN, MAIL_SMTP_REFUSED, SMTP_RCPT,
        550, "5.1.1", ""),
    ROW("c-550", "tls;rcpt=550 5.1.1 nobody of that name;" USER, TLS, MAIL_SMTP_REFUSED, SMTP_RCPT,
        550, "5.1.1", ""),
    ROW("e-grey", "plain;rcpt=450 4.2.0 greylisted", PLAIN, MAIL_SMTP_DEFERRED, SMTP_RCPT, 450,
        "4.2.0", ""),
    ROW("c-grey", "tls;rcpt=451 4.7.1 greylisted;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_RCPT, 451,
        "4.7.1", ""),
    ROW("e-data", "plain;data=451 4.3.0 not now", PLAIN, MAIL_SMTP_DEFERRED, SMTP_DATA, 451,
        "4.3.0", ""),
    ROW("e-spam", "plain;dot=554 5.7.1 spam", PLAIN, MAIL_SMTP_REFUSED, SMTP_DOT, 554, "5.7.1", ""),
    ROW("c-spam", "tls;dot=554 5.7.1 spam;" USER, TLS, MAIL_SMTP_REFUSED, SMTP_DOT, 554, "5.7.1",
        ""),
    ROW("e-451", "plain;dot=451 4.7.1 later", PLAIN, MAIL_SMTP_DEFERRED, SMTP_DOT, 451, "4.7.1",
        ""),
    ROW("c-451", "tls;dot=451 4.7.1 later;" USER, TLS, MAIL_SMTP_DEFERRED, SMTP_DOT, 451, "4.7.1",
        ""),
    ROW("e-junk", "plain;mail=what do you mean", PLAIN, MAIL_SMTP_DEFERRED, SMTP_MAIL, 0, "",
        "smtp.protocol"),

    /* ---- size */
    ROW("e-size", "plain;size:100", PLAIN, MAIL_SMTP_REFUSED, SMTP_MAIL, 552, "5.3.4", ""),
    ROW("c-size", "tls;size:100;" USER, TLS, MAIL_SMTP_REFUSED, SMTP_MAIL, 552, "5.3.4", ""),
    ROW("e-said", "plain;size:100;mail=250 ok", PLAIN, MAIL_SMTP_REFUSED, SMTP_DATA, 0, "",
        "smtp.size"),
    ROW("c-said", "tls;size:100;mail=250 ok;" USER, TLS, MAIL_SMTP_REFUSED, SMTP_DATA, 0, "",
        "smtp.size"),
    ROW("e-552", "plain;dot=552 5.3.4 too large", PLAIN, MAIL_SMTP_REFUSED, SMTP_DOT, 552, "5.3.4",
        ""),
};
#define ROWS (sizeof rows / sizeof *rows)

static const char *const others[] = {
    "two=plain;rcpt2=550 5.1.1 nobody",
    "c-two=tls;rcpt2=550 5.1.1 nobody;" USER,
    "gate=plain",
    "c-gate=tls;" USER,
    "reuse=tls;" USER,
    "closing=tls;close;" USER,
    "parting=tls;bye;" USER,
    "body=plain;body=drop",
    "h-body=plain;body=hang",
    "alike=starttls;" USER,
    "stranger=starttls;" USER,
    "shut=starttls;close;" USER,
    "nobody=starttls;rcpt*1=550 5.1.1 nobody;" USER,
    "many=plain",
    "c-many=tls;" USER,
    "hang=plain;ehlo=hang",
    "even=plain",
    "c-even=tls;" USER,
};
#define OTHERS (sizeof others / sizeof *others)

static void compare(const struct row *row, const struct outcome *o)
{
    bool good = o->done && o->class == row->class && o->stage == row->stage &&
                o->reply.code == row->code && strcmp(o->reply.enhanced, row->enhanced) == 0 &&
                strcmp(o->error, row->error) == 0 && rig_mails(row->name) == row->mails;
    CU_ASSERT_TRUE(good);
    if (!good)
        fprintf(stderr, "%s: %d at %s, %d %s %s %s, %zu mails\n", row->name, (int)o->class,
                smtp_stage_name(o->stage), o->reply.code, o->reply.enhanced, o->reply.text,
                o->error, rig_mails(row->name));
    CU_ASSERT_PTR_NULL(strstr(o->reply.text, "s3cret"));
    CU_ASSERT_EQUAL(o->class == MAIL_SMTP_ACCEPTED, o->judgement.meaning == NULL);
}

/* Those with limits by themselves: a server that is busy with others would answer too late. */
static void send_rows(bool limited)
{
    static struct outcome outcomes[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        if ((rows[i].limits.command_ms > 0) == limited)
            rig_send(&(struct sending){.url = rows[i].url,
                                       .scenario = rows[i].name,
                                       .size = rows[i].size,
                                       .limits = rows[i].limits},
                     "s3cret", &outcomes[i]);
    loop_run(loop);
    for (size_t i = 0; i < ROWS; i++)
        if ((rows[i].limits.command_ms > 0) == limited)
            compare(&rows[i], &outcomes[i]);
}

static void test_rows(void)
{
    send_rows(false);
}

static void test_limits(void)
{
    send_rows(true);
}

/* The mail's own bytes, whoever sent them; envelope, user and TLS as the server saw them. */
static void test_bytes(void)
{
    static const struct {
        const char *name;
        size_t size;
        const char *seen[5];
    } cases[] = {
        {"e-plain",
         0,
         {"\"login\": null", "NOTIFY=FAILURE,DELAY", "RET=HDRS",
          "ENVID=0193a7f0-0000-7000-8000-000000000001", "\"hello\": \"desk.example\""}},
        {"e-tls", 0, {"[\"PLAIN\", \"desk@clinic.example\"]", "\"sni\": \"localhost\"", "TLSv1.2"}},
        {"e-large", 600000, {NULL}},
        {"e-chunk", 600000, {NULL}},
        {"c-tls",
         0,
         {"[\"PLAIN\", \"desk@clinic.example\"]", "\"sni\": \"localhost\"", "TLSv1.3",
          "\"hello\": \"desk.example\"", "SIZE="}},
        {"c-token", 0, {"[\"XOAUTH2\", \"desk@clinic.example\"]"}},
        {"c-start", 0, {"[\"XOAUTH2\", \"desk@clinic.example\"]", "TLSv1.3"}},
        {"c-large", 600000, {NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length, noted, size = rig_message(cases[i].size);
        char *mail = rig_file(cases[i].name, 1, "eml", &length);
        char *note = rig_file(cases[i].name, 1, "json", &noted);
        CU_ASSERT_EQUAL(length, size);
        CU_ASSERT(length == size && memcmp(mail, message, size) == 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(note, "\"from\": \"desk@clinic.example\""));
        CU_ASSERT_PTR_NOT_NULL(strstr(note, "\"to\": [\"first@customer.example\"]"));
        for (size_t k = 0; k < 5 && cases[i].seen[k] != NULL; k++) {
            bool seen = strstr(note, cases[i].seen[k]) != NULL;
            if (!seen && strcmp(cases[i].seen[k], "SIZE=") == 0)
                continue; /* only where the server offers SIZE */
            CU_ASSERT_TRUE(seen);
            if (!seen)
                fprintf(stderr, "%s: no %s in %s\n", cases[i].name, cases[i].seen[k], note);
        }
        free(mail);
        free(note);
    }
}

static void test_one_of_two(void)
{
    struct outcome esmtp, curl;
    rig_send(&(struct sending){.url = PLAIN, .scenario = "two", .recipients = 2}, "", &esmtp);
    rig_send(&(struct sending){.url = TLS, .scenario = "c-two", .recipients = 2}, "s3cret", &curl);
    loop_run(loop);
    for (int i = 0; i < 2; i++) {
        const struct outcome *o = i == 0 ? &esmtp : &curl;
        CU_ASSERT_EQUAL(o->class, MAIL_SMTP_ACCEPTED);
        CU_ASSERT_EQUAL(o->classes[0], MAIL_SMTP_ACCEPTED);
        CU_ASSERT_EQUAL(o->classes[1], MAIL_SMTP_REFUSED);
        CU_ASSERT_EQUAL(rig_mails(i == 0 ? "two" : "c-two"), 1);
    }
}

/* curl asks for no end of a mail whose every byte it has sent. */
static void test_dotless(void)
{
    struct outcome esmtp, curl;
    rig_send(&(struct sending){.url = PLAIN, .scenario = "even", .dotless = true}, "", &esmtp);
    rig_send(&(struct sending){.url = TLS, .scenario = "c-even", .dotless = true}, "s3cret", &curl);
    loop_run(loop);
    CU_ASSERT_EQUAL(esmtp.class, MAIL_SMTP_ACCEPTED);
    CU_ASSERT_EQUAL(curl.class, MAIL_SMTP_ACCEPTED);
    CU_ASSERT_EQUAL(rig_mails("even") + rig_mails("c-even"), 2);
}

/* What may not leave does not, and the server has not got a mail without a body for it. */
static void test_gate(void)
{
    struct outcome esmtp, curl;
    rig_send(&(struct sending){.url = PLAIN, .scenario = "gate"}, "", &esmtp);
    rig_send(&(struct sending){.url = TLS, .scenario = "c-gate"}, "s3cret", &curl);
    esmtp.gate = curl.gate = false;
    loop_run(loop);
    for (int i = 0; i < 2; i++) {
        const struct outcome *o = i == 0 ? &esmtp : &curl;
        CU_ASSERT_EQUAL(o->class, MAIL_SMTP_DEFERRED);
        CU_ASSERT_STRING_EQUAL(o->error, "smtp.gate");
        CU_ASSERT_TRUE(o->gate_asked);
        CU_ASSERT_FALSE(o->began);
        CU_ASSERT_EQUAL(rig_mails(i == 0 ? "gate" : "c-gate"), 0);
    }
}

/* In the middle of the mail nothing has been taken, however much of it has left. */
static void test_body(void)
{
    struct outcome dropped, hung;
    rig_send(&(struct sending){.url = PLAIN, .scenario = "body", .size = 900000}, "", &dropped);
    rig_send(
        &(struct sending){
            .url = PLAIN, .scenario = "h-body", .size = MESSAGE_BYTES - 1000, .limits = QUICK},
        "", &hung);
    loop_run(loop);
    CU_ASSERT_EQUAL(rig_mails("body") + rig_mails("h-body"), 0);
    CU_ASSERT_TRUE(dropped.began);
    /* what still fits into the socket's buffers may hold the end: then nobody knows */
    CU_ASSERT(dropped.class == MAIL_SMTP_DEFERRED || dropped.class == MAIL_SMTP_UNKNOWN);
    CU_ASSERT(hung.class == MAIL_SMTP_DEFERRED || hung.class == MAIL_SMTP_UNKNOWN);
}

static int connection_of(const char *name, int number)
{
    size_t length;
    char *note = rig_file(name, number, "json", &length);
    const char *at = strstr(note, "\"connection\": ");
    int connection = at != NULL ? (int)strtol(at + 14, NULL, 10) : -1;
    free(note);
    return connection;
}

/* curl keeps the connection; one that the server closed meanwhile costs no mail, nor does a 421
 * behind the last mail's yes, which is no answer to the next one. */
static void test_reuse(void)
{
    struct outcome outcome;
    struct mail_smtp *all = sender;
    struct err err;
    struct mail_smtp_options options = {.loop = loop, .threads = 1, .ca_file = ca_file};
    CU_ASSERT_EQUAL_FATAL(mail_smtp_new(&options, &sender, &err), 0);
    for (int i = 0; i < 3; i++) {
        rig_send(&(struct sending){.url = TLS, .scenario = "reuse"}, "s3cret", &outcome);
        loop_run(loop);
        CU_ASSERT_EQUAL(outcome.class, MAIL_SMTP_ACCEPTED);
        rig_send(&(struct sending){.url = TLS, .scenario = "closing"}, "s3cret", &outcome);
        loop_run(loop);
        CU_ASSERT_EQUAL(outcome.class, MAIL_SMTP_ACCEPTED);
        rig_send(&(struct sending){.url = TLS, .scenario = "parting"}, "s3cret", &outcome);
        loop_run(loop);
        CU_ASSERT_EQUAL(outcome.class, MAIL_SMTP_ACCEPTED);
        CU_ASSERT_EQUAL(outcome.reply.code, 250);
    }
    mail_smtp_free(&sender);
    sender = all;
    CU_ASSERT_EQUAL(connection_of("reuse", 1), connection_of("reuse", 3));
    CU_ASSERT_NOT_EQUAL(connection_of("closing", 1), connection_of("closing", 2));
    CU_ASSERT_EQUAL(rig_mails("closing"), 3);
    CU_ASSERT_NOT_EQUAL(connection_of("parting", 1), connection_of("parting", 2));
    CU_ASSERT_EQUAL(rig_mails("parting"), 3);
}

/* libesmtp's connection ends with its last mail: those that wait in line for the same account and
 * know the same secret go over it, each with an outcome of its own, and what closes behind a mail
 * costs none. */
static void test_line(void)
{
    static const char *const scenarios[] = {"alike", "alike", "alike",  "stranger", "alike", "shut",
                                            "shut",  "shut",  "nobody", "nobody",   "nobody"};
    enum { MAILS = sizeof scenarios / sizeof *scenarios };
    static struct outcome outcomes[MAILS];
    struct mail_smtp *all = sender;
    struct err err;
    struct mail_smtp_options options = {.loop = loop, .threads = 1, .ca_file = ca_file};
    CU_ASSERT_EQUAL_FATAL(mail_smtp_new(&options, &sender, &err), 0);
    for (size_t i = 0; i < MAILS; i++)
        rig_send(&(struct sending){.url = STARTTLS, .scenario = scenarios[i]}, "s3cret",
                 &outcomes[i]);
    loop_run(loop);
    mail_smtp_free(&sender);
    sender = all;
    for (size_t i = 0; i < MAILS; i++)
        CU_ASSERT_EQUAL(outcomes[i].class, i == 8 ? MAIL_SMTP_REFUSED : MAIL_SMTP_ACCEPTED);
    CU_ASSERT_EQUAL(rig_mails("nobody"), 2);
    CU_ASSERT_EQUAL(connection_of("alike", 1), connection_of("alike", 3));
    CU_ASSERT_NOT_EQUAL(connection_of("alike", 3), connection_of("alike", 4)); /* another between */
    CU_ASSERT_EQUAL(rig_mails("alike"), 4);
    CU_ASSERT_EQUAL(rig_mails("stranger"), 1);
    CU_ASSERT_EQUAL(rig_mails("shut"), 3);
}

/* Another secret is another login, whoever knew the right one before. */
static void test_line_of_strangers(void)
{
    struct outcome first, second;
    struct mail_smtp *all = sender;
    struct err err;
    struct mail_smtp_options options = {.loop = loop, .threads = 1, .ca_file = ca_file};
    CU_ASSERT_EQUAL_FATAL(mail_smtp_new(&options, &sender, &err), 0);
    rig_send(&(struct sending){.url = STARTTLS, .scenario = "alike"}, "s3cret", &first);
    rig_send(&(struct sending){.url = STARTTLS, .scenario = "alike"}, "wrong", &second);
    loop_run(loop);
    mail_smtp_free(&sender);
    sender = all;
    CU_ASSERT_EQUAL(first.class, MAIL_SMTP_ACCEPTED);
    CU_ASSERT_EQUAL(second.class, MAIL_SMTP_DEFERRED);
    CU_ASSERT_EQUAL(second.stage, SMTP_AUTH);
}

static void test_many(void)
{
    enum { MANY = 60 };
    static struct outcome outcomes[MANY];
    for (int i = 0; i < MANY; i++)
        rig_send(i % 2 == 0 ? &(struct sending){.url = PLAIN, .scenario = "many", .size = 5000}
                            : &(struct sending){.url = TLS, .scenario = "c-many", .size = 5000},
                 "s3cret", &outcomes[i]);
    loop_run(loop);
    for (int i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(outcomes[i].class, MAIL_SMTP_ACCEPTED);
    CU_ASSERT_EQUAL(rig_mails("many") + rig_mails("c-many"), MANY);
}

/* A port where nobody listens, and one that takes no connection: a full backlog. */
static void test_unreachable(void)
{
    struct outcome closed, deaf;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fill[4];
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, size), 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    int port = ntohs(address.sin_port);
    rig_send(&(struct sending){.url = PLAIN, .port = port}, "", &closed);
    loop_run(loop);
    CU_ASSERT_EQUAL(closed.class, MAIL_SMTP_DEFERRED);
    CU_ASSERT_EQUAL(closed.stage, SMTP_CONNECT);
    CU_ASSERT_STRING_EQUAL(closed.error, "smtp.connect");
    listen(listener, 0);
    for (size_t i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(fill[i], (struct sockaddr *)&address, size) == 0)
            continue;
    }
    int64_t before_ms = clock_mono_ms();
    rig_send(&(struct sending){.url = PLAIN, .port = port, .limits = {.connect_ms = 500}}, "",
             &deaf);
    loop_run(loop);
    CU_ASSERT_EQUAL(deaf.class, MAIL_SMTP_DEFERRED);
    CU_ASSERT_EQUAL(deaf.stage, SMTP_CONNECT);
    CU_ASSERT_STRING_EQUAL(deaf.error, "smtp.timeout");
    CU_ASSERT(clock_mono_ms() - before_ms < 30000);
    for (size_t i = 0; i < 4; i++)
        close(fill[i]);
    close(listener); /* the thread's connect ends by it */
}

static void end_loop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

/* Cancelled ones make no sound, however far they are; a sender that goes takes all back. */
static void test_cancel(void)
{
    static struct outcome outcomes[20];
    struct mail_smtp *all = sender;
    struct err err;
    struct mail_smtp_options options = {.loop = loop, .threads = 2, .ca_file = ca_file};
    struct timer *timer = timer_new(loop, end_loop, NULL);
    CU_ASSERT_EQUAL_FATAL(mail_smtp_new(&options, &sender, &err), 0);
    for (size_t i = 0; i < 20; i++) {
        struct mail_smtp_transfer *transfer = rig_send(
            &(struct sending){.url = PLAIN, .scenario = "hang", .limits = QUICK}, "", &outcomes[i]);
        if (i % 2 == 0)
            mail_smtp_cancel(sender, transfer);
    }
    timer_start(timer, 300, 0);
    loop_run(loop);
    mail_smtp_free(&sender);
    timer_free(&timer);
    waiting = 0;
    sender = all;
    for (size_t i = 0; i < 20; i++)
        CU_ASSERT_FALSE(outcomes[i].done);
}

/* What is no mail is told from the loop, not from inside the call. */
static void test_no_mail(void)
{
    struct outcome outcome = {.gate = true};
    struct mail_smtp_account account;
    struct err err;
    static const char *const to[] = {"a@b.example>\r\nRCPT TO:<c@d.example"};
    CU_ASSERT_EQUAL(mail_smtp_account_parse("smtp://localhost:1?tls=none", &account, &err), 0);
    size_t length = rig_message(0);
    struct mail_smtp_call call = {.account = &account,
                                  .from = "desk@clinic.example",
                                  .to = to,
                                  .to_count = 1,
                                  .message = message,
                                  .length = length,
                                  .on_done = on_done,
                                  .arg = &outcome};
    waiting++;
    mail_smtp_start(sender, &call);
    CU_ASSERT_FALSE(outcome.done);
    loop_run(loop);
    CU_ASSERT_EQUAL(outcome.class, MAIL_SMTP_REFUSED);
    CU_ASSERT_STRING_EQUAL(outcome.error, "smtp.message");
    struct mail_smtp *none = NULL;
    struct mail_smtp_options options = {.loop = loop, .threads = 1, .ca_file = "/nowhere.pem"};
    CU_ASSERT_EQUAL(mail_smtp_new(&options, &none, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "crypto.trust");
}

int main(void)
{
    static char specs[ROWS][200];
    const char *scenarios[ROWS + OTHERS];
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(specs[i], sizeof specs[i], "%s=%s", rows[i].name, rows[i].rules);
        scenarios[i] = specs[i];
    }
    for (size_t i = 0; i < OTHERS; i++)
        scenarios[ROWS + i] = others[i];
    rig_start(scenarios, ROWS + OTHERS);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("smtp", NULL, NULL);
    CU_add_test(suite, "every fault has its class", test_rows);
    CU_add_test(suite, "limits", test_limits);
    CU_add_test(suite, "what arrives", test_bytes);
    CU_add_test(suite, "one of two recipients", test_one_of_two);
    CU_add_test(suite, "nothing to stuff", test_dotless);
    CU_add_test(suite, "the gate", test_gate);
    CU_add_test(suite, "in the middle of the mail", test_body);
    CU_add_test(suite, "connections are kept", test_reuse);
    CU_add_test(suite, "in line", test_line);
    CU_add_test(suite, "in line with another secret", test_line_of_strangers);
    CU_add_test(suite, "many at once", test_many);
    CU_add_test(suite, "unreachable", test_unreachable);
    CU_add_test(suite, "cancel", test_cancel);
    CU_add_test(suite, "no mail", test_no_mail);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    rig_stop();
    return failures > 0;
}
