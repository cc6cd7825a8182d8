/* Unit tests of mails that are made to kill or to hold up whoever reads them: GMime is given so
 * much of each as it can bear, and what is kept from it is cut, or a file. */
#include "mail/parse.h"

#include <pthread.h>

#include "base/strbuf.h"
#include "mail/parse_inside.h"
#include "unit/common/mail/mail_files.h"

#define AUTHOR "From: a@example.com\n"
#define MIXED  "Content-Type: multipart/mixed; boundary=b\n\n"

static struct arena *arena;
static struct strbuf bytes;
static struct mail mail;

static void begin(const char *text)
{
    arena_reset(arena);
    strbuf_clear(&bytes);
    strbuf_add_text(&bytes, text);
}

static void repeat(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_add_text(&bytes, text);
}

/* So often that it is 2 MB. */
static void fill(const char *text)
{
    repeat(text, (size_t)2 * 1024 * 1024 / strlen(text));
}

struct taken {
    const char *name, *bytes;
    size_t count, length;
    enum mail_part_kind kind;
};

/* Keeps the last one. */
static void take(void *arg, const struct mail_part *part, const void *from, size_t length)
{
    struct taken *taken = arg;
    taken->count++;
    taken->kind = part->kind;
    taken->name = part->name;
    taken->length = length;
    taken->bytes = arena_strndup(arena, from, length);
}

static struct taken read_it(void)
{
    struct taken taken = {.name = "", .bytes = ""};
    CU_ASSERT_FALSE_FATAL(bytes.overflow);
    mail_read(arena, bytes.data, bytes.length, &(struct mail_sink){take, &taken}, &mail);
    return taken;
}

/* ---- fields ---- */

/* A group in a group in a group: GMime calls itself for each. */
static void test_nested_groups(void)
{
    static const char *const names[] = {"From",        "Reply-To",     "To",
                                        "Cc",          "Delivered-To", "X-Original-To",
                                        "Envelope-To", "Return-Path"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        begin(names[i]);
        strbuf_add_text(&bytes, ": ");
        repeat("a:", 1000 * 1000);
        strbuf_add_text(&bytes, "\n\nx\n");
        (void)read_it();
        CU_ASSERT_TRUE(mail.cut);
        CU_ASSERT_TRUE(mail.odd_from);
    }
    begin(AUTHOR "To: "); /* on many lines, with commas */
    repeat("a:,\n b:(c)", 100 * 1000);
    strbuf_add_text(&bytes, "\n\nx\n");
    (void)read_it();
    CU_ASSERT_TRUE(mail.cut);
    CU_ASSERT_FALSE(mail.odd_from);
}

static void *read_in_thread(void *arg)
{
    (void)arg;
    (void)read_it();
    return NULL;
}

/* Those of a field that is short enough for all of it to be read: the stack of a thread may be. */
static void test_groups_on_a_small_stack(void)
{
    pthread_t thread;
    pthread_attr_t small;
    begin(AUTHOR "To: ");
    repeat("a:", MAIL_VALUE_MAX / 2 - 10);
    strbuf_add_text(&bytes, "\n\nx\n");
    CU_ASSERT_EQUAL_FATAL(pthread_attr_init(&small), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_attr_setstacksize(&small, (size_t)512 * 1024), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, &small, read_in_thread, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&small);
    CU_ASSERT_FALSE(mail.cut);
}

/* What people write is read as before: groups, routes, IPv6 addresses. */
static void test_groups_of_people(void)
{
    begin("From: <@relay.example:a@example.com>\nTo: Staff: ann@example.com, Bob <bob@example.com>;"
          "\nCc: ");
    for (int i = 0; i < 40; i++)
        strbuf_printf(&bytes, "group %d: x%d@example.com;,\n ", i, i);
    strbuf_add_text(&bytes, "last@example.com\n\nx\n");
    (void)read_it();
    CU_ASSERT_EQUAL_FATAL(mail.from.count, 1);
    CU_ASSERT_STRING_EQUAL(mail.from.items[0].address, "a@example.com");
    CU_ASSERT_EQUAL_FATAL(mail.to.count, 2);
    CU_ASSERT_STRING_EQUAL(mail.to.items[1].address, "bob@example.com");
    CU_ASSERT_EQUAL_FATAL(mail.cc.count, 41);
    CU_ASSERT_STRING_EQUAL(mail.cc.items[40].address, "last@example.com");
    CU_ASSERT_FALSE(mail.cut);
}

