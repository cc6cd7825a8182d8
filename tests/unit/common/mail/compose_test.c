/* Unit tests of outgoing mail: what is written is read back by our own reader as it was meant, is
 * ASCII in short lines, and nothing in a draft can begin a header or a part. */
#include "mail/compose.h"

#include "mail/encode.h"
#include "mail/reply.h"
#include "mail/subject.h"
#include "unit/common/mail/mail_files.h"

static const struct mail_address customer = {"A customer", "customer@example.com"};
static const char *const chain[] = {"d0@clinic.example", "m0@example.com"};

static struct mail_draft good(void)
{
    return (struct mail_draft){
        .from = {"Reception, the gate", "desk@clinic.example"},
        .reply_to = "desk+token@clinic.example",
        .to = {&customer, 1},
        .message_id = "d1@clinic.example",
        .in_reply_to = "m1@example.com",
        .references = chain,
        .reference_count = 2,
        .subject = "Re: Wann öffnen Sie?",
        .date_ms = INT64_C(1793610900123),
        .author = MAIL_AUTHOR_ANSWER,
        .text = "Guten Tag,\n\nwir öffnen um 9 Uhr: https://clinic.example/a?b=1&c=2.\n"
                ".hidden\nFrom here <b>on</b>\n\n  indented   \n\n-- \nEmpfang",
        .quote_intro = "Am 2. November 2026 um 10:15 schrieb customer@example.com:",
        .quote = "Hallo,\r> alt\r\nwann öffnen Sie?",
        .language = "de",
    };
}

/* Composes and checks the form: ASCII, CRLF, short lines, none that begins with a dot. */
static const char *compose(struct arena *arena, const struct mail_draft *draft)
{
    struct strbuf out;
    struct err err;
    strbuf_init(&out, 2 * MAIL_COMPOSE_MAX);
    CU_ASSERT_EQUAL_FATAL(mail_compose(draft, &out, &err), 0);
    CU_ASSERT_EQUAL(strlen(out.data), out.length);
    for (const char *line = out.data; *line != '\0';) {
        size_t length = strcspn(line, "\r\n");
        CU_ASSERT(length <= 998);
        CU_ASSERT(line[0] != '.');
        CU_ASSERT(strncmp(line, "From ", 5) != 0);
        for (size_t i = 0; i < length; i++)
            CU_ASSERT((line[i] >= ' ' && line[i] < 0x7f) || line[i] == '\t');
        CU_ASSERT_EQUAL_FATAL(strncmp(line + length, "\r\n", 2), 0);
        line += length + 2;
    }
    const char *result = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return result;
}

static void read_back(struct arena *arena, const char *bytes, struct mail *mail)
{
    mail_read(arena, bytes, strlen(bytes), NULL, mail);
}

