/* Unit tests of the sender's verification: only the named server's topmost header counts, whatever
 * else a mail carries. */
#include "mail/authres.h"

#include "base/strbuf.h"
#include "unit/common/mail/mail_files.h"

#define GMAIL                                                                                      \
    "Authentication-Results: mx.provider.example;\n\tdkim=pass header.i=@example.com "             \
    "header.s=s1 header.b=abc header.d=example.com;\n\tspf=pass (provider: domain of "             \
    "a@example.com designates 192.0.2.1; dmarc=fail) smtp.mailfrom=a@example.com;\n\t"             \
    "dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=example.com\n"
#define MICROSOFT                                                                                  \
    "Authentication-Results: spf=pass (sender IP is 192.0.2.1)\n smtp.mailfrom=example.com; "      \
    "dkim=fail (no key)\n header.d=example.com;dmarc=pass action=none\n "                          \
    "header.from=example.com;compauth=pass reason=100\n"
#define FORGED "Authentication-Results: evil.example; dmarc=pass header.from=example.com\n"

static void read_auth(const char *headers, const char *const *trusted, size_t count,
                      struct mail_auth *out)
{
    struct arena *arena = arena_new();
    struct mail mail;
    const char *bytes = arena_printf(arena, "%sSubject: x\n\nx\n", headers);
    mail_read(arena, bytes, strlen(bytes), NULL, &mail);
    mail_auth_read(arena, &mail, trusted, count, out);
    arena_free(&arena);
}

