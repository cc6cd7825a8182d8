/* Budgets on a real PostgreSQL, as the engine's role: who may go on, what a commit counts and
 * where, what becomes of a reservation however its turn ends, and 500 turns at once
 * (docs/PROTOCOL.md, budgets). */
#include "unit/common/store/usage_rig.h"

#include "store/usage_admin.h"

/* ---- what one turn sees ---- */

static void what_is_reserved_is_not_given_twice(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 600, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 600, 1000), USAGE_RESERVED); /* 400 are left: the last one */
    CU_ASSERT_EQUAL(reserve_one(3, 1, 1000), USAGE_FULL);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1200");
    CU_ASSERT_EQUAL(commit_one(1, 50), TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(spent(), "50 1500 2 true");
    CU_ASSERT_EQUAL(reserve_one(3, 600, 1000), USAGE_RESERVED);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1200");
    CU_ASSERT_EQUAL(commit_one(2, 600), TURN_COMMITTED);
    CU_ASSERT_EQUAL(commit_one(3, 350), TURN_COMMITTED);
    CU_ASSERT_EQUAL(reserve_one(4, 1, 1000), USAGE_SPENT);
    CU_ASSERT_STRING_EQUAL(reserved(), "0 0");
    CU_ASSERT_STRING_EQUAL(spent(), "1000 4500 6 true");
    end_test();
}

/* Guard: `before` in reserve_sql. */
static void turns_of_one_unit_see_those_before_them(void)
{
    begin_usage();
    struct usage_wish wishes[5];
    for (int i = 0; i < 5; i++)
        wishes[i] = wish(i + 1, 400, 1000);
    const struct reserves out = reserve(WORKER_A, wishes, 5);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(out.kinds[i], i < 3 ? USAGE_RESERVED : USAGE_FULL);
    CU_ASSERT_STRING_EQUAL(reserved(), "3 1200");
    end_test();
}

static void each_limit_stops_by_itself(void)
{
    static const struct {
        const char *name;
        struct usage_limits limits;
        int64_t day_per_cent, month_per_cent;
        enum usage_kind kind;
    } cases[] = {
        {"none", {NO_LIMIT, NO_LIMIT}, 0, 0, USAGE_RESERVED},
        {"far", {{1000, 1000, 1000}, {1000, 1000, 1000}}, 30, 30, USAGE_RESERVED},
        {"day, tokens", {{100, -1, -1}, NO_LIMIT}, 100, 0, USAGE_SPENT},
        {"day, cost", {{-1, 200, -1}, {1000, -1, -1}}, 100, 10, USAGE_SPENT},
        {"day, segments", {{-1, -1, 300}, NO_LIMIT}, 100, 0, USAGE_SPENT},
        {"month, tokens", {NO_LIMIT, {100, -1, -1}}, 0, 100, USAGE_SPENT},
        {"month, cost", {NO_LIMIT, {-1, 200, -1}}, 0, 100, USAGE_SPENT},
        {"month, segments", {{125, -1, -1}, {-1, -1, 150}}, 80, 200, USAGE_SPENT},
        {"one more", {{101, 201, 301}, {101, 201, 301}}, 99, 99, USAGE_RESERVED},
    };
    begin_usage();
    run("INSERT INTO usage (tenant_id, period, since, tokens, cost, segments) SELECT '" TENANT
        "', p, date_trunc(p, now() AT TIME ZONE 'Europe/Berlin')::date, 100, 200, 300"
        " FROM unnest(ARRAY['day', 'month']) AS p");
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        struct usage_wish one = wish(i + 1, 0, -1);
        one.most = (struct usage_amounts){0, 0, 0};
        one.limits = cases[i].limits;
        const struct reserves out = reserve(WORKER_A, &one, 1);
        if (out.kinds[0] != cases[i].kind)
            printf("    %s: %d\n", cases[i].name, (int)out.kinds[0]);
        CU_ASSERT_EQUAL(out.kinds[0], cases[i].kind);
        CU_ASSERT_EQUAL(out.day_per_cent, cases[i].day_per_cent);
        CU_ASSERT_EQUAL(out.month_per_cent, cases[i].month_per_cent);
    }
    end_test();
}

