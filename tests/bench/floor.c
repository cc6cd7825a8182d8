/* The floors of the benchmarks: each hop bare, with the library and nothing of ours around it.
 * Prints one JSON object. Run by tests/bench/run, which pins it and compares (rows
 * S1, I1, I2, E1, M1, P2, S2, V1, V2 of docs/BENCHMARKS.md). */
#include <curl/curl.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/samples.h"

#define BODY_BYTES 300

/* Waits until the next unit is to begin: units a second, 0 for as fast as they go. */
static void pace(int64_t *next_us, int rate)
{
    if (rate == 0)
        return;
    *next_us = *next_us == 0 ? now_us() : *next_us + 1000000 / rate;
    for (int64_t left_us = *next_us - now_us(); left_us > 0; left_us = *next_us - now_us())
        poll(NULL, 0, (int)((left_us + 999) / 1000));
}

static int rate_of(const char *text)
{
    return number_of(text, 0, 10000, "a rate must be 0-10000 a second");
}

/* ---- http URL COUNT RATE: sequential GETs on one connection ---- */

static size_t drop_body(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes, (void)arg;
    return size * count;
}

static int run_http(char **args)
{
    int count = count_of(args[1]), rate = rate_of(args[2]);
    int64_t next = 0;
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, args[0]);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_body);
    double cpu = cpu_us();
    for (int i = 0; i < count; i++) {
        pace(&next, rate);
        int64_t start = now_us();
        if (curl_easy_perform(easy) != CURLE_OK)
            die("the request failed");
        sample(now_us() - start);
    }
    report(&(struct measured){.units = count, .cpu_us = cpu_us() - cpu});
    curl_easy_cleanup(easy);
    return 0;
}

/* ---- commit URL COUNT RATE: one-statement commits on one connection ---- */

static PGconn *open_table(const char *url)
{
    PGconn *pg = PQconnectdb(url);
    if (PQstatus(pg) != CONNECTION_OK)
        die(PQerrorMessage(pg));
    PQclear(PQexec(pg, "CREATE TABLE IF NOT EXISTS bench_floor (id bigint, body text)"));
    return pg;
}

static void commit_one(PGconn *pg)
{
    const char *params[2] = {"1", "three hundred bytes or so would be a text message"};
    PGresult *r =
        PQexecParams(pg, "INSERT INTO bench_floor VALUES ($1, $2)", 2, NULL, params, NULL, NULL, 0);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die(PQerrorMessage(pg));
    PQclear(r);
}

static void close_table(PGconn *pg)
{
    PQclear(PQexec(pg, "DROP TABLE bench_floor"));
    PQfinish(pg);
}

static int run_commit(char **args)
{
    int count = count_of(args[1]), rate = rate_of(args[2]);
    int64_t next = 0;
    PGconn *pg = open_table(args[0]);
    double cpu = cpu_us();
    for (int i = 0; i < count; i++) {
        pace(&next, rate);
        int64_t start = now_us();
        commit_one(pg);
        sample(now_us() - start);
    }
    report(&(struct measured){.units = count, .cpu_us = cpu_us() - cpu});
    close_table(pg);
    return 0;
}

/* ---- Kafka ---- */

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char problem[256];
    if (rd_kafka_conf_set(conf, key, value, problem, sizeof problem) != RD_KAFKA_CONF_OK)
        die(problem);
}

struct flight {
    int64_t start;
};
static int acked, in_window;
static rd_kafka_t *producer;

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
    (void)rk, (void)arg;
    struct flight *flight = message->_private;
    if (message->err)
        die("a record was not acknowledged");
    sample(now_us() - flight->start);
    free(flight);
    acked++;
    in_window--;
}

static rd_kafka_topic_t *open_producer(const char *brokers, const char *topic)
{
    char problem[256];
    const struct rd_kafka_metadata *metadata;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "0");
    set(conf, "socket.nagle.disable", "true");
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, problem, sizeof problem);
    if (producer == NULL)
        die(problem);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    if (rd_kafka_metadata(producer, 0, handle, &metadata, 10000) != 0)
        die("no metadata");
    rd_kafka_metadata_destroy(metadata);
    return handle;
}

