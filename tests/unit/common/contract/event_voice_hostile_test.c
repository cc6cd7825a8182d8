/* Unit tests of the decoders of a phone call's events against records that somebody else put on our
 * topics: each member out of bounds, of the wrong type, missing, or another one's. */
#include "unit/common/contract/damage.h"
#include "unit/common/contract/good_voice.h"

#define CA2 "\"CA00000000000000000000000000000302\""

/* Bounds of the members that every event of a call has; `missing` is about those that are needed.
 */
static const struct damage call_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    HEADER("another tenant than the key's", "event.key", "tenant",
           "018f9c3e-2b7a-7c1d-9e4f-000000000000"),
    HEADER("no id", "event.id", "ce_id", GONE),
    HEADER("another id", "event.id", "ce_id", CA ":ended:0"),
    HEADER("no type", "event.type", "ce_type", GONE),
    HEADER("a text's type", "event.type", "ce_type", EVENT_SMS_RECEIVED),
    MEMBER("no call", "event.member", "call_sid", GONE),
    MEMBER("call null", "event.member", "call_sid", "null"),
    MEMBER("call number", "event.member", "call_sid", "7"),
    MEMBER("sid of a message", "event.member", "call_sid", "\"" SM "\""),
    MEMBER("call with a slash", "event.member", "call_sid",
           "\"CA0000000000000000000000000000030/\""),
    MEMBER("no account", "event.member", "account_sid", GONE),
    MEMBER("sid of a call as account", "event.member", "account_sid", "\"" CA "\""),
    MEMBER("another caller", "event.key", "from", "\"+15550001112\""),
    MEMBER("a withheld caller under a number's key", "event.key", "from", "\"anonymous\""),
    MEMBER("no caller under a number's key", "event.key", "from", GONE),
    MEMBER("caller with a newline", "event.member", "from", "\"+1555000\\n1111\""),
    MEMBER("caller number", "event.member", "from", "15550001111"),
    MEMBER("caller of 512 bytes", "event.member", "from", "\"" X256 X256 "\""),
    MEMBER("no number called", "event.member", "to", GONE),
    MEMBER("number called is a word", "event.member", "to", "\"anonymous\""),
    MEMBER("number called is a list", "event.member", "to", "[\"+15550002222\"]"),
    MEMBER("relay session of a call", "event.member", "relay_session", "\"" CA "\""),
    MEMBER("relay session number", "event.member", "relay_session", "1"),
    MEMBER("no partition", "event.member", "stream_partition", GONE),
    MEMBER("partition -1", "event.member", "stream_partition", "-1"),
    MEMBER("partition 1000", "event.member", "stream_partition", "1000"),
    MEMBER("partition 999", NULL, "stream_partition", "999"),
    MEMBER("partition 0", NULL, "stream_partition", "0"),
    MEMBER("partition text", "event.member", "stream_partition", "\"7\""),
    MEMBER("partition 7.5", "event.member", "stream_partition", "7.5"),
    MEMBER("unknown member", NULL, "future_x", "{\"a\":[1]}"),
    KEY("key of the call", "event.key", TENANT ":" CA),
    KEY("key without tenant", "event.key", CALLER),
    VALUE("no members", "event.member", "{}"),
    VALUE("array", "event.json", "[]"),
    VALUE("cut off", "event.json", "{\"call_sid\":"),
};

