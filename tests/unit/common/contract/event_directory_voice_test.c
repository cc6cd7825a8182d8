/* Unit tests of a telephone number's settings in the directory: bounds of each member, which kinds
 * of channel have them, and that the records of other kinds stay as they were. */
#include "unit/common/contract/damage.h"
#include "unit/common/contract/good_voice.h"

/* ---- damage inside the member voice ---- */

/* The good record's settings with one member replaced by JSON text, or taken out (GONE). */
static void with_setting(struct bus_record *record, const char *name, const char *json)
{
    struct json *value;
    struct strbuf text;
    good_voice_channel(record);
    CU_ASSERT_FATAL(json_parse(record->value, record->value_length, &value, NULL) == 0);
    strbuf_init(&text, BUS_VALUE_MAX);
    json_print(json_member(value, "voice"), &text);
    struct bus_record settings = {.value = text.data, .value_length = text.length};
    record->value = without_or_with(record, "voice", without_or_with(&settings, name, json));
    record->value_length = strlen(record->value);
    strbuf_fini(&text);
    json_free(&value);
}

static void try_setting(const char *title, const char *code, const char *name, const char *json)
{
    struct bus_record record;
    arena = arena_new();
    with_setting(&record, name, json);
    expect(title, code, &record, decode_channel);
    arena_free(&arena);
}

#define L  "{\"code\":\"de\"}"
#define L5 L "," L "," L "," L "," L

