/* Private to voice.c, voice_frames.c and voice_step.c: the voice of a call's turn. */
#ifndef DESK_ENGINE_VOICE_INSIDE_H
#define DESK_ENGINE_VOICE_INSIDE_H

#include <sys/queue.h>

#include "base/strbuf.h"
#include "contract/voice.h"
#include "loop/loop.h"
#include "voice.h"

/* A frame of a turn whose start is not committed, in the turn's arena with its texts. */
struct voice_held {
    STAILQ_ENTRY(voice_held) link;
    struct voice_frame frame;
};

struct voice {
    struct session *session;
    STAILQ_HEAD(, voice_held) unsent; /* in their order */
    char call_sid[48];
    int partition;
    int64_t number, seq; /* of the turn; of the next frame in this fence */
    int64_t in_flight;   /* frames of this fence that no broker has yet, as far as we know */
    int64_t prompt;      /* the newest that it answers; 0: none of a relay session */
    int64_t step; /* webhook mode: which one it answers, whole, when it is committed; else 0 */
    const char *handoff; /* of that answer, in the turn's arena; NULL: none */
    bool asks;           /* an engine before may have spoken: what was heard is asked first */
    bool is_asking, is_cut, is_over;
    bool hands_off;       /* its end is a hand-off, which nobody may begin again */
    int64_t sockets;      /* that came since the start, and need no other one */
    bool is_moved;        /* the fence is of no use any more: another socket, or a frame was lost */
    bool is_lost;         /* a frame of this fence is: whatever follows it is not spoken */
    struct uuid repeated; /* the turn that was begun anew for that, at most once */
    bool is_withheld;     /* the answer quotes the rules: no more of it leaves */
    bool is_full;         /* a piece had no room: a later one would leave a hole */
    bool gap;             /* a new answer begins: a space stands before it */
    bool broke_off;       /* a model did, in the middle of speech, and none goes on yet */
    size_t bridged;       /* so much was said when the caller last heard that it goes on */
    struct speak *speak;  /* of the answer that comes; NULL: none has begun */
    struct strbuf said;   /* the reply so far */
    struct strbuf held;   /* of an answer that may only repeat what was said */
    char *skip;           /* what it may repeat; NULL: nothing */
    char *heard;          /* as far as the row knows */
    struct timer *poll, *filler;
    struct uuid covered;           /* the tool call that the filler is for */
    char lang[VOICE_LANG_MAX + 1]; /* that the socket was switched to; "": the usual */
    int64_t ask_until_ms, token_ms, sent_ms;
    int64_t sounds_ms; /* until when what has left sounds, about */
};

/* The voice of a turn that is at work in memory; NULL: there is none. */
struct voice *voice_of(struct sessions *sessions, const struct uuid *id);

/* Fills in which turn it is of and sends it; while the turn's start is not committed, it is kept
 * until voice_start_stands. Webhook mode has no frames: of an END the hand-off is kept. Texts are
 * borrowed. */
void voice_send_frame(struct voice *voice, struct voice_frame frame);

#endif
