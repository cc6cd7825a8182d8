/* A multi handle of curl on the loop: its descriptors are loop watches, its time-out is a timer.
 * Used by the shards of the HTTP client and by streams. */
#include <curl/curl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/client_inside.h"

/* A descriptor that curl watches. */
struct socket {
    struct http_multi *multi;
    struct watch *watch;
    int fd;
};

/* The owner may be gone when `acted` returns. */
static void act(struct http_multi *multi, curl_socket_t fd, int events)
{
    int running;
    *multi->inside = true;
    curl_multi_socket_action(multi->curl, fd, events, &running);
    *multi->inside = false;
    multi->acted(multi->arg);
}

static void on_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(void *arg, int events)
{
    struct socket *socket = arg;
    act(socket->multi, socket->fd,
        (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
            (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *at)
{
    (void)easy;
    struct http_multi *multi = arg;
    struct socket *socket = at;
    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) {
            watch_free(&socket->watch);
            free(socket);
            curl_multi_assign(multi->curl, fd, NULL);
        }
        return 0;
    }
    if (socket == NULL) {
        socket = xcalloc(1, sizeof *socket);
        *socket = (struct socket){.multi = multi, .fd = fd};
        socket->watch = watch_new(multi->loop, fd, on_socket, socket);
        curl_multi_assign(multi->curl, fd, socket);
    }
    watch_set(socket->watch,
              (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
    return 0;
}

static int on_curl_timer(CURLM *curl, long timeout_ms, void *arg)
{
    (void)curl;
    struct http_multi *multi = arg;
    if (timeout_ms < 0)
        timer_stop(multi->timer);
    else
        timer_start(multi->timer, timeout_ms, 0);
    return 0;
}

void http_multi_open(struct http_multi *multi)
{
    multi->timer = timer_new(multi->loop, on_timer, multi);
    multi->curl = curl_multi_init();
    http_must(multi->curl == NULL);
    http_must(curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_curl_socket));
    http_must(curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi));
    http_must(curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_curl_timer));
    http_must(curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi));
}

void http_multi_close(struct http_multi *multi)
{
    curl_multi_cleanup(multi->curl);
    timer_free(&multi->timer);
}