static void test_settings(void)
{
    static const struct {
        const char *title, *code, *name, *json;
    } cases[] = {
        {"no mode", "event.member", "mode", GONE},
        {"mode unknown", "event.member", "mode", "\"stream\""},
        {"mode in capitals", "event.member", "mode", "\"Relay\""},
        {"another mode", NULL, "mode", "\"relay\""},
        {"no language", "event.member", "language", GONE},
        {"language no tag", "event.member", "language", "\"en_US\""},
        {"language of one letter", "event.member", "language", "\"e\""},
        {"language ends with a dash", "event.member", "language", "\"en-\""},
        {"language with a long part", "event.member", "language", "\"en-abcdefghi\""},
        {"language of nine letters", "event.member", "language", "\"abcdefghi\""},
        {"any language", NULL, "language", "\"multi\""},
        {"language with parts", NULL, "language", "\"zh-Hant-TW\""},
        {"the provider's voice", NULL, "voice", GONE},
        {"voice of 256 bytes", "event.member", "voice", "\"" X256 "\""},
        {"voice with a newline", "event.member", "voice", "\"a\\nb\""},
        {"provider number", "event.member", "tts_provider", "1"},
        {"provider of 80 bytes", "event.member", "tts_provider", "\"" X16 X16 X16 X16 X16 "\""},
        {"another provider", NULL, "transcription_provider", "\"Google\""},
        {"model list", "event.member", "speech_model", "[]"},
        {"no further languages", NULL, "languages", GONE},
        {"further languages null", NULL, "languages", "null"},
        {"ten languages", NULL, "languages", "[" L5 "," L5 "]"},
        {"eleven languages", "event.member", "languages", "[" L5 "," L5 "," L "]"},
        {"language without code", "event.member", "languages", "[{\"voice\":\"Vicki\"}]"},
        {"language a text", "event.member", "languages", "[\"de\"]"},
        {"language with a bad voice", "event.member", "languages",
         "[{\"code\":\"de\",\"voice\":1}]"},
        {"hints list", "event.member", "hints", "[\"crown\"]"},
        {"no hints", NULL, "hints", GONE},
        {"interruptible true", "event.member", "interruptible", "true"},
        {"interruptible unknown", "event.member", "interruptible", "\"all\""},
        {"interruptible as usual", NULL, "interruptible", GONE},
        {"sensitivity unknown", "event.member", "interrupt_sensitivity", "\"highest\""},
        {"no consent line", NULL, "consent_line", GONE},
        {"consent line with a control character", "event.member", "consent_line", "\"a\\u0007\""},
        {"consent line false", "event.member", "consent_line", "false"},
        {"no greeting", "event.member", "greeting", GONE},
        {"greeting empty", "event.member", "greeting", "\"\""},
        {"greeting blank", "event.member", "greeting", "\" \\n\\t\""},
        {"greeting of two lines", NULL, "greeting", "\"Hello.\\nHow can I help?\""},
        {"no fillers", "event.member", "fillers", GONE},
        {"fillers empty", "event.member", "fillers", "[]"},
        {"four fillers", NULL, "fillers", "[\"a\",\"b\",\"c\",\"d\"]"},
        {"five fillers", "event.member", "fillers", "[\"a\",\"b\",\"c\",\"d\",\"e\"]"},
        {"filler empty", "event.member", "fillers", "[\"\"]"},
        {"filler number", "event.member", "fillers", "[1]"},
        {"fillers a text", "event.member", "fillers", "\"One moment.\""},
        {"no fallback", "event.member", "fallback", GONE},
        {"no record prompt", "event.member", "record_prompt", GONE},
        {"no still there", "event.member", "still_there", GONE},
        {"not understood as usual", NULL, "not_understood", GONE},
        {"not understood blank", "event.member", "not_understood", "\" \""},
        {"no goodbye", "event.member", "goodbye", GONE},
        {"transcribe text", "event.member", "transcribe", "\"yes\""},
        {"a member of before, whatever it is", NULL, "record", "\"yes\""},
        {"written down", NULL, "transcribe", "true"},
        {"nobody blocked", NULL, "blocked", GONE},
        {"blocked a word", "event.member", "blocked", "[\"anonymous\"]"},
        {"blocked an object", "event.member", "blocked", "[{\"number\":\"+15550003333\"}]"},
        {"no silence", "event.member", "silence_ms", GONE},
        {"silence of 999 ms", "event.member", "silence_ms", "999"},
        {"silence of 1 s", NULL, "silence_ms", "1000"},
        {"silence of 10 min", NULL, "silence_ms", "600000"},
        {"silence of more", "event.member", "silence_ms", "600001"},
        {"no rate", "event.member", "speaking_rate", GONE},
        {"rate 9", "event.member", "speaking_rate", "9"},
        {"rate 10", NULL, "speaking_rate", "10"},
        {"rate 1000", NULL, "speaking_rate", "1000"},
        {"rate 1001", "event.member", "speaking_rate", "1001"},
        {"caller id a word", "event.member", "transfer_caller_id", "\"Clinic\""},
        {"the caller's own number", NULL, "transfer_caller_id", GONE},
        {"unknown setting", NULL, "future_tone", "{\"a\":[]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        try_setting(cases[i].title, cases[i].code, cases[i].name, cases[i].json);
}

static void test_longest_settings(void)
{
    static const struct {
        const char *name;
        size_t max;
    } cases[] = {
        {"greeting", DIRECTORY_WORDING_MAX},
        {"consent_line", DIRECTORY_WORDING_MAX},
        {"fallback", DIRECTORY_WORDING_MAX},
        {"record_prompt", DIRECTORY_WORDING_MAX},
        {"still_there", DIRECTORY_WORDING_MAX},
        {"not_understood", DIRECTORY_WORDING_MAX},
        {"goodbye", DIRECTORY_WORDING_MAX},
        {"hints", DIRECTORY_HINTS_MAX},
        {"voice", DIRECTORY_VOICE_MAX},
        {"tts_provider", DIRECTORY_PROVIDER_MAX},
        {"speech_model", DIRECTORY_PROVIDER_MAX},
        {"transcription_provider", DIRECTORY_PROVIDER_MAX},
    };
    char json[DIRECTORY_HINTS_MAX + 4];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t more = 0; more < 2; more++) {
            size_t length = cases[i].max + more;
            memset(json + 1, 'x', length);
            json[0] = json[length + 1] = '"';
            json[length + 2] = '\0';
            try_setting(cases[i].name, more > 0 ? "event.member" : NULL, cases[i].name, json);
        }
    }
}

