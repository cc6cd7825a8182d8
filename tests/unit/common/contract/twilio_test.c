/* Twilio's signature against the vectors of its helper libraries and what must not pass; the form
 * of an inbound text, field by field. */
#include "contract/twilio.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "crypto/crypto.h"

static struct arena *arena;

static struct form form_of(const char *text)
{
    struct form form = {0};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, text, strlen(text), &form, &err), 0);
    return form;
}

static bool fits(const char *url, const char *body, const char *signature, const char *token)
{
    struct secret *key = secret_new(token, strlen(token));
    const struct secret *keys[] = {key};
    struct form form = form_of(body);
    bool result = twilio_signature_fits(arena, url, &form, signature, keys, 1);
    secret_free(&key);
    return result;
}

/* ---- vectors ---- */

#define CALL_1                                                                                     \
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&"             \
    "To=%2B18005551212"
#define CALL_2                                                                                     \
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310&"             \
    "To=%2B18005551212"
#define REPEATED "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234"
#define SPACES                                                                                     \
    "Body=+Gr%C3%BC%C3%9Fe+%F0%9F%91%8B+&From=%2B4915112345678&MediaUrl0=&NumMedia=0&"             \
    "To=%2B15005550006&Zed=y&aLower=x"
#define MY_URL "https://mycompany.com/myapp.php?foo=1&bar=2"

