/* Unit tests of the answer's text: each mail of tests/data/mail/reply gives the text of the file
 * beside it. The mails are what 20 mail programs write in 14 languages, with the answer above,
 * below and between what it quotes, and mails of which all must be kept. */
#include "mail/reply.h"

#include <dirent.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "unit/common/mail/mail_files.h"

static void check_file(const char *name)
{
    struct arena *arena = arena_new();
    struct mail mail;
    struct mail_text whole;
    struct mail_reply reply;
    size_t length;
    mail_read_file(arena, arena_printf(arena, "reply/%s.eml", name), &mail, &whole);
    char *wanted = mail_file(arena, arena_printf(arena, "reply/%s.new", name), &length);
    while (length > 0 && wanted[length - 1] == '\n')
        wanted[--length] = '\0';
    mail_reply_read(arena, &whole, mail.subject, &reply);
    if (strcmp(reply.text, wanted) != 0)
        fprintf(stderr, "\n%s (%s) gave\n%s\n---- wanted\n%s\n---- of\n%s\n", name, reply.rule,
                reply.text, wanted, whole.text);
    CU_ASSERT_STRING_EQUAL(reply.text, wanted);
    arena_free(&arena);
}

static void test_corpus(void)
{
    DIR *folder = opendir(MAIL_FILES "reply");
    int count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[100];
        const char *end = strrchr(entry->d_name, '.');
        if (end == NULL || strcmp(end, ".eml") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        check_file(name);
        count++;
    }
    closedir(folder);
    CU_ASSERT(count >= 40);
}

static void read_plain(struct arena *arena, const char *text, const char *subject,
                       struct mail_reply *out)
{
    const struct mail_text whole = {.text = text};
    mail_reply_read(arena, &whole, subject, out);
    CU_ASSERT(text_is_utf8(out->text, strlen(out->text)));
}