/* A list that is too long is cut behind a whole address; a sender behind which something was cut is
 * none that anybody vouches for. */
static void test_long_lists(void)
{
    begin(AUTHOR "To: ");
    for (int i = 0; i < 90; i++)
        strbuf_printf(&bytes, "\"%0200d\" <x%d@example.com>,\n ", i, i);
    repeat("y@example.com, ", 10 * 1000);
    strbuf_add_text(&bytes, "\n\nx\n");
    (void)read_it();
    CU_ASSERT_TRUE(mail.cut);
    CU_ASSERT_FALSE(mail.odd_from);
    CU_ASSERT(mail.to.count > 60 && mail.to.count < 90);
    for (size_t i = 0; i < mail.to.count; i++)
        CU_ASSERT_STRING_EQUAL(mail.to.items[i].address,
                               arena_printf(arena, "x%zu@example.com", i));
    begin("From: a@example.com, ");
    repeat("(", 100 * 1000);
    strbuf_add_text(&bytes, "), b@example.com\n\nx\n");
    (void)read_it();
    CU_ASSERT_EQUAL(mail.from.count, 1);
    CU_ASSERT_TRUE(mail.odd_from);
}

/* GMime puts the names of charsets on the stack, whatever their length. */
static void test_long_charsets(void)
{
    begin(AUTHOR "Subject: =?");
    repeat("utf8utf8", 2 * 1024 * 1024);
    strbuf_add_text(&bytes, "?Q?x?=\n\nx\n");
    (void)read_it();
    CU_ASSERT(strlen(mail.subject) <= MAIL_SUBJECT_MAX);
    begin(AUTHOR "Content-Type: text/plain; name*=");
    repeat("utf8utf8", 2 * 1024 * 1024);
    strbuf_add_text(&bytes, "''x\n\nx\n");
    (void)read_it();
    CU_ASSERT_TRUE(mail.cut);
    begin(AUTHOR MIXED "--b\n\nhello\n--b\nContent-Disposition: attachment; filename*=");
    repeat("utf8utf8", 2 * 1024 * 1024);
    strbuf_add_text(&bytes, "''x\n\nx\n--b--\n");
    (void)read_it();
    CU_ASSERT_TRUE(mail.cut);
    CU_ASSERT_EQUAL_FATAL(mail.section_count, 1);
    CU_ASSERT_STRING_EQUAL(mail.sections[0].plain, "hello");
}

/* ---- attached mails ---- */

/* Whatever is in one, it is a file with its bytes as they came. */
static void test_attached_mails(void)
{
    static const char *const types[] = {
        "Content-Type: message/rfc822\n",
        "content-type : MESSAGE/RFC822; name=x\n",
        "X-Y: z\nContent-Type:\n (a (b) \\) c)\n\tmessage / (d) global\n",
        "Content-Type: message/news\n",
        "Content-Type: message/rfc2822\nContent-Transfer-Encoding: 8bit\n",
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        begin(AUTHOR MIXED "--b\n\nhello\n--b\n");
        strbuf_add_text(&bytes, types[i]);
        strbuf_add_text(&bytes, "\n");
        size_t from = bytes.length;
        strbuf_add_text(&bytes, "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\nContent-Type: message/rfc822"
                                "\nTo: ");
        repeat("a:", 1000 * 1000);
        strbuf_add_text(&bytes, "\n\nContent-Type: message/rfc822\n\n");
        size_t length = bytes.length - from;
        strbuf_add_text(&bytes, "\n--b--\n");
        struct taken taken = read_it();
        CU_ASSERT_EQUAL_FATAL(taken.count, 1);
        CU_ASSERT_EQUAL(taken.kind, MAIL_PART_MESSAGE);
        CU_ASSERT_STRING_EQUAL(taken.name, "Gr\xc3\xbc\xc3\x9f\x65.eml");
        CU_ASSERT_STRING_EQUAL(mail.parts[0].type, "message/rfc822");
        CU_ASSERT_EQUAL_FATAL(taken.length, length);
        CU_ASSERT_EQUAL(memcmp(taken.bytes, bytes.data + from, length), 0);
        CU_ASSERT_FALSE(mail.cut);
    }
}

