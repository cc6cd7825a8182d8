/* A call's clock and its sockets: fillers, the fallback, silent callers, keys, sockets that come
 * back, hang-ups at every point, drain. */
#include "call_rig.h"

#include <CUnit/Basic.h>

/* ---- P6: no silence while we have the word ---- */

static void fillers_then_the_fallback(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_pass(&rig, 3999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "One moment."));
    CU_ASSERT_TRUE(rig_act(&rig, CALL_ACT_SAY)->last);
    rig_pass(&rig, 550 + 3999); /* the 11 characters, by the fastest voice */
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "I am still looking."));
    rig_pass(&rig, 12000 - 8550 - 1);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "Please leave a message."));
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_pass(&rig, 5000);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_END)->text, "{\"do\":\"record\"}");
    rig_close(&rig);
}

/* The same in mid-turn, from the time when all that was written has sounded. */
static void fillers_in_mid_turn(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "It takes three seconds to say."); /* 30 characters */
    rig_pass(&rig, 1500 + 3999); /* by the fastest voice; the fallback waits for the usual one */
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, " One moment."));
    rig_pass(&rig, 3000 + 12000 - 5500);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    CU_ASSERT(rig_heard(&rig, VOICE_FALLBACK, 1, 1, 0, "It takes three seconds to say."));
    rig_close(&rig);
}

/* A fence that asks, and a frame without words, sound like nothing: the filler comes all the same,
 * the fallback waits for them. */
static void a_frame_without_words_breaks_no_silence(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_pass(&rig, 3900);
    rig_fence(&rig, 1, 2);
    rig_pass(&rig, 100);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_pass(&rig, 8000);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 3900);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_close(&rig);
}

/* A loop that stood still says the fallback once, not what it missed. */
static void a_late_tick_says_only_the_fallback(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_fresh(&rig);
    rig.now_ms += 60000;
    call_tick(rig.call, rig.now_ms, &rig.acts);
    CU_ASSERT(rig_said(&rig, "Please leave a message."));
    rig_close(&rig);
}

static void a_failed_produce_says_the_fallback(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_fresh(&rig);
    call_failed(rig.call, rig.now_ms, &rig.acts);
    CU_ASSERT(rig_said(&rig, "Please leave a message."));
    rig_fresh(&rig);
    call_failed(rig.call, rig.now_ms, &rig.acts);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    /* what he says into it is passed on, and recorded at once */
    rig_prompt(&rig, "Hello?");
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_PROMPT), 1);
    rig_interrupt(&rig, "Please");
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* The caller speaks on without cutting in: the next turn owes him an answer, and the clock runs
 * when this one is spoken. */
static void a_prompt_during_a_turn_is_owed(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "Yes, ");
    rig_prompt(&rig, "And tomorrow?");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_SPEAKING);
    rig_last(&rig, 1, 1, 1, "we are.");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 1200 + 4000);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_last(&rig, 2, 2, 0, "Tomorrow, too.");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* ---- the caller is silent ---- */

static void a_silent_caller_is_asked_once_and_then_left(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "Yes, we are"); /* 1.1 s */
    rig_pass(&rig, 1100 + 29999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "Are you still there?"));
    rig_pass(&rig, 2000 + 30000);
    CU_ASSERT(rig_said(&rig, "Goodbye."));
    rig_pass(&rig, 800);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_END)->text, "{\"do\":\"hangup\"}");
    rig_close(&rig);
}

