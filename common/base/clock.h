/* Clocks. Deadlines and leases use the monotonic clock; wall time is only for what people and other
 * systems read. Any thread. */
#ifndef DESK_BASE_CLOCK_H
#define DESK_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Monotonic time, from an arbitrary start. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* As clock_mono_ms, and goes on while the machine is suspended: for leases, which run out at others
 * meanwhile. Not to be mixed with it. */
int64_t clock_lease_ms(void);

/* Milliseconds (microseconds) since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

#define CLOCK_RFC3339_SIZE 32

/* Formats wall time as "2026-11-23T09:08:07.123Z" into `out`. */
void clock_format_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);

/* Parses RFC 3339 with any zone and up to 9 fraction digits (only milliseconds are kept); the
 * years 1970-9999. PERMANENT "clock.format" otherwise. */
int clock_parse_rfc3339(const char *text, int64_t *wall_ms, struct err *err);

/* Parses RFC 2822 as Twilio writes it ("Tue, 23 Nov 2026 09:08:07 +0000"). PERMANENT otherwise. */
int clock_parse_rfc2822(const char *text, int64_t *wall_ms, struct err *err);

#endif
