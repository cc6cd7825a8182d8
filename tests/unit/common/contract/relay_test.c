/* ConversationRelay frames of theirs: what is read, what is refused and as what, every truncation
 * and many alterations of good ones. */
#include "contract/relay.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "json/json.h"

#define VX "VX00000000000000000000000000000001"
#define AC "AC00000000000000000000000000000101"
#define CA "CA0123456789abcdef0123456789abcdef"

#define SETUP_OF(session, account, call, to)                                                       \
    "{\"type\":\"setup\",\"sessionId\":\"" session "\",\"accountSid\":\"" account                  \
    "\",\"callSid\":\"" call "\",\"from\":\"+15550001111\",\"to\":\"" to                           \
    "\",\"direction\":\"inbound\"}"
#define PROMPT(text)                                                                               \
    "{\"type\":\"prompt\",\"voicePrompt\":\"" text "\",\"lang\":\"en-US\",\"last\":true}"
#define INTERRUPT(duration)                                                                        \
    "{\"type\":\"interrupt\",\"utteranceUntilInterrupt\":\"Life is\","                             \
    "\"durationUntilInterruptMs\":" duration "}"
#define INFO(name, value)                                                                          \
    "{\"type\":\"info\",\"name\":" name ",\"value\":" value ",\"ts\":1790000000123}"

static struct arena *arena;

/* From memory of exactly that size, so that the sanitizer sees a read behind its end. */
static int read_bytes(const char *bytes, size_t length, struct relay_frame *out, struct err *err)
{
    char *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, bytes, length);
    int rc = relay_read(arena, copy, length, out, err);
    free(copy);
    return rc;
}

static void read_good(const char *text, struct relay_frame *out)
{
    struct err err = {0};
    if (read_bytes(text, strlen(text), out, &err) != 0)
        fprintf(stderr, "%s: %s\n", text, err.message);
    CU_ASSERT_EQUAL_FATAL(err.code[0], '\0');
}

/* ---- reading ---- */

static void test_setup(void)
{
    struct relay_frame frame;
    read_good("{\"type\":\"setup\",\"sessionId\":\"" VX "\",\"accountSid\":\"" AC
              "\",\"parentCallSid\":\"CAffffffffffffffffffffffffffffffff\",\"callSid\":\"" CA
              "\",\"from\":\"+15550001111\",\"to\":\"+15550002222\",\"forwardedFrom\":\"+1555000"
              "3333\",\"callType\":\"PSTN\",\"callerName\":\"Ann\\u00e9\",\"direction\":\"inbound\""
              ",\"callStatus\":\"RINGING\",\"customParameters\":{\"a\":\"b\",\"attestation\":"
              "\"failed\",\"parted\":\"1790000060123\"},\"new\":[1,{}]}",
              &frame);
    CU_ASSERT_EQUAL_FATAL(frame.kind, RELAY_SETUP);
    CU_ASSERT_STRING_EQUAL(frame.setup.session_id, VX);
    CU_ASSERT_STRING_EQUAL(frame.setup.account_sid, AC);
    CU_ASSERT_STRING_EQUAL(frame.setup.call_sid, CA);
    CU_ASSERT_STRING_EQUAL(frame.setup.from, "+15550001111");
    CU_ASSERT_STRING_EQUAL(frame.setup.to, "+15550002222");
    CU_ASSERT_STRING_EQUAL(frame.setup.parent_call_sid, "CAffffffffffffffffffffffffffffffff");
    CU_ASSERT_STRING_EQUAL(frame.setup.forwarded_from, "+15550003333");
    CU_ASSERT_STRING_EQUAL(frame.setup.caller_name, "Ann\xc3\xa9");
    CU_ASSERT_STRING_EQUAL(frame.setup.attestation, "failed");
    CU_ASSERT_EQUAL(frame.setup.parted_ms, 1790000060123);
    CU_ASSERT_STRING_EQUAL(frame.setup.call_type, "PSTN");
    CU_ASSERT_STRING_EQUAL(frame.setup.direction, "inbound");
    CU_ASSERT_STRING_EQUAL(frame.setup.call_status, "RINGING");
}

