/* What a turn says into its call: see voice.h. session.c, think.c and prepare.c call it where a
 * turn of texts would do nothing before its commit.
 *
 * Only the ingress knows what was spoken. So who takes up a turn that another engine began asks it
 * (a frame `open`), reads the answer from the turn's row, and lets the model's new answer leave
 * only from where it goes on. */
#include "voice_inside.h"

#include "assistants.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "contract/voice.h"
#include "counters.h"
#include "rules.h"
#include "service/log.h"
#include "speak.h"
#include "store/voice.h"
#include "voice_end.h"
#include "voice_pace.h"
#include "voice_rules.h"
#include "voice_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_EVERY_MS 100
#define ASK_UNIT_MS  2000
#define SILENCE_MS   5000   /* of a model that is speaking: its deadline holds again */
#define STALL_MS     1500   /* without a frame: the ingress says how far it is */
#define TOLD_MAX_MS  120000 /* from a socket's end to the engine: more is a wrong clock */

/* ---- words ---- */

static int rate_of(struct session *session)
{
    const struct assistant *assistant = think_assistant(session);
    return assistant != NULL ? assistant->phone.speaking_rate : PHONE_RATE;
}

static void send_words(struct voice *voice, const char *text, bool aside)
{
    const int64_t now_ms = clock_mono_ms();
    if (voice->sounds_ms < now_ms)
        voice->sounds_ms = now_ms;
    voice->sounds_ms += voice_pace_ms(text, rate_of(voice->session));
    voice_send_frame(voice,
                     (struct voice_frame){.kind = VOICE_FRAME_TEXT, .text = text, .aside = aside});
}

/* The language that the turn has chosen is of all words that follow. */
static void speak_language(struct voice *voice)
{
    const char *lang = voice_end_language(voice->session);
    if (lang == NULL || strcmp(lang, voice->lang) == 0)
        return;
    snprintf(voice->lang, sizeof voice->lang, "%s", lang);
    voice_send_frame(voice,
                     (struct voice_frame){.kind = VOICE_FRAME_LANGUAGE, .lang = voice->lang});
}

const char *voice_language(struct session *session)
{
    const char *chosen = voice_end_language(session);
    if (chosen != NULL)
        return chosen;
    if (session->voice->lang[0] != '\0')
        return session->voice->lang;
    const struct assistant *assistant = think_assistant(session);
    return assistant != NULL ? assistant->profile.language : "en";
}

static const struct phone_words *words_of(struct voice *voice)
{
    const struct assistant *assistant = think_assistant(voice->session);
    const char *language = voice_language(voice->session);
    return assistant != NULL ? phone_plan_words(&assistant->phone, language)
                             : phone_words_of(language);
}

static void say_aside(struct voice *voice, const char *text)
{
    speak_language(voice);
    send_words(voice, text, true);
}

/* What would not be told of a turn any more is not said either. */
static bool has_room(const struct voice *voice, const char *text)
{
    const size_t most = voice->step > 0 ? VOICE_PIECE_MAX : SPEAK_TEXT_MAX;
    return voice->said.length + strlen(text) + 1 <= most;
}

static void say(struct voice *voice, const char *text)
{
    struct session *session = voice->session;
    const char *said = voice->said.data;
    const size_t length = voice->said.length;
    bool gap = voice->gap && length > 0 && said[length - 1] != ' ' && text[0] != ' ';
    if (voice->is_withheld || text[0] == '\0')
        return;
    voice->is_full = voice->is_full || !has_room(voice, text);
    if (voice->is_full)
        return;
    text = arena_printf(session->arena, "%s%s", gap ? " " : "", text);
    if (rules_are_told(session, arena_printf(session->arena, "%s%s", said, text))) {
        voice->is_withheld = true;
        return;
    }
    voice->gap = false;
    strbuf_add_text(&voice->said, text);
    send_words(voice, text, false);
}

/* An answer that goes on behind what was said is spoken at once; one that says it again, as models
 * do, from where that ends. */
