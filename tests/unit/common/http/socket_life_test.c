/* The life of sockets: queues, dropping, names that are no longer anybody's, many sockets, pings,
 * drain. */
#include "unit/common/http/socket_rig.h"

static void keep_quiet(struct guest *guest, const char *text, size_t length)
{
    (void)guest, (void)text, (void)length;
}

/* "7 aaaa…": a text of 1,000 bytes that begins with its number. */
static void numbered(char text[1001], int number)
{
    memset(text, 'a', 1000);
    text[1000] = '\0';
    text[snprintf(text, 1001, "%d", number)] = ' ';
}

/* ---- queues ---- */

/* A peer that does not read loses its socket when its queue is full, and nobody else notices. What
 * it finds later is whole: the first frames without a gap, then the reason. */
static void test_slow_reader(void)
{
    char text[1001], payload[2000];
    struct socket_options options = usual_options();
    options.queue_max_bytes = 64 * 1024;
    options.close_wait_ms = WAIT_MS;
    serve(options);
    struct client slow = client_upgraded();
    struct guest *guest = last_guest();
    struct client other = client_upgraded();
    int sent = 0;
    for (numbered(text, 0);
         socket_send(server, guest->socket, SOCKET_KEEP, text, 1000) && sent < 10000;
         numbered(text, ++sent))
        loop_pass(loop);
    CU_ASSERT_TRUE(sent > 64 && sent < 10000);
    CU_ASSERT_FALSE(socket_send(server, guest->socket, SOCKET_KEEP, text, 1000));
    CU_ASSERT_EQUAL(guest->closed, 0); /* not from inside */
    WAIT_FOR(guest->closed == 1);
    CU_ASSERT_EQUAL(guest->end.cause, SOCKET_SLOW_READER);
    CU_ASSERT_EQUAL(guest->end.code, 1008);
    client_text(&other, "and I?");
    client_expect(&other, "and I?");
    const struct socket_counts *counts = socket_server_counts(server);
    CU_ASSERT_TRUE(counts->queue_high_bytes <= 64 * 1024);
    CU_ASSERT_EQUAL(counts->closed[SOCKET_SLOW_READER], 1);
    CU_ASSERT_EQUAL(counts->open, 1);
    int first = 0, taken = 0;
    while ((first = client_take(&slow, payload, sizeof payload, NULL)) == 0x81)
        CU_ASSERT_EQUAL(strtol(payload, NULL, 10), taken++);
    CU_ASSERT_EQUAL(first, 0x88);
    CU_ASSERT_EQUAL((uint8_t)payload[0] << 8 | (uint8_t)payload[1], 1008);
    CU_ASSERT_TRUE(taken < sent);
    client_close(&slow);
    client_close(&other);
    unserve();
}