/* What only informs is left out when it is absent, null, of another type or of another shape. */
static void test_setup_without_extras(void)
{
    static const char *const extras[] = {
        "",
        ",\"from\":null,\"parentCallSid\":null,\"forwardedFrom\":null,\"callerName\":null",
        ",\"from\":7,\"parentCallSid\":\"CA1\",\"forwardedFrom\":[],\"callerName\":\"a\\nb\"",
        ",\"from\":\"\",\"parentCallSid\":\"\",\"forwardedFrom\":\"\\u007f\",\"callerName\":true",
        ",\"customParameters\":{\"parted\":\"-1\",\"attestation\":1}",
        ",\"customParameters\":{\"parted\":\"99999999999999999999\"}",
        ",\"customParameters\":{\"parted\":1790000060123}",
    };
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++) {
        struct relay_frame frame;
        read_good(arena_printf(arena,
                               "{\"type\":\"setup\",\"sessionId\":\"" VX "\",\"accountSid\":\"" AC
                               "\",\"callSid\":\"" CA "\",\"to\":\"sip:desk@example.com\"%s}",
                               extras[i]),
                  &frame);
        CU_ASSERT_STRING_EQUAL(frame.setup.to, "sip:desk@example.com");
        CU_ASSERT_STRING_EQUAL(frame.setup.from, "");
        CU_ASSERT_STRING_EQUAL(frame.setup.parent_call_sid, "");
        CU_ASSERT_STRING_EQUAL(frame.setup.forwarded_from, "");
        CU_ASSERT_STRING_EQUAL(frame.setup.caller_name, "");
        CU_ASSERT_STRING_EQUAL(frame.setup.attestation, "");
        CU_ASSERT_EQUAL(frame.setup.parted_ms, 0);
        CU_ASSERT_STRING_EQUAL(frame.setup.call_type, "");
        CU_ASSERT_STRING_EQUAL(frame.setup.direction, "");
        CU_ASSERT_STRING_EQUAL(frame.setup.call_status, "");
    }
}

static void test_prompt(void)
{
    static const struct {
        const char *frame, *text, *lang;
        bool last;
    } cases[] = {
        {PROMPT("Hello"), "Hello", "en-US", true},
        {PROMPT(""), "", "en-US", true},
        {PROMPT("Gr\xc3\xbc\xc3\x9f \\ud83d\\udc4b\\n"), "Gr\xc3\xbc\xc3\x9f \xf0\x9f\x91\x8b\n",
         "en-US", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"last\":false,\"lang\":\"de\"}", "a", "de",
         false},
        /* complete unless it says that more follows */
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\"}", "a", "", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"last\":null,\"lang\":null}", "a", "", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"lang\":\"en US\"}", "a", "", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"lang\":5}", "a", "", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"lang\":\"1\"}", "a", "", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"lang\":\"en--US\"}", "a", "", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"lang\":\"es-\"}", "a", "", true},
        {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"lang\":\"languages\"}", "a", "", true},
        {" {\n\"voicePrompt\" : \"a\",\"type\":\"prompt\"}\t", "a", "", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct relay_frame frame;
        read_good(cases[i].frame, &frame);
        CU_ASSERT_EQUAL_FATAL(frame.kind, RELAY_PROMPT);
        CU_ASSERT_STRING_EQUAL(frame.prompt.text, cases[i].text);
        CU_ASSERT_STRING_EQUAL(frame.prompt.lang, cases[i].lang);
        CU_ASSERT_EQUAL(frame.prompt.last, cases[i].last);
        CU_ASSERT_FALSE(frame.prompt.cut);
    }
}