static void produce(rd_kafka_topic_t *topic, int number)
{
    char body[BODY_BYTES];
    memset(body, 'x', sizeof body);
    struct flight *flight = malloc(sizeof *flight);
    if (flight == NULL)
        die("memory");
    flight->start = now_us();
    in_window++;
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, body, sizeof body,
                         &number, sizeof number, flight) != 0)
        die("produce failed");
}

/* produce BROKERS TOPIC COUNT WINDOW: acknowledged records, so many in flight */
static int run_produce(char **args)
{
    int count = count_of(args[2]), window = count_of(args[3]);
    rd_kafka_topic_t *topic = open_producer(args[0], args[1]);
    for (int i = 0; i < 500; i++) /* the broker warms up */
        produce(topic, i);
    rd_kafka_flush(producer, 20000);
    sample_count = acked = 0;
    double cpu = cpu_us();
    for (int sent = 0; acked < count;) {
        while (sent < count && in_window < window)
            produce(topic, sent++);
        rd_kafka_poll(producer, 100);
    }
    report(&(struct measured){.units = count, .cpu_us = cpu_us() - cpu});
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return 0;
}

/* ---- wake BROKERS TOPIC COUNT: a thread is woken and produces one record, to its
 * acknowledgement ---- */

struct waker {
    int fd;
    rd_kafka_topic_t *topic;
    int count;
};

static void *produce_when_woken(void *arg)
{
    struct waker *waker = arg;
    struct epoll_event event = {.events = EPOLLIN};
    uint64_t wakes;
    int loop = epoll_create1(0);
    epoll_ctl(loop, EPOLL_CTL_ADD, waker->fd, &event);
    for (int i = 0; i < waker->count; i++) {
        if (epoll_wait(loop, &event, 1, -1) != 1 || read(waker->fd, &wakes, sizeof wakes) < 0)
            die("the wake-up was lost");
        produce(waker->topic, i);
    }
    close(loop);
    return NULL;
}

static int run_wake(char **args)
{
    struct waker waker = {.fd = eventfd(0, EFD_CLOEXEC),
                          .topic = open_producer(args[0], args[1]),
                          .count = count_of(args[2])};
    pthread_t thread;
    for (int i = 0; i < 200; i++) { /* the broker warms up */
        produce(waker.topic, i);
        rd_kafka_flush(producer, 5000);
    }
    sample_count = acked = 0;
    if (pthread_create(&thread, NULL, produce_when_woken, &waker) != 0)
        die("no thread");
    int64_t *took = calloc((size_t)waker.count, sizeof *took);
    double cpu = cpu_us();
    for (int i = 0; took != NULL && i < waker.count; i++) {
        uint64_t one = 1;
        int64_t start = now_us();
        if (write(waker.fd, &one, sizeof one) != sizeof one)
            die("the wake-up failed");
        while (acked <= i)
            rd_kafka_poll(producer, 1000);
        took[i] = now_us() - start;
    }
    cpu = cpu_us() - cpu;
    pthread_join(thread, NULL);
    sample_count = 0;
    for (int i = 0; took != NULL && i < waker.count; i++)
        sample(took[i]);
    free(took);
    report(&(struct measured){.units = waker.count, .cpu_us = cpu});
    rd_kafka_topic_destroy(waker.topic);
    rd_kafka_destroy(producer);
    close(waker.fd);
    return 0;
}

static rd_kafka_t *open_consumer(const char *brokers, const char *topic, int partitions)
{
    char problem[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "bench-floor");
    set(conf, "socket.nagle.disable", "true");
    set(conf, "queued.min.messages", "1000");
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, problem, sizeof problem);
    if (consumer == NULL)
        die(problem);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return consumer;
}

static void await_one(rd_kafka_t *consumer)
{
    for (int64_t end = now_us() + 10000000; now_us() < end;) {
        rd_kafka_poll(producer, 0);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message == NULL)
            continue;
        bool record = message->err == 0;
        rd_kafka_message_destroy(message);
        if (record)
            return;
    }
    die("a record did not arrive");
}

static void one_hop(rd_kafka_topic_t *topic, rd_kafka_t *consumer, int number)
{
    produce(topic, number);
    await_one(consumer);
}

/* What a spoken turn cannot do without. */
static void one_turn(rd_kafka_topic_t *topic, rd_kafka_t *consumer, PGconn *pg, int number)
{
    one_hop(topic, consumer, number);
    commit_one(pg);
    one_hop(topic, consumer, number);
}