static bool is_cut(const struct client *client)
{
    return send(client->fd, "x", 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN;
}

/* A peer that never reads at all does not get to keep the connection. */
static void test_slow_reader_is_cut(void)
{
    char text[1001];
    struct socket_options options = usual_options();
    options.close_wait_ms = 300;
    serve(options);
    struct client slow = client_upgraded();
    numbered(text, 0);
    while (socket_send(server, last_guest()->socket, SOCKET_KEEP, text, 1000))
        loop_pass(loop);
    WAIT_FOR(last_guest()->closed == 1);
    WAIT_FOR(is_cut(&slow));
    client_close(&slow);
    unserve();
}

/* Barge-in: of what waits, speech goes and orders stay, in their place; what has begun to leave
 * leaves whole. */
static void test_drop_queued(void)
{
    enum { SPEECH = 400, MORE = 10 };
    char text[1001], payload[2000];
    struct socket_options options = usual_options();
    options.queue_max_bytes = 1024 * 1024;
    serve(options);
    struct client client = client_upgraded();
    uint64_t socket = last_guest()->socket;
    for (int i = 0; i < SPEECH + MORE; i++) {
        if (i == SPEECH)
            CU_ASSERT_TRUE(socket_send(server, socket, SOCKET_KEEP, "order", 5));
        numbered(text, i);
        CU_ASSERT_TRUE(socket_send(server, socket, SOCKET_MAY_DROP, text, 1000));
    }
    size_t dropped = socket_drop_queued(server, socket);
    CU_ASSERT_TRUE(dropped > MORE && dropped < SPEECH);
    CU_ASSERT_EQUAL(socket_drop_queued(server, socket), 0);
    CU_ASSERT_TRUE(socket_send(server, socket, SOCKET_MAY_DROP, "after", 5));
    CU_ASSERT_EQUAL(socket_server_counts(server)->dropped, dropped);
    int taken = 0;
    for (;; taken++) {
        CU_ASSERT_EQUAL_FATAL(client_take(&client, payload, sizeof payload, NULL), 0x81);
        if (strcmp(payload, "order") == 0)
            break;
        CU_ASSERT_EQUAL(strtol(payload, NULL, 10), taken);
        CU_ASSERT_EQUAL(strlen(payload), 1000);
    }
    CU_ASSERT_EQUAL((size_t)taken + dropped, SPEECH + MORE);
    client_expect(&client, "after");
    client_close(&client);
    unserve();
}

/* The same from inside the callback that hears the interruption, with nothing behind it. */
static void interrupted(struct guest *guest, const char *text, size_t length)
{
    (void)length;
    if (strcmp(text, "interrupt") == 0)
        CU_ASSERT_TRUE(socket_drop_queued(server, guest->socket) > 0);
}

static void test_drop_inside(void)
{
    char text[1001], payload[2000];
    struct socket_options options = usual_options();
    options.queue_max_bytes = 1024 * 1024;
    serve(options);
    struct client client = client_upgraded();
    last_guest()->on_text = interrupted;
    for (int i = 0; i < 400; i++) {
        numbered(text, i);
        CU_ASSERT_TRUE(socket_send(server, last_guest()->socket, SOCKET_MAY_DROP, text, 1000));
    }
    client_text(&client, "interrupt");
    WAIT_FOR(last_guest()->texts == 1);
    CU_ASSERT_TRUE(socket_send(server, last_guest()->socket, SOCKET_KEEP, "next", 4));
    int taken = 0;
    while (client_take(&client, payload, sizeof payload, NULL) == 0x81 &&
           strcmp(payload, "next") != 0)
        CU_ASSERT_EQUAL(strtol(payload, NULL, 10), taken++);
    CU_ASSERT_STRING_EQUAL(payload, "next");
    CU_ASSERT_EQUAL((uint64_t)taken + socket_server_counts(server)->dropped, 400);
    client_close(&client);
    unserve();
}

/* ---- names ---- */

/* A name is nobody's after its socket ended, although the next socket lives in the same place. */
static void test_use_after_close(void)
{
    serve(usual_options());
    struct client first = client_upgraded();
    uint64_t stale = last_guest()->socket;
    client_close(&first);
    WAIT_FOR(last_guest()->closed == 1);
    struct client second = client_upgraded();
    uint64_t fresh = last_guest()->socket;
    CU_ASSERT_NOT_EQUAL(fresh, stale);
    CU_ASSERT_EQUAL((uint32_t)fresh, (uint32_t)stale);
    const uint64_t names[] = {stale, 0, UINT64_MAX, fresh + 1, fresh + (1ULL << 32)};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CU_ASSERT_FALSE(socket_send(server, names[i], SOCKET_KEEP, "x", 1));
        CU_ASSERT_EQUAL(socket_drop_queued(server, names[i]), 0);
        socket_close(server, names[i], 1000, "");
    }
    client_text(&second, "mine");
    client_expect(&second, "mine");
    CU_ASSERT_EQUAL(last_guest()->closed, 0);
    client_close(&second);
    unserve();
}

/* ---- calls from inside callbacks ---- */

static struct guest *victim;

static void close_both(struct guest *guest, const char *text, size_t length)
{
    socket_close(server, guest->socket, 1000, "");
    socket_close(server, victim->socket, 1001, "");
    socket_close(server, guest->socket, 1011, "");
    CU_ASSERT_FALSE(socket_send(server, guest->socket, SOCKET_KEEP, text, length));
    CU_ASSERT_EQUAL(guest->closed + victim->closed, 0);
}

/* Fills its own queue, and still reads the text that it was given. */
static void overflow(struct guest *guest, const char *text, size_t length)
{
    static char large[SOCKET_QUEUE_MAX_BYTES];
    memset(large, 'l', sizeof large);
    CU_ASSERT_FALSE(socket_send(server, guest->socket, SOCKET_KEEP, large, sizeof large));
    CU_ASSERT_EQUAL(strlen(text), length);
    CU_ASSERT_EQUAL(guest->closed, 0);
}

static void test_inside_callbacks(void)
{
    struct strbuf both;
    serve(usual_options());
    struct client other = client_upgraded();
    victim = last_guest();
    struct client client = client_upgraded();
    last_guest()->on_text = close_both;
    strbuf_init(&both, 1000);
    frame_add(&both, 0x81, "a", 1, 1);
    frame_add(&both, 0x81, "b", 1, 1);
    client_put(&client, both.data, both.length);
    CU_ASSERT_EQUAL(client_closed(&client), 1000);
    CU_ASSERT_EQUAL(client_closed(&other), 1001);
    CU_ASSERT_EQUAL(last_guest()->texts, 1);
    client_say_close(&client, 1000);
    client_say_close(&other, 1001);
    WAIT_FOR(last_guest()->closed == 1 && victim->closed == 1);
    CU_ASSERT_TRUE(last_guest()->end.clean && victim->end.clean);
    struct client loud = client_upgraded();
    last_guest()->on_text = overflow;
    client_text(&loud, "a text");
    CU_ASSERT_EQUAL(client_closed(&loud), 1008);
    WAIT_FOR(last_guest()->closed == 1);
    CU_ASSERT_EQUAL(last_guest()->end.cause, SOCKET_SLOW_READER);
    client_close(&client);
    client_close(&other);
    client_close(&loud);
    strbuf_fini(&both);
    unserve();
}

