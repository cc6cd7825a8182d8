/* What a call makes of frames: every row of the filter's table (docs/VOICE.md), and the stories of
 * the protocol in which an engine dies, a caller cuts in, a person takes over. */
#include "call_rig.h"

#include <CUnit/Basic.h>

/* ---- the rows of the filter ---- */

static void a_turn_is_spoken_in_order(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 0, "We are open "), VERDICT_TAKEN);
    CU_ASSERT(rig_said(&rig, "We are open "));
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_SPEAKING);
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 1, 1, "until six."), VERDICT_TAKEN);
    CU_ASSERT(rig_said(&rig, "until six."));
    CU_ASSERT_TRUE(rig_act(&rig, CALL_ACT_SAY)->last);
    CU_ASSERT(rig_heard(&rig, VOICE_LAST, 1, 1, 1, "We are open until six."));
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* Guard: a Kafka producer's retry brings a frame twice. */
static void a_repeat_is_dropped(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 0, "One. "), VERDICT_REPEAT);
    rig_text(&rig, 1, 1, 1, "Two. ");
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 0, "One. "), VERDICT_REPEAT);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 1, 2, "Three."), VERDICT_TAKEN);
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 1, 2, "Three."), VERDICT_REPEAT);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_close(&rig);
}

/* What follows a missing frame waits for it and then comes in order. */
static void a_frame_that_comes_late_is_waited_for(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 1, 3, "Four."), VERDICT_HELD);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 2, "Three. "), VERDICT_HELD);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 2, "Three. "), VERDICT_REPEAT);
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1000);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "Two. "), VERDICT_TAKEN);
    CU_ASSERT(rig_said(&rig, "Two. Three. Four."));
    CU_ASSERT(rig_heard(&rig, VOICE_LAST, 1, 1, 3, "One. Two. Three. Four."));
    rig_close(&rig);
}

static void a_frame_that_never_comes_ends_its_fence(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One sentence. ");
    rig_pass(&rig, 1000);
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 1, 2, "Three."), VERDICT_HELD);
    rig_pass(&rig, 1500);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_HEARD), 1);
    CU_ASSERT_EQUAL(rig_act(&rig, CALL_ACT_HEARD)->heard->reason, VOICE_STALL);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "Two. "), VERDICT_SHUT);
    CU_ASSERT(rig_said(&rig, ""));
    /* the engine asks what was spoken and goes on */
    CU_ASSERT_EQUAL(rig_fence(&rig, 1, 2), VERDICT_TAKEN);
    CU_ASSERT(rig_heard(&rig, VOICE_OPEN, 1, 2, -1, "One sentence. "));
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 2, 1, "Two. Three."), VERDICT_TAKEN);
    CU_ASSERT(rig_heard(&rig, VOICE_LAST, 1, 2, 1, "One sentence. Two. Three."));
    rig_close(&rig);
}

/* Guard: the beginning of a turn is lost; its engine must hear of it, nobody else would tell. */
static void a_fence_without_its_beginning_is_waited_for_and_told(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 4, 1, "until six."), VERDICT_HELD);
    CU_ASSERT(rig_said(&rig, ""));
    rig_pass(&rig, 1500);
    CU_ASSERT(rig_heard(&rig, VOICE_STALL, 1, 4, -1, ""));
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 4, 2, "More."), VERDICT_SHUT);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

static void what_waits_for_a_missing_frame_is_bounded(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    int held = 0;
    for (int seq = 2; seq < 200; seq++)
        held += rig_text(&rig, 1, 1, seq, "More. ") == VERDICT_HELD;
    CU_ASSERT_EQUAL(held, 16);
    CU_ASSERT(call_memory(rig.call) < 8192);
    rig_close(&rig);
}

static void an_older_fence_is_dropped(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open ");
    rig_fence(&rig, 1, 2);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "until six."), VERDICT_OLD_FENCE);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_close(&rig);
}

static void an_older_turn_is_dropped(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 2, 5, 0, "Yes.");
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 6, 0, "An older turn."), VERDICT_OLD_TURN);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 5, 1, "An older turn."), VERDICT_OLD_TURN);
    struct voice_frame frame = rig_frame(&rig, 2, 6, 0);
    frame.turn = rig_turn(9);
    CU_ASSERT_EQUAL(rig_take(&rig, &frame), VERDICT_OLD_TURN);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_close(&rig);
}

