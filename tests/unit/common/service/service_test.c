/* Unit tests of the skeleton: a small daemon built on it runs as a child process and is watched
 * from outside, through its exit code, its log and its admin listener. */
#include "service/service.h"

#include "base/clock.h"
#include "loop/loop.h"
#include "service/log.h"
#include "service/metrics.h"
#include "json/json.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 20000
#define TEXT_BYTES  (256 * 1024)

/* ---- the daemon ---- */

/* How the child behaves; set before the fork. */
static struct behaviour {
    bool start_fails, loop_start_fails, never_drains, has_condition, blocks, ends_early;
    int drain_after_ms;
} behave;

struct settings {
    struct config_common common;
    struct config_kafka kafka;
    int64_t loops;
    struct secret *token;
};
static struct settings settings;

#define AT(m) offsetof(struct settings, m)
static const struct config_spec specs[] = {
    CONFIG_COMMON_ROWS(settings, common),
    CONFIG_KAFKA_ROWS(settings, kafka),
    {"loops", CONFIG_INT, AT(loops), "2", 1, 8, 0, NULL, "Loops."},
    {"token", CONFIG_SECRET, AT(token), "", 0, 0, 0, NULL, "Token."},
};

struct state {
    struct service_loop *self;
    struct timer *timer;
    struct watch *watch;
};

static int condition;
static int gate[2]; /* the parent closes its end to let a blocked child go on */

static int start(struct service *service, bool check_only, struct err *err)
{
    if (behave.start_fails)
        return err_set(err, ERR_PERMANENT, "test.start", "the start was told to fail");
    if (check_only)
        return 0;
    if (behave.has_condition)
        condition = service_condition(service, "kafka");
    metric_add(metric_counter("frontdesk_test_starts_total", "", "Starts."), 1);
    return 0;
}

/* The parent has closed its end: what was awaited is there. */
static void on_gate(void *arg, int events)
{
    struct state *state = arg;
    (void)events;
    watch_free(&state->watch);
    service_set(service_of(state->self), condition, true);
}

/* Stays in one callback until the parent lets go: a stuck loop. */
static void on_block(void *arg)
{
    (void)arg;
    struct pollfd wait = {.fd = gate[0], .events = POLLIN};
    log_info("test.blocks", LOG_INT("n", 1));
    poll(&wait, 1, DEADLINE_MS);
}

static void on_drained(void *arg)
{
    struct state *state = arg;
    service_loop_drained(state->self);
}

static int loop_start(struct service_loop *self, void **out, struct err *err)
{
    int index = service_loop_index(self);
    if (behave.loop_start_fails && index == 1)
        return err_set(err, ERR_PERMANENT, "test.loop", "this loop was told to fail");
    struct state *state = calloc(1, sizeof *state);
    state->self = self;
    state->timer =
        timer_new(service_loop_of(self), behave.ends_early ? on_drained : on_block, state);
    if (index == 0 && (behave.blocks || behave.ends_early))
        timer_start(state->timer, 300, 0);
    if (index == 0 && behave.has_condition) {
        state->watch = watch_new(service_loop_of(self), gate[0], on_gate, state);
        watch_set(state->watch, WATCH_READ);
    }
    log_info("test.loop_start", LOG_INT("loop", index));
    *out = state;
    return 0;
}

static void loop_drain(void *arg)
{
    struct state *state = arg;
    log_info("test.loop_drain", LOG_BOOL("slow", behave.never_drains));
    if (behave.never_drains)
        return;
    timer_free(&state->timer);
    state->timer = timer_new(service_loop_of(state->self), on_drained, state);
    timer_start(state->timer, behave.drain_after_ms, 0);
}

static void loop_stop_hook(void *arg)
{
    struct state *state = arg;
    log_info("test.loop_stop", LOG_INT("loop", service_loop_index(state->self)));
    timer_free(&state->timer);
    watch_free(&state->watch);
    free(state);
}

static void stop(struct service *service, int64_t drain_left_ms)
{
    (void)service;
    log_info("test.stop", LOG_INT("left_ms", drain_left_ms));
}

static int command(const char *word)
{
    if (strcmp(word, "--diagram") != 0)
        return -1;
    puts("a diagram");
    return 0;
}

static const struct service_spec spec = {
    .name = "test",
    .summary = "Tests the skeleton.",
    .config = specs,
    .config_count = sizeof specs / sizeof specs[0],
    .settings = &settings,
    .loops = &settings.loops,
    .command = command,
    .start = start,
    .loop_start = loop_start,
    .loop_drain = loop_drain,
    .loop_stop = loop_stop_hook,
    .stop = stop,
};

/* ---- the child process ---- */

static struct child {
    pid_t pid;
    int out; /* its stdout and stderr */
    char *text;
    size_t length;
    int port;
} child;

