/* Checks of what goes into the statements of bookings: rules that our parser of tenant files made,
 * and starts, days and details that a model made up. What passes here the database can read, so a
 * data error from there is a bug. Called by booking.c. */
#include "store/booking_rules.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

#define MINUTES_A_DAY  1440
#define MINUTES_A_YEAR (366 * MINUTES_A_DAY)
#define START_MAX      40
#define ZONE_MAX       64

static int bad_rules(struct err *err, const char *what)
{
    return err_set(err, ERR_BUG, "booking.rules", "%s", what);
}

/* ---- the clock ---- */

/* "HH:MM" as minutes, up to `max`; -1 for anything else. */
static int minutes_of(const struct json *value, int max)
{
    const char *text = json_text(value);
    if (text == NULL || strlen(text) != 5 || text[2] != ':' || strspn(text, "0123456789") != 2 ||
        strspn(text + 3, "0123456789") != 2)
        return -1;
    int hours = (text[0] - '0') * 10 + text[1] - '0';
    int minutes = (text[3] - '0') * 10 + text[4] - '0';
    int sum = hours * 60 + minutes;
    return minutes < 60 && sum <= max ? sum : -1;
}

/* Pairs in order that do not overlap. */
static bool are_openings(const struct json *pairs)
{
    int before = 0;
    if (json_type(pairs) != JSON_ARRAY || json_count(pairs) > BOOKING_OPENINGS_MAX)
        return false;
    for (const struct json *pair = json_first(pairs); pair != NULL; pair = json_next(pair)) {
        if (json_type(pair) != JSON_ARRAY || json_count(pair) != 2)
            return false;
        int from = minutes_of(json_first(pair), MINUTES_A_DAY - 1);
        int until = minutes_of(json_next(json_first(pair)), MINUTES_A_DAY);
        if (from < before || until <= from)
            return false;
        before = until;
    }
    return true;
}

static bool is_weekday(const char *name)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++)
        if (strcmp(name, days[i]) == 0)
            return true;
    return false;
}

static bool are_hours(const struct json *hours)
{
    if (json_type(hours) != JSON_OBJECT)
        return false;
    for (const struct json *day = json_first(hours); day != NULL; day = json_next(day))
        if (!is_weekday(json_name(day)) || !are_openings(day))
            return false;
    return true;
}

static bool is_holiday(const struct json *holiday)
{
    const char *day = json_member_text(holiday, "day");
    if (day == NULL || json_member_text(holiday, "name") == NULL ||
        booking_check_day(day, NULL) != 0)
        return false;
    for (const struct json *member = json_first(holiday); member != NULL;
         member = json_next(member))
        if (strcmp(json_name(member), "hours") == 0 && !are_openings(member))
            return false;
    return true;
}

static bool are_holidays(const struct json *holidays)
{
    if (json_type(holidays) != JSON_ARRAY || json_count(holidays) > BOOKING_HOLIDAYS_MAX)
        return false;
    for (const struct json *one = json_first(holidays); one != NULL; one = json_next(one))
        if (!is_holiday(one))
            return false;
    return true;
}

static bool is_good_json(const char *text, bool (*is_good)(const struct json *value))
{
    struct json *document = NULL;
    bool good =
        text != NULL && json_parse(text, strlen(text), &document, NULL) == 0 && is_good(document);
    json_free(&document);
    return good;
}

/* ---- rules ---- */

static bool is_zone_name(const char *zone)
{
    size_t length = zone != NULL ? strlen(zone) : 0;
    return length > 0 && length <= ZONE_MAX &&
           strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
               length;
}

static bool has_resources(const struct booking_rules *rules)
{
    if (rules->resource_count < 1 || rules->resource_count > BOOKING_RESOURCES_MAX)
        return false;
    for (size_t i = 0; i < rules->resource_count; i++)
        if (rules->resources[i] == NULL || rules->resources[i][0] == '\0')
            return false;
    return true;
}