static void an_older_epoch_is_dropped(void)
{
    struct rig rig;
    rig.epoch = 3;
    rig_open_asked(&rig);
    rig.epoch = 3;
    rig_text(&rig, 1, 1, 0, "We are open ");
    rig.epoch = 2;
    CU_ASSERT_EQUAL(rig_text(&rig, 2, 2, 0, "Older."), VERDICT_OLD_EPOCH);
    CU_ASSERT_EQUAL(rig_fence(&rig, 2, 2), VERDICT_OLD_EPOCH);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_close(&rig);
}

/* P4: a person takes over; `stop` drops what is queued, and nothing older is spoken. */
static void stop_ends_what_is_older(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open ");
    CU_ASSERT_EQUAL(rig_stop(&rig, 2), VERDICT_TAKEN);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_DROP), 1);
    CU_ASSERT(rig_heard(&rig, VOICE_STOP, 1, 1, 0, "We are open "));
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "until six."), VERDICT_OLD_EPOCH);
    CU_ASSERT_EQUAL(rig_stop(&rig, 2), VERDICT_REPEAT);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig.epoch = 2;
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "until six."), VERDICT_SHUT);
    CU_ASSERT_EQUAL(rig_text(&rig, 2, 2, 0, "Ines speaking."), VERDICT_TAKEN);
    rig_close(&rig);
}

/* The same when `stop` is lost: any frame of the newer epoch does it. */
static void a_newer_epoch_ends_what_is_older(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open ");
    rig.epoch = 2;
    CU_ASSERT_EQUAL(rig_text(&rig, 2, 2, 0, "Ines speaking."), VERDICT_TAKEN);
    CU_ASSERT_EQUAL(rig.acts.list[0].kind, CALL_ACT_DROP);
    CU_ASSERT(rig_heard(&rig, VOICE_STOP, 1, 1, 0, "We are open "));
    CU_ASSERT(rig_said(&rig, "Ines speaking."));
    rig_close(&rig);
}

static void frames_of_others_mean_nothing(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    struct voice_frame frame = rig_frame(&rig, 1, 1, 0);
    frame.call_sid = "CA00000000000000000000000000000002";
    CU_ASSERT_EQUAL(rig_take(&rig, &frame), VERDICT_FOREIGN);
    frame = rig_frame(&rig, 1, 1, 0);
    frame.kind = VOICE_FRAME_STEP;
    CU_ASSERT_EQUAL(rig_take(&rig, &frame), VERDICT_FOREIGN);
    rig_close(&rig);
}

/* ---- the caller cuts in ---- */

static void an_interrupt_drops_the_turn_and_tells_what_was_heard(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open until six. ");
    rig_text(&rig, 1, 1, 1, "On Saturdays we are closed.");
    rig_pass(&rig, 1200);
    CU_ASSERT_TRUE(rig_interrupt(&rig, "we are  open, until"));
    CU_ASSERT_EQUAL(rig.acts.list[0].kind, CALL_ACT_DROP);
    CU_ASSERT(rig_heard(&rig, VOICE_INTERRUPT, 1, 1, 1, "We are open until"));
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 2, " Anything else?"), VERDICT_INTERRUPTED);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_interrupt(&rig, "we are open until");
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_HEARD), 0);
    rig_prompt(&rig, "And on Sundays?");
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_PROMPT)->prompt->text, "And on Sundays?");
    CU_ASSERT_EQUAL(rig_text(&rig, 2, 2, 0, "Closed, too."), VERDICT_TAKEN);
    rig_close(&rig);
}

/* V6: the turn is dropped, not only the fence; an adopter that knows nothing of it is answered. */
static void an_interrupt_while_the_next_fence_is_under_way(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    rig_interrupt(&rig, "One.");
    CU_ASSERT_EQUAL(rig_fence(&rig, 1, 2), VERDICT_TAKEN);
    CU_ASSERT(rig_heard(&rig, VOICE_OPEN, 1, 2, -1, "One."));
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 2, 1, "Two. "), VERDICT_INTERRUPTED);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "Two. "), VERDICT_OLD_FENCE);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 3, 0, "One. "), VERDICT_AGAIN);
    CU_ASSERT(rig_said(&rig, ""));
    rig_close(&rig);
}

/* A turn that begins anew has another number: the interrupted one stays dropped. */
static void a_turn_that_begins_anew_is_another_one(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    rig_interrupt(&rig, "");
    CU_ASSERT(rig_heard(&rig, VOICE_INTERRUPT, 1, 1, 0, ""));
    struct voice_frame frame = rig_frame(&rig, 2, 2, 0);
    frame.turn = rig_turn(1);
    frame.text = "Anew.";
    CU_ASSERT_EQUAL(rig_take(&rig, &frame), VERDICT_TAKEN);
    rig_close(&rig);
}

