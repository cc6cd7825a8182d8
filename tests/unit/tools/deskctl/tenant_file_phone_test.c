/* Unit tests of `phone:`; also that the section is what the directory's record takes. */
#include "section_rig.h"

#include "contract/directory_voice.h"
#include "contract/event_codec.h"

#define WORDS                                                                                      \
    "  greeting: Hello.\n  fillers: [One moment., Still looking.]\n  fallback: Leave a message.\n" \
    "  record_prompt: After the tone.\n  still_there: Hello?\n  goodbye: Bye.\n"

static const struct good_section good[] = {
    {"phone:\n" WORDS, "phone",
     "{\"mode\":\"relay\",\"language\":\"en-US\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"goodbye\":\"Bye.\","
     "\"fillers\":[\"One moment.\",\"Still looking.\"],\"silence_ms\":30000,"
     "\"speaking_rate\":150}"},
    {"phone:\n" WORDS "  language: es-US\n  voice: Lupe-Neural\n  tts_provider: Amazon\n"
     "  transcription_provider: Deepgram\n  speech_model: nova-3-general\n"
     "  languages: [{language: en-US, voice: Joanna-Neural, tts_provider: Amazon}]\n"
     "  hints: [crown, root canal]\n  interruptible: speech\n  interrupt_sensitivity: low\n"
     "  consent_line: This call is recorded.\n  blocked: [\"+15551230001\"]\n  silence: 1m\n"
     "  speaking_rate: 20\n  transfer_caller_id: \"+15550100101\"\n",
     "phone",
     "{\"mode\":\"relay\",\"language\":\"es-US\",\"voice\":\"Lupe-Neural\",\"tts_provider\":"
     "\"Amazon\",\"transcription_provider\":\"Deepgram\",\"speech_model\":\"nova-3-general\","
     "\"interruptible\":\"speech\",\"interrupt_sensitivity\":\"low\",\"consent_line\":\"This call "
     "is recorded.\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\",\"record_prompt\":"
     "\"After the tone.\",\"still_there\":\"Hello?\",\"goodbye\":\"Bye.\",\"transfer_caller_id\":"
     "\"+15550100101\",\"languages\":[{\"code\":\"en-US\",\"voice\":\"Joanna-Neural\","
     "\"tts_provider\":\"Amazon\"}],\"hints\":\"crown,root canal\",\"fillers\":[\"One moment.\","
     "\"Still looking.\"],\"blocked\":[\"+15551230001\"],\"silence_ms\":60000,"
     "\"speaking_rate\":200}"},
    {"phone:\n" WORDS "  transcribe: true\n", "phone",
     "{\"mode\":\"relay\",\"language\":\"en-US\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"goodbye\":\"Bye.\","
     "\"fillers\":[\"One moment.\",\"Still looking.\"],\"silence_ms\":30000,"
     "\"speaking_rate\":150,\"transcribe\":true}"},
    {"phone:\n" WORDS "  missed_calls: task\n", "phone",
     "{\"mode\":\"relay\",\"language\":\"en-US\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"goodbye\":\"Bye.\","
     "\"fillers\":[\"One moment.\",\"Still looking.\"],\"silence_ms\":30000,"
     "\"speaking_rate\":150,\"missed_calls\":true}"},
    {"phone:\n" WORDS "  caller_id: attested\n", "phone",
     "{\"mode\":\"relay\",\"language\":\"en-US\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"goodbye\":\"Bye.\","
     "\"fillers\":[\"One moment.\",\"Still looking.\"],\"silence_ms\":30000,"
     "\"speaking_rate\":150,\"caller_id\":\"attested\"}"},
    {"phone:\n" WORDS "  missed_calls: ignore\n  caller_id: any\n", "phone",
     "{\"mode\":\"relay\",\"language\":\"en-US\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"goodbye\":\"Bye.\","
     "\"fillers\":[\"One moment.\",\"Still looking.\"],\"silence_ms\":30000,"
     "\"speaking_rate\":150}"},
    {"phone:\n" WORDS "  mode: webhook\n  language: de-DE\n", "phone",
     "{\"mode\":\"gather\",\"language\":\"de-DE\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"not_understood\":"
     "\"Entschuldigung, das habe ich nicht verstanden. K\xc3\xb6nnen Sie es wiederholen?\","
     "\"goodbye\":\"Bye.\",\"fillers\":[\"One moment.\",\"Still looking.\"],\"silence_ms\":30000,"
     "\"speaking_rate\":150}"},
    {"phone:\n" WORDS "  mode: webhook\n  not_understood: Pardon?\n", "phone",
     "{\"mode\":\"gather\",\"language\":\"en-US\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"not_understood\":"
     "\"Pardon?\",\"goodbye\":\"Bye.\",\"fillers\":[\"One moment.\",\"Still looking.\"],"
     "\"silence_ms\":30000,\"speaking_rate\":150}"},
    {"phone:\n" WORDS "  mode: webhook\n  language: it-IT\n"
     "  words: {call_for: \"Chiamata per {business}.\", filler: Un attimo.}\n"
     "  languages: [{language: pt-PT, words: {bridge: Continuo.}}]\n",
     "phone",
     "{\"mode\":\"gather\",\"language\":\"it-IT\",\"interruptible\":\"any\","
     "\"interrupt_sensitivity\":\"high\",\"greeting\":\"Hello.\",\"fallback\":\"Leave a message.\","
     "\"record_prompt\":\"After the tone.\",\"still_there\":\"Hello?\",\"goodbye\":\"Bye.\","
     "\"words\":{\"filler\":\"Un attimo.\",\"call_for\":\"Chiamata per {business}.\"},"
     "\"languages\":[{\"code\":\"pt-PT\",\"words\":{\"bridge\":\"Continuo.\"}}],"
     "\"fillers\":[\"One moment.\",\"Still looking.\"],\"silence_ms\":30000,"
     "\"speaking_rate\":150}"},
};

