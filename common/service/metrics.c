/* Metrics: a list of families that only grows. Registration and printing take a lock, updates are
 * relaxed atomic additions, because a counter that is a microsecond late harms nobody and a lock in
 * a send path does. Called by every service; printed by the admin listener. */
#include "service/metrics.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/inside.h"

#include <assert.h>
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

/* Upper bounds in microseconds, and as the text that the label shows. */
static const struct {
    int64_t bound_us;
    const char *label;
} buckets[] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},
    {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
    {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"},
    {5000000, "5"},   {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
};
#define BUCKET_COUNT (sizeof buckets / sizeof buckets[0])

struct metric {
    struct metric *next;
    const char *labels;
    atomic_int_fast64_t value;                    /* histogram: sum of microseconds */
    atomic_int_fast64_t counts[BUCKET_COUNT + 1]; /* histogram only; the last: over all bounds */
};

struct family {
    struct family *next;
    const char *name, *help;
    enum kind kind;
    struct metric *first;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the lists */
static struct family *families;

/* ---- registration ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static bool is_good_name(const char *name, enum kind kind)
{
    if (strncmp(name, "frontdesk_", 10) != 0)
        return false;
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
        return false;
    if (kind == HISTOGRAM)
        return ends_with(name, "_seconds");
    return ends_with(name, "_total") == (kind == COUNTER);
}

static struct family *find_family(const char *name, enum kind kind, const char *help)
{
    struct family **at = &families;
    for (; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->name, name) == 0) {
            assert((*at)->kind == kind);
            return *at;
        }
    }
    assert(is_good_name(name, kind));
    *at = xcalloc(1, sizeof **at);
    (*at)->name = xstrdup(name);
    (*at)->help = xstrdup(help);
    (*at)->kind = kind;
    return *at;
}

static struct metric *find_metric(struct family *family, const char *labels)
{
    struct metric **at = &family->first;
    for (; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->labels, labels) == 0)
            return *at;
    *at = xcalloc(1, sizeof **at);
    (*at)->labels = xstrdup(labels);
    return *at;
}

static struct metric *add(const char *name, enum kind kind, const char *labels, const char *help)
{
    pthread_mutex_lock(&mutex);
    struct metric *metric = find_metric(find_family(name, kind, help), labels);
    pthread_mutex_unlock(&mutex);
    return metric;
}

struct metric *metric_counter(const char *name, const char *labels, const char *help)
{
    return add(name, COUNTER, labels, help);
}

struct metric *metric_gauge(const char *name, const char *labels, const char *help)
{
    return add(name, GAUGE, labels, help);
}

struct metric *metric_histogram(const char *name, const char *labels, const char *help)
{
    return add(name, HISTOGRAM, labels, help);
}

/* ---- updates ---- */

void metric_add(struct metric *metric, int64_t amount)
{
    if (metric != NULL)
        atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    if (metric != NULL)
        atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, int64_t microseconds)
{
    if (metric == NULL)
        return;
    size_t i = 0;
    while (i < BUCKET_COUNT && microseconds > buckets[i].bound_us)
        i++;
    atomic_fetch_add_explicit(&metric->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, microseconds, memory_order_relaxed);
}

int64_t metric_value(const struct metric *metric)
{
    return metric == NULL ? 0 : (int64_t)atomic_load_explicit(&metric->value, memory_order_relaxed);
}

/* ---- printing ---- */

static void print_head(struct strbuf *out, const char *name, const char *kind, const char *help)
{
    strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void print_plain(struct strbuf *out, const struct family *family,
                        const struct metric *metric)
{
    bool bare = metric->labels[0] == '\0';
    strbuf_printf(out, "%s%s%s%s %lld\n", family->name, bare ? "" : "{", metric->labels,
                  bare ? "" : "}", (long long)metric_value(metric));
}

static void print_histogram(struct strbuf *out, const struct family *family,
                            const struct metric *metric)
{
    const char *comma = metric->labels[0] == '\0' ? "" : ",";
    long long total = 0;
    for (size_t i = 0; i <= BUCKET_COUNT; i++) {
        total += (long long)atomic_load_explicit(&metric->counts[i], memory_order_relaxed);
        strbuf_printf(out, "%s_bucket{%s%sle=\"%s\"} %lld\n", family->name, metric->labels, comma,
                      i < BUCKET_COUNT ? buckets[i].label : "+Inf", total);
    }
    const char *open = metric->labels[0] == '\0' ? "" : "{";
    const char *close = metric->labels[0] == '\0' ? "" : "}";
    long long sum_us = (long long)metric_value(metric);
    strbuf_printf(out, "%s_sum%s%s%s %lld.%06lld\n", family->name, open, metric->labels, close,
                  sum_us / 1000000, sum_us % 1000000);
    strbuf_printf(out, "%s_count%s%s%s %lld\n", family->name, open, metric->labels, close, total);
}

/* Entries of /proc/self/fd; the descriptor of the reading itself is not counted. */
static long open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return -1;
    long count = -1;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (entry->d_name[0] != '.')
            count++;
    closedir(folder);
    return count;
}

/* The number behind `name` in /proc/self/status, or -1. */
static long long status_number(const char *name)
{
    char line[256];
    long long number = -1;
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL)
        return -1;
    while (number < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtoll(line + strlen(name), NULL, 10);
    fclose(file);
    return number;
}

/* What malloc() has given out and not got back, mappings of their own included. */
static long long heap_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();
    return (long long)(info.uordblks + info.hblkhd);
}

static void print_number(struct strbuf *out, const char *name, const char *kind, const char *help,
                         long long number)
{
    print_head(out, name, kind, help);
    strbuf_printf(out, "%s %lld\n", name, number);
}

static void print_process(struct strbuf *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    long long cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL +
                       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    print_head(out, "process_cpu_seconds_total", "counter", "User and system time.");
    strbuf_printf(out, "process_cpu_seconds_total %lld.%06lld\n", cpu_us / 1000000,
                  cpu_us % 1000000);
    print_number(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                 status_number("VmRSS:") * 1024);
    print_number(out, "frontdesk_heap_bytes", "gauge",
                 "Memory that is allocated. Resident memory is more: what was freed is kept.",
                 heap_bytes());
    print_number(out, "process_threads", "gauge", "Threads.", status_number("Threads:"));
    print_number(out, "process_open_fds", "gauge", "Open file descriptors.", open_descriptors());
    print_number(out, "frontdesk_log_dropped_total", "counter",
                 "Log lines that the sink did not take.", (long long)log_dropped());
    print_number(out, "frontdesk_log_suppressed_total", "counter",
                 "Log lines left out because their event repeated too fast.",
                 (long long)log_suppressed());
    print_head(out, "frontdesk_build_info", "gauge", "Version and compiler; always 1.");
    strbuf_printf(out, "frontdesk_build_info{version=\"%s\",compiler=\"%s\"} 1\n", SERVICE_VERSION,
                  __VERSION__);
}

void metrics_print(struct strbuf *out)
{
    pthread_mutex_lock(&mutex);
    for (const struct family *family = families; family != NULL; family = family->next) {
        print_head(out, family->name, kind_names[family->kind], family->help);
        for (const struct metric *metric = family->first; metric != NULL; metric = metric->next) {
            if (family->kind == HISTOGRAM)
                print_histogram(out, family, metric);
            else
                print_plain(out, family, metric);
        }
    }
    pthread_mutex_unlock(&mutex);
    print_process(out);
}
