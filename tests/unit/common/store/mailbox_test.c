/* Unit tests of mailboxes' statements: what they ask for, and on a real PostgreSQL, as the
 * mailpoller's role, what those of a holder change, and of one who holds the mailbox no more. */
#include "store/mailbox.h"

#include "unit/common/store/schema.h"

#define TENANT   "00000000-0000-7000-8000-000000000001"
#define MAILBOX  "00000000-0000-7000-8000-000000000002"
#define WORKER_A "00000000-0000-7000-8000-00000000000a"
#define WORKER_B "00000000-0000-7000-8000-00000000000b"
#define LIFE_A   "00000000-0000-7000-8000-0000000000a1"
#define LIFE_B   "00000000-0000-7000-8000-0000000000b1"

static struct arena *arena;

static struct pg_unit kept(const char *bytes, size_t length)
{
    struct pg_unit unit = {0};
    const struct uuid tenant = uuid_new();
    attachment_add(&unit, arena, &tenant,
                   &(struct attachment){.event_id = "e",
                                        .number = 1,
                                        .kind = "file",
                                        .name = "a",
                                        .type = "image/png",
                                        .bytes = bytes,
                                        .length = length});
    return unit;
}

/* The unit's time, and the server's for its statements, which would end it sooner. */
static void test_a_large_attachment_has_time(void)
{
    static const struct {
        size_t length;
        int64_t least_ms, most_ms;
    } cases[] = {
        {0, 15000, 30000},
        {1024 * 1024, 25000, 40000},
        {25 * 1024 * 1024, 150000, 300000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena = arena_new();
        char *bytes = calloc(1, cases[i].length + 1);
        struct pg_unit unit = kept(bytes, cases[i].length);
        CU_ASSERT_TRUE(unit.deadline_ms >= cases[i].least_ms);
        CU_ASSERT_TRUE(unit.deadline_ms <= cases[i].most_ms);
        CU_ASSERT_EQUAL_FATAL(unit.count, 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(unit.statements[0].sql, "statement_timeout"));
        CU_ASSERT_EQUAL(strtoll(unit.statements[0].params[0], NULL, 10), unit.deadline_ms);
        free(bytes);
        arena_free(&arena);
    }
}

/* ---- holds ---- */

/* Worker B has it with fence 7 and is at mail 6; it was read up to 5. */
static const char seed_sql[] = SCHEMA_EMPTY
    "INSERT INTO tenants (id, name, display_name, timezone) VALUES ('" TENANT "', 'dental',"
    " 'Dental', 'Europe/Berlin');"
    "INSERT INTO mailboxes (tenant_id, id, address, host, port, user_name, secret_from,"
    " secret_name, uid_validity, last_uid, worker, fence, trying_uid, tried_by) VALUES ('" TENANT
    "', '" MAILBOX "', 'desk@clinic.example', 'localhost', 993, 'desk', 'env', 'X', 3, 5,"
    " '" WORKER_B "', 7, 6, ARRAY['" LIFE_B "'::uuid])";

static int open_mailbox_server(void)
{
    const bool good =
        open_server() == 0 && test_server_sql(&rig_server, "ALTER ROLE frontdesk_mailpoller LOGIN");
    return good ? 0 : 1;
}

static void begin_test(void)
{
    char url[256];
    CU_ASSERT_TRUE_FATAL(test_server_sql(&rig_server, seed_sql));
    arena = arena_new();
    rig_open();
    snprintf(url, sizeof url, "%s user=frontdesk_mailpoller", rig_server.url);
    rig_pool(url, 1, 0);
    CU_ASSERT_TRUE_FATAL(rig_until(rig_is_up));
}

static void end_test(void)
{
    rig_close();
    arena_free(&arena);
}

/* The row, and how many mails were passed by, as one word. */
static struct outcome everything(void)
{
    struct outcome out;
    rig_sql(&out,
            "SELECT md5(m::text || (SELECT count(*) FROM mailbox_skips)::text) FROM mailboxes m",
            NULL, NULL);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out;
}

static void add_cursor(struct pg_unit *unit, const struct mailbox_hold *hold)
{
    mailbox_add_cursor(unit, arena, hold, &(struct imap_cursor){.validity = 3, .last_uid = 6});
}

/* Of UIDs that were void before the other one came. */
static void add_older_cursor(struct pg_unit *unit, const struct mailbox_hold *hold)
{
    mailbox_add_cursor(unit, arena, hold, &(struct imap_cursor){.validity = 2, .last_uid = 90});
}

static void add_begin(struct pg_unit *unit, const struct mailbox_hold *hold)
{
    mailbox_add_begin(unit, arena, hold, 8, 9);
}

static void add_alert(struct pg_unit *unit, const struct mailbox_hold *hold)
{
    mailbox_add_alert(unit, arena, hold, "full");
}

static void add_end(struct pg_unit *unit, const struct mailbox_hold *hold)
{
    mailbox_add_end(unit, arena, hold, &(struct mailbox_end){.next_in_ms = 1000});
}

static void add_failure(struct pg_unit *unit, const struct mailbox_hold *hold)
{
    mailbox_add_end(
        unit, arena, hold,
        &(struct mailbox_end){.error = "imap.login: no", .mail_at_fault = true, .pause = true});
}

static void add_skips(struct pg_unit *unit, const struct mailbox_hold *hold)
{
    mailbox_add_skips(unit, arena, hold, &(struct imap_cursor){.validity = 3},
                      &(struct mailbox_skip){.uid = 6, .reason = "unreadable"}, 1);
}

static const struct {
    const char *name;
    void (*add)(struct pg_unit *unit, const struct mailbox_hold *hold);
} writes[] = {
    {"cursor", add_cursor}, {"cursor of void UIDs", add_older_cursor},
    {"begin", add_begin},   {"alert", add_alert},
    {"end", add_end},       {"end after a failure", add_failure},
    {"skips", add_skips},
};

/* True if the statement changed something. */
static bool changes(size_t write, const char *worker, int64_t fence, const char *life)
{
    struct mailbox_hold hold = {.worker = worker, .fence = fence, .life = life};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &hold.tenant) && uuid_parse(MAILBOX, &hold.id));
    struct pg_unit unit = {0};
    struct outcome out;
    const struct outcome before = everything();
    writes[write].add(&unit, &hold);
    rig_submit(&unit, &out);
    rig_run();
    if (out.failed)
        printf("    %s: %s: %s\n", writes[write].name, out.err.code, out.err.message);
    CU_ASSERT_FALSE(out.failed);
    const bool changed = strcmp(before.text, everything().text) != 0;
    CU_ASSERT_EQUAL(changed, out.affected > 0);
    return changed;
}

