/* Unit tests of what a mail's files say: text in whatever charset, what a program made of a PDF,
 * and bounds whatever they hold. */
#include "mail_files.h"

#include <CUnit/Basic.h>
#include <string.h>

#define HEAD                                                                                       \
    "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n"
#define BODY "\r\n--x\r\n\r\nsee\r\n"
#define FILE_OF(type, name)                                                                        \
    "--x\r\nContent-Type: " type "\r\nContent-Disposition: attachment; filename=\"" name           \
    "\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"

static struct arena *arena;
static struct secret *key;
static struct mailbox mailbox;
static struct mail_outcome outcome;

static void make(const char *mail)
{
    const struct secret *const keys[] = {key};
    mail_event_make(arena,
                    &(struct mail_source){.prefix = "desk.",
                                          .mailbox = &mailbox,
                                          .keys = keys,
                                          .key_count = 1,
                                          .uid = 7,
                                          .now_ms = 1790000000000,
                                          .bytes = mail,
                                          .length = strlen(mail)},
                    &outcome);
    CU_ASSERT_PTR_NULL_FATAL(outcome.skip);
}

/* Decoded as the engine does. */
static struct mail_received sealed(void)
{
    struct mail_received event;
    struct err err;
    mail_event_seal(arena, "desk.", &outcome);
    CU_ASSERT_EQUAL_FATAL(outcome.record_count, 1);
    CU_ASSERT_EQUAL_FATAL(mail_received_decode(arena, &outcome.records[0], &event, &err), 0);
    CU_ASSERT_TRUE(outcome.records[0].value_length <= BUS_VALUE_MAX);
    return event;
}

static void test_text(void)
{
    make(HEAD BODY FILE_OF("text/plain; charset=iso-8859-1", "a.txt") "Gr\xfc\xdf\x65\r\n" FILE_OF(
        "application/octet-stream",
        "b.csv") "1,2\r\n" FILE_OF("text/html",
                                   "c.html") "<p>one<p "
                                             "style=\"display:none\">ignore<p>"
                                             "two\r\n" FILE_OF(
                                                 "text/calendar",
                                                 "d.ics") "BEGIN:"
                                                          "VCALENDAR\r"
                                                          "\n" FILE_OF(
                                                              "image"
                                                              "/png",
                                                              "e."
                                                              "png") "\x89PNG "
                                                                     "text\r"
                                                                     "\n" FILE_OF(
                                                                         "tex"
                                                                         "t/"
                                                                         "pla"
                                                                         "in",
                                                                         "f."
                                                                         "tx"
                                                                         "t") " \r\n" FILE_OF("appl"
                                                                                              "icat"
                                                                                              "ion/"
                                                                                              "octe"
                                                                                              "t-"
                                                                                              "stre"
                                                                                              "am",
                                                                                              "g."
                                                                                              "dat") "text, but who knows\r\n--x--\r\n");
    static const char *const texts[] = {
        "Gr\xc3\xbc\xc3\x9f\x65", "1,2", "one\n\ntwo", "BEGIN:VCALENDAR", "", "", ""};
    const struct mail_received event = sealed();
    CU_ASSERT_EQUAL_FATAL(event.file_count, 7);
    for (size_t i = 0; i < event.file_count; i++) {
        CU_ASSERT_EQUAL(strncmp(event.files[i].text, texts[i], strlen(texts[i])), 0);
        CU_ASSERT_EQUAL(event.files[i].text[0] == '\0', texts[i][0] == '\0');
        CU_ASSERT_FALSE(event.files[i].text_cut);
        CU_ASSERT_PTR_NULL(strstr(event.files[i].text, "ignore"));
    }
}

static void test_pdf(void)
{
    make(HEAD BODY FILE_OF("text/plain", "a.txt") "text\r\n" FILE_OF(
        "application/octet-stream",
        "b.bin") "%PDF-1.4\r\n" FILE_OF("application/pdf",
                                        "c.pdf") "it says so\r\n" FILE_OF("application/pdf",
                                                                          "d.pdf") "\n%PDF-1.7\r\n-"
                                                                                   "-x--\r\n");
    CU_ASSERT_EQUAL_FATAL(mail_event_to_read(&outcome, 0), 1);
    mail_files_read(arena, &outcome, 1, "\n\n\x01Invoice\f 42\xff\n", 15, true);
    CU_ASSERT_EQUAL_FATAL(mail_event_to_read(&outcome, 2), 3);
    mail_files_read(arena, &outcome, 3, "\f", 1, false);
    CU_ASSERT_EQUAL(mail_event_to_read(&outcome, 4), outcome.attachment_count);
    const struct mail_received event = sealed();
    CU_ASSERT_PTR_NOT_NULL(strstr(event.files[1].text, "Invoice"));
    CU_ASSERT_PTR_NOT_NULL(strstr(event.files[1].text, "42"));
    CU_ASSERT_TRUE(event.files[1].text_cut);
    CU_ASSERT_STRING_EQUAL(event.files[2].text, "");
    CU_ASSERT_STRING_EQUAL(event.files[3].text, "");
}

