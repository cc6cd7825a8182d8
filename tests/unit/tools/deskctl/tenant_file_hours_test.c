/* Unit tests of `hours:` and `holidays:`: a good week becomes exactly its JSON, each mistake is
 * named with its line and with how to mend it. */
#include "section_rig.h"

static const struct good_section good[] = {
    {"hours:\n  mon: 08:00-17:00\n", "hours", "{\"mon\":[[\"08:00\",\"17:00\"]]}"},
    {"hours:\n  mon-thu: 08:00-17:00\n  fri: 08:00-14:00\n  sat-sun: closed\n", "hours",
     "{\"mon\":[[\"08:00\",\"17:00\"]],\"tue\":[[\"08:00\",\"17:00\"]],"
     "\"wed\":[[\"08:00\",\"17:00\"]],\"thu\":[[\"08:00\",\"17:00\"]],"
     "\"fri\":[[\"08:00\",\"14:00\"]]}"},
    /* in the order of the week, whatever the file's */
    {"hours:\n  sun: [00:00-06:30, 06:30-24:00]\n  tue:\n    - 09:00-12:00\n    - 13:00-17:45\n",
     "hours",
     "{\"tue\":[[\"09:00\",\"12:00\"],[\"13:00\",\"17:45\"]],"
     "\"sun\":[[\"00:00\",\"06:30\"],[\"06:30\",\"24:00\"]]}"},
    {"hours:\n  wed: [01:00-02:00, 03:00-04:00, 05:00-06:00, 07:00-08:00]\n", "hours",
     "{\"wed\":[[\"01:00\",\"02:00\"],[\"03:00\",\"04:00\"],[\"05:00\",\"06:00\"],"
     "[\"07:00\",\"08:00\"]]}"},
    {"hours:\n  mon-sun: closed\n", "hours", "{}"},
    {"hours: {}\n", "hours", "{}"},
    {"", "hours", "(absent)"},
    {"", "holidays", "(absent)"},
    {"holidays: []\n", "holidays", "[]"},
    {"holidays:\n"
     "  - {day: 2027-01-01, name: New Year}\n"
     "  - {day: 2026-12-24, name: Christmas Eve, hours: 08:00-12:00}\n"
     "  - {day: 2028-02-29, name: Leap day, hours: closed}\n"
     "  - day: 2026-12-31\n"
     "    name: New Year's Eve\n"
     "    hours: [08:00-10:00, 11:00-12:00]\n",
     "holidays",
     "[{\"day\":\"2026-12-24\",\"name\":\"Christmas Eve\",\"hours\":[[\"08:00\",\"12:00\"]]},"
     "{\"day\":\"2026-12-31\",\"name\":\"New Year's Eve\","
     "\"hours\":[[\"08:00\",\"10:00\"],[\"11:00\",\"12:00\"]]},"
     "{\"day\":\"2027-01-01\",\"name\":\"New Year\"},"
     "{\"day\":\"2028-02-29\",\"name\":\"Leap day\"}]"},
};

#define NOT_HOURS " must be hours, like 08:00-17:00, or closed\n"
#define NO_DAY    "; write mon, tue, wed, thu, fri, sat, sun, or several like mon-thu\n"

