/* Paths that say whose call it is: written and checked, every truncation and alteration, rotation
 * of keys, expiry; the paths of steps. */
#include "contract/call_token.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENANT "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f"
#define CALL   "CA0123456789abcdef0123456789abcdef"
#define NOW    1790000000 /* s */
#define KEY    "0123456789abcdef0123456789abcdef"
/* printf 'frontdesk relay path 1\n<tenant>/<CallSid>/1790000060/' | openssl dgst -sha256 -hmac KEY
 */
#define MAC  "91f7a8254eda787411a4a83ee1b61a666d1bf3bc414ad96708766d07e20d1aed"
#define GOOD "/relay/" TENANT "/" CALL "/1790000060/" MAC

static struct arena *arena;
static struct secret *key;

/* From memory of exactly that size, so that the sanitizer sees a read behind its end. */
static int check(const char *path, int64_t now_ms, struct call_token *out, struct err *err)
{
    const struct secret *keys[] = {key};
    char *copy = malloc(strlen(path) + 1);
    memcpy(copy, path, strlen(path) + 1);
    int rc = call_token_check(copy, keys, 1, now_ms, out, err);
    free(copy);
    return rc;
}

static struct call_token token_of(int64_t expires_s)
{
    struct call_token token = {.call_sid = CALL, .expires_s = expires_s};
    CU_ASSERT_TRUE_FATAL(uuid_parse(TENANT, &token.tenant));
    return token;
}

static const char *path_of(int64_t expires_s)
{
    struct call_token token = token_of(expires_s);
    const char *path = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(call_token_write(arena, &token, key, &path, &err), 0);
    return path;
}

static void test_good(void)
{
    struct call_token token;
    struct err err;
    char tenant[UUID_TEXT_SIZE];
    CU_ASSERT_STRING_EQUAL(path_of(NOW + 60), GOOD);
    CU_ASSERT_EQUAL_FATAL(check(GOOD, NOW * 1000LL, &token, &err), 0);
    CU_ASSERT_STRING_EQUAL(uuid_format(&token.tenant, tenant), TENANT);
    CU_ASSERT_STRING_EQUAL(token.call_sid, CALL);
    CU_ASSERT_EQUAL(token.expires_s, NOW + 60);
}

/* Nobody can make the first socket's path into a later one's, or the other way round. */
static void test_resumed(void)
{
    struct call_token token = token_of(NOW + 60), read;
    struct err err;
    const char *path = NULL;
    CU_ASSERT_EQUAL_FATAL(check(GOOD, NOW * 1000LL, &read, &err), 0);
    CU_ASSERT_FALSE(read.resumed);
    token.resumed = true;
    CU_ASSERT_EQUAL_FATAL(call_token_write(arena, &token, key, &path, &err), 0);
    CU_ASSERT_STRING_NOT_EQUAL(path, GOOD);
    CU_ASSERT_EQUAL_FATAL(check(path, NOW * 1000LL, &read, &err), 0);
    CU_ASSERT_TRUE(read.resumed);
}

