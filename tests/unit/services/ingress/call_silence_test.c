/* P6 where something odd comes together: who has been silent for 4 s while the desk owes him a word
 * hears a filler, whatever the turns, the keys, the sockets or the tenant's file were about. */
#include "call_rig.h"

#include <CUnit/Basic.h>

/* ---- what the caller said behind the turn's prompt ---- */

/* A frame of a turn whose prompt held the caller's words up to that number. */
static void say(struct rig *rig, int turn, int64_t fence, int64_t seq, const char *text, bool last,
                int64_t prompt)
{
    struct voice_frame frame = rig_frame(rig, turn, fence, seq);
    frame.text = text;
    frame.last = last;
    frame.prompt = prompt;
    CU_ASSERT_EQUAL(rig_take(rig, &frame), VERDICT_TAKEN);
}

/* The turn's first word was on its way when he said more: the engine makes that the next turn. */
static void words_that_cross_the_first_frame_are_owed(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_prompt(&rig, "And tomorrow?");
    say(&rig, 1, 1, 0, "Yes, ", false, 1);
    say(&rig, 1, 1, 1, "we are.", true, 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 1200 + 4000);
    CU_ASSERT(rig_said(&rig, "One moment."));
    say(&rig, 2, 2, 0, "Tomorrow, too.", true, 2);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* The turn's end comes late and without a word: he has heard nothing since the words before it. */
static void an_end_without_words_breaks_no_silence(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    say(&rig, 1, 1, 0, "Yes, we are.", false, 1); /* 12 characters: 0.6 s of the fastest voice */
    rig_prompt(&rig, "And tomorrow?");
    rig_pass(&rig, 3000);
    say(&rig, 1, 1, 1, "", true, 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 600 + 3999 - 3000);
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_pass(&rig, 3000 + 12000 - 4600 - 1); /* the frame gave its engine 12 s more */
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_close(&rig);
}

/* In one piece, and before an end of the session: he stays. */
static void words_that_cross_the_end_are_owed(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_prompt(&rig, "And tomorrow?");
    struct voice_frame frame = rig_frame(&rig, 1, 1, 0);
    frame.kind = VOICE_FRAME_END;
    frame.handoff = "{\"do\":\"hangup\"}";
    frame.prompt = 1;
    rig_take(&rig, &frame);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 4000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_close(&rig);
}

/* A turn that was begun anew with all of it owes nothing, nor does one of an engine that does not
 * tell, nor one that an adopter begins anew. */
static void words_that_the_prompt_holds_are_not_owed(void)
{
    static const int64_t prompts[] = {2, 3, 0};
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
        struct rig rig;
        rig_open_asked(&rig);
        rig_prompt(&rig, "And tomorrow?");
        say(&rig, 1, 1, 0, "Yes, both days.", true, prompts[i]);
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
        rig_close(&rig);
    }
    struct rig rig;
    rig_open_asked(&rig);
    say(&rig, 1, 1, 0, "Yes, ", false, 1);
    rig_prompt(&rig, "And tomorrow?");
    struct voice_frame open = rig_frame(&rig, 1, 2, 0);
    open.kind = VOICE_FRAME_OPEN;
    open.prompt = 2;
    rig_take(&rig, &open);
    say(&rig, 1, 2, 1, "both days.", true, 2);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* Numbers begin anew with a relay session: what was owed in the former one is answered by whoever
 * speaks in the new one. */
static void a_new_session_counts_anew(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_prompt(&rig, "And tomorrow?");
    rig_hang_up(&rig);
    rig_socket(&rig, "VX2");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    say(&rig, 1, 1, 0, "Yes, both days.", true, 2);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* ---- what he said into a new socket ---- */

static void aside(struct rig *rig, int turn, int64_t fence, int64_t seq, const char *text)
{
    struct voice_frame frame = rig_frame(rig, turn, fence, seq);
    frame.text = text;
    frame.aside = true;
    CU_ASSERT_EQUAL(rig_take(rig, &frame), VERDICT_TAKEN);
}

/* The bridge was on its way when he spoke: his words are for the turn after it. */
static void the_bridge_answers_nothing(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_hang_up(&rig);
    rig_socket(&rig, "VX2");
    rig_prompt(&rig, "Hello?");
    aside(&rig, 1, 1, 0, "Sorry.");
    rig_last(&rig, 1, 1, 1, "");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 300 + 3999); /* its 6 characters, by the fastest voice */
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "One moment."));
    say(&rig, 2, 2, 0, "Yes, we are open.", true, 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* The same where a reply goes on that was cut off: it began before he spoke. */
static void the_rest_of_a_reply_answers_nothing(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    say(&rig, 1, 1, 0, "We are open ", false, 1);
    rig_hang_up(&rig);
    rig_socket(&rig, "VX2");
    rig_prompt(&rig, "Hello?");
    rig_fence(&rig, 1, 2);
    aside(&rig, 1, 2, 1, "Sorry.");
    rig_text(&rig, 1, 2, 2, "We are open until six.");
    rig_last(&rig, 1, 2, 3, "");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

/* Who has said nothing into it has his word with the bridge. */
static void the_bridge_is_a_word(void)
{
    for (int resumed = 0; resumed < 2; resumed++) {
        struct rig rig;
        rig_open_with(&rig, &rig_words, resumed);
        rig_socket(&rig, SESSION);
        if (!resumed) {
            rig_prompt(&rig, "Are you open?");
            rig_hang_up(&rig);
            rig_socket(&rig, "VX2");
        }
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
        aside(&rig, 1, 1, 0, "Sorry.");
        rig_last(&rig, 1, 1, 1, "");
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
        rig_close(&rig);
    }
}

/* ---- who speaks on while nobody answers ---- */

/* Nothing answers, and he says "Hello?" into every filler: each filler comes in its time, and 12 s
 * after his first word he is asked for a message. */
static void who_never_stops_talking_is_asked_for_a_message(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_pass(&rig, 4000);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_pass(&rig, 500);
    rig_interrupt(&rig, "One");
    rig_pass(&rig, 1000);
    rig_prompt(&rig, "Hello?");
    rig_pass(&rig, 4000);
    CU_ASSERT(rig_said(&rig, "I am still looking."));
    rig_pass(&rig, 300);
    rig_interrupt(&rig, "I");
    rig_pass(&rig, 1200);
    rig_prompt(&rig, "Hello? Is anybody there?");
    rig_pass(&rig, 999);
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "Please leave a message."));
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_close(&rig);
}