/* hop BROKERS TOPIC PARTITIONS COUNT RATE: from produce to consumed, one at a time; turn ... URL:
 * that, a one-statement commit and that again */
static int run_hop(char **args)
{
    int count = count_of(args[3]), rate = rate_of(args[4]);
    int64_t next = 0;
    PGconn *pg = args[5] != NULL ? open_table(args[5]) : NULL;
    rd_kafka_topic_t *topic = open_producer(args[0], args[1]);
    rd_kafka_t *consumer = open_consumer(args[0], args[1], count_of(args[2]));
    for (int64_t end = now_us() + 1500000; now_us() < end;) /* its fetchers start */
        rd_kafka_consumer_poll(consumer, 50);
    for (int i = 0; i < 200; i++)
        one_hop(topic, consumer, i);
    if (pg != NULL)
        commit_one(pg);
    rd_kafka_flush(producer, 5000);
    sample_count = 0;
    int64_t *hops = calloc((size_t)count, sizeof *hops);
    if (hops == NULL)
        die("memory");
    double cpu = cpu_us();
    for (int i = 0; i < count; i++) {
        pace(&next, rate);
        int64_t start = now_us();
        if (pg != NULL)
            one_turn(topic, consumer, pg, i);
        else
            one_hop(topic, consumer, i);
        hops[i] = now_us() - start;
    }
    cpu = cpu_us() - cpu;
    rd_kafka_flush(producer, 5000);
    sample_count = 0;
    for (int i = 0; i < count; i++)
        sample(hops[i]);
    free(hops);
    report(&(struct measured){.units = count, .cpu_us = cpu});
    if (pg != NULL)
        close_table(pg);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return 0;
}

/* idle BROKERS TOPIC PARTITIONS CONSUMERS SECONDS: a producer and so many consumers at rest, polled
 * once a second */
static int run_idle(char **args)
{
    int count = count_of(args[3]), seconds = count_of(args[4]);
    rd_kafka_topic_t *topic = open_producer(args[0], args[1]);
    rd_kafka_t *consumers[8];
    if (count > 8)
        die("at most 8 consumers");
    for (int i = 0; i < count; i++)
        consumers[i] = open_consumer(args[0], args[1], count_of(args[2]));
    double cpu = 0;
    for (int i = -3; i < seconds; i++) { /* the first seconds are the start */
        if (i == 0)
            cpu = cpu_us();
        rd_kafka_poll(producer, 0);
        for (int k = 0; k < count; k++)
            rd_kafka_consumer_poll(consumers[k], 1000 / count);
    }
    report(&(struct measured){.units = seconds, .cpu_us = cpu_us() - cpu});
    for (int i = 0; i < count; i++) {
        rd_kafka_consumer_close(consumers[i]);
        rd_kafka_destroy(consumers[i]);
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return 0;
}

/* ---- sse URL BODY COUNT CONCURRENCY CA_FILE: a bare libcurl loop over sharded multi handles; with
 * a CA file ("-": none) over TLS and HTTP/2 ---- */

#define SHARD       640
#define ADD_AT_ONCE 64 /* so that a listening socket's queue never overflows */

struct shard {
    CURLM *multi;
    int number, running;
    int64_t due_us; /* of libcurl's timer; 0: none */
};

static int poller; /* epoll, of all shards */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    (void)easy;
    struct shard *shard = arg;
    struct epoll_event event = {.events = 0,
                                .data.u64 = (uint64_t)shard->number << 32 | (uint32_t)fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(poller, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    event.events |= what & CURL_POLL_IN ? EPOLLIN : 0;
    event.events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
    if (epoll_ctl(poller, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0)
        die("epoll");
    curl_multi_assign(shard->multi, fd, shard);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    ((struct shard *)arg)->due_us = timeout_ms < 0 ? 0 : now_us() + timeout_ms * 1000;
    return 0;
}

static void open_shard(struct shard *shard, int number)
{
    shard->number = number;
    shard->multi = curl_multi_init();
    curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)SHARD * 2);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
}

static void act(struct shard *shards, int count)
{
    struct epoll_event events[256];
    int running, timeout_ms = 100;
    for (int i = 0; i < count; i++)
        if (shards[i].due_us != 0 && shards[i].due_us <= now_us()) {
            shards[i].due_us = 0;
            curl_multi_socket_action(shards[i].multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
    for (int i = 0; i < count; i++)
        if (shards[i].due_us != 0 && (shards[i].due_us - now_us()) / 1000 + 1 < timeout_ms)
            timeout_ms = (int)((shards[i].due_us - now_us()) / 1000) + 1;
    int ready = epoll_wait(poller, events, 256, timeout_ms < 0 ? 0 : timeout_ms);
    for (int i = 0; i < ready; i++) {
        int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(shards[events[i].data.u64 >> 32].multi,
                                 (curl_socket_t)(uint32_t)events[i].data.u64, mask, &running);
    }
}

static void add_call(struct shard *shard, char **args)
{
    CURL *easy = curl_easy_init();
    static struct curl_slist *headers;
    if (headers == NULL)
        headers =
            curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
    curl_easy_setopt(easy, CURLOPT_URL, args[0]);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, args[1]);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_body);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L); /* 64 KiB a call over HTTP/2 */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (strcmp(args[4], "-") != 0) {
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_CAINFO, args[4]);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    }
    curl_multi_add_handle(shard->multi, easy);
    shard->running++;
}

