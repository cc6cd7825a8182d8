/* Unit tests of the decoders against records that somebody else put on our topics: tables of bad
 * records, each with the code that it must be refused with. */
#include "unit/common/contract/damage.h"

#define M  "{\"url\":\"https://e.com/1\"}"
#define M5 M "," M "," M "," M "," M

static const struct damage sms_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("no specversion", "event.specversion", "ce_specversion", GONE),
    HEADER("other specversion", "event.specversion", "ce_specversion", "0.3"),
    HEADER("no type", "event.type", "ce_type", GONE),
    HEADER("empty type", "event.type", "ce_type", ""),
    HEADER("other type", "event.type", "ce_type", "desk.delivery.requested.v1"),
    HEADER("type with more", "event.type", "ce_type", "desk.sms.received.v1x"),
    HEADER("major 2", "event.major", "ce_type", "desk.sms.received.v2"),
    HEADER("major 10", "event.major", "ce_type", "desk.sms.received.v10"),
    HEADER("major 0", "event.type", "ce_type", "desk.sms.received.v0"),
    HEADER("major without number", "event.type", "ce_type", "desk.sms.received.v"),
    HEADER("no id", "event.id", "ce_id", GONE),
    HEADER("empty id", "event.id", "ce_id", ""),
    HEADER("id of 256 bytes", "event.id", "ce_id", X256),
    HEADER("id with newline", "event.id", "ce_id", "SM\n1"),
    HEADER("id not UTF-8", "event.id", "ce_id", "\xff\xfe"),
    HEADER("id of another message", "event.id", "ce_id", "SM00000000000000000000000000000001"),
    HEADER("no source", "event.source", "ce_source", GONE),
    HEADER("empty source", "event.source", "ce_source", ""),
    HEADER("long source", "event.source", "ce_source", X256),
    HEADER("huge source", "event.source", "ce_source", X256 X256 X256),
    HEADER("no time", "event.time", "ce_time", GONE),
    HEADER("time without zone", "event.time", "ce_time", "2026-11-23T09:08:07"),
    HEADER("month 13", "event.time", "ce_time", "2026-13-23T09:08:07Z"),
    HEADER("epoch number", "event.time", "ce_time", "1795424887"),
    HEADER("time with more", "event.time", "ce_time", "2026-11-23T09:08:07Z garbage"),
    HEADER("no content type", "event.content_type", "content-type", GONE),
    HEADER("other content type", "event.content_type", "content-type", "text/plain"),
    HEADER("structured mode", "event.content_type", "content-type",
           "application/jsonp; charset=utf-8"),
    HEADER("content type with charset", NULL, "content-type", "application/json; charset=utf-8"),
    HEADER("long subject", "event.subject", "ce_subject", X256),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    HEADER("empty tenant", "event.tenant", "tenant", ""),
    HEADER("tenant in capitals", "event.tenant", "tenant", "018F9C3E-2B7A-7C1D-9E4F-5A6B7C8D9E0F"),
    HEADER("nil tenant", "event.tenant", "tenant", "00000000-0000-0000-0000-000000000000"),
    HEADER("tenant is SQL", "event.tenant", "tenant", "'; DROP TABLE tenants; --"),
    HEADER("another tenant than the key's", "event.key", "tenant",
           "018f9c3e-2b7a-7c1d-9e4f-000000000000"),
    HEADER("bad trace is dropped", NULL, "traceparent", "00-zz-yy-xx"),
    HEADER("huge trace is dropped", NULL, "traceparent", X256 X256),
    HEADER("unknown header", NULL, "x-custom", "whatever"),
    KEY("no tenant in key", "event.key", "+15550001111"),
    KEY("empty key", "event.key", ""),
    KEY("key of the number called", "event.key", TENANT ":+15550002222"),
    KEY("key with more", "event.key", TENANT ":+155500011112"),
    VALUE("empty", "event.json", ""),
    VALUE("not JSON", "event.json", "hello"),
    VALUE("cut off", "event.json", "{\"message_sid\":\"" SM "\""),
    VALUE("array", "event.json", "[]"),
    VALUE("null", "event.json", "null"),
    VALUE("text behind", "event.json", "{} {}"),
    VALUE("doubled member", "event.json", "{\"from\":\"+15550001111\",\"from\":\"+15550001112\"}"),
    VALUE("BOM", "event.json", "\xef\xbb\xbf{}"),
    VALUE("raw control character", "event.json", "{\"body\":\"a\nb\"}"),
    VALUE("escaped NUL", "event.json", "{\"body\":\"a\\u0000b\"}"),
    VALUE("lone surrogate", "event.json", "{\"body\":\"\\ud800\"}"),
    VALUE("invalid UTF-8", "event.json", "{\"body\":\"\xc3\x28\"}"),
    VALUE("no members", "event.member", "{}"),
    MEMBER("no sid", "event.member", "message_sid", GONE),
    MEMBER("sid null", "event.member", "message_sid", "null"),
    MEMBER("sid number", "event.member", "message_sid", "7"),
    MEMBER("sid short", "event.member", "message_sid", "\"SM1\""),
    MEMBER("sid of a call", "event.member", "message_sid",
           "\"CA0123456789abcdef0123456789abcdef\""),
    MEMBER("sid not hex", "event.member", "message_sid", "\"SM0123456789abcdef0123456789abcdeg\""),
    MEMBER("sid too long", "event.member", "message_sid",
           "\"SM0123456789abcdef0123456789abcdef0\""),
    MEMBER("account missing", "event.member", "account_sid", GONE),
    MEMBER("account of another shape", "event.member", "account_sid", "\"" SM "\""),
    MEMBER("account is a uuid", NULL, "account_sid", "\"" SESSION "\""),
    MEMBER("from without plus", "event.member", "from", "\"15550001111\""),
    MEMBER("from with 0", "event.member", "from", "\"+05550001111\""),
    MEMBER("from empty", "event.member", "from", "\"\""),
    MEMBER("from of letters", "event.member", "from", "\"+1555ACME123\""),
    MEMBER("from with blank", "event.member", "from", "\"+1555 0001111\""),
    MEMBER("from of 16 digits", "event.member", "from", "\"+1234567890123456\""),
    MEMBER("from in other digits", "event.member", "from", "\"+1555000١١١١\""),
    MEMBER("from is a list", "event.member", "from", "[\"+15550001111\"]"),
    MEMBER("to missing", "event.member", "to", GONE),
    MEMBER("to true", "event.member", "to", "true"),
    MEMBER("body missing", "event.member", "body", GONE),
    MEMBER("body number", "event.member", "body", "1"),
    MEMBER("body empty", NULL, "body", "\"\""),
    MEMBER("service of another shape", "event.member", "messaging_service_sid", "\"MG1\""),
    MEMBER("service number", "event.member", "messaging_service_sid", "1"),
    MEMBER("service null", NULL, "messaging_service_sid", "null"),
    MEMBER("long opt-out", "event.member", "opt_out_type", "\"" X256 "\""),
    MEMBER("segments text", "event.member", "segments", "\"1\""),
    MEMBER("segments negative", "event.member", "segments", "-1"),
    MEMBER("segments fraction", "event.member", "segments", "1.5"),
    MEMBER("segments huge", "event.member", "segments", "1e300"),
    MEMBER("segments missing", NULL, "segments", GONE),
    MEMBER("media object", "event.member", "media", "{}"),
    MEMBER("media of texts", "event.member", "media", "[\"https://e.com\"]"),
    MEMBER("media without url", "event.member", "media", "[{\"content_type\":\"a/b\"}]"),
    MEMBER("media with null", "event.member", "media", "[null]"),
    MEMBER("media of 10", NULL, "media", "[" M5 "," M5 "]"),
    MEMBER("media of 11", "event.member", "media", "[" M5 "," M5 "," M "]"),
    MEMBER("media url with newline", "event.member", "media", "[{\"url\":\"https://e\\n.com\"}]"),
    MEMBER("unknown member", NULL, "x", "{\"a\":[1,2,{\"b\":null}]}"),
};