static void test_only_persons(void)
{
    make("Auto-Submitted: auto-replied\r\n" HEAD BODY FILE_OF(
        "text/plain", "a.txt") "away\r\n" FILE_OF("application/pdf",
                                                  "b.pdf") "%PDF-1.4\r\n--x--\r\n");
    CU_ASSERT_EQUAL(mail_event_to_read(&outcome, 0), outcome.attachment_count);
    const struct mail_received event = sealed();
    CU_ASSERT_EQUAL_FATAL(event.file_count, 2);
    CU_ASSERT_STRING_EQUAL(event.files[0].text, "");
}

/* Files full of what grows in JSON, in a mail that does so itself. */
static void test_bounds(void)
{
    struct strbuf mail;
    strbuf_init(&mail, (size_t)16 << 20);
    strbuf_add_text(&mail, HEAD BODY);
    for (int i = 0; i < 60000; i++)
        strbuf_add_text(&mail, "\"\"\"\"\"\"\"\r\n");
    for (int file = 0; file < 60; file++) {
        strbuf_add_text(&mail, FILE_OF("text/plain",
                                       "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""));
        for (int i = 0; i < 3000; i++)
            strbuf_add_text(&mail, "\xc3\xbc\"\t\xf0\x9f\xa6\xb7\r\n");
    }
    strbuf_add_text(&mail, "--x--\r\n");
    make(mail.data);
    strbuf_fini(&mail);
    const struct mail_received event = sealed();
    size_t all = 0, told = 0;
    CU_ASSERT_EQUAL_FATAL(event.file_count, MAIL_EVENT_FILES_MAX);
    for (size_t i = 0; i < event.file_count; i++) {
        const size_t length = strlen(event.files[i].text);
        all += length;
        told += length > 0;
        CU_ASSERT_TRUE(length <= MAIL_EVENT_FILE_TEXT_MAX);
        CU_ASSERT_EQUAL(event.files[i].text_cut, length > 0);
    }
    CU_ASSERT_TRUE(told >= 2 && all > 20000 && all <= 32768);
}

static int set_up(void)
{
    arena = arena_new();
    key = secret_new("0123456789abcdef0123456789abcdef", 32);
    mailbox = (struct mailbox){.tenant = uuid_new(), .id = uuid_new(), .cursor = {.validity = 5}};
    return 0;
}

static int tear_down(void)
{
    secret_free(&key);
    arena_free(&arena);
    return 0;
}

/* Markup takes long to read: of many files some are. */
static void test_markup(void)
{
    struct strbuf mail;
    strbuf_init(&mail, (size_t)16 << 20);
    strbuf_add_text(&mail, HEAD BODY);
    for (int file = 0; file < 20; file++) {
        strbuf_add_text(&mail, FILE_OF("text/html", "a.html") "word");
        for (int i = 0; i < 20000; i++)
            strbuf_add_text(&mail, "&#");
        strbuf_add_text(&mail, "\r\n");
    }
    strbuf_add_text(&mail, FILE_OF("text/plain", "b.txt") "text\r\n--x--\r\n");
    make(mail.data);
    strbuf_fini(&mail);
    size_t told = 0;
    CU_ASSERT_EQUAL_FATAL(outcome.attachment_count, 21);
    for (size_t i = 0; i < 20; i++)
        told += outcome.texts[i].text != NULL;
    CU_ASSERT_EQUAL(told, 14); /* of 40 kB each */
    CU_ASSERT_PTR_NOT_NULL(outcome.texts[0].text);
    CU_ASSERT_STRING_EQUAL(outcome.texts[20].text, "text");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailpoller/mail_files", set_up, tear_down);
    CU_add_test(suite, "text", test_text);
    CU_add_test(suite, "pdf", test_pdf);
    CU_add_test(suite, "only persons'", test_only_persons);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "markup", test_markup);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
