/* The writer of TwiML: each document of schema/twiml to the byte, and what it refuses to write.
 * Runs in the checkout's root. */
#include "contract/twiml.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define GOLDEN "schema/twiml"
#define TENANT "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f"
#define VOICE  "https://desk.example.com/twilio/voice"

/* ---- the documents ---- */

static void write_relay(struct twiml *twiml)
{
    static const char *const hints[] = {"Invisalign", "",
                                        "Dr. N\xc3\xba\xc3\xb1"
                                        "ez",
                                        " ,, ", "crown, bridge"};
    static const struct twiml_language languages[] = {
        {.code = "en-US",
         .tts_provider = "Amazon",
         .voice = "Joanna-Neural",
         .transcription_provider = "Deepgram",
         .speech_model = "nova-3-general"},
        {.code = "es-US", .tts_provider = "Amazon", .voice = "Lupe-Neural"},
    };
    twiml_connect(twiml,
                  &(struct twiml_relay){
                      .action = VOICE "/relay-ended/" TENANT "/1",
                      .url = "wss://desk.example.com/relay/" TENANT
                             "/CA0123456789abcdef0123456789abcdef/1790000060/91f7a825",
                      .welcome_greeting =
                          "Bright Smiles, good morning.\nThis is the assistant & not a person.",
                      .welcome_greeting_interruptible = "speech",
                      .language = "en-US",
                      .tts_provider = "Amazon",
                      .voice = "Joanna-Neural",
                      .transcription_provider = "Deepgram",
                      .speech_model = "nova-3-general",
                      .interruptible = "any",
                      .interrupt_sensitivity = "medium",
                      .report_input_during_agent_speech = "speech",
                      .preemptible = TWIML_YES,
                      .dtmf_detection = TWIML_YES,
                      .hints = {hints, sizeof hints / sizeof hints[0]},
                      .ignore_backchannel = TWIML_YES,
                      .events = "speaker-events tokens-played",
                      .languages = languages,
                      .language_count = 2,
                      .attestation = "partial",
                      .parted = "1790000000123",
                  });
}

static void write_relay_plain(struct twiml *twiml)
{
    twiml_connect(twiml, &(struct twiml_relay){.action = "https://desk.example.com/ended",
                                               .url = "wss://desk.example.com/relay",
                                               .welcome_greeting = " "});
}

static void write_gather(struct twiml *twiml)
{
    static const char *const hints[] = {"veneer", "root canal"};
    twiml_begin_gather(twiml, &(struct twiml_gather){.input = "dtmf speech",
                                                     .action = VOICE "/gather/" TENANT "/2",
                                                     .timeout_s = 6,
                                                     .speech_timeout_s = 2,
                                                     .speech_model = "phone_call",
                                                     .language = "en-GB",
                                                     .hints = {hints, 2}});
    twiml_say(twiml, &(struct twiml_voice){"Polly.Amy-Neural", "en-GB"},
              "We open at nine. Anything else?");
    twiml_end_gather(twiml);
    twiml_redirect(twiml, VOICE "/silence/" TENANT "/2#rc=2&rp=all");
}

static void write_gather_empty_result(struct twiml *twiml)
{
    twiml_begin_gather(twiml, &(struct twiml_gather){.input = "speech",
                                                     .action = "https://desk.example.com/a",
                                                     .action_on_empty_result = TWIML_YES,
                                                     .speech_timeout_s = TWIML_AUTO});
    twiml_end_gather(twiml);
}

static void write_wait(struct twiml *twiml)
{
    twiml_say(twiml, NULL, "One moment, please.");
    twiml_redirect(twiml, VOICE "/wait/" TENANT "/3");
}

static void write_dial(struct twiml *twiml)
{
    static const struct twiml_number numbers[] = {
        {.number = "+15550003333",
         .url = "https://desk.example.com/whisper?d=1&n=2",
         .method = "POST",
         .status_callback = "https://desk.example.com/status",
         .status_callback_event = "answered completed"},
        {.number = "+15550004444",
         .machine_detection = "Enable",
         .amd_status_callback = "https://desk.example.com/machine"},
    };
    twiml_say(twiml, &(struct twiml_voice){.voice = "Polly.Joanna-Neural"},
              "I am putting you through.");
    twiml_dial(twiml, &(struct twiml_dial){.action = "https://desk.example.com/dialled",
                                           .timeout_s = 20,
                                           .time_limit_s = 3600,
                                           .caller_id = "+15550002222",
                                           .answer_on_bridge = TWIML_YES,
                                           .numbers = numbers,
                                           .number_count = 2});
}