static void launch(const char *const *arguments)
{
    int ends[2], count = 1;
    char *argv[16] = {(char *)(uintptr_t) "frontdesk-test"};
    for (; arguments != NULL && *arguments != NULL; arguments++)
        argv[count++] = (char *)(uintptr_t)*arguments;
    CU_ASSERT_FATAL(pipe2(ends, O_CLOEXEC) == 0 && pipe2(gate, O_CLOEXEC) == 0);
    fflush(stdout);
    child = (struct child){.out = ends[0], .text = calloc(1, TEXT_BYTES), .pid = fork()};
    CU_ASSERT_FATAL(child.pid >= 0);
    if (child.pid == 0) {
        free(child.text);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(gate[1]);
        int code = service_main(count, argv, &spec);
        exit(code); /* not _exit: the leak check of a sanitizer runs now */
    }
    close(ends[1]);
    close(gate[0]);
}

static void open_gate(void)
{
    close(gate[1]);
    gate[1] = -1;
}

/* Reads what has come; false at the end of the output. */
static bool read_more(int wait_ms)
{
    struct pollfd wait = {.fd = child.out, .events = POLLIN};
    if (poll(&wait, 1, wait_ms) != 1)
        return true;
    ssize_t got = read(child.out, child.text + child.length, TEXT_BYTES - 1 - child.length);
    if (got <= 0)
        return false;
    child.length += (size_t)got;
    child.text[child.length] = '\0';
    return true;
}

/* Waits until the child has said it. */
static bool wait_for(const char *words)
{
    int64_t deadline_ms = clock_mono_ms() + DEADLINE_MS;
    while (strstr(child.text, words) == NULL)
        if (clock_mono_ms() > deadline_ms || !read_more(50))
            break;
    bool said = strstr(child.text, words) != NULL;
    if (!said)
        printf("\n  never said: %s\n%s\n", words, child.text);
    return said;
}

static bool said(const char *words)
{
    return strstr(child.text, words) != NULL;
}

static int count_said(const char *words)
{
    int count = 0;
    for (const char *at = strstr(child.text, words); at != NULL; at = strstr(at + 1, words))
        count++;
    return count;
}

/* Reads to the end of the output and returns the exit code, -1 when it was killed. */
static int finish(void)
{
    int64_t deadline_ms = clock_mono_ms() + DEADLINE_MS;
    int status = 0;
    while (clock_mono_ms() < deadline_ms && read_more(50))
        continue;
    if (clock_mono_ms() >= deadline_ms)
        kill(child.pid, SIGKILL);
    waitpid(child.pid, &status, 0);
    close(child.out);
    if (gate[1] >= 0)
        close(gate[1]);
    const char *report = strstr(child.text, "Sanitizer");
    if (report != NULL)
        printf("\n%s\n", child.text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void forget(void)
{
    free(child.text);
}

static int run_to_end(const char *const *arguments)
{
    launch(arguments);
    return finish();
}

/* ---- its admin listener ---- */

static void find_port(void)
{
    CU_ASSERT_FATAL(wait_for("\"event\":\"admin.listening\"") && wait_for("\"port\":"));
    child.port = (int)strtol(strstr(child.text, "\"port\":") + 7, NULL, 10);
    CU_ASSERT_FATAL(child.port > 0);
}

/* The status of a request; *body (TEXT_BYTES) gets the whole answer. 0: no answer. */
static int ask(const char *method, const char *path, char *answer)
{
    char request[256];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)child.port)};
    struct timeval limit = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    size_t length = 0;
    int request_length =
        snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", method, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, (size_t)request_length, MSG_NOSIGNAL) == request_length) {
        ssize_t got;
        while (length < TEXT_BYTES - 1 &&
               (got = recv(fd, answer + length, TEXT_BYTES - 1 - length, 0)) > 0)
            length += (size_t)got;
    }
    close(fd);
    answer[length] = '\0';
    return length > 12 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

/* Asks until the status is the wanted one. */
static bool wait_status(const char *path, int status, char *answer)
{
    int64_t deadline_ms = clock_mono_ms() + DEADLINE_MS;
    while (ask("GET", path, answer) != status) {
        if (clock_mono_ms() > deadline_ms || !read_more(20))
            return false;
    }
    return true;
}

#define GOOD(...) ((const char *const[]){"--instance=t1", "--kafka_brokers=x:1", __VA_ARGS__, NULL})

/* ---- tests ---- */

