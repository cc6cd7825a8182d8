/* A call: its events, its clock, and what the rows of its table do. The glue to sockets, Kafka and
 * the loop calls it; call_frames.c decides which frames reach
 * it, call_clock.c what is due. */
#include "call.h"

#include "base/mem.h"
#include "base/text.h"
#include "call_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RECORD "{\"do\":\"record\"}"
#define HANGUP "{\"do\":\"hangup\"}"
#define RELAY  "{\"do\":\"relay\"}"

static char *copy(const char *text)
{
    return xstrdup(text != NULL ? text : "");
}

struct call *call_new(const struct call_options *options, int64_t now_ms)
{
    struct call *call = xcalloc(1, sizeof *call);
    call->state = CALL_WAITING;
    call->state_ms = now_ms;
    call->words = options->words;
    call->tenant = copy(options->tenant);
    call->call_sid = copy(options->call.call_sid);
    call->account_sid = copy(options->call.account_sid);
    call->from = copy(options->call.from);
    call->to = copy(options->call.to);
    call->forwarded_from = copy(options->forwarded_from);
    call->caller_name = copy(options->caller_name);
    call->attestation = copy(options->attestation);
    call->session = copy("");
    call->stream_partition = options->call.stream_partition;
    call->outbound = options->outbound;
    call->resumed = options->resumed;
    call->missed = options->missed;
    call->turn.said_seq = -1;
    call->turn.missing_ms = -1;
    speech_init(&call->speech, options->words->chars_per_s);
    return call;
}