static const struct damage requested_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 2", "event.major", "ce_type", "desk.delivery.requested.v2"),
    HEADER("other id", "event.id", "ce_id", SESSION),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    MEMBER("no delivery", "event.member", "delivery", GONE),
    MEMBER("delivery nil", "event.member", "delivery", "\"00000000-0000-0000-0000-000000000000\""),
    MEMBER("delivery short", "event.member", "delivery", "\"018f9c3e\""),
    MEMBER("delivery in braces", "event.member", "delivery", "\"{" DELIVERY "}\""),
    MEMBER("delivery number", "event.member", "delivery", "1"),
    MEMBER("no session", "event.member", "session", GONE),
    MEMBER("another session", "event.key", "session", "\"" DELIVERY "\""),
    KEY("key of the delivery", "event.key", TENANT ":" DELIVERY),
    VALUE("not JSON", "event.json", "{"),
};

static const struct damage receipt_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 3", "event.major", "ce_type", "desk.delivery.receipt.v3"),
    HEADER("id without status", "event.id", "ce_id", SM),
    MEMBER("no delivery", "event.member", "delivery", GONE),
    MEMBER("another delivery", "event.key", "delivery", "\"" SESSION "\""),
    MEMBER("attempt 0", "event.member", "attempt", "0"),
    MEMBER("attempt missing", "event.member", "attempt", GONE),
    MEMBER("attempt text", "event.member", "attempt", "\"1\""),
    MEMBER("attempt huge", "event.member", "attempt", "4294967297"),
    MEMBER("sid missing", "event.member", "provider_sid", GONE),
    MEMBER("sid of an account", "event.member", "provider_sid", "\"" AC "\""),
    MEMBER("status empty", "event.member", "status", "\"\""),
    MEMBER("status in capitals", "event.member", "status", "\"FAILED\""),
    MEMBER("status long", "event.member", "status", "\"" X256 "\""),
    MEMBER("another status", "event.id", "status", "\"sent\""),
    MEMBER("error code text", "event.member", "error_code", "\"E30003\""),
    MEMBER("error code number", "event.member", "error_code", "30003"),
    MEMBER("error code long", "event.member", "error_code", "\"12345678901\""),
    MEMBER("error code null", NULL, "error_code", "null"),
    KEY("key of the provider's id", "event.key", SM),
};