static void a_caller_who_answers_stays(void)
{
    struct rig rig;
    rig_open(&rig);
    rig_pass(&rig, 29000);
    CU_ASSERT(rig_said(&rig, "Are you still there?"));
    rig_prompt(&rig, "Yes.");
    rig_last(&rig, 1, 1, 0, "Good.");
    rig_pass(&rig, 600 + 500 + 30100); /* he did not cut in: the question sounds on for 0.6 s */
    CU_ASSERT(rig_said(&rig, "Are you still there?"));
    rig_pass(&rig, 32100);
    CU_ASSERT(rig_said(&rig, "Goodbye."));
    rig_prompt(&rig, "No, wait!");
    rig_pass(&rig, 3000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

/* ---- prompts and keys ---- */

static void prompts_are_numbered_by_session(void)
{
    struct rig rig;
    rig_open(&rig);
    rig_prompt(&rig, "One");
    const struct voice_prompt *prompt = rig_act(&rig, CALL_ACT_PROMPT)->prompt;
    CU_ASSERT_EQUAL(prompt->number, 1);
    CU_ASSERT_STRING_EQUAL(prompt->event.id, CALL_SID ":" SESSION ":1");
    CU_ASSERT_STRING_EQUAL(prompt->lang, "en-US");
    CU_ASSERT_EQUAL(prompt->call.stream_partition, 7);
    rig_prompt(&rig, "Two");
    CU_ASSERT_EQUAL(rig_act(&rig, CALL_ACT_PROMPT)->prompt->number, 2);
    rig_hang_up(&rig);
    rig_socket(&rig, "VX00000000000000000000000000000002");
    rig_prompt(&rig, "Three");
    prompt = rig_act(&rig, CALL_ACT_PROMPT)->prompt;
    CU_ASSERT_STRING_EQUAL(prompt->event.id, CALL_SID ":VX00000000000000000000000000000002:1");
    /* Guard: the same session on another socket must not use an id again */
    rig_hang_up(&rig);
    rig_socket(&rig, "VX00000000000000000000000000000002");
    rig_prompt(&rig, "Four");
    CU_ASSERT_EQUAL(rig_act(&rig, CALL_ACT_PROMPT)->prompt->number, 2);
    rig_close(&rig);
}

static void what_is_no_prompt_is_refused(void)
{
    static char longest[6000];
    struct rig rig;
    rig_open(&rig);
    CU_ASSERT_FALSE(rig_prompt(&rig, ""));
    CU_ASSERT_FALSE(rig_prompt(&rig, " \n"));
    CU_ASSERT_FALSE(rig_prompt(&rig, "\xff"));
    CU_ASSERT_FALSE(rig_digit(&rig, 'x'));
    CU_ASSERT_FALSE(rig_digit(&rig, '\0'));
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    for (size_t i = 0; i + 2 < sizeof longest; i += 2)
        memcpy(longest + i, "é", 2);
    CU_ASSERT_TRUE(rig_prompt(&rig, longest));
    CU_ASSERT_EQUAL(strlen(rig_act(&rig, CALL_ACT_PROMPT)->prompt->text), VOICE_PROMPT_MAX);
    rig_close(&rig);
}

/* A prompt that is not at its end says only that the caller speaks. */
static void a_partial_prompt_only_stops_the_clock(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_pass(&rig, 3000);
    rig_relay(&rig, (struct call_relay){.kind = CALL_RELAY_PROMPT, .text = "And", .partial = true});
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 3000);
    CU_ASSERT(rig_said(&rig, ""));
    rig_close(&rig);
}

static void keys_are_collected(void)
{
    struct rig rig;
    rig_open(&rig);
    rig_digit(&rig, '1');
    rig_pass(&rig, 1900);
    rig_digit(&rig, '2');
    rig_pass(&rig, 1999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_PROMPT), 1);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_PROMPT)->prompt->keys, "12");
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_PROMPT)->prompt->text, "");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_digit(&rig, '7');
    rig_digit(&rig, '#');
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_PROMPT)->prompt->keys, "7#");
    rig_pass(&rig, 2000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_PROMPT), 0);
    rig_digit(&rig, '5');
    rig_prompt(&rig, "five");
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_PROMPT), 2);
    CU_ASSERT_STRING_EQUAL(rig.acts.list[0].prompt->keys, "5");
    CU_ASSERT_STRING_EQUAL(rig.acts.list[1].prompt->text, "five");
    size_t prompts = 0;
    for (int i = 0; i < 64; i++) {
        rig_digit(&rig, '9');
        prompts += rig_count(&rig, CALL_ACT_PROMPT);
    }
    CU_ASSERT_EQUAL(prompts, 1);
    rig_digit(&rig, '3');
    rig_hang_up(&rig);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_PROMPT)->prompt->keys, "3");
    rig_close(&rig);
}

/* ---- sockets ---- */