static void tenants_have_budgets_of_their_own(void)
{
    begin_usage();
    struct usage_wish wishes[] = {wish(1, 2000, 1000), wish(1, 2000, 1000), wish(2, 1, 1000)};
    wishes[1].tenant = OTHER_TENANT;
    const struct reserves out = reserve(WORKER_A, wishes, 3);
    CU_ASSERT_EQUAL(out.kinds[0], USAGE_RESERVED);
    CU_ASSERT_EQUAL(out.kinds[1], USAGE_RESERVED);
    CU_ASSERT_EQUAL(out.kinds[2], USAGE_FULL);
    end_test();
}

/* Three turns that hold theirs need more than is left beside the others': what one of them waits
 * with must not keep the others waiting. Guard: given_back in reserve_sql. */
static void who_waits_for_more_keeps_what_it_used(void)
{
    begin_usage();
    for (int n = 1; n <= 3; n++)
        CU_ASSERT_EQUAL(reserve_one(n, 400, 1000), USAGE_RESERVED);
    spend(300);
    CU_ASSERT_EQUAL(reserve_more(1, 600, 100), USAGE_FULL);
    CU_ASSERT_STRING_EQUAL(reserved(), "3 900");
    CU_ASSERT_EQUAL(reserve_more(2, 600, 100), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_more(3, 600, 5000), USAGE_FULL); /* no more than it had */
    CU_ASSERT_STRING_EQUAL(reserved(), "3 1100");
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(reserved_tokens || ' ' || reserved_cost || ' '"
                                 " || coalesce(reserved_segments::text, '-'), ', ' ORDER BY id)"
                                 " FROM turns"
                                 " WHERE reserved_day IS NOT NULL"),
                           "100 1000 -, 600 6000 3, 400 4000 -");
    CU_ASSERT_EQUAL(commit_one(2, 150), TURN_COMMITTED);
    CU_ASSERT_EQUAL(reserve_more(1, 600, 100), USAGE_RESERVED);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1000");
    end_test();
}

/* Three turns that wait, and used together with what is counted the whole budget: nobody gives any
 * of it back, so none of them may wait for it. Guard: gone in reserve_sql. */
static void what_waiting_turns_used_is_spent(void)
{
    begin_usage();
    for (int n = 1; n <= 3; n++)
        CU_ASSERT_EQUAL(reserve_one(n, 400, 1000), USAGE_RESERVED);
    spend(500);
    CU_ASSERT_EQUAL(reserve_more(1, 600, 260), USAGE_FULL); /* what the others hold may come back */
    CU_ASSERT_EQUAL(reserve_more(2, 600, 260), USAGE_SPENT); /* 1020 are gone */
    CU_ASSERT_EQUAL(reserve_more(3, 600, 260), USAGE_SPENT);
    CU_ASSERT_EQUAL(commit_one(2, 260), TURN_COMMITTED);
    CU_ASSERT_EQUAL(reserve_more(1, 600, 260), USAGE_SPENT);
    end_test();
}

/* ---- the ways a turn can end ---- */

static void a_commit_is_counted_once(void)
{
    begin_usage();
    const struct turn_commit one = commit_number(TENANT, 1, 70);
    CU_ASSERT_EQUAL(reserve_one(1, 100, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_COMMITTED);
    CU_ASSERT_EQUAL(commit(WORKER_A, &one).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(spent(), "70 1500 2 true");
    /* and so is one of a tenant without budgets */
    const struct turn_commit other = commit_number(OTHER_TENANT, 1, 30);
    CU_ASSERT_EQUAL(commit(WORKER_A, &other).kind, TURN_COMMITTED);
    CU_ASSERT_EQUAL(commit(WORKER_A, &other).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(tokens || ' ' || segments, ', ') FROM usage"
                                 " WHERE tenant_id = '" OTHER_TENANT "'"),
                           "30 2, 30 2");
    end_test();
}

static void a_refused_commit(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 100, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 100, 1000), USAGE_RESERVED);
    /* a newer text: it is computed anew and keeps what is left of what it has */
    run("UPDATE channel_sessions SET claimed = 2 WHERE id = "
        "'01000000-0000-0000-0000-000000000001'");
    CU_ASSERT_EQUAL(commit_one(1, 60), TURN_REFUSED_NEWER);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 140");
    CU_ASSERT_STRING_EQUAL(spent(), "60 1500 0 true"); /* its calls have been made */
    /* a person took over: its calls are paid for all the same, nothing was sent */
    run("UPDATE conversations SET epoch = 1, held_by = 'staff'");
    const struct turn_commit two = commit_number(TENANT, 2, 60);
    CU_ASSERT_EQUAL(commit(WORKER_A, &two).kind, TURN_REFUSED_EPOCH);
    CU_ASSERT_EQUAL(commit(WORKER_A, &two).kind, TURN_REFUSED_LOST);
    CU_ASSERT_STRING_EQUAL(spent(), "120 3000 0 true");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM llm_calls WHERE turn_id ="
                                 " '06000000-0000-0000-0000-000000000002'"),
                           "1");
    CU_ASSERT_STRING_EQUAL(reserved(), "1 40");
    end_test();
}