static void test_round(void)
{
    struct arena *arena = arena_new();
    struct mail_draft draft = good();
    const char *bytes = compose(arena, &draft);
    struct mail mail;
    struct mail_text text;
    struct mail_reply reply;
    CU_ASSERT_STRING_EQUAL(bytes, compose(arena, &draft)); /* a second try is the same mail */
    read_back(arena, bytes, &mail);
    CU_ASSERT_STRING_EQUAL(mail.from.items[0].name, draft.from.name);
    CU_ASSERT_STRING_EQUAL(mail.from.items[0].address, draft.from.address);
    CU_ASSERT_STRING_EQUAL(mail.reply_to.items[0].address, draft.reply_to);
    CU_ASSERT_STRING_EQUAL(mail.to.items[0].address, customer.address);
    CU_ASSERT_STRING_EQUAL(mail.message_id, draft.message_id);
    CU_ASSERT_STRING_EQUAL(mail.in_reply_to.items[0], draft.in_reply_to);
    CU_ASSERT_EQUAL_FATAL(mail.references.count, 3);
    CU_ASSERT_STRING_EQUAL(mail.references.items[0], chain[0]);
    CU_ASSERT_STRING_EQUAL(mail.references.items[2], draft.in_reply_to);
    CU_ASSERT_STRING_EQUAL(mail.subject, draft.subject);
    CU_ASSERT_EQUAL(mail.date_ms, INT64_C(1793610900000));
    CU_ASSERT_STRING_EQUAL(mail_header(&mail, "Auto-Submitted"), "auto-replied");
    CU_ASSERT_STRING_EQUAL(mail_header(&mail, "X-Auto-Response-Suppress"), "All");
    CU_ASSERT_STRING_EQUAL(mail_header(&mail, "X-Loop"), draft.from.address);
    CU_ASSERT_EQUAL_FATAL(mail.section_count, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mail.sections[0].plain);
    CU_ASSERT(strstr(mail.sections[0].plain, draft.text) == mail.sections[0].plain);
    CU_ASSERT_PTR_NOT_NULL(strstr(mail.sections[0].plain, "10:15 schrieb customer@example.com:\n"
                                                          "> Hallo,\n>> alt\n> wann"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(mail.sections[0].html);
    CU_ASSERT_PTR_NOT_NULL(strstr(mail.sections[0].html,
                                  "<a href=\"https://clinic.example/a?b=1&amp;c=2\">"
                                  "https://clinic.example/a?b=1&amp;c=2</a>."));
    CU_ASSERT_PTR_NOT_NULL(strstr(mail.sections[0].html, "&lt;b&gt;on&lt;/b&gt;"));
    mail.sections = &(struct mail_section){.html = mail.sections[0].html,
                                           .html_length = mail.sections[0].html_length};
    mail_body_read(arena, &mail, &text);
    mail_reply_read(arena, &text, mail.subject, &reply);
    CU_ASSERT_PTR_NOT_NULL(strstr(reply.text, "wir öffnen um 9 Uhr"));
    CU_ASSERT_PTR_NULL(strstr(reply.text, "wann"));
    arena_free(&arena);
}

static void test_authors(void)
{
    struct arena *arena = arena_new();
    struct mail_draft draft = good();
    struct mail mail;
    draft.author = MAIL_AUTHOR_PERSON;
    draft.in_reply_to = NULL;
    draft.quote = NULL;
    read_back(arena, compose(arena, &draft), &mail);
    CU_ASSERT_PTR_NULL(mail_header(&mail, "Auto-Submitted"));
    CU_ASSERT_PTR_NULL(mail_header(&mail, "References"));
    CU_ASSERT_PTR_NULL(mail_header(&mail, "In-Reply-To"));
    draft.author = MAIL_AUTHOR_NOTICE;
    read_back(arena, compose(arena, &draft), &mail);
    CU_ASSERT_STRING_EQUAL(mail_header(&mail, "Auto-Submitted"), "auto-generated");
    arena_free(&arena);
}

/* Every text of a draft carries what could end a header or a part. */
static void test_injection(void)
{
    static const char *const evil[] = {
        "x\r\nBcc: victim@example.com",
        "x\nBcc: victim@example.com\n\nbody",
        "x\rBcc: victim@example.com",
        "x\xe2\x80\xa8"
        "Bcc: victim@example.com",
        "x\xc2\x85"
        "Bcc: victim@example.com",
        "x\" <victim@example.com>, \"y",
        "=?utf-8?Q?x=0D=0ABcc:_victim@example.com?=",
        "x\\",
        "\x1b[31m",
        "x\xff\xfe",
    };
    for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        struct arena *arena = arena_new();
        struct mail_draft draft = good();
        struct mail mail;
        const struct mail_address to = {evil[i], customer.address};
        const char *const ids[] = {evil[i], "x y@z", "<a@b>", "ok@example.com"};
        draft.from.name = evil[i];
        draft.to.items = &to;
        draft.subject = evil[i];
        draft.references = ids;
        draft.reference_count = 4;
        draft.language = evil[i];
        if (text_is_utf8(evil[i], strlen(evil[i])))
            draft.text = draft.quote = draft.quote_intro = evil[i];
        const char *bytes = compose(arena, &draft);
        read_back(arena, bytes, &mail);
        CU_ASSERT_PTR_NULL(mail_header(&mail, "Bcc"));
        CU_ASSERT_EQUAL(mail.from.count, 1);
        CU_ASSERT_EQUAL(mail.to.count, 1);
        CU_ASSERT_STRING_EQUAL(mail.to.items[0].address, customer.address);
        CU_ASSERT_EQUAL(mail.references.count, 2);
        CU_ASSERT_EQUAL(mail.section_count, 1);
        CU_ASSERT_EQUAL(mail.part_count, 0);
        draft.in_reply_to = evil[i];
        read_back(arena, compose(arena, &draft), &mail);
        CU_ASSERT_PTR_NULL(mail_header(&mail, "Bcc"));
        CU_ASSERT_PTR_NULL(mail_header(&mail, "In-Reply-To"));
        arena_free(&arena);
    }
}

static void check_refused(const struct mail_draft *draft, const char *code)
{
    struct strbuf out;
    struct err err;
    strbuf_init(&out, MAIL_COMPOSE_MAX);
    CU_ASSERT_EQUAL(mail_compose(draft, &out, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, code);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_EQUAL(out.length, 0);
    strbuf_fini(&out);
}

static void test_refused(void)
{
    static const struct mail_address bad = {"x", "a@b>\r\nRCPT TO:<c@d>"};
    struct mail_draft draft = good();
    draft.to.items = &bad;
    check_refused(&draft, "mail.address");
    draft = good();
    draft.cc = (struct mail_addresses){&bad, 1};
    check_refused(&draft, "mail.address");
    draft = good();
    draft.from.address = "desk";
    check_refused(&draft, "mail.address");
    draft = good();
    draft.reply_to = "a b@c";
    check_refused(&draft, "mail.address");
    draft = good();
    draft.to.count = 0;
    check_refused(&draft, "mail.address");
    draft = good();
    draft.to.count = MAIL_COMPOSE_RECIPIENTS_MAX + 1;
    check_refused(&draft, "mail.address");
    draft = good();
    draft.message_id = "a@b>\r\nBcc: c@d";
    check_refused(&draft, "mail.id");
    draft = good();
    draft.message_id = NULL;
    check_refused(&draft, "mail.id");
    draft = good();
    draft.text = "";
    check_refused(&draft, "mail.text");
    draft = good();
    draft.text = "\xff";
    check_refused(&draft, "mail.text");
}

static void test_references(void)
{
    struct arena *arena = arena_new();
    struct mail_draft draft = good();
    const char *ids[50];
    struct mail mail;
    for (int i = 0; i < 50; i++)
        ids[i] = arena_printf(arena, "%d@example.com", i);
    draft.references = ids;
    draft.reference_count = 50;
    read_back(arena, compose(arena, &draft), &mail);
    CU_ASSERT_EQUAL_FATAL(mail.references.count, MAIL_COMPOSE_REFERENCES_MAX);
    CU_ASSERT_STRING_EQUAL(mail.references.items[0], "0@example.com");
    CU_ASSERT_STRING_EQUAL(mail.references.items[1], "32@example.com");
    CU_ASSERT_STRING_EQUAL(mail.references.items[18], "49@example.com");
    CU_ASSERT_STRING_EQUAL(mail.references.items[19], draft.in_reply_to);
    draft.in_reply_to = ids[49];
    read_back(arena, compose(arena, &draft), &mail);
    CU_ASSERT_STRING_EQUAL(mail.references.items[19], ids[49]);
    CU_ASSERT_STRING_EQUAL(mail.references.items[18], ids[48]);
    arena_free(&arena);
}

/* Long and strange subjects and names come back whole. */
static void test_headers(void)
{
    static const char *const values[] = {
        "",
        "x",
        "An ordinary subject that is longer than one line of a mail may be, so that it has to be "
        "folded at a space",
        "Ein Betreff mit Umlauten wie ä, ö, ü, der länger ist als das, was in ein einziges "
        "codiertes Wort passt, und noch länger",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "x"
        "xxxxxxxxxxxxxxx",
        "予約の確認をお願いしたいのですが、来週の火曜日の午前中はいかがでしょうか",
        "quotes \" and \\ and (comments) and =?x?=",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct arena *arena = arena_new();
        struct mail_draft draft = good();
        struct mail mail;
        draft.subject = values[i];
        draft.from.name = values[i];
        const char *bytes = compose(arena, &draft);
        for (const char *line = bytes; strncmp(line, "\r\n", 2) != 0;) {
            size_t length = strcspn(line, "\r");
            CU_ASSERT(length <= 78);
            line += length + 2;
        }
        read_back(arena, bytes, &mail);
        if (strcmp(mail.subject, values[i]) != 0)
            fprintf(stderr, "\n%s\ncame back as\n%s\n", values[i], mail.subject);
        CU_ASSERT_STRING_EQUAL(mail.subject, values[i]);
        CU_ASSERT_STRING_EQUAL(mail.from.items[0].name, values[i]);
        arena_free(&arena);
    }
}

static void test_bodies(void)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"a\nb", "a\r\nb\r\n"},
        {"a\r\nb\rc\n", "a\r\nb\r\nc\r\n"},
        {"a \nb\t\n", "a=20\r\nb=09\r\n"},
        {"=\xc3\xa4", "=3D=C3=A4\r\n"},
        {".\n..", "=2E\r\n=2E.\r\n"},
        {"From x", "=46rom x\r\n"},
        {"", ""},
    };
    struct strbuf out;
    strbuf_init(&out, 100000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_clear(&out);
        mail_encode_body(&out, cases[i].text);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].wanted);
    }
    char dots[500];
    memset(dots, '.', sizeof dots - 1);
    dots[sizeof dots - 1] = '\0';
    strbuf_clear(&out);
    mail_encode_body(&out, dots);
    for (const char *line = out.data; *line != '\0'; line += strcspn(line, "\n") + 1) {
        CU_ASSERT(*line != '.');
        CU_ASSERT(strcspn(line, "\r") <= 76);
    }
    strbuf_fini(&out);
}