/* He asks while the former answer sounds on for 3 s, and then cuts it off: from then on he waits.
 */
static void who_cuts_off_what_sounds_waits_since_then(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "We are open from nine to five.");
    rig_prompt(&rig, "And tomorrow?");
    rig_pass(&rig, 1000);
    rig_interrupt(&rig, "We are open");
    rig_pass(&rig, 11999);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_close(&rig);
}

/* ---- a turn that begins anew ---- */

/* He coughs before he has heard a word of the answer, and says nothing behind it: the engine begins
 * it anew, and if it does not he is not left in silence. */
static void a_turn_that_was_cut_unheard_is_owed(void)
{
    for (int which = 0; which < 3; which++) {
        struct rig rig;
        rig_open_asked(&rig);
        if (which < 2)
            rig_text(&rig, 1, 1, 0, "We are open ");
        else
            rig_last(&rig, 1, 1, 0, "We are open until six.");
        if (which == 1)
            rig_pass(&rig, 1500); /* it stalls; what Twilio says he heard is nothing */
        rig_interrupt(&rig, "");
        CU_ASSERT(rig_heard(&rig, VOICE_INTERRUPT, 1, 1, 0, ""));
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
        rig_pass(&rig, 3999);
        CU_ASSERT(rig_said(&rig, ""));
        rig_pass(&rig, 1);
        CU_ASSERT(rig_said(&rig, "One moment."));
        rig_last(&rig, 2, 2, 0, "We are open until six.");
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
        rig_close(&rig);
    }
}

/* An adopter goes on with it. What another ingress had spoken is not known here: if it was a word,
 * nothing begins anew. He has the word, and what comes all the same is spoken. */
static void a_turn_of_another_ingress_is_not_owed(void)
{
    struct rig rig;
    rig_open_with(&rig, &rig_words, true);
    rig_socket(&rig, SESSION);
    rig_fence(&rig, 1, 2);
    rig_text(&rig, 1, 2, 1, "We are open until six.");
    rig_interrupt(&rig, "");
    CU_ASSERT(rig_heard(&rig, VOICE_INTERRUPT, 1, 2, 1, ""));
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_pass(&rig, 29999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "Are you still there?"));
    rig_last(&rig, 2, 3, 0, "We are open until six.");
    CU_ASSERT(rig_said(&rig, "We are open until six."));
    rig_close(&rig);
}