static void a_first_socket_and_its_setup(void)
{
    struct rig rig;
    rig_open_with(&rig, &rig_words, false);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_WAITING);
    CU_ASSERT_FALSE(rig_prompt(&rig, "Too early"));
    CU_ASSERT_TRUE(rig_socket(&rig, SESSION));
    const struct voice_setup *setup = rig_act(&rig, CALL_ACT_SETUP)->setup;
    CU_ASSERT_STRING_EQUAL(setup->event.id, CALL_SID ":" SESSION ":0");
    CU_ASSERT_FALSE(setup->resumed);
    CU_ASSERT_TRUE(uuid_is_nil(&setup->spoken.turn));
    CU_ASSERT_EQUAL(setup->spoken.seq, -1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    /* a second one on this socket */
    CU_ASSERT_FALSE(
        rig_relay(&rig, (struct call_relay){.kind = CALL_RELAY_SETUP, .session = "VX2"}));
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    CU_ASSERT(call_memory(rig.call) < 1536);
    rig_close(&rig);
}

/* Guard: nobody greets: the desk is to speak first, and the caller is not left in silence. */
static void without_a_greeting_we_have_the_word(void)
{
    struct call_words words = rig_words;
    struct rig rig;
    words.greeting = "";
    rig_open_with(&rig, &words, false);
    rig_socket(&rig, SESSION);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 4000);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_close(&rig);
}

/* The socket breaks in mid-turn: what had sounded is told, goes into the next setup, and an engine
 * goes on from there. */
static void a_broken_socket_is_taken_up(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open until six. ");
    rig_pass(&rig, 1300);
    rig_hang_up(&rig);
    CU_ASSERT(rig_heard(&rig, VOICE_CLOSE, 1, 1, 0, "We are open "));
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "On Saturdays, too."), VERDICT_OVER);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 800);
    CU_ASSERT_TRUE(rig_socket(&rig, "VX2"));
    const struct voice_setup *setup = rig_act(&rig, CALL_ACT_SETUP)->setup;
    CU_ASSERT_TRUE(setup->resumed);
    CU_ASSERT_STRING_EQUAL(setup->call.relay_session, "VX2");
    CU_ASSERT_STRING_EQUAL(setup->spoken.text, "We are open ");
    CU_ASSERT_EQUAL(setup->spoken.fence, 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "On Saturdays, too."), VERDICT_SHUT);
    rig_fence(&rig, 1, 2);
    CU_ASSERT(rig_heard(&rig, VOICE_OPEN, 1, 2, -1, "We are open "));
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 2, 1, "until six."), VERDICT_TAKEN);
    CU_ASSERT(rig_heard(&rig, VOICE_LAST, 1, 2, 1, "We are open until six."));
    rig_close(&rig);
}

/* A turn that comes while there is no socket: its engine is told, and the caller is owed it. */
static void a_turn_without_a_socket_is_owed(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_hang_up(&rig);
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 1, 0, "Yes."), VERDICT_OVER);
    CU_ASSERT(rig_heard(&rig, VOICE_CLOSE, 1, 1, -1, ""));
    rig_socket(&rig, "VX2");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

/* A new socket while the old one seems open; what the old one still says is nobody's. */
static void a_new_socket_takes_the_old_ones_place(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open until six. ");
    rig_pass(&rig, 1300);
    rig_socket(&rig, "VX2");
    CU_ASSERT_EQUAL(rig.acts.list[0].kind, CALL_ACT_CLOSE);
    CU_ASSERT_EQUAL(rig.acts.list[0].socket, 1);
    CU_ASSERT_EQUAL(rig_act(&rig, CALL_ACT_HEARD)->heard->reason, VOICE_CLOSE);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_HEARD)->heard->call.relay_session, SESSION);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_SETUP), 1);
    CU_ASSERT_FALSE(rig_relay(&rig, (struct call_relay){.kind = CALL_RELAY_CLOSED, .socket = 1}));
    CU_ASSERT_FALSE(rig_relay(
        &rig, (struct call_relay){.kind = CALL_RELAY_PROMPT, .socket = 1, .text = "Old"}));
    CU_ASSERT_FALSE(rig_relay(
        &rig, (struct call_relay){.kind = CALL_RELAY_SETUP, .socket = 1, .session = "VX1"}));
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_close(&rig);
}

/* What another ingress had: the engine has the word, for nobody here knows what was owed. */
static void a_call_of_another_ingress(void)
{
    struct rig rig;
    rig_open_with(&rig, &rig_words, true);
    rig_socket(&rig, SESSION);
    CU_ASSERT_TRUE(rig_act(&rig, CALL_ACT_SETUP)->setup->resumed);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 4000);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_close(&rig);
}