static const struct damage setup_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.setup.v2"),
    HEADER("id of a frame", "event.id", "ce_id", CA ":" VX ":1"),
    HEADER("id without the session", "event.id", "ce_id", CA ":0"),
    MEMBER("another call", "event.id", "call_sid", CA2),
    MEMBER("webhook mode under a relay's id", "event.member", "relay_session", GONE),
    MEMBER("outbound text", "event.member", "outbound", "\"true\""),
    MEMBER("outbound 1", "event.member", "outbound", "1"),
    MEMBER("outbound", NULL, "outbound", "true"),
    MEMBER("outbound null", NULL, "outbound", "null"),
    MEMBER("heard without being resumed", "event.member", "resumed", GONE),
    MEMBER("step of a relay", "event.member", "step", "1"),
    MEMBER("step negative", "event.member", "step", "-1"),
    MEMBER("step huge", "event.member", "step", "1000001"),
    MEMBER("wait without step", "event.member", "wait", "1"),
    MEMBER("wait 101", "event.member", "wait", "101"),
    MEMBER("not forwarded", NULL, "forwarded_from", GONE),
    MEMBER("forwarded by a word", NULL, "forwarded_from", "\"anonymous\""),
    MEMBER("forwarded with a control character", "event.member", "forwarded_from", "\"\\u0001\""),
    MEMBER("name of 256 bytes", "event.member", "caller_name", "\"" X256 "\""),
    MEMBER("name with a newline", "event.member", "caller_name", "\"a\\nb\""),
    MEMBER("turn missing", "event.member", "heard_turn", GONE),
    MEMBER("turn nil", "event.member", "heard_turn", "\"00000000-0000-0000-0000-000000000000\""),
    MEMBER("turn short", "event.member", "heard_turn", "\"018f9c3e\""),
    MEMBER("fence missing", "event.member", "heard_fence", GONE),
    MEMBER("fence negative", "event.member", "heard_fence", "-1"),
    MEMBER("epoch 0", NULL, "heard_epoch", GONE),
    MEMBER("epoch over 2^53", "event.member", "heard_epoch", "9007199254740993"),
    MEMBER("seq -1 is written as absent", "event.member", "heard_seq", "-1"),
    MEMBER("seq absent", NULL, "heard_seq", GONE),
    MEMBER("seq text", "event.member", "heard_seq", "\"4\""),
    MEMBER("heard number", "event.member", "heard", "4"),
    MEMBER("heard nothing", NULL, "heard", GONE),
};

/* A call's first socket: without a turn nothing was heard. */
static const struct damage first_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    MEMBER("fence of no turn", "event.member", "heard_fence", "1"),
    MEMBER("epoch of no turn", "event.member", "heard_epoch", "1"),
    MEMBER("seq of no turn", "event.member", "heard_seq", "0"),
    MEMBER("text of no turn", "event.member", "heard", "\"We\""),
    MEMBER("turn without fence", "event.member", "heard_turn", "\"" TURN "\""),
    MEMBER("resumed", NULL, "resumed", "true"),
};

static const struct damage prompt_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.prompt.v2"),
    HEADER("id of another frame", "event.id", "ce_id", CA ":" VX ":6"),
    MEMBER("another number", "event.id", "number", "6"),
    MEMBER("number 0", "event.member", "number", "0"),
    MEMBER("number missing", "event.member", "number", GONE),
    MEMBER("number text", "event.member", "number", "\"5\""),
    MEMBER("another session", "event.id", "relay_session",
           "\"VX00000000000000000000000000000402\""),
    MEMBER("another call", "event.id", "call_sid", CA2),
    MEMBER("nothing said", "event.member", "text", GONE),
    MEMBER("text empty", "event.member", "text", "\"\""),
    MEMBER("text and keys", "event.member", "keys", "\"1\""),
    MEMBER("keys of a letter", "event.member", "keys", "\"1w\""),
    MEMBER("lang with a space", "event.member", "lang", "\"en US\""),
    MEMBER("lang of digits", "event.member", "lang", "\"1\""),
    MEMBER("lang not told", NULL, "lang", GONE),
    MEMBER("confidence 1001", "event.member", "confidence_pm", "1001"),
    MEMBER("confidence -1", "event.member", "confidence_pm", "-1"),
    MEMBER("confidence 0: not told", NULL, "confidence_pm", "0"),
    MEMBER("confidence 0.9", "event.member", "confidence_pm", "0.9"),
    MEMBER("confidence not told", NULL, "confidence_pm", GONE),
};