static void test_interrupt(void)
{
    static const struct {
        const char *frame;
        int64_t duration_ms;
    } cases[] = {
        {INTERRUPT("460"), 460},
        {INTERRUPT("0"), 0},
        {INTERRUPT("460.75"), 460},
        {INTERRUPT("\"460\""), 460},
        {INTERRUPT("86400000"), 86400000},
        {INTERRUPT("86400001"), -1},
        {INTERRUPT("-1"), -1},
        {INTERRUPT("1e300"), -1},
        {INTERRUPT("\"4 s\""), -1},
        {INTERRUPT("\"-4\""), -1},
        {INTERRUPT("true"), -1},
        {INTERRUPT("null"), -1},
        {INTERRUPT("[460]"), -1},
        {"{\"type\":\"interrupt\",\"utteranceUntilInterrupt\":\"Life is\"}", -1},
    };
    struct relay_frame frame;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_good(cases[i].frame, &frame);
        CU_ASSERT_EQUAL_FATAL(frame.kind, RELAY_INTERRUPT);
        CU_ASSERT_STRING_EQUAL(frame.interrupt.heard, "Life is");
        CU_ASSERT_EQUAL(frame.interrupt.duration_ms, cases[i].duration_ms);
    }
    read_good("{\"type\":\"interrupt\",\"utteranceUntilInterrupt\":\"\"}", &frame);
    CU_ASSERT_STRING_EQUAL(frame.interrupt.heard, "");
}

static void test_others(void)
{
    struct relay_frame frame;
    for (const char *key = "0123456789*#ABCD"; *key != '\0'; key++) {
        read_good(arena_printf(arena, "{\"type\":\"dtmf\",\"digit\":\"%c\"}", *key), &frame);
        CU_ASSERT_EQUAL(frame.kind, RELAY_DTMF);
        CU_ASSERT_EQUAL(frame.digit, *key);
    }
    read_good("{\"type\":\"error\",\"description\":\"no voice\"}", &frame);
    CU_ASSERT_EQUAL(frame.kind, RELAY_ERROR);
    CU_ASSERT_STRING_EQUAL(frame.problem, "no voice");
    read_good("{\"type\":\"error\",\"description\":{}}", &frame);
    CU_ASSERT_EQUAL(frame.kind, RELAY_ERROR);
    CU_ASSERT_STRING_EQUAL(frame.problem, "");
    read_good(INFO("\"agentSpeaking\"", "\"on\""), &frame);
    CU_ASSERT_EQUAL_FATAL(frame.kind, RELAY_SPEAKING);
    CU_ASSERT_FALSE(frame.speaking.caller);
    CU_ASSERT_TRUE(frame.speaking.on);
    CU_ASSERT_EQUAL(frame.speaking.at_ms, 1790000000123);
    read_good("{\"type\":\"info\",\"name\":\"clientSpeaking\",\"value\":\"off\"}", &frame);
    CU_ASSERT_EQUAL_FATAL(frame.kind, RELAY_SPEAKING);
    CU_ASSERT_TRUE(frame.speaking.caller);
    CU_ASSERT_FALSE(frame.speaking.on);
    CU_ASSERT_EQUAL(frame.speaking.at_ms, 0);
}

static void test_ignored(void)
{
    static const char *const frames[] = {
        "{\"type\":\"Prompt\",\"voicePrompt\":\"a\"}",
        "{\"type\":\"media\"}",
        "{\"type\":\"\"}",
        "{\"type\":\"info\"}",
        INFO("\"agentSpeaking\"", "\"ON\""),
        INFO("\"agentSpeaking\"", "true"),
        INFO("\"clientSpeaking\"", "null"),
        INFO("\"tokensPlayed\"", "\"Hello \""),
        INFO("\"roundTripDelayMs\"", "\"7\""),
        INFO("7", "\"on\""),
    };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        struct relay_frame frame = {.kind = RELAY_ERROR};
        read_good(frames[i], &frame);
        CU_ASSERT_EQUAL(frame.kind, RELAY_IGNORED);
    }
}