static bool has_numbers(const struct booking_rules *rules)
{
    const struct {
        int value, min, max;
    } numbers[] = {
        {rules->duration_min, 5, MINUTES_A_DAY}, {rules->buffer_before_min, 0, 240},
        {rules->buffer_after_min, 0, 240},       {rules->step_min, 5, 240},
        {rules->lead_min, 0, MINUTES_A_YEAR},    {rules->horizon_days, 1, 366},
        {rules->hold_min, 1, 7 * MINUTES_A_DAY}, {rules->change_min, 0, MINUTES_A_YEAR},
        {rules->most_per_customer, 0, 100},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].value < numbers[i].min || numbers[i].value > numbers[i].max)
            return false;
    return true;
}

int booking_check_rules(const struct booking_rules *rules, struct err *err)
{
    if (!is_zone_name(rules->timezone))
        return bad_rules(err, "the time zone is no IANA name");
    if (rules->service == NULL || rules->service[0] == '\0')
        return bad_rules(err, "the service has no name");
    if (!has_resources(rules))
        return bad_rules(err, "the service has no resources, too many, or one without a name");
    if (!has_numbers(rules))
        return bad_rules(err, "a number of the service is out of bounds");
    if (!is_good_json(rules->hours, are_hours))
        return bad_rules(err, "the opening hours are not as booking_rules.h has them");
    if (!is_good_json(rules->holidays, are_holidays))
        return bad_rules(err, "the holidays are not as booking_rules.h has them");
    return 0;
}

/* ---- what a model made up ---- */

int booking_parse_start(struct arena *arena, const char *text, struct booking_start *start,
                        struct err *err)
{
    static const size_t to_minutes = sizeof "2026-12-01T09:00" - 1;
    char full[START_MAX + 8], out[CLOCK_RFC3339_SIZE];
    int64_t ms = 0;
    size_t length = text != NULL ? strnlen(text, START_MAX + 1) : 0;
    bool fits = length >= to_minutes && length <= START_MAX, zoned = false;
    if (fits) {
        const char *rest = text + to_minutes;
        zoned = strpbrk(rest, "Zz+-") != NULL;
        snprintf(full, sizeof full, "%.16s%s%s%s", text, rest[0] == ':' ? "" : ":00", rest,
                 zoned ? "" : "Z");
    }
    if (!fits || clock_parse_rfc3339(full, &ms, NULL) != 0)
        return err_set(err, ERR_PERMANENT, "booking.start",
                       "the start is not a time; write it as 2026-12-01T09:00");
    clock_format_rfc3339(ms, out);
    if (!zoned)
        out[strlen(out) - 1] = '\0'; /* without the Z */
    *start = zoned ? (struct booking_start){.instant = arena_strdup(arena, out)}
                   : (struct booking_start){.local = arena_strdup(arena, out)};
    return 0;
}

int booking_check_day(const char *text, struct err *err)
{
    char full[CLOCK_RFC3339_SIZE];
    int64_t ms;
    if (text != NULL && strnlen(text, 11) == 10) {
        snprintf(full, sizeof full, "%.10sT00:00:00Z", text);
        if (clock_parse_rfc3339(full, &ms, NULL) == 0)
            return 0;
    }
    return err_set(err, ERR_PERMANENT, "booking.day",
                   "the day is not a date; write it as 2026-12-01");
}

/* Printed anew: a number that only jsonb cannot hold becomes one that it can. */
int booking_copy_details(struct arena *arena, const char *text, const char **copy, struct err *err)
{
    struct json *document = NULL;
    struct strbuf out;
    if (text == NULL) {
        *copy = NULL;
        return 0;
    }
    size_t length = strnlen(text, BOOKING_DETAILS_MAX + 1);
    strbuf_init(&out, 2 * BOOKING_DETAILS_MAX);
    bool good = length <= BOOKING_DETAILS_MAX && json_parse(text, length, &document, NULL) == 0 &&
                json_type(document) == JSON_OBJECT;
    if (good)
        json_print(document, &out);
    json_free(&document);
    good = good && !out.overflow;
    if (good)
        *copy = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    if (!good)
        return err_set(err, ERR_PERMANENT, "booking.details",
                       "the details are no JSON object, or a very long one");
    return 0;
}
