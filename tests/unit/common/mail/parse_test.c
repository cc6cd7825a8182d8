/* Unit tests of the MIME reader: the broken and tricky mails of tests/data/mail/parse come out
 * right and clean, bombs are cut, damage of any kind leaves clean texts. */
#include "mail/parse.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "unit/common/mail/mail_files.h"

/* ---- the corpus ---- */

struct taken {
    size_t count, bytes;
    char head[20][8]; /* the first bytes of each */
};

static void take(void *arg, const struct mail_part *part, const void *bytes, size_t length)
{
    struct taken *taken = arg;
    CU_ASSERT_EQUAL((size_t)part->number, taken->count);
    CU_ASSERT_EQUAL(part->size_bytes, length);
    if (taken->count < 20 && length > 0)
        memcpy(taken->head[taken->count], bytes, length < 7 ? length : 7);
    taken->count++;
    taken->bytes += length;
}

static void check_address(const struct mail_address *address, const char *name, const char *text)
{
    CU_ASSERT_STRING_EQUAL(address->name, name);
    CU_ASSERT_STRING_EQUAL(address->address, text);
}

static void check_nasty_head(const struct mail *mail)
{
    CU_ASSERT_EQUAL(mail->from.count, 1);
    CU_ASSERT_FALSE(mail->odd_from);
    check_address(&mail->from.items[0], "Kundin für Räder", "Customer@Example.com");
    CU_ASSERT_EQUAL_FATAL(mail->to.count, 4);
    check_address(&mail->to.items[0], "Reception; the gate", "desk@clinic.example");
    check_address(&mail->to.items[1], "", "a@example.com");
    check_address(&mail->to.items[3], "Zürich", "zh@example.com");
    CU_ASSERT_EQUAL_FATAL(mail->cc.count, 1);
    CU_ASSERT_STRING_EQUAL(mail->cc.items[0].address, "ok@example.com");
    CU_ASSERT_STRING_EQUAL(mail->reply_to.items[0].address, "answers@example.com");
    CU_ASSERT_STRING_EQUAL(mail->delivered.items[0].address, "desk+token@clinic.example");
    CU_ASSERT_STRING_EQUAL(mail->return_path, "customer@example.com");
    CU_ASSERT_STRING_EQUAL(mail->subject, "予約café");
    CU_ASSERT_TRUE(mail->has_date);
    CU_ASSERT_EQUAL(mail->date_ms, INT64_C(1793610900000));
    CU_ASSERT_STRING_EQUAL(mail->message_id, "abc.def@Example.com");
    CU_ASSERT_EQUAL_FATAL(mail->in_reply_to.count, 1);
    CU_ASSERT_STRING_EQUAL(mail->in_reply_to.items[0], "d1@clinic.example");
    CU_ASSERT_EQUAL_FATAL(mail->references.count, 2);
    CU_ASSERT_STRING_EQUAL(mail->references.items[0], "d0@clinic.example");
    CU_ASSERT_STRING_EQUAL(mail->references.items[1], "d1@clinic.example");
    CU_ASSERT_STRING_EQUAL(mail_header(mail, "received"),
                           "from mail.example.com by mx.clinic.example; Mon, 2 Nov 2026 10:15:01 "
                           "+0100");
}