/* What is counted of a turn that begins anew is not reserved as well: with both the others would
 * find the budget spent. Guard: spent in turn_commit.c. */
static void what_is_counted_is_not_reserved_as_well(void)
{
    begin_usage();
    for (int n = 1; n <= 3; n++)
        CU_ASSERT_EQUAL(reserve_one(n, 400, 1000), USAGE_RESERVED);
    spend(300);
    CU_ASSERT_EQUAL(reserve_more(1, 800, 350), USAGE_FULL);
    CU_ASSERT_STRING_EQUAL(reserved(), "3 1150");
    run("UPDATE channel_sessions SET claimed = 2 WHERE id = "
        "'01000000-0000-0000-0000-000000000001'");
    CU_ASSERT_EQUAL(commit_one(1, 350), TURN_REFUSED_NEWER); /* 650 are counted */
    CU_ASSERT_STRING_EQUAL(reserved(), "3 800");
    CU_ASSERT_EQUAL(reserve_more(2, 800, 200), USAGE_FULL);
    /* an engine before wrote what its adopter does not know of */
    run("UPDATE turns SET reserved_tokens = 350 WHERE id = "
        "'06000000-0000-0000-0000-000000000001'");
    CU_ASSERT_EQUAL(reserve_more(1, 800, 0), USAGE_FULL);
    end_test();
}

/* Guard: the epochs in HELD_SQL and in the start. */
static void a_takeover_frees_what_was_reserved(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 1000, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 10, 1000), USAGE_FULL);
    run("UPDATE conversations SET epoch = 1 WHERE id = '05000000-0000-0000-0000-000000000001'");
    CU_ASSERT_EQUAL(reserve_one(2, 1000, 1000), USAGE_RESERVED);
    /* handed back, it begins anew and is judged anew */
    const struct inbox_claimed claimed = {.session = id_of(1, 1), .conversation = id_of(5, 1)};
    CU_ASSERT_EQUAL(start(WORKER_A, &claimed).kind, TURN_START_RUN);
    struct usage_wish again = wish(1, 10, 1000);
    again.fence = 2;
    CU_ASSERT_EQUAL(reserve(WORKER_A, &again, 1).kinds[0], USAGE_FULL);
    end_test();
}

static void a_turn_without_open_texts_lets_go(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 1000, 1000), USAGE_RESERVED);
    run("UPDATE inbox_events SET state = 'ended' WHERE provider_id = 'SM1'");
    const struct inbox_claimed claimed = {.session = id_of(1, 1), .conversation = id_of(5, 1)};
    CU_ASSERT_EQUAL(start(WORKER_A, &claimed).kind, TURN_START_NOTHING);
    CU_ASSERT_STRING_EQUAL(reserved(), "0 0");
    CU_ASSERT_EQUAL(reserve_one(2, 1000, 1000), USAGE_RESERVED);
    end_test();
}