static void test_a_whole_life(void)
{
    char *answer = malloc(TEXT_BYTES);
    behave = (struct behaviour){.has_condition = true, .drain_after_ms = 3000};
    launch(GOOD("--loops=3"));
    find_port();
    open_gate();
    CU_ASSERT(wait_status("/readyz", 200, answer));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ready\":true"));
    CU_ASSERT_EQUAL(ask("GET", "/healthz", answer), 200);
    CU_ASSERT_PTR_NOT_NULL(strcasestr(answer, "\r\nConnection: close\r\n"));
    CU_ASSERT_EQUAL(ask("GET", "/metrics", answer), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "frontdesk_test_starts_total 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "frontdesk_config_info{hash=\""));
    CU_ASSERT_EQUAL(ask("POST", "/metrics", answer), 405);
    CU_ASSERT_EQUAL(ask("GET", "/", answer), 404);
    CU_ASSERT_EQUAL(ask("GET", "/metrics/", answer), 404);
    kill(child.pid, SIGTERM);
    CU_ASSERT(wait_for("\"event\":\"service.draining\""));
    CU_ASSERT_EQUAL(ask("GET", "/readyz", answer), 503);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"draining\":true"));
    CU_ASSERT_EQUAL(ask("GET", "/healthz", answer), 200);
    CU_ASSERT_EQUAL(finish(), 0);
    CU_ASSERT_EQUAL(count_said("test.loop_start"), 3);
    CU_ASSERT_EQUAL(count_said("test.loop_drain"), 3);
    CU_ASSERT_EQUAL(count_said("test.loop_stop"), 3);
    CU_ASSERT_EQUAL(count_said("\"event\":\"test.stop\""), 1);
    CU_ASSERT(said("\"event\":\"service.ended\",\"exit_code\":0"));
    forget();
    free(answer);
}

static void test_unmet_condition(void)
{
    char *answer = malloc(TEXT_BYTES);
    behave = (struct behaviour){.has_condition = true};
    launch(GOOD("--loops=1"));
    find_port();
    CU_ASSERT(wait_for("\"event\":\"service.serving\""));
    CU_ASSERT_EQUAL(ask("GET", "/readyz", answer), 503);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(answer, "{\"draining\":false,\"waiting_for\":[\"kafka\"],\"ready\":false}"));
    open_gate();
    CU_ASSERT(wait_status("/readyz", 200, answer));
    CU_ASSERT(wait_for("\"event\":\"service.condition\",\"name\":\"kafka\",\"met\":true"));
    kill(child.pid, SIGINT);
    CU_ASSERT_EQUAL(finish(), 0);
    forget();
    free(answer);
}

static void test_late_drain(void)
{
    behave = (struct behaviour){.never_drains = true};
    launch(GOOD("--drain_ms=300"));
    CU_ASSERT(wait_for("\"event\":\"service.serving\""));
    kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(finish(), 1);
    CU_ASSERT(said("\"event\":\"drain.late\""));
    CU_ASSERT_EQUAL(count_said("test.loop_stop"), 2);
    CU_ASSERT(said("\"event\":\"test.stop\",\"left_ms\":0"));
    forget();
}

static void test_second_signal(void)
{
    behave = (struct behaviour){.never_drains = true};
    launch(GOOD("--drain_ms=10m"));
    CU_ASSERT(wait_for("\"event\":\"service.serving\""));
    kill(child.pid, SIGTERM);
    CU_ASSERT(wait_for("\"event\":\"service.draining\""));
    kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(finish(), 1);
    CU_ASSERT_FALSE(said("test.loop_stop"));
    forget();
}

static void test_failed_starts(void)
{
    behave = (struct behaviour){.start_fails = true};
    CU_ASSERT_EQUAL(run_to_end(GOOD("--loops=1")), 1);
    CU_ASSERT(said("\"code\":\"test.start\""));
    CU_ASSERT_FALSE(said("test.loop_start"));
    forget();
    behave = (struct behaviour){.loop_start_fails = true};
    CU_ASSERT_EQUAL(run_to_end(GOOD("--loops=3")), 1);
    CU_ASSERT(said("\"event\":\"loop.start_failed\",\"loop\":1"));
    CU_ASSERT_EQUAL(count_said("test.loop_stop"), 2);
    forget();
    behave = (struct behaviour){0};
    CU_ASSERT_EQUAL(run_to_end(GOOD("--admin_listen=256.0.0.1:0")), 1);
    CU_ASSERT(said("service.start_failed"));
    forget();
}

static void test_loop_that_gives_up(void)
{
    behave = (struct behaviour){.ends_early = true};
    CU_ASSERT_EQUAL(run_to_end(GOOD("--loops=2")), 1);
    CU_ASSERT(said("\"event\":\"loop.ended\""));
    CU_ASSERT_EQUAL(count_said("test.loop_stop"), 2);
    forget();
}