/* 200 numbers are blocked and not one more. */
static void test_blocked_numbers(void)
{
    for (size_t count = DIRECTORY_BLOCKED_MAX; count <= DIRECTORY_BLOCKED_MAX + 1; count++) {
        struct strbuf json;
        strbuf_init(&json, 64 * 1024);
        for (size_t i = 0; i < count; i++)
            strbuf_printf(&json, "%s\"+155500%05zu\"", i == 0 ? "[" : ",", i);
        strbuf_add_char(&json, ']');
        try_setting("blocked", count > DIRECTORY_BLOCKED_MAX ? "event.member" : NULL, "blocked",
                    json.data);
        strbuf_fini(&json);
    }
}

/* ---- which channels ---- */

static const struct damage channel_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    MEMBER("no settings", "event.member", "voice", GONE),
    MEMBER("settings null", "event.member", "voice", "null"),
    MEMBER("settings a list", "event.member", "voice", "[]"),
    MEMBER("settings a text", "event.member", "voice", "\"relay\""),
    MEMBER("settings empty", "event.member", "voice", "{}"),
    MEMBER("settings of a text channel", "event.member", "kind", "\"sms\""),
    MEMBER("settings of a later kind", "event.member", "kind", "\"email\""),
    MEMBER("no account", "event.member", "account_sid", GONE),
    MEMBER("address no number", "event.member", "address", "\"mara@example.com\""),
    MEMBER("no keys", NULL, "sealed_keys", "[]"),
    KEY("key of the text channel", "event.key", "sms:+15550002222"),
};

static void test_channels(void)
{
    TRY_ALL(channel_cases, good_voice_channel, decode_channel);
}

/* Records of text channels are compared byte for byte: they did not change when settings of
 * telephone numbers came, and readers of both releases meet on the topic. */
static void test_text_channel_is_unchanged(void)
{
    static const char expected[] =
        "{\"version\":3,\"channel\":\"" SESSION "\",\"kind\":\"sms\",\"address\":\"+15550002222\","
        "\"account_sid\":\"" AC "\",\"sealed_keys\":[\"AAAA\"]}";
    struct bus_record record;
    union any out;
    struct err err;
    arena = arena_new();
    good_channel(&record);
    CU_ASSERT_FATAL(record.value_length == strlen(expected));
    CU_ASSERT(memcmp(record.value, expected, record.value_length) == 0);
    CU_ASSERT_FATAL(decode_channel(&record, &out, &err) == 0);
    CU_ASSERT_PTR_NULL(out.channel.voice);
    arena_free(&arena);
}

/* ---- members ---- */

static void check_language(const struct directory_language *language, const char *code,
                           const char *voice, const char *tts, const char *transcription,
                           const char *model)
{
    CU_ASSERT_STRING_EQUAL(language->code, code);
    CU_ASSERT_STRING_EQUAL(language->voice, voice);
    CU_ASSERT_STRING_EQUAL(language->tts_provider, tts);
    CU_ASSERT_STRING_EQUAL(language->transcription_provider, transcription);
    CU_ASSERT_STRING_EQUAL(language->speech_model, model);
}