static void write_whisper(struct twiml *twiml)
{
    twiml_begin_gather(twiml, &(struct twiml_gather){.input = "dtmf",
                                                     .num_digits = 1,
                                                     .action = "https://desk.example.com/accept",
                                                     .timeout_s = 10});
    twiml_say(twiml, NULL, "A caller about a broken crown. Press 1 to take the call.");
    twiml_end_gather(twiml);
    twiml_hangup(twiml);
}

static void write_record(struct twiml *twiml)
{
    twiml_say(twiml, NULL, "Please leave a message.");
    twiml_record(twiml, &(struct twiml_record){
                            .action = "https://desk.example.com/recorded",
                            .timeout_s = 5,
                            .finish_on_key = "#",
                            .max_length_s = 180,
                            .play_beep = TWIML_YES,
                            .trim = "trim-silence",
                            .recording_status_callback = "https://desk.example.com/recording",
                            .recording_status_callback_event = "completed absent"});
    twiml_say(twiml, NULL, "I did not hear anything. Goodbye.");
    twiml_hangup(twiml);
}

static void write_record_transcribed(struct twiml *twiml)
{
    twiml_record(twiml, &(struct twiml_record){.action = "https://desk.example.com/recorded",
                                               .finish_on_key = "",
                                               .max_length_s = 120,
                                               .play_beep = TWIML_NO,
                                               .transcribe = TWIML_YES});
}

static void write_reject(struct twiml *twiml)
{
    twiml_reject(twiml, true);
}

static void write_empty(struct twiml *twiml)
{
    twiml_say(twiml, NULL, " \t\x01\xef\xbf\xbf\n"); /* nothing of it can be heard */
}

static void write_escapes(struct twiml *twiml)
{
    twiml_say(twiml, NULL,
              "<Hangup/> &amp; \"it's\" a\r\nb\x01\x1f\tc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x91\x8b"
              "\xef\xbf\xbe\xef\xbf\xbf <![CDATA[x]]> -->");
}

static const struct golden {
    const char *name;
    void (*write)(struct twiml *twiml);
} goldens[] = {
    {"relay", write_relay},
    {"relay_plain", write_relay_plain},
    {"gather", write_gather},
    {"gather_empty_result", write_gather_empty_result},
    {"wait", write_wait},
    {"dial", write_dial},
    {"whisper", write_whisper},
    {"record", write_record},
    {"record_transcribed", write_record_transcribed},
    {"reject", write_reject},
    {"empty", write_empty},
    {"escapes", write_escapes},
};
#define GOLDEN_COUNT (sizeof goldens / sizeof goldens[0])

/* The file's text without the line end behind it. */
static void read_golden(const char *name, struct strbuf *out)
{
    char path[256], bytes[4096];
    size_t length;
    snprintf(path, sizeof path, GOLDEN "/%s.xml", name);
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0)
        strbuf_add(out, bytes, length);
    fclose(file);
    CU_ASSERT_TRUE_FATAL(out->length > 0 && out->data[out->length - 1] == '\n');
    strbuf_truncate(out, out->length - 1);
}

static void test_goldens(void)
{
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        struct twiml twiml;
        struct strbuf expected;
        struct err err = {0};
        strbuf_init(&expected, TWIML_BYTES_MAX);
        read_golden(goldens[i].name, &expected);
        twiml_init(&twiml);
        goldens[i].write(&twiml);
        CU_ASSERT_EQUAL(twiml_finish(&twiml, &err), 0);
        if (strcmp(twiml.out.data, expected.data) != 0)
            fprintf(stderr, "%s: %s\n%s\n%s\n", goldens[i].name, err.message, twiml.out.data,
                    expected.data);
        CU_ASSERT_STRING_EQUAL(twiml.out.data, expected.data);
        CU_ASSERT_FALSE(twiml.cut);
        twiml_fini(&twiml);
        strbuf_fini(&expected);
    }
}

/* No document of the folder is one that nobody writes. */
static void test_all_goldens_are_written(void)
{
    size_t count = 0;
    DIR *folder = opendir(GOLDEN);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strstr(entry->d_name, ".xml") != NULL;
    closedir(folder);
    CU_ASSERT_EQUAL(count, GOLDEN_COUNT);
}

/* ---- order ---- */

