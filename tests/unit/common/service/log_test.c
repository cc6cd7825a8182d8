/* Unit tests of the log: every line is one JSON object of at most 4 kB, whatever is put into it;
 * nothing waits for a reader; repeats are limited. stderr becomes a pipe that the test reads. */
#include "service/log.h"

#include "base/clock.h"
#include "loop/loop.h"
#include "json/json.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_BYTES (1024 * 1024)

static int ends[2], true_stderr;
static char *seen; /* what was read and not yet looked at */
static size_t seen_length;

static void open_pipe(void)
{
    CU_ASSERT_FATAL(pipe2(ends, O_CLOEXEC) == 0);
    CU_ASSERT_FATAL(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    seen_length = 0;
}

static void close_pipe(void)
{
    dup2(true_stderr, STDERR_FILENO);
    close(ends[0]);
}

static void drain_pipe(void)
{
    ssize_t got;
    while (seen_length < LINES_BYTES - 1 &&
           (got = read(ends[0], seen + seen_length, LINES_BYTES - 1 - seen_length)) > 0)
        seen_length += (size_t)got;
    seen[seen_length] = '\0';
}

/* The next line as JSON; NULL when there is none. Every line is checked. */
static struct json *next_line(void)
{
    drain_pipe();
    char *end = memchr(seen, '\n', seen_length);
    if (end == NULL)
        return NULL;
    struct json *line = NULL;
    struct err err;
    size_t length = (size_t)(end - seen);
    CU_ASSERT(length < 4096);
    if (json_parse(seen, length, &line, &err) != 0)
        printf("\n  %s: %.*s\n", err.message, (int)length, seen);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    memmove(seen, end + 1, seen_length - length - 1);
    seen_length -= length + 1;
    return line;
}

static void test_fields(void)
{
    struct err problem = {.class = ERR_RETRY_LATER,
                          .code = "pg.connection",
                          .message = "cannot reach \"db\"",
                          .provider_status = 503,
                          .origin = "file.c:12"};
    open_pipe();
    log_info("turn.finished", LOG_TEXT("turn", "t-1"), LOG_INT("ms", -12), LOG_BOOL("late", true),
             LOG_TEXT("none", NULL), LOG_ERR(&problem));
    struct json *line = next_line();
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    CU_ASSERT_STRING_EQUAL(json_member_text(line, "level"), "info");
    CU_ASSERT_STRING_EQUAL(json_member_text(line, "service"), "engine");
    CU_ASSERT_STRING_EQUAL(json_member_text(line, "instance"), "engine-1");
    CU_ASSERT_STRING_EQUAL(json_member_text(line, "event"), "turn.finished");
    CU_ASSERT_STRING_EQUAL(json_member_text(line, "turn"), "t-1");
    CU_ASSERT_EQUAL(json_number(json_member(line, "ms")), -12);
    CU_ASSERT_TRUE(json_member_bool(line, "late", false));
    CU_ASSERT_PTR_NULL(json_member(line, "none"));
    int64_t time_ms;
    CU_ASSERT_EQUAL(clock_parse_rfc3339(json_member_text(line, "time"), &time_ms, NULL), 0);
    CU_ASSERT(llabs(clock_wall_ms() - time_ms) < 10000);
    const struct json *e = json_member(line, "err");
    CU_ASSERT_STRING_EQUAL(json_member_text(e, "class"), "retry_later");
    CU_ASSERT_STRING_EQUAL(json_member_text(e, "code"), "pg.connection");
    CU_ASSERT_STRING_EQUAL(json_member_text(e, "message"), "cannot reach \"db\"");
    CU_ASSERT_STRING_EQUAL(json_member_text(e, "origin"), "file.c:12");
    CU_ASSERT_EQUAL(json_number(json_member(e, "status")), 503);
    json_free(&line);
    close_pipe();
}

/* An origin is told from the root of the sources, whatever the build was told. */
static void test_origin(void)
{
    static const char start[] = "tests/unit/common/service/log_test.c:";
    struct err problem;
    open_pipe();
    err_set(&problem, ERR_BUG, "test.origin", "made here");
    log_error("origin", LOG_ERR(&problem));
    struct json *line = next_line();
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    const char *origin = json_member_text(json_member(line, "err"), "origin");
    CU_ASSERT(strncmp(origin, start, sizeof start - 1) == 0);
    json_free(&line);
    close_pipe();
}

static void test_levels(void)
{
    open_pipe();
    log_debug("levels.debug", LOG_INT("n", 1));
    CU_ASSERT_PTR_NULL(next_line());
    log_init("engine", "engine-1", "error");
    log_warn("levels.warn", LOG_INT("n", 1));
    CU_ASSERT_PTR_NULL(next_line());
    log_error("levels.error", LOG_INT("n", 1));
    struct json *line = next_line();
    CU_ASSERT_PTR_NOT_NULL(line);
    json_free(&line);
    log_init("engine", "engine-1", "info");
    close_pipe();
}

static void test_hostile_text(void)
{
    static const char *const texts[] = {"a\"b\\c\nd\te\x01\x7f",
                                        "\xff\xfe",
                                        "gr\xc3\xbc\xc3\x9f",
                                        "\xf0\x9f\x98\x80",
                                        "half \xc3",
                                        "\xed\xa0\x80",
                                        "}{\"injected\":true}\n{\"event\":\"fake\"}"};
    open_pipe();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        log_info("hostile.text", LOG_TEXT("text", texts[i]));
        struct json *line = next_line();
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        CU_ASSERT_PTR_NULL(json_member(line, "injected"));
        CU_ASSERT_PTR_NOT_NULL(json_member_text(line, "text"));
        json_free(&line);
        CU_ASSERT_PTR_NULL(next_line());
    }
    log_info("hostile.text", LOG_TEXT("text", texts[0]));
    struct json *line = next_line();
    CU_ASSERT_STRING_EQUAL(json_member_text(line, "text"), texts[0]);
    json_free(&line);
    close_pipe();
}