int64_t call_later(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

void call_free(struct call **call)
{
    struct call *freed = *call;
    if (freed == NULL)
        return;
    *call = NULL;
    call_drop_held(freed);
    speech_fini(&freed->speech);
    char *texts[] = {freed->tenant,  freed->call_sid,       freed->account_sid, freed->from,
                     freed->to,      freed->forwarded_from, freed->caller_name, freed->session,
                     freed->handoff, freed->attestation};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    free(freed);
}

/* ---- what is said ---- */

void call_speak_in(struct call *call, const char *lang)
{
    if (lang[0] != '\0' && strlen(lang) < sizeof call->lang)
        snprintf(call->lang, sizeof call->lang, "%s", lang);
}

/* The business's own words in the language that is spoken: of the tag, of the language, else the
 * first. */
static const struct call_phrases *phrases(const struct call *call)
{
    const struct call_words *words = call->words;
    size_t language = strcspn(call->lang, "-");
    for (size_t i = 0; i < words->phrase_count; i++)
        if (strcasecmp(words->phrases[i].lang, call->lang) == 0)
            return &words->phrases[i];
    for (size_t i = 0; i < words->phrase_count && language > 0; i++)
        if (strcspn(words->phrases[i].lang, "-") == language &&
            strncasecmp(words->phrases[i].lang, call->lang, language) == 0)
            return &words->phrases[i];
    return &words->phrases[0];
}

/* Words of our own: a talk cycle by themselves, apart from what an engine left unfinished. */
static void say_own(struct call *call, const char *text, const struct call_input *in)
{
    struct call_act *act = call_add(in->acts, CALL_ACT_SAY);
    act->text = call->cycle_open ? arena_printf(in->acts->arena, " %s", text) : text;
    act->lang = call->lang[0] != '\0' ? phrases(call)->lang : "";
    act->last = true;
    call->cycle_open = false;
    speech_aside(&call->speech, in->now_ms, text);
}

static void say_frame(struct call *call, const struct call_input *in)
{
    const struct voice_frame *frame = in->frame;
    struct call_act *act = call_add(in->acts, CALL_ACT_SAY);
    /* An engine's aside stands between words that know nothing of it. */
    bool apart = call->cycle_open && frame->aside != call->in_aside && frame->text[0] != '\0' &&
                 frame->text[0] != ' ';
    act->text = arena_printf(in->acts->arena, "%s%s", apart ? " " : "", frame->text);
    act->lang = arena_strdup(in->acts->arena, frame->lang != NULL ? frame->lang : "");
    act->last = frame->last;
    call->cycle_open = !frame->last;
    call->in_aside = frame->aside;
    call_speak_in(call, act->lang);
    if (frame->aside)
        speech_aside(&call->speech, in->now_ms, frame->text);
    else
        speech_add(&call->speech, in->now_ms, frame->text);
    call->turn.begun = true;
    call->turn.said_seq = frame->seq;
}

static void set_handoff(struct call *call, const char *handoff)
{
    free(call->handoff);
    call->handoff = handoff != NULL ? xstrdup(handoff) : NULL;
}

/* We have the word from now on, or when all that was written has sounded. */
static void start_wait(struct call *call, const struct call_input *in)
{
    call->wait_ms = call_later(in->now_ms, call->speech.audible_ms);
    set_handoff(call, NULL);
}

/* The same, and the silence begins. */
static void start_clock(struct call *call, const struct call_input *in)
{
    call->quiet_ms = in->now_ms;
    call->filled = false;
    start_wait(call, in);
}

bool call_unsettled(const struct call *call, int64_t now_ms)
{
    return call->turn.begun && !call->turn.interrupted &&
           (!call->turn.finished || call->speech.text_ms > now_ms);
}

/* ---- what the rows of the table do ---- */

static void do_greet(struct call *call, const struct call_input *in)
{
    call_publish_setup(call, in->acts);
    if (call->greets)
        speech_aside(&call->speech, in->now_ms, call->words->greeting);
    start_clock(call, in);
    call->resumed = true;
    call->asked_again = false;
}

static void do_pass_on(struct call *call, const struct call_input *in)
{
    call_publish_prompt(call, in);
    call->owed = true;
    call->words_ms = in->now_ms;
}

/* The caller makes himself heard: the silence begins anew. Who was waiting already has waited since
 * his first word without an answer: he would never be asked for a message if he went on. */
static void hear_caller(struct call *call, const struct call_input *in)
{
    if (call->state != CALL_ASKED)
        start_clock(call, in);
    call->quiet_ms = in->now_ms;
}

/* He has ceased to speak, or pressed the last key, a while ago: since then he hears nothing. */
static void do_ask(struct call *call, const struct call_input *in)
{
    do_pass_on(call, in);
    hear_caller(call, in);
    call->quiet_ms = in->keys != NULL ? call->keys_ms : call_ceased(call, in->now_ms);
}

/* What brought us here has broken the silence, or has not. */
static void do_owe(struct call *call, const struct call_input *in)
{
    start_wait(call, in);
}

static void do_hush(struct call *call, const struct call_input *in)
{
    call_add(in->acts, CALL_ACT_DROP);
    if (call_unsettled(call, in->now_ms)) {
        size_t length = speech_place(&call->speech, in->now_ms, in->text);
        call_tell(call, VOICE_INTERRUPT, length, in->acts);
        speech_cut(&call->speech, in->now_ms, length);
        call_drop_held(call);
        call->turn.interrupted = true;
        /* The engine begins it anew, unasked; not if another ingress told it that he heard some. */
        call->owed = call->owed || (length == 0 && !call->turn.elsewhere);
    }
    speech_hush(&call->speech, in->now_ms);
    call->cycle_open = false;
    hear_caller(call, in);
    if (call->wait_ms > in->now_ms)
        call->wait_ms = in->now_ms; /* what it waited for does not sound any more */
}

static void do_yield(struct call *call, const struct call_input *in)
{
    call_add(in->acts, CALL_ACT_DROP);
    speech_hush(&call->speech, in->now_ms);
    call->cycle_open = false;
    call->quiet_ms = in->now_ms;
    if (call->speaking)
        call->voice_ms = in->now_ms; /* so he does */
}

static void do_show(struct call *call, const struct call_input *in)
{
    call_tell(call, VOICE_OPEN, call->speech.text.length, in->acts);
}

static void do_say(struct call *call, const struct call_input *in)
{
    say_frame(call, in);
    if (in->frame->text[0] != '\0')
        start_clock(call, in);
    else
        start_wait(call, in); /* nobody hears that a turn is at its end */
    call->asked_again = false;
}

static void do_finish(struct call *call, const struct call_input *in)
{
    do_say(call, in);
    call->turn.finished = true;
    call_tell(call, VOICE_LAST, call->speech.text.length, in->acts);
}

static void do_leave(struct call *call, const struct call_input *in)
{
    call->turn.said_seq = in->frame->seq;
    call->turn.begun = true;
    if (!call->turn.finished) {
        call->turn.finished = true;
        call_tell(call, VOICE_LAST, call->speech.text.length, in->acts);
    }
    call->filled = false;
    set_handoff(call, in->frame->handoff);
}

static void do_cut(struct call *call, const struct call_input *in)
{
    call_add(in->acts, CALL_ACT_DROP);
    if (call_unsettled(call, in->now_ms))
        call_tell(call, VOICE_STOP, call->speech.text.length, in->acts);
    call_drop_held(call);
    call->turn.shut = true;
    call->wait_ms = call_later(in->now_ms, call->speech.audible_ms);
    set_handoff(call, NULL);
}

static void do_report(struct call *call, const struct call_input *in)
{
    call_tell(call, VOICE_STALL, speech_heard(&call->speech, in->now_ms), in->acts);
}

static void do_fill(struct call *call, const struct call_input *in)
{
    const struct call_phrases *own = phrases(call);
    say_own(call, call->filled ? own->filler_again : own->filler, in);
    call->filled = true;
}

static void do_fall_back(struct call *call, const struct call_input *in)
{
    call_add(in->acts, CALL_ACT_DROP);
    if (!call->turn.finished && !call->turn.interrupted)
        call_tell(call, VOICE_FALLBACK, call->speech.text.length, in->acts);
    call_drop_held(call);
    call->turn.shut = true;
    say_own(call, phrases(call)->fallback, in);
    set_handoff(call, RECORD);
}

static void do_hand_off(struct call *call, const struct call_input *in)
{
    call_add(in->acts, CALL_ACT_END)->text = arena_strdup(in->acts->arena, call->handoff);
    set_handoff(call, NULL);
}

static void do_still_there(struct call *call, const struct call_input *in)
{
    say_own(call, phrases(call)->still_there, in);
    call->asked_again = true;
}

static void do_goodbye(struct call *call, const struct call_input *in)
{
    say_own(call, phrases(call)->goodbye, in);
    start_clock(call, in);
    set_handoff(call, HANGUP);
}

/* Who has the call next has not heard it, and is told that nothing is left to be said. */
static void do_move(struct call *call, const struct call_input *in)
{
    if (call->turn.finished && !call->turn.interrupted)
        call_tell(call, VOICE_CLOSE, call->speech.text.length, in->acts);
    set_handoff(call, RELAY);
    do_hand_off(call, in);
}

/* What was not heard by now is not heard any more. Who comes back after `end`, from the middle of
 * an answer, or of the fallback, is owed a word. */
static void do_lose(struct call *call, const struct call_input *in)
{
    struct call_turn *turn = &call->turn;
    call->owed = call->owed || call->state == CALL_ASKED || call->state == CALL_LEAVING ||
                 call->state == CALL_OVER || call->state == CALL_PARTED;
    if (call_unsettled(call, in->now_ms)) {
        size_t length = speech_heard(&call->speech, in->now_ms);
        turn->finished = turn->finished && length == call->speech.text.length;
        call->owed = call->owed || !turn->finished;
        call_tell(call, VOICE_CLOSE, length, in->acts);
        speech_cut(&call->speech, in->now_ms, length);
    }
    call_drop_held(call);
    turn->shut = true;
    speech_hush(&call->speech, in->now_ms);
    call->connected = false;
    call->cycle_open = false;
    set_handoff(call, NULL);
}

static void close_socket(struct call *call, struct call_acts *acts)
{
    if (call->connected)
        call_add(acts, CALL_ACT_CLOSE)->socket = call->socket;
}

static void do_shut(struct call *call, const struct call_input *in)
{
    close_socket(call, in->acts);
    do_lose(call, in);
}

static void do_forget(struct call *call, const struct call_input *in)
{
    (void)call;
    call_add(in->acts, CALL_ACT_FORGET);
}

static void do_conclude(struct call *call, const struct call_input *in)
{
    close_socket(call, in->acts);
    if (call->state != CALL_WAITING)
        do_lose(call, in);
    call_publish_ended(call, in);
    do_forget(call, in);
}

static void (*const does[CALL_ACTIONS])(struct call *, const struct call_input *) = {
    [DO_GREET] = do_greet,       [DO_ASK] = do_ask,           [DO_PASS_ON] = do_pass_on,
    [DO_HUSH] = do_hush,         [DO_SHOW] = do_show,         [DO_SAY] = do_say,
    [DO_FINISH] = do_finish,     [DO_LEAVE] = do_leave,       [DO_CUT] = do_cut,
    [DO_REPORT] = do_report,     [DO_FILL] = do_fill,         [DO_FALL_BACK] = do_fall_back,
    [DO_HAND_OFF] = do_hand_off, [DO_OWE] = do_owe,           [DO_STILL_THERE] = do_still_there,
    [DO_GOODBYE] = do_goodbye,   [DO_MOVE] = do_move,         [DO_LOSE] = do_lose,
    [DO_SHUT] = do_shut,         [DO_CONCLUDE] = do_conclude, [DO_FORGET] = do_forget,
    [DO_YIELD] = do_yield,
};

void call_fire(struct call *call, enum call_event event, const struct call_input *in)
{
    const struct call_rule *rule = call_rule(call->state, event);
    if (rule == NULL)
        return;
    does[rule->action](call, in);
    if (call->state != rule->to)
        call->state_ms = in->now_ms;
    call->state = rule->to;
    if (call->owed)
        call_fire(call, ON_OWED, in);
}

/* ---- the relay ---- */

void call_end_keys(struct call *call, const struct call_input *from)
{
    if (call->key_count == 0)
        return;
    struct call_input in = {.now_ms = from->now_ms,
                            .keys = arena_strndup(from->acts->arena, call->keys, call->key_count),
                            .acts = from->acts};
    call->key_count = 0;
    call_fire(call, ON_PROMPT, &in);
}

static bool take_socket(struct call *call, const struct call_relay *event,
                        const struct call_input *in)
{
    if (event->socket <= call->socket || call->state == CALL_GONE)
        return false;
    if (call->connected) {
        call_end_keys(call, in);
        close_socket(call, in->acts);
        call_fire(call, ON_CLOSED, in);
    }
    bool first = call->socket == 0;
    call->socket = event->socket;
    call->connected = true;
    call->speaking = false;
    call->gone_ms = event->gone_ms;
    if (strcmp(event->session, call->session) != 0) {
        free(call->session);
        call->session = xstrdup(event->session);
        call->number = 0;
    }
    call->before.number = call->number;
    call->before.turn_number = call->turn.number;
    call->before.elsewhere = !first || call->resumed;
    if (first)
        call->owed = call->resumed || call->words->greeting[0] == '\0';
    call->greets = first ? !call->resumed : event->greets;
    if (call->greets && !call->owed && call->turn.number == 0)
        call->resumed = false; /* nothing was said in it: this is the first for everybody */
    call_fire(call, call->owed ? ON_SOCKET_OWED : ON_SOCKET, in);
    return true;
}

static bool take_prompt(struct call *call, const struct call_relay *event, struct call_input *in)
{
    const char *text = event->text != NULL ? event->text : "";
    if (text[strspn(text, " \t\r\n")] == '\0' || !text_is_utf8(text, strlen(text)))
        return false;
    call->quiet_ms = event->partial ? in->now_ms : call_ceased(call, in->now_ms);
    call->asked_again = false;
    if (event->partial)
        return true;
    call_end_keys(call, in);
    struct arena *arena = in->acts->arena;
    in->text = arena_strndup(arena, text, text_utf8_prefix(text, VOICE_PROMPT_MAX));
    if (event->lang != NULL && strlen(event->lang) < sizeof call->lang)
        in->lang = event->lang;
    call_fire(call, ON_PROMPT, in);
    return true;
}

static bool take_digit(struct call *call, char digit, const struct call_input *in)
{
    if (digit == '\0' || strchr("0123456789*#ABCD", digit) == NULL)
        return false;
    call->keys[call->key_count++] = digit;
    call->keys_ms = in->now_ms;
    call->quiet_ms = in->now_ms;
    call->asked_again = false;
    if (digit == '#' || call->key_count == VOICE_KEYS_MAX)
        call_end_keys(call, in);
    return true;
}

/* Fillers before an `end` are said while he is waited for: noise that stops one is no reason to
 * drop what was to be done. */
static bool cuts_filler(const struct call *call, const struct call_input *in)
{
    return call->state == CALL_LEAVING && call->filled && !call_unsettled(call, in->now_ms);
}

static bool take_relay(struct call *call, const struct call_relay *event, struct call_input *in)
{
    if (event->kind == CALL_RELAY_SETUP)
        return take_socket(call, event, in);
    if (!call->connected || event->socket != call->socket || call->state == CALL_GONE)
        return false;
    switch (event->kind) {
    case CALL_RELAY_SETUP:
        break;
    case CALL_RELAY_PROMPT:
        return take_prompt(call, event, in);
    case CALL_RELAY_INTERRUPT:
        in->text = event->text != NULL && text_is_utf8(event->text, strlen(event->text))
                       ? event->text
                       : "";
        call->asked_again = false;
        call_fire(call, cuts_filler(call, in) ? ON_FILLER_CUT : ON_INTERRUPT, in);
        return true;
    case CALL_RELAY_DIGIT:
        return take_digit(call, event->digit, in);
    case CALL_RELAY_SPEAKING:
        call->speaking = event->on;
        call->voice_ms = in->now_ms;
        if (event->on)
            call->began_ms = in->now_ms;
        return true;
    case CALL_RELAY_CLOSED:
        call_end_keys(call, in);
        call_fire(call, ON_CLOSED, in);
        return true;
    }
    return false;
}

bool call_relay(struct call *call, int64_t now_ms, const struct call_relay *event,
                struct call_acts *acts)
{
    struct call_input in = {.now_ms = now_ms, .acts = acts};
    bool taken = take_relay(call, event, &in);
    acts->due_ms = call_due(call);
    return taken;
}

/* ---- the rest that comes in ---- */

void call_failed(struct call *call, int64_t now_ms, struct call_acts *acts)
{
    struct call_input in = {.now_ms = now_ms, .acts = acts};
    call_fire(call, ON_FAILED, &in);
    acts->due_ms = call_due(call);
}

void call_ended(struct call *call, int64_t now_ms, enum voice_end reason, int64_t duration_s,
                struct call_acts *acts)
{
    struct call_input in = {
        .now_ms = now_ms, .reason = reason, .duration_s = duration_s, .acts = acts};
    call_end_keys(call, &in);
    call_fire(call, ON_ENDED, &in);
    acts->due_ms = call_due(call);
}

void call_drain(struct call *call, int64_t now_ms, struct call_acts *acts)
{
    call->draining = true;
    call_tick(call, now_ms, acts);
}

void call_leave(struct call *call, int64_t now_ms, struct call_acts *acts)
{
    struct call_input in = {.now_ms = now_ms, .acts = acts};
    call_end_keys(call, &in);
    if (call->connected)
        call_fire(call, ON_DRAINED, &in);
    acts->due_ms = call_due(call);
}

/* ---- for metrics and tests ---- */

enum call_state call_state(const struct call *call)
{
    return call->state;
}

size_t call_memory(const struct call *call)
{
    const char *texts[] = {call->tenant,      call->call_sid, call->account_sid,
                           call->from,        call->to,       call->forwarded_from,
                           call->caller_name, call->session,  call->attestation};
    size_t bytes = sizeof *call + call->speech.text.capacity;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        bytes += strlen(texts[i]) + 1;
    if (call->handoff != NULL)
        bytes += strlen(call->handoff) + 1;
    if (call->turn.held != NULL)
        bytes += CALL_HELD_MAX * sizeof *call->turn.held;
    for (size_t i = 0; i < call->turn.held_count; i++)
        bytes += strlen(call->turn.held[i].text) + strlen(call->turn.held[i].handoff);
    return bytes;
}