static void give(struct voice *voice, const char *piece)
{
    if (voice->skip == NULL) {
        say(voice, piece);
        return;
    }
    size_t from;
    strbuf_add_text(&voice->held, piece);
    if (speak_repeats(voice->skip, voice->held.data, &from))
        return;
    free(voice->skip);
    voice->skip = NULL;
    voice->gap = voice->gap && from == 0;
    say(voice, voice->held.data + from);
    strbuf_clear(&voice->held);
}

static void give_pieces(struct voice *voice)
{
    const char *piece;
    while ((piece = speak_next(voice->speak, voice->session->arena)) != NULL)
        give(voice, piece);
}

static void begin_answer(struct voice *voice)
{
    if (voice->speak != NULL)
        return;
    speak_language(voice);
    voice->speak = speak_new(voice_language(voice->session));
    voice->gap = true;
}

static void end_answer(struct voice *voice)
{
    if (voice->speak == NULL)
        return;
    speak_finish(voice->speak);
    give_pieces(voice);
    speak_free(&voice->speak);
    free(voice->skip); /* all of it was said before */
    voice->skip = NULL;
    strbuf_clear(&voice->held);
}

static void on_text(void *arg, const char *bytes, size_t length)
{
    struct session *session = arg;
    struct voice *voice = session->voice;
    voice->token_ms = clock_mono_ms();
    begin_answer(voice);
    speak_add(voice->speak, bytes, length);
    give_pieces(voice);
}

voice_on_text_fn *voice_listener(const struct session *session)
{
    return session->voice != NULL ? on_text : NULL;
}

static const char *said_of(struct voice *voice)
{
    return arena_strndup(voice->session->arena, voice->said.data, voice->said.length);
}

const char *voice_answered(struct session *session)
{
    struct voice *voice = session->voice;
    end_answer(voice);
    return said_of(voice);
}

/* Words of ours are whole where they fit. */
const char *voice_say(struct session *session, const char *words)
{
    struct voice *voice = session->voice;
    voice->is_full = false;
    begin_answer(voice);
    speak_add(voice->speak, words, strlen(words));
    return voice_answered(session);
}

void voice_broke_off(struct session *session)
{
    struct voice *voice = session->voice;
    if (voice == NULL || voice->speak == NULL)
        return;
    speak_free(&voice->speak);
    strbuf_clear(&voice->held);
    free(voice->skip);
    voice->skip = voice->said.length > 0 ? xstrdup(voice->said.data) : NULL;
    voice->broke_off = voice->said.length > voice->bridged;
}

void voice_asked(struct session *session)
{
    struct voice *voice = session->voice;
    if (voice == NULL || !voice->broke_off)
        return;
    voice->broke_off = false;
    voice->bridged = voice->said.length;
    say_aside(voice, words_of(voice)->bridge);
}

/* The turn's last frame: its words are over, or the relay session is, too. */
static void send_end(struct voice *voice, const char *handoff)
{
    voice->hands_off = handoff != NULL;
    if (handoff != NULL)
        voice_send_frame(voice, (struct voice_frame){.kind = VOICE_FRAME_END, .handoff = handoff});
    else if (voice->said.length > 0)
        voice_send_frame(voice, (struct voice_frame){.kind = VOICE_FRAME_TEXT, .last = true});
}

const char *voice_concluded(struct session *session, const char *body, bool is_spoken)
{
    struct voice *voice = session->voice;
    if (voice == NULL || voice->is_over)
        return body;
    voice->is_over = true;
    if (voice->is_cut) {
        speak_free(&voice->speak);
        return voice->said.length > 0 ? said_of(voice) : arena_strdup(session->arena, voice->heard);
    }
    if (!is_spoken) {
        voice_broke_off(session); /* what the model had begun */
        free(voice->skip);
        voice->skip = NULL;
        voice->is_withheld = false;
        voice_say(session, body);
    }
    send_end(voice, is_spoken ? voice_end_handoff(session) : NULL);
    return said_of(voice);
}

/* ---- what was heard before ---- */

/* What the model said in rounds that stand is in its prompt: its next answer goes on behind that.
 */
