/* What the programs of tests/bench share: clocks, samples with their percentiles, the one line of
 * JSON that each run prints, and the reading of their arguments. One run, one thread. */
#ifndef DESK_BENCH_SAMPLES_H
#define DESK_BENCH_SAMPLES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define SAMPLES_MAX 200000

static int64_t samples[SAMPLES_MAX];
static int sample_count;

static inline int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Of this process, all threads. */
static inline double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static inline void sample(int64_t us)
{
    if (sample_count < SAMPLES_MAX)
        samples[sample_count++] = us;
}

static inline int samples_compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static inline int64_t samples_quantile(double q)
{
    return sample_count == 0 ? 0 : samples[(int)(q * (sample_count - 1))];
}

/* What a run measured. */
struct measured {
    int units;
    double cpu_us, seconds, rss_bytes; /* of all units; seconds and rss_bytes may be 0: not asked */
    double server_cpu_us;              /* of the database's process behind the connection, or 0 */
};

/* Prints it with the percentiles of the samples. */
static inline void report(const struct measured *run)
{
    double units = run->units > 0 ? run->units : 1;
    qsort(samples, (size_t)sample_count, sizeof samples[0], samples_compare);
    printf("{\"units\": %d, \"p50_us\": %lld, \"p99_us\": %lld, \"cpu_us_per_unit\": %.2f,"
           " \"rate\": %.2f, \"rss_bytes_per_unit\": %.1f, \"server_cpu_us_per_unit\": %.1f}\n",
           run->units, (long long)samples_quantile(0.5), (long long)samples_quantile(0.99),
           run->cpu_us / units, run->seconds > 0 ? run->units / run->seconds : 0,
           run->rss_bytes / units, run->server_cpu_us / units);
}

static inline _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* A number of the command line within bounds. */
static inline int number_of(const char *text, long least, long most, const char *problem)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < least || number > most)
        die(problem);
    return (int)number;
}

static inline int count_of(const char *text)
{
    return number_of(text, 1, SAMPLES_MAX, "a count must be 1-200000");
}

#endif
