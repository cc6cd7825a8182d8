/* A scripted IMAP server for unit tests: a thread that takes one connection and goes through a list
 * of steps. */
#ifndef DESK_TESTS_IMAP_PEER_H
#define DESK_TESTS_IMAP_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads a line that holds `wants` (NULL: reads nothing), then sends `says`, in which TAG stands for
 * the tag of the last command. `raw_length` > 0: so many bytes of `says` as they are. */
struct peer_step {
    const char *wants, *says;
    size_t raw_length;
};

struct imap_peer {
    int listener, port, fd;
    pthread_t thread;
    const struct peer_step *steps; /* ended by one without both */
    char tag[64], line[8192];
    char problem[9000]; /* the first line that was not what was wanted */
    bool hold;          /* keeps the connection open at the end until the client closes it */
    size_t sent, room;  /* bytes; it breaks off when `room` is used up */
};

static inline void peer_send(struct imap_peer *peer, const char *bytes, size_t length)
{
    size_t left = peer->room - peer->sent;
    bool breaks_off = length >= left;
    for (length = breaks_off ? left : length; length > 0;) {
        ssize_t n = send(peer->fd, bytes, length, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        peer->sent += (size_t)n;
        bytes += n;
        length -= (size_t)n;
    }
    if (breaks_off)
        shutdown(peer->fd, SHUT_RDWR);
}

static inline bool peer_line(struct imap_peer *peer)
{
    size_t length = 0;
    while (length + 1 < sizeof peer->line && recv(peer->fd, peer->line + length, 1, 0) == 1)
        if (peer->line[length++] == '\n')
            break;
    peer->line[length] = '\0';
    return length > 0;
}

static inline void peer_say(struct imap_peer *peer, const char *text)
{
    for (const char *at; (at = strstr(text, "TAG")) != NULL; text = at + 3) {
        peer_send(peer, text, (size_t)(at - text));
        peer_send(peer, peer->tag, strlen(peer->tag));
    }
    peer_send(peer, text, strlen(text));
}

static inline void *peer_run(void *arg)
{
    struct imap_peer *peer = arg;
    peer->fd = accept(peer->listener, NULL, NULL);
    for (const struct peer_step *step = peer->steps; step->wants != NULL || step->says != NULL;
         step++) {
        if (step->wants != NULL && (!peer_line(peer) || strstr(peer->line, step->wants) == NULL)) {
            snprintf(peer->problem, sizeof peer->problem, "wanted %s, got %s", step->wants,
                     peer->line);
            break;
        }
        char first = peer->line[0];
        if (step->wants != NULL && first == 'd' && strchr(peer->line, ' ') != NULL)
            snprintf(peer->tag, sizeof peer->tag, "%.*s", (int)strcspn(peer->line, " "),
                     peer->line);
        if (step->raw_length > 0)
            peer_send(peer, step->says, step->raw_length);
        else if (step->says != NULL)
            peer_say(peer, step->says);
    }
    while (peer->hold && peer->problem[0] == '\0' && peer_line(peer)) {
    }
    close(peer->fd);
    return NULL;
}

/* One that breaks off after so many bytes; `hold`: see there. */
static inline void peer_start_short(struct imap_peer *peer, const struct peer_step *steps,
                                    bool hold, size_t room)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    memset(peer, 0, sizeof *peer);
    peer->steps = steps;
    peer->hold = hold;
    peer->room = room;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(peer->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(peer->listener, 4) != 0 ||
        getsockname(peer->listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&peer->thread, NULL, peer_run, peer) != 0)
        abort();
    peer->port = ntohs(address.sin_port);
}

static inline void peer_start(struct imap_peer *peer, const struct peer_step *steps, bool hold)
{
    peer_start_short(peer, steps, hold, SIZE_MAX);
}

static inline void peer_stop(struct imap_peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

#endif
