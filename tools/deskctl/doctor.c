/* `deskctl doctor`: looks at everything an installation needs and says, for each thing that is not
 * right, what to do. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "command.h"
#include "contract/twilio.h"
#include "crypto/crypto.h"
#include "doctor.h"
#include "files.h"
#include "mailbox.h"
#include "migrations.h"
#include "publish.h"
#include "store/admin.h"
#include "store/escalation_admin.h"
#include "store/job.h"
#include "store/recording.h"
#include "store/schema.h"
#include "store/tenant.h"
#include "store/usage_admin.h"
#include "tenant_plan.h"
#include "topic_file.h"

#define SKEW_MS_MAX    2000      /* half a lease: more, and waits of minutes go wrong */
#define BUDGET_LOW     80        /* per cent */
#define OVERDUE_MS_MAX 2700000LL /* three times gap_audit_every_ms */

bool doctor_skew_is_harmless(int64_t skew_ms)
{
    return skew_ms <= SKEW_MS_MAX && skew_ms >= -SKEW_MS_MAX;
}

bool doctor_job_is_forgotten(int64_t overdue_ms)
{
    return overdue_ms > OVERDUE_MS_MAX;
}

enum verdict { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct doctor {
    struct desk *desk;
    struct table *table; /* for scripts */
    struct strbuf lines; /* for people */
    int failures;
};

static const struct table_column columns[] = {
    {"check", TABLE_TEXT}, {"result", TABLE_TEXT}, {"what", TABLE_TEXT}, {"do", TABLE_TEXT}};

static void report(struct doctor *doctor, enum verdict verdict, const char *check, const char *what,
                   const char *remedy)
{
    static const char *const results[] = {"ok", "warn", "FAIL"};
    const char *cells[] = {check, results[verdict], what, remedy};
    table_add(doctor->table, cells);
    strbuf_printf(&doctor->lines, "%-4s  %-20s  ", results[verdict], check);
    table_add_safe(&doctor->lines, what, true, 28);
    strbuf_add_char(&doctor->lines, '\n');
    if (remedy != NULL)
        strbuf_printf(&doctor->lines, "%28s%s\n", "do: ", remedy);
    doctor->failures += verdict == CHECK_FAIL;
}

/* ---- configuration and keys ---- */

static void check_config(struct doctor *doctor)
{
    const struct settings *settings = &doctor->desk->settings;
    if (*settings->public_url == '\0')
        report(doctor, CHECK_WARN, "config", "public_url is not set",
               "set --public_url: signatures are checked against it");
    else if (!twilio_is_public_url(settings->public_url))
        report(
            doctor, CHECK_FAIL, "config", settings->public_url,
            "correct --public_url: like https://desk.example.com, no slash at the end, no query, "
            "no credentials; ingress does not start with it");
    else if (strncmp(settings->public_url, "https://", 8) != 0 &&
             strstr(settings->public_url, "://127.") == NULL)
        report(doctor, CHECK_WARN, "config", "public_url is not https",
               "put TLS before ingress: customers' texts travel in the clear");
    else
        report(doctor, CHECK_OK, "config", settings->public_url, NULL);
}

static bool check_key(struct doctor *doctor, enum desk_key which, const char *name, bool needed)
{
    const char *file = desk_key_file(doctor->desk, which);
    const struct secret *key;
    struct stat status;
    struct err err;
    if (*file == '\0' && !needed)
        return false;
    if (desk_key(doctor->desk, which, &key, &err) != 0) {
        report(doctor, needed ? CHECK_FAIL : CHECK_WARN, name, err.message,
               needed ? "restore the file, or make keys with `deskctl keys generate`"
                      : "only needed to re-verify quarantined webhooks under extra signing keys");
        return false;
    }
    if (which != DESK_KEY_EDGE_PUBLIC && stat(file, &status) == 0 && (status.st_mode & 077) != 0) {
        report(doctor, CHECK_FAIL, name, "others can read the file",
               arena_printf(doctor->desk->arena, "chmod 400 %s", file));
        return true;
    }
    report(doctor, CHECK_OK, name, file, NULL);
    return true;
}

/* The halves belong together if what one seals the other opens. */
static void check_pair(struct doctor *doctor)
{
    const struct secret *public_key, *secret_key;
    struct secret *opened = NULL;
    struct strbuf sealed;
    struct err err;
    if (desk_key(doctor->desk, DESK_KEY_EDGE_PUBLIC, &public_key, &err) != 0 ||
        desk_key(doctor->desk, DESK_KEY_EDGE_SECRET, &secret_key, &err) != 0)
        return;
    const uint8_t *open = (const uint8_t *)secret_reveal(public_key);
    strbuf_init(&sealed, 1024);
    crypto_seal(open, "pair", 4, &sealed);
    if (crypto_seal_open(open, (const uint8_t *)secret_reveal(secret_key), sealed.data,
                         sealed.length, &opened, &err) == 0)
        report(doctor, CHECK_OK, "edge pair", "the halves belong together", NULL);
    else
        report(doctor, CHECK_FAIL, "edge pair", "edge.secret is not the other half of edge.public",
               "restore the pair; ingress could not open any signing key");
    secret_free(&opened);
    strbuf_fini(&sealed);
}

static void check_keys(struct doctor *doctor)
{
    bool both = check_key(doctor, DESK_KEY_EDGE_PUBLIC, "edge.public", true);
    if (check_key(doctor, DESK_KEY_EDGE_SECRET, "edge.secret", false) && both)
        check_pair(doctor);
    check_key(doctor, DESK_KEY_CREDENTIALS, "credentials.key", true);
    check_key(doctor, DESK_KEY_ID, "id.key", true);
}

/* ---- database ---- */

static void check_migrations(struct doctor *doctor, struct pg_session *session)
{
    struct desk *desk = doctor->desk;
    struct migration *items = NULL;
    struct schema_applied *applied = NULL;
    const char *dir = NULL;
    size_t count = 0, applied_count = 0, first = 0;
    struct err err;
    if (files_schema_dir(desk->arena, desk->settings.schema_dir, &dir, &err) != 0 ||
        migrations_load(desk->arena, arena_printf(desk->arena, "%s/migrations", dir), &items,
                        &count, &err) != 0 ||
        schema_list_applied(session, desk->arena, &applied, &applied_count, &err) != 0 ||
        migrations_plan(items, count, applied, applied_count, &first, &err) != 0)
        report(doctor, CHECK_FAIL, "migrations", err.message, "see `deskctl db status`");
    else if (first < count)
        report(doctor, CHECK_FAIL, "migrations",
               arena_printf(desk->arena, "%zu not applied", count - first), "deskctl db migrate");
    else
        report(doctor, CHECK_OK, "migrations", arena_printf(desk->arena, "%zu applied", count),
               NULL);
}

static void check_walls(struct doctor *doctor, struct pg_session *session)
{
    const char **sentences = NULL;
    size_t count = 0;
    struct err err;
    if (schema_list_breaches(session, doctor->desk->arena, &sentences, &count, &err) != 0) {
        report(doctor, CHECK_FAIL, "tenant walls", err.message, "deskctl db migrate");
        return;
    }
    for (size_t i = 0; i < count; i++)
        report(doctor, CHECK_FAIL, "tenant walls", sentences[i],
               "undo the change that was made by hand: a tenant could see another's rows");
    if (count == 0)
        report(doctor, CHECK_OK, "tenant walls", "row security is forced on every table", NULL);
}

static void check_skew(struct doctor *doctor, const char *check, int64_t skew_ms)
{
    const char *what = arena_printf(doctor->desk->arena, "differs by %" PRId64 " ms",
                                    skew_ms < 0 ? -skew_ms : skew_ms);
    if (doctor_skew_is_harmless(skew_ms))
        report(doctor, CHECK_OK, check, what, NULL);
    else
        report(doctor, CHECK_FAIL, check, what, "run NTP on both machines");
}

static void check_facts(struct doctor *doctor, const struct schema_facts *facts, int64_t skew_ms)
{
    struct arena *arena = doctor->desk->arena;
    const char *version = arena_printf(arena, "PostgreSQL %" PRId64, facts->server_version / 10000);
    if (facts->server_version < 150000)
        report(doctor, CHECK_FAIL, "database", version, "use PostgreSQL 15 or newer");
    else
        report(doctor, CHECK_OK, "database", version, NULL);
    if (!facts->can_be_ops)
        report(doctor, CHECK_FAIL, "roles", "this login is no member of frontdesk_ops",
               "GRANT frontdesk_ops TO it, as owner");
    else
        report(doctor, CHECK_OK, "roles", "may act as frontdesk_ops", NULL);
    check_skew(doctor, "database clock", skew_ms);
    if (strcmp(facts->identity, facts->released_for) == 0)
        report(doctor, CHECK_OK, "release", "responders may send", NULL);
    else
        report(doctor, CHECK_FAIL, "release", "sends are held: the database was held or restored",
               "after a restore see `deskctl help release`, then `deskctl release`");
}

static struct pg_session *check_database(struct doctor *doctor)
{
    struct pg_session *session = NULL;
    struct schema_facts facts;
    struct err err;
    if (desk_database(doctor->desk, &session, &err) != 0) {
        report(doctor, CHECK_FAIL, "database", err.message,
               "start PostgreSQL or correct --database_url");
        return NULL;
    }
    int64_t before_ms = clock_wall_ms();
    if (schema_read_facts(session, doctor->desk->arena, &facts, &err) != 0) {
        report(doctor, CHECK_FAIL, "database", err.message, "deskctl db migrate");
        return NULL;
    }
    check_facts(doctor, &facts, facts.clock_ms - (before_ms + clock_wall_ms()) / 2);
    check_migrations(doctor, session);
    check_walls(doctor, session);
    return facts.can_be_ops ? session : NULL;
}

/* ---- channels ---- */

static void check_channel(struct doctor *doctor, const struct tenant_channel *channel,
                          const struct secret *key)
{
    struct arena *arena = doctor->desk->arena;
    const bool texts = strcmp(channel->kind, "sms") == 0; /* named as `tenant apply` names them */
    const char *name = arena_printf(arena, "channel %s%s%s", texts ? "" : channel->kind,
                                    texts ? "" : ":", channel->address);
    struct secret *token = NULL;
    struct err err;
    if (channel->removed || strcmp(channel->kind, "mail") == 0)
        return; /* of mailboxes below */
    if (key != NULL && tenant_plan_open_token(channel, key, &token, &err) != 0)
        report(doctor, CHECK_FAIL, name, "its auth token does not open with credentials.key",
               "restore that key, or apply the tenant file again");
    else if (strcmp(channel->edge_keys, "[]") == 0)
        report(doctor, CHECK_FAIL, name, "has no signing key: every webhook would be refused",
               "apply the tenant file again");
    else if (channel->published_version < channel->directory_version)
        report(doctor, CHECK_WARN, name, "its last change is not published to the edge yet",
               "start an engine, or `deskctl directory publish`");
    else
        report(doctor, CHECK_OK, name, channel->tenant_name, NULL);
    secret_free(&token);
}

static void check_channels(struct doctor *doctor)
{
    struct pg_session *session = NULL;
    struct tenant_row *rows = NULL;
    const struct secret *key = NULL;
    size_t count = 0;
    struct err err, ignored;
    (void)desk_key(doctor->desk, DESK_KEY_CREDENTIALS, &key, &ignored);
    if (desk_begin(doctor->desk, &session, &err) != 0 ||
        tenant_list(session, doctor->desk->arena, &rows, &count, &err) != 0) {
        desk_rollback(doctor->desk);
        report(doctor, CHECK_FAIL, "tenants", err.message, "see the lines above");
        return;
    }
    desk_rollback(doctor->desk);
    if (count == 0)
        report(doctor, CHECK_WARN, "tenants", "there is no tenant", "deskctl tenant apply FILE");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].config == NULL)
            report(doctor, CHECK_FAIL, rows[i].name, "has no assistant",
                   "apply the tenant file again");
        for (size_t j = 0; j < rows[i].channel_count; j++)
            check_channel(doctor, &rows[i].channels[j], key);
    }
}