/* ---- many ---- */

static long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fscanf(file, "%ld %ld", &pages, &resident), 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void test_many_idle(void)
{
    enum { MANY = 500 };
    static struct client clients[MANY];
    struct socket_options options = usual_options();
    options.max_sockets = MANY;
    serve(options);
    struct client warm = client_upgraded();
    long before_kb = resident_kb();
    for (int i = 0; i < MANY - 1; i++)
        clients[i] = client_upgraded();
    long used_kb = resident_kb() - before_kb;
    printf("%.1f KiB of memory a socket, with this test's client and guest ... ",
           (double)used_kb / (MANY - 1));
    CU_ASSERT_TRUE(used_kb < MANY * 44L); /* as much as one with a thread of its own would take */
    CU_ASSERT_EQUAL(socket_server_counts(server)->open, MANY);
    struct client late = client_open();
    CU_ASSERT_EQUAL(client_ask(&late, HEAD_OF(PREFIX) "\r\n"), 503);
    for (int i = 0; i < MANY - 1; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        client_text(&clients[i], text);
    }
    for (int i = 0; i < MANY - 1; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        client_expect(&clients[i], text);
        client_close(&clients[i]);
    }
    client_close(&warm);
    client_close(&late);
    WAIT_FOR(socket_server_counts(server)->open == 0);
    CU_ASSERT_EQUAL(socket_server_counts(server)->closed[SOCKET_LOST], MANY);
    unserve();
}

static int flood_texts; /* of the flooder, when the other one was heard */

static void note_flood(struct guest *guest, const char *text, size_t length)
{
    (void)guest, (void)text, (void)length;
    flood_texts = guests[0]->texts;
}

/* One that sends far more than it should does not keep another waiting for more than a few passes:
 * counted in its frames, not in time. */
static void test_flood_delays_nobody(void)
{
    struct strbuf bytes;
    struct socket_options options = usual_options();
    options.frames_per_s = options.frame_burst = 100000;
    serve(options);
    struct client flood = client_upgraded();
    last_guest()->on_text = keep_quiet;
    struct client other = client_upgraded();
    last_guest()->on_text = note_flood;
    strbuf_init(&bytes, 1 << 20);
    for (int i = 0; i < 50000; i++)
        frame_add(&bytes, 0x81, "x", 1, 1);
    ssize_t sent = send(flood.fd, bytes.data, bytes.length, MSG_NOSIGNAL);
    CU_ASSERT_TRUE(sent > 10 * 16384);
    loop_pass(loop);
    int before = guests[0]->texts;
    CU_ASSERT_TRUE(before > 0);
    strbuf_clear(&bytes);
    frame_add(&bytes, 0x81, "me too", 6, 6);
    CU_ASSERT_EQUAL(send(other.fd, bytes.data, bytes.length, MSG_NOSIGNAL), 12);
    WAIT_FOR(guests[1]->texts == 1);
    CU_ASSERT_TRUE(flood_texts - before <= 2 * 16384 / 7 + 2);
    WAIT_FOR(guests[0]->texts == (int)sent / 7);
    strbuf_fini(&bytes);
    client_close(&flood);
    client_close(&other);
    unserve();
}

/* ---- pings ---- */

static void test_pings(void)
{
    char payload[126];
    int pings = 0;
    struct socket_options options = usual_options();
    options.ping_ms = 200;
    serve(options);
    struct client alive = client_upgraded();
    struct guest *answers = last_guest();
    struct client dead = client_upgraded();
    struct guest *silent = last_guest();
    int64_t begin_ms = clock_mono_ms();
    while (silent->closed == 0 && clock_mono_ms() - begin_ms < WAIT_MS) {
        loop_pass(loop);
        client_read(&alive);
        if (alive.in.length >= 2) {
            CU_ASSERT_EQUAL(client_take(&alive, payload, sizeof payload, NULL), 0x89);
            client_frame(&alive, 0x8A, "", 0);
            pings++;
        }
        poll(NULL, 0, 1);
    }
    CU_ASSERT_EQUAL(silent->closed, 1);
    CU_ASSERT_EQUAL(silent->end.cause, SOCKET_SILENT);
    CU_ASSERT_TRUE(clock_mono_ms() - begin_ms >= 3 * 200 - 10);
    CU_ASSERT_TRUE(pings >= 1);
    CU_ASSERT_EQUAL(answers->closed, 0);
    CU_ASSERT_EQUAL(client_take(&dead, payload, sizeof payload, NULL), 0x89);
    CU_ASSERT_EQUAL(client_take(&dead, payload, sizeof payload, NULL), 0x89);
    CU_ASSERT_EQUAL(client_closed(&dead), 1008);
    client_close(&alive);
    client_close(&dead);
    unserve();
}