/* Whoever comes back after a transfer is owed a word; nothing is owed to one who was listened to.
 */
static void who_comes_back_is_owed_a_word(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "I put you through.");
    rig_end(&rig, 1, 1, 1, "{\"do\":\"dial\"}");
    rig_pass(&rig, 2000);
    rig_hang_up(&rig);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_HEARD), 0);
    rig_socket(&rig, "VX2");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_last(&rig, 2, 2, 0, "Nobody answers.");
    rig_pass(&rig, 3000);
    rig_hang_up(&rig);
    rig_socket(&rig, "VX3");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

static void what_does_not_come_is_given_up(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_end(&rig, 1, 1, 0, "{\"do\":\"dial\"}");
    rig_pass(&rig, 10000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_CLOSE), 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_WAITING);
    rig_pass(&rig, 119999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_FORGET), 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_GONE);
    CU_ASSERT_EQUAL(call_due(rig.call), -1);
    rig_close(&rig);
}

/* ---- the end ---- */

/* The call ends in whatever state it is: once, with what was heard, and nothing comes after. */
static void a_hang_up_at_every_point(void)
{
    for (int point = 0; point < 9; point++) {
        struct rig rig;
        rig_open_with(&rig, &rig_words, false);
        if (point > 0)
            rig_socket(&rig, SESSION);
        if (point > 1)
            rig_prompt(&rig, "Are you open?");
        if (point > 2)
            rig_text(&rig, 1, 1, 0, "We are open until six. ");
        if (point == 4)
            rig_pass(&rig, 2000);
        if (point == 5 || point == 6)
            rig_end(&rig, 1, 1, 1, "{}");
        if (point == 6)
            rig_pass(&rig, 3000);
        if (point == 7)
            rig_pass(&rig, 15000);
        if (point == 8)
            rig_hang_up(&rig);
        rig_pass(&rig, 100);
        rig_fresh(&rig);
        call_ended(rig.call, rig.now_ms, VOICE_HUNG_UP, 12, &rig.acts);
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_ENDED), 1);
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_FORGET), 1);
        CU_ASSERT(rig_count(&rig, CALL_ACT_HEARD) <= 1);
        CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_CLOSE), point > 0 && point < 8);
        const struct voice_ended *ended = rig_act(&rig, CALL_ACT_ENDED)->ended;
        CU_ASSERT_STRING_EQUAL(ended->event.id, CALL_SID ":ended");
        CU_ASSERT_EQUAL(ended->duration_s, 12);
        CU_ASSERT_EQUAL(uuid_is_nil(&ended->spoken.turn), point < 3);
        CU_ASSERT_FALSE(ended->outbound);
        CU_ASSERT(ended->missed); /* an engine knows whether anybody has answered */
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_GONE);
        CU_ASSERT_EQUAL(rig.acts.due_ms, -1);
        rig_fresh(&rig);
        call_ended(rig.call, rig.now_ms, VOICE_COMPLETED, 12, &rig.acts);
        CU_ASSERT_FALSE(rig_prompt(&rig, "Hello?"));
        CU_ASSERT_FALSE(rig_socket(&rig, "VX2"));
        CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "More"), VERDICT_FOREIGN);
        call_failed(rig.call, rig.now_ms, &rig.acts);
        call_drain(rig.call, rig.now_ms, &rig.acts);
        CU_ASSERT_EQUAL(rig.acts.count, 0);
        rig_close(&rig);
    }
}

/* He hangs up while the last words sound: what he heard of them is told. */
static void a_hang_up_after_the_last_frame(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "We are open until six.");
    rig_pass(&rig, 1300);
    rig_fresh(&rig);
    call_ended(rig.call, rig.now_ms, VOICE_HUNG_UP, -1, &rig.acts);
    CU_ASSERT(rig_heard(&rig, VOICE_CLOSE, 1, 1, 0, "We are open "));
    rig_close(&rig);
}

/* ---- drain ---- */