static const char *behind_rounds(struct voice *voice, const char *said)
{
    struct session *session = voice->session;
    for (size_t i = 0; i < session->rounds.count && said[0] != '\0'; i++) {
        const char *clean =
            speak_clean(session->arena, voice_language(session), session->rounds.items[i]->said);
        size_t from = 0;
        if (speak_repeats(clean, said, &from)) {
            say(voice, clean + strlen(said));
            return "";
        }
        said += from;
        while (*said == ' ')
            said++;
    }
    return said;
}

static void go_on(struct voice *voice)
{
    struct session *session = voice->session;
    const char *heard = voice->heard;
    voice->asks = voice->is_asking = false;
    if (!voice->is_cut) {
        const size_t at = speak_resume_end(heard, voice_language(session));
        strbuf_add(&voice->said, heard, at);
        const char *rest = behind_rounds(voice, arena_strndup(session->arena, heard, at));
        voice->skip = rest[0] != '\0' ? xstrdup(rest) : NULL;
    }
    think_start(session);
}

struct asked {
    struct sessions *sessions;
    struct uuid session;
    int64_t fence;
    struct arena *arena;
};

struct voice *voice_of(struct sessions *sessions, const struct uuid *id)
{
    struct session *session = map_get(sessions->by_id, id->bytes, sizeof id->bytes);
    return session != NULL && session->arena != NULL ? session->voice : NULL;
}

static void keep_heard(struct voice *voice, const char *text)
{
    free(voice->heard);
    voice->heard = xstrdup(text);
}

static void asked_done(void *arg, const struct pg_answer *answer)
{
    struct asked *asked = arg;
    struct voice *voice = voice_of(asked->sessions, &asked->session);
    const char *text, *reason;
    if (voice != NULL && voice->is_asking && voice->session->turn.fence == asked->fence &&
        voice->session->state == TURN_THINKING) {
        if (answer->err == NULL && voice_read_heard(answer, &text, &reason)) {
            keep_heard(voice, text);
            voice->is_cut = strcmp(reason, "interrupt") == 0;
            go_on(voice);
        } else if (clock_mono_ms() >= voice->ask_until_ms)
            go_on(voice); /* from what the row said at the start */
        else
            timer_start(voice->poll, ASK_EVERY_MS, 0);
    }
    arena_free(&asked->arena);
    free(asked);
}

static void on_poll(void *arg)
{
    struct voice *voice = arg;
    struct session *session = voice->session;
    struct asked *asked = xcalloc(1, sizeof *asked);
    asked->sessions = session->engine->sessions;
    asked->session = session->id;
    asked->fence = session->turn.fence;
    asked->arena = arena_new();
    struct pg_unit unit = {.deadline_ms = ASK_UNIT_MS, .done = asked_done, .arg = asked};
    voice_add_ask(&unit, asked->arena, arena_strdup(asked->arena, session->tenant),
                  &session->turn.turn, session->turn.fence);
    pg_submit(session->engine->pg, &unit);
}

bool voice_is_ready(struct session *session)
{
    struct voice *voice = session->voice;
    if (voice == NULL)
        return true;
    if (voice->is_cut || voice->is_moved) {
        session_apply(session, voice->is_cut ? EVENT_INTERRUPTED : EVENT_REDIAL);
        return false;
    }
    if (voice->asks && !voice->is_asking) {
        voice->is_asking = true;
        voice->ask_until_ms =
            clock_mono_ms() + session->engine->shared->settings.voice_heard_wait_ms;
        say_aside(voice, words_of(voice)->bridge);
        timer_start(voice->poll, ASK_EVERY_MS, 0);
    }
    return !voice->asks;
}

const char *voice_brief(struct session *session)
{
    const struct voice *voice = session->voice;
    if (voice == NULL)
        return NULL;
    return voice_rules_told(session->arena, voice->lang, voice->skip);
}

/* ---- the turn ---- */

static void on_filler(void *arg)
{
    struct voice *voice = arg;
    say_aside(voice, words_of(voice)->filler);
}

void voice_tool_began(struct session *session, const struct uuid *call)
{
    struct voice *voice = session->voice;
    if (voice == NULL || voice->is_cut || uuid_equal(&voice->covered, call))
        return;
    voice->covered = *call;
    timer_start(voice->filler, session->engine->shared->settings.voice_filler_ms, 0);
}