/* What is a mail without saying so, and one that is encoded. */
static void test_other_attached_mails(void)
{
    begin(AUTHOR "Content-Type: multipart/Digest; boundary=b\n\n--b\n\nSubject: one\nTo: ");
    repeat("a:", 100 * 1000);
    strbuf_add_text(&bytes, "\n\nx\n--b\nContent-Type: text/plain\n\nhello\n--b--\n");
    struct taken taken = read_it();
    CU_ASSERT_EQUAL_FATAL(taken.count, 1);
    CU_ASSERT_STRING_EQUAL(taken.name, "one.eml");
    CU_ASSERT_EQUAL_FATAL(mail.section_count, 1);
    begin(AUTHOR "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
                 "U3ViamVjdDogdHdvCgp4Cg==\n");
    taken = read_it();
    CU_ASSERT_EQUAL_FATAL(taken.count, 1);
    CU_ASSERT_STRING_EQUAL(taken.name, "two.eml");
    CU_ASSERT_STRING_EQUAL(taken.bytes, "Subject: two\n\nx\n");
    begin(AUTHOR "Content-Type: message/rfc822\n\n"); /* mails in mails */
    repeat(AUTHOR "Content-Type: message/rfc822\n\n", 20 * 1000);
    taken = read_it();
    CU_ASSERT_EQUAL_FATAL(taken.count, 1);
    CU_ASSERT_EQUAL(taken.length, 20 * 1000 * strlen(AUTHOR "Content-Type: message/rfc822\n\n"));
    CU_ASSERT_FALSE(mail.cut);
}

/* Names that are like the types, and types that nobody has, stay what they are. */
static void test_other_types(void)
{
    begin(AUTHOR MIXED "--b\nContent-Type: application/x; name=\"message.digest\"\n\nx\n--b--\n");
    struct taken taken = read_it();
    CU_ASSERT_EQUAL_FATAL(taken.count, 1);
    CU_ASSERT_STRING_EQUAL(taken.name, "message.digest");
    begin(AUTHOR MIXED "--b\nContent-Type: message/partial; id=x\n\nx\n--b--\n");
    (void)read_it();
    CU_ASSERT_EQUAL_FATAL(mail.part_count, 1);
    CU_ASSERT_STRING_EQUAL(mail.parts[0].type, "message/partial");
    CU_ASSERT_EQUAL(mail.parts[0].kind, MAIL_PART_FILE);
}

/* ---- parts ---- */

/* How much GMime is given of what `begin` and `repeat` made. */
static size_t scanned(void)
{
    char *copy = arena_strndup(arena, bytes.data, bytes.length);
    return mail_parse_scan(copy, bytes.length);
}

/* What costs GMime the more the more there is, and no person sends: the bytes up to the bound are
 * few, however many come. */