static void test_long_text(void)
{
    char text[6001];
    static const unsigned char fills[] = {'x', 0x01, 0xc3, '"'};
    open_pipe();
    for (size_t i = 0; i < sizeof fills; i++) {
        memset(text, fills[i], 6000);
        text[6000] = '\0';
        log_info("long.text", LOG_TEXT("one", text), LOG_TEXT("two", text), LOG_TEXT("three", text),
                 LOG_TEXT("four", text), LOG_INT("last", 1));
        struct json *line = next_line();
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        CU_ASSERT_TRUE(json_member_bool(line, "cut", false));
        CU_ASSERT_STRING_EQUAL(json_member_text(line, "event"), "long.text");
        json_free(&line);
    }
    memset(text, 'x', 6000);
    log_info("long.text", LOG_TEXT("one", text));
    struct json *line = next_line();
    CU_ASSERT_EQUAL(strlen(json_member_text(line, "one")), 1024 + 3);
    json_free(&line);
    close_pipe();
}

/* Nobody reads: no call waits, what did not fit is counted, what fitted is whole, and the shared
 * descriptor has not become non-blocking. */
static void test_full_pipe(void)
{
    uint64_t before = log_dropped();
    int lines = 0;
    open_pipe();
    int64_t start_ms = clock_mono_ms();
    for (int i = 0; i < 2000; i++) {
        char event[32];
        snprintf(event, sizeof event, "full.pipe%d", i);
        log_info(event, LOG_TEXT("text", "some text that fills a pipe of 64 kB after a while"));
    }
    CU_ASSERT(clock_mono_ms() - start_ms < 5000);
    CU_ASSERT((fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0);
    for (struct json *line = next_line(); line != NULL; line = next_line()) {
        json_free(&line);
        lines++;
    }
    CU_ASSERT(lines > 100);
    CU_ASSERT_EQUAL((uint64_t)lines + log_dropped() - before, 2000);
    log_info("full.after", LOG_INT("n", 1));
    struct json *line = next_line();
    CU_ASSERT_PTR_NOT_NULL(line);
    json_free(&line);
    close_pipe();
}

static void test_closed_sink(void)
{
    uint64_t before = log_dropped();
    close(STDERR_FILENO);
    log_error("closed.sink", LOG_INT("n", 1));
    dup2(true_stderr, STDERR_FILENO);
    CU_ASSERT_EQUAL(log_dropped(), before + 1);
}

static int read_lines(int *suppressed)
{
    int lines = 0;
    for (struct json *line = next_line(); line != NULL; line = next_line()) {
        *suppressed += (int)json_number(json_member(line, "suppressed"));
        json_free(&line);
        lines++;
    }
    return lines;
}

static void test_repeats(void)
{
    int suppressed = 0, written = 0, sent = 0;
    open_pipe();
    for (; sent < 200; sent++)
        log_info("repeats", LOG_INT("n", sent));
    written = read_lines(&suppressed);
    CU_ASSERT(written >= 50 && written <= 100); /* a second may have turned meanwhile */
    log_info("repeats.other", LOG_INT("n", 1));
    int other = 0;
    CU_ASSERT_EQUAL(read_lines(&other), 1);
    int64_t deadline_ms = clock_mono_ms() + 10000;
    while (written + suppressed < sent && clock_mono_ms() < deadline_ms) {
        poll(NULL, 0, 50);
        log_info("repeats", LOG_INT("n", sent++));
        written += read_lines(&suppressed);
    }
    CU_ASSERT(suppressed >= 100);
    CU_ASSERT_EQUAL(written + suppressed, sent);
    close_pipe();
}

#define WRITERS 4
#define EACH    40

static void write_many(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        char event[32];
        snprintf(event, sizeof event, "writer%d.%d", *(int *)arg, i);
        log_info(event, LOG_TEXT("text", "0123456789012345678901234567890123456789"));
    }
}

static void test_threads(void)
{
    struct thread *threads[WRITERS];
    int numbers[WRITERS], suppressed = 0;
    open_pipe();
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        threads[i] = thread_start(write_many, &numbers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        thread_join(&threads[i]);
    CU_ASSERT_EQUAL(read_lines(&suppressed), WRITERS * EACH);
    close_pipe();
}

int main(void)
{
    true_stderr = dup(STDERR_FILENO);
    seen = malloc(LINES_BYTES);
    log_init("engine", "engine-1", "info");
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("log", NULL, NULL);
    CU_add_test(suite, "repeats", test_repeats);
    CU_add_test(suite, "fields", test_fields);
    CU_add_test(suite, "origin", test_origin);
    CU_add_test(suite, "levels", test_levels);
    CU_add_test(suite, "hostile text", test_hostile_text);
    CU_add_test(suite, "long text", test_long_text);
    CU_add_test(suite, "full pipe", test_full_pipe);
    CU_add_test(suite, "closed sink", test_closed_sink);
    CU_add_test(suite, "threads", test_threads);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    close(true_stderr);
    free(seen);
    return failures > 0 ? 1 : 0;
}
