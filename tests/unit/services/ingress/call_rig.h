/* A call under test: its clock, what it asked for last, and frames and relay events by one line.
 * Header only: each test is a program of its own. */
#ifndef DESK_TEST_CALL_RIG_H
#define DESK_TEST_CALL_RIG_H

#include <CUnit/CUnit.h>
#include <string.h>

#include "base/strbuf.h"
#include "call.h"

#define CALL_SID "CA00000000000000000000000000000001"
#define SESSION  "VX00000000000000000000000000000001"

static const struct call_phrases rig_phrases[] = {
    {"en-US", "One moment.", "I am still looking.", "Please leave a message.",
     "Are you still there?", "Goodbye."},
    {"de-DE", "Einen Moment.", "Ich suche noch.", "Bitte hinterlassen Sie eine Nachricht.",
     "Sind Sie noch da?", "Auf Wiederhören."},
};

static const struct call_words rig_words = {.phrases = rig_phrases,
                                            .phrase_count = 2,
                                            .greeting = "Hello, this is the clinic.",
                                            .chars_per_s = 10,
                                            .silence_ms = 30000};

struct rig {
    struct call *call;
    struct call_acts acts; /* of the last event */
    int64_t now_ms;
    int64_t epoch;
    uint64_t sockets;
};

static inline void rig_open_with(struct rig *rig, const struct call_words *words, bool resumed)
{
    struct call_options options = {
        .tenant = "00000000-0000-4000-8000-000000000001",
        .call = {.call_sid = CALL_SID,
                 .account_sid = "AC00000000000000000000000000000001",
                 .from = "+15550100",
                 .to = "+15550199",
                 .stream_partition = 7},
        .resumed = resumed,
        .missed = true,
        .words = words,
    };
    memset(rig, 0, sizeof *rig);
    rig->now_ms = 1000000;
    rig->epoch = 1;
    rig->acts.arena = arena_new();
    rig->call = call_new(&options, rig->now_ms);
}

static inline void rig_close(struct rig *rig)
{
    call_free(&rig->call);
    arena_free(&rig->acts.arena);
}

/* Each event begins with empty hands. */
static inline void rig_fresh(struct rig *rig)
{
    arena_reset(rig->acts.arena);
    rig->acts.count = 0;
}

static inline bool rig_relay(struct rig *rig, struct call_relay event)
{
    rig_fresh(rig);
    if (event.socket == 0)
        event.socket = rig->sockets;
    return call_relay(rig->call, rig->now_ms, &event, &rig->acts);
}

static inline bool rig_socket(struct rig *rig, const char *session)
{
    return rig_relay(rig, (struct call_relay){.kind = CALL_RELAY_SETUP,
                                              .socket = ++rig->sockets,
                                              .session = session});
}

static inline bool rig_prompt(struct rig *rig, const char *text)
{
    return rig_relay(rig,
                     (struct call_relay){.kind = CALL_RELAY_PROMPT, .text = text, .lang = "en-US"});
}

static inline bool rig_interrupt(struct rig *rig, const char *heard)
{
    return rig_relay(rig, (struct call_relay){.kind = CALL_RELAY_INTERRUPT, .text = heard});
}

static inline bool rig_digit(struct rig *rig, char digit)
{
    return rig_relay(rig, (struct call_relay){.kind = CALL_RELAY_DIGIT, .digit = digit});
}

static inline bool rig_hang_up(struct rig *rig)
{
    return rig_relay(rig, (struct call_relay){.kind = CALL_RELAY_CLOSED});
}

static inline struct uuid rig_turn(int number)
{
    return (struct uuid){.bytes = {0x77, (uint8_t)(number >> 8), (uint8_t)number}};
}

static inline struct voice_frame rig_frame(const struct rig *rig, int turn, int64_t fence,
                                           int64_t seq)
{
    return (struct voice_frame){.call_sid = CALL_SID,
                                .turn = rig_turn(turn),
                                .turn_number = turn,
                                .epoch = rig->epoch,
                                .fence = fence,
                                .seq = seq,
                                .kind = VOICE_FRAME_TEXT,
                                .text = "",
                                .lang = "",
                                .keys = "",
                                .handoff = ""};
}

static inline enum call_verdict rig_take(struct rig *rig, const struct voice_frame *frame)
{
    rig_fresh(rig);
    return call_frame(rig->call, rig->now_ms, frame, &rig->acts);
}

