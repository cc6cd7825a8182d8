/*
 * The frames of the WebSocket protocol (RFC 6455, section 5), as its client sees them: what it
 * sends is masked, what it receives must not be. No socket in here; websocket.h has that.
 */
#ifndef STANDS_LIB_FRAMES_H
#define STANDS_LIB_FRAMES_H

#include "stands/lib/buf.h"

enum stand_opcode {
    STAND_FRAME_CONTINUATION = 0,
    STAND_FRAME_TEXT = 1,
    STAND_FRAME_BINARY = 2,
    STAND_FRAME_CLOSE = 8,
    STAND_FRAME_PING = 9,
    STAND_FRAME_PONG = 10
};

/* Why a connection ends (RFC 6455, section 7.4.1). */
enum {
    STAND_CLOSE_NORMAL = 1000,
    STAND_CLOSE_GOING_AWAY = 1001,
    STAND_CLOSE_PROTOCOL = 1002,
    STAND_CLOSE_NO_CODE = 1005,
    STAND_CLOSE_ABNORMAL = 1006,
    STAND_CLOSE_NOT_UTF8 = 1007,
    STAND_CLOSE_TOO_BIG = 1009
};

/* Appends one frame. `mask`: 4 bytes, or NULL for an unmasked one. Nothing is checked: a hostile
 * peer sends what it likes. */
void stand_frame_add(struct stand_buf *out, int opcode, bool fin, const uint8_t *mask,
                     const void *data, size_t len);

/* Called with each whole message (text, binary) and each control frame; false: read no further. */
typedef bool stand_frame_fn(void *user, int opcode, const char *data, size_t len);

/* The receiving side: bytes in, messages out. */
struct stand_frames {
    struct stand_buf in;      /* bytes of a frame that is not whole yet */
    struct stand_buf message; /* fragments so far */
    int opcode;               /* of the message being put together; 0: none */
    size_t max;               /* bytes of a message */
};

/* Starts a receiver of messages of at most `max` bytes. */
void stand_frames_init(struct stand_frames *frames, size_t max);

/* Frees what the receiver holds. */
void stand_frames_fini(struct stand_frames *frames);

/* Takes `len` bytes and calls `fn` for what became whole. Returns 0, or the close code that a peer
 * which broke the protocol gets, with `*why` (static text): masked or reserved bits, an unknown
 * opcode, a bad control frame or close code, a fragment out of place, too much, not UTF-8. */
int stand_frames_feed(struct stand_frames *frames, const char *data, size_t len, stand_frame_fn *fn,
                      void *user, const char **why);

/* Whether all of the bytes are strict UTF-8. */
bool stand_utf8_all(const char *text, size_t len);

#endif