void voice_tools_ended(struct session *session)
{
    if (session->voice != NULL)
        timer_stop(session->voice->filler);
}

static struct voice *voice_new(struct session *session)
{
    struct voice *voice = xcalloc(1, sizeof *voice);
    voice->session = session;
    voice->poll = timer_new(session->engine->loop, on_poll, voice);
    voice->filler = timer_new(session->engine->loop, on_filler, voice);
    STAILQ_INIT(&voice->unsent);
    strbuf_init(&voice->said, SPEAK_TEXT_MAX);
    strbuf_init(&voice->held, 2 * SPEAK_TEXT_MAX);
    voice->heard = xstrdup("");
    return voice;
}

/* What was lost, or cut off, with another engine is what its events were then: the caller's newer
 * words are the next turn's. */
static void take_over_cut(struct session *session)
{
    session->voice->is_cut = true;
    session->turn.events = arena_strdup(session->arena, session->turn.answers);
}

void voice_started(struct session *session)
{
    const struct turn_started *turn = &session->turn;
    if (turn->call_sid[0] == '\0')
        return;
    session->entry.kind = SHARE_CALL;
    session->is_voice = true;
    if (session->voice == NULL)
        session->voice = voice_new(session);
    struct voice *voice = session->voice;
    snprintf(voice->call_sid, sizeof voice->call_sid, "%s", turn->call_sid);
    voice->partition = turn->stream_partition;
    voice->number = turn->number;
    voice->sockets = 0;
    snprintf(voice->lang, sizeof voice->lang, "%s", turn->language);
    voice->step = voice_step_of(turn->events, turn->call_sid);
    keep_heard(voice, turn->heard);
    if (turn->again && strcmp(turn->heard_reason, "interrupt") == 0)
        take_over_cut(session);
    voice->prompt = voice_prompt_of(turn->events, turn->call_sid);
    voice->asks = turn->again && !voice->is_cut && !session->recompute && voice->step == 0 &&
                  strcmp(turn->heard_reason, "anew") != 0;
    if (voice->asks)
        voice_send_frame(voice, (struct voice_frame){.kind = VOICE_FRAME_OPEN});
}

void voice_stop(struct session *session)
{
    struct voice *voice = session->voice;
    if (voice == NULL)
        return;
    STAILQ_INIT(&voice->unsent);
    timer_stop(voice->poll);
    timer_stop(voice->filler);
    speak_free(&voice->speak);
    strbuf_clear(&voice->said);
    strbuf_clear(&voice->held);
    free(voice->skip);
    voice->skip = NULL;
    voice->seq = voice->in_flight = 0;
    voice->asks = voice->is_asking = voice->is_cut = voice->is_over = voice->hands_off = false;
    voice->is_moved = voice->is_lost = voice->is_withheld = voice->is_full = voice->gap =
        voice->broke_off = false;
    voice->bridged = 0;
    voice->handoff = NULL;
}

void voice_free(struct session *session)
{
    struct voice *voice = session->voice;
    if (voice == NULL)
        return;
    voice_stop(session);
    timer_free(&voice->poll);
    timer_free(&voice->filler);
    strbuf_fini(&voice->said);
    strbuf_fini(&voice->held);
    free(voice->heard);
    free(voice);
    session->voice = NULL;
}

bool voice_has_spoken(const struct session *session)
{
    return session->voice != NULL && (session->voice->seq > 0 || session->voice->is_cut);
}

bool voice_is_urgent(const struct session *session)
{
    return session->is_voice && (session->voice == NULL || session->voice->said.length == 0);
}

bool voice_is_cut(const struct session *session)
{
    return session->voice != NULL && session->voice->is_cut;
}

bool voice_goes_on(const struct session *session)
{
    const struct voice *voice = session->voice;
    return voice != NULL && session->asked.call != NULL && voice->said.length > 0 &&
           !voice->is_cut && clock_mono_ms() - voice->token_ms < SILENCE_MS;
}