static const struct {
    const char *url, *body, *signature;
} vectors[] = {
    {MY_URL, CALL_1, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
    {"https://example.com/myapp.php?foo=1&bar=2", CALL_2, "L/OH5YylLD5NRKLltdqwSvS0BnU="},
    /* signed with :443, our URL has no port; and the other way round */
    {MY_URL, CALL_1, "kvajT1Ptam85bY51eRf/AJRuM3w="},
    {"https://mycompany.com:443/myapp.php?foo=1&bar=2", CALL_1, "kvajT1Ptam85bY51eRf/AJRuM3w="},
    {"https://mycompany.com:443/myapp.php?foo=1&bar=2", CALL_1, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
    {"https://mycompany.com:8443/myapp.php?foo=1&bar=2", CALL_1, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
    {"http://mycompany.com:1234/myapp.php?foo=1&bar=2", CALL_1, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="},
    {"https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256="
     "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
     "", "a9nBmqA0ju/hNViExpshrM61xv4="},
    {MY_URL, REPEATED, "IK+Dwps556ElfBT0I3Rgjkr1wJU="},
    {"https://desk.example.com/hooks/sms", SPACES, "2sttQmuVgDCVMqsoCFfKnHFVJhQ="},
    {"https://desk.example.com/voice?CallSid=CA1&From=%2B14155550100", "",
     "Q6PCW78MRMJLUIGqvKVGKfXBc6U="},
    {"wss://desk.example.com/relay", "", "5Mx16SEGsoexnZNSJIKip7V1cJM="},
    {"wss://desk.example.com/relay/", "", "tqX+7XBZUW2qSNIwFrbxSI1C6hg="},
};

static void test_vectors(void)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        bool ok = fits(vectors[i].url, vectors[i].body, vectors[i].signature, "12345");
        if (!ok)
            fprintf(stderr, "vector %zu does not fit\n", i);
        CU_ASSERT_TRUE(ok);
        CU_ASSERT_FALSE(fits(vectors[i].url, vectors[i].body, vectors[i].signature, "12346"));
        CU_ASSERT_FALSE(fits(vectors[i].url, vectors[i].body, vectors[i].signature, "1234"));
        CU_ASSERT_FALSE(fits(vectors[i].url, vectors[i].body, vectors[i].signature, ""));
    }
}

/* Other spellings and orders of the same parameters carry the same signature. */
static void test_same_parameters(void)
{
    static const char *const same[] = {
        "To=%2B18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309&"
        "CallSid=CA1234567890ABCDE",
        "Digits=1234&To=%2b18005551212&CallSid=CA1234567890ABCDE&From=%2b14158675309&"
        "Caller=%2b14158675309",
        "%44igits=%31234&To=%2B18005551212&CallSid=CA1234567890ABCDE&From=%2B14158675309&"
        "Caller=%2B14158675309",
        CALL_1 "&Digits=1234", /* a repeat of the same value counts once */
        CALL_1 "&",
    };
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_TRUE(fits(MY_URL, same[i], "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "12345"));
    static const char *const repeated[] = {
        "Digits=1234&Digits=5678&Sid=CA123&SidAccount=AC123",
        "SidAccount=AC123&Digits=1234&Digits=5678&Digits=1234&Sid=CA123",
    };
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_TRUE(fits(MY_URL, repeated[i], "IK+Dwps556ElfBT0I3Rgjkr1wJU=", "12345"));
}

/* Every single change of URL, parameters or signature must not fit. */
static void test_alterations(void)
{
    static const char url[] = MY_URL, body[] = CALL_1, good[] = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    size_t cases = 0;
    for (size_t i = 0; i < sizeof url - 1; i++, cases++) { /* one character of the URL */
        char *changed = arena_strdup(arena, url);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        CU_ASSERT_FALSE(fits(changed, body, good, "12345"));
    }
    for (size_t i = 0; i < sizeof body - 1; i++, cases++) { /* one of the body */
        if (strchr("%&=", body[i]) != NULL || (i > 0 && body[i - 1] == '%') ||
            (i > 1 && body[i - 2] == '%'))
            continue;
        char *changed = arena_strdup(arena, body);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        CU_ASSERT_FALSE(fits(url, changed, good, "12345"));
    }
    for (size_t i = 0; i < sizeof good - 1; i++, cases++) { /* one of the signature */
        char *changed = arena_strdup(arena, good);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        CU_ASSERT_FALSE(fits(url, body, changed, "12345"));
    }
    for (size_t i = 0; i < sizeof good - 1; i++, cases++) /* cut short */
        CU_ASSERT_FALSE(fits(url, body, arena_strndup(arena, good, i), "12345"));
    CU_ASSERT_TRUE(cases > 150);
}

static void test_wrong(void)
{
    static const char good[] = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    static const struct {
        const char *url, *body, *signature;
    } wrong[] = {
        {"http://mycompany.com/myapp.php?foo=1&bar=2", CALL_1, good},
        {"https://mycompany.com/myapp.php?bar=2&foo=1", CALL_1, good},
        {"https://mycompany.com/myapp.php?foo=1&bar=2&", CALL_1, good},
        {"https://mycompany.com/myapp.php?foo=1", CALL_1, good},
        {"https://mycompany.com/myapp.php", CALL_1, good},
        {"https://mycompany.com/myapp.php/?foo=1&bar=2", CALL_1, good},
        {"https://mycompany.com//myapp.php?foo=1&bar=2", CALL_1, good},
        {"https://mycompany.com/myapp.php?foo=%31&bar=2", CALL_1, good},
        {"https://MyCompany.com/myapp.php?foo=1&bar=2", CALL_1, good},
        {"https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", CALL_1, good},
        {"https://mycompany.com/myapp.php?foo=1&bar=2#rc=2", CALL_1, good},
        {"https://mycompany.com.evil.example/myapp.php?foo=1&bar=2", CALL_1, good},
        {"", CALL_1, good},
        {"https://", CALL_1, good},
        {MY_URL, CALL_1 "&New=", good},
        {MY_URL, CALL_1 "&New=1", good},
        {MY_URL, CALL_1 "&Digits=5678", good},
        {MY_URL, "", good},
        {MY_URL, "CallSid=CA1234567890ABCDE", good},
        {MY_URL, CALL_2, good},
        {MY_URL, CALL_1 "+", good},
        {MY_URL, "+" CALL_1, good},
        {MY_URL, CALL_1, ""},
        {MY_URL, CALL_1, "="},
        {MY_URL, CALL_1, "RSOYDt4T1cUTdK1PDd93/VVr8B8"},
        {MY_URL, CALL_1, "RSOYDt4T1cUTdK1PDd93/VVr8B8=="},
        {MY_URL, CALL_1, " RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        {MY_URL, CALL_1, "RSOYDt4T1cUTdK1PDd93/VVr8B8= "},
        {MY_URL, CALL_1, "rsoydt4t1cutdk1pdd93/vvr8b8="},
        {MY_URL, CALL_1, "RSOYDt4T1cUTdK1PDd93_VVr8B8="},
        {MY_URL, CALL_1, "4523980eddf13d5c51374ad4f0dddf7"},
        {MY_URL, CALL_1, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bool passed = fits(wrong[i].url, wrong[i].body, wrong[i].signature, "12345");
        if (passed)
            fprintf(stderr, "wrong[%zu] fits\n", i);
        CU_ASSERT_FALSE(passed);
    }
    struct form form = form_of(CALL_1);
    CU_ASSERT_FALSE(twilio_signature_fits(arena, MY_URL, &form, NULL, NULL, 0));
    CU_ASSERT_FALSE(twilio_signature_fits(arena, MY_URL, &form, good, NULL, 0));
}

static void test_several_keys(void)
{
    struct secret *keys[8];
    const struct secret *borrowed[8];
    struct form form = form_of(CALL_1);
    for (int i = 0; i < 8; i++) {
        char token[16];
        snprintf(token, sizeof token, "%d", 12340 + i);
        borrowed[i] = keys[i] = secret_new(token, strlen(token));
    }
    for (size_t count = 0; count <= 8; count++)
        CU_ASSERT_EQUAL(twilio_signature_fits(arena, MY_URL, &form,
                                              "RSOYDt4T1cUTdK1PDd93/VVr8B8=", borrowed, count),
                        count >= 6);
    for (int i = 0; i < 8; i++)
        secret_free(&keys[i]);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct form_pair *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->value, y->value);
}

/* What Twilio signs a form with, whose names and values hold no NUL. */
static const char *sign(const char *url, const struct form *form, const struct secret *key)
{
    struct form_pair *pairs = arena_alloc(arena, (form->count + 1) * sizeof *pairs);
    uint8_t mac[CRYPTO_SHA1_BYTES];
    struct strbuf bytes, text;
    strbuf_init(&bytes, 64 * 1024);
    strbuf_init(&text, 100);
    strbuf_add_text(&bytes, url);
    if (form->count > 0)
        memcpy(pairs, form->pairs, form->count * sizeof *pairs);
    qsort(pairs, form->count, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < form->count; i++)
        if (i == 0 || compare_pairs(&pairs[i - 1], &pairs[i]) != 0)
            strbuf_printf(&bytes, "%s%s", pairs[i].name, pairs[i].value);
    crypto_hmac_sha1(secret_reveal(key), secret_length(key), bytes.data, bytes.length, mac);
    text_add_base64(&text, mac, sizeof mac);
    const char *signature = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&bytes);
    strbuf_fini(&text);
    return signature;
}

/* What Twilio would sign fits, for many forms, and each fits no neighbour. */
static void test_round_trip(void)
{
    struct secret *key = secret_new("0123456789abcdef0123456789abcdef", 32);
    const struct secret *keys[] = {key};
    const char *before = "";
    for (int i = 0; i < 100; i++) {
        const char *url = arena_printf(arena, "https://desk.example.com%s/twilio/sms?n=%d",
                                       i % 3 == 0 ? ":8443" : "", i);
        struct form form = form_of(arena_printf(arena, "b=%d&a=%d&Body=%s&c%d=&a=%d&Zz=%%C3%%A4", i,
                                                i, i % 2 ? "x+y" : "", i, i / 2));
        const char *signature = sign(url, &form, key);
        CU_ASSERT_TRUE(twilio_signature_fits(arena, url, &form, signature, keys, 1));
        CU_ASSERT_FALSE(twilio_signature_fits(arena, url, &form, before, keys, 1));
        before = signature;
    }
    secret_free(&key);
}

/* ---- the handshake of a WebSocket ---- */

#define RELAY_SIGNATURE       "5Mx16SEGsoexnZNSJIKip7V1cJM="
#define RELAY_SLASH_SIGNATURE "tqX+7XBZUW2qSNIwFrbxSI1C6hg="

static bool handshake_fits(const char *url, const char *signature, const char *token)
{
    struct secret *key = secret_new(token, strlen(token));
    const struct secret *keys[] = {key};
    bool result = twilio_handshake_fits(arena, url, signature, keys, 1);
    secret_free(&key);
    return result;
}

static void test_handshake_vectors(void)
{
    static const char *const urls[] = {
        "wss://desk.example.com/relay",
        "https://desk.example.com/relay",
        "https://desk.example.com:443/relay",
        "wss://desk.example.com:8443/relay",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        CU_ASSERT_TRUE(handshake_fits(urls[i], RELAY_SIGNATURE, "12345"));
        CU_ASSERT_TRUE(handshake_fits(urls[i], RELAY_SLASH_SIGNATURE, "12345"));
        CU_ASSERT_FALSE(handshake_fits(urls[i], RELAY_SIGNATURE, "12346"));
    }
    CU_ASSERT_TRUE(
        handshake_fits("https://desk.example.com/relay/", RELAY_SLASH_SIGNATURE, "12345"));
    CU_ASSERT_FALSE(handshake_fits("https://desk.example.com/relay/", RELAY_SIGNATURE, "12345"));
}

/* Which of the URLs that Twilio may have signed fit ours, for each form that ours may have. */
static void test_handshake_forms(void)
{
    static const char *const ours[] = {
        "https://desk.example.com/b/relay/x",
        "https://desk.example.com:443/b/relay/x",
        "wss://desk.example.com/b/relay/x",
    };
    static const struct {
        const char *url;
        bool fits;
    } signed_urls[] = {
        {"wss://desk.example.com/b/relay/x", true},
        {"wss://desk.example.com/b/relay/x/", true},
        {"wss://desk.example.com:443/b/relay/x", true},
        {"wss://desk.example.com:443/b/relay/x/", true},
        {"https://desk.example.com/b/relay/x", true},
        {"https://desk.example.com/b/relay/x/", true},
        {"https://desk.example.com:443/b/relay/x", true},
        {"https://desk.example.com:443/b/relay/x/", true},
        {"ws://desk.example.com/b/relay/x", false},
        {"http://desk.example.com/b/relay/x", false},
        {"wss://desk.example.com:8443/b/relay/x", false},
        {"wss://desk.example.com:80/b/relay/x", false},
        {"wss://desk.example.com/b/relay/x//", false},
        {"wss://desk.example.com/b/relay/y", false},
        {"wss://desk.example.com/relay/x", false},
        {"wss://other.example.com/b/relay/x", false},
        {"wss://desk.example.com/b/relay/x?a=b", false},
        {"/b/relay/x", false},
        {"", false},
    };
    struct secret *key = secret_new("12345", 5);
    struct form none = {0};
    for (size_t i = 0; i < sizeof signed_urls / sizeof signed_urls[0]; i++)
        for (size_t k = 0; k < sizeof ours / sizeof ours[0]; k++) {
            const char *signature = sign(signed_urls[i].url, &none, key);
            bool ok = handshake_fits(ours[k], signature, "12345") == signed_urls[i].fits;
            if (!ok)
                fprintf(stderr, "%s for %s\n", signed_urls[i].url, ours[k]);
            CU_ASSERT_TRUE(ok);
        }
    const char *plain = sign("ws://127.0.0.1:8080/relay?a=b", &none, key);
    CU_ASSERT_TRUE(handshake_fits("http://127.0.0.1:8080/relay?a=b", plain, "12345"));
    const char *slash = sign("ws://127.0.0.1:8080/relay/?a=b", &none, key);
    CU_ASSERT_TRUE(handshake_fits("http://127.0.0.1:8080/relay?a=b", slash, "12345"));
    CU_ASSERT_FALSE(handshake_fits("https://127.0.0.1:8080/relay?a=b", plain, "12345"));
    secret_free(&key);
}

static void test_handshake_wrong(void)
{
    static const char *const signatures[] = {
        "", "=", "5Mx16SEGsoexnZNSJIKip7V1cJM",
        "5Mx16SEGsoexnZNSJIKip7V1cJM= ", "5mx16SEGsoexnZNSJIKip7V1cJM="};
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        CU_ASSERT_FALSE(handshake_fits("wss://desk.example.com/relay", signatures[i], "12345"));
    CU_ASSERT_FALSE(twilio_handshake_fits(arena, "wss://desk.example.com/relay", NULL, NULL, 0));
    CU_ASSERT_FALSE(
        twilio_handshake_fits(arena, "wss://desk.example.com/relay", RELAY_SIGNATURE, NULL, 0));
    static const char *const urls[] = {"", "/relay", "wss", "://", "wss://"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        CU_ASSERT_FALSE(handshake_fits(urls[i], RELAY_SIGNATURE, "12345"));
}

/* ---- the form of a text ---- */

#define SID  "SM00000000000000000000000000000001"
#define AC   "AC00000000000000000000000000000101"
#define UUID "8f14e45f-ceea-467f-a8d2-0123456789ab"
#define TEXT_FORM(sid, from, to, body)                                                             \
    "MessageSid=" sid "&AccountSid=" AC "&From=" from "&To=" to "&Body=" body
#define GOOD TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "Hi")

static const struct {
    const char *form, *code; /* NULL: accepted */
} texts[] = {
    {GOOD, NULL},
    {GOOD "&Unknown=1&FromCity=&ToZip=94105", NULL},
    {TEXT_FORM("MM00000000000000000000000000000abc", "%2B15550001111", "%2B15550002222", ""), NULL},
    {TEXT_FORM(UUID, "%2B15550001111", "%2B15550002222", "Hi"), NULL},
    {"MessageSid=" SID "&AccountSid=" UUID "&From=%2B15550001111&To=%2B15550002222&Body=x", NULL},
    {"MessageSid=" SID "&AccountSid=" AC "&From=%2B15550001111&To=%2B15550002222", NULL},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "%F0%9F%91%8B+%0A%0D%09"), NULL},
    {GOOD "&NumMedia=0", NULL},
    {GOOD "&NumMedia=1&MediaUrl0=https%3A%2F%2Fapi.twilio.com%2Fm", NULL},
    {GOOD "&NumMedia=1&MediaUrl0=https%3A%2F%2Fa%2Fm&MediaContentType0=image%2Fpng", NULL},
    {GOOD "&NumSegments=x&OptOutType=%00x", "form.nul"},
    {GOOD "&NumSegments=x&MessagingServiceSid=nonsense&OptOutType=", NULL},
    /* missing */
    {"", "webhook.message_sid"},
    {"SmsSid=" SID "&AccountSid=" AC "&From=%2B15550001111&To=%2B15550002222&Body=x",
     "webhook.message_sid"},
    {"MessageSid=" SID "&From=%2B15550001111&To=%2B15550002222&Body=x", "webhook.account_sid"},
    {"MessageSid=" SID "&AccountSid=" AC "&To=%2B15550002222&Body=x", "webhook.from"},
    {"MessageSid=" SID "&AccountSid=" AC "&From=%2B15550001111&Body=x", "webhook.to"},
    /* doubled */
    {GOOD "&MessageSid=" SID, "webhook.message_sid"},
    {GOOD "&MessageSid=SM00000000000000000000000000000002", "webhook.message_sid"},
    {GOOD "&AccountSid=" AC, "webhook.account_sid"},
    {GOOD "&From=%2B15550001111", "webhook.from"},
    {GOOD "&From=%2B15550009999", "webhook.from"},
    {GOOD "&To=%2B15550002222", "webhook.to"},
    {GOOD "&Body=Hi", "webhook.body"},
    {GOOD "&Body=", "webhook.body"},
    /* malformed */
    {TEXT_FORM("", "%2B15550001111", "%2B15550002222", "Hi"), "webhook.message_sid"},
    {TEXT_FORM("SM1", "%2B15550001111", "%2B15550002222", "Hi"), "webhook.message_sid"},
    {TEXT_FORM("SM0000000000000000000000000000000g", "%2B15550001111", "%2B15550002222", "Hi"),
     "webhook.message_sid"},
    {TEXT_FORM("SM000000000000000000000000000000011", "%2B15550001111", "%2B15550002222", "Hi"),
     "webhook.message_sid"},
    {TEXT_FORM("XX00000000000000000000000000000001", "%2B15550001111", "%2B15550002222", "Hi"),
     "webhook.message_sid"},
    {TEXT_FORM("CA00000000000000000000000000000001", "%2B15550001111", "%2B15550002222", "Hi"),
     "webhook.message_sid"},
    {TEXT_FORM("+" SID, "%2B15550001111", "%2B15550002222", "Hi"), "webhook.message_sid"},
    {TEXT_FORM(SID "%0A", "%2B15550001111", "%2B15550002222", "Hi"), "webhook.message_sid"},
    {TEXT_FORM(SID, "", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "+15550001111", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "15550001111", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "%2B05550001111", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "%2B1555000", "%2B15550002222", "Hi"), NULL},
    {TEXT_FORM(SID, "%2B155500", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "%2B1555000111122223", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "%2B1555000111x", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "whatsapp%3A%2B15550001111", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "ACME", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "%2B15550001111%0A", "%2B15550002222", "Hi"), "webhook.from"},
    {TEXT_FORM(SID, "%2B15550001111", "", "Hi"), "webhook.to"},
    {TEXT_FORM(SID, "%2B15550001111", "12345", "Hi"), "webhook.to"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "%FF"), "webhook.body"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "a%C3"), "webhook.body"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "%C0%AF"), "webhook.body"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "%ED%A0%80"), "webhook.body"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "%F5%80%80%80"), "webhook.body"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "a%00b"), "form.nul"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "a%zz"), "form.escape"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "a%"), "form.escape"},
    {TEXT_FORM(SID, "%2B15550001111", "%2B15550002222", "a%2"), "form.escape"},
    {GOOD "&=x", "form.name"},
    {GOOD "&NumMedia=x", "webhook.media"},
    {GOOD "&NumMedia=-1", "webhook.media"},
    {GOOD "&NumMedia=1", "webhook.media"},
    {GOOD "&NumMedia=2&MediaUrl0=https%3A%2F%2Fa", "webhook.media"},
    {GOOD "&NumMedia=1&MediaUrl0=", "webhook.media"},
    {GOOD "&NumMedia=1&MediaUrl0=https%3A%2F%2Fa%0Ab", "webhook.media"},
    {GOOD "&NumMedia=1&MediaUrl0=https%3A%2F%2Fa%FF", "webhook.media"},
};