static void test_expiry(void)
{
    static const struct {
        int64_t expires_s, now_ms;
        const char *code; /* NULL: good */
    } cases[] = {
        {NOW + 60, NOW * 1000LL, NULL},
        {NOW, NOW * 1000LL, NULL},
        {NOW, NOW * 1000LL + 999, NULL},
        {NOW, (NOW + 1) * 1000LL, "call_token.expired"},
        {NOW - 1, NOW * 1000LL, "call_token.expired"},
        {1000000000, NOW * 1000LL, "call_token.expired"},
        {NOW + CALL_TOKEN_LIFE_MAX, NOW * 1000LL, NULL},
        {NOW + CALL_TOKEN_LIFE_MAX + 1, NOW * 1000LL, "call_token.expired"},
        {99999999999, NOW * 1000LL, "call_token.expired"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct call_token token;
        struct err err = {0};
        int rc = check(path_of(cases[i].expires_s), cases[i].now_ms, &token, &err);
        CU_ASSERT_EQUAL(rc, cases[i].code == NULL ? 0 : -1);
        CU_ASSERT_STRING_EQUAL(err.code, cases[i].code == NULL ? "" : cases[i].code);
    }
    /* Changed and too late is not ours, rather than late: an attacker learns nothing. */
    struct call_token token;
    struct err err;
    char *changed = arena_strdup(arena, path_of(NOW - 60));
    changed[strlen(changed) - 1] = changed[strlen(changed) - 1] == '0' ? '1' : '0';
    CU_ASSERT_EQUAL(check(changed, NOW * 1000LL, &token, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "call_token.mac");
}

static void test_not_written(void)
{
    static const int64_t times[] = {0, -1, 999999999, 100000000000};
    const char *path = "untouched";
    struct err err;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct call_token token = token_of(times[i]);
        CU_ASSERT_EQUAL(call_token_write(arena, &token, key, &path, &err), -1);
        CU_ASSERT_EQUAL(err.class, ERR_BUG);
    }
    struct call_token token = token_of(NOW);
    token.call_sid[5] = '/';
    CU_ASSERT_EQUAL(call_token_write(arena, &token, key, &path, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "call_token.bug");
    CU_ASSERT_STRING_EQUAL(path, "untouched");
}

static void test_syntax(void)
{
    static const char *const paths[] = {
        "",
        "/",
        "/relay",
        "/relay/",
        "relay/" TENANT "/" CALL "/1790000060/" MAC,
        "/Relay/" TENANT "/" CALL "/1790000060/" MAC,
        "//relay/" TENANT "/" CALL "/1790000060/" MAC,
        "/relay//" TENANT "/" CALL "/1790000060/" MAC,
        GOOD "/",
        GOOD "0",
        GOOD "?a=b",
        GOOD " ",
        "/relay/" TENANT "/" CALL "/1790000060",
        "/relay/" TENANT "/" CALL "/1790000060/",
        "/relay/" TENANT "/" CALL "//" MAC,
        "/relay/" TENANT "/" CALL "/01790000060/" MAC,
        "/relay/" TENANT "/" CALL "/+1790000060/" MAC,
        "/relay/" TENANT "/" CALL "/-1790000060/" MAC,
        "/relay/" TENANT "/" CALL "/0x6ab13b3c/" MAC,
        "/relay/" TENANT "/" CALL "/1790000060.0/" MAC,
        "/relay/" TENANT "/" CALL "/999999999/" MAC,
        "/relay/" TENANT "/" CALL "/100000000000/" MAC,
        "/relay/" TENANT "/" CALL "/99999999999999999999999999/" MAC,
        "/relay/" TENANT "/CA0123456789abcdef0123456789abcde/1790000060/" MAC,
        "/relay/" TENANT "/CA0123456789abcdef0123456789abcdef0/1790000060/" MAC,
        "/relay/" TENANT "/CX0123456789abcdef0123456789abcdef/1790000060/" MAC,
        "/relay/" TENANT "/CA0123456789abcdef0123456789abcdeg/1790000060/" MAC,
        "/relay/" TENANT "//1790000060/" MAC,
        "/relay/018F9C3E-2B7A-7C1D-9E4F-5A6B7C8D9E0F/" CALL "/1790000060/" MAC,
        "/relay/018f9c3e2b7a7c1d9e4f5a6b7c8d9e0f/" CALL "/1790000060/" MAC,
        "/relay/../" CALL "/1790000060/" MAC,
        "/relay/" CALL "/" TENANT "/1790000060/" MAC,
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct call_token token = {.expires_s = 7};
        struct err err = {0};
        CU_ASSERT_EQUAL(check(paths[i], NOW * 1000LL, &token, &err), -1);
        if (strcmp(err.code, "call_token.syntax") != 0)
            fprintf(stderr, "%s: %s\n", paths[i], err.code);
        CU_ASSERT_STRING_EQUAL(err.code, "call_token.syntax");
        CU_ASSERT_EQUAL(token.expires_s, 7);
    }
}

/* No other path passes for this one: cut anywhere, or with any byte changed. */
static void test_alterations(void)
{
    static const char signs[] = "/0123456789abcdefABCDEF-g%?#\x01\x80\xff ";
    struct call_token token;
    struct err err;
    for (size_t at = 0; at < strlen(GOOD); at++)
        CU_ASSERT_EQUAL(check(arena_strndup(arena, GOOD, at), NOW * 1000LL, &token, &err), -1);
    for (size_t at = 0; at < strlen(GOOD); at++)
        for (size_t k = 0; k < sizeof signs - 1; k++) {
            char *path = arena_strdup(arena, GOOD);
            if (path[at] == signs[k])
                continue;
            path[at] = signs[k];
            CU_ASSERT_EQUAL(check(path, NOW * 1000LL, &token, &err), -1);
        }
}

/* The first key signs, all verify, and none that is not there. */
static void test_rotation(void)
{
    struct secret *old = secret_new("old", 3), *new = secret_new("new", 3);
    const struct secret *before[] = {old}, *during[] = {new, old}, *after[] = {new};
    struct call_token token = token_of(NOW + 60), read;
    const char *by_old = NULL, *by_new = NULL;
    struct err err;
    CU_ASSERT_EQUAL(call_token_write(arena, &token, before[0], &by_old, &err), 0);
    CU_ASSERT_EQUAL(call_token_write(arena, &token, during[0], &by_new, &err), 0);
    CU_ASSERT_STRING_NOT_EQUAL(by_old, by_new);
    CU_ASSERT_EQUAL(call_token_check(by_old, before, 1, NOW * 1000LL, &read, &err), 0);
    CU_ASSERT_EQUAL(call_token_check(by_old, during, 2, NOW * 1000LL, &read, &err), 0);
    CU_ASSERT_EQUAL(call_token_check(by_new, during, 2, NOW * 1000LL, &read, &err), 0);
    CU_ASSERT_EQUAL(call_token_check(by_old, after, 1, NOW * 1000LL, &read, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "call_token.mac");
    CU_ASSERT_EQUAL(call_token_check(by_new, before, 1, NOW * 1000LL, &read, &err), -1);
    CU_ASSERT_EQUAL(call_token_check(by_new, NULL, 0, NOW * 1000LL, &read, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "call_token.mac");
    secret_free(&old);
    secret_free(&new);
}

/* A path of one tenant, call or time says nothing about another. */
static void test_each_its_own(void)
{
    const char *first = path_of(NOW + 60);
    const char *mac = strrchr(first, '/') + 1;
    struct call_token token;
    struct err err;
    const char *others[] = {
        arena_printf(arena, "/relay/018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e10/" CALL "/%d/%s", NOW + 60,
                     mac),
        arena_printf(arena, "/relay/" TENANT "/CA0123456789abcdef0123456789abcdee/%d/%s", NOW + 60,
                     mac),
        arena_printf(arena, "/relay/" TENANT "/" CALL "/%d/%s", NOW + 61, mac),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CU_ASSERT_EQUAL(check(others[i], NOW * 1000LL, &token, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, "call_token.mac");
    }
}

/* ---- steps ---- */

static void test_steps(void)
{
    static const struct {
        const char *kind;
        int step;
    } steps[] = {{"gather", 1}, {"wait", 0}, {"relay-ended", 1000000}, {"a", 17}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct call_step step = {.step = steps[i].step}, read;
        memcpy(step.kind, steps[i].kind, strlen(steps[i].kind));
        CU_ASSERT_TRUE(uuid_parse(TENANT, &step.tenant));
        const char *path = call_token_step_path(arena, &step);
        CU_ASSERT_STRING_EQUAL(path, arena_printf(arena, "/twilio/voice/%s/" TENANT "/%d",
                                                  steps[i].kind, steps[i].step));
        CU_ASSERT_TRUE_FATAL(call_token_read_step(path, &read));
        CU_ASSERT_STRING_EQUAL(read.kind, steps[i].kind);
        CU_ASSERT_TRUE(uuid_equal(&read.tenant, &step.tenant));
        CU_ASSERT_EQUAL(read.step, steps[i].step);
    }
}

static void test_no_steps(void)
{
    static const char *const paths[] = {
        "",
        "/twilio/voice",
        "/twilio/voice/",
        "/twilio/voice/gather",
        "/twilio/voice/gather/",
        "/twilio/voice/gather/" TENANT,
        "/twilio/voice/gather/" TENANT "/",
        "/twilio/voice/gather/" TENANT "/1/",
        "/twilio/voice/gather/" TENANT "/1?x",
        "/twilio/voice/gather/" TENANT "/01",
        "/twilio/voice/gather/" TENANT "/-1",
        "/twilio/voice/gather/" TENANT "/+1",
        "/twilio/voice/gather/" TENANT "/1 ",
        "/twilio/voice/gather/" TENANT "/1000001",
        "/twilio/voice/gather/" TENANT "/99999999999999999999",
        "/twilio/voice//" TENANT "/1",
        "/twilio/voice/-gather/" TENANT "/1",
        "/twilio/voice/Gather/" TENANT "/1",
        "/twilio/voice/ga_ther/" TENANT "/1",
        "/twilio/voice/ga%74her/" TENANT "/1",
        "/twilio/voice/../" TENANT "/1",
        "/twilio/voice/abcdefghijklmnopqrstuvwxyzabcdefg/" TENANT "/1",
        "/twilio/voice/gather/018F9C3E-2B7A-7C1D-9E4F-5A6B7C8D9E0F/1",
        "/twilio/voice/gather/x/1",
        "/twilio/sms/gather/" TENANT "/1",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct call_step step = {.step = 7};
        bool read = call_token_read_step(paths[i], &step);
        if (read)
            fprintf(stderr, "%s was read\n", paths[i]);
        CU_ASSERT_FALSE(read);
        CU_ASSERT_EQUAL(step.step, 7);
    }
}

static int set_up(void)
{
    arena = arena_new();
    key = secret_new(KEY, strlen(KEY));
    return 0;
}

static int tear_down(void)
{
    secret_free(&key);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call_token", set_up, tear_down);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "resumed", test_resumed);
    CU_add_test(suite, "expiry", test_expiry);
    CU_add_test(suite, "not written", test_not_written);
    CU_add_test(suite, "syntax", test_syntax);
    CU_add_test(suite, "every alteration", test_alterations);
    CU_add_test(suite, "rotation", test_rotation);
    CU_add_test(suite, "each its own", test_each_its_own);
    CU_add_test(suite, "steps", test_steps);
    CU_add_test(suite, "no steps", test_no_steps);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