/* A worker dies: its turn keeps what it has, once, through whoever takes it up. */
static void an_adopted_turn_keeps_its_reservation(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 800, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 800, 1000), USAGE_RESERVED);
    run("UPDATE workers SET dead = true WHERE id = '" WORKER_A "'");
    run("UPDATE channel_sessions SET worker = '" WORKER_B "'");
    CU_ASSERT_EQUAL(reserve_one(3, 1, 1000), USAGE_FULL);
    const struct inbox_claimed claimed = {.session = id_of(1, 1), .conversation = id_of(5, 1)};
    const struct turn_started turn = start(WORKER_B, &claimed);
    CU_ASSERT_EQUAL(turn.kind, TURN_START_RUN);
    CU_ASSERT_EQUAL(turn.tries, 1);
    struct usage_wish again = wish(1, 500, 1000);
    CU_ASSERT_EQUAL(reserve(WORKER_A, &again, 1).kinds[0], USAGE_LOST); /* the dead one's own */
    again.fence = turn.fence;
    CU_ASSERT_EQUAL(reserve(WORKER_B, &again, 1).kinds[0], USAGE_RESERVED);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1600");
    struct turn_commit reply = commit_of(&claimed, &turn);
    CU_ASSERT_EQUAL(commit(WORKER_B, &reply).kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(reserved(), "1 800");
    CU_ASSERT_STRING_EQUAL(spent(), "5 1500 0 true");
    end_test();
}

/* A newer text makes the prompt longer: the turn is started anew and needs more than it has. It is
 * judged without its own, so that it does not wait for itself. Guard: `kept` and OWN_SQL. */
static void a_recompute_reserves_what_it_needs_more(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 600, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 600, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(1, 500, 1000), USAGE_RESERVED);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1200"); /* what it has is enough */
    CU_ASSERT_EQUAL(reserve_one(1, 1100, 1000), USAGE_RESERVED);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1700");
    CU_ASSERT_EQUAL(reserve_one(2, 700, 1000),
                    USAGE_FULL);                  /* the other one's is the whole budget */
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1100"); /* it has used nothing yet */
    CU_ASSERT_EQUAL(commit_one(1, 100), TURN_COMMITTED);
    CU_ASSERT_EQUAL(reserve_one(2, 700, 1000), USAGE_RESERVED);
    CU_ASSERT_STRING_EQUAL(reserved(), "1 700");
    run("UPDATE usage SET tokens = 1000");
    CU_ASSERT_EQUAL(reserve_one(2, 700, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 701, 1000), USAGE_SPENT);
    CU_ASSERT_EQUAL(commit_one(2, 100), TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(reserved(), "0 0");
    end_test();
}

/* Two that have something and need more, in one unit: the second one sees what the first one has
 * now, and the first one what the second one had. */
static void recomputes_of_one_unit(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 300, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 600, 1000), USAGE_RESERVED);
    struct usage_wish wishes[] = {wish(1, 900, 1000), wish(2, 700, 1000), wish(3, 10, 1000)};
    struct reserves out = reserve(WORKER_A, wishes, 3);
    CU_ASSERT_EQUAL(out.kinds[0], USAGE_RESERVED);
    CU_ASSERT_EQUAL(out.kinds[1], USAGE_RESERVED);
    CU_ASSERT_EQUAL(out.kinds[2], USAGE_FULL);
    CU_ASSERT_STRING_EQUAL(reserved(), "2 1600");
    end_test();
}

/* A turn whose row somebody has locked is being ended or begun anew: no reservation waits for it,
 * or it could wait in a circle with a commit of the same turns. Guard: SKIP LOCKED. */
static void a_locked_turn_is_not_waited_for(void)
{
    begin_usage();
    struct outcome holder;
    struct outcome holds = {.done = false};
    rig_sql(&holder,
            "UPDATE turns SET error_code = 'x' WHERE id = '06000000-0000-0000-0000-000000000002'"
            " AND tenant_id = '" TENANT "'",
            "do $$ begin for i in 1..500 loop exit when exists"
            " (select from pg_locks where locktype = 'advisory' and objid = 77);"
            " perform pg_sleep(0.01); end loop; end $$",
            NULL);
    do { /* until the holder has the row */
        rig_sql(&holds, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", NULL,
                NULL);
        while (!holds.done)
            loop_pass(rig_loop);
    } while (strcmp(holds.text, "1") != 0 && !holder.done);
    static struct reserves out;
    const struct usage_wish wishes[] = {wish(1, 10, 1000), wish(2, 10, 1000), wish(3, 10, 1000)};
    submit_wishes(WORKER_A, wishes, 3, &out);
    while (out.count == 0 && !out.failed)
        loop_pass(rig_loop);
    CU_ASSERT_FALSE(holder.done);
    CU_ASSERT_EQUAL_FATAL(out.count, 3);
    CU_ASSERT_EQUAL(out.kinds[0], USAGE_RESERVED);
    CU_ASSERT_EQUAL(out.kinds[1], USAGE_AGAIN);
    CU_ASSERT_EQUAL(out.kinds[2], USAGE_RESERVED);
    rig_sql(&holds, "SELECT pg_advisory_xact_lock(77)::text", "SELECT pg_sleep(0.1)::text", NULL);
    rig_run();
    end_test();
}

