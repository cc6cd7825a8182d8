/* Unit tests of a mail's outline: what the reader of mails makes of it is what it makes of the mail
 * itself, and nothing that a server sends there becomes a line or a part of its own. */
#include "mail/imap_outline.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mail/parse.h"

static struct arena *arena;

static const struct imap_node *structure_of(const char *response, size_t length)
{
    struct imap_response parsed;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(imap_parse(arena, response, length, &parsed, &err), 0);
    return imap_pair(parsed.data->first, "BODYSTRUCTURE");
}

/* "LEAF KIND NAME TYPE;" of each file, and how many leaves there are. */
static const char *files_of(const char *structure)
{
    static char out[4096];
    struct mail mail;
    struct err err;
    size_t length = 0, at = 0;
    const char *response = arena_printf(arena, "* 1 FETCH (UID 5 BODYSTRUCTURE %s)", structure);
    const char *outline = imap_outline(arena, structure_of(response, strlen(response)), &length);
    if (outline == NULL)
        return "none";
    CU_ASSERT_EQUAL_FATAL(mail_parse(arena, outline, length, NULL, &mail, &err), 0);
    for (size_t i = 0; i < mail.part_count && at < sizeof out; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%d %d %s %s;", mail.parts[i].leaf,
                               (int)mail.parts[i].kind, mail.parts[i].name, mail.parts[i].type);
    snprintf(out + at, sizeof out - at, "%d", mail.leaf_count);
    return out;
}

#define TEXT  "(\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 20 2 NIL NIL NIL NIL)"
#define MIXED " \"mixed\" (\"boundary\" \"=-x\") NIL NIL NIL)"
#define PDF(params)                                                                                \
    "(\"APPLICATION\" \"PDF\" NIL NIL NIL \"base64\" 999 NIL (\"attachment\" " params ") NIL NIL)"

static void test_files(void)
{
    static const struct {
        const char *structure, *files;
    } cases[] = {
        {TEXT, "1"},
        {"(" TEXT PDF("(\"FILENAME\" \"a.pdf\")") PDF("(\"filename\" \"b.pdf\")") MIXED,
         "1 0 a.pdf application/pdf;2 0 b.pdf application/pdf;3"},
        {"(" TEXT PDF("(\"filename*\" \"utf-8''M%C3%A4rz.pdf\")") MIXED,
         "1 0 M\xc3\xa4rz.pdf application/pdf;2"},
        {"(" TEXT PDF("(\"filename*0\" \"long \" \"filename*1\" \"name.pdf\")") MIXED,
         "1 0 long name.pdf application/pdf;2"},
        {"(" TEXT PDF("(\"filename\" \"=?utf-8?q?M=C3=A4rz?=.pdf\")") MIXED,
         "1 0 M\xc3\xa4rz.pdf application/pdf;2"},
        {"(" TEXT PDF("NIL") MIXED, "1 0  application/pdf;2"},
        /* A picture that the HTML shows, in a mail of two forms; a text behind it; a named one. */
        {"((" TEXT "((\"text\" \"html\" NIL NIL NIL \"7bit\" 9 1)(\"image\" \"png\" (\"name\" "
         "\"l.png\") \"<l@x>\" NIL \"base64\" 9) \"related\") \"alternative\")" TEXT
         "(\"text\" \"plain\" (\"name\" \"n.txt\") NIL NIL \"7bit\" 9 1 NIL (\"inline\" "
         "NIL))" MIXED,
         "2 1 l.png image/png;4 0 n.txt text/plain;5"},
        /* An attached mail, with a file in it that nobody tells. */
        {"(" TEXT "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 900 (\"Mon, 2 Nov 2026\" \"our "
         "order\" NIL NIL NIL NIL NIL NIL NIL \"<i@x>\") (" TEXT PDF("NIL") MIXED
         " 30 NIL (\"attachment\" NIL))" PDF("(\"filename\" \"a.pdf\")") MIXED,
         "1 5 our order.eml message/rfc822;2 0 a.pdf application/pdf;3"},
        /* What no server should send. */
        {"NIL", "none"},
        {"()", "0 0  application/octet-stream;1"},
        {"(\"x\")", "0 0  x/octet-stream;1"},
        {"(\"message\" \"rfc822\")", "0 5 mail.eml message/rfc822;1"},
        {"((()) ())", "0 0  application/octet-stream;1 0  application/octet-stream;2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *files = files_of(cases[i].structure);
        if (strcmp(files, cases[i].files) != 0)
            printf("\n    case %zu: %s", i, files);
        CU_ASSERT_STRING_EQUAL(files, cases[i].files);
        arena_reset(arena);
    }
}

/* A name that would end its line, its quotes or its part. */
static void test_a_name_is_a_name(void)
{
    static const char response[] =
        "* 1 FETCH (BODYSTRUCTURE (" TEXT "(\"a/b;c=\" \"p\\\"d f\" NIL {14}\r\n<i>\r\nSubject: "
        " NIL \"base64\" 9 NIL (\"attachment\" (\"filename\" {41}\r\n"
        "a\"\r\n--outline-0001--\r\n\r\nSubject: x\r\ny.pdf)))" MIXED ")";
    struct mail mail;
    struct err err;
    size_t length = 0;
    const char *outline = imap_outline(arena, structure_of(response, sizeof response - 1), &length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(outline);
    CU_ASSERT_EQUAL_FATAL(mail_parse(arena, outline, length, NULL, &mail, &err), 0);
    CU_ASSERT_EQUAL(mail.leaf_count, 2);
    CU_ASSERT_EQUAL_FATAL(mail.part_count, 1);
    CU_ASSERT_STRING_EQUAL(mail.parts[0].type, "abc/pdf");
    CU_ASSERT_STRING_EQUAL(mail.parts[0].name, "a_--outline-0001--Subject_ xy.pdf");
    CU_ASSERT_STRING_EQUAL(mail.subject, "");
}

static void test_bounds(void)
{
    struct strbuf all;
    struct mail mail;
    struct err err;
    size_t length = 0;
    strbuf_init(&all, (size_t)4 << 20);
    strbuf_add_text(&all, "* 1 FETCH (BODYSTRUCTURE (");
    for (int i = 0; i < 1000; i++) {
        strbuf_add_text(&all,
                        "(\"application\" \"pdf\" NIL NIL NIL \"base64\" 9 NIL (\"attachment\" "
                        "(\"filename\" \"");
        for (int j = 0; j < 2000; j++)
            strbuf_add_char(&all, 'n');
        strbuf_add_text(&all, "\")))");
    }
    strbuf_add_text(&all, MIXED ")");
    const char *outline = imap_outline(arena, structure_of(all.data, all.length), &length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(outline);
    CU_ASSERT_TRUE(length <= IMAP_OUTLINE_MAX);
    CU_ASSERT_EQUAL_FATAL(mail_parse(arena, outline, length, NULL, &mail, &err), 0);
    CU_ASSERT_EQUAL(mail.part_count, MAIL_PARTS_MAX - 1);
    strbuf_fini(&all);
}

int main(void)
{
    CU_initialize_registry();
    arena = arena_new();
    CU_pSuite suite = CU_add_suite("mail/imap_outline", NULL, NULL);
    CU_add_test(suite, "files", test_files);
    CU_add_test(suite, "a name is a name", test_a_name_is_a_name);
    CU_add_test(suite, "bounds", test_bounds);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(&arena);
    return failures > 0 ? 1 : 0;
}