static void test_servers(void)
{
    static const char *const provider[] = {"other.example", "MX.provider.example"};
    static const char *const microsoft[] = {""};
    static const struct {
        const char *headers;
        const char *const *trusted;
        size_t count;
        bool found, verified;
    } cases[] = {
        {GMAIL "From: a@example.com\n", provider, 2, true, true},
        {GMAIL "From: a@EXAMPLE.com\n", provider, 2, true, true},
        {GMAIL "From: a@example.com\n", provider, 1, false, false},
        {GMAIL "From: a@example.com\n", NULL, 0, false, false},
        {GMAIL "From: a@example.org\n", provider, 2, true, false},
        {GMAIL "From: a@sub.example.com\n", provider, 2, true, false},
        {GMAIL "From: a@example.com\nFrom: b@example.com\n", provider, 2, true, false},
        {GMAIL "From: a@example.com, b@example.com\n", provider, 2, true, false},
        {MICROSOFT "From: a@example.com\n", microsoft, 1, true, true},
        {MICROSOFT "From: a@example.com\n", provider, 2, false, false},
        {FORGED "From: a@example.com\n", provider, 2, false, false},
        {FORGED "From: a@example.com\n", microsoft, 1, false, false},
        {FORGED GMAIL "From: a@example.com\n", provider, 2, true, true},
        {"From: a@example.com\n", provider, 2, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mail_auth auth;
        read_auth(cases[i].headers, cases[i].trusted, cases[i].count, &auth);
        CU_ASSERT_EQUAL(auth.found, cases[i].found);
        CU_ASSERT_EQUAL(auth.verified, cases[i].verified);
        if (auth.found != cases[i].found || auth.verified != cases[i].verified)
            fprintf(stderr, "\ncase %zu: %s", i, cases[i].headers);
    }
}

static void test_results(void)
{
    static const char *const trusted[] = {"mx.example"};
    static const struct {
        const char *value;
        enum mail_auth_result spf, dkim, dmarc;
        bool verified;
    } cases[] = {
        {"mx.example; none", 0, 0, 0, false},
        {"mx.example 1; spf=softfail smtp.mailfrom=example.com", MAIL_AUTH_UNSURE, 0, 0, false},
        {"mx.example; spf=pass smtp.mailfrom=a@example.com", MAIL_AUTH_PASS, 0, 0, true},
        {"mx.example; spf=pass smtp.mailfrom=a@relay.example", MAIL_AUTH_PASS, 0, 0, false},
        {"mx.example; dkim=fail header.d=example.com; dkim=pass header.d=example.com", 0,
         MAIL_AUTH_PASS, 0, true},
        {"mx.example; dkim=pass header.d=relay.example", 0, MAIL_AUTH_PASS, 0, false},
        {"mx.example; dkim/1=pass header.d=example.com", 0, MAIL_AUTH_PASS, 0, true},
        {"mx.example; dkim=pass header.d=example.com; dmarc=fail header.from=example.com", 0,
         MAIL_AUTH_PASS, MAIL_AUTH_FAIL, false},
        {"mx.example; dkim=pass header.d=example.com; dmarc=none header.from=example.com", 0,
         MAIL_AUTH_PASS, MAIL_AUTH_NONE, true},
        {"mx.example; dmarc=temperror header.from=example.com", 0, 0, MAIL_AUTH_UNSURE, false},
        {"mx.example; spf=pass reason=\"x; dmarc=pass header.from=example.com\" "
         "smtp.mailfrom=b@c.example",
         MAIL_AUTH_PASS, 0, 0, false},
        {"mx.example (a comment (nested) \\) ; dmarc=pass) ; dmarc=fail", 0, 0, MAIL_AUTH_FAIL,
         false},
        {"mx.example;;;= ; =pass; dmarc", 0, 0, 0, false},
        /* what a stranger's envelope says stands in it, in his own words */
        {"mx.example; spf=pass (sender is =?utf-8?Q?x=29=3B_dmarc=3Dpass_header.from=3Dexample.com"
         "_=28?=@evil.example) smtp.mailfrom=evil.example; dmarc=fail header.from=example.com",
         MAIL_AUTH_PASS, 0, MAIL_AUTH_FAIL, false},
        {"mx.example; spf=pass smtp.mailfrom==?utf-8?Q?x=3B_dmarc=3Dpass_header.from=3Dexample.com"
         "_?=@evil.example",
         MAIL_AUTH_PASS, 0, 0, false},
        {"mx.example; dmarc=pass header.from=example.com; dmarc=fail header.from=example.com", 0, 0,
         MAIL_AUTH_FAIL, false},
        {"mx.example; dmarc=fail header.from=example.com; dmarc=pass header.from=example.com", 0, 0,
         MAIL_AUTH_FAIL, false},
        {"mx.example; dmarc=none; dmarc=pass header.from=example.com", 0, 0, 0, false},
        {"mx.example; dmarc=pass header.from=example.com; dmarc=none", 0, 0, 0, false},
        {"mx.example; dmarc=pass header.from=example.com; dmarc=temperror", 0, 0, MAIL_AUTH_UNSURE,
         false},
        {"mx.example; dkim=pass header.d=example.com(.evil.example", 0, 0, 0, false},
        {"mx.example; dkim=pass header.d=example.com (a (b) ; dmarc=fail", 0, 0, 0, false},
        {"mx.example; dkim=pass header.d=example.com; x=\"; dmarc=fail", 0, 0, 0, false},
        {"mx.example; dkim=pass header.d=\"evil.\"example.com", 0, MAIL_AUTH_PASS, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail_auth auth;
        read_auth(arena_printf(arena, "Authentication-Results: %s\nFrom: a@example.com\n",
                               cases[i].value),
                  trusted, 1, &auth);
        if (auth.spf != cases[i].spf || auth.dkim != cases[i].dkim ||
            auth.dmarc != cases[i].dmarc || auth.verified != cases[i].verified)
            fprintf(stderr, "\n%s: %s %s %s\n", cases[i].value, mail_auth_name(auth.spf),
                    mail_auth_name(auth.dkim), mail_auth_name(auth.dmarc));
        CU_ASSERT_TRUE(auth.found);
        CU_ASSERT_EQUAL(auth.spf, cases[i].spf);
        CU_ASSERT_EQUAL(auth.dkim, cases[i].dkim);
        CU_ASSERT_EQUAL(auth.dmarc, cases[i].dmarc);
        CU_ASSERT_EQUAL(auth.verified, cases[i].verified);
        arena_free(&arena);
    }
}

/* What stands behind the last that is read might say the contrary. */
static void test_too_much(void)
{
    static const char *const trusted[] = {"mx.example"}, *const fields[] = {"; x=y", " y"};
    static const size_t counts[] = {40, 10 * 1000};
    for (size_t i = 0; i < 2; i++) {
        struct arena *arena = arena_new();
        struct mail_auth auth;
        struct strbuf value;
        strbuf_init(&value, (size_t)1 << 20);
        strbuf_add_text(&value,
                        "Authentication-Results: mx.example; dkim=pass header.d=example.com");
        read_auth(arena_printf(arena, "%s\nFrom: a@example.com\n", value.data), trusted, 1, &auth);
        CU_ASSERT_TRUE(auth.verified);
        for (size_t j = 0; j < counts[i]; j++)
            strbuf_add_text(&value, fields[i]);
        read_auth(arena_printf(arena, "%s; dmarc=fail\nFrom: a@example.com\n", value.data), trusted,
                  1, &auth);
        CU_ASSERT_TRUE(auth.found);
        CU_ASSERT_FALSE(auth.verified);
        CU_ASSERT_EQUAL(auth.dkim, MAIL_AUTH_NONE);
        strbuf_fini(&value);
        arena_free(&arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("authres", NULL, NULL);
    CU_add_test(suite, "servers", test_servers);
    CU_add_test(suite, "results", test_results);
    CU_add_test(suite, "too much", test_too_much);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