static void a_drain_moves_the_call_when_nobody_speaks(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_fresh(&rig);
    call_drain(rig.call, rig.now_ms, &rig.acts);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_last(&rig, 1, 1, 0, "We are open until six.");
    rig_pass(&rig, 2200 + 2499);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_END)->text, "{\"do\":\"relay\"}");
    CU_ASSERT(rig_heard(&rig, VOICE_CLOSE, 1, 1, 0, "We are open until six."));
    rig_hang_up(&rig);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_HEARD), 0);
    rig_pass(&rig, 4999); /* its next step may be asked for here */
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_FORGET), 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_FORGET), 1);
    rig_close(&rig);
}

/* Who speaks is not cut off, whatever he says it with: words that begin, pieces of them, keys. */
static void a_drain_waits_for_a_caller_who_speaks(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "Yes."); /* 0.4 s */
    rig_pass(&rig, 60000 - 30000);
    rig_relay(&rig, (struct call_relay){.kind = CALL_RELAY_PROMPT, .text = "And", .partial = true});
    rig_fresh(&rig);
    call_drain(rig.call, rig.now_ms, &rig.acts);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 2499);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_relay(&rig, (struct call_relay){.kind = CALL_RELAY_SPEAKING, .on = true});
    rig_pass(&rig, 20000);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_relay(&rig, (struct call_relay){.kind = CALL_RELAY_SPEAKING, .on = false});
    rig_pass(&rig, 2000);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_prompt(&rig, "And on Sundays?");
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_PROMPT), 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

/* Nor is he asked whether he is there. That he ceased may not be told: then it ends by itself. */
static void a_caller_who_speaks_long_is_no_silent_one(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "Yes.");
    rig_pass(&rig, 29000);
    rig_relay(&rig, (struct call_relay){.kind = CALL_RELAY_SPEAKING, .on = true});
    rig_pass(&rig, 59999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "Are you still there?"));
    rig_close(&rig);
}

/* The drain's end is near: words that are still given out are cut off, and told so. */
static void a_call_leaves_in_the_middle_of_a_word(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open until six. ");
    rig_pass(&rig, 1300);
    rig_fresh(&rig);
    call_leave(rig.call, rig.now_ms, &rig.acts);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_END)->text, "{\"do\":\"relay\"}");
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "On Saturdays, too."), VERDICT_OVER);
    rig_hang_up(&rig);
    CU_ASSERT(rig_heard(&rig, VOICE_CLOSE, 1, 1, 0, "We are open "));
    rig_close(&rig);
}

static const CU_TestInfo tests[] = {
    {"fillers, then the fallback", fillers_then_the_fallback},
    {"fillers in mid-turn", fillers_in_mid_turn},
    {"a frame without words", a_frame_without_words_breaks_no_silence},
    {"a late tick", a_late_tick_says_only_the_fallback},
    {"a failed produce", a_failed_produce_says_the_fallback},
    {"a prompt during a turn", a_prompt_during_a_turn_is_owed},
    {"a silent caller", a_silent_caller_is_asked_once_and_then_left},
    {"a caller who answers", a_caller_who_answers_stays},
    {"prompts are numbered", prompts_are_numbered_by_session},
    {"what is no prompt", what_is_no_prompt_is_refused},
    {"a partial prompt", a_partial_prompt_only_stops_the_clock},
    {"keys", keys_are_collected},
    {"a first socket", a_first_socket_and_its_setup},
    {"without a greeting", without_a_greeting_we_have_the_word},
    {"a broken socket", a_broken_socket_is_taken_up},
    {"a turn without a socket", a_turn_without_a_socket_is_owed},
    {"a new socket", a_new_socket_takes_the_old_ones_place},
    {"a call of another ingress", a_call_of_another_ingress},
    {"who comes back", who_comes_back_is_owed_a_word},
    {"what does not come", what_does_not_come_is_given_up},
    {"a hang-up at every point", a_hang_up_at_every_point},
    {"a hang-up after the last frame", a_hang_up_after_the_last_frame},
    {"drain", a_drain_moves_the_call_when_nobody_speaks},
    {"drain while he speaks", a_drain_waits_for_a_caller_who_speaks},
    {"in the middle of a word", a_call_leaves_in_the_middle_of_a_word},
    {"who speaks long", a_caller_who_speaks_long_is_no_silent_one},
};

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call_clock", NULL, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].pName, tests[i].pTestFunc);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