static void test_nasty(void)
{
    static const struct {
        enum mail_part_kind kind;
        const char *name, *type, *head;
    } wanted[] = {
        {MAIL_PART_INLINE, "logo.png", "image/png", "\x89PNG\r\n\x1a"},
        {MAIL_PART_CALENDAR, "", "text/calendar", "BEGIN:V"},
        {MAIL_PART_FILE, "bélh.pdf", "application/pdf", "%PDF-1."},
        {MAIL_PART_TNEF, "winmail.dat", "application/ms-tnef", "x\x9f>\""},
        {MAIL_PART_MESSAGE, "Привет.eml", "message/rfc822", "Subject"},
        {MAIL_PART_FILE, "prïces.csv", "text/csv", "a,b"},
        {MAIL_PART_SEALED, "smime.p7s", "application/pkcs7-signature", ""},
    };
    struct arena *arena = arena_new();
    struct taken taken = {0};
    struct mail mail;
    size_t length;
    const char *bytes = mail_file(arena, "parse/nasty.eml", &length);
    mail_read(arena, bytes, length, &(struct mail_sink){take, &taken}, &mail);
    check_nasty_head(&mail);
    CU_ASSERT_EQUAL_FATAL(mail.section_count, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mail.sections[0].plain);
    CU_ASSERT_PTR_NOT_NULL(strstr(mail.sections[0].plain, "Grüße € 5, bad =ZZ escape, soft break"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(mail.sections[0].html);
    CU_ASSERT_PTR_NOT_NULL(strstr(mail.sections[0].html, "<p>Grüße €&nbsp;5"));
    CU_ASSERT_PTR_NULL(strstr(mail.sections[0].html, "amp"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mail.sections[1].plain, "second text"));
    CU_ASSERT_FALSE(mail.cut);
    CU_ASSERT_EQUAL(taken.count, mail.part_count);
    CU_ASSERT_EQUAL_FATAL(mail.part_count, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < mail.part_count; i++) {
        CU_ASSERT_EQUAL(mail.parts[i].kind, wanted[i].kind);
        CU_ASSERT_STRING_EQUAL(mail.parts[i].name, wanted[i].name);
        CU_ASSERT_STRING_EQUAL(mail.parts[i].type, wanted[i].type);
        CU_ASSERT_EQUAL(memcmp(taken.head[i], wanted[i].head, strlen(wanted[i].head)), 0);
    }
    CU_ASSERT_STRING_EQUAL(mail.parts[0].content_id, "logo");
    arena_free(&arena);
}

static void test_texts(void)
{
    static const struct {
        const char *file, *subject, *text;
    } cases[] = {
        {"no-header", "", "Just a text, no header at all."},
        {"nul", "one", "beforeafter\nline\ntwo"},
        {"injection", "a Bcc: victim@example.com b c", "x"},
        {"two-from", "two authors", "x"},
        {"latin1-said-utf8", "café", "Grüße"},
        {"utf8-said-latin1", "café", "Grüße"},
        {"html-meta", "x", "Привет"},
        {"utf7", "x", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-"},
        {"flowed", "x",
         "long lines that go on and on.\n> quoted that goes on.\n> > deeper\n-- \nthe gate"},
        {"hidden", "x", "May I come on Tuesday?\n\nAt nine.\n\na | b"},
        {"footer-list", "x", "The text.\n\nThe footer."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail mail;
        struct mail_text text;
        mail_read_file(arena, arena_printf(arena, "parse/%s.eml", cases[i].file), &mail, &text);
        char *got = arena_strdup(arena, text.text);
        size_t length = strlen(got);
        while (length > 0 && got[length - 1] == '\n')
            got[--length] = '\0';
        got += strspn(got, "\n");
        if (strcmp(got, cases[i].text) != 0 ||
            strstr(mail.subject, cases[i].subject) != mail.subject)
            fprintf(stderr, "\n%s: \"%s\"\n%s\n", cases[i].file, mail.subject, got);
        CU_ASSERT_STRING_EQUAL(got, cases[i].text);
        CU_ASSERT(strstr(mail.subject, cases[i].subject) == mail.subject);
        arena_free(&arena);
    }
}

static void test_heads(void)
{
    struct arena *arena = arena_new();
    struct mail mail;
    struct mail_text text;
    mail_read_file(arena, "parse/two-from.eml", &mail, &text);
    CU_ASSERT_TRUE(mail.odd_from);
    CU_ASSERT_STRING_EQUAL(mail.from.items[0].address, "customer@example.com");
    CU_ASSERT_FALSE(mail.has_date); /* the 99th of Foo */
    CU_ASSERT_STRING_EQUAL(mail.message_id, "");
    CU_ASSERT_PTR_NULL(mail.return_path);
    mail_read_file(arena, "parse/no-header.eml", &mail, &text);
    CU_ASSERT_TRUE(mail.odd_from);
    mail_read_file(arena, "parse/injection.eml", &mail, &text);
    CU_ASSERT_EQUAL(mail.from.count, 1);
    CU_ASSERT_STRING_EQUAL(mail.from.items[0].address, "customer@example.com");
    size_t length; /* neither a header nor an empty line: GMime finds no mail in it */
    const char *bare = mail_file(arena, "parse/bare.eml", &length);
    struct err err;
    CU_ASSERT_EQUAL(mail_parse(arena, bare, length, NULL, &mail, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "mail.syntax");
    mail_read_file(arena, "parse/stub.eml", &mail, &text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.text, "winter tyres"));
    arena_free(&arena);
}

static void test_null_return_path(void)
{
    static const char bytes[] = "Return-Path: <>\nFrom: a@example.com, b@example.com\n\nx\n";
    struct arena *arena = arena_new();
    struct mail mail;
    mail_read(arena, bytes, sizeof bytes - 1, NULL, &mail);
    CU_ASSERT_STRING_EQUAL(mail.return_path, "");
    CU_ASSERT_TRUE(mail.odd_from);
    arena_free(&arena);
}

/* A name in another script is sent to by its ASCII form. */
static void test_addresses(void)
{
    static const struct {
        const char *from, *address;
    } cases[] = {
        {"x <a@xn--mnchen-3ya.example>", "a@xn--mnchen-3ya.example"},
        {"x <a@m\xc3\xbcnchen.example>", "a@xn--mnchen-3ya.example"},
        {"\"b@example.com\" <a@example.com>", "a@example.com"},
        {"a@example.com (a comment)", "a@example.com"},
        {"x <a@example.com", "a@example.com"},
        {"x", NULL},
        {"<>", NULL},
        {"x <a b@example.com>", NULL},
        /* GMime loses memory with these: the sanitizer tells */
        {"a@[127.0.0.1](", NULL},
        {"a@[127.0.0.1]((((", NULL}, /* it is looked at twice */
        {"a@[127.0.0.1] (x) (y(", NULL},
        {"a@[127.0.0.1]\n ((x)", NULL},
        {"x <a@[127.0.0.1](>, b@example.com", "b@example.com"},
        {"a@[127.0.0.1] (y), b@example.com", "b@example.com"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail mail;
        const char *bytes = arena_printf(arena, "From: %s\nSubject: x\n\nx\n", cases[i].from);
        mail_read(arena, bytes, strlen(bytes), NULL, &mail);
        const char *got = mail.from.count > 0 ? mail.from.items[0].address : "none";
        if (strcmp(got, cases[i].address == NULL ? "none" : cases[i].address) != 0)
            fprintf(stderr, "\n%s gave %s\n", cases[i].from, got);
        CU_ASSERT_STRING_EQUAL(got, cases[i].address == NULL ? "none" : cases[i].address);
        arena_free(&arena);
    }
}

static void test_file_names(void)
{
    static const struct {
        const char *sent, *kept;
    } cases[] = {
        {"../../etc/passwd", "passwd"}, {"C:\\\\temp\\\\x.txt", "x.txt"},
        {"...hidden", "hidden"},        {"a\xe2\x80\xaetxt.exe", "atxt.exe"},
        {"a:b|c.txt", "a_b_c.txt"},     {"..", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail mail;
        const char *bytes =
            arena_printf(arena,
                         "From: a@example.com\nContent-Type: application/octet-stream\n"
                         "Content-Disposition: attachment; filename=\"%s\"\n\nx\n",
                         cases[i].sent);
        mail_read(arena, bytes, strlen(bytes), NULL, &mail);
        CU_ASSERT_EQUAL_FATAL(mail.part_count, 1);
        CU_ASSERT_STRING_EQUAL(mail.parts[0].name, cases[i].kept);
        arena_free(&arena);
    }
}

/* ---- bombs ---- */

static void repeat(struct strbuf *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_add_text(out, text);
}

static void check_cut(struct strbuf *bytes)
{
    struct arena *arena = arena_new();
    struct taken taken = {0};
    struct mail mail;
    struct mail_text text;
    CU_ASSERT_FALSE(bytes->overflow);
    mail_read(arena, bytes->data, bytes->length, &(struct mail_sink){take, &taken}, &mail);
    CU_ASSERT_TRUE(mail.cut);
    CU_ASSERT(mail.part_count <= MAIL_PARTS_MAX);
    mail_body_read(arena, &mail, &text);
    arena_free(&arena);
    strbuf_fini(bytes);
}

static void test_bombs(void)
{
    struct strbuf b;
    strbuf_init(&b, MAIL_BYTES_MAX); /* 1,000 parts */
    strbuf_add_text(&b, "From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n");
    repeat(&b, "--b\nContent-Type: image/png\n\nx\n", 1000);
    check_cut(&b);
    strbuf_init(&b, MAIL_BYTES_MAX); /* depth 20,000 */
    strbuf_add_text(&b, "From: a@example.com\n");
    for (int i = 0; i < 20000; i++)
        strbuf_printf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    check_cut(&b);
    strbuf_init(&b, MAIL_BYTES_MAX); /* 100,000 headers */
    repeat(&b, "X-A: b\n", 100000);
    strbuf_add_text(&b, "\nx\n");
    check_cut(&b);
    strbuf_init(&b, MAIL_BYTES_MAX); /* a text of 20 MB */
    strbuf_add_text(&b, "From: a@example.com\n\n");
    repeat(&b, "twenty bytes a line\n", 1024 * 1024);
    check_cut(&b);
    strbuf_init(&b, MAIL_BYTES_MAX); /* HTML, nested as deep as 3 MB go */
    strbuf_add_text(&b, "From: a@example.com\nContent-Type: text/html\n\n");
    repeat(&b, "<div>", 600000);
    check_cut(&b);
}

static void test_long_headers(void)
{
    struct arena *arena = arena_new();
    struct strbuf b;
    struct mail mail;
    strbuf_init(&b, MAIL_BYTES_MAX);
    strbuf_add_text(&b, "Subject: ");
    repeat(&b, "x", 1024 * 1024);
    strbuf_add_text(&b, "\nTo: ");
    repeat(&b, "a@example.com, ", 50000);
    strbuf_add_text(&b, "\nReferences: ");
    for (int i = 0; i < 20000; i++)
        strbuf_printf(&b, "<%d@example.com>\n ", i);
    strbuf_add_text(&b, "\nCc: ");
    repeat(&b, "(", 100000);
    strbuf_add_text(&b, "\n\nx\n");
    mail_read(arena, b.data, b.length, NULL, &mail);
    CU_ASSERT(strlen(mail.subject) <= MAIL_SUBJECT_MAX);
    CU_ASSERT_EQUAL(mail.to.count, MAIL_ADDRESSES_MAX);
    CU_ASSERT_EQUAL(mail.references.count, MAIL_IDS_MAX);
    strbuf_fini(&b);
    arena_free(&arena);
}

/* As gateways and old programs send it: nothing of what is there is lost, nothing else is made up.
 */
static void test_broken_base64(void)
{
    static const char *const sent[] = {
        "QUJDREVG",       "QUJD\nREVG\n", "Q U J D\tREVG", "QUJD*!$REVG\n",
        "QUJDREVG\n====", "QUJD\xffREVG", "QUJDREVGQ",
    };
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        struct arena *arena = arena_new();
        struct taken taken = {0};
        struct mail mail;
        const char *bytes = arena_printf(arena,
                                         "From: a@example.com\nContent-Type: image/png\n"
                                         "Content-Transfer-Encoding: base64\n\n%s",
                                         sent[i]);
        mail_read(arena, bytes, strlen(bytes), &(struct mail_sink){take, &taken}, &mail);
        CU_ASSERT_EQUAL_FATAL(taken.count, 1);
        if (memcmp(taken.head[0], "ABCDEF", 6) != 0 || taken.bytes > 7)
            fprintf(stderr, "\n%s gave %zu bytes: %.7s\n", sent[i], taken.bytes, taken.head[0]);
        CU_ASSERT_EQUAL(memcmp(taken.head[0], "ABCDEF", 6), 0);
        CU_ASSERT_TRUE(taken.bytes <= 7);
        arena_free(&arena);
    }
}

/* The largest mail that is read: one file of 25 MB. */
static void test_largest(void)
{
    struct arena *arena = arena_new();
    struct taken taken = {0};
    struct mail mail;
    struct strbuf b;
    strbuf_init(&b, MAIL_BYTES_MAX);
    strbuf_add_text(&b, "From: a@example.com\nContent-Type: image/png\n"
                        "Content-Transfer-Encoding: base64\n\n");
    while (MAIL_BYTES_MAX - b.length >= 77)
        strbuf_add_text(&b, "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD"
                            "QUJDQUJD\n");
    while (b.length < MAIL_BYTES_MAX)
        strbuf_add_char(&b, '\n');
    mail_read(arena, b.data, b.length, &(struct mail_sink){take, &taken}, &mail);
    CU_ASSERT_EQUAL(taken.count, 1);
    CU_ASSERT_TRUE(taken.bytes > (size_t)18 * 1024 * 1024 && taken.bytes % 57 == 0);
    CU_ASSERT_FALSE(mail.cut);
    strbuf_fini(&b);
    arena_free(&arena);
}

static void test_size(void)
{
    struct arena *arena = arena_new();
    struct mail mail;
    struct err err;
    char *bytes = xcalloc(1, MAIL_BYTES_MAX + 1);
    CU_ASSERT_EQUAL(mail_parse(arena, bytes, MAIL_BYTES_MAX + 1, NULL, &mail, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "mail.size");
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    free(bytes);
    arena_free(&arena);
}

/* ---- damage ---- */

static void test_damage(void)
{
    static const char *const files[] = {"parse/nasty.eml", "class/dsn-postfix.eml",
                                        "reply/gmail-en.eml"};
    unsigned seed = 1;
    for (int round = 0; round < 1500; round++) {
        struct arena *arena = arena_new();
        struct mail mail;
        struct err err;
        size_t length;
        char *bytes = mail_file(arena, files[round % 3], &length);
        for (int i = rand_r(&seed) % 12; i >= 0; i--) {
            size_t at = (size_t)rand_r(&seed) % length;
            if (i % 3 == 0)
                length = at + 1;
            else
                bytes[at] = (char)rand_r(&seed);
        }
        if (mail_parse(arena, bytes, length, NULL, &mail, &err) == 0) {
            struct mail_text text;
            mail_read(arena, bytes, length, NULL, &mail);
            mail_body_read(arena, &mail, &text);
            mail_clean(text.text);
        }
        arena_free(&arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("parse", NULL, NULL);
    CU_add_test(suite, "a nasty mail", test_nasty);
    CU_add_test(suite, "texts", test_texts);
    CU_add_test(suite, "heads", test_heads);
    CU_add_test(suite, "return path", test_null_return_path);
    CU_add_test(suite, "addresses", test_addresses);
    CU_add_test(suite, "file names", test_file_names);
    CU_add_test(suite, "bombs are cut", test_bombs);
    CU_add_test(suite, "long headers", test_long_headers);
    CU_add_test(suite, "size", test_size);
    CU_add_test(suite, "the largest", test_largest);
    CU_add_test(suite, "broken base64", test_broken_base64);
    CU_add_test(suite, "damage", test_damage);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
