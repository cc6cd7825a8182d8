/* Unit tests of commands to an IMAP server: no argument gets out of its place, literals wait for
 * the server where they must, mailbox names are what RFC 3501 says. */
#include "mail/imap_write.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

/* The parts of LOGIN with this user, joined with "|". */
static void login(const char *user, size_t length, enum imap_literals literals, char out[8192])
{
    struct imap_command command;
    size_t used = 0;
    const char *part;
    imap_command_begin(&command, "A1", "LOGIN");
    imap_command_string(&command, user, length, literals);
    imap_command_words(&command, "%d", 7);
    imap_command_end(&command);
    CU_ASSERT_FALSE(command.bad);
    while ((part = imap_command_part(&command, &length)) != NULL) {
        memcpy(out + used, part, length);
        used += length;
        out[used++] = '|';
    }
    out[used] = '\0';
    imap_command_fini(&command);
    imap_command_fini(&command);
}

static void test_strings(void)
{
    static const struct {
        const char *user;
        enum imap_literals literals;
        const char *wanted;
    } cases[] = {
        {"", IMAP_LITERAL_WAIT, "A1 LOGIN \"\" 7\r\n|"},
        {"ann", IMAP_LITERAL_WAIT, "A1 LOGIN \"ann\" 7\r\n|"},
        {"a \"b\\c", IMAP_LITERAL_WAIT, "A1 LOGIN \"a \\\"b\\\\c\" 7\r\n|"},
        {"x\" y\r\nA2 LOGOUT", IMAP_LITERAL_WAIT, "A1 LOGIN {15}\r\n|x\" y\r\nA2 LOGOUT 7\r\n|"},
        {"\xc3\xa9", IMAP_LITERAL_WAIT, "A1 LOGIN {2}\r\n|\xc3\xa9 7\r\n|"},
        {"\xc3\xa9", IMAP_LITERAL_MINUS, "A1 LOGIN {2+}\r\n\xc3\xa9 7\r\n|"},
        {"\xc3\xa9", IMAP_LITERAL_PLUS, "A1 LOGIN {2+}\r\n\xc3\xa9 7\r\n|"},
    };
    char out[8192];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        login(cases[i].user, strlen(cases[i].user), cases[i].literals, out);
        CU_ASSERT_STRING_EQUAL(out, cases[i].wanted);
    }
    char large[4098];
    memset(large, 'x', sizeof large);
    login(large, 1001, IMAP_LITERAL_WAIT, out);
    CU_ASSERT_EQUAL(strncmp(out, "A1 LOGIN {1001}\r\n|xx", 20), 0);
    login(large, 4096, IMAP_LITERAL_MINUS, out);
    CU_ASSERT_EQUAL(strncmp(out, "A1 LOGIN {4096+}\r\nxx", 20), 0);
    login(large, 4097, IMAP_LITERAL_MINUS, out);
    CU_ASSERT_EQUAL(strncmp(out, "A1 LOGIN {4097}\r\n|xx", 20), 0);
}

static void test_what_cannot_be_written(void)
{
    struct imap_command command;
    imap_command_begin(&command, "A1", "LOGIN");
    imap_command_string(&command, "a\0b", 3, IMAP_LITERAL_PLUS);
    CU_ASSERT_TRUE(command.bad);
    imap_command_fini(&command);
    imap_command_begin(&command, "A1", "X");
    for (int i = 0; i <= IMAP_STOPS_MAX; i++)
        imap_command_literal(&command, "y", 1, IMAP_LITERAL_WAIT);
    CU_ASSERT_TRUE(command.bad);
    imap_command_fini(&command);
}

static void test_mailbox_names(void)
{
    static const struct {
        const char *name, *wanted; /* NULL: refused */
    } cases[] = {
        {"INBOX", "INBOX"},
        {"a&b", "a&-b"},
        {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
        {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
         "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
        {"\xf0\x9f\x93\xa7", "&2D3c5w-"},
        {"", NULL},
        {"a\r\nb", NULL},
        {"\xff", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf out;
        strbuf_init(&out, 100);
        CU_ASSERT_EQUAL(imap_mailbox_name(&out, cases[i].name), cases[i].wanted != NULL);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].wanted != NULL ? cases[i].wanted : "");
        strbuf_fini(&out);
    }
    char large[IMAP_NAME_MAX + 2];
    struct strbuf out;
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    strbuf_init(&out, 2000);
    CU_ASSERT_FALSE(imap_mailbox_name(&out, large));
    CU_ASSERT_EQUAL(out.length, 0);
    strbuf_fini(&out);
}

static void test_dates(void)
{
    char out[IMAP_DATE_SIZE];
    CU_ASSERT_STRING_EQUAL(imap_date(0, out), "1-Jan-1970");
    CU_ASSERT_STRING_EQUAL(imap_date(1769904000000 - 1, out), "31-Jan-2026");
    CU_ASSERT_STRING_EQUAL(imap_date(1769904000000, out), "1-Feb-2026");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/imap_write", NULL, NULL);
    CU_add_test(suite, "strings", test_strings);
    CU_add_test(suite, "what cannot be written", test_what_cannot_be_written);
    CU_add_test(suite, "mailbox names", test_mailbox_names);
    CU_add_test(suite, "dates", test_dates);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