static const struct damage heard_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.heard.v2"),
    HEADER("id of another seq", "event.id", "ce_id", CA ":" TURN ":3:interrupt:5"),
    MEMBER("no turn", "event.member", "turn", GONE),
    MEMBER("turn nil", "event.member", "turn", "\"00000000-0000-0000-0000-000000000000\""),
    MEMBER("another turn", "event.id", "turn", "\"" DIAL "\""),
    MEMBER("fence 0", "event.member", "fence", "0"),
    MEMBER("no fence", "event.member", "fence", GONE),
    MEMBER("another fence", "event.id", "fence", "4"),
    MEMBER("no epoch", "event.member", "epoch", GONE),
    MEMBER("epoch negative", "event.member", "epoch", "-1"),
    MEMBER("seq -2", "event.member", "seq", "-2"),
    MEMBER("no seq", "event.member", "seq", GONE),
    MEMBER("another seq", "event.id", "seq", "-1"),
    MEMBER("another reason", "event.id", "reason", "\"stall\""),
    MEMBER("no reason", "event.member", "reason", GONE),
    MEMBER("reason in capitals", "event.member", "reason", "\"Interrupt\""),
    MEMBER("reason empty", "event.member", "reason", "\"\""),
    MEMBER("reason with more", "event.member", "reason", "\"interrupted\""),
    MEMBER("reason number", "event.member", "reason", "1"),
    MEMBER("no text", "event.member", "text", GONE),
    MEMBER("heard nothing", NULL, "text", "\"\""),
    MEMBER("no time", "event.member", "spoken_ms", GONE),
    MEMBER("time negative", "event.member", "spoken_ms", "-1"),
    MEMBER("time of more than a week", "event.member", "spoken_ms", "604800001"),
};

static const struct damage ended_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.ended.v2"),
    HEADER("id of the setup", "event.id", "ce_id", CA ":" VX ":0"),
    MEMBER("another call", "event.id", "call_sid", CA2),
    MEMBER("no reason", "event.member", "reason", GONE),
    MEMBER("the provider's spelling", "event.member", "reason", "\"no-answer\""),
    MEMBER("reason of heard", "event.member", "reason", "\"interrupt\""),
    MEMBER("another reason", NULL, "reason", "\"completed\""),
    MEMBER("duration not told", NULL, "duration_s", GONE),
    MEMBER("duration -1", "event.member", "duration_s", "-1"),
    MEMBER("duration of more than a week", "event.member", "duration_s", "604801"),
    MEMBER("in webhook mode", NULL, "relay_session", GONE),
    MEMBER("turn missing", "event.member", "heard_turn", GONE),
    MEMBER("fence missing", "event.member", "heard_fence", GONE),
};

static const struct damage dialled_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.dialled.v2"),
    MEMBER("another dial", "event.id", "dial", "\"" TURN "\""),
    MEMBER("no dial", "event.member", "dial", GONE),
    MEMBER("no outcome", "event.member", "outcome", GONE),
    MEMBER("outcome unknown", "event.member", "outcome", "\"answered\""),
    MEMBER("another outcome", NULL, "outcome", "\"hung_up\""),
    MEMBER("no duration", "event.member", "duration_s", GONE),
    MEMBER("duration negative", "event.member", "duration_s", "-1"),
};

static const struct damage answered_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.answered.v2"),
    HEADER("id of another outcome", "event.id", "ce_id", CA ":answered:human"),
    MEMBER("no delivery", "event.member", "delivery", GONE),
    MEMBER("no outcome", "event.member", "outcome", GONE),
    MEMBER("outcome unknown", "event.member", "outcome", "\"busy\""),
};

static const struct damage recorded_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.recorded.v2"),
    HEADER("id of the call", "event.id", "ce_id", CA),
    MEMBER("another recording", "event.id", "recording_sid",
           "\"RE00000000000000000000000000000502\""),
    MEMBER("sid of a call", "event.member", "recording_sid", "\"" CA "\""),
    MEMBER("no url", "event.member", "url", GONE),
    MEMBER("url empty", "event.member", "url", "\"\""),
    MEMBER("url with a newline", "event.member", "url", "\"https://e\\n.com\""),
    MEMBER("no duration", "event.member", "duration_s", GONE),
    MEMBER("duration of more than a week", "event.member", "duration_s", "604801"),
    MEMBER("no reason", "event.member", "why", GONE),
    MEMBER("reason unknown", "event.member", "why", "\"voicemail\""),
    MEMBER("another reason", NULL, "why", "\"asked\""),
    MEMBER("a transcript follows", NULL, "transcript_follows", "true"),
    MEMBER("transcript of another type", "event.member", "transcript_follows", "1"),
};