/* ---- mailboxes ---- */

static void check_mailboxes(struct doctor *doctor)
{
    struct arena *arena = doctor->desk->arena;
    struct pg_session *session = NULL;
    struct mailbox_admin_row *rows = NULL;
    struct err err;
    size_t count = 0;
    if (desk_begin(doctor->desk, &session, &err) != 0 ||
        mailbox_admin_list(session, arena, NULL, NULL, &rows, &count, &err) != 0) {
        desk_rollback(doctor->desk);
        report(doctor, CHECK_FAIL, "mailboxes", err.message, "see the lines above");
        return;
    }
    desk_rollback(doctor->desk);
    for (size_t i = 0; i < count; i++) {
        const char *name = arena_printf(arena, "mailbox %s", rows[i].address);
        const char *state = mailbox_state(&rows[i]), *said = mailbox_said(arena, &rows[i]);
        bool good = rows[i].paused_at == NULL && rows[i].failures == 0;
        report(doctor, good ? CHECK_OK : CHECK_WARN, name,
               said != NULL ? arena_printf(arena, "%s: %s", state, said) : state,
               good                        ? NULL
               : rows[i].paused_at != NULL ? "`deskctl mailbox resume` when it may be read again"
                                           : "`deskctl mailbox check` says more");
    }
}