/* `heard` (`last`) came when all was written; the caller cuts into what still sounds. */
static void an_interrupt_after_the_last_frame(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "We are open until six.");
    rig_pass(&rig, 500);
    rig_interrupt(&rig, "We are");
    CU_ASSERT(rig_heard(&rig, VOICE_INTERRUPT, 1, 1, 0, "We are"));
    /* and when all has sounded there is nothing to tell */
    rig_prompt(&rig, "Good.");
    rig_last(&rig, 2, 2, 0, "Fine.");
    rig_pass(&rig, 2000);
    rig_interrupt(&rig, "Fine.");
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_HEARD), 0);
    rig_close(&rig);
}

/* A filler is no turn: cutting into it drops nothing of the answer that is on its way. */
static void an_interrupted_filler_drops_no_turn(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_pass(&rig, 4100);
    CU_ASSERT(rig_said(&rig, "One moment."));
    rig_interrupt(&rig, "One");
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_HEARD), 0);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 0, "We are open "), VERDICT_TAKEN);
    rig_close(&rig);
}

/* Words that are no part of the reply are spoken and never reported. */
static void an_aside_is_not_heard(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    struct voice_frame frame = rig_frame(&rig, 1, 1, 0);
    frame.text = "Let me look.";
    frame.aside = true;
    CU_ASSERT_EQUAL(rig_take(&rig, &frame), VERDICT_TAKEN);
    CU_ASSERT(rig_said(&rig, "Let me look."));
    rig_pass(&rig, 1400);
    rig_last(&rig, 1, 1, 1, "Tomorrow at nine.");
    CU_ASSERT(rig_said(&rig, " Tomorrow at nine."));
    CU_ASSERT(rig_heard(&rig, VOICE_LAST, 1, 1, 1, "Tomorrow at nine."));
    rig_close(&rig);
}

/* Engines do not know what their asides come to stand beside. */
static void an_aside_stands_apart(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open.");
    struct voice_frame frame = rig_frame(&rig, 1, 1, 1);
    frame.text = "Sorry.";
    frame.aside = true;
    rig_take(&rig, &frame);
    CU_ASSERT(rig_said(&rig, " Sorry."));
    rig_text(&rig, 1, 1, 2, " Till six.");
    CU_ASSERT(rig_said(&rig, " Till six."));
    rig_text(&rig, 1, 1, 3, " Or");
    rig_last(&rig, 1, 1, 4, "");
    CU_ASSERT(rig_said(&rig, ""));
    rig_close(&rig);
}

/* ---- engines that die ---- */

/* V6: A speaks a sentence and dies; B asks what was spoken, goes on from there, and A's late
 * frames are dropped. */
static void an_adopter_asks_and_goes_on(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    rig_pass(&rig, 1500);
    CU_ASSERT(rig_heard(&rig, VOICE_STALL, 1, 1, 0, "One. "));
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_STALLED);
    CU_ASSERT_EQUAL(rig_fence(&rig, 1, 2), VERDICT_TAKEN);
    CU_ASSERT(rig_heard(&rig, VOICE_OPEN, 1, 2, -1, "One. "));
    CU_ASSERT_EQUAL(rig_fence(&rig, 1, 2), VERDICT_REPEAT);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "Two. "), VERDICT_OLD_FENCE);
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 2, 1, "Two. "), VERDICT_TAKEN);
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 2, 2, "Three."), VERDICT_TAKEN);
    CU_ASSERT(rig_heard(&rig, VOICE_LAST, 1, 2, 2, "One. Two. Three."));
    rig_close(&rig);
}

/* An engine that only paused goes on in its own fence: a stall ends nothing. */
static void a_stall_ends_no_fence(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    rig_pass(&rig, 2500);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_STALLED);
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 1, 1, "Two."), VERDICT_TAKEN);
    CU_ASSERT(rig_said(&rig, "Two."));
    rig_close(&rig);
}

/* The stall tells what has sounded by then, back to the beginning of a word; once. */
static void a_stall_tells_what_has_sounded(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "We are open until six. ");
    rig_pass(&rig, 1500);
    CU_ASSERT(rig_heard(&rig, VOICE_STALL, 1, 1, 0, "We are open "));
    CU_ASSERT_EQUAL(rig_act(&rig, CALL_ACT_HEARD)->heard->spoken_ms, 1200);
    rig_pass(&rig, 2000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_HEARD), 0);
    rig_close(&rig);
}