/* An adopter of what was begun here changes nothing of that. */
static void a_turn_that_was_adopted_is_owed(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open ");
    rig_fence(&rig, 1, 2);
    rig_text(&rig, 1, 2, 1, "until six.");
    rig_interrupt(&rig, "");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

static void open_for(struct rig *rig, int turn, int64_t fence, int64_t prompt)
{
    struct voice_frame open = rig_frame(rig, turn, fence, 0);
    open.kind = VOICE_FRAME_OPEN;
    open.prompt = prompt;
    CU_ASSERT_EQUAL(rig_take(rig, &open), VERDICT_TAKEN);
}

/* The first engine dies before it has said a word, and he coughs into the bridge of its adopter. It
 * answers what he said to this ingress, on the call's first socket or on a later one: nobody else
 * can have spoken of it. */
static void a_turn_that_began_here_is_owed(void)
{
    for (int resumed = 0; resumed < 2; resumed++) {
        struct rig rig;
        rig_open_with(&rig, &rig_words, resumed);
        rig_socket(&rig, SESSION);
        rig_pass(&rig, 3000);
        rig_prompt(&rig, "Are you open today?");
        open_for(&rig, 1, 2, 1);
        aside(&rig, 1, 2, 1, "Sorry.");
        rig_interrupt(&rig, "");
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
        rig_pass(&rig, 3999);
        CU_ASSERT(rig_said(&rig, ""));
        rig_pass(&rig, 1);
        CU_ASSERT(rig_said(&rig, "One moment."));
        rig_pass(&rig, 7999);
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
        rig_pass(&rig, 1);
        CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
        rig_close(&rig);
    }
}

/* Numbers begin anew with a session: this one is not of his words here. */
static void a_turn_of_an_older_session_is_not_owed(void)
{
    struct rig rig;
    rig_open_with(&rig, &rig_words, true);
    rig_socket(&rig, SESSION);
    open_for(&rig, 1, 2, 2);
    rig_text(&rig, 1, 2, 1, "We are open until six.");
    rig_interrupt(&rig, "");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* Nor if the engine is dead. */
static void a_turn_that_is_not_begun_anew_ends_in_the_fallback(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open ");
    rig_interrupt(&rig, "");
    rig_pass(&rig, 12000);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_close(&rig);
}

/* Who has heard a part of it has the word: nothing of it comes again. */
static void a_turn_that_was_cut_when_heard_is_over(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open until six. ");
    rig_pass(&rig, 1300);
    rig_interrupt(&rig, "We are open");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* ---- keys ---- */

/* The wait for another key is silence as well; the fallback waits for the engine, as ever. */
static void the_wait_for_a_key_is_silence(void)
{
    struct rig rig;
    rig_open(&rig);
    rig_digit(&rig, '1');
    rig_pass(&rig, 500);
    rig_digit(&rig, '2');
    rig_pass(&rig, 3999);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_PROMPT), 1);
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_pass(&rig, 9999);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_close(&rig);
}

/* Words behind keys: he has made himself heard since. */
static void words_behind_keys_begin_the_clock(void)
{
    struct rig rig;
    rig_open(&rig);
    rig_digit(&rig, '1');
    rig_pass(&rig, 1500);
    rig_prompt(&rig, "Hello?");
    rig_pass(&rig, 3999);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_close(&rig);
}

/* ---- sockets ---- */

/* The socket breaks while the fallback sounds: he has not heard it, and no message was asked for.
 */
static void who_lost_the_fallback_is_owed_a_word(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_pass(&rig, 12000);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_OVER);
    rig_hang_up(&rig);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    rig_socket(&rig, "VX2");
    CU_ASSERT_EQUAL_FATAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 4000);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_pass(&rig, 8000);
    CU_ASSERT(strstr(rig_act(&rig, CALL_ACT_SAY)->text, "Please leave a message.") != NULL);
    rig_pass(&rig, 5000);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_END)->text, "{\"do\":\"record\"}");
    rig_close(&rig);
}

static void connect_again(struct rig *rig)
{
    rig_relay(rig, (struct call_relay){.kind = CALL_RELAY_SETUP,
                                       .socket = ++rig->sockets,
                                       .session = "VX2",
                                       .greets = true});
}

/* The first session broke before anybody could hear it: Twilio greets again, and for the engine
 * this is the call's first socket, so that it has no word to say. */
