/* Frames of RFC 6455, from bytes and to bytes. What a header claims is judged before a byte of its
 * payload is kept, and memory grows only with bytes that have arrived. Called by socket.c. */
#include "http/socket_inside.h"

#include "base/text.h"

#include <string.h>

#define BIT_FINAL    0x80
#define BITS_RSV     0x70
#define BITS_OPCODE  0x0F
#define BIT_CONTROL  0x08
#define BIT_MASK     0x80
#define BITS_LENGTH  0x7F
#define LENGTH_IN_2  126
#define LENGTH_IN_8  127
#define MASK_BYTES   4
#define CODE_MIN     1000
#define CODE_OWN_MIN 3000
#define CODE_MAX     4999

void frame_reader_init(struct frame_reader *reader, size_t max_bytes)
{
    *reader = (struct frame_reader){.message_max = max_bytes};
    strbuf_init(&reader->message, max_bytes);
}

void frame_reader_fini(struct frame_reader *reader)
{
    strbuf_fini(&reader->message);
}

static enum frame_event bad(struct frame *frame, int code, enum socket_cause cause,
                            const char *reason)
{
    frame->code = code;
    frame->cause = cause;
    frame->reason = reason;
    return FRAME_IS_BAD;
}

static enum frame_event bad_protocol(struct frame *frame, const char *reason)
{
    return bad(frame, CLOSE_PROTOCOL, SOCKET_PROTOCOL, reason);
}

/* ---- the header ---- */

/* How long the header is, as far as its first bytes tell. */
static size_t head_wanted(const struct frame_reader *reader)
{
    if (reader->head_length < 2)
        return 2;
    size_t length = 2 + (reader->head[1] & BIT_MASK ? MASK_BYTES : 0);
    uint8_t coded = reader->head[1] & BITS_LENGTH;
    return length + (coded == LENGTH_IN_2 ? 2 : coded == LENGTH_IN_8 ? 8 : 0);
}

static uint64_t number_at(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* The claimed length; UINT64_MAX if it is not written in the shortest way. */
static uint64_t claimed(const struct frame_reader *reader)
{
    uint8_t coded = reader->head[1] & BITS_LENGTH;
    if (coded == LENGTH_IN_2) {
        uint64_t length = number_at(reader->head + 2, 2);
        return length >= LENGTH_IN_2 ? length : UINT64_MAX;
    }
    if (coded == LENGTH_IN_8) {
        uint64_t length = number_at(reader->head + 2, 8);
        return length > UINT16_MAX && length <= INT64_MAX ? length : UINT64_MAX;
    }
    return coded;
}

static enum frame_event judge_control(const struct frame_reader *reader, uint64_t length,
                                      struct frame *frame)
{
    if (reader->opcode != FRAME_CLOSE && reader->opcode != FRAME_PING &&
        reader->opcode != FRAME_PONG)
        return bad_protocol(frame, "reserved opcode");
    if (!reader->final || length > FRAME_CONTROL_MAX)
        return bad_protocol(frame, "control frame fragmented or too long");
    return FRAME_NEEDS_MORE;
}

static enum frame_event judge_data(const struct frame_reader *reader, uint64_t length,
                                   struct frame *frame)
{
    if (reader->opcode == FRAME_BINARY)
        return bad(frame, CLOSE_UNSUPPORTED, SOCKET_BINARY, "text frames only");
    if (reader->opcode != FRAME_TEXT && reader->opcode != FRAME_CONTINUATION)
        return bad_protocol(frame, "reserved opcode");
    if ((reader->opcode == FRAME_CONTINUATION) != reader->in_message)
        return bad_protocol(frame, "fragment out of order");
    if (length > reader->message_max - reader->message.length)
        return bad(frame, CLOSE_TOO_LARGE, SOCKET_TOO_LARGE, "message too large");
    return FRAME_NEEDS_MORE;
}

/* Judges the whole header and makes ready for the payload. */
static enum frame_event begin_payload(struct frame_reader *reader, struct frame *frame)
{
    uint64_t length = claimed(reader);
    reader->opcode = reader->head[0] & BITS_OPCODE;
    reader->final = (reader->head[0] & BIT_FINAL) != 0;
    if (reader->head[0] & BITS_RSV)
        return bad_protocol(frame, "reserved bits");
    if (!(reader->head[1] & BIT_MASK))
        return bad_protocol(frame, "frame is not masked");
    if (length == UINT64_MAX)
        return bad_protocol(frame, "bad length");
    enum frame_event event = reader->opcode & BIT_CONTROL ? judge_control(reader, length, frame)
                                                          : judge_data(reader, length, frame);
    if (event == FRAME_IS_BAD)
        return event;
    memcpy(reader->mask, reader->head + reader->head_length - MASK_BYTES, MASK_BYTES);
    reader->head_length = 0;
    reader->in_payload = true;
    reader->left = (uint32_t)length;
    reader->at = 0;
    return FRAME_NEEDS_MORE;
}

/* ---- the payload ---- */

static void unmask(const struct frame_reader *reader, uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] ^= reader->mask[(reader->at + i) % MASK_BYTES];
}