static const struct bad_section bad[] = {
    /* one day's hours */
    {"hours:\n  mon: 8:00-17:00\n", "2: mon: \"8:00-17:00\"" NOT_HOURS},
    {"hours:\n  mon: 08:00\n", "2: mon: \"08:00\"" NOT_HOURS},
    {"hours:\n  mon: 08:00 - 17:00\n", "2: mon: \"08:00 - 17:00\"" NOT_HOURS},
    {"hours:\n  mon: 08:60-17:00\n", "2: mon: \"08:60-17:00\"" NOT_HOURS},
    {"hours:\n  mon: 08:00-24:01\n", "2: mon: \"08:00-24:01\"" NOT_HOURS},
    {"hours:\n  mon: 08.00-17.00\n", "2: mon: \"08.00-17.00\"" NOT_HOURS},
    {"hours:\n  mon: 08:00-17:000\n", "2: mon: \"08:00-17:000\"" NOT_HOURS},
    {"hours:\n  mon: open\n", "2: mon: \"open\"" NOT_HOURS},
    {"hours:\n  mon:\n", "2: mon: \"\"" NOT_HOURS},
    {"hours:\n  mon: {from: 1}\n", "2: mon: \"a block\"" NOT_HOURS},
    {"hours:\n  mon: [08:00-09:00, closed]\n", "2: mon: \"closed\"" NOT_HOURS},
    {"hours:\n  mon: 20:00-02:00\n",
     "2: mon: 20:00-02:00 ends before it begins; end it at 24:00 and "
     "write the rest on the next day\n"},
    {"hours:\n  mon: 08:00-08:00\n",
     "2: mon: 08:00-08:00 ends before it begins; end it at 24:00 and "
     "write the rest on the next day\n"},
    {"hours:\n  mon: [08:00-12:00, 11:59-17:00]\n",
     "2: mon: 11:59-17:00 begins before the hours above it end; write them in order, without "
     "overlap\n"},
    {"hours:\n  mon:\n    - 13:00-17:00\n    - 08:00-12:00\n",
     "4: mon: 08:00-12:00 begins before the hours above it end; write them in order, without "
     "overlap\n"},
    {"hours:\n  mon: []\n", "2: mon: has 0 entries; write 1 to 4, or closed\n"},
    {"hours:\n  mon: [01:00-02:00, 02:00-03:00, 03:00-04:00, 04:00-05:00, 05:00-06:00]\n",
     "2: mon: has 5 entries; write 1 to 4, or closed\n"},
    /* days */
    {"hours:\n  monday: 08:00-17:00\n", "2: hours has no \"monday\"" NO_DAY},
    {"hours:\n  Mon: 08:00-17:00\n", "2: hours has no \"Mon\"" NO_DAY},
    {"hours:\n  mon-tues: 08:00-17:00\n", "2: hours has no \"mon-tues\"" NO_DAY},
    {"hours:\n  mon-xyz: 08:00-17:00\n", "2: hours has no \"mon-xyz\"" NO_DAY},
    {"hours:\n  mon,tue: 08:00-17:00\n", "2: hours has no \"mon,tue\"" NO_DAY},
    {"hours:\n  fri-mon: 08:00-17:00\n",
     "2: hours: fri-mon runs over the week's end; write one line "
     "up to sun and one from mon\n"},
    {"hours:\n  mon-wed: 08:00-17:00\n  tue: closed\n",
     "3: hours: tue is there twice; remove one\n"},
    {"hours: always\n", "1: hours: must be a block of indented name: value lines\n"},
    /* holidays */
    {"holidays: 2026-12-25\n", "1: holidays: must be a list: lines that start with \"- \"\n"},
    {"holidays:\n  - 2026-12-25\n", "2: a holiday must be a block of name: value lines\n"},
    {"holidays:\n  - {day: 2026-12-25}\n", "2: a holiday needs name:; add it\n"},
    {"holidays:\n  - {name: Christmas}\n", "2: a holiday needs day:; add it\n"},
    {"holidays:\n  - {day: 2026-02-29, name: N}\n",
     "2: day: \"2026-02-29\" must be a date, like 2026-09-23\n"},
    {"holidays:\n  - {day: 2026-04-31, name: N}\n",
     "2: day: \"2026-04-31\" must be a date, like 2026-09-23\n"},
    {"holidays:\n  - {day: 12/25, name: N}\n",
     "2: day: \"12/25\" must be a date, like 2026-09-23\n"},
    {"holidays:\n  - {day: 2026-12-25, name: A}\n  - day: 2026-12-24\n    name: B\n"
     "  - name: C\n    day: 2026-12-25\n",
     "6: day: \"2026-12-25\" is there twice; remove one\n"},
    {"holidays:\n  - {day: 2026-12-25, name: N, open: 08:00-09:00}\n",
     "2: a holiday has no \"open\"; remove it\n"},
    {"holidays:\n  - {day: 2026-12-25, name: N, hours: noon}\n", "2: hours: \"noon\"" NOT_HOURS},
};

static void test_good(void)
{
    rig_good(good, sizeof good / sizeof good[0]);
}

static void test_bad(void)
{
    rig_bad(bad, sizeof bad / sizeof bad[0]);
}

static void test_many_holidays(void)
{
    struct strbuf text;
    strbuf_init(&text, 65536);
    strbuf_add_text(&text, "holidays:\n");
    for (int i = 0; i < 201; i++)
        strbuf_printf(&text, "  - {day: 2%03d-01-01, name: N}\n", i);
    const struct bad_section many = {text.data,
                                     "2: holidays: has 201 entries; it must have 0 to 200\n"};
    rig_bad(&many, 1);
    strbuf_fini(&text);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_file_hours", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "bad", test_bad);
    CU_add_test(suite, "many holidays", test_many_holidays);
    return rig_run();
}
