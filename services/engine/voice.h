/* The spoken side of a turn: what of the model's words has left as frames, what an engine before
 * may have said, and the words that cover a wait (docs/VOICE.md, the turn of a call). A session of
 * texts has no voice (session->voice is NULL): every function here does nothing for it, unless it
 * says otherwise. Loop thread only. */
#ifndef DESK_ENGINE_VOICE_H
#define DESK_ENGINE_VOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session.h"

struct voice_spoken;

/* A start was answered with a turn: of a call it gets its voice. Called when session->turn is there
 * and session->recompute still says whether this engine began the turn anew. */
void voice_started(struct session *session);

/* The start is committed: the frames that waited for that leave. */
void voice_start_stands(struct session *session);

/* True while a broker may yet take a frame of the turn: an engine that died with it, behind the
 * commit, would leave words that nobody says. Each frame is taken or lost within
 * VOICE_FRAME_LATE_MS. */
bool voice_waits(const struct session *session);

/* It is known what became of a frame of the session's turn under that fence. The last one of a turn
 * that is all said lets its commit go. `sessions` may be NULL: none is there any more. */
void voice_landed(struct sessions *sessions, const struct uuid *id, int64_t fence, bool is_lost);

/* True, once a turn, when a frame of a model's answer that is all said was lost and there is time
 * to go on from what was heard. */
bool voice_repeats(struct session *session);

/* The turn in memory ends, however; and the session goes. */
void voice_stop(struct session *session);
void voice_free(struct session *session);

/* True when the caller has been given anything of the turn, or may have been by an engine before:
 * then it is finished as it is, and what he says is the next turn's. */
bool voice_has_spoken(const struct session *session);

/* True while nothing of the turn's answer was spoken: when the first word of a model is slow, the
 * next model of the chain may be asked beside it. */
bool voice_is_urgent(const struct session *session);

/* True when the caller has cut in on the turn: what he heard is its reply. */
bool voice_is_cut(const struct session *session);

/* True while an answer that is being spoken goes on to come: no deadline cuts it. */
bool voice_goes_on(const struct session *session);

/* Whether the model can be asked; if not, think_start is called again, or the turn has ended. */
bool voice_is_ready(struct session *session);

/* The tag of the language in which the session's call is spoken to. Not for texts. */
const char *voice_language(struct session *session);

/* What the prompt says of this moment of a call, in the turn's arena; NULL: nothing. */
const char *voice_brief(struct session *session);

/* The model's words as they come; `arg` is the session. NULL for one of texts: nobody listens. */
typedef void voice_on_text_fn(void *arg, const char *bytes, size_t length);
voice_on_text_fn *voice_listener(const struct session *session);

/* The model's answer is complete: what was held back leaves. Returns the whole reply so far, in the
 * turn's arena; not for texts. */
const char *voice_answered(struct session *session);

/* Says words of ours as the turn's answer; returns the whole reply as voice_answered does. */
const char *voice_say(struct session *session, const char *words);

/* It broke off: what has not left is dropped, and the next answer goes on behind what has. */
void voice_broke_off(struct session *session);

/* A model is asked. After one that broke off in the middle of speech the caller hears that the
 * answer goes on. */
void voice_asked(struct session *session);

/* The turn ends with this reply: `body` is spoken first unless it came from the model, then the
 * last frame leaves. Returns what the turn has said, in its arena; `body` itself for texts. */
const char *voice_concluded(struct session *session, const char *body, bool is_spoken);

/* A tool begins to work, for the first time or again: the wait for it is covered by a word, once.
 * Tools have ended. */
void voice_tool_began(struct session *session, const struct uuid *call);
void voice_tools_ended(struct session *session);

/* The ingress has said how far a turn was spoken; `reason` is the contract's word, `text` all that
 * was heard of the turn, over all its fences. */
struct voice_spoken;
void voice_heard(struct sessions *sessions, const struct uuid *session,
                 const struct voice_spoken *spoken, const char *reason, const char *text);

/* Whether the turn at work here is one that somebody took over: of the epoch in which the last turn
 * spoke that its ingress has heard of, or an older one. What began behind the hand-back is not. */
bool voice_is_stopped(struct sessions *sessions, const struct uuid *session, int64_t epoch);

/* What has sounded of the turn that is being spoken here, judged by the time, for an ingress that
 * is gone: *out as it would have told it at the end of its socket, texts in the arena. until_ms:
 * what was written by then has sounded, epoch ms. False when nothing of a turn has left as frames,
 * or all of one that ends the relay session. */
bool voice_reckon(struct sessions *sessions, const struct uuid *session, int64_t until_ms,
                  struct arena *arena, struct voice_spoken *out);

/* How many sockets came since the turn's start that it goes on over without a new one. */
int64_t voice_sockets(const struct session *session);

/* The call has another socket, whose ingress reads that partition. */
void voice_moved(struct sessions *sessions, const struct uuid *session, int partition);

#endif