static const struct {
    const char *frame, *code, *says;
} refused[] = {
    {"", "relay.size", "0 bytes"},
    {"nonsense", "json.syntax", ""},
    {"[]", "relay.member", "type"},
    {"\"setup\"", "relay.member", "type"},
    {"7", "relay.member", "type"},
    {"{}", "relay.member", "type"},
    {"{\"type\":null}", "relay.member", "type"},
    {"{\"type\":7}", "relay.member", "type"},
    {"{\"type\":[\"prompt\"],\"voicePrompt\":\"a\"}", "relay.member", "type"},
    {PROMPT("a") "{}", "json.syntax", ""},
    {PROMPT("a\tb"), "json.syntax", ""},
    {PROMPT("\\u0000"), "json.nul", ""},
    {PROMPT("\xff"), "json.utf8", ""},
    {PROMPT("a\xc3"), "json.utf8", ""},
    {PROMPT("\xc0\xaf"), "json.utf8", ""},
    {PROMPT("\\ud83d"), "json.utf8", ""},
    {PROMPT("\\udc4b\\ud83d"), "json.utf8", ""},
    {"\xef\xbb\xbf" PROMPT("a"), "json.syntax", ""},
    /* two of one name: neither counts, wherever they are */
    {"{\"type\":\"prompt\",\"type\":\"prompt\",\"voicePrompt\":\"a\"}", "json.duplicate", ""},
    {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"voicePrompt\":\"b\"}", "json.duplicate", ""},
    {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"voice\\u0050rompt\":\"b\"}", "json.duplicate",
     ""},
    {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"x\":{\"y\":1,\"y\":2}}", "json.duplicate", ""},
    {"{\"type\":\"prompt\"}", "relay.member", "prompt frame has no voicePrompt"},
    {"{\"type\":\"prompt\",\"voicePrompt\":null}", "relay.member", "has no voicePrompt"},
    {"{\"type\":\"prompt\",\"voicePrompt\":7}", "relay.member", "voicePrompt"},
    {"{\"type\":\"prompt\",\"voicePrompt\":[\"a\"]}", "relay.member", "voicePrompt"},
    {"{\"type\":\"prompt\",\"voiceprompt\":\"a\"}", "relay.member", "no voicePrompt"},
    {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"last\":\"true\"}", "relay.member", "last"},
    {"{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"last\":1}", "relay.member", "last"},
    {"{\"type\":\"dtmf\"}", "relay.member", "dtmf frame has no digit"},
    {"{\"type\":\"dtmf\",\"digit\":1}", "relay.member", "digit"},
    {"{\"type\":\"dtmf\",\"digit\":\"\"}", "relay.member", "digit"},
    {"{\"type\":\"dtmf\",\"digit\":\"12\"}", "relay.member", "digit"},
    {"{\"type\":\"dtmf\",\"digit\":\"E\"}", "relay.member", "digit"},
    {"{\"type\":\"dtmf\",\"digit\":\"w\"}", "relay.member", "digit"},
    {"{\"type\":\"interrupt\",\"durationUntilInterruptMs\":1}", "relay.member",
     "interrupt frame has no utteranceUntilInterrupt"},
    {"{\"type\":\"interrupt\",\"utteranceUntilInterrupt\":0}", "relay.member",
     "utteranceUntilInterrupt"},
    {"{\"type\":\"setup\"}", "relay.member", "setup frame has no sessionId"},
    {"{\"type\":\"setup\",\"sessionId\":\"" VX "\"}", "relay.member", "no accountSid"},
    {"{\"type\":\"setup\",\"sessionId\":\"" VX "\",\"accountSid\":\"" AC "\"}", "relay.member",
     "no callSid"},
    {"{\"type\":\"setup\",\"sessionId\":\"" VX "\",\"accountSid\":\"" AC "\",\"callSid\":\"" CA
     "\"}",
     "relay.member", "no to"},
    {SETUP_OF("VX1", AC, CA, "+15550002222"), "relay.member", "sessionId"},
    {SETUP_OF("", AC, CA, "+15550002222"), "relay.member", "sessionId"},
    {SETUP_OF("CA00000000000000000000000000000001", AC, CA, "+15550002222"), "relay.member",
     "sessionId"},
    {SETUP_OF(VX "0", AC, CA, "+15550002222"), "relay.member", "sessionId"},
    {SETUP_OF(VX "\\n", AC, CA, "+15550002222"), "relay.member", "sessionId"},
    {SETUP_OF(VX, "AC1", CA, "+15550002222"), "relay.member", "accountSid"},
    {SETUP_OF(VX, AC, "CA1", "+15550002222"), "relay.member", "callSid"},
    {SETUP_OF(VX, AC, "ca0123456789abcdef0123456789abcdef", "+15550002222"), "relay.member",
     "callSid"},
    {SETUP_OF(VX, AC, "CA0123456789abcdef0123456789abcdeg", "+15550002222"), "relay.member",
     "callSid"},
    {SETUP_OF(VX, AC, "8f14e45f-ceea-467f-a8d2-0123456789ab", "+15550002222"), "relay.member",
     "callSid"},
    {SETUP_OF(VX, AC, CA, ""), "relay.member", "to"},
    {SETUP_OF(VX, AC, CA, "+1555\\r\\nX: y"), "relay.member", "to"},
};