static const struct damage transcribed_cases[] = {
    HEADER("major 2", "event.major", "ce_type", "desk.voice.transcribed.v2"),
    HEADER("id of the recording", "event.id", "ce_id", RE),
    MEMBER("another recording", "event.id", "recording_sid",
           "\"RE00000000000000000000000000000502\""),
    MEMBER("sid of a call", "event.member", "recording_sid", "\"" CA "\""),
    MEMBER("no recording", "event.member", "recording_sid", GONE),
    MEMBER("nothing understood", NULL, "text", GONE),
    MEMBER("text empty", NULL, "text", "\"\""),
    MEMBER("text of another type", "event.member", "text", "7"),
};

static const struct damage frame_cases[] = {
    HEADER("good", NULL, NULL, NULL),
    HEADER("major 2", "event.major", "ce_type", "desk.voice.frame.v2"),
    HEADER("no tenant", "event.tenant", "tenant", GONE),
    HEADER("another tenant: the key does not tell", NULL, "tenant",
           "018f9c3e-2b7a-7c1d-9e4f-000000000000"),
    HEADER("id of another frame", "event.id", "ce_id", TURN ":3:5"),
    KEY("key with the tenant", "event.key", TENANT ":" CA),
    KEY("key of another call", "event.key", "CA00000000000000000000000000000302"),
    MEMBER("another call", "event.key", "call_sid", CA2),
    MEMBER("no call", "event.member", "call_sid", GONE),
    MEMBER("no kind", "event.member", "kind", GONE),
    MEMBER("kind unknown", "event.member", "kind", "\"play\""),
    MEMBER("kind number", "event.member", "kind", "1"),
    MEMBER("another turn", "event.id", "turn", "\"" DIAL "\""),
    MEMBER("no turn", "event.member", "turn", GONE),
    MEMBER("no turn number", "event.member", "turn_number", GONE),
    MEMBER("turn number 0", "event.member", "turn_number", "0"),
    MEMBER("no epoch", "event.member", "epoch", GONE),
    MEMBER("epoch 0", NULL, "epoch", "0"),
    MEMBER("epoch negative", "event.member", "epoch", "-1"),
    MEMBER("epoch over 2^53", "event.member", "epoch", "9007199254740993"),
    MEMBER("fence 0", "event.member", "fence", "0"),
    MEMBER("no fence", "event.member", "fence", GONE),
    MEMBER("another fence", "event.id", "fence", "4"),
    MEMBER("no seq", "event.member", "seq", GONE),
    MEMBER("seq -1", "event.member", "seq", "-1"),
    MEMBER("another seq", "event.id", "seq", "5"),
    MEMBER("seq huge", "event.member", "seq", "1000001"),
    MEMBER("no text", "event.member", "text", GONE),
    MEMBER("last text", "event.member", "last", "\"true\""),
    MEMBER("last", NULL, "last", "true"),
    MEMBER("no lang", NULL, "lang", GONE),
    MEMBER("lang is a voice", "event.member", "lang", "\"Joanna_Neural\""),
    MEMBER("keys in a text", "event.member", "keys", "\"1\""),
    MEMBER("handoff in a text", "event.member", "handoff", "\"{}\""),
    MEMBER("handoff no text", "event.member", "handoff", "{}"),
    MEMBER("handoff no JSON", "event.member", "handoff", "\"{\\\"do\\\":\""),
    MEMBER("handoff an array", "event.member", "handoff", "\"[]\""),
    MEMBER("step in a text", "event.member", "step", "1"),
    MEMBER("a text as step", "event.member", "kind", "\"step\""),
    MEMBER("a prompt", NULL, "prompt", "7"),
    MEMBER("prompt negative", "event.member", "prompt", "-1"),
    MEMBER("prompt huge", "event.member", "prompt", "1000000001"),
    VALUE("no members", "event.member", "{}"),
};

