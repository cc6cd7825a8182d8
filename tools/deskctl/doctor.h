/* What doctor judges by numbers alone. Any thread. */
#ifndef DESKCTL_DOCTOR_H
#define DESKCTL_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

/* True if clocks may differ by so much, either way: half a lease. */
bool doctor_skew_is_harmless(int64_t skew_ms);

/* True if a job that should run every 15 min (the responder's default) is late by so much that
 * nobody runs it: three intervals. */
bool doctor_job_is_forgotten(int64_t overdue_ms);

#endif