/* ---- days and months ---- */

/* A change of the zone moves the tenant's clock over midnight: the local days of these two are
 * never the same. */
static void days_are_those_of_the_tenants_zone(void)
{
    begin_usage();
    run("UPDATE tenants SET timezone = 'Etc/GMT+12'");
    struct usage_wish one = wish(1, 900, 1000), next = wish(2, 900, 1000);
    struct reserves out = reserve(WORKER_A, &one, 1);
    CU_ASSERT_STRING_EQUAL(out.day, value("SELECT (now() AT TIME ZONE 'Etc/GMT+12')::date"));
    run("UPDATE tenants SET timezone = 'Pacific/Kiritimati'");
    out = reserve(WORKER_A, &next, 1);
    CU_ASSERT_EQUAL(out.kinds[0], USAGE_RESERVED); /* a new day */
    CU_ASSERT_STRING_EQUAL(out.day,
                           value("SELECT (now() AT TIME ZONE 'Pacific/Kiritimati')::date"));
    CU_ASSERT_EQUAL(commit_one(1, 100), TURN_COMMITTED); /* counts where it was reserved */
    CU_ASSERT_EQUAL(commit_one(2, 20), TURN_COMMITTED);
    CU_ASSERT_EQUAL(commit_one(3, 3), TURN_COMMITTED); /* without a reservation: today */
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(tokens::text, ' ' ORDER BY since) FROM usage"
                                 " WHERE period = 'day'"),
                           "100 23");
    end_test();
}

static void a_turn_over_the_end_of_the_month(void)
{
    begin_usage();
    CU_ASSERT_EQUAL(reserve_one(1, 900, 1000), USAGE_RESERVED);
    run("UPDATE turns SET reserved_day = '2026-10-31' WHERE reserved_day IS NOT NULL");
    CU_ASSERT_EQUAL(reserve_one(2, 900, 1000), USAGE_RESERVED); /* last month's do not count */
    CU_ASSERT_EQUAL(commit_one(1, 100), TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(period || ' ' || since || ' ' || tokens, ', '"
                                 " ORDER BY period) FROM usage"),
                           "day 2026-10-31 100, month 2026-10-01 100");
    end_test();
}

/* ---- many at once ---- */

enum { WAVE_UNITS = 60, BUDGET = 50000, MOST = 900 };

struct wave {
    struct reserves *reserves;
    struct commits *commits;
    size_t units, count;
};

/* All turns whose state is `waiting`, in units of 1 to 29, with their commits between them. */
static void send_wave(struct wave *wave, const enum usage_kind *kinds, int units[TURNS])
{
    struct usage_wish wishes[32];
    size_t used = 0, room = 1;
    wave->units = wave->count = 0;
    for (int n = 0; n < TURNS; n++) {
        units[n] = -1;
        if (kinds[n] != USAGE_FULL)
            continue;
        wishes[used] = wish(n + 1, MOST, BUDGET);
        units[n] = (int)(wave->units * 32 + used++);
        if (used < room)
            continue;
        CU_ASSERT_FATAL(wave->units < WAVE_UNITS);
        submit_wishes(WORKER_A, wishes, used, &wave->reserves[wave->units++]);
        room = room % 23 + 7;
        used = 0;
    }
    if (used > 0)
        submit_wishes(WORKER_A, wishes, used, &wave->reserves[wave->units++]);
}