static void test_stuck_loop(void)
{
    char *answer = malloc(TEXT_BYTES);
    behave = (struct behaviour){.blocks = true};
    launch(GOOD("--loops=2"));
    find_port();
    CU_ASSERT(wait_for("\"event\":\"test.blocks\""));
    CU_ASSERT(wait_status("/healthz", 503, answer));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"healthy\":false"));
    open_gate();
    CU_ASSERT(wait_status("/healthz", 200, answer));
    kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(finish(), 0);
    forget();
    free(answer);
}

static void test_louder(void)
{
    behave = (struct behaviour){.drain_after_ms = 1};
    launch(GOOD("--log_level=info"));
    CU_ASSERT(wait_for("\"event\":\"service.serving\""));
    kill(child.pid, SIGUSR1);
    CU_ASSERT(wait_for("\"event\":\"service.log_level\",\"debug\":true"));
    kill(child.pid, SIGUSR1);
    CU_ASSERT(wait_for("\"event\":\"service.log_level\",\"debug\":false"));
    kill(child.pid, SIGTERM);
    CU_ASSERT_EQUAL(finish(), 0);
    forget();
}

/* What the command line answers at once. */
static void test_words(void)
{
    static const struct {
        const char *words[4];
        int code;
        const char *says;
    } cases[] = {
        {{"--help"}, 0, "usage: frontdesk-test"},
        {{"--help"}, 0, "--drain_ms=25s"},
        {{"--version"}, 0, "frontdesk-test "},
        {{"--document"}, 0, "| `kafka_brokers` | `FRONTDESK_KAFKA_BROKERS` | text | required |"},
        {{"--diagram"}, 0, "a diagram"},
        {{"--check-config"}, 2, "instance: is required"},
        {{"--check-config", "--instance=i", "--kafka_brokers=x:1"}, 0, "configuration ok"},
        {{"--check-config", "--instance=i", "--kafka_broker=x:1"},
         2,
         "did you mean kafka_brokers?"},
        {{"--print-config", "--instance=i", "--kafka_brokers=x:1"}, 0, "kafka_brokers = x:1\n"},
        {{"--print-config", "--loops=9"}, 2, "from 1 to 8"},
        {{"--chekc-config"}, 2, "did you mean --check-config?"},
        {{"--diagramm"}, 2, "is not understood"},
        {{"start"}, 2, "is not understood"},
        {{"--config", "/nonexistent.conf", "--instance=i"}, 2, "/nonexistent.conf: cannot be read"},
        {{"--config=/nonexistent.conf"}, 2, "/nonexistent.conf: cannot be read"},
        {{"--config"}, 2, "is not understood"},
        {{"--instance=i", "--kafka_brokers=x:1", "--loops=0"}, 2, "loops:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        behave = (struct behaviour){0};
        int code = run_to_end(cases[i].words);
        if (code != cases[i].code || !said(cases[i].says))
            printf("\n  %s: code %d, said: %s\n", cases[i].words[0], code, child.text);
        CU_ASSERT_EQUAL(code, cases[i].code);
        CU_ASSERT(said(cases[i].says));
        forget();
    }
    behave = (struct behaviour){.start_fails = true};
    CU_ASSERT_EQUAL(run_to_end(GOOD("--check-config")), 2);
    CU_ASSERT(said("the start was told to fail (test.start)"));
    forget();
}

static void test_bus_options(void)
{
    struct config_kafka kafka = {.brokers = "a:1",
                                 .security = "plaintext",
                                 .ca_file = "ca",
                                 .cert_file = "",
                                 .key_file = "",
                                 .sasl_user = "u"};
    struct config_common common = {.instance = "r1"};
    struct bus_options first, second;
    service_bus_options(&kafka, &common, "responder", &first);
    CU_ASSERT_STRING_EQUAL(first.client_id, "frontdesk-responder-r1");
    CU_ASSERT_STRING_EQUAL(first.security, "");
    CU_ASSERT_STRING_EQUAL(first.sasl_password, "");
    CU_ASSERT_PTR_NOT_NULL(first.log);
    kafka.security = "mtls";
    service_bus_options(&kafka, &common, "other", &second);
    CU_ASSERT_STRING_EQUAL(second.security, "mtls");
    CU_ASSERT_STRING_EQUAL(first.client_id, "frontdesk-responder-r1");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("service", NULL, NULL);
    CU_add_test(suite, "words", test_words);
    CU_add_test(suite, "a whole life", test_a_whole_life);
    CU_add_test(suite, "unmet condition", test_unmet_condition);
    CU_add_test(suite, "late drain", test_late_drain);
    CU_add_test(suite, "second signal", test_second_signal);
    CU_add_test(suite, "failed starts", test_failed_starts);
    CU_add_test(suite, "loop that gives up", test_loop_that_gives_up);
    CU_add_test(suite, "stuck loop", test_stuck_loop);
    CU_add_test(suite, "louder", test_louder);
    CU_add_test(suite, "bus options", test_bus_options);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
