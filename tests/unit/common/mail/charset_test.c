/* Unit tests of charsets: what is declared, what is meant, what is neither. */
#include "mail/charset.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define BAD "\xef\xbf\xbd"

static void test_charsets(void)
{
    static const struct {
        const char *charset, *bytes, *wanted;
    } cases[] = {
        {"utf-8", "Gr\xc3\xbc\xc3\x9f", "Grüß"},
        {"UTF8", "Gr\xc3\xbc", "Grü"},
        {"utf-8", "Gr\xfc\xdf", "Grüß"},                 /* windows-1252 in truth */
        {"utf-8", "Gr\xc3\xbc\xc3\x9f\xc3", "Grüß" BAD}, /* cut */
        {"utf-8", "\xed\xa0\x80 \xc3\xbc\xc3\xbc\xc3\xbc", BAD BAD BAD " üüü"}, /* a surrogate */
        {NULL, "Gr\xc3\xbc", "Grü"},
        {"", "Gr\xfc", "Grü"},
        {"us-ascii", "\x80 5", "€ 5"},
        {"iso-8859-1", "\x80 5", "€ 5"},
        {"iso-8859-1", "Gr\xc3\xbc", "Grü"}, /* UTF-8 in truth */
        {"iso-8859-2", "\xb1", "ą"},
        {"koi8-r", "\xf0\xd2\xc9", "При"},
        {"windows-1251", "\xcf\xf0\xe8", "При"},
        {"gb2312", "\xd4\xa4", "预"},
        {"shift_jis", "\x97\x5c", "予"},
        {"iso-2022-jp", "\x1b$BM=\x1b(B", "予"},
        {"ks_c_5601-1987", "\xbf\xb9", "예"},
        {"utf-7", "+ADw-", "+ADw-"},
        {"x-klingon", "\xc3\xbc", "ü"},
        {"x-klingon", "\xfc", "ü"},
        {"../../x", "\xfc", "ü"},
        {"utf-8//IGNORE", "\xfc", "ü"},
        {"koi8-r",
         "a\r\nb\rc\x01"
         "d\x7f\te\f",
         "a\nb\nc"
         "d\te\n"},
        {"big5", "\xff", BAD},
        {"windows-1252", "\x81", BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        mail_charset_decode(cases[i].charset, cases[i].bytes, strlen(cases[i].bytes), &out);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].wanted);
        CU_ASSERT_FALSE(out.overflow);
        strbuf_fini(&out);
    }
}

/* Any bytes under any charset are well-formed text, cut or not. */
static void test_any_bytes(void)
{
    static const char *const charsets[] = {"utf-8",  "iso-2022-jp", "utf-16", "big5", "gb18030",
                                           "euc-jp", "utf-32",      "koi8-u", "hz",   "utf-7",
                                           "cp949",  "unicode",     "ucs-2",  NULL,   "hz-gb-2312"};
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        char bytes[300];
        struct strbuf out;
        size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)(rand_r(&seed) % (round % 2 == 0 ? 256 : 64));
        strbuf_init(&out, round % 3 == 0 ? 50 : 2000);
        mail_charset_decode(charsets[(size_t)round % (sizeof charsets / sizeof charsets[0])], bytes,
                            length, &out);
        CU_ASSERT(text_is_utf8(out.data, out.length));
        strbuf_fini(&out);
    }
}

static void test_meta(void)
{
    static const struct {
        const char *html, *wanted;
    } cases[] = {
        {"<meta charset=utf-8>", "utf-8"},
        {"<meta http-equiv=x content=\"text/html; charset=windows-1251\">", "windows-1251"},
        {"<META CHARSET=\"KOI8-R\">", "KOI8-R"},
        {"<p>no</p>", ""},
        {"charset=", ""},
        {"", ""},
        {"charset=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[48];
        mail_charset_of_html(cases[i].html, strlen(cases[i].html), name);
        CU_ASSERT_STRING_EQUAL(name, cases[i].wanted);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("charset", NULL, NULL);
    CU_add_test(suite, "charsets", test_charsets);
    CU_add_test(suite, "any bytes", test_any_bytes);
    CU_add_test(suite, "meta", test_meta);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
