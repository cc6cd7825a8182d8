/* Metrics in Prometheus text format. Registered once at start, updated from any thread without
 * locks. Names: frontdesk_ prefix, base units, _total for counters; labels bounded and free of
 * addresses. */
#ifndef DESK_SERVICE_METRICS_H
#define DESK_SERVICE_METRICS_H

#include <stdint.h>

#include "base/strbuf.h"

struct metric;

/* Return a metric that lives as long as the process. `labels` is ready label text such as
 * "outcome=\"sent\"" or "". The same name may be registered with several label texts. */
struct metric *metric_counter(const char *name, const char *labels, const char *help);
struct metric *metric_gauge(const char *name, const char *labels, const char *help);
/* Latency histogram in seconds with fixed buckets 0.5 ms - 60 s. */
struct metric *metric_histogram(const char *name, const char *labels, const char *help);

/* Counter: add (>= 0). Gauge: set or add (may be negative). Histogram: one observation in
 * microseconds. A NULL metric is ignored. */
void metric_add(struct metric *metric, int64_t amount);
void metric_set(struct metric *metric, int64_t value);
void metric_observe_us(struct metric *metric, int64_t microseconds);

/* Present value of a counter or gauge. */
int64_t metric_value(const struct metric *metric);

/* Appends the exposition of all metrics, with process and build information. */
void metrics_print(struct strbuf *out);

#endif