static void test_subjects(void)
{
    static const struct {
        const char *subject, *reply;
        bool forward;
    } cases[] = {
        {"x", "Re: x", false},
        {"", "Re:", false},
        {"Re: x", "Re: x", false},
        {"RE: x", "RE: x", false},
        {"AW: x", "AW: x", false},
        {"Re[2]: x", "Re[2]: x", false},
        {"回复：x", "回复：x", false},
        {"Re: AW: Fwd: x", "Re: AW: Fwd: x", false},
        {"Fwd: x", "Re: Fwd: x", true},
        {"WG: Re: x", "Re: WG: Re: x", true},
        {"Report: x", "Re: Report: x", false},
        {"Re x", "Re: Re x", false},
        {"  x", "Re: x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        CU_ASSERT_STRING_EQUAL(mail_subject_reply(arena, cases[i].subject), cases[i].reply);
        CU_ASSERT_EQUAL(mail_subject_is_forward(cases[i].subject), cases[i].forward);
        arena_free(&arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("compose", NULL, NULL);
    CU_add_test(suite, "what is written is read back", test_round);
    CU_add_test(suite, "authors", test_authors);
    CU_add_test(suite, "no injection", test_injection);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "references", test_references);
    CU_add_test(suite, "headers", test_headers);
    CU_add_test(suite, "bodies", test_bodies);
    CU_add_test(suite, "subjects", test_subjects);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