static void a_second_greeting_begins_the_call_anew(void)
{
    struct rig rig;
    rig_open_with(&rig, &rig_words, false);
    rig_socket(&rig, SESSION);
    rig_pass(&rig, 200);
    rig_hang_up(&rig);
    connect_again(&rig);
    CU_ASSERT_FALSE(rig_act(&rig, CALL_ACT_SETUP)->setup->resumed);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_fresh(&rig);
    call_drain(rig.call, rig.now_ms, &rig.acts);
    rig_pass(&rig, 2600 + 2499); /* its 26 characters, and a pause */
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 1);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    rig_close(&rig);
}

/* He has said something all the same: he is greeted, and his answer is owed and waited for. */
static void a_second_greeting_forgets_nothing(void)
{
    struct rig rig;
    rig_open_with(&rig, &rig_words, false);
    rig_socket(&rig, SESSION);
    rig_prompt(&rig, "Are you open?");
    rig_hang_up(&rig);
    connect_again(&rig);
    CU_ASSERT_TRUE(rig_act(&rig, CALL_ACT_SETUP)->setup->resumed);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_pass(&rig, 1300 + 3999); /* by the fastest voice */
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_close(&rig);
}

/* ---- the speaking rate ---- */

static void open_with_rate(struct rig *rig, struct call_words *words, int chars_per_s)
{
    *words = rig_words;
    words->chars_per_s = chars_per_s;
    rig_open_with(rig, words, false);
    rig_socket(rig, SESSION);
    rig_pass(rig, 6000);
    rig_prompt(rig, "Are you open today?");
}

/* Whatever the tenant's file says of the voice: 90 letters may have sounded after 4.5 s. */
static void a_slow_rate_makes_no_silence(void)
{
    struct rig rig;
    struct call_words words;
    open_with_rate(&rig, &words, 5);
    rig_text(&rig, 1, 1, 0,
             "We are open on weekdays from nine to five, on Saturdays until noon, and on Sundays "
             "never. ");
    rig_pass(&rig, 4500 + 3999);
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, " One moment."));
    rig_close(&rig);
}

/* A sign that is a syllable takes longer than a letter, and the rate of such a language is less. */
static void a_syllable_takes_longer_than_a_letter(void)
{
    struct rig rig;
    struct call_words words;
    open_with_rate(&rig, &words, 5);
    rig_text(&rig, 1, 1, 0, "我们星期一到星期五营业我们星期六"); /* 16 */
    rig_pass(&rig, 2370 + 3999);                                 /* at 6.75 a second */
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1);
    CU_ASSERT(rig_said(&rig, " One moment."));
    rig_close(&rig);
}

static const CU_TestInfo tests[] = {
    {"words that cross the first frame", words_that_cross_the_first_frame_are_owed},
    {"an end without words", an_end_without_words_breaks_no_silence},
    {"words that cross the end", words_that_cross_the_end_are_owed},
    {"words that the prompt holds", words_that_the_prompt_holds_are_not_owed},
    {"a new session", a_new_session_counts_anew},
    {"the bridge", the_bridge_answers_nothing},
    {"the rest of a reply", the_rest_of_a_reply_answers_nothing},
    {"the bridge is a word", the_bridge_is_a_word},
    {"who never stops talking", who_never_stops_talking_is_asked_for_a_message},
    {"who cuts off what sounds", who_cuts_off_what_sounds_waits_since_then},
    {"a turn that was cut unheard", a_turn_that_was_cut_unheard_is_owed},
    {"a turn of another ingress", a_turn_of_another_ingress_is_not_owed},
    {"a turn that was adopted", a_turn_that_was_adopted_is_owed},
    {"a turn that began here", a_turn_that_began_here_is_owed},
    {"a turn of an older session", a_turn_of_an_older_session_is_not_owed},
    {"a turn that is not begun anew", a_turn_that_is_not_begun_anew_ends_in_the_fallback},
    {"a turn that was cut when heard", a_turn_that_was_cut_when_heard_is_over},
    {"the wait for a key", the_wait_for_a_key_is_silence},
    {"words behind keys", words_behind_keys_begin_the_clock},
    {"who lost the fallback", who_lost_the_fallback_is_owed_a_word},
    {"a second greeting", a_second_greeting_begins_the_call_anew},
    {"a second greeting and his words", a_second_greeting_forgets_nothing},
    {"a slow rate", a_slow_rate_makes_no_silence},
    {"a syllable", a_syllable_takes_longer_than_a_letter},
};

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call_silence", NULL, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].pName, tests[i].pTestFunc);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