/* Worker A had it before, with fence 6. Guard: HELD. */
static void test_only_the_holder_writes(void)
{
    static const struct {
        const char *worker, *life;
        int64_t fence;
        bool holds;
    } writers[] = {
        {WORKER_A, LIFE_A, 6, false}, /* it was frozen, and another one adopted */
        {WORKER_A, LIFE_A, 7, false},
        {WORKER_B, LIFE_B, 6, false}, /* it adopted what it had lost */
        {WORKER_B, LIFE_B, 8, false},
        {WORKER_B, LIFE_B, 7, true},
    };
    for (size_t w = 0; w < sizeof writers / sizeof *writers; w++)
        for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
            begin_test();
            const bool changed = changes(i, writers[w].worker, writers[w].fence, writers[w].life);
            if (changed != writers[w].holds)
                printf("    %s by writer %zu\n", writes[i].name, w);
            CU_ASSERT_EQUAL(changed, writers[w].holds);
            end_test();
        }
}

/* Within one UIDVALIDITY, also by who holds it. */
static void test_a_cursor_never_moves_back(void)
{
    begin_test();
    struct mailbox_hold hold = {.worker = WORKER_B, .fence = 7, .life = LIFE_B};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &hold.tenant) && uuid_parse(MAILBOX, &hold.id));
    for (uint32_t uid = 4; uid <= 6; uid++) {
        struct pg_unit unit = {0};
        struct outcome out;
        mailbox_add_cursor(&unit, arena, &hold,
                           &(struct imap_cursor){.validity = 3, .last_uid = uid});
        rig_submit(&unit, &out);
        rig_run();
        CU_ASSERT_FALSE(out.failed);
        CU_ASSERT_EQUAL(out.affected, uid >= 5);
    }
    end_test();
}