static void test_parts_without_end(void)
{
    static const struct {
        const char *what, *head, *again;
        size_t most; /* bytes that GMime is given */
    } cases[] = {
        {"parts", MIXED, "--b\n\n", 5000},
        {"parts with types", MIXED, "--b\nContent-Type: text/plain\n\nx\n", 50 * 1000},
        {"parts of a spelt boundary",
         "Content-Type: multipart/mixed;\n BOUNDARY (x) =\n\t\"b\"\n\n", "--b\n\n", 5000},
        {"parts of an encoded boundary",
         "Content-Type: multipart/mixed; boundary=\"=?utf-8?Q?b?=\"\n\n", "--b\n\n", 5000},
        {"parts of a boundary in pieces", "Content-Type: multipart/mixed; boundary*0=b\n\n",
         "--b\n\n", 5000},
        {"parts without a boundary's name", "Content-Type: multipart/mixed; boundary=\"\"\n\n",
         "--\n\n", 5000},
        {"parts of a boundary with spaces", "Content-Type: multipart/mixed; boundary=\"b  c \"\n\n",
         "--b\n\n", 5000},
        {"parts of a boundary behind one in a text",
         "Content-Type: multipart/mixed; a=\"boundary=\"(c);boundary=b;d=\"\"\n\n", "--b\n\n",
         5000},
        {"parts of a boundary behind a comment", "Content-Type: multipart/mixed; boundary=(c)b\n\n",
         "--b\n\n", 5000},
        {"parts of a boundary with one quotation mark",
         "Content-Type: multipart/mixed; boundary=\"b\n\n", "--\"b\n\n", 10 * 1000},
        {"parts of a boundary whose end is escaped",
         "Content-Type: multipart/mixed; boundary=\"b\\\"\n\n", "--\"b\"\n\n", 10 * 1000},
        {"parts of a second type", "Content-Type: text/plain\n" MIXED, "--b\n\n", 5000},
        {"parts in comments", "Content-Type: (a)(\\))\n (b) multipart/mixed; boundary=b\n\n",
         "--b\n\n", 5000},
        {"fields of a part", MIXED "--b\n", "a:\n", 40 * 1000},
        {"fields of a part, folded", MIXED "--b\na: b\n", " \n", 40 * 1000},
        {"fields of the mail", "", "Content-A:\n", 150 * 1000},
        {"one field", "Content-A:", " x", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(cases[i].head);
        fill(cases[i].again);
        size_t given = scanned();
        if (given > cases[i].most)
            fprintf(stderr, "\n%s: %zu bytes\n", cases[i].what, given);
        CU_ASSERT(given <= cases[i].most);
    }
}

/* Each line of dashes is compared with each open boundary. */
static void test_dashes_without_end(void)
{
    begin("Content-Type: multipart/mixed; boundary=b0\n\n");
    for (int i = 1; i < 150; i++)
        strbuf_printf(&bytes, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i - 1, i);
    size_t head = bytes.length;
    fill("--\n");
    size_t given = scanned();
    CU_ASSERT(given > head && given < head + (size_t)3 * 40 * 1000);
    begin(""); /* more boundaries than there are parts */
    for (int i = 0; i < 1000; i++)
        strbuf_printf(&bytes, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i - 1, i);
    CU_ASSERT(scanned() < bytes.length / 4);
}

/* Texts with lines like a boundary's, and types in texts, are whole. */
static void test_whole(void)
{
    static const struct {
        const char *head, *again;
    } cases[] = {
        {"Content-Type: text/plain\n\n", "--b\n\n"},
        {MIXED "--b\n\n", "--\n-- a comment in SQL\n--- a/file\n+++ b/file\n-----\n"},
        {MIXED "--b\n\n", "Content-Type: multipart/mixed; boundary=\n"},
        {MIXED "--b\nContent-Type: message/rfc822\n\n",
         "a:\nContent-Type: multipart/x; boundary=c\n"
         "\n--c\n\n"},
        {"Content-Type: multipart/mixed; boundary=\"----=_Part_0\"\n\n------=_Part_0\n\n",
         "------=_Part_1\n-----\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(cases[i].head);
        repeat(cases[i].again, 20 * 1000);
        CU_ASSERT_EQUAL(scanned(), bytes.length);
    }
}

/* Boundaries that programs make, and pages with comments behind them: nothing of the mails is cut.
 */
static void test_boundaries_of_programs(void)
{
    static const char *const cases[][2] = {
        {"boundary=--boundary_0_5c1dbd6a-7a4f-4f0e-8d53-1b1f0a0e3c1d",
         "--boundary_0_5c1dbd6a-7a4f-4f0e-8d53-1b1f0a0e3c1d"}, /* .NET */
        {"boundary=\"Boundary_(ID_0a1b2c3d4e5f6g7h)\"", "Boundary_(ID_0a1b2c3d4e5f6g7h)"}, /* Sun */
        {"boundary=----=_x", "----=_x"},
        {"boundary=\"----=_x\"; name=\"=?utf-8?Q?b?=\"", "----=_x"},
        {"boundary=b/c ; charset=utf-8", "b/c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(AUTHOR);
        strbuf_printf(&bytes,
                      "Content-Type: multipart/mixed; %s\n\n--%s\n"
                      "Content-Type: text/html\n\n",
                      cases[i][0], cases[i][1]);
        repeat("<!-- a table\n-->\n------ \n<p>word</p>\n", 300 * 1000 / 37);
        strbuf_printf(&bytes,
                      "--%s\nContent-Type: application/pdf; name=a.pdf\n\n%%PDF-1.4\n--%s--\n",
                      cases[i][1], cases[i][1]);
        struct taken taken = read_it();
        CU_ASSERT_FALSE(mail.cut);
        CU_ASSERT_EQUAL(taken.count, 1);
        CU_ASSERT_STRING_EQUAL(taken.name, "a.pdf");
    }
}

/* What follows a line that may be a boundary's is no header for that: GMime passes it by. */
static void test_lines_that_are_no_fields(void)
{
    begin("Content-Type: multipart/mixed; boundary=\"b  c \"\n\n--b  c \n\n");
    repeat("--b\n", 1);
    repeat("<p>some words</p>\n", 20 * 1000);
    CU_ASSERT_EQUAL(scanned(), bytes.length);
}

/* What stands before the bound is read. */
static void test_cut(void)
{
    begin(AUTHOR MIXED "--b\n\nhello\n");
    fill("--b\n\n");
    (void)read_it();
    CU_ASSERT_TRUE(mail.cut);
    CU_ASSERT_STRING_EQUAL(mail.sections[0].plain, "hello");
    begin(AUTHOR);
    for (int i = 0; i < 20 * 1000; i++)
        strbuf_printf(&bytes, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    (void)read_it();
    CU_ASSERT_TRUE(mail.cut);
}

/* ---- markup ---- */

/* It takes long to read: of all parts so much is kept as of one, and what is put together is not
 * copied for each form anew. */
static void test_markup_without_end(void)
{
    size_t markup = 0;
    begin(AUTHOR MIXED);
    for (int i = 0; i < 40; i++) {
        strbuf_add_text(&bytes, "--b\nContent-Type: text/html\n\n");
        repeat("&#", 50 * 1000);
        strbuf_add_text(&bytes, "\n");
    }
    (void)read_it();
    for (size_t i = 0; i < mail.section_count; i++)
        markup += mail.sections[i].html_length;
    CU_ASSERT(markup > MAIL_HTML_MAX / 2 && markup <= MAIL_HTML_MAX);
    CU_ASSERT_TRUE(mail.cut);
    begin(AUTHOR "Content-Type: multipart/alternative; boundary=b\n\n");
    for (int i = 0; i < 190; i++) {
        strbuf_add_text(&bytes, "--b\nContent-Type: text/html\n\n");
        repeat("<p>word", 1500);
        strbuf_add_text(&bytes, "\n");
    }
    (void)read_it();
    CU_ASSERT_EQUAL_FATAL(mail.section_count, 1);
    CU_ASSERT(mail.sections[0].html_length < (size_t)512 * 1024);
    CU_ASSERT_TRUE(mail.cut);
}

/* Behind a text that is full nothing is read. */
static void test_full(void)
{
    struct mail_section sections[] = {{.plain = "words\n"}, {.plain = ""}, {.plain = "the end\n"}};
    const struct mail two = {.sections = sections, .section_count = 3};
    struct mail_text text;
    begin("");
    mail_body_read(arena, &two, &text);
    CU_ASSERT_STRING_EQUAL(text.text, "words\n\nthe end\n");
    fill("twenty bytes a line\n");
    sections[1].plain = bytes.data;
    mail_body_read(arena, &two, &text);
    CU_ASSERT_TRUE(text.cut);
    CU_ASSERT(strlen(text.text) > MAIL_BODY_MAX - 100);
    CU_ASSERT_PTR_NULL(strstr(text.text, "the end"));
}

static int set_up(void)
{
    arena = arena_new();
    strbuf_init(&bytes, MAIL_BYTES_MAX);
    return 0;
}

static int tear_down(void)
{
    strbuf_fini(&bytes);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("parse bombs", set_up, tear_down);
    CU_add_test(suite, "nested groups", test_nested_groups);
    CU_add_test(suite, "groups on a small stack", test_groups_on_a_small_stack);
    CU_add_test(suite, "groups of people", test_groups_of_people);
    CU_add_test(suite, "long lists", test_long_lists);
    CU_add_test(suite, "long charsets", test_long_charsets);
    CU_add_test(suite, "attached mails", test_attached_mails);
    CU_add_test(suite, "other attached mails", test_other_attached_mails);
    CU_add_test(suite, "other types", test_other_types);
    CU_add_test(suite, "parts without end", test_parts_without_end);
    CU_add_test(suite, "dashes without end", test_dashes_without_end);
    CU_add_test(suite, "whole", test_whole);
    CU_add_test(suite, "boundaries of programs", test_boundaries_of_programs);
    CU_add_test(suite, "lines that are no fields", test_lines_that_are_no_fields);
    CU_add_test(suite, "what is before the bound", test_cut);
    CU_add_test(suite, "markup without end", test_markup_without_end);
    CU_add_test(suite, "a full text", test_full);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
