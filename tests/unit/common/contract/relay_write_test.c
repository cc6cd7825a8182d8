/* ConversationRelay frames of ours, to the byte: whole or not at all, whatever the text and the
 * room. */
#include "contract/relay.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "json/json.h"

static struct arena *arena;

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

static struct strbuf out;

#define WRITES(call, expected)                                                                     \
    do {                                                                                           \
        strbuf_clear(&out);                                                                        \
        CU_ASSERT_EQUAL(call, 0);                                                                  \
        CU_ASSERT_STRING_EQUAL(out.data, expected);                                                \
    } while (0)

static void test_written(void)
{
    struct err err;
    WRITES(relay_write_text(&(struct relay_text){.token = "Hello "}, &out, &err),
           "{\"type\":\"text\",\"token\":\"Hello \",\"last\":false}");
    WRITES(relay_write_text(&(struct relay_text){.token = "", .last = true}, &out, &err),
           "{\"type\":\"text\",\"token\":\"\",\"last\":true}");
    WRITES(relay_write_text(&(struct relay_text){.token = "a \"b\" \\ <c>\n\x01\x7f\xc3\xa9"
                                                          "\xf0\x9f\x91\x8b",
                                                 .last = true,
                                                 .lang = "de-DE",
                                                 .interruptible = RELAY_NO,
                                                 .preemptible = RELAY_YES},
                            &out, &err),
           "{\"type\":\"text\",\"token\":\"a \\\"b\\\" \\\\ <c>\\n\\u0001\x7f\xc3\xa9"
           "\xf0\x9f\x91\x8b\",\"last\":true,\"lang\":\"de-DE\",\"interruptible\":false,"
           "\"preemptible\":true}");
    WRITES(relay_write_digits("12w#*0", &out, &err),
           "{\"type\":\"sendDigits\",\"digits\":\"12w#*0\"}");
    WRITES(relay_write_language("de-DE", NULL, &out, &err),
           "{\"type\":\"language\",\"ttsLanguage\":\"de-DE\"}");
    WRITES(relay_write_language("de-DE", "multi", &out, &err),
           "{\"type\":\"language\",\"ttsLanguage\":\"de-DE\",\"transcriptionLanguage\":\"multi\"}");
    WRITES(relay_write_end(NULL, &out, &err), "{\"type\":\"end\"}");
    WRITES(relay_write_end("{\"do\":\"dial\"}", &out, &err),
           "{\"type\":\"end\",\"handoffData\":\"{\\\"do\\\":\\\"dial\\\"}\"}");
}

#define REFUSES(call)                                                                              \
    do {                                                                                           \
        strbuf_clear(&out);                                                                        \
        strbuf_add_text(&out, "before");                                                           \
        err = (struct err){.class = ERR_PERMANENT};                                                \
        CU_ASSERT_EQUAL(call, -1);                                                                 \
        CU_ASSERT_EQUAL(err.class, ERR_BUG);                                                       \
        CU_ASSERT_STRING_EQUAL(err.code, "relay.write");                                           \
        CU_ASSERT_STRING_EQUAL(out.data, "before");                                                \
    } while (0)

static void test_not_written(void)
{
    static const char *const halves[] = {"a\xc3", "\xe2\x82",     "\xf0\x9f\x91",
                                         "\xa9",  "\xed\xa0\x80", "\xc0\xaf"};
    struct err err;
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        REFUSES(relay_write_text(&(struct relay_text){.token = halves[i]}, &out, &err));
        REFUSES(relay_write_end(halves[i], &out, &err));
    }
    REFUSES(relay_write_text(&(struct relay_text){.token = "a", .lang = ""}, &out, &err));
    REFUSES(relay_write_text(&(struct relay_text){.token = "a", .lang = "de DE"}, &out, &err));
    REFUSES(relay_write_text(
        &(struct relay_text){.token = repeated("", "x", RELAY_TOKEN_MAX + 1, "")}, &out, &err));
    REFUSES(relay_write_digits("", &out, &err));
    REFUSES(relay_write_digits("12A", &out, &err));
    REFUSES(relay_write_digits(repeated("", "1", RELAY_DIGITS_MAX + 1, ""), &out, &err));
    REFUSES(relay_write_language(NULL, NULL, &out, &err));
    REFUSES(relay_write_language("", "de", &out, &err));
    REFUSES(relay_write_end(repeated("", "x", RELAY_HANDOFF_MAX + 1, ""), &out, &err));
}

/* A frame is there whole or not at all, whatever room there is. */
static void test_no_room(void)
{
    static const char whole[] = "{\"type\":\"text\",\"token\":\"caf\xc3\xa9\",\"last\":true}";
    for (size_t room = 0; room < sizeof whole + 3; room++) {
        struct strbuf small;
        struct err err;
        strbuf_init(&small, room);
        int rc = relay_write_text(&(struct relay_text){.token = "caf\xc3\xa9", .last = true},
                                  &small, &err);
        CU_ASSERT_EQUAL(rc, room >= sizeof whole - 1 ? 0 : -1);
        CU_ASSERT_STRING_EQUAL(small.data, rc == 0 ? whole : "");
        CU_ASSERT_FALSE(small.overflow);
        strbuf_fini(&small);
    }
}

/* Whatever text goes in comes out of a strict parser as it was. */
static void test_round_trip(void)
{
    static const char *const signs[] = {"\x01",
                                        "\n",
                                        "\"",
                                        "\\",
                                        "/",
                                        "<",
                                        "&",
                                        "\x1f",
                                        "\x7f",
                                        "a",
                                        " ",
                                        "\xc3\xa9",
                                        "\xe2\x80\xa8",
                                        "\xef\xbf\xbf",
                                        "\xf0\x9f\x91\x8b",
                                        "\xf4\x8f\xbf\xbf"};
    unsigned seed = 99;
    for (int round = 0; round < 2000; round++) {
        struct strbuf token;
        struct json *document = NULL;
        struct err err;
        strbuf_init(&token, RELAY_TOKEN_MAX);
        for (unsigned i = 0; i < 12; i++) {
            seed = seed * 1103515245u + 12345;
            strbuf_add_text(&token, signs[(seed >> 16) % (sizeof signs / sizeof signs[0])]);
        }
        strbuf_clear(&out);
        CU_ASSERT_EQUAL_FATAL(
            relay_write_text(&(struct relay_text){.token = token.data}, &out, &err), 0);
        CU_ASSERT_EQUAL_FATAL(json_parse(out.data, out.length, &document, &err), 0);
        CU_ASSERT_STRING_EQUAL(json_member_text(document, "token"), token.data);
        json_free(&document);
        strbuf_fini(&token);
    }
}

static int set_up(void)
{
    arena = arena_new();
    strbuf_init(&out, RELAY_FRAME_MAX);
    return 0;
}

static int tear_down(void)
{
    strbuf_fini(&out);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("relay_write", set_up, tear_down);
    CU_add_test(suite, "written", test_written);
    CU_add_test(suite, "not written", test_not_written);
    CU_add_test(suite, "no room", test_no_room);
    CU_add_test(suite, "round trip", test_round_trip);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
