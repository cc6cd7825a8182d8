/* What waits to leave on one connection: whole frames, so that those of which no byte has left can
 * still be dropped, and no frame is ever torn by ours. Called by socket.c. */
#include "http/socket_inside.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FRAMES_AT_ONCE 16

struct queued_frame {
    struct queued_frame *next;
    size_t length, sent;
    bool may_drop;
    uint8_t bytes[];
};

void send_queue_add(struct send_queue *queue, bool may_drop, const uint8_t *head,
                    size_t head_length, const void *payload, size_t length, size_t sent)
{
    struct queued_frame *frame = xmalloc(sizeof *frame + head_length + length);
    *frame =
        (struct queued_frame){.length = head_length + length, .sent = sent, .may_drop = may_drop};
    memcpy(frame->bytes, head, head_length);
    if (length > 0)
        memcpy(frame->bytes + head_length, payload, length);
    if (queue->last != NULL)
        queue->last->next = frame;
    else
        queue->first = frame;
    queue->last = frame;
    queue->bytes += frame->length - sent;
}

size_t send_queue_drop(struct send_queue *queue, bool all)
{
    struct queued_frame **at = &queue->first;
    size_t dropped = 0;
    queue->last = NULL;
    while (*at != NULL) {
        struct queued_frame *frame = *at;
        if (frame->sent > 0 || (!all && !frame->may_drop)) {
            queue->last = frame;
            at = &frame->next;
            continue;
        }
        *at = frame->next;
        queue->bytes -= frame->length;
        free(frame);
        dropped++;
    }
    return dropped;
}

static void note_sent(struct send_queue *queue, size_t sent)
{
    queue->bytes -= sent;
    while (sent > 0) {
        struct queued_frame *frame = queue->first;
        size_t left = frame->length - frame->sent;
        if (sent < left) {
            frame->sent += sent;
            return;
        }
        sent -= left;
        queue->first = frame->next;
        if (queue->first == NULL)
            queue->last = NULL;
        free(frame);
    }
}

int send_queue_flush(struct send_queue *queue, int fd)
{
    while (queue->first != NULL) {
        struct iovec parts[FRAMES_AT_ONCE];
        size_t count = 0, wanted = 0;
        struct queued_frame *frame = queue->first;
        for (; frame != NULL && count < FRAMES_AT_ONCE; frame = frame->next) {
            size_t left = frame->length - frame->sent;
            parts[count++] =
                (struct iovec){.iov_base = frame->bytes + frame->sent, .iov_len = left};
            wanted += left;
        }
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        note_sent(queue, (size_t)sent);
        if ((size_t)sent < wanted)
            return 0;
    }
    return 0;
}

void send_queue_fini(struct send_queue *queue)
{
    while (queue->first != NULL) {
        struct queued_frame *next = queue->first->next;
        free(queue->first);
        queue->first = next;
    }
    *queue = (struct send_queue){.bytes = 0};
}