static void settle_some(struct wave *wave, enum usage_kind *kinds, bool *settled)
{
    for (int n = 0; n < TURNS; n++)
        if (kinds[n] == USAGE_RESERVED && !settled[n]) {
            const struct turn_commit one = commit_number(TENANT, n + 1, 300 + n % 600);
            wave->commits[wave->count] = (struct commits){.count = 0};
            submit_commit(WORKER_A, &one, &wave->commits[wave->count++]);
            settled[n] = true;
        }
}

static void check_total(void)
{
    static const char sql[] =
        "SELECT coalesce((SELECT tokens FROM usage WHERE period = 'day'), 0)"
        " + coalesce((SELECT sum(reserved_tokens) FROM turns WHERE reserved_day IS NOT NULL), 0)";
    const char *total = value(sql);
    if (strtol(total, NULL, 10) >= BUDGET + MOST)
        printf("    %s\n", total);
    CU_ASSERT(strtol(total, NULL, 10) < BUDGET + MOST);
}

/* 500 turns come at once over four connections, those that wait come back while others commit: at
 * no time is more spent and reserved than the budget and one turn, and all of it can be spent.
 * Guard: the lock of the tenant in front of reserve_sql. */
static void five_hundred_at_once(void)
{
    begin_usage();
    static enum usage_kind kinds[TURNS];
    static bool settled[TURNS];
    static int units[TURNS];
    struct wave wave = {.reserves = arena_alloc(arena, WAVE_UNITS * sizeof *wave.reserves),
                        .commits = arena_alloc(arena, TURNS * sizeof *wave.commits)};
    int rounds = 0, waiting = TURNS;
    memset(settled, 0, sizeof settled);
    for (int n = 0; n < TURNS; n++)
        kinds[n] = USAGE_FULL;
    while (waiting > 0 && rounds++ < 100) {
        send_wave(&wave, kinds, units);
        settle_some(&wave, kinds, settled);
        rig_run();
        waiting = 0;
        for (size_t i = 0; i < wave.units; i++)
            CU_ASSERT_FALSE_FATAL(wave.reserves[i].failed);
        for (int n = 0; n < TURNS; n++)
            if (units[n] >= 0)
                kinds[n] = wave.reserves[units[n] / 32].kinds[units[n] % 32];
        for (int n = 0; n < TURNS; n++)
            waiting += kinds[n] == USAGE_FULL;
        for (size_t i = 0; i < wave.count; i++)
            CU_ASSERT_EQUAL(wave.commits[i].rows[0].kind, TURN_COMMITTED);
        check_total();
    }
    CU_ASSERT_EQUAL(waiting, 0);
    settle_some(&wave, kinds, settled);
    rig_run();
    const long total = strtol(value("SELECT tokens FROM usage WHERE period = 'day'"), NULL, 10);
    CU_ASSERT(total >= BUDGET && total < BUDGET + MOST);
    CU_ASSERT_STRING_EQUAL(reserved(), "0 0");
    CU_ASSERT_STRING_EQUAL(value("SELECT (SELECT sum(tokens_in) FROM llm_calls) = tokens FROM usage"
                                 " WHERE period = 'day'"),
                           "t");
    end_test();
}

/* Commits and reservations of two tenants in opposite order: nobody waits in a circle. */
static void two_tenants_in_opposite_order(void)
{
    begin_usage();
    static struct reserves out[200];
    static struct commits done[200];
    for (int n = 0; n < 200; n++) {
        const int a = n % 2, b = 1 - a;
        const char *const names[] = {TENANT, OTHER_TENANT};
        struct usage_wish wishes[] = {wish(n + 201, 1, 1000), wish(n + 201, 1, 1000)};
        wishes[a].tenant = OTHER_TENANT;
        submit_wishes(WORKER_A, wishes, 2, &out[n]);
        struct turn_commit commits[] = {commit_number(names[a], n + 1, 1),
                                        commit_number(names[b], n + 1, 1)};
        struct pg_unit unit = {.done = on_committed, .arg = &done[n]};
        done[n].count = 0;
        turn_add_commit(&unit, arena, WORKER_A, commits, 2);
        rig_waiting++;
        pg_submit(rig_pg, &unit);
    }
    rig_run();
    for (int n = 0; n < 200; n++) {
        CU_ASSERT_FALSE(out[n].failed);
        CU_ASSERT_EQUAL(done[n].count, 2);
    }
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(tokens::text, ' ') FROM usage"),
                           "200 200 200 200");
    end_test();
}

