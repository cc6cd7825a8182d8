/*
 * Framing: one function writes a frame, a receiver takes bytes as they come. Called by websocket.c.
 */
#include "stands/lib/frames.h"

#include <string.h>

enum { CONTROL_MAX = 125, HEAD_MAX = 14, REASON_AT = 2 };

void stand_frame_add(struct stand_buf *out, int opcode, bool fin, const uint8_t *mask,
                     const void *data, size_t len)
{
    uint8_t head[HEAD_MAX];
    size_t at = 2;
    head[0] = (uint8_t)((fin ? 0x80 : 0) | (opcode & 0x0f));
    if (len <= CONTROL_MAX) {
        head[1] = (uint8_t)len;
    } else {
        int bytes = len <= 0xffff ? 2 : 8;
        head[1] = bytes == 2 ? 126 : 127;
        for (int i = bytes; i > 0; i--)
            head[at++] = (uint8_t)((uint64_t)len >> (8 * (i - 1)));
    }
    if (mask) {
        head[1] |= 0x80;
        memcpy(head + at, mask, 4);
        at += 4;
    }
    stand_buf_add(out, head, at);
    size_t start = out->len;
    stand_buf_add(out, data, len);
    if (!mask || out->overflow)
        return;
    for (size_t i = 0; i < len; i++)
        out->data[start + i] = (char)((uint8_t)out->data[start + i] ^ mask[i % 4]);
}

