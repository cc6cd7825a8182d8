/* What a call asks for: the list of acts, and the events that it publishes. The rows of its table
 * (call.c) and its filter (call_frames.c) add to it. */
#include "call_inside.h"

#include <assert.h>
#include <inttypes.h>

struct call_act *call_add(struct call_acts *acts, enum call_act_kind kind)
{
    assert(acts->count < CALL_ACTS_MAX);
    struct call_act *act = &acts->list[acts->count++];
    *act = (struct call_act){.kind = kind, .text = "", .lang = ""};
    return act;
}

static struct event head(const struct call *call, const char *id, struct call_acts *acts)
{
    return (struct event){.id = id,
                          .source = arena_printf(acts->arena, "twilio/%s", call->account_sid),
                          .subject = "",
                          .tenant = call->tenant,
                          .traceparent = ""};
}

/* The session is copied: a socket that takes another's place changes it within one event. */
static struct voice_call who(const struct call *call, struct call_acts *acts)
{
    return (struct voice_call){.call_sid = call->call_sid,
                               .account_sid = call->account_sid,
                               .from = call->from,
                               .to = call->to,
                               .relay_session = arena_strdup(acts->arena, call->session),
                               .stream_partition = call->stream_partition};
}

static struct voice_spoken spoken(const struct call *call, size_t length, struct call_acts *acts)
{
    if (call->turn.number == 0)
        return (struct voice_spoken){.seq = -1, .text = ""};
    return (struct voice_spoken){.turn = call->turn.id,
                                 .fence = call->turn.fence,
                                 .epoch = call->turn.epoch,
                                 .seq = call->turn.said_seq,
                                 .text =
                                     arena_strndup(acts->arena, call->speech.text.data, length)};
}

static const char *reason_name(enum voice_reason reason)
{
    static const char *const names[CALL_REASONS] = {"last",  "interrupt", "stall",   "open",
                                                    "close", "stop",      "fallback"};
    return names[reason];
}

void call_tell(struct call *call, enum voice_reason reason, size_t length, struct call_acts *acts)
{
    const struct call_turn *turn = &call->turn;
    if (turn->number == 0 || (call->told[reason].sent && call->told[reason].fence == turn->fence &&
                              call->told[reason].seq == turn->said_seq))
        return;
    call->told[reason].sent = true;
    call->told[reason].fence = turn->fence;
    call->told[reason].seq = turn->said_seq;
    char id[UUID_TEXT_SIZE];
    struct voice_heard *heard = arena_alloc(acts->arena, sizeof *heard);
    heard->event = head(call,
                        arena_printf(acts->arena, "%s:%s:%" PRId64 ":%s:%" PRId64, call->call_sid,
                                     uuid_format(&turn->id, id), turn->fence, reason_name(reason),
                                     turn->said_seq),
                        acts);
    heard->call = who(call, acts);
    heard->reason = reason;
    heard->spoken = spoken(call, length, acts);
    heard->spoken_ms = speech_ms(&call->speech, length);
    call_add(acts, CALL_ACT_HEARD)->heard = heard;
}

void call_publish_setup(struct call *call, struct call_acts *acts)
{
    struct voice_setup *setup = arena_alloc(acts->arena, sizeof *setup);
    setup->event =
        head(call, arena_printf(acts->arena, "%s:%s:0", call->call_sid, call->session), acts);
    setup->call = who(call, acts);
    setup->outbound = call->outbound;
    setup->resumed = call->resumed;
    setup->forwarded_from = call->forwarded_from;
    setup->caller_name = call->caller_name;
    setup->attestation = call->attestation;
    setup->gone_ms = call->gone_ms;
    setup->spoken = spoken(call, call->speech.text.length, acts);
    call_add(acts, CALL_ACT_SETUP)->setup = setup;
}

void call_publish_prompt(struct call *call, const struct call_input *in)
{
    struct arena *arena = in->acts->arena;
    struct voice_prompt *prompt = arena_alloc(arena, sizeof *prompt);
    prompt->number = ++call->number;
    prompt->event = head(
        call, arena_printf(arena, "%s:%s:%" PRId64, call->call_sid, call->session, call->number),
        in->acts);
    prompt->call = who(call, in->acts);
    prompt->text = in->text != NULL ? in->text : "";
    prompt->keys = in->keys != NULL ? in->keys : "";
    prompt->lang = in->lang != NULL ? in->lang : "";
    call_add(in->acts, CALL_ACT_PROMPT)->prompt = prompt;
}

void call_publish_ended(struct call *call, const struct call_input *in)
{
    struct voice_ended *ended = arena_alloc(in->acts->arena, sizeof *ended);
    ended->event = head(call, arena_printf(in->acts->arena, "%s:ended", call->call_sid), in->acts);
    ended->call = who(call, in->acts);
    ended->outbound = call->outbound;
    ended->missed = call->missed;
    ended->reason = in->reason;
    ended->duration_s = in->duration_s;
    ended->spoken = spoken(call, call->speech.text.length, in->acts);
    call_add(in->acts, CALL_ACT_ENDED)->ended = ended;
}
