/* Log lines: formatted into a buffer on the stack and written with one write(2) of at most PIPE_BUF
 * bytes, so that lines of several processes on one pipe do not mix. A service must not stop because
 * nobody reads its log: the descriptor is asked with poll(2) before each write, and a line that
 * would wait is dropped and counted. O_NONBLOCK is not set, because the open file is shared with
 * the terminal or supervisor that gave it to us. Called by every service. */
#include "service/log.h"

#include "base/clock.h"
#include "base/text.h"
#include "service/inside.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES    4096 /* with the newline; PIPE_BUF on Linux */
#define TAIL_BYTES    64   /* kept for what must follow the fields */
#define TEXT_BYTES    1024 /* of one field */
#define RATE_SLOTS    1024 /* a service has about 100 event names */
#define RATE_PROBES   8
#define RATE_PER_S    50
#define WINDOW_MS     1000
#define IDENTITY_MAX  64
#define ESCAPED_BYTES 6 /* the longest escape, \u001f */

_Static_assert(LINE_BYTES <= PIPE_BUF, "a line is written as a whole");

struct line {
    char bytes[LINE_BYTES];
    size_t length;
    bool cut;
};

/* How often one event was written in the current second. */
struct rate {
    uint64_t event; /* hash of the name; 0: free */
    int64_t window_ms;
    uint32_t written, suppressed;
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static char service_name[IDENTITY_MAX] = "?", instance_name[IDENTITY_MAX] = "?";
static atomic_int least = LOG_LEVEL_INFO;
static atomic_uint_fast64_t dropped, suppressed_total;

static pthread_mutex_t sink = PTHREAD_MUTEX_INITIALIZER; /* guards rates, and poll with write */
static struct rate rates[RATE_SLOTS];

enum log_level log_level_of(const char *word)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(word, level_names[i]) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

void log_init(const char *service, const char *instance, const char *level)
{
    snprintf(service_name, sizeof service_name, "%s", service);
    snprintf(instance_name, sizeof instance_name, "%s", instance);
    log_set_level(log_level_of(level));
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&least, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

uint64_t log_suppressed(void)
{
    return atomic_load_explicit(&suppressed_total, memory_order_relaxed);
}

/* ---- one line ---- */

/* Appends whole or not at all, and leaves room for the tail. */
static bool add_bytes(struct line *line, const char *bytes, size_t length)
{
    if (line->cut || length > LINE_BYTES - TAIL_BYTES - line->length) {
        line->cut = true;
        return false;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

static void add_format(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_format(struct line *line, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length > 0 && (size_t)length < sizeof text)
        add_bytes(line, text, (size_t)length);
}

static size_t escape(unsigned char c, char out[ESCAPED_BYTES + 1])
{
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, ESCAPED_BYTES + 1, "\\%c", c);
    return (size_t)snprintf(out, ESCAPED_BYTES + 1, "\\u%04x", c);
}

/* Quoted text of at most TEXT_BYTES; what is not UTF-8 is written byte by byte as U+FFFD. */
static void add_quoted(struct line *line, const char *text)
{
    size_t length = text_utf8_prefix(text, TEXT_BYTES);
    bool longer = text[length] != '\0';
    bool clean = text_is_utf8(text, length);
    add_bytes(line, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        char escaped[ESCAPED_BYTES + 1];
        if (c >= 0x80 && !clean)
            add_bytes(line, "\xef\xbf\xbd", 3);
        else if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            add_bytes(line, escaped, escape(c, escaped));
        else
            add_bytes(line, text + i, 1);
    }
    add_bytes(line, longer ? "...\"" : "\"", longer ? 4 : 1);
}

static void add_name(struct line *line, const char *name)
{
    add_bytes(line, ",", 1);
    add_quoted(line, name);
    add_bytes(line, ":", 1);
}

/* Where the error was made, from the root of the sources: where somebody built us is no news. */
static const char *origin_of(const struct err *err)
{
    static const char here[] = __FILE__;
    size_t root = sizeof here - sizeof "common/service/log.c";
    return strncmp(err->origin, here, root) == 0 ? err->origin + root : err->origin;
}

static void add_err(struct line *line, const struct err *err)
{
    add_bytes(line, "{\"class\":", 9);
    add_quoted(line, err_class_name(err->class));
    add_name(line, "code");
    add_quoted(line, err->code);
    add_name(line, "message");
    add_quoted(line, err->message);
    if (err->provider_status != 0)
        add_format(line, ",\"status\":%d", err->provider_status);
    if (err->origin != NULL) {
        add_name(line, "origin");
        add_quoted(line, origin_of(err));
    }
    add_bytes(line, "}", 1);
}

static void add_value(struct line *line, const struct log_field *field)
{
    if (field->kind == LOG_KIND_TEXT && field->text != NULL)
        add_quoted(line, field->text);
    else if (field->kind == LOG_KIND_INT)
        add_format(line, "%lld", (long long)field->number);
    else if (field->kind == LOG_KIND_BOOL)
        add_format(line, "%s", field->number != 0 ? "true" : "false");
    else if (field->kind == LOG_KIND_ERR && field->err != NULL)
        add_err(line, field->err);
    else
        add_bytes(line, "null", 4);
}

/* A field that does not fit is taken back whole, so that the line stays JSON. */
static void add_field(struct line *line, const struct log_field *field)
{
    size_t before = line->length;
    if (line->cut)
        return;
    add_name(line, field->name);
    add_value(line, field);
    if (line->cut)
        line->length = before;
}

/* Uses the room that add_bytes keeps free. */
static void add_tail(struct line *line, uint32_t suppressed)
{
    char *end = line->bytes + line->length;
    int length = suppressed > 0
                     ? snprintf(end, TAIL_BYTES, "%s,\"suppressed\":%u}\n",
                                line->cut ? ",\"cut\":true" : "", (unsigned)suppressed)
                     : snprintf(end, TAIL_BYTES, "%s}\n", line->cut ? ",\"cut\":true" : "");
    line->length += (size_t)length;
}

/* ---- repeats and the sink ---- */

static uint64_t hash_name(const char *event)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a; event names are our own */
    for (; *event != '\0'; event++)
        hash = (hash ^ (unsigned char)*event) * 1099511628211u;
    return hash == 0 ? 1 : hash;
}

/* The event's slot: its own, a free one, or one whose second is over; NULL if all near ones are
 * busy, then the event is not limited. */
static struct rate *rate_of(uint64_t event, int64_t now_ms)
{
    struct rate *usable = NULL;
    for (size_t i = 0; i < RATE_PROBES; i++) {
        struct rate *rate = &rates[(event + i) % RATE_SLOTS];
        if (rate->event == event)
            return rate;
        bool over =
            rate->event == 0 || (now_ms - rate->window_ms > WINDOW_MS && rate->suppressed == 0);
        if (usable == NULL && over)
            usable = rate;
    }
    if (usable != NULL)
        *usable = (struct rate){.event = event, .window_ms = now_ms};
    return usable;
}

/* Counts the event; false: too many this second. *left_out gets how many were left out before
 * this one. Under the lock. */
static bool admit(const char *event, uint32_t *left_out)
{
    int64_t now_ms = clock_mono_ms();
    struct rate *rate = rate_of(hash_name(event), now_ms);
    *left_out = 0;
    if (rate == NULL)
        return true;
    if (now_ms - rate->window_ms >= WINDOW_MS) {
        rate->window_ms = now_ms;
        rate->written = 0;
    }
    if (rate->written >= RATE_PER_S) {
        rate->suppressed++;
        atomic_fetch_add_explicit(&suppressed_total, 1, memory_order_relaxed);
        return false;
    }
    rate->written++;
    *left_out = rate->suppressed;
    rate->suppressed = 0;
    return true;
}

/* One write, if it can be taken at once. Under the lock. */
static bool put(const struct line *line)
{
    struct pollfd ask = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ask, 1, 0) != 1 || (ask.revents & POLLOUT) == 0)
        return false;
    return write(STDERR_FILENO, line->bytes, line->length) == (ssize_t)line->length;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct line line;
    char now[CLOCK_RFC3339_SIZE];
    line.length = 0;
    line.cut = false;
    clock_format_rfc3339(clock_wall_ms(), now);
    add_format(&line, "{\"time\":\"%s\",\"level\":\"%s\"", now, level_names[level]);
    add_name(&line, "service");
    add_quoted(&line, service_name);
    add_name(&line, "instance");
    add_quoted(&line, instance_name);
    add_name(&line, "event");
    add_quoted(&line, event);
    for (; fields->kind != LOG_KIND_END; fields++)
        add_field(&line, fields);
    uint32_t left_out;
    pthread_mutex_lock(&sink);
    if (admit(event, &left_out)) {
        add_tail(&line, left_out);
        if (!put(&line))
            atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&sink);
}