/* ---- what the ingress says ---- */

/* After its own fallback an ingress speaks nothing of the turn any more. */
static bool cuts(const char *reason, const char *text)
{
    return (strcmp(reason, "interrupt") == 0 && text[0] != '\0') || strcmp(reason, "fallback") == 0;
}

/* Nothing has left for so long, and yet it has not all that did: the rest is lost. */
static bool has_lost_frames(const struct voice *voice, const struct voice_spoken *spoken)
{
    return spoken->fence == voice->session->turn.fence && spoken->seq < voice->seq - 1 &&
           clock_mono_ms() - voice->sent_ms >= STALL_MS;
}

void voice_heard(struct sessions *sessions, const struct uuid *session,
                 const struct voice_spoken *spoken, const char *reason, const char *text)
{
    struct voice *voice = voice_of(sessions, session);
    if (voice == NULL || !uuid_equal(&voice->session->turn.turn, &spoken->turn) || voice->is_over)
        return;
    if (strcmp(reason, "stall") == 0 && has_lost_frames(voice, spoken)) {
        voice->is_moved = true;
        session_apply(voice->session, EVENT_REDIAL);
    } else if (cuts(reason, text)) {
        keep_heard(voice, text);
        voice->is_cut = true;
        session_apply(voice->session, EVENT_INTERRUPTED);
    }
}

bool voice_is_stopped(struct sessions *sessions, const struct uuid *session, int64_t epoch)
{
    const struct voice *voice = voice_of(sessions, session);
    return voice != NULL && voice->session->turn.epoch <= epoch;
}

/* Its last word has left, and the commit is on its way: the row tells how it goes on. A commit that
 * comes behind the new socket is refused. */
static bool is_told(const struct voice *voice)
{
    return voice->is_over && !voice_waits(voice->session);
}

/* The record that tells of the next socket is read long after the former one's end: what sounded in
 * between nobody heard. */
bool voice_reckon(struct sessions *sessions, const struct uuid *session, int64_t until_ms,
                  struct arena *arena, struct voice_spoken *out)
{
    struct voice *voice = voice_of(sessions, session);
    if (voice == NULL || voice->is_cut || voice->said.length == 0 ||
        (voice->hands_off && is_told(voice)))
        return false;
    const struct turn_started *turn = &voice->session->turn;
    const int64_t age_ms = clock_wall_ms() - until_ms;
    const int64_t back_ms = age_ms < 0 ? 0 : age_ms < TOLD_MAX_MS ? age_ms : TOLD_MAX_MS;
    const int64_t left_ms = voice->sounds_ms - (clock_mono_ms() - back_ms);
    const size_t sounded = voice_pace_sounded(voice->said.data, rate_of(voice->session), left_ms);
    *out = (struct voice_spoken){.turn = turn->turn,
                                 .fence = turn->fence,
                                 .epoch = turn->epoch,
                                 .seq = voice->seq - 1,
                                 .text = arena_strndup(arena, voice->said.data, sounded)};
    return true;
}

/* Its start is committed, its answer is to come. */
static bool is_at_work(const struct session *session)
{
    return session->state == TURN_THINKING || session->state == TURN_PAUSED ||
           session->state == TURN_STORING || session->state == TURN_ACTING;
}

int64_t voice_sockets(const struct session *session)
{
    return session->voice != NULL ? session->voice->sockets : 0;
}

/* A caller who had no word yet of the turn at work has waited since before his socket broke, and
 * the clock of his new ingress begins anew. */
void voice_moved(struct sessions *sessions, const struct uuid *session, int partition)
{
    struct voice *voice = voice_of(sessions, session);
    if (voice == NULL)
        return;
    voice->partition = partition;
    voice->lang[0] = '\0';
    voice->session->turn.language = "";
    voice->is_moved = voice->seq > 0 && !is_told(voice);
    if (voice->seq == 0)
        voice->sockets++;
    if (voice->is_moved)
        session_apply(voice->session, EVENT_REDIAL);
    else if (voice->seq == 0 && is_at_work(voice->session))
        say_aside(voice, words_of(voice)->bridge);
}