static void test_calls(void)
{
    TRY_ALL(call_cases, good_setup, decode_setup);
    TRY_ALL(call_cases, good_prompt, decode_prompt);
    TRY_ALL(call_cases, good_heard, decode_heard);
    TRY_ALL(call_cases, good_ended, decode_ended);
    TRY_ALL(call_cases, good_dialled, decode_dialled);
    TRY_ALL(call_cases, good_answered, decode_answered);
    TRY_ALL(call_cases, good_recorded, decode_recorded);
    TRY_ALL(call_cases, good_transcribed, decode_transcribed);
}

static void test_setup(void)
{
    TRY_ALL(setup_cases, good_setup, decode_setup);
    TRY_ALL(first_cases, good_first, decode_setup);
}

static void test_prompt(void)
{
    TRY_ALL(prompt_cases, good_prompt, decode_prompt);
}

static void test_heard(void)
{
    TRY_ALL(heard_cases, good_heard, decode_heard);
}

static void test_ended(void)
{
    TRY_ALL(ended_cases, good_ended, decode_ended);
}

static void test_dialled(void)
{
    TRY_ALL(dialled_cases, good_dialled, decode_dialled);
}

static void test_answered(void)
{
    TRY_ALL(answered_cases, good_answered, decode_answered);
}

static void test_recorded(void)
{
    TRY_ALL(recorded_cases, good_recorded, decode_recorded);
}

static void test_transcribed(void)
{
    TRY_ALL(transcribed_cases, good_transcribed, decode_transcribed);
}

static void test_frame(void)
{
    TRY_ALL(frame_cases, good_frame, decode_frame);
}

/* ---- the largest texts ---- */

static void try_length(const char *member, size_t length, const char *code, good_fn *good,
                       decode_fn *decode)
{
    struct bus_record record;
    arena = arena_new();
    good(&record);
    char *json = arena_alloc(arena, length + 3);
    memset(json + 1, 'x', length);
    json[0] = json[length + 1] = '"';
    record.value = without_or_with(&record, member, json);
    record.value_length = strlen(record.value);
    expect(member, code, &record, decode);
    arena_free(&arena);
}

static void test_largest_texts(void)
{
    static const struct {
        const char *member;
        size_t max;
        good_fn *good;
        decode_fn *decode;
    } cases[] = {
        {"caller_name", VOICE_NAME_MAX, good_setup, decode_setup},
        {"forwarded_from", VOICE_ADDRESS_MAX, good_setup, decode_setup},
        {"heard", VOICE_HEARD_MAX, good_setup, decode_setup},
        {"text", VOICE_PROMPT_MAX, good_prompt, decode_prompt},
        {"text", VOICE_HEARD_MAX, good_heard, decode_heard},
        {"heard", VOICE_HEARD_MAX, good_ended, decode_ended},
        {"url", VOICE_URL_MAX, good_recorded, decode_recorded},
        {"text", VOICE_TRANSCRIPT_MAX, good_transcribed, decode_transcribed},
        {"text", VOICE_PIECE_MAX, good_frame, decode_frame},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        try_length(cases[i].member, cases[i].max, NULL, cases[i].good, cases[i].decode);
        try_length(cases[i].member, cases[i].max + 1, "event.member", cases[i].good,
                   cases[i].decode);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("hostile events of a call", NULL, NULL);
    CU_add_test(suite, "the call", test_calls);
    CU_add_test(suite, "voice.setup", test_setup);
    CU_add_test(suite, "voice.prompt", test_prompt);
    CU_add_test(suite, "voice.heard", test_heard);
    CU_add_test(suite, "voice.ended", test_ended);
    CU_add_test(suite, "voice.dialled", test_dialled);
    CU_add_test(suite, "voice.answered", test_answered);
    CU_add_test(suite, "voice.recorded", test_recorded);
    CU_add_test(suite, "voice.transcribed", test_transcribed);
    CU_add_test(suite, "voice.frame", test_frame);
    CU_add_test(suite, "the largest texts", test_largest_texts);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