static void test_forms(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct form form;
        struct sms_received sms = {.message_sid = "untouched"};
        struct err err = {.code = ""};
        int rc = form_parse(arena, texts[i].form, strlen(texts[i].form), &form, &err);
        if (rc == 0)
            rc = twilio_sms_from_form(arena, &form, &sms, &err);
        bool ok = texts[i].code == NULL
                      ? rc == 0
                      : rc == -1 && strcmp(err.code, texts[i].code) == 0 &&
                            err.class == ERR_PERMANENT && strcmp(sms.message_sid, "untouched") == 0;
        if (!ok)
            fprintf(stderr, "texts[%zu]: %d \"%s\"\n", i, rc, err.code);
        CU_ASSERT_TRUE(ok);
    }
}

static void test_fields(void)
{
    struct form form = form_of(
        GOOD "&MessagingServiceSid=MG0000000000000000000000000000004d&OptOutType=STOP&"
             "NumSegments=3&NumMedia=2&MediaUrl0=https%3A%2F%2Fa%2F0&MediaContentType0=image%2Fpng&"
             "MediaUrl1=https%3A%2F%2Fa%2F1");
    struct sms_received sms = {.event = {.tenant = "t", .time_ms = 5, .traceparent = "p"}};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(twilio_sms_from_form(arena, &form, &sms, &err), 0);
    CU_ASSERT_STRING_EQUAL(sms.message_sid, SID);
    CU_ASSERT_STRING_EQUAL(sms.account_sid, AC);
    CU_ASSERT_STRING_EQUAL(sms.from, "+15550001111");
    CU_ASSERT_STRING_EQUAL(sms.to, "+15550002222");
    CU_ASSERT_STRING_EQUAL(sms.body, "Hi");
    CU_ASSERT_STRING_EQUAL(sms.messaging_service_sid, "MG0000000000000000000000000000004d");
    CU_ASSERT_STRING_EQUAL(sms.opt_out_type, "STOP");
    CU_ASSERT_EQUAL(sms.segments, 3);
    CU_ASSERT_EQUAL_FATAL(sms.media_count, 2);
    CU_ASSERT_STRING_EQUAL(sms.media[0].url, "https://a/0");
    CU_ASSERT_STRING_EQUAL(sms.media[0].content_type, "image/png");
    CU_ASSERT_STRING_EQUAL(sms.media[1].url, "https://a/1");
    CU_ASSERT_STRING_EQUAL(sms.media[1].content_type, "");
    CU_ASSERT_STRING_EQUAL(sms.event.id, SID);
    CU_ASSERT_STRING_EQUAL(sms.event.source, "twilio/" AC);
    CU_ASSERT_STRING_EQUAL(sms.event.tenant, "t");
    CU_ASSERT_EQUAL(sms.event.time_ms, 5);
}