static void test_refused(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct relay_frame frame, before;
        struct err err = {.class = ERR_BUG};
        memset(&frame, 0x5a, sizeof frame);
        memset(&before, 0x5a, sizeof before);
        int rc = read_bytes(refused[i].frame, strlen(refused[i].frame), &frame, &err);
        bool ok = rc == -1 && strcmp(err.code, refused[i].code) == 0 &&
                  strstr(err.message, refused[i].says) != NULL && err.class == ERR_PERMANENT;
        if (!ok)
            fprintf(stderr, "refused[%zu]: %d %s: %s\n", i, rc, err.code, err.message);
        CU_ASSERT_TRUE(ok);
        CU_ASSERT_EQUAL(memcmp(&before, &frame, sizeof frame), 0);
    }
}

/* A raw NUL ends no text early. */
static void test_nul(void)
{
    static const char frame[] = "{\"type\":\"dtmf\",\"digit\":\"1\"}\0";
    static const char inside[] = "{\"type\":\"prompt\",\"voicePrompt\":\"a\0b\"}";
    struct relay_frame out;
    struct err err;
    CU_ASSERT_EQUAL(read_bytes(frame, sizeof frame - 1, &out, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "json.nul");
    CU_ASSERT_EQUAL(read_bytes(inside, sizeof inside - 1, &out, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "json.nul");
}

/* `count` repeats of `unit` between head and tail. */
static char *repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    strbuf_add_text(&text, head);
    for (size_t i = 0; i < count; i++)
        strbuf_add_text(&text, unit);
    strbuf_add_text(&text, tail);
    char *copy = arena_strdup(arena, text.data);
    strbuf_fini(&text);
    return copy;
}

static void test_bounds(void)
{
    static const char head[] = "{\"type\":\"prompt\",\"voicePrompt\":\"";
    struct relay_frame frame;
    struct err err;
    read_good(repeated(head, "x", RELAY_PROMPT_MAX, "\"}"), &frame);
    CU_ASSERT_EQUAL(strlen(frame.prompt.text), RELAY_PROMPT_MAX);
    CU_ASSERT_FALSE(frame.prompt.cut);
    read_good(repeated(head, "x", RELAY_PROMPT_MAX + 1, "\"}"), &frame);
    CU_ASSERT_EQUAL(strlen(frame.prompt.text), RELAY_PROMPT_MAX);
    CU_ASSERT_TRUE(frame.prompt.cut);
    read_good(repeated(head, "\xe2\x82\xac", 2000, "\"}"), &frame); /* never half a sign */
    CU_ASSERT_EQUAL(strlen(frame.prompt.text), 4095);
    CU_ASSERT_TRUE(text_is_utf8(frame.prompt.text, 4095));
    read_good(repeated("{\"type\":\"interrupt\",\"utteranceUntilInterrupt\":\"", "\xf0\x9f\x91\x8b",
                       5000, "\"}"),
              &frame);
    CU_ASSERT_EQUAL(strlen(frame.interrupt.heard), RELAY_HEARD_MAX);
    CU_ASSERT_TRUE(frame.interrupt.cut);
    read_good(repeated("{\"type\":\"error\",\"description\":\"", "x", 5000, "\"}"), &frame);
    CU_ASSERT_EQUAL(strlen(frame.problem), RELAY_PROBLEM_MAX);

    size_t fixed = strlen(head) + 2;
    char *whole = repeated(head, "x", RELAY_FRAME_MAX - fixed, "\"}");
    CU_ASSERT_EQUAL(strlen(whole), RELAY_FRAME_MAX);
    CU_ASSERT_EQUAL(read_bytes(whole, RELAY_FRAME_MAX, &frame, &err), 0);
    char *over = repeated(head, "\xff", RELAY_FRAME_MAX - fixed + 1, "\"}");
    CU_ASSERT_EQUAL(read_bytes(over, RELAY_FRAME_MAX + 1, &frame, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "relay.size"); /* not "json.utf8": it was not parsed */

    char *deep = repeated("{\"type\":\"prompt\",\"voicePrompt\":\"a\",\"x\":", "[",
                          RELAY_FRAME_MAX - 100, "");
    CU_ASSERT_EQUAL(read_bytes(deep, strlen(deep), &frame, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "json.depth");
    char *nested = repeated("{\"type\":\"dtmf\",\"digit\":\"1\",\"x\":", "[", JSON_DEPTH_MAX - 1,
                            repeated("", "]", JSON_DEPTH_MAX - 1, "}"));
    read_good(nested, &frame);
    CU_ASSERT_EQUAL(frame.digit, '1');
}

static const char *const good[] = {
    SETUP_OF(VX, AC, CA, "+15550002222"),
    PROMPT("Gr\xc3\xbc\xc3\x9f \\ud83d\\udc4b, caf\\u00e9?"),
    "{\"type\":\"dtmf\",\"digit\":\"#\"}",
    INTERRUPT("460.5"),
    "{\"type\":\"error\",\"description\":\"\xf0\x9f\x91\x8b\"}",
    INFO("\"tokensPlayed\"", "\"Hello \""),
    INFO("\"clientSpeaking\"", "\"off\""),
};
#define GOOD_COUNT (sizeof good / sizeof good[0])

static bool is_within(const char *text, size_t max)
{
    size_t length = strlen(text);
    return length <= max && text_is_utf8(text, length);
}

/* What holds of every frame that was accepted. */
static bool is_sound(const struct relay_frame *frame)
{
    switch (frame->kind) {
    case RELAY_SETUP:
        return strlen(frame->setup.call_sid) == 34 &&
               strncmp(frame->setup.call_sid, "CA", 2) == 0 &&
               is_within(frame->setup.session_id, 36) && frame->setup.to[0] != '\0' &&
               is_within(frame->setup.to, RELAY_NAME_MAX) &&
               is_within(frame->setup.from, RELAY_NAME_MAX) &&
               is_within(frame->setup.direction, 32);
    case RELAY_PROMPT:
        return is_within(frame->prompt.text, RELAY_PROMPT_MAX) &&
               is_within(frame->prompt.lang, RELAY_LANGUAGE_MAX);
    case RELAY_DTMF:
        return frame->digit != '\0' && strchr("0123456789*#ABCD", frame->digit) != NULL;
    case RELAY_INTERRUPT:
        return is_within(frame->interrupt.heard, RELAY_HEARD_MAX) &&
               frame->interrupt.duration_ms >= -1 && frame->interrupt.duration_ms <= 86400000;
    case RELAY_ERROR:
        return is_within(frame->problem, RELAY_PROBLEM_MAX);
    case RELAY_SPEAKING:
        return frame->speaking.at_ms >= 0;
    case RELAY_IGNORED:
        return true;
    }
    return false;
}

static void test_truncations(void)
{
    for (size_t i = 0; i < GOOD_COUNT; i++)
        for (size_t length = 0; length < strlen(good[i]); length++) {
            struct relay_frame frame;
            struct err err;
            CU_ASSERT_EQUAL(read_bytes(good[i], length, &frame, &err), -1);
            CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
            arena_reset(arena);
        }
}

/* Each byte of each good frame by others: every single bit turned, and signs that mean something.
 */
static void test_alterations(void)
{
    static const char signs[] = "\"\\{}[]:,0eE-.ntu\x01\x7f\x80\xc3\xed\xf5\xff";
    size_t accepted = 0;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        size_t length = strlen(good[i]);
        for (size_t at = 0; at < length; at++) {
            for (size_t k = 0; k < 9 + sizeof signs - 1; k++) {
                char *bytes = arena_strdup(arena, good[i]);
                struct relay_frame frame;
                struct err err;
                bytes[at] = k < 8    ? (char)((unsigned char)bytes[at] ^ (1u << k))
                            : k == 8 ? '\0'
                                     : signs[k - 9];
                if (read_bytes(bytes, length, &frame, &err) == 0) {
                    CU_ASSERT_TRUE(is_sound(&frame));
                    accepted++;
                }
                arena_reset(arena);
            }
        }
    }
    CU_ASSERT_TRUE(accepted > 1000);
}

/* Pieces of frames put together at random. */
static void test_random(void)
{
    static const char *const pieces[] = {
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"type\"",
        "\"setup\"",
        "\"prompt\"",
        "\"dtmf\"",
        "\"interrupt\"",
        "\"info\"",
        "\"voicePrompt\"",
        "\"digit\"",
        "\"1\"",
        "\"last\"",
        "true",
        "null",
        "1e9",
        "\"\\ud83d\"",
        "\"\\u0000\"",
        "\"\xc3\"",
        " ",
        "\"name\"",
        "\"value\"",
        "\"utteranceUntilInterrupt\"",
    };
    unsigned seed = 4711;
    for (int round = 0; round < 20000; round++) {
        struct strbuf text;
        struct relay_frame frame;
        struct err err;
        strbuf_init(&text, 4096);
        for (int i = 0; i < 16; i++) {
            seed = seed * 1103515245u + 12345;
            strbuf_add_text(&text, pieces[(seed >> 16) % (sizeof pieces / sizeof pieces[0])]);
        }
        if (read_bytes(text.data, text.length, &frame, &err) == 0)
            CU_ASSERT_TRUE(is_sound(&frame));
        strbuf_fini(&text);
        arena_reset(arena);
    }
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
    CU_pSuite suite = CU_add_suite("relay", set_up, tear_down);
    CU_add_test(suite, "setup", test_setup);
    CU_add_test(suite, "setup without extras", test_setup_without_extras);
    CU_add_test(suite, "prompt", test_prompt);
    CU_add_test(suite, "interrupt", test_interrupt);
    CU_add_test(suite, "other frames", test_others);
    CU_add_test(suite, "ignored", test_ignored);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "NUL", test_nul);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "every truncation", test_truncations);
    CU_add_test(suite, "every alteration", test_alterations);
    CU_add_test(suite, "random frames", test_random);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