bool stand_utf8_all(const char *text, size_t len)
{
    uint32_t code;
    for (size_t at = 0; at < len;) {
        size_t step = stand_utf8(text + at, len - at, &code);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

void stand_frames_init(struct stand_frames *frames, size_t max)
{
    *frames = (struct stand_frames){.max = max};
    stand_buf_init(&frames->in, max + HEAD_MAX);
    stand_buf_init(&frames->message, max);
}

void stand_frames_fini(struct stand_frames *frames)
{
    stand_buf_fini(&frames->in);
    stand_buf_fini(&frames->message);
    frames->opcode = 0;
}

struct frame {
    int opcode;
    bool fin;
    const char *data;
    size_t len;
};

/* Reads a frame from `data`. Returns its whole length, 0 when more bytes are needed, or -1 with the
 * close code in `*code`. */
static long read_frame(const struct stand_frames *frames, const char *data, size_t len,
                       struct frame *frame, int *code, const char **why)
{
    const uint8_t *byte = (const uint8_t *)data;
    *code = STAND_CLOSE_PROTOCOL;
    if (len < 2)
        return 0;
    frame->fin = byte[0] >> 7;
    frame->opcode = byte[0] & 0x0f;
    uint64_t size = byte[1] & 0x7f;
    bool control = frame->opcode >= STAND_FRAME_CLOSE;
    bool known =
        frame->opcode <= STAND_FRAME_BINARY || (control && frame->opcode <= STAND_FRAME_PONG);
    *why = byte[0] & 0x70 ? "a reserved bit is set" : !known ? "an unknown opcode" : NULL;
    if (!*why && byte[1] & 0x80)
        *why = "a masked frame from a server";
    if (!*why && control && (!frame->fin || size > CONTROL_MAX))
        *why = "a control frame that is too long or in fragments";
    if (*why)
        return -1;
    size_t head = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (len < head)
        return 0;
    if (head > 2) {
        size = 0;
        for (size_t i = 2; i < head; i++)
            size = size << 8 | byte[i];
    }
    if (size > frames->max) {
        *code = STAND_CLOSE_TOO_BIG;
        *why = "a frame that is too big";
        return -1;
    }
    frame->data = data + head;
    frame->len = (size_t)size;
    return len - head < size ? 0 : (long)(head + size);
}

/* What a close frame's payload is to be answered with: 0 when it is right. */
static int check_close(const struct frame *frame, const char **why)
{
    *why = "a bad close code";
    if (frame->len == 0)
        return 0;
    if (frame->len == 1)
        return STAND_CLOSE_PROTOCOL;
    int code = (uint8_t)frame->data[0] << 8 | (uint8_t)frame->data[1];
    bool known = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                 (code >= 3000 && code <= 4999);
    if (!known)
        return STAND_CLOSE_PROTOCOL;
    *why = "a close reason that is not UTF-8";
    return stand_utf8_all(frame->data + REASON_AT, frame->len - REASON_AT) ? 0
                                                                           : STAND_CLOSE_NOT_UTF8;
}

/* Adds a data frame to its message and hands that over when it is whole. */
static int take_data(struct stand_frames *frames, const struct frame *frame, stand_frame_fn *fn,
                     void *user, bool *go_on, const char **why)
{
    *why = "a fragment out of place";
    if ((frame->opcode == STAND_FRAME_CONTINUATION) != (frames->opcode != 0))
        return STAND_CLOSE_PROTOCOL;
    if (frame->opcode != STAND_FRAME_CONTINUATION)
        frames->opcode = frame->opcode;
    *why = "a message that is too big";
    stand_buf_add(&frames->message, frame->data, frame->len);
    if (frames->message.overflow)
        return STAND_CLOSE_TOO_BIG;
    if (!frame->fin)
        return 0;
    struct stand_buf message = frames->message;
    int opcode = frames->opcode;
    stand_buf_init(&frames->message, frames->max);
    frames->opcode = 0;
    *why = "text that is not UTF-8";
    int code = 0;
    if (opcode == STAND_FRAME_TEXT &&
        !stand_utf8_all(message.data ? message.data : "", message.len))
        code = STAND_CLOSE_NOT_UTF8;
    else
        *go_on = fn(user, opcode, message.data ? message.data : "", message.len);
    stand_buf_fini(&message);
    return code;
}

/* Takes whole frames off `data`. Returns how many bytes were used; `*code` is 0 or the close code;
 * `*go_on` turns false when the owner wants no more. */
static size_t take_frames(struct stand_frames *frames, const char *data, size_t len,
                          stand_frame_fn *fn, void *user, int *code, bool *go_on, const char **why)
{
    size_t used = 0;
    *code = 0;
    while (*go_on && *code == 0 && used < len) {
        struct frame frame;
        long size = read_frame(frames, data + used, len - used, &frame, code, why);
        if (size < 0)
            return used;
        *code = 0;
        if (size == 0)
            return used;
        used += (size_t)size;
        if (frame.opcode < STAND_FRAME_CLOSE)
            *code = take_data(frames, &frame, fn, user, go_on, why);
        else if (frame.opcode == STAND_FRAME_CLOSE && (*code = check_close(&frame, why)) != 0)
            return used;
        else
            *go_on = fn(user, frame.opcode, frame.data, frame.len);
    }
    return used;
}

int stand_frames_feed(struct stand_frames *frames, const char *data, size_t len, stand_frame_fn *fn,
                      void *user, const char **why)
{
    int code = 0;
    bool go_on = true;
    *why = NULL;
    while (len > 0 && code == 0 && go_on) {
        if (frames->in.len == 0) {
            size_t used = take_frames(frames, data, len, fn, user, &code, &go_on, why);
            data += used;
            len -= used;
            if (code || !go_on || len == 0)
                break;
        }
        /* A frame that is not whole waits, with as much as its buffer holds. */
        size_t room = frames->in.max - frames->in.len;
        size_t more = len < room ? len : room;
        stand_buf_add(&frames->in, data, more);
        data += more;
        len -= more;
        struct stand_buf waiting = frames->in;
        stand_buf_init(&frames->in, frames->max + HEAD_MAX);
        size_t used = take_frames(frames, waiting.data, waiting.len, fn, user, &code, &go_on, why);
        if (code == 0 && go_on)
            stand_buf_add(&frames->in, waiting.data + used, waiting.len - used);
        stand_buf_fini(&waiting);
    }
    return code;
}