/* Lost webhooks are found by a job per number: a number that nobody audits loses texts silently. */
static void check_audit(struct doctor *doctor, const struct admin_job *job)
{
    struct arena *arena = doctor->desk->arena;
    const bool texts = strcmp(job->channel, "sms") == 0;
    const char *name = arena_printf(arena, "gap audit %s%s%s", texts ? "" : job->channel,
                                    texts ? "" : " ", job->address);
    if (job->error != NULL)
        report(doctor, CHECK_FAIL, name,
               arena_printf(arena, "failed %" PRId64 " times: %s", job->tries, job->error),
               "mend what it says (the number's account and token: tenant apply); it is tried "
               "again by itself, `deskctl reconcile` looks now");
    else if (doctor_job_is_forgotten(job->overdue_ms))
        report(doctor, CHECK_WARN, name,
               arena_printf(arena, "not done for %" PRId64 " min", job->overdue_ms / 60000),
               "start a responder with gap_audit_every_ms above 0; meanwhile `deskctl reconcile "
               "--execute` finds lost texts");
    else
        report(doctor, CHECK_OK, name, job->tenant, NULL);
}

static void check_audits(struct doctor *doctor)
{
    struct pg_session *session = NULL;
    struct admin_job *jobs = NULL;
    size_t count = 0;
    struct err err;
    if (desk_begin(doctor->desk, &session, &err) != 0 ||
        admin_list_jobs(session, doctor->desk->arena, JOB_GAP_AUDIT, &jobs, &count, &err) != 0)
        report(doctor, CHECK_FAIL, "gap audit", err.message, "see the lines above");
    desk_rollback(doctor->desk);
    for (size_t i = 0; i < count; i++)
        check_audit(doctor, &jobs[i]);
}