/* An adopter whose turn was spoken to its end is told so and repeats nothing. */
static void an_adopter_of_a_spoken_turn(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "Yes.");
    rig_pass(&rig, 3000);
    rig_fence(&rig, 1, 2);
    CU_ASSERT(rig_heard(&rig, VOICE_OPEN, 1, 2, -1, "Yes."));
    CU_ASSERT_EQUAL(rig_last(&rig, 1, 2, 1, "Yes."), VERDICT_SHUT);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_LISTENING);
    rig_close(&rig);
}

/* Guard: a turn that begins again from its beginning although it was heard. */
static void a_heard_turn_does_not_begin_again(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 2, 0, "One. "), VERDICT_AGAIN);
    CU_ASSERT(rig_said(&rig, ""));
    rig_close(&rig);
}

/* A turn that was given up in its middle: what was given out of it is told when the next begins. */
static void the_next_turn_settles_a_half_spoken_one(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    CU_ASSERT_EQUAL(rig_text(&rig, 2, 2, 0, "Next. "), VERDICT_TAKEN);
    CU_ASSERT(rig_heard(&rig, VOICE_OPEN, 1, 1, 0, "One. "));
    CU_ASSERT(rig_said(&rig, "Next. "));
    rig_close(&rig);
}

/* V5f: a merge raises the epoch once; the next turn is heard, and one of the lower epoch is not. */
static void a_merge_silences_nobody(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig.epoch = 2;
    rig_last(&rig, 1, 1, 0, "Yes.");
    rig.epoch = 3; /* the highest of both and one */
    CU_ASSERT_EQUAL(rig_last(&rig, 2, 2, 0, "After the merge."), VERDICT_TAKEN);
    rig.epoch = 1; /* what a merge into epoch 0 would have given */
    CU_ASSERT_EQUAL(rig_last(&rig, 3, 3, 0, "Never heard."), VERDICT_OLD_EPOCH);
    rig_close(&rig);
}

/* ---- the fallback ---- */

/* V6: every frame after the fallback is dropped, and its engine is told that nobody heard it. */
static void after_the_fallback_nothing_is_spoken(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_text(&rig, 1, 1, 0, "One. ");
    rig_fresh(&rig);
    call_failed(rig.call, rig.now_ms, &rig.acts);
    CU_ASSERT_EQUAL(rig.acts.list[0].kind, CALL_ACT_DROP);
    CU_ASSERT(rig_said(&rig, " Please leave a message."));
    CU_ASSERT(rig_heard(&rig, VOICE_FALLBACK, 1, 1, 0, "One. "));
    CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, 1, "Two. "), VERDICT_OVER);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    CU_ASSERT_EQUAL(rig_last(&rig, 2, 2, 0, "Next."), VERDICT_OVER);
    CU_ASSERT(rig_said(&rig, ""));
    CU_ASSERT(rig_heard(&rig, VOICE_FALLBACK, 2, 2, -1, ""));
    CU_ASSERT_EQUAL(rig_last(&rig, 2, 2, 0, "Next."), VERDICT_OVER);
    CU_ASSERT_EQUAL(rig.acts.count, 0);
    rig_pass(&rig, 5000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_END)->text, "{\"do\":\"record\"}");
    CU_ASSERT_EQUAL(rig_last(&rig, 3, 3, 0, "Next."), VERDICT_OVER);
    CU_ASSERT(rig_said(&rig, ""));
    rig_close(&rig);
}

/* ---- end, language, keys ---- */

static void end_waits_until_all_is_spoken(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "I put you through.");
    CU_ASSERT_EQUAL(rig_end(&rig, 1, 1, 1, "{\"do\":\"dial\"}"), VERDICT_TAKEN);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    rig_pass(&rig, 1700);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    rig_pass(&rig, 200);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 1);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_END)->text, "{\"do\":\"dial\"}");
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_PARTED);
    rig_close(&rig);
}