/* What is accepted can always be encoded, and comes back the same. */
static void test_encodes(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].code != NULL)
            continue;
        struct form form = form_of(texts[i].form);
        struct sms_received sms = {.event = {.tenant = "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f",
                                             .time_ms = 1790000000000,
                                             .traceparent = event_traceparent(arena, NULL)}};
        struct sms_received again;
        struct bus_record record;
        struct err err;
        CU_ASSERT_EQUAL_FATAL(twilio_sms_from_form(arena, &form, &sms, &err), 0);
        sms_received_encode(arena, "desk.", &sms, &record);
        CU_ASSERT_EQUAL_FATAL(sms_received_decode(arena, &record, &again, &err), 0);
        CU_ASSERT_STRING_EQUAL(again.body, sms.body);
        CU_ASSERT_STRING_EQUAL(again.event.id, sms.message_sid);
        CU_ASSERT_EQUAL(again.media_count, sms.media_count);
    }
}

/* Bounds: 8,192 bytes of text; ten media of however many. */
static void test_bounds(void)
{
    for (int over = 0; over < 2; over++) {
        struct strbuf text;
        struct sms_received sms = {0};
        struct err err;
        strbuf_init(&text, 1 << 20);
        strbuf_add_text(&text, GOOD);
        for (int i = 2; i < EVENT_TEXT_MAX + over; i++)
            strbuf_add_char(&text, 'x');
        struct form form = form_of(text.data);
        CU_ASSERT_EQUAL(twilio_sms_from_form(arena, &form, &sms, &err), over == 0 ? 0 : -1);
        strbuf_fini(&text);
    }
    struct strbuf text;
    struct sms_received sms = {0};
    struct err err;
    strbuf_init(&text, 1 << 20);
    strbuf_add_text(&text, GOOD "&NumMedia=12");
    for (int i = 0; i < 12; i++)
        strbuf_printf(&text, "&MediaUrl%d=https%%3A%%2F%%2Fa", i);
    struct form form = form_of(text.data);
    CU_ASSERT_EQUAL(twilio_sms_from_form(arena, &form, &sms, &err), 0);
    CU_ASSERT_EQUAL(sms.media_count, EVENT_MEDIA_MAX);
    strbuf_fini(&text);
}