/* ---- escalations ---- */

/* Somebody was promised a person, and none has come: people must look by themselves. */
static void check_left(struct doctor *doctor, const struct escalation_left *left)
{
    struct arena *arena = doctor->desk->arena;
    const char *parked = left->parked == 0
                             ? ""
                             : arena_printf(arena, "%s%" PRId64 " whose rota could not be told",
                                            left->unaccepted > 0 ? ", " : "", left->parked);
    const char *unaccepted =
        left->unaccepted == 0
            ? ""
            : arena_printf(arena, "%" PRId64 " that nobody of the rota accepted", left->unaccepted);
    report(doctor, CHECK_WARN, arena_printf(arena, "escalations %s", left->tenant),
           arena_printf(arena, "open since %s: %s%s", left->since, unaccepted, parked),
           arena_printf(arena,
                        "deskctl escalation list --tenant %s; then accept, close or retry each",
                        left->tenant));
}

/* What a caller said after the tone, and nobody can hear. */
static void check_recordings(struct doctor *doctor)
{
    struct pg_session *session = NULL;
    int64_t waiting = 0, given_up = 0;
    struct err err;
    int result = desk_begin(doctor->desk, &session, &err);
    if (result == 0)
        result = recording_count_left(session, &waiting, &given_up, &err);
    desk_rollback(doctor->desk);
    if (result != 0)
        report(doctor, CHECK_FAIL, "recordings", err.message, "see the lines above");
    else if (waiting + given_up > 0)
        report(doctor, CHECK_WARN, "recordings",
               arena_printf(doctor->desk->arena,
                            "%" PRId64 " could not be fetched so far, %" PRId64 " were given up",
                            waiting, given_up),
               "`deskctl escalation list`; `deskctl escalation show` says why");
    else
        report(doctor, CHECK_OK, "recordings", "all that callers left were fetched", NULL);
}