/* ---- the end ---- */

static int drained_calls;

static void on_drained(void *arg)
{
    CU_ASSERT_PTR_EQUAL(arg, &drained_calls);
    CU_ASSERT_EQUAL(socket_server_counts(server)->open, 0);
    drained_calls++;
}

static void test_drain(void)
{
    struct socket_options options = usual_options();
    options.close_wait_ms = 1000;
    serve(options);
    struct client polite = client_upgraded(), rude = client_upgraded();
    drained_calls = 0;
    socket_server_drain(server, on_drained, &drained_calls);
    struct client late = client_open();
    CU_ASSERT_EQUAL(client_ask(&late, HEAD_OF(PREFIX) "\r\n"), 503);
    CU_ASSERT_EQUAL(socket_server_counts(server)->refused[SOCKET_REFUSED_DRAINING], 1);
    client_text(&polite, "still here");
    client_expect(&polite, "still here");
    CU_ASSERT_EQUAL(drained_calls, 0);
    int64_t begin_ms = clock_mono_ms();
    for (int i = 0; i < 2; i++)
        socket_close(server, guests[i]->socket, 1001, "going away");
    CU_ASSERT_EQUAL(client_closed(&polite), 1001);
    CU_ASSERT_EQUAL(client_closed(&rude), 1001);
    client_say_close(&polite, 1001);
    WAIT_FOR(drained_calls == 1);
    CU_ASSERT_TRUE(clock_mono_ms() - begin_ms >= 1000);
    CU_ASSERT_TRUE(guests[0]->end.clean);
    CU_ASSERT_FALSE(guests[1]->end.clean);
    CU_ASSERT_EQUAL(guests[1]->end.code, 1001);
    socket_server_drain(server, on_drained, &drained_calls); /* nobody is left: at once */
    WAIT_FOR(drained_calls == 2);
    client_close(&polite);
    client_close(&rude);
    client_close(&late);
    unserve();
}

/* Freed with sockets in every state: each owner is told once. */
static void test_free(void)
{
    serve(usual_options());
    struct client silent = client_open(), open = client_upgraded();
    struct client closing = client_upgraded(), ended = client_upgraded();
    socket_close(server, guests[1]->socket, 1000, "");
    client_say_close(&ended, 1000);
    CU_ASSERT_TRUE(socket_send(server, guests[0]->socket, SOCKET_KEEP, "x", 1));
    socket_server_free(&server);
    CU_ASSERT_EQUAL(guests[0]->end.cause, SOCKET_STOPPED);
    CU_ASSERT_EQUAL(guests[0]->end.code, 1006);
    CU_ASSERT_EQUAL(guests[1]->end.cause, SOCKET_BY_US);
    CU_ASSERT_EQUAL(guests[2]->end.cause, SOCKET_BY_PEER);
    socket_server_free(&server); /* NULL */
    unserve();
    client_close(&silent);
    client_close(&open);
    client_close(&closing);
    client_close(&ended);
}

static void test_names_of_numbers(void)
{
    for (int i = 0; i < SOCKET_CAUSES; i++)
        CU_ASSERT_TRUE(strlen(socket_cause_name((enum socket_cause)i)) > 0);
    for (int i = 0; i < SOCKET_REFUSALS; i++)
        CU_ASSERT_TRUE(strlen(socket_refusal_name((enum socket_refusal)i)) > 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("life of sockets", set_up, tear_down);
    CU_add_test(suite, "slow reader", test_slow_reader);
    CU_add_test(suite, "slow reader is cut", test_slow_reader_is_cut);
    CU_add_test(suite, "drop queued", test_drop_queued);
    CU_add_test(suite, "drop inside a callback", test_drop_inside);
    CU_add_test(suite, "use after close", test_use_after_close);
    CU_add_test(suite, "calls from inside callbacks", test_inside_callbacks);
    CU_add_test(suite, "many idle", test_many_idle);
    CU_add_test(suite, "a flood delays nobody", test_flood_delays_nobody);
    CU_add_test(suite, "pings", test_pings);
    CU_add_test(suite, "drain", test_drain);
    CU_add_test(suite, "free", test_free);
    CU_add_test(suite, "names of numbers", test_names_of_numbers);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