static inline enum call_verdict rig_text(struct rig *rig, int turn, int64_t fence, int64_t seq,
                                         const char *text)
{
    struct voice_frame frame = rig_frame(rig, turn, fence, seq);
    frame.text = text;
    return rig_take(rig, &frame);
}

static inline enum call_verdict rig_last(struct rig *rig, int turn, int64_t fence, int64_t seq,
                                         const char *text)
{
    struct voice_frame frame = rig_frame(rig, turn, fence, seq);
    frame.text = text;
    frame.last = true;
    return rig_take(rig, &frame);
}

static inline enum call_verdict rig_fence(struct rig *rig, int turn, int64_t fence)
{
    struct voice_frame frame = rig_frame(rig, turn, fence, 0);
    frame.kind = VOICE_FRAME_OPEN;
    return rig_take(rig, &frame);
}

static inline enum call_verdict rig_end(struct rig *rig, int turn, int64_t fence, int64_t seq,
                                        const char *handoff)
{
    struct voice_frame frame = rig_frame(rig, turn, fence, seq);
    frame.kind = VOICE_FRAME_END;
    frame.handoff = handoff;
    return rig_take(rig, &frame);
}

static inline enum call_verdict rig_stop(struct rig *rig, int64_t epoch)
{
    struct voice_frame frame = rig_frame(rig, 0, 0, 0);
    frame.kind = VOICE_FRAME_STOP;
    frame.epoch = epoch;
    return rig_take(rig, &frame);
}

/* Time passes; ticks come when they are wanted. What they asked for is kept until it has passed. */
static inline void rig_pass(struct rig *rig, int64_t ms)
{
    int64_t end_ms = rig->now_ms + ms;
    rig_fresh(rig);
    for (;;) {
        int64_t due_ms = call_due(rig->call);
        if (due_ms < 0 || due_ms > end_ms)
            break;
        if (due_ms > rig->now_ms)
            rig->now_ms = due_ms;
        call_tick(rig->call, rig->now_ms, &rig->acts);
    }
    rig->now_ms = end_ms;
}

/* ---- what was asked for ---- */

static inline size_t rig_count(const struct rig *rig, enum call_act_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->acts.count; i++)
        count += rig->acts.list[i].kind == kind;
    return count;
}

/* The last act of the kind, or NULL. */
static inline const struct call_act *rig_act(const struct rig *rig, enum call_act_kind kind)
{
    for (size_t i = rig->acts.count; i > 0; i--)
        if (rig->acts.list[i - 1].kind == kind)
            return &rig->acts.list[i - 1];
    return NULL;
}

/* True if exactly this was said; "" for nothing. */
static inline bool rig_said(const struct rig *rig, const char *text)
{
    struct strbuf all;
    strbuf_init(&all, 65536);
    for (size_t i = 0; i < rig->acts.count; i++)
        if (rig->acts.list[i].kind == CALL_ACT_SAY)
            strbuf_add_text(&all, rig->acts.list[i].text);
    bool same = strcmp(all.data, text) == 0;
    strbuf_fini(&all);
    return same;
}

/* True if exactly one `heard` was published, of this reason, turn, fence, seq and text. */
static inline bool rig_heard(const struct rig *rig, enum voice_reason reason, int turn,
                             int64_t fence, int64_t seq, const char *text)
{
    const struct call_act *act = rig_act(rig, CALL_ACT_HEARD);
    if (rig_count(rig, CALL_ACT_HEARD) != 1)
        return false;
    struct uuid id = rig_turn(turn);
    const struct voice_spoken *spoken = &act->heard->spoken;
    return act->heard->reason == reason && uuid_equal(&spoken->turn, &id) &&
           spoken->fence == fence && spoken->seq == seq && strcmp(spoken->text, text) == 0;
}

/* A call with its first socket, whose greeting has sounded. */
static inline void rig_open(struct rig *rig)
{
    rig_open_with(rig, &rig_words, false);
    rig_socket(rig, SESSION);
    rig_pass(rig, 5000);
}

/* The same, and the caller has asked something. */
static inline void rig_open_asked(struct rig *rig)
{
    rig_open(rig);
    rig_prompt(rig, "Are you open today?");
}

#endif