#define URL    "https://desk.example.com/a"
#define GATHER (&(struct twiml_gather){.input = "speech", .action = URL})
#define RELAY  (&(struct twiml_relay){.action = URL, .url = "wss://desk.example.com/relay"})
#define NUMBER ((struct twiml_number[]){{.number = "+15550003333"}})
#define DIAL   (&(struct twiml_dial){.action = URL, .numbers = NUMBER, .number_count = 1})

/* Each letter is a call: [ ] of Gather, s(ay) r(edirect) h(angup) j(reject)
 * c(onnect) d(ial) v(oicemail). */
static void write_order(struct twiml *twiml, const char *order)
{
    for (; *order != '\0'; order++) {
        if (*order == '[')
            twiml_begin_gather(twiml, GATHER);
        else if (*order == ']')
            twiml_end_gather(twiml);
        else if (*order == 's')
            twiml_say(twiml, NULL, "Hello.");
        else if (*order == 'r')
            twiml_redirect(twiml, URL);
        else if (*order == 'h')
            twiml_hangup(twiml);
        else if (*order == 'j')
            twiml_reject(twiml, false);
        else if (*order == 'c')
            twiml_connect(twiml, RELAY);
        else if (*order == 'd')
            twiml_dial(twiml, DIAL);
        else
            twiml_record(twiml, &(struct twiml_record){.action = URL});
    }
}