static int reap(struct shard *shard)
{
    int left, done = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(shard->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        if (message->data.result != CURLE_OK)
            die("a call failed");
        CURL *easy = message->easy_handle;
        curl_multi_remove_handle(shard->multi, easy);
        curl_easy_cleanup(easy);
        shard->running--;
        done++;
    }
    return done;
}

/* Resident memory now, as the page tables have it. */
static double rss_bytes(void)
{
    char line[128];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %lf kB", &kilobytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kilobytes * 1024;
}

struct round_robin {
    struct shard *shards;
    int shard_count, next;
};

static void add_calls(struct round_robin *turn, char **args, int count)
{
    for (int i = 0; i < count; i++) {
        add_call(&turn->shards[turn->next], args);
        turn->next = (turn->next + 1) % turn->shard_count;
    }
}

static int reap_all(const struct round_robin *turn)
{
    int reaped = 0;
    for (int i = 0; i < turn->shard_count; i++)
        reaped += reap(&turn->shards[i]);
    return reaped;
}

static int run_sse(char **args)
{
    int count = count_of(args[2]), concurrency = count_of(args[3]);
    struct round_robin turn = {.shard_count = (concurrency + SHARD - 1) / SHARD};
    int started = 0, done = 0;
    double rss = 0;
    turn.shards = calloc((size_t)turn.shard_count, sizeof *turn.shards);
    if (turn.shards == NULL)
        die("memory");
    poller = epoll_create1(0);
    for (int i = 0; i < turn.shard_count; i++)
        open_shard(&turn.shards[i], i);
    double base = rss_bytes(), cpu = cpu_us();
    while (done < count) {
        int room = concurrency - (started - done), left = count - started;
        int more = room < left ? room : left;
        more = more < ADD_AT_ONCE ? more : ADD_AT_ONCE;
        add_calls(&turn, args, more);
        started += more;
        act(turn.shards, turn.shard_count);
        int reaped = reap_all(&turn);
        if (done == 0 && reaped > 0 && started == concurrency)
            rss = rss_bytes() - base; /* the first one ends: all are in flight */
        done += reaped;
    }
    report(&(struct measured){
        .units = count, .cpu_us = cpu_us() - cpu, .rss_bytes = rss * count / concurrency});
    for (int i = 0; i < turn.shard_count; i++)
        curl_multi_cleanup(turn.shards[i].multi);
    close(poller);
    free(turn.shards);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        int (*run)(char **args);
    } modes[] = {
        {"http", 3, run_http}, {"commit", 3, run_commit}, {"produce", 4, run_produce},
        {"hop", 5, run_hop},   {"idle", 5, run_idle},     {"sse", 5, run_sse},
        {"wake", 3, run_wake}, {"turn", 6, run_hop},
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(argv[1], modes[i].name) == 0 && argc == modes[i].arguments + 2)
            return modes[i].run(argv + 2);
    die("http URL N RATE | commit URL N RATE | produce BROKERS TOPIC N WINDOW"
        " | hop BROKERS TOPIC PARTITIONS N RATE | idle BROKERS TOPIC PARTITIONS CONSUMERS SECONDS"
        " | sse URL BODY N CONCURRENCY CA_FILE | wake BROKERS TOPIC N"
        " | turn BROKERS TOPIC PARTITIONS N RATE URL");
}