/* Random bytes never crash the parser, and what it accepts verifies under its own signature. */
static void test_fuzz(void)
{
    struct secret *key = secret_new("k", 1);
    const struct secret *keys[] = {key};
    unsigned seed = 4711;
    static const char alphabet[] = "aB=&%+0f2\xc3\xa4;? MessageSidFromTo";
    for (int round = 0; round < 5000; round++) {
        char bytes[64];
        size_t length = 0;
        struct form form;
        struct err err;
        struct sms_received sms = {0};
        for (seed = seed * 1103515245u + 12345; length < (seed >> 16) % sizeof bytes; length++)
            bytes[length] = alphabet[((seed = seed * 69069u + 1) >> 16) % (sizeof alphabet - 1)];
        if (form_parse(arena, bytes, length, &form, &err) == 0) {
            const char *signature = sign("https://a/b", &form, key);
            CU_ASSERT_TRUE(twilio_signature_fits(arena, "https://a/b", &form, signature, keys, 1));
            CU_ASSERT_EQUAL(twilio_sms_from_form(arena, &form, &sms, &err), -1);
        }
        arena_reset(arena);
    }
    secret_free(&key);
}

static int set_up(void)
{
    arena = arena_new();
    return 0;
}

static int tear_down(void)
{
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twilio", set_up, tear_down);
    CU_add_test(suite, "vectors", test_vectors);
    CU_add_test(suite, "same parameters", test_same_parameters);
    CU_add_test(suite, "every alteration", test_alterations);
    CU_add_test(suite, "wrong ones", test_wrong);
    CU_add_test(suite, "several keys", test_several_keys);
    CU_add_test(suite, "sign and verify", test_round_trip);
    CU_add_test(suite, "handshake vectors", test_handshake_vectors);
    CU_add_test(suite, "handshake forms", test_handshake_forms);
    CU_add_test(suite, "wrong handshakes", test_handshake_wrong);
    CU_add_test(suite, "forms", test_forms);
    CU_add_test(suite, "fields", test_fields);
    CU_add_test(suite, "what is accepted encodes", test_encodes);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "random forms", test_fuzz);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