/* Who comes later has tries of its own. */
static void test_tries_are_of_fewer_never_of_more(void)
{
    static const struct {
        uint32_t uid, last;
        const char *together;
    } begins[] = {{6, 9, "6"}, /* of a row from before */
                  {7, 9, "9"}, {7, 12, "9"}, {7, 8, "8"}, {7, 9, "8"}, {9, 12, "12"}};
    begin_test();
    struct mailbox_hold hold = {.worker = WORKER_B, .fence = 7, .life = LIFE_B};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &hold.tenant) && uuid_parse(MAILBOX, &hold.id));
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        struct pg_unit unit = {0};
        struct outcome out;
        mailbox_add_begin(&unit, arena, &hold, begins[i].uid, begins[i].last);
        rig_submit(&unit, &out);
        rig_run();
        CU_ASSERT_FALSE(out.failed);
        rig_sql(&out, "SELECT trying_to::text FROM mailboxes", NULL, NULL);
        rig_run();
        CU_ASSERT_STRING_EQUAL(out.text, begins[i].together);
    }
    end_test();
}

/* ---- claims ---- */

/* In order of their due times: four at one server, two at another one, and that of the seed. */
static const char due_sql[] =
    "INSERT INTO mailboxes (tenant_id, id, address, host, port, user_name, secret_from,"
    " secret_name, due_at) SELECT '" TENANT "', gen_random_uuid(), place, host, port, 'desk',"
    " 'env', 'X', clock_timestamp() - interval '1 hour' + number * interval '1 min'"
    " FROM (VALUES (1, 'a1', 'A.example', 993), (2, 'a2', 'a.example', 993),"
    " (3, 'a3', 'a.example', 993), (4, 'a4', 'a.example', 993), (5, 'b1', 'b.example', 993),"
    " (6, 'b2', 'b.example', 993)) AS v(number, place, host, port)";

/* The addresses of those that are taken. */
static struct outcome claimed(const struct mailbox_room *room)
{
    struct outcome out;
    struct pg_unit unit = {0};
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "UPDATE mailboxes SET worker = NULL"));
    mailbox_add_claim(&unit, arena, WORKER_A, "{}", room);
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    rig_sql(&out,
            "SELECT coalesce(string_agg(address, ' ' ORDER BY address), '') FROM mailboxes"
            " WHERE worker = '" WORKER_A "'",
            NULL, NULL);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out;
}

/* Guard: per_server of claim_sql. */
static void test_no_server_takes_all_places(void)
{
    static const struct {
        struct mailbox_room room;
        const char *taken;
    } cases[] = {
        {{7, 7, "{}"}, "a1 a2 a3 a4 b1 b2 desk@clinic.example"},
        {{3, 7, "{}"}, "a1 a2 a3"},
        {{7, 2, "{}"}, "a1 a2 b1 b2 desk@clinic.example"},
        {{3, 2, "{}"}, "a1 a2 b1"},
        {{7, 2, "{a.example:993}"}, "a1 b1 b2 desk@clinic.example"},
        {{7, 2, "{a.example:143}"}, "a1 a2 b1 b2 desk@clinic.example"},
        {{7, 2, "{A.example:993,a.example:993,b.example:993}"}, "b1 desk@clinic.example"},
        {{7, 1, "{a.example:993,a.example:993,b.example:993,localhost:993}"}, ""},
        {{0, 2, "{}"}, ""},
    };
    begin_test();
    CU_ASSERT_TRUE_FATAL(test_server_sql(&rig_server, due_sql));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_STRING_EQUAL(claimed(&cases[i].room).text, cases[i].taken);
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("store/mailbox", open_mailbox_server, rig_end_server);
    CU_add_test(suite, "a large attachment has time", test_a_large_attachment_has_time);
    CU_add_test(suite, "only the holder writes", test_only_the_holder_writes);
    CU_add_test(suite, "a cursor never moves back", test_a_cursor_never_moves_back);
    CU_add_test(suite, "tries are of fewer, never of more", test_tries_are_of_fewer_never_of_more);
    CU_add_test(suite, "no server takes all places", test_no_server_takes_all_places);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