static const struct damage channel_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 2", "event.major", "ce_type", "desk.directory.channel.v2"),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    MEMBER("version negative", "event.member", "version", "-1"),
    MEMBER("version over 2^53", "event.member", "version", "9007199254740993"),
    MEMBER("version missing", "event.member", "version", GONE),
    MEMBER("channel missing", "event.member", "channel", GONE),
    MEMBER("kind in capitals", "event.member", "kind", "\"SMS\""),
    MEMBER("kind missing", "event.member", "kind", GONE),
    MEMBER("address no number", "event.member", "address", "\"owner@example.com\""),
    MEMBER("address of 257 bytes", "event.member", "address", "\"+" X256 "\""),
    MEMBER("another address", "event.key", "address", "\"+15550003333\""),
    MEMBER("no account", "event.member", "account_sid", GONE),
    MEMBER("keys missing", "event.member", "sealed_keys", GONE),
    MEMBER("keys text", "event.member", "sealed_keys", "\"AAAA\""),
    MEMBER("key not base64", "event.member", "sealed_keys", "[\"AA A\"]"),
    MEMBER("key empty", "event.member", "sealed_keys", "[\"\"]"),
    MEMBER("key number", "event.member", "sealed_keys", "[1]"),
    MEMBER("nine keys", "event.member", "sealed_keys",
           "[\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\",\"AAAA\"]"),
    MEMBER("no keys at all", NULL, "sealed_keys", "[]"),
    KEY("key of another kind", "event.key", "email:+15550002222"),
};

static const struct damage complete_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("a channel", "event.type", "ce_type", EVENT_DIRECTORY_CHANNEL),
    MEMBER("count missing", "event.member", "channels", GONE),
    MEMBER("count negative", "event.member", "channels", "-1"),
    MEMBER("count text", "event.member", "channels", "\"4\""),
    KEY("another key", "event.key", "completed"),
    HEADER("bad tenant", "event.tenant", "tenant", "x"),
};

static const struct damage quarantined_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 2", "event.major", "ce_type", "desk.webhook.quarantined.v2"),
    MEMBER("no reason", "event.member", "reason", GONE),
    MEMBER("reason of words", "event.member", "reason", "\"it was wrong\""),
    MEMBER("no path", "event.member", "path", GONE),
    MEMBER("no url", "event.member", "url", GONE),
    MEMBER("url_base64 no base64", "event.member", "url_base64", "\"!\""),
    MEMBER("url_base64 with NUL", "event.member", "url_base64", "\"YQBi\""),
    MEMBER("url_base64 number", "event.member", "url_base64", "1"),
    MEMBER("no body", "event.member", "body_base64", GONE),
    MEMBER("body no base64", "event.member", "body_base64", "\"YWJj=\""),
    MEMBER("body number", "event.member", "body_base64", "3"),
    MEMBER("signature missing", NULL, "signature", GONE),
    MEMBER("another address", "event.key", "address", "\"+15550009999\""),
    KEY("key unknown though there is an address", "event.key", "unknown"),
};

static void test_sms(void)
{
    TRY_ALL(sms_cases, good_sms, decode_sms);
}
static void test_requested(void)
{
    TRY_ALL(requested_cases, good_requested, decode_requested);
}
static void test_receipt(void)
{
    TRY_ALL(receipt_cases, good_receipt, decode_receipt);
}
static void test_channel(void)
{
    TRY_ALL(channel_cases, good_channel, decode_channel);
}
static void test_complete(void)
{
    TRY_ALL(complete_cases, good_complete, decode_complete);
}
static void test_quarantined(void)
{
    TRY_ALL(quarantined_cases, good_quarantined, decode_quarantined);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("hostile events", NULL, NULL);
    CU_add_test(suite, "sms.received", test_sms);
    CU_add_test(suite, "delivery.requested", test_requested);
    CU_add_test(suite, "delivery.receipt", test_receipt);
    CU_add_test(suite, "directory.channel", test_channel);
    CU_add_test(suite, "directory.complete", test_complete);
    CU_add_test(suite, "webhook.quarantined", test_quarantined);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