static const struct bad_section bad[] = {
    {"phone: {fillers: [a], fallback: b, record_prompt: c, still_there: d, goodbye: e}\n",
     "1: phone needs greeting:; add it\n"},
    {"phone:\n" WORDS "  voice: Joanna-Neural\n",
     "2: voice: needs tts_provider; say whose voice Joanna-Neural is\n"},
    {"phone:\n" WORDS "  tts_provider: Amazon\n  voice: Joanna:Neural\n",
     "9: voice: \"Joanna:Neural\" must be the provider's name for it, like Joanna-Neural: 1-64"
     " letters, digits and the signs . _ -\n"},
    {"phone:\n" WORDS "  speech_model: nova/3\n", NULL},
    {"phone:\n" WORDS "  languages: [{language: en, tts_provider: Google, voice: a+b}]\n", NULL},
    {"phone:\n" WORDS "  tts_provider: Polly\n", NULL},
    {"phone:\n" WORDS "  mode: relay\n", "8: mode: \"relay\" is not known; write streaming\n"},
    {"phone:\n" WORDS "  missed_calls: yes\n", NULL},
    {"phone:\n" WORDS "  caller_id: verified\n", NULL},
    {"phone:\n" WORDS "  silence: 30\n", NULL},
    {"phone:\n" WORDS "  silence: 11m\n", NULL},
    {"phone:\n" WORDS "  speaking_rate: 4\n",
     "8: speaking_rate: \"4\" must be a whole number from 5 to 40\n"},
    {"phone:\n" WORDS "  hints: [\"crown, bridge\"]\n",
     "8: hints: \"crown, bridge\" has a comma or a line's end; make it two\n"},
    {"phone:\n" WORDS "  blocked: [\"+15551230001\", \"+15551230001\"]\n",
     "8: blocked: \"+15551230001\" is there twice; remove one\n"},
    {"phone:\n" WORDS "  record: true\n", NULL},
    {"phone:\n" WORDS "  words: {filer: x}\n", "8: words has no \"filer\"; did you mean filler?\n"},
    {"phone:\n" WORDS "  words: {filler: \"{business}\"}\n",
     "8: filler: takes no {business}; write it without braces\n"},
    {"phone:\n" WORDS "  languages: [{language: pt-PT, words: {call_for: \"{name}\"}}]\n",
     "8: call_for: \"{name}\" is not known; write {business} or no braces\n"},
    {"phone:\n" WORDS "  languages: [{voice: Lupe}]\n", "8: a language needs language:; add it\n"},
    {"phone: []\n", "1: phone: must be a block of indented name: value lines\n"},
};

static void test_good(void)
{
    rig_good(good, sizeof good / sizeof good[0]);
}

/* Without a text, that there is a problem of line 8. */
static void test_bad(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct problems problems;
        struct tenant_file file;
        if (bad[i].said != NULL) {
            rig_bad(&bad[i], 1);
            continue;
        }
        rig_read(bad[i].text, &problems, &file);
        CU_ASSERT_EQUAL(problems.count, 1);
        CU_ASSERT_EQUAL(strncmp(rig_said(&problems), "8: ", 3), 0);
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* Its members are those of the record. */
static void test_record(void)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct directory_voice voice = {.language_count = 0};
        struct json *document;
        struct err err;
        CU_ASSERT_EQUAL_FATAL(json_parse(good[i].json, strlen(good[i].json), &document, &err), 0);
        int rc =
            event_members_decode(event_directory_voice_members, rig_arena, document, &voice, &err);
        json_free(&document);
        if (rc != 0)
            fprintf(stderr, "\n%s\n", err.message);
        CU_ASSERT_EQUAL_FATAL(rc, 0);
        CU_ASSERT_STRING_EQUAL(voice.greeting, "Hello.");
        CU_ASSERT_EQUAL(voice.filler_count, 2);
        CU_ASSERT_EQUAL(voice.mode, i < 6 ? DIRECTORY_RELAY : DIRECTORY_GATHER);
        CU_ASSERT_EQUAL(voice.language_count, i == 1 || i == 8);
        CU_ASSERT_EQUAL(voice.transcribe, i == 2);
    }
}

#define ALL_BUT_PRESS                                                                              \
    "{filler: a, bridge: b, reaching: c, nobody: d, noted: e, more: f, call_for: g}"

/* In which languages a caller hears English, and what. */
static void test_notice(void)
{
    static const struct {
        const char *text, *said; /* all notices but the file's name; NULL: none */
    } cases[] = {
        {"phone:\n" WORDS "  language: de-CH\n  languages: [{language: es-US}]\n", NULL},
        {"phone:\n" WORDS "  language: it-IT\n",
         "2: notice: language: in calls in it-IT the desk says these in English; give them as "
         "words: "
         "of that language (filler, bridge, reaching, nobody, noted, more, call_for, press)\n"},
        {"phone:\n" WORDS "  languages:\n    - {language: pt-PT, words: " ALL_BUT_PRESS "}\n",
         "9: notice: language: in calls in pt-PT the desk says these in English; give them as "
         "words: "
         "of that language (press)\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems;
        struct tenant_file file;
        rig_read(cases[i].text, &problems, &file);
        CU_ASSERT_STRING_EQUAL(problems.text.data, "");
        const char *said = strstr(problems.notices, ": notice: language");
        if (cases[i].said == NULL) {
            CU_ASSERT_PTR_NULL(said);
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(problems.notices, cases[i].said));
        }
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("phone", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    CU_add_test(suite, "record", test_record);
    CU_add_test(suite, "notice", test_notice);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    return rig_run();
}
