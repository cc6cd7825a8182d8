/* Monotonic and wall clocks, and the two date formats that our wires use. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_lease_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

void clock_format_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[24];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, CLOCK_RFC3339_SIZE, "%s.%03dZ", date, (int)(wall_ms % 1000));
}

/* Reads exactly `count` digits; returns the rest or NULL. */
static const char *digits(const char *text, int count, int *value)
{
    int sum = 0;
    for (int i = 0; i < count; i++, text++) {
        if (*text < '0' || *text > '9')
            return NULL;
        sum = sum * 10 + (*text - '0');
    }
    *value = sum;
    return text;
}

/* Fields that must be followed by one fixed character, as a table. */
static const char *fields(const char *text, const char *follow, const int *widths, int *values)
{
    for (int i = 0; follow[i] != '\0' && text != NULL; i++) {
        text = digits(text, widths[i], &values[i]);
        if (text == NULL || (follow[i] != '!' && *text++ != follow[i]))
            return NULL;
    }
    return text;
}

static const char *zone(const char *text, int *minutes)
{
    if (*text == 'Z' || *text == 'z') {
        *minutes = 0;
        return text + 1;
    }
    int sign = *text == '-' ? -1 : 1, hour, minute;
    if (*text != '+' && *text != '-')
        return NULL;
    text = digits(text + 1, 2, &hour);
    if (text == NULL)
        return NULL;
    if (*text == ':')
        text++;
    text = digits(text, 2, &minute);
    if (text == NULL || hour > 23 || minute > 59)
        return NULL;
    *minutes = sign * (hour * 60 + minute);
    return text;
}

static int to_wall_ms(struct tm tm, int fraction_ms, int zone_min, int64_t *wall_ms)
{
    if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_year < 70)
        return -1;
    int day = tm.tm_mday, leap = tm.tm_sec == 60;
    tm.tm_sec -= leap;
    time_t seconds = timegm(&tm) + leap;
    if (tm.tm_mday != day)
        return -1; /* 31 February and the like */
    *wall_ms = ((int64_t)seconds - (int64_t)zone_min * 60) * 1000 + fraction_ms;
    return 0;
}

int clock_parse_rfc3339(const char *text, int64_t *wall_ms, struct err *err)
{
    int v[6] = {0}, fraction = 0, scale = 100, zone_min = 0;
    const int widths[] = {4, 2, 2, 2, 2, 2};
    const char *p = fields(text, "--T::!", widths, v);
    if (p == NULL)
        p = fields(text, "--t::!", widths, v);
    if (p != NULL && *p == '.') {
        const char *start = ++p;
        for (; *p >= '0' && *p <= '9' && p - start < 9; p++, scale /= 10)
            fraction += (*p - '0') * scale;
        if (p == start)
            p = NULL;
    }
    if (p != NULL)
        p = zone(p, &zone_min);
    struct tm tm = {.tm_year = v[0] - 1900,
                    .tm_mon = v[1] - 1,
                    .tm_mday = v[2],
                    .tm_hour = v[3],
                    .tm_min = v[4],
                    .tm_sec = v[5]};
    if (p == NULL || *p != '\0' || to_wall_ms(tm, fraction, zone_min, wall_ms) != 0)
        return err_set(err, ERR_PERMANENT, "clock.format", "not an RFC 3339 time");
    return 0;
}

static int month_of(const char *name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncmp(name, months + 3 * i, 3) == 0)
            return i;
    return -1;
}

int clock_parse_rfc2822(const char *text, int64_t *wall_ms, struct err *err)
{
    char month[4] = "";
    int day, year, hour, minute, second, zone_min = 0, used = 0;
    const char *comma = strchr(text, ',');
    const char *p = comma != NULL ? comma + 1 : text;
    bool good = sscanf(p, " %2d %3s %4d %2d:%2d:%2d %n", &day, month, &year, &hour, &minute,
                       &second, &used) == 6 &&
                used > 0 && hour >= 0 && minute >= 0 && second >= 0 && strlen(p + used) == 5;
    const char *end = good && p[used] != 'Z' ? zone(p + used, &zone_min) : NULL;
    if (end == NULL || *end != '\0')
        return err_set(err, ERR_PERMANENT, "clock.format", "not an RFC 2822 date");
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month_of(month),
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    if (to_wall_ms(tm, 0, zone_min, wall_ms) != 0)
        return err_set(err, ERR_PERMANENT, "clock.format", "not an RFC 2822 date");
    return 0;
}
