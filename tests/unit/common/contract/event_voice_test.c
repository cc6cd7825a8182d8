/* Unit tests of a phone call's events: whose they are, which ids they get, which members belong
 * together, and that each member lands where it belongs. */
#include "unit/common/contract/good_voice.h"

/* ---- whose ---- */

/* Fails when a number that only spells "anonymous" is taken for a person: all who withhold their
 * number would share one conversation. */
static void test_contacts(void)
{
    static const struct {
        const char *from, *contact;
    } cases[] = {
        {CALLER, CALLER},
        {"+442079460000", "+442079460000"},
        {"+2666966870", "+2666966870"}, /* one digit more: somebody's number */
        {"+266696687", CA},
        {"+2562533", CA},
        {"+7378742833", CA},
        {"+8656696", CA},
        {"+86282452253", CA},
        {"+7748283", CA},
        {"+77482830", "+77482830"},
        {"anonymous", CA},
        {"Restricted", CA},
        {"client:mara", CA},
        {"sip:mara@example.com", CA},
        {"sips:mara@example.com", CA},
        {"whatsapp:" CALLER, CA},
        {"15550001111", CA},
        {"+05550001111", CA},
        {" " CALLER, CA},
        {CALLER "x", CA},
        {"", CA},
        {NULL, CA},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct voice_prompt out, prompt = a_prompt();
        struct bus_record record;
        struct err err = {0};
        prompt.call.from = cases[i].from;
        CU_ASSERT_STRING_EQUAL(voice_contact(&prompt.call), cases[i].contact);
        arena = arena_new();
        voice_prompt_encode(arena, "desk.", &prompt, &record);
        const char *key = arena_printf(arena, TENANT ":%s", cases[i].contact);
        CU_ASSERT(record.key_length == strlen(key) && memcmp(record.key, key, strlen(key)) == 0);
        CU_ASSERT_EQUAL(voice_prompt_decode(arena, &record, &out, &err), 0);
        arena_free(&arena);
    }
}

/* ---- ids ---- */

static void expect_id(const struct bus_record *record, const char *expected)
{
    const char *given = bus_header_text(record, arena, "ce_id");
    CU_ASSERT_PTR_NOT_NULL_FATAL(given);
    CU_ASSERT_STRING_EQUAL(given, expected);
}

static void test_ids(void)
{
    struct bus_record record;
    struct voice_setup setup = a_setup();
    struct voice_prompt prompt = a_prompt();
    struct voice_heard heard = a_heard();
    struct voice_frame frame = a_frame();
    arena = arena_new();
    voice_setup_encode(arena, "desk.", &setup, &record);
    expect_id(&record, CA ":" VX ":0");
    setup.call.relay_session = "";
    voice_setup_encode(arena, "desk.", &setup, &record);
    expect_id(&record, CA ":0");
    good_wait(&record);
    expect_id(&record, CA ":3:wait:2");
    good_prompt(&record);
    expect_id(&record, CA ":" VX ":5");
    prompt.call.relay_session = NULL;
    voice_prompt_encode(arena, "desk.", &prompt, &record);
    expect_id(&record, CA ":5");
    good_heard(&record);
    expect_id(&record, CA ":" TURN ":3:interrupt:4");
    heard.reason = VOICE_CLOSE;
    heard.spoken.seq = -1;
    voice_heard_encode(arena, "desk.", &heard, &record);
    expect_id(&record, CA ":" TURN ":3:close:-1");
    good_ended(&record);
    expect_id(&record, CA ":ended");
    good_dialled(&record);
    expect_id(&record, CA ":dialled:" DIAL);
    good_answered(&record);
    expect_id(&record, CA ":answered:accepted");
    good_recorded(&record);
    expect_id(&record, RE);
    good_transcribed(&record);
    expect_id(&record, RE ":transcript");
    good_frame(&record);
    expect_id(&record, TURN ":3:4");
    frame.kind = VOICE_FRAME_STOP;
    voice_frame_encode(arena, "desk.", &frame, &record);
    expect_id(&record, CA ":stop:1");
    arena_free(&arena);
}