static void add_payload(struct frame_reader *reader, const char *bytes, size_t length)
{
    if (reader->opcode & BIT_CONTROL) {
        memcpy(reader->control + reader->at, bytes, length);
        unmask(reader, reader->control + reader->at, length);
    } else {
        strbuf_add(&reader->message, bytes, length);
        unmask(reader, (uint8_t *)reader->message.data + reader->message.length - length, length);
    }
    reader->at += (uint32_t)length;
    reader->left -= (uint32_t)length;
}

/* RFC 6455 7.4 and the registry: codes that a peer may send. */
static bool is_code(uint64_t code)
{
    return (code >= CODE_MIN && code <= 1014 && code != 1004 && code != CLOSE_NO_CODE &&
            code != CLOSE_ABNORMAL) ||
           (code >= CODE_OWN_MIN && code <= CODE_MAX);
}

static enum frame_event end_close(const struct frame_reader *reader, struct frame *frame)
{
    const char *reason = (const char *)reader->control + 2;
    frame->code = CLOSE_NO_CODE;
    if (reader->at == 0)
        return FRAME_IS_CLOSE;
    if (reader->at == 1 || !is_code(number_at(reader->control, 2)))
        return bad_protocol(frame, "bad close code");
    if (!text_is_utf8(reason, reader->at - 2))
        return bad(frame, CLOSE_NOT_UTF8, SOCKET_NOT_UTF8, "reason is not UTF-8");
    frame->code = (int)number_at(reader->control, 2);
    return FRAME_IS_CLOSE;
}

static enum frame_event end_data(struct frame_reader *reader, struct frame *frame)
{
    reader->in_message = !reader->final;
    if (!reader->final)
        return FRAME_IS_PART;
    frame->bytes = reader->message.data;
    frame->length = reader->message.length;
    if (!text_is_utf8(frame->bytes, frame->length))
        return bad(frame, CLOSE_NOT_UTF8, SOCKET_NOT_UTF8, "text is not UTF-8");
    return FRAME_IS_TEXT;
}

static enum frame_event end_frame(struct frame_reader *reader, struct frame *frame)
{
    reader->in_payload = false;
    frame->bytes = (const char *)reader->control;
    frame->length = reader->at;
    if (reader->opcode == FRAME_CLOSE)
        return end_close(reader, frame);
    if (reader->opcode == FRAME_PING)
        return FRAME_IS_PING;
    return reader->opcode == FRAME_PONG ? FRAME_IS_PONG : end_data(reader, frame);
}

enum frame_event frame_reader_take(struct frame_reader *reader, const char **bytes, size_t *length,
                                   struct frame *frame)
{
    *frame = (struct frame){.bytes = ""};
    if (!reader->in_message && !reader->in_payload)
        strbuf_fini(&reader->message); /* the last message, which the caller is done with */
    for (;;) {
        size_t wanted =
            reader->in_payload ? reader->left : head_wanted(reader) - reader->head_length;
        size_t taken = wanted < *length ? wanted : *length;
        if (reader->in_payload) {
            add_payload(reader, *bytes, taken);
        } else {
            memcpy(reader->head + reader->head_length, *bytes, taken);
            reader->head_length += (uint8_t)taken;
        }
        *bytes += taken;
        *length -= taken;
        if (taken < wanted)
            return FRAME_NEEDS_MORE;
        if (reader->in_payload)
            return end_frame(reader, frame);
        if (reader->head_length == head_wanted(reader) &&
            begin_payload(reader, frame) == FRAME_IS_BAD)
            return FRAME_IS_BAD;
    }
}

/* ---- writing ---- */

size_t frame_head_write(uint8_t out[FRAME_HEAD_MAX], enum frame_opcode opcode, size_t length)
{
    size_t bytes = length < LENGTH_IN_2 ? 0 : length <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)(BIT_FINAL | opcode);
    out[1] = (uint8_t)(bytes == 0 ? length : bytes == 2 ? LENGTH_IN_2 : LENGTH_IN_8);
    for (size_t i = 0; i < bytes; i++)
        out[2 + i] = (uint8_t)((uint64_t)length >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

size_t frame_close_write(uint8_t out[FRAME_CONTROL_MAX], int code, const char *reason)
{
    if (code == CLOSE_NO_CODE)
        return 0;
    size_t length = text_utf8_prefix(reason, FRAME_REASON_MAX);
    out[0] = (uint8_t)(code >> 8);
    out[1] = (uint8_t)code;
    memcpy(out + 2, reason, length);
    return 2 + length;
}
