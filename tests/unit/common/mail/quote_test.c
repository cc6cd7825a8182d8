/* Unit tests of what a reply quotes: the words above it, where it is cut, and that our own reader
 * cuts all of it again, from our mail and from the customer's answer to it. */
#include "mail/quote.h"

#include "mail/compose.h"
#include "mail/reply.h"
#include "unit/common/mail/mail_files.h"

static const char *const languages[] = {"en", "de", "fr", "es", "it", "pt", "nl",
                                        "pl", "sv", "da", "no", "nb", "ja", "en-US"};
#define LANGUAGES (sizeof languages / sizeof *languages)

static struct arena *arena;

static int open_arena(void)
{
    arena = arena_new();
    return 0;
}

static int close_arena(void)
{
    arena_free(&arena);
    return 0;
}

static void test_intros(void)
{
    static const struct {
        const char *language, *when, *wanted;
    } cases[] = {
        {"en", "2026-11-02 10:15", "On 2026-11-02 at 10:15, ann@mail.example wrote:"},
        {"de-CH", "2026-11-02 10:15", "Am 02.11.2026 um 10:15 schrieb ann@mail.example:"},
        {"FR", "2026-11-02 00:05", "Le 02/11/2026 à 00:05, ann@mail.example a écrit :"},
        {"es_MX", "2026-11-02 10:15", "El 02/11/2026 a las 10:15, ann@mail.example escribió:"},
        {"ja", "2026-11-02 10:15", "On 2026-11-02 at 10:15, ann@mail.example wrote:"},
        {"des", "2026-11-02 10:15", "On 2026-11-02 at 10:15, ann@mail.example wrote:"},
        {"", "2026-11-02 10:15", "On 2026-11-02 at 10:15, ann@mail.example wrote:"},
        {"en", "", ""},
        {"en", "12026-11-02 10:15", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_STRING_EQUAL(
            mail_quote_intro(arena, cases[i].language, cases[i].when, "ann@mail.example"),
            cases[i].wanted);
}

/* Of `length` bytes: lines of eight, or the same without any white space. */
static const char *long_text(size_t length, bool has_lines)
{
    char *text = arena_alloc(arena, length + 1);
    for (size_t i = 0; i < length; i++)
        text[i] = has_lines && i % 8 == 7 ? '\n' : 'x';
    text[length] = '\0';
    return text;
}

static void test_texts(void)
{
    static const char *const cases[][2] = {
        {"", ""},
        {" \n\t\n", ""},
        {"one", "one"},
        {"\n\n  one\n> two\n\n", "  one\n> two"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_STRING_EQUAL(mail_quote_text(arena, cases[i][0]), cases[i][1]);
    const char *whole = long_text(MAIL_QUOTE_MAX, false);
    CU_ASSERT_STRING_EQUAL(mail_quote_text(arena, whole), whole);
    CU_ASSERT_STRING_EQUAL(mail_quote_text(arena, arena_printf(arena, "%s \n", whole)), whole);
    const char *cut = mail_quote_text(arena, long_text(MAIL_QUOTE_MAX + 1, false));
    CU_ASSERT_EQUAL(strlen(cut), MAIL_QUOTE_MAX + strlen("\n[...]"));
    cut = mail_quote_text(arena, long_text(3 * MAIL_QUOTE_MAX, true));
    CU_ASSERT_EQUAL(strlen(cut), MAIL_QUOTE_MAX - 1 + strlen("\n[...]"));
    CU_ASSERT_STRING_EQUAL(cut + strlen(cut) - 13, "xxxxxxx\n[...]");
    /* Never between the bytes of one character. */
    cut = mail_quote_text(arena,
                          arena_printf(arena, "%s\xc3\xa4", long_text(MAIL_QUOTE_MAX - 1, false)));
    CU_ASSERT_TRUE(text_is_utf8(cut, strlen(cut)));
}

/* ---- round trips ---- */

static const char ours[] = "Guten Tag,\n\nwe open at nine: come in.\n\nYours\nThe clinic";
static const char theirs[] = "when do you open?\n\nAnd on Saturday?\n> an older one";

static void reply_in(const char *language, struct mail *mail)
{
    static const struct mail_address customer = {"", "ann@mail.example"};
    struct mail_draft draft = {
        .from = {"The clinic", "desk@clinic.example"},
        .to = {&customer, 1},
        .message_id = "d1@clinic.example",
        .in_reply_to = "m1@mail.example",
        .subject = "Re: Opening hours",
        .author = MAIL_AUTHOR_ANSWER,
        .text = ours,
        .quote_intro = mail_quote_intro(arena, language, "2026-11-02 10:15", customer.address),
        .quote = mail_quote_text(arena, theirs),
        .language = language,
    };
    struct strbuf out;
    struct err err;
    strbuf_init(&out, MAIL_COMPOSE_MAX);
    CU_ASSERT_EQUAL_FATAL(mail_compose(&draft, &out, &err), 0);
    mail_read(arena, arena_strndup(arena, out.data, out.length), out.length, NULL, mail);
    strbuf_fini(&out);
    CU_ASSERT_EQUAL_FATAL(mail->section_count, 1);
}

static void check_new(const char *about, const struct mail_section *section, const char *wanted,
                      enum mail_reply_shape shape)
{
    struct mail mail = {.subject = "Re: Opening hours", .sections = section, .section_count = 1};
    struct mail_text text;
    struct mail_reply reply;
    mail_body_read(arena, &mail, &text);
    mail_reply_read(arena, &text, mail.subject, &reply);
    if (strcmp(reply.text, wanted) != 0 || reply.shape != shape)
        fprintf(stderr, "\n%s: of\n%s\nis new (shape %d):\n%s\n", about, text.text,
                (int)reply.shape, reply.text);
    CU_ASSERT_STRING_EQUAL(reply.text, wanted);
    CU_ASSERT_EQUAL(reply.shape, shape);
}

/* Our mail comes back, or is read from the folder of sent ones. */
static void test_our_own_mail(void)
{
    for (size_t i = 0; i < LANGUAGES; i++) {
        struct mail mail;
        reply_in(languages[i], &mail);
        struct mail_section plain = {.plain = mail.sections[0].plain},
                            html = {.html = mail.sections[0].html,
                                    .html_length = mail.sections[0].html_length};
        check_new(languages[i], &plain, ours, MAIL_REPLY_TOP);
        check_new(languages[i], &html, ours, MAIL_REPLY_TOP);
    }
}

/* `text` with ">" before each of its lines. */
static const char *quoted(const char *text)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n')
        strbuf_printf(&out, "> %.*s\n", (int)strcspn(line, "\n"), line);
    const char *result = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return result;
}

/* The customer answers above it, below it, with a program that marks no line, and in HTML. */
static void test_answers_to_it(void)
{
    static const char intro[] =
        "On Mon, 2 Nov 2026 at 11:00, The clinic <desk@clinic.example> wrote:";
    static const char headers[] = "From: The clinic <desk@clinic.example>\n"
                                  "Sent: Monday, 2 November 2026 11:00\nTo: ann@mail.example\n"
                                  "Subject: Re: Opening hours";
    for (size_t i = 0; i < LANGUAGES; i++) {
        struct mail mail;
        reply_in(languages[i], &mail);
        const char *plain = mail.sections[0].plain, *html = mail.sections[0].html;
        struct mail_section top = {.plain = arena_printf(arena, "Thank you!\n\n%s\n%s", intro,
                                                         quoted(plain))},
                            bottom = {.plain = arena_printf(arena, "%s\n%s\nThank you!\n", intro,
                                                            quoted(plain))},
                            outlook = {.plain = arena_printf(arena, "Thank you!\n\n%s\n\n%s",
                                                             headers, plain)};
        const char *page = arena_printf(arena,
                                        "<div>Thank you!</div><div class=\"gmail_quote\">%s<br>"
                                        "<blockquote class=\"gmail_quote\">%s</blockquote></div>",
                                        "On Monday &lt;desk@clinic.example&gt; wrote:", html);
        struct mail_section gmail = {.html = page, .html_length = strlen(page)};
        check_new(languages[i], &top, "Thank you!", MAIL_REPLY_TOP);
        check_new(languages[i], &bottom, "Thank you!", MAIL_REPLY_BOTTOM);
        check_new(languages[i], &outlook, "Thank you!", MAIL_REPLY_TOP);
        check_new(languages[i], &gmail, "Thank you!", MAIL_REPLY_TOP);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("quote", open_arena, close_arena);
    CU_add_test(suite, "the line above it", test_intros);
    CU_add_test(suite, "where it is cut", test_texts);
    CU_add_test(suite, "our own mail", test_our_own_mail);
    CU_add_test(suite, "answers to it", test_answers_to_it);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