static void test_members(void)
{
    struct bus_record record;
    union any out;
    struct err err;
    arena = arena_new();
    good_voice_channel(&record);
    CU_ASSERT(record.key_length == 18 && memcmp(record.key, "voice:+15550002222", 18) == 0);
    CU_ASSERT_FATAL(decode_channel(&record, &out, &err) == 0);
    const struct directory_voice *voice = out.channel.voice;
    CU_ASSERT_PTR_NOT_NULL_FATAL(voice);
    CU_ASSERT_EQUAL(voice->mode, DIRECTORY_GATHER);
    check_language(&voice->language, "en-US", "Joanna-Neural", "Amazon", "Deepgram",
                   "nova-3-general");
    CU_ASSERT_EQUAL_FATAL(voice->language_count, 2);
    check_language(&voice->languages[0], "de-DE", "Vicki-Neural", "Amazon", "", "");
    check_language(&voice->languages[1], "es", "", "", "", "");
    CU_ASSERT_STRING_EQUAL(voice->hints, "crown, root canal");
    CU_ASSERT_EQUAL(voice->interruptible, DIRECTORY_INTERRUPT_SPEECH);
    CU_ASSERT_EQUAL(voice->interrupt_sensitivity, DIRECTORY_SENSITIVITY_LOW);
    CU_ASSERT_STRING_EQUAL(voice->consent_line, "This call is recorded.");
    CU_ASSERT_STRING_EQUAL(voice->greeting, "Thank you for calling.");
    CU_ASSERT_EQUAL_FATAL(voice->filler_count, 2);
    CU_ASSERT_STRING_EQUAL(voice->fillers[0], "One moment.");
    CU_ASSERT_STRING_EQUAL(voice->fillers[1], "Just a second,\nplease.");
    CU_ASSERT_STRING_EQUAL(voice->fallback, "I cannot look that up now.");
    CU_ASSERT_STRING_EQUAL(voice->record_prompt, "Please leave a message after the tone.");
    CU_ASSERT_STRING_EQUAL(voice->still_there, "Are you still there?");
    CU_ASSERT_STRING_EQUAL(voice->not_understood, "Pardon?");
    CU_ASSERT_STRING_EQUAL(voice->goodbye, "Goodbye.");
    CU_ASSERT_EQUAL_FATAL(voice->blocked_count, 1);
    CU_ASSERT_STRING_EQUAL(voice->blocked[0], "+15550003333");
    CU_ASSERT_EQUAL(voice->silence_ms, 30000);
    CU_ASSERT_EQUAL(voice->speaking_rate, 150);
    CU_ASSERT_STRING_EQUAL(voice->transfer_caller_id, "+15550002222");
    arena_free(&arena);
}

/* What is as usual is not written, and is the same when it is read. */
static void test_defaults(void)
{
    struct directory_voice in = {
        .language = {.code = "en"},
        .greeting = "a",
        .fillers = {"b"},
        .filler_count = 1,
        .fallback = "c",
        .record_prompt = "d",
        .still_there = "e",
        .goodbye = "f",
        .silence_ms = 1000,
        .speaking_rate = 10,
    };
    static const char expected[] =
        "\"voice\":{\"mode\":\"relay\",\"language\":\"en\",\"greeting\":\"a\",\"fillers\":[\"b\"],"
        "\"fallback\":\"c\",\"record_prompt\":\"d\",\"still_there\":\"e\",\"goodbye\":\"f\","
        "\"silence_ms\":1000,\"speaking_rate\":10}}";
    struct directory_channel out, channel = a_voice_channel(&in);
    struct bus_record record;
    struct err err;
    arena = arena_new();
    directory_channel_encode(arena, "desk.", &channel, &record);
    CU_ASSERT_PTR_NOT_NULL(strstr(record.value, expected));
    CU_ASSERT_FATAL(directory_channel_decode(arena, &record, &out, &err) == 0);
    CU_ASSERT_EQUAL(out.voice->mode, DIRECTORY_RELAY);
    CU_ASSERT_EQUAL(out.voice->interruptible, DIRECTORY_INTERRUPT_ANY);
    CU_ASSERT_EQUAL(out.voice->interrupt_sensitivity, DIRECTORY_SENSITIVITY_HIGH);
    CU_ASSERT_STRING_EQUAL(out.voice->language.voice, "");
    CU_ASSERT_STRING_EQUAL(out.voice->hints, "");
    CU_ASSERT_STRING_EQUAL(out.voice->consent_line, "");
    CU_ASSERT_STRING_EQUAL(out.voice->not_understood, "");
    CU_ASSERT_STRING_EQUAL(out.voice->transfer_caller_id, "");
    CU_ASSERT(out.voice->language_count == 0 && out.voice->blocked_count == 0);
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("telephone numbers in the directory", NULL, NULL);
    CU_add_test(suite, "settings", test_settings);
    CU_add_test(suite, "the longest settings", test_longest_settings);
    CU_add_test(suite, "blocked numbers", test_blocked_numbers);
    CU_add_test(suite, "which channels have them", test_channels);
    CU_add_test(suite, "a text channel's record is unchanged", test_text_channel_is_unchanged);
    CU_add_test(suite, "members land where they belong", test_members);
    CU_add_test(suite, "defaults", test_defaults);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
