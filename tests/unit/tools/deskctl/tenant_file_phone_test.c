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
    {"phone:\n" WORDS "  missed_calls: ignore\n", "phone",
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
    {"phone:\n" WORDS "  silence: 30\n", NULL},
    {"phone:\n" WORDS "  silence: 11m\n", NULL},
    {"phone:\n" WORDS "  speaking_rate: 4\n",
     "8: speaking_rate: \"4\" must be a whole number from 5 to 40\n"},
    {"phone:\n" WORDS "  hints: [\"crown, bridge\"]\n",
     "8: hints: \"crown, bridge\" has a comma or a line's end; make it two\n"},
    {"phone:\n" WORDS "  blocked: [\"+15551230001\", \"+15551230001\"]\n",
     "8: blocked: \"+15551230001\" is there twice; remove one\n"},
    {"phone:\n" WORDS "  record: true\n", NULL},
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
        CU_ASSERT_EQUAL(voice.mode, i < 5 ? DIRECTORY_RELAY : DIRECTORY_GATHER);
        CU_ASSERT_EQUAL(voice.language_count, i == 1);
        CU_ASSERT_EQUAL(voice.transcribe, i == 2);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("phone", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    CU_add_test(suite, "record", test_record);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    return rig_run();
}