static void test_order(void)
{
    static const struct {
        const char *order;
        bool good;
    } cases[] = {
        {"", true},        {"s", true},      {"sssh", true},  {"[]r", true},    {"[ss]r", true},
        {"s[s]h", true},   {"[s]d", true},   {"[s]s", true},  {"[s]v", true},   {"vsh", true},
        {"[]", false},     {"[s]", false},   {"s[s]", false}, {"[", false},     {"[s", false},
        {"]", false},      {"s]", false},    {"[]]r", false}, {"[[]]r", false}, {"[r]r", false},
        {"[h]r", false},   {"[j]r", false},  {"[c]r", false}, {"[d]r", false},  {"[v]r", false},
        {"rs", false},     {"hs", false},    {"hh", false},   {"js", false},    {"sj", false},
        {"cs", false},     {"cr", false},    {"ds", false},   {"dr", false},    {"r[]r", false},
        {"[]r[]r", false}, {"[]s[]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct twiml twiml;
        struct err err = {.class = ERR_PERMANENT};
        twiml_init(&twiml);
        write_order(&twiml, cases[i].order);
        int rc = twiml_finish(&twiml, &err);
        if ((rc == 0) != cases[i].good)
            fprintf(stderr, "order \"%s\": %d %s\n", cases[i].order, rc, err.message);
        CU_ASSERT_EQUAL(rc == 0, cases[i].good);
        if (rc != 0) {
            CU_ASSERT_EQUAL(err.class, ERR_BUG);
            CU_ASSERT_STRING_EQUAL(err.code, "twiml.order");
            CU_ASSERT_STRING_EQUAL(twiml.out.data, ""); /* nobody sends half a document */
        }
        twiml_fini(&twiml);
    }
}

static void test_finished(void)
{
    struct twiml twiml;
    struct err err;
    twiml_init(&twiml);
    twiml_say(&twiml, NULL, "Hello.");
    CU_ASSERT_EQUAL(twiml_finish(&twiml, &err), 0);
    CU_ASSERT_EQUAL(twiml_finish(&twiml, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "twiml.order");
    twiml_fini(&twiml);
    twiml_init(&twiml);
    CU_ASSERT_EQUAL(twiml_finish(&twiml, &err), 0);
    twiml_say(&twiml, NULL, "Hello.");
    CU_ASSERT_EQUAL(twiml_finish(&twiml, &err), -1);
    twiml_fini(&twiml);
}

/* ---- values ---- */

static void expect(struct twiml *twiml, const char *code, const char *says)
{
    struct err err = {0};
    int rc = twiml_finish(twiml, &err);
    bool ok = rc == -1 && err.class == ERR_BUG && strcmp(err.code, code) == 0 &&
              strstr(err.message, says) != NULL;
    if (!ok)
        fprintf(stderr, "%d %s \"%s\", expected %s of %s\n", rc, err.code, err.message, code, says);
    CU_ASSERT_TRUE(ok);
    twiml_fini(twiml);
    twiml_init(twiml);
}

static void test_bad_urls(void)
{
    static const char *const urls[] = {"",
                                       "/relative",
                                       "ftp://desk.example.com/a",
                                       "javascript:alert(1)",
                                       "https://desk.example.com/a b",
                                       "https://desk.example.com/\xc3\xa9",
                                       "https://desk.example.com/\n"};
    struct twiml twiml;
    twiml_init(&twiml);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        twiml_redirect(&twiml, urls[i]);
        expect(&twiml, "twiml.attribute", "Redirect");
        twiml_begin_gather(&twiml, &(struct twiml_gather){.input = "speech", .action = urls[i]});
        expect(&twiml, "twiml.attribute", "action");
        twiml_record(&twiml, &(struct twiml_record){.action = urls[i]});
        expect(&twiml, "twiml.attribute", "action");
        twiml_connect(&twiml, &(struct twiml_relay){.action = URL, .url = urls[i]});
        expect(&twiml, "twiml.attribute", "url");
    }
    twiml_connect(&twiml, &(struct twiml_relay){.action = URL, .url = "ws://desk.example.com/"});
    expect(&twiml, "twiml.attribute", "url");
    twiml_connect(&twiml, &(struct twiml_relay){.action = URL, .url = URL});
    expect(&twiml, "twiml.attribute", "url");
    twiml_fini(&twiml);
}

#define RELAY_WITH(...)                                                                            \
    (&(struct twiml_relay){.action = URL, .url = "wss://desk.example.com/relay", __VA_ARGS__})
#define GATHER_WITH(...) (&(struct twiml_gather){.input = "speech", .action = URL, __VA_ARGS__})

static void test_bad_relays(void)
{
    static const struct twiml_language nameless = {.voice = "Lupe-Neural"};
    static const struct {
        const char *says;
        struct twiml_relay relay;
    } cases[] = {
        {"action", {.url = "wss://desk.example.com/relay"}},
        {"url", {.action = URL}},
        {"voice", {.action = URL, .url = "wss://a", .voice = ""}},
        {"voice", {.action = URL, .url = "wss://a", .voice = "a b"}},
        {"voice", {.action = URL, .url = "wss://a", .voice = "a\" b=\"c"}},
        {"language", {.action = URL, .url = "wss://a", .language = "en_US,de"}},
        {"interruptible", {.action = URL, .url = "wss://a", .interruptible = "true"}},
        {"welcomeGreetingInterruptible",
         {.action = URL, .url = "wss://a", .welcome_greeting_interruptible = "Any"}},
        {"interruptSensitivity", {.action = URL, .url = "wss://a", .interrupt_sensitivity = "x"}},
        {"reportInputDuringAgentSpeech",
         {.action = URL, .url = "wss://a", .report_input_during_agent_speech = ""}},
        {"events", {.action = URL, .url = "wss://a", .events = "tokens-played,speaker-events"}},
        {"events", {.action = URL, .url = "wss://a", .events = "tokens-played "}},
        {"code", {.action = URL, .url = "wss://a", .languages = &nameless, .language_count = 1}},
        {"Language", {.action = URL, .url = "wss://a", .language_count = TWIML_LANGUAGES_MAX + 1}},
    };
    struct twiml twiml;
    twiml_init(&twiml);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        twiml_connect(&twiml, &cases[i].relay);
        expect(&twiml, "twiml.attribute", cases[i].says);
    }
    twiml_fini(&twiml);
}