static void test_where_frames_go(void)
{
    struct bus_record record;
    arena = arena_new();
    good_frame(&record);
    CU_ASSERT_STRING_EQUAL(record.topic, "desk.voice.stream");
    CU_ASSERT_EQUAL(record.partition, -1); /* the caller's to set */
    CU_ASSERT(record.key_length == strlen(CA) && memcmp(record.key, CA, strlen(CA)) == 0);
    good_heard(&record);
    CU_ASSERT_STRING_EQUAL(record.topic, "desk.inbound.voice");
    arena_free(&arena);
}

/* ---- what belongs together ---- */

/* Encoders do not judge, so a struct that breaks a rule becomes a record that must be refused. */
static void try_frame(const char *title, bool good, const struct voice_frame *frame)
{
    struct bus_record record;
    arena = arena_new();
    voice_frame_encode(arena, "desk.", frame, &record);
    expect(title, good ? NULL : "event.member", &record, decode_frame);
    arena_free(&arena);
}

/* A frame of a kind and what it carries; turn, fence 3 and turn_number 2 unless it is a stop. */
#define FRAME(of_kind, ...)                                                                        \
    {                                                                                              \
        .kind = of_kind, __VA_ARGS__                                                               \
    }

static void test_kinds_of_frames(void)
{
    static const char object[] = "{\"do\":\"record\"}";
    const struct {
        const char *title;
        bool good;
        struct voice_frame frame;
    } cases[] = {
        {"open", true, FRAME(VOICE_FRAME_OPEN, .seq = 0)},
        {"open that is not the first", false, FRAME(VOICE_FRAME_OPEN, .seq = 1)},
        {"open with text", false, FRAME(VOICE_FRAME_OPEN, .text = "Hello")},
        {"open that is last", false, FRAME(VOICE_FRAME_OPEN, .last = true)},
        {"open with a lang", false, FRAME(VOICE_FRAME_OPEN, .lang = "en")},
        {"text", true, FRAME(VOICE_FRAME_TEXT, .text = "Hello", .lang = "en")},
        {"text, last", true, FRAME(VOICE_FRAME_TEXT, .text = "Bye.", .last = true, .seq = 9)},
        {"last without text", true, FRAME(VOICE_FRAME_TEXT, .last = true)},
        {"text without text", false, FRAME(VOICE_FRAME_TEXT, .seq = 1)},
        {"text with a handoff", false, FRAME(VOICE_FRAME_TEXT, .text = "a", .handoff = object)},
        {"text of a step", false, FRAME(VOICE_FRAME_TEXT, .text = "a", .step = 1)},
        {"language", true, FRAME(VOICE_FRAME_LANGUAGE, .lang = "de-DE", .seq = 2)},
        {"language without", false, FRAME(VOICE_FRAME_LANGUAGE, .seq = 2)},
        {"language with text", false, FRAME(VOICE_FRAME_LANGUAGE, .lang = "de", .text = "a")},
        {"keys", true, FRAME(VOICE_FRAME_KEYS, .keys = "12w#*")},
        {"keys without", false, FRAME(VOICE_FRAME_KEYS, .seq = 2)},
        {"keys of a caller", false, FRAME(VOICE_FRAME_KEYS, .keys = "A")},
        {"end", true, FRAME(VOICE_FRAME_END, .handoff = object, .seq = 3)},
        {"end without a handoff", false, FRAME(VOICE_FRAME_END, .seq = 3)},
        {"end with text", false, FRAME(VOICE_FRAME_END, .handoff = object, .text = "Bye.")},
        {"end with a handoff of text", false, FRAME(VOICE_FRAME_END, .handoff = "record")},
        {"step", true, FRAME(VOICE_FRAME_STEP, .step = 4, .text = "Hello", .lang = "en")},
        {"step with text and a handoff", true,
         FRAME(VOICE_FRAME_STEP, .step = 4, .text = "Hello", .handoff = object)},
        {"step with a handoff only", true, FRAME(VOICE_FRAME_STEP, .step = 4, .handoff = object)},
        {"step with nothing", false, FRAME(VOICE_FRAME_STEP, .step = 4)},
        {"step without number", false, FRAME(VOICE_FRAME_STEP, .text = "Hello")},
        {"text that tells its prompt", true, FRAME(VOICE_FRAME_TEXT, .last = true, .prompt = 2)},
        {"open that tells its prompt", true, FRAME(VOICE_FRAME_OPEN, .prompt = 2)},
        {"end that tells its prompt", true,
         FRAME(VOICE_FRAME_END, .handoff = object, .prompt = VOICE_NUMBER_MAX)},
        {"step that tells its prompt", false,
         FRAME(VOICE_FRAME_STEP, .step = 4, .text = "Hello", .prompt = 2)},
        {"step that is last", false,
         FRAME(VOICE_FRAME_STEP, .step = 4, .text = "Hello", .last = true)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct voice_frame frame = a_frame();
        frame.kind = cases[i].frame.kind;
        frame.seq = cases[i].frame.seq;
        frame.text = cases[i].frame.text;
        frame.last = cases[i].frame.last;
        frame.lang = cases[i].frame.lang;
        frame.keys = cases[i].frame.keys;
        frame.handoff = cases[i].frame.handoff;
        frame.step = cases[i].frame.step;
        frame.prompt = cases[i].frame.prompt;
        try_frame(cases[i].title, cases[i].good, &frame);
        frame.turn = (struct uuid){{0}};
        try_frame("without a turn", false, &frame);
    }
}

static void test_stop_names_no_turn(void)
{
    const struct voice_frame good = {
        .event = {.source = "frontdesk/console", .tenant = TENANT, .time_ms = 1},
        .call_sid = CA,
        .epoch = 5,
        .kind = VOICE_FRAME_STOP,
    };
    struct voice_frame frame = good;
    try_frame("stop", true, &frame);
    frame.turn = id(TURN);
    try_frame("stop of a turn", false, &frame);
    frame = good;
    frame.fence = 1;
    try_frame("stop with a fence", false, &frame);
    frame = good;
    frame.turn_number = 1;
    try_frame("stop with a turn's number", false, &frame);
    frame = good;
    frame.seq = 1;
    try_frame("stop with a seq", false, &frame);
    frame = good;
    frame.prompt = 1;
    try_frame("stop with a prompt", false, &frame);
    frame = good;
    frame.text = "Hello";
    try_frame("stop with text", false, &frame);
}

static void try_setup(const char *title, bool good, const struct voice_setup *setup)
{
    struct bus_record record;
    arena = arena_new();
    voice_setup_encode(arena, "desk.", setup, &record);
    expect(title, good ? NULL : "event.member", &record, decode_setup);
    arena_free(&arena);
}

static void test_setups(void)
{
    const struct {
        const char *title;
        bool good, relay, resumed, heard;
        int step, wait;
    } cases[] = {
        {"a call's first socket", true, true, false, false, 0, 0},
        {"a later socket, held elsewhere before", true, true, true, false, 0, 0},
        {"a later socket, held before", true, true, true, true, 0, 0},
        {"a first socket that heard", false, true, false, true, 0, 0},
        {"a socket that waits for a step", false, true, true, false, 1, 1},
        {"webhook mode begins", true, false, false, false, 0, 0},
        {"webhook mode waits", true, false, true, false, 1, 1},
        {"webhook mode waits, and has heard", true, false, true, true, 1, 3},
        {"webhook mode, a step without a wait", false, false, true, false, 1, 0},
        {"webhook mode, a wait without a step", false, false, true, false, 0, 1},
        {"webhook mode waits at once", false, false, false, false, 1, 1},
        {"webhook mode resumed without a step", false, false, true, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct voice_setup setup = a_setup();
        setup.call.relay_session = cases[i].relay ? VX : "";
        setup.resumed = cases[i].resumed;
        setup.spoken = cases[i].heard ? of_turn() : (struct voice_spoken){.seq = 0};
        setup.step = cases[i].step;
        setup.wait = cases[i].wait;
        try_setup(cases[i].title, cases[i].good, &setup);
    }
}

/* Whoever knows of no turn need not say so member by member: a struct that begins as zeros would
 * else claim frame 0 of no turn, and its record, the call's first, be refused. */
static void test_spoken(void)
{
    const struct voice_spoken cases[] = {
        of_turn(), {id(TURN), 3, 0, -1, ""}, {.seq = 0}, {.seq = -1}, {.fence = 2, .text = "We"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool known = !uuid_is_nil(&cases[i].turn);
        struct voice_ended out, ended = an_end();
        struct voice_setup again, setup = a_setup();
        struct bus_record record;
        struct err err;
        arena = arena_new();
        ended.spoken = setup.spoken = cases[i];
        voice_setup_encode(arena, "desk.", &setup, &record);
        CU_ASSERT_FATAL(voice_setup_decode(arena, &record, &again, &err) == 0);
        voice_ended_encode(arena, "desk.", &ended, &record);
        CU_ASSERT_FATAL(voice_ended_decode(arena, &record, &out, &err) == 0);
        CU_ASSERT(uuid_equal(&out.spoken.turn, &cases[i].turn));
        CU_ASSERT_EQUAL(out.spoken.fence, known ? cases[i].fence : 0);
        CU_ASSERT_EQUAL(out.spoken.seq, known ? cases[i].seq : -1);
        CU_ASSERT_STRING_EQUAL(out.spoken.text, known ? cases[i].text : "");
        CU_ASSERT_EQUAL(again.spoken.seq, out.spoken.seq);
        CU_ASSERT_STRING_EQUAL(again.spoken.text, out.spoken.text);
        arena_free(&arena);
    }
}

static void test_prompts_and_reasons(void)
{
    struct voice_prompt prompt = a_prompt();
    struct voice_heard heard = a_heard();
    struct bus_record record;
    arena = arena_new();
    prompt.text = "";
    voice_prompt_encode(arena, "desk.", &prompt, &record);
    expect("neither text nor keys", "event.member", &record, decode_prompt);
    prompt.keys = "0123456789*#ABCD";
    voice_prompt_encode(arena, "desk.", &prompt, &record);
    expect("keys", NULL, &record, decode_prompt);
    heard.spoken.seq = -1;
    heard.spoken.text = "";
    for (enum voice_reason reason = VOICE_LAST; reason <= VOICE_FALLBACK; reason++) {
        heard.reason = reason;
        voice_heard_encode(arena, "desk.", &heard, &record);
        expect("before the first frame", reason == VOICE_LAST ? "event.member" : NULL, &record,
               decode_heard);
    }
    arena_free(&arena);
}

/* ---- members ---- */

static void check_call(const struct voice_call *call)
{
    CU_ASSERT_STRING_EQUAL(call->call_sid, CA);
    CU_ASSERT_STRING_EQUAL(call->account_sid, AC);
    CU_ASSERT_STRING_EQUAL(call->from, CALLER);
    CU_ASSERT_STRING_EQUAL(call->to, "+15550002222");
    CU_ASSERT_STRING_EQUAL(call->relay_session, VX);
    CU_ASSERT_EQUAL(call->stream_partition, 7);
}

static void check_spoken(const struct voice_spoken *spoken)
{
    const struct uuid turn = id(TURN);
    CU_ASSERT(uuid_equal(&spoken->turn, &turn));
    CU_ASSERT_EQUAL(spoken->fence, 3);
    CU_ASSERT_EQUAL(spoken->epoch, 1);
    CU_ASSERT_EQUAL(spoken->seq, 4);
    CU_ASSERT_STRING_EQUAL(spoken->text, "We are open until five.");
}

/* The value must have the member by this name: two that are mixed up in encoder and decoder alike
 * would pass a round trip. */
static void check_member(const struct bus_record *record, const char *name, const char *json)
{
    struct json *value;
    struct strbuf text;
    CU_ASSERT_FATAL(json_parse(record->value, record->value_length, &value, NULL) == 0);
    const struct json *member = json_member(value, name);
    strbuf_init(&text, 1024);
    if (member != NULL)
        json_print(member, &text);
    const char *found = member == NULL ? "(absent)" : text.data;
    if (strcmp(found, json) != 0)
        printf("\n  %s is %s, not %s\n", name, found, json);
    CU_ASSERT(strcmp(found, json) == 0);
    strbuf_fini(&text);
    json_free(&value);
}

#define DECODE(name, out)                                                                          \
    do {                                                                                           \
        good_##name(&record);                                                                      \
        CU_ASSERT_FATAL(decode_##name(&record, &any, &err) == 0);                                  \
        (out) = any.name;                                                                          \
    } while (0)

static void test_members_of_a_call(void)
{
    struct bus_record record;
    union any any;
    struct err err;
    struct voice_setup setup;
    struct voice_ended ended;
    arena = arena_new();
    DECODE(setup, setup);
    check_call(&setup.call);
    check_spoken(&setup.spoken);
    CU_ASSERT(setup.resumed && !setup.outbound && setup.step == 0 && setup.wait == 0);
    CU_ASSERT_STRING_EQUAL(setup.forwarded_from, "+15550009999");
    CU_ASSERT_STRING_EQUAL(setup.caller_name, "M. Keller");
    CU_ASSERT_STRING_EQUAL(setup.attestation, "full");
    CU_ASSERT_EQUAL(setup.gone_ms, 1234);
    check_member(&record, "relay_session", "\"" VX "\"");
    check_member(&record, "heard_turn", "\"" TURN "\"");
    check_member(&record, "heard_fence", "3");
    check_member(&record, "heard_epoch", "1");
    check_member(&record, "heard_seq", "4");
    check_member(&record, "resumed", "true");
    check_member(&record, "outbound", "(absent)");
    good_wait(&record);
    check_member(&record, "step", "3");
    check_member(&record, "wait", "2");
    check_member(&record, "relay_session", "(absent)");
    DECODE(ended, ended);
    check_call(&ended.call);
    check_spoken(&ended.spoken);
    CU_ASSERT_EQUAL(ended.reason, VOICE_HUNG_UP);
    CU_ASSERT_EQUAL(ended.duration_s, 61);
    CU_ASSERT(ended.missed && !ended.found && !ended.outbound);
    check_member(&record, "outbound", "(absent)");
    struct voice_ended placed = an_end();
    placed.outbound = true;
    voice_ended_encode(arena, "desk.", &placed, &record);
    CU_ASSERT_FATAL(voice_ended_decode(arena, &record, &ended, &err) == 0);
    CU_ASSERT(ended.outbound);
    check_member(&record, "reason", "\"hung_up\"");
    arena_free(&arena);
}

static void test_members_of_talk(void)
{
    struct bus_record record;
    union any any;
    struct err err;
    struct voice_prompt prompt;
    struct voice_heard heard;
    arena = arena_new();
    DECODE(prompt, prompt);
    check_call(&prompt.call);
    CU_ASSERT_EQUAL(prompt.number, 5);
    CU_ASSERT_STRING_EQUAL(prompt.text, "Are you open on Sunday?");
    CU_ASSERT_STRING_EQUAL(prompt.keys, "");
    CU_ASSERT_STRING_EQUAL(prompt.lang, "en-US");
    CU_ASSERT_EQUAL(prompt.confidence_pm, 912);
    check_member(&record, "number", "5");
    check_member(&record, "confidence_pm", "912");
    DECODE(heard, heard);
    check_call(&heard.call);
    check_spoken(&heard.spoken);
    CU_ASSERT_EQUAL(heard.reason, VOICE_INTERRUPT);
    CU_ASSERT_EQUAL(heard.spoken_ms, 1800);
    check_member(&record, "fence", "3");
    check_member(&record, "epoch", "1");
    check_member(&record, "seq", "4");
    check_member(&record, "reason", "\"interrupt\"");
    arena_free(&arena);
}

static void test_members_of_outcomes(void)
{
    const struct uuid dial = id(DIAL);
    struct bus_record record;
    union any any;
    struct err err;
    struct voice_dialled dialled;
    struct voice_answered answered;
    struct voice_recorded recorded;
    arena = arena_new();
    DECODE(dialled, dialled);
    check_call(&dialled.call);
    CU_ASSERT(uuid_equal(&dialled.dial, &dial));
    CU_ASSERT_EQUAL(dialled.outcome, VOICE_REFUSED);
    CU_ASSERT_EQUAL(dialled.duration_s, 0);
    check_member(&record, "outcome", "\"refused\"");
    DECODE(answered, answered);
    check_call(&answered.call);
    CU_ASSERT(uuid_equal(&answered.delivery, &dial));
    CU_ASSERT_EQUAL(answered.outcome, VOICE_ANSWER_ACCEPTED);
    check_member(&record, "outcome", "\"accepted\"");
    DECODE(recorded, recorded);
    check_call(&recorded.call);
    CU_ASSERT_STRING_EQUAL(recorded.recording_sid, RE);
    CU_ASSERT(strncmp(recorded.url, "https://api.twilio.com/", 23) == 0);
    CU_ASSERT_EQUAL(recorded.duration_s, 12);
    CU_ASSERT_EQUAL(recorded.why, VOICE_RECORD_CLOSED);
    check_member(&record, "why", "\"closed\"");
    CU_ASSERT_FALSE(recorded.transcript_follows);
    struct voice_transcribed transcribed;
    DECODE(transcribed, transcribed);
    check_call(&transcribed.call);
    CU_ASSERT_STRING_EQUAL(transcribed.recording_sid, RE);
    CU_ASSERT_STRING_EQUAL(transcribed.text, "My crown came off, please call me.");
    arena_free(&arena);
}

static void test_members_of_a_frame(void)
{
    const struct uuid turn = id(TURN);
    struct bus_record record;
    union any any;
    struct err err;
    struct voice_frame frame;
    arena = arena_new();
    DECODE(frame, frame);
    CU_ASSERT_STRING_EQUAL(frame.call_sid, CA);
    CU_ASSERT(uuid_equal(&frame.turn, &turn));
    CU_ASSERT(frame.turn_number == 2 && frame.epoch == 1 && frame.fence == 3 && frame.seq == 4);
    CU_ASSERT_EQUAL(frame.kind, VOICE_FRAME_TEXT);
    CU_ASSERT_STRING_EQUAL(frame.text, "We are open until five.");
    CU_ASSERT_STRING_EQUAL(frame.lang, "en-US");
    CU_ASSERT_STRING_EQUAL(frame.keys, "");
    CU_ASSERT_STRING_EQUAL(frame.handoff, "");
    CU_ASSERT(!frame.last && frame.step == 0 && frame.prompt == 0);
    CU_ASSERT_STRING_EQUAL(frame.event.tenant, TENANT);
    check_member(&record, "turn_number", "2");
    check_member(&record, "epoch", "1");
    check_member(&record, "fence", "3");
    check_member(&record, "seq", "4");
    check_member(&record, "kind", "\"text\"");
    arena_free(&arena);
}

/* The largest of each kind of text fit into a record, all characters escaped. */
static void test_largest_frame(void)
{
    char text[VOICE_PIECE_MAX + 1];
    struct bus_record record;
    struct voice_frame out, frame = a_frame();
    struct err err;
    memset(text, 0x01, VOICE_PIECE_MAX);
    text[VOICE_PIECE_MAX] = '\0';
    frame.text = text;
    arena = arena_new();
    voice_frame_encode(arena, "desk.", &frame, &record);
    CU_ASSERT_FATAL(voice_frame_decode(arena, &record, &out, &err) == 0);
    CU_ASSERT_STRING_EQUAL(out.text, text);
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("events of a call", NULL, NULL);
    CU_add_test(suite, "contacts", test_contacts);
    CU_add_test(suite, "ids are derived", test_ids);
    CU_add_test(suite, "where frames go", test_where_frames_go);
    CU_add_test(suite, "kinds of frames", test_kinds_of_frames);
    CU_add_test(suite, "stop names no turn", test_stop_names_no_turn);
    CU_add_test(suite, "setups", test_setups);
    CU_add_test(suite, "what was spoken belongs to a turn", test_spoken);
    CU_add_test(suite, "prompts and reasons", test_prompts_and_reasons);
    CU_add_test(suite, "members of setup and ended", test_members_of_a_call);
    CU_add_test(suite, "members of prompt and heard", test_members_of_talk);
    CU_add_test(suite, "members of dialled and recorded", test_members_of_outcomes);
    CU_add_test(suite, "members of a frame", test_members_of_a_frame);
    CU_add_test(suite, "the largest frame", test_largest_frame);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