/* ---- for people ---- */

static void what_deskctl_shows(void)
{
    begin_usage();
    struct pg_session *session = NULL;
    struct usage_row *rows = NULL;
    size_t count = 0;
    struct err err;
    run("INSERT INTO assistant_versions (tenant_id, assistant_id, version, config, created_by)"
        " VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000a1', 1,"
        " '{\"budgets\":{\"day\":{\"tokens\":200},\"month\":{\"cost\":1000}},"
        " \"models\":[{\"price_in\":1,\"price_out\":2},{\"price_in\":1},{}]}', 'x')");
    run("INSERT INTO usage (tenant_id, period, since, tokens) VALUES ('" TENANT
        "', 'day', '2020-01-01', 7)");
    CU_ASSERT_EQUAL(reserve_one(1, 150, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(reserve_one(2, 150, 1000), USAGE_RESERVED);
    CU_ASSERT_EQUAL(commit_one(2, 50), TURN_COMMITTED);
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    const struct usage_query query = {.tenant = "dental", .last = 2};
    CU_ASSERT_EQUAL_FATAL(usage_admin_list(session, arena, &query, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_STRING_EQUAL(rows[0].period, "day");
    CU_ASSERT_EQUAL(rows[0].spent.tokens, 50);
    CU_ASSERT_EQUAL(rows[0].spent.segments, 2);
    CU_ASSERT_EQUAL(rows[0].reserved.tokens, 150);
    CU_ASSERT_EQUAL(rows[0].budget.tokens, 200);
    CU_ASSERT_EQUAL(rows[0].budget.cost, -1);
    CU_ASSERT_EQUAL(rows[0].unpriced, 2);
    CU_ASSERT_EQUAL(usage_per_cent(&rows[0]), 25);
    CU_ASSERT_STRING_EQUAL(rows[1].period, "month");
    CU_ASSERT_EQUAL(rows[1].spent.cost, 1500);
    CU_ASSERT_EQUAL(usage_per_cent(&rows[1]), 150);
    const struct usage_query all = {.period = "day", .last = 1};
    CU_ASSERT_EQUAL_FATAL(usage_admin_list(session, arena, &all, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT_EQUAL(usage_per_cent(&rows[1]), -1);
    pg_session_close(&session);
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("usage", open_function_server, rig_end_server);
    CU_add_test(suite, "what is reserved", what_is_reserved_is_not_given_twice);
    CU_add_test(suite, "turns of one unit", turns_of_one_unit_see_those_before_them);
    CU_add_test(suite, "each limit", each_limit_stops_by_itself);
    CU_add_test(suite, "two tenants", tenants_have_budgets_of_their_own);
    CU_add_test(suite, "a commit counts once", a_commit_is_counted_once);
    CU_add_test(suite, "a refused commit", a_refused_commit);
    CU_add_test(suite, "a takeover", a_takeover_frees_what_was_reserved);
    CU_add_test(suite, "nothing open", a_turn_without_open_texts_lets_go);
    CU_add_test(suite, "an adoption", an_adopted_turn_keeps_its_reservation);
    CU_add_test(suite, "who waits for more", who_waits_for_more_keeps_what_it_used);
    CU_add_test(suite, "counted once", what_is_counted_is_not_reserved_as_well);
    CU_add_test(suite, "what waiting turns used", what_waiting_turns_used_is_spent);
    CU_add_test(suite, "a recompute", a_recompute_reserves_what_it_needs_more);
    CU_add_test(suite, "recomputes of one unit", recomputes_of_one_unit);
    CU_add_test(suite, "a locked turn", a_locked_turn_is_not_waited_for);
    CU_add_test(suite, "days", days_are_those_of_the_tenants_zone);
    CU_add_test(suite, "months", a_turn_over_the_end_of_the_month);
    CU_add_test(suite, "500 at once", five_hundred_at_once);
    CU_add_test(suite, "opposite orders", two_tenants_in_opposite_order);
    CU_add_test(suite, "deskctl", what_deskctl_shows);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