static void test_bad_values(void)
{
    static const struct twiml_number bad_numbers[] = {
        {.number = "5550003333"},
        {.number = NULL},
        {.number = "+15550003333", .method = "PUT"},
        {.number = "+15550003333", .status_callback_event = "answered,completed"},
        {.number = "+15550003333", .url = "whisper"},
        {.number = "+15550003333", .machine_detection = "true"},
        {.number = "+15550003333", .amd_status_callback = "machine"},
    };
    struct twiml twiml;
    twiml_init(&twiml);
    for (size_t i = 0; i < sizeof bad_numbers / sizeof bad_numbers[0]; i++) {
        twiml_dial(&twiml, &(struct twiml_dial){
                               .action = URL, .numbers = &bad_numbers[i], .number_count = 1});
        expect(&twiml, "twiml.attribute", "");
    }
    twiml_dial(&twiml, &(struct twiml_dial){.action = URL});
    expect(&twiml, "twiml.attribute", "Dial");
    twiml_dial(&twiml, &(struct twiml_dial){.action = URL, .number_count = TWIML_NUMBERS_MAX + 1});
    expect(&twiml, "twiml.attribute", "Dial");
    twiml_dial(&twiml, &(struct twiml_dial){.numbers = NUMBER, .number_count = 1});
    expect(&twiml, "twiml.attribute", "action");
    twiml_dial(&twiml, &(struct twiml_dial){
                           .action = URL, .numbers = NUMBER, .number_count = 1, .timeout_s = 4});
    expect(&twiml, "twiml.attribute", "timeout");
    twiml_dial(&twiml,
               &(struct twiml_dial){
                   .action = URL, .numbers = NUMBER, .number_count = 1, .caller_id = "anonymous"});
    expect(&twiml, "twiml.attribute", "callerId");
    twiml_begin_gather(&twiml, &(struct twiml_gather){.input = "speech dtmf", .action = URL});
    expect(&twiml, "twiml.attribute", "input");
    twiml_begin_gather(&twiml, &(struct twiml_gather){.action = URL});
    expect(&twiml, "twiml.attribute", "input");
    twiml_begin_gather(&twiml, GATHER_WITH(.timeout_s = 601));
    expect(&twiml, "twiml.attribute", "timeout");
    twiml_begin_gather(&twiml, GATHER_WITH(.timeout_s = TWIML_AUTO));
    expect(&twiml, "twiml.attribute", "timeout");
    twiml_begin_gather(&twiml, GATHER_WITH(.speech_timeout_s = -2));
    expect(&twiml, "twiml.attribute", "speechTimeout");
    twiml_begin_gather(&twiml,
                       GATHER_WITH(.speech_model = "phone_call", .speech_timeout_s = TWIML_AUTO));
    expect(&twiml, "twiml.attribute", "speechTimeout");
    twiml_record(&twiml, &(struct twiml_record){.action = URL, .finish_on_key = "x"});
    expect(&twiml, "twiml.attribute", "finishOnKey");
    twiml_record(&twiml, &(struct twiml_record){.action = URL, .trim = "trim"});
    expect(&twiml, "twiml.attribute", "trim");
    twiml_record(&twiml, &(struct twiml_record){.action = URL, .max_length_s = 14401});
    expect(&twiml, "twiml.attribute", "maxLength");
    twiml_record(&twiml, &(struct twiml_record){.action = URL, .transcribe = TWIML_YES});
    expect(&twiml, "twiml.attribute", "maxLength");
    twiml_record(&twiml, &(struct twiml_record){
                             .action = URL, .max_length_s = 121, .transcribe = TWIML_YES});
    expect(&twiml, "twiml.attribute", "maxLength");
    twiml_fini(&twiml);
}

static void test_not_utf8(void)
{
    static const char *const texts[] = {"a\xc3", "\xff", "\xe2\x82", "\xed\xa0\x80", "\xc0\xaf"};
    struct twiml twiml;
    twiml_init(&twiml);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        twiml_say(&twiml, NULL, texts[i]);
        expect(&twiml, "twiml.text", "Say");
        twiml_connect(&twiml, RELAY_WITH(.welcome_greeting = texts[i]));
        expect(&twiml, "twiml.text", "welcomeGreeting");
        twiml_connect(&twiml, RELAY_WITH(.hints = {&texts[i], 1}));
        expect(&twiml, "twiml.text", "hints");
    }
    twiml_fini(&twiml);
}

/* Of several mistakes the first is told, and nothing is written behind it. */
static void test_first_mistake(void)
{
    struct twiml twiml;
    twiml_init(&twiml);
    twiml_record(&twiml, &(struct twiml_record){.action = URL, .trim = "trim"});
    twiml_redirect(&twiml, "x");
    twiml_say(&twiml, NULL, "\xff");
    write_order(&twiml, "[cdv]]");
    expect(&twiml, "twiml.attribute", "trim");
    twiml_fini(&twiml);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twiml", NULL, NULL);
    CU_add_test(suite, "goldens", test_goldens);
    CU_add_test(suite, "all goldens are written", test_all_goldens_are_written);
    CU_add_test(suite, "order", test_order);
    CU_add_test(suite, "finished", test_finished);
    CU_add_test(suite, "bad URLs", test_bad_urls);
    CU_add_test(suite, "bad relays", test_bad_relays);
    CU_add_test(suite, "bad values", test_bad_values);
    CU_add_test(suite, "not UTF-8", test_not_utf8);
    CU_add_test(suite, "first mistake", test_first_mistake);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