static void test_shapes(void)
{
    static const struct {
        const char *text;
        enum mail_reply_shape shape;
        bool signature_cut;
        const char *wanted;
    } cases[] = {
        {"", MAIL_REPLY_WHOLE, false, ""},
        {"\n \n", MAIL_REPLY_WHOLE, false, ""},
        {"yes", MAIL_REPLY_WHOLE, false, "yes"},
        {"yes\n\n\n\nplease\n\n", MAIL_REPLY_WHOLE, false, "yes\n\nplease"},
        {"yes\n> no\n", MAIL_REPLY_TOP, false, "yes"},
        {"> no\nyes\n", MAIL_REPLY_BOTTOM, false, "yes"},
        {"> a\n1\n> b\n2\n", MAIL_REPLY_INTERLEAVED, false, "> a\n1\n> b\n2"},
        {"hi\n> a\n1\n> b\n", MAIL_REPLY_INTERLEAVED, false, "hi\n> a\n1"},
        {"> only\n", MAIL_REPLY_WHOLE, false, "> only"},
        {"yes\n-- \nThe gate\n", MAIL_REPLY_WHOLE, true, "yes"},
        {"yes\n--\nThe gate\n> no\n", MAIL_REPLY_TOP, true, "yes"},
        {"-- \nThe gate\n", MAIL_REPLY_WHOLE, false, "--\nThe gate"},
        {"--\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n", MAIL_REPLY_WHOLE, false,
         "--\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13"},
        {"Sent from my iPhone\n", MAIL_REPLY_WHOLE, false, "Sent from my iPhone"},
        {"Sent from my iPhone\nyes\n", MAIL_REPLY_WHOLE, false, "Sent from my iPhone\nyes"},
        {"5 > 4\n", MAIL_REPLY_WHOLE, false, "5 > 4"},
        {"see below\n> a\n> 1\n", MAIL_REPLY_WHOLE, false, "see below\n> a\n> 1"},
        {"(see “below”)\n> a\n", MAIL_REPLY_WHOLE, false, "(see “below”)\n> a"},
        {"belows\n> a\n", MAIL_REPLY_TOP, false, "belows"},
        {"请见下面。\n> a\n", MAIL_REPLY_WHOLE, false, "请见下面。\n> a"},
        {"Dear Ann,\n\n> a\n", MAIL_REPLY_WHOLE, false, "Dear Ann,\n\n> a"},
        {"It is so.\nThanks,\n> a\n", MAIL_REPLY_TOP, false, "It is so.\nThanks,"},
        {"yes\nOn May 3 at 10:30 Ann wrote:\nno\n", MAIL_REPLY_WHOLE, false,
         "yes\nOn May 3 at 10:30 Ann wrote:\nno"},
        {"yes\nOn May 3, 2026 at 10:30 Ann wrote:\nno\n", MAIL_REPLY_TOP, false, "yes"},
        {"yes\nOn May 3, 2026 at 10:30 you wrote:\nno\n", MAIL_REPLY_WHOLE, false,
         "yes\nOn May 3, 2026 at 10:30 you wrote:\nno"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail_reply reply;
        read_plain(arena, cases[i].text, "Re: x", &reply);
        if (strcmp(reply.text, cases[i].wanted) != 0 || reply.shape != cases[i].shape)
            fprintf(stderr, "\n%s\ngave (%d)\n%s\n", cases[i].text, (int)reply.shape, reply.text);
        CU_ASSERT_STRING_EQUAL(reply.text, cases[i].wanted);
        CU_ASSERT_EQUAL(reply.shape, cases[i].shape);
        CU_ASSERT_EQUAL(reply.signature_cut, cases[i].signature_cut);
        arena_free(&arena);
    }
}

/* The row that found a quote is named. */
static void test_rules(void)
{
    static const struct {
        const char *text, *rule;
    } cases[] = {
        {"ja\nOp ma 2 nov 2026 om 10:02 schreef Receptie <d@clinic.example>:\n> x\n", "nl"},
        {"kyllä\nma 2. marrask. 2026 klo 10.02 Vastaanotto (d@clinic.example) kirjoitti:\n> x\n",
         "fi"},
        {"igen\nRecepció <d@clinic.example> ezt írta (időpont: 2026. nov. 2., H, 10:02):\n> x\n",
         "hu"},
        {"da\nÎn lun., 2 nov. 2026 la 10:02, Recepție <d@clinic.example> a scris:\n> x\n", "ro"},
        {"ναι\nΣτις Δευ 2 Νοε 2026 στις 10:02 μ.μ., ο χρήστης <d@clinic.example> έγραψε:\n> x\n",
         "el"},
        {"так\nпн, 2 лист. 2026 р. о 10:02 Приймальня <d@clinic.example> пише:\n> x\n", "uk"},
        {"כן\n\xe2\x80\xab"
         "בתאריך יום ב׳ 2 בנוב׳ 2026 ב-10:02 מאת קבלה <d@clinic.example> כתב:\n> x\n",
         "he"},
        {"ja\n-----Oorspronkelijk bericht-----\nVan: Receptie\nx\n", "nl"},
        {"sí\n-----Mensaje original-----\nDe: Recepción\nx\n", "es"},
        {"oui\n-----Message d'origine-----\nDe : Accueil\nx\n", "fr"},
        {"tak\n-----Wiadomość oryginalna-----\nOd: Recepcja\nx\n", "pl"},
        {"sim\nDe: Recepção <d@clinic.example>\nEnviada em: 2 de novembro\nPara: c\nAssunto: "
         "x\n\ny",
         "headers"},
        {"evet\nKimden: Resepsiyon <d@clinic.example>\nGönderildi: 2 Kas\nKime: c\nKonu: x\n\ny",
         "headers"},
        {"はい\n差出人: 受付 <d@clinic.example>\n送信日時: 11月2日\n宛先: c\n件名: x\n\ny",
         "headers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail_reply reply;
        read_plain(arena, cases[i].text, "Re: x", &reply);
        if (strstr(reply.rule, cases[i].rule) == NULL || reply.shape != MAIL_REPLY_TOP)
            fprintf(stderr, "\n%s\nby \"%s\" gave\n%s\n", cases[i].text, reply.rule, reply.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(reply.rule, cases[i].rule));
        CU_ASSERT_EQUAL(reply.shape, MAIL_REPLY_TOP);
        arena_free(&arena);
    }
}

/* Texts that make a careless matcher slow or greedy. */
static void test_hostile(void)
{
    static const char *const lines[] = {
        "On x:\n", "From: x\n", "> \n",           "--\n",        "On Mon wrote",
        "a: b\n",  "----- \n",  ">>>>>>>>>>>>\n", "A\xcc\x81\n", "On 1 wrote:\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arena *arena = arena_new();
        struct strbuf text;
        struct mail_reply reply;
        strbuf_init(&text, MAIL_BODY_MAX);
        while (!text.overflow)
            strbuf_add_text(&text, lines[i]);
        int64_t start = clock_mono_ms();
        read_plain(arena, text.data, "Re: x", &reply);
        CU_ASSERT(clock_mono_ms() - start < 20000); /* a quadratic one takes minutes */
        CU_ASSERT(reply.text[0] != '\0');
        strbuf_fini(&text);
        arena_free(&arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("reply", NULL, NULL);
    CU_add_test(suite, "the corpus gives what is new", test_corpus);
    CU_add_test(suite, "shapes of answers", test_shapes);
    CU_add_test(suite, "the rule is named", test_rules);
    CU_add_test(suite, "hostile texts take no long time", test_hostile);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