static void check_escalations(struct doctor *doctor)
{
    struct pg_session *session = NULL;
    struct escalation_left *rows = NULL;
    size_t count = 0;
    struct err err;
    if (desk_begin(doctor->desk, &session, &err) != 0 ||
        escalation_admin_left(session, doctor->desk->arena, &rows, &count, &err) != 0) {
        desk_rollback(doctor->desk);
        report(doctor, CHECK_FAIL, "escalations", err.message, "see the lines above");
        return;
    }
    desk_rollback(doctor->desk);
    for (size_t i = 0; i < count; i++)
        check_left(doctor, &rows[i]);
    if (count == 0)
        report(doctor, CHECK_OK, "escalations", "none was asked about in vain", NULL);
}

/* ---- budgets ---- */

/* Segments end turns by text alone. */
static const char *what_is_over(const struct usage_row *row, int64_t per_cent)
{
    const bool all = (row->budget.tokens > 0 && row->spent.tokens >= row->budget.tokens) ||
                     (row->budget.cost > 0 && row->spent.cost >= row->budget.cost);
    return per_cent < 100 ? "" : all ? ": no model is asked" : ": no model is asked for a text";
}

static bool check_budget(struct doctor *doctor, const struct usage_row *row)
{
    struct arena *arena = doctor->desk->arena;
    const int64_t per_cent = usage_per_cent(row);
    if (row->budget.cost > 0 && row->budget.tokens < 0 && row->unpriced > 0)
        report(doctor, CHECK_WARN, arena_printf(arena, "budget %s", row->tenant),
               arena_printf(arena,
                            "dollars are set for the %s, and %" PRId64
                            " of its models have no price: they count as free",
                            row->period, row->unpriced),
               "give them a price: or their vendor: in the tenant's file, or set tokens too");
    if (per_cent < BUDGET_LOW)
        return false;
    report(doctor, CHECK_WARN, arena_printf(arena, "budget %s", row->tenant),
           arena_printf(arena, "%" PRId64 " %% of the %s since %s are spent%s", per_cent,
                        row->period, row->since, what_is_over(row, per_cent)),
           "see `deskctl usage`; raise budgets: in the tenant's file if that is too early");
    return true;
}

static void check_budgets(struct doctor *doctor)
{
    static const struct usage_query now = {.last = 1};
    struct pg_session *session = NULL;
    struct usage_row *rows = NULL;
    size_t count = 0;
    bool low = false;
    struct err err;
    if (desk_begin(doctor->desk, &session, &err) != 0 ||
        usage_admin_list(session, doctor->desk->arena, &now, &rows, &count, &err) != 0) {
        desk_rollback(doctor->desk);
        report(doctor, CHECK_FAIL, "budgets", err.message, "see the lines above");
        return;
    }
    desk_rollback(doctor->desk);
    for (size_t i = 0; i < count; i++)
        low |= check_budget(doctor, &rows[i]);
    if (!low)
        report(doctor, CHECK_OK, "budgets", "no tenant has spent 80 % of one", NULL);
}