/* Guard: "goodbye" - "wait, one more thing": whoever speaks in time is not hung up on. */
static void a_caller_who_speaks_before_the_end_stays(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    rig_last(&rig, 1, 1, 0, "Goodbye, see you tomorrow.");
    rig_end(&rig, 1, 1, 1, "{\"do\":\"hangup\"}");
    rig_pass(&rig, 500);
    rig_interrupt(&rig, "Goodbye");
    rig_prompt(&rig, "Wait, one more thing.");
    rig_pass(&rig, 3000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    /* the same when he speaks without cutting in, also while the turn is being spoken */
    rig_text(&rig, 2, 2, 0, "Goodbye ");
    rig_prompt(&rig, "Wait.");
    rig_end(&rig, 2, 2, 1, "{\"do\":\"hangup\"}");
    rig_pass(&rig, 3000);
    CU_ASSERT_EQUAL(rig_count(&rig, CALL_ACT_END), 0);
    CU_ASSERT_EQUAL(call_state(rig.call), CALL_ASKED);
    rig_close(&rig);
}

static void a_language_is_set_and_the_fillers_follow(void)
{
    struct rig rig;
    rig_open_asked(&rig);
    struct voice_frame frame = rig_frame(&rig, 1, 1, 0);
    frame.kind = VOICE_FRAME_LANGUAGE;
    frame.lang = "de";
    CU_ASSERT_EQUAL(rig_take(&rig, &frame), VERDICT_TAKEN);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_LANGUAGE)->text, "de");
    rig_pass(&rig, 4100);
    CU_ASSERT(rig_said(&rig, "Einen Moment."));
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_SAY)->lang, "de-DE");
    frame = rig_frame(&rig, 1, 1, 1);
    frame.kind = VOICE_FRAME_KEYS;
    frame.keys = "12#";
    CU_ASSERT_EQUAL(rig_take(&rig, &frame), VERDICT_TAKEN);
    CU_ASSERT_STRING_EQUAL(rig_act(&rig, CALL_ACT_KEYS)->text, "12#");
    rig_close(&rig);
}

/* A turn longer than what can be reported is spoken to its end; what is told stays a beginning. */
static void a_very_long_turn_is_bounded(void)
{
    static char piece[2001];
    struct rig rig;
    memset(piece, 'a', sizeof piece - 1);
    rig_open_asked(&rig);
    for (int seq = 0; seq < 20; seq++)
        CU_ASSERT_EQUAL(rig_text(&rig, 1, 1, seq, piece), VERDICT_TAKEN);
    rig_last(&rig, 1, 1, 20, "end");
    CU_ASSERT(rig_said(&rig, "end"));
    size_t length = strlen(rig_act(&rig, CALL_ACT_HEARD)->heard->spoken.text);
    CU_ASSERT(length == 16000);
    CU_ASSERT(call_memory(rig.call) < 40000);
    rig_close(&rig);
}

static const CU_TestInfo tests[] = {
    {"a turn is spoken in order", a_turn_is_spoken_in_order},
    {"a repeat", a_repeat_is_dropped},
    {"a late frame", a_frame_that_comes_late_is_waited_for},
    {"a lost frame", a_frame_that_never_comes_ends_its_fence},
    {"a lost beginning", a_fence_without_its_beginning_is_waited_for_and_told},
    {"what waits is bounded", what_waits_for_a_missing_frame_is_bounded},
    {"an older fence", an_older_fence_is_dropped},
    {"an older turn", an_older_turn_is_dropped},
    {"an older epoch", an_older_epoch_is_dropped},
    {"stop", stop_ends_what_is_older},
    {"a newer epoch", a_newer_epoch_ends_what_is_older},
    {"frames of others", frames_of_others_mean_nothing},
    {"an interrupt", an_interrupt_drops_the_turn_and_tells_what_was_heard},
    {"an interrupt and the next fence", an_interrupt_while_the_next_fence_is_under_way},
    {"a turn that begins anew", a_turn_that_begins_anew_is_another_one},
    {"an interrupt after the last frame", an_interrupt_after_the_last_frame},
    {"an interrupted filler", an_interrupted_filler_drops_no_turn},
    {"an aside", an_aside_is_not_heard},
    {"an aside apart", an_aside_stands_apart},
    {"an adopter", an_adopter_asks_and_goes_on},
    {"a stall ends no fence", a_stall_ends_no_fence},
    {"what a stall tells", a_stall_tells_what_has_sounded},
    {"an adopter of a spoken turn", an_adopter_of_a_spoken_turn},
    {"a heard turn", a_heard_turn_does_not_begin_again},
    {"a half spoken turn", the_next_turn_settles_a_half_spoken_one},
    {"a merge", a_merge_silences_nobody},
    {"after the fallback", after_the_fallback_nothing_is_spoken},
    {"end waits", end_waits_until_all_is_spoken},
    {"a caller who speaks before the end", a_caller_who_speaks_before_the_end_stays},
    {"a language", a_language_is_set_and_the_fillers_follow},
    {"a very long turn", a_very_long_turn_is_bounded},
};

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call", NULL, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].pName, tests[i].pTestFunc);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