/* ---- Kafka ---- */

static int check_topic(struct doctor *doctor, struct bus_admin *admin,
                       const struct bus_topic *wanted)
{
    struct bus_topic found;
    struct strbuf lines;
    struct err err;
    if (bus_admin_describe(admin, doctor->desk->arena, wanted->name, &found, &err) != 0) {
        report(doctor, CHECK_FAIL, wanted->name, err.message,
               strcmp(err.code, "bus.no_topic") == 0 ? "deskctl topics apply"
                                                     : "start Kafka or correct --kafka_brokers");
        return strcmp(err.code, "bus.no_topic") == 0 ? 0 : -1;
    }
    strbuf_init(&lines, 16 * 1024);
    topic_file_compare(wanted, &found, &lines);
    if (lines.length > 0) {
        report(doctor, CHECK_FAIL, wanted->name, lines.data, "deskctl topics apply");
    } else {
        report(doctor, CHECK_OK, wanted->name,
               arena_printf(doctor->desk->arena, "%d partitions", found.partitions), NULL);
    }
    strbuf_fini(&lines);
    return 0;
}

static void check_topics(struct doctor *doctor, struct bus_admin *admin)
{
    struct desk *desk = doctor->desk;
    struct bus_topic *topics = NULL;
    struct problems problems;
    const char *dir = NULL;
    size_t count = 0;
    struct err err;
    if (files_schema_dir(desk->arena, desk->settings.schema_dir, &dir, &err) != 0) {
        report(doctor, CHECK_FAIL, "topics", err.message, "give --schema_dir");
        return;
    }
    const char *path = arena_printf(desk->arena, "%s/topics.yaml", dir);
    problems_init(&problems, desk->arena, path);
    topic_file_read(&problems, path, desk->settings.kafka.topic_prefix, &topics, &count);
    if (problems.count > 0)
        report(doctor, CHECK_FAIL, "topics", problems.text.data, "mend the file");
    for (size_t i = 0; i < count && problems.count == 0; i++)
        if (check_topic(doctor, admin, &topics[i]) != 0)
            break;
    strbuf_fini(&problems.text);
}

static void check_kafka(struct doctor *doctor)
{
    struct bus_options options;
    struct bus_admin *admin = NULL;
    struct err err;
    if (desk_bus(doctor->desk, &options, &err) != 0 ||
        bus_admin_open(&options, &admin, &err) != 0) {
        report(doctor, CHECK_FAIL, "kafka", err.message, "correct the kafka_ settings");
        return;
    }
    check_topics(doctor, admin);
    bus_admin_close(&admin);
}

static int run(struct desk *desk, const struct words *words)
{
    (void)words;
    struct doctor doctor = {.desk = desk};
    doctor.table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    strbuf_init(&doctor.lines, DESK_OUTPUT_MAX);
    check_config(&doctor);
    check_keys(&doctor);
    if (check_database(&doctor) != NULL) {
        check_channels(&doctor);
        check_mailboxes(&doctor);
        check_audits(&doctor);
        check_escalations(&doctor);
        check_recordings(&doctor);
        check_budgets(&doctor);
    }
    check_kafka(&doctor);
    int code = desk->json ? desk_print_table(desk, doctor.table, "") : desk_print(&doctor.lines);
    strbuf_fini(&doctor.lines);
    if (doctor.failures == 0)
        return code;
    desk_note("%d of the checks failed; each says what to do", doctor.failures);
    return DESK_FAILED;
}

const struct command command_doctor[] = {
    {"doctor", "",
     "check configuration, keys, database, topics, clocks, channels, audits, escalations, budgets",
     "Each line that is not ok says what to do. Exits 1 when one failed.", NULL, 0, 0, run},
    {.words = NULL},
};
