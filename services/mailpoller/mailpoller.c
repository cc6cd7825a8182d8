/* Wiring of the mailpoller: what start, drain and stop do, and the hooks between its parts. */
#include "mailpoller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "box_login.h"
#include "box_table.h"
#include "boxes.h"
#include "child.h"
#include "contract/topics.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "http/client.h"
#include "mail/imap_session.h"
#include "service/log.h"
#include "service/mailbox_token.h"
#include "store/mailbox.h"
#include "store/statements.h"

/* Before a drain's deadline: for the unit that retires the worker, and the producer's end. */
#define LEAVE_MS  (RETIRE_MS + FLUSH_MS)
#define RETIRE_MS 3000
#define FLUSH_MS  5000

static struct mailpoller_shared shared;

/* ---- start ---- */

static int check_settings(const struct mailpoller_settings *settings, struct err *err)
{
    struct err why;
    if (address_list_parse(settings->mail_networks, &shared.networks, &why) != 0)
        return err_set(err, ERR_PERMANENT, "config.invalid", "mail_networks: %s", why.message);
    const char *ca_file = settings->mail_ca_file;
    if (crypto_trust_open(ca_file[0] != '\0' ? ca_file : http_ca_file(), &shared.trust, &why) != 0)
        return err_set(err, ERR_PERMANENT, "config.invalid", "mail_ca_file: %s", why.message);
    if (settings->retry_max_ms < settings->retry_ms)
        return err_set(err, ERR_PERMANENT, "config.invalid",
                       "retry_max_ms (%lld) must not be less than retry_ms (%lld)",
                       (long long)settings->retry_max_ms, (long long)settings->retry_ms);
    if (crypto_read_key_files(settings->mail_token_key_files, CRYPTO_KEY_BYTES, shared.token_keys,
                              MAILPOLLER_KEYS_MAX, &shared.token_key_count, err) != 0)
        return -1;
    return settings->credentials_key_files[0] == '\0'
               ? 0
               : crypto_read_key_files(settings->credentials_key_files, CRYPTO_KEY_BYTES,
                                       shared.credential_keys, MAILPOLLER_KEYS_MAX,
                                       &shared.credential_key_count, err);
}

static int start(struct service *service, bool check_only, struct err *err)
{
    if (check_settings(&shared.settings, err) != 0)
        return -1;
    if (check_only)
        return 0;
    child_keep_out();
    counters_init();
    shared.ready_database = service_condition(service, "database");
    shared.ready_worker = service_condition(service, "worker");
    shared.ready_bus = service_condition(service, "bus");
    return 0;
}

static void stop(struct service *service, int64_t drain_left_ms)
{
    (void)service, (void)drain_left_ms;
    for (size_t i = 0; i < shared.token_key_count; i++)
        secret_free(&shared.token_keys[i]);
    for (size_t i = 0; i < shared.credential_key_count; i++)
        secret_free(&shared.credential_keys[i]);
    address_list_free(&shared.networks);
    crypto_trust_free(&shared.trust);
}

/* ---- hooks ---- */

static void on_database(void *arg, bool up)
{
    struct mailpoller *mailpoller = arg;
    service_set(service_of(mailpoller->self), mailpoller->shared->ready_database, up);
}

static void on_registered(void *arg)
{
    struct mailpoller *mailpoller = arg;
    service_set(service_of(mailpoller->self), mailpoller->shared->ready_worker, true);
    log_info("worker.registered", LOG_TEXT("worker", worker_id(mailpoller->worker)));
}

static void on_lost(void *arg)
{
    struct mailpoller *mailpoller = arg;
    log_warn("worker.lost", LOG_INT("mailboxes", (int64_t)boxes_count(mailpoller->boxes)));
    metric_add(counters.workers_lost, 1);
    service_set(service_of(mailpoller->self), mailpoller->shared->ready_worker, false);
    boxes_drop(mailpoller->boxes);
}

/* The producer's readiness has no event of its own. */
static void on_tick(void *arg)
{
    struct mailpoller *mailpoller = arg;
    service_set(service_of(mailpoller->self), mailpoller->shared->ready_bus,
                bus_producer_ready(mailpoller->producer));
    mailpoller_step(mailpoller);
}

/* ---- drain ---- */

/* A lease ends by itself, but nobody else can tell that this life did not end by a mail: while
 * there is time it is told again, with the next tick. */
static void retired(void *arg, const struct pg_answer *answer)
{
    struct mailpoller *mailpoller = arg;
    mailpoller->retiring = false;
    if (answer->err != NULL) {
        log_warn("worker.not_retired", LOG_ERR(answer->err));
        if (mailpoller->owes > 0 && !mailpoller->late)
            return;
    }
    mailpoller->retired = true;
    mailpoller_step(mailpoller);
}

static void retire(struct mailpoller *mailpoller)
{
    const char *id = worker_id(mailpoller->worker);
    struct pg_unit unit = {.deadline_ms = RETIRE_MS, .done = retired, .arg = mailpoller};
    free(mailpoller->last_id);
    mailpoller->last_id = xstrdup(id);
    if (id[0] != '\0') {
        mailbox_add_release(&unit, mailpoller->last_id);
        worker_add_retire(&unit, mailpoller->last_id);
    }
    if (id[0] != '\0' || mailpoller->owes > 0)
        mailbox_add_outlived(&unit, mailpoller->life, "{}");
    mailpoller->retiring = unit.count > 0;
    mailpoller->retired = unit.count == 0;
    if (unit.count > 0)
        pg_submit(mailpoller->pg, &unit);
    else
        mailpoller_step(mailpoller);
}

/* What is left of the drain is for giving back what cannot be ended, as when Kafka is away. */
static void on_late(void *arg)
{
    struct mailpoller *mailpoller = arg;
    mailpoller->late = true;
    boxes_drop(mailpoller->boxes);
    mailpoller_step(mailpoller);
}

/* No new mailboxes; each ends the mail in hand. */
static void drain_loop(void *state)
{
    struct mailpoller *mailpoller = state;
    int64_t left_ms = mailpoller->shared->settings.common.drain_ms - LEAVE_MS;
    mailpoller->draining = true;
    timer_start(mailpoller->late_timer, left_ms > 0 ? left_ms : 0, 0);
    boxes_drain(mailpoller->boxes);
    mailpoller_step(mailpoller);
}

void mailpoller_step(struct mailpoller *mailpoller)
{
    if (!mailpoller->draining || mailpoller->retiring)
        return;
    const bool kept = mailbox_tokens_count(mailpoller->tokens) == 0;
    const bool ended =
        boxes_count(mailpoller->boxes) == 0 && !boxes_in_flight(mailpoller->boxes) && kept;
    if (!mailpoller->retired && (ended || mailpoller->late))
        retire(mailpoller);
    else if (mailpoller->retired && kept)
        service_loop_drained(mailpoller->self);
}

/* ---- a loop ---- */

static int open_producer(struct mailpoller *mailpoller, struct err *err)
{
    const struct mailpoller_settings *settings = &shared.settings;
    struct arena *names = arena_new();
    const char *prefix = settings->kafka.topic_prefix;
    const char *topics[] = {topic_name(names, prefix, TOPIC_INBOUND_EMAIL),
                            topic_name(names, prefix, TOPIC_RECEIPTS), NULL};
    struct bus_producer_options options = {.loop = mailpoller->loop, .topics = topics};
    service_bus_options(&settings->kafka, &settings->common, "mailpoller", &options.client);
    int rc = bus_producer_open(&options, &mailpoller->producer, err);
    arena_free(&names);
    return rc;
}

static void open_database(struct mailpoller *mailpoller)
{
    const struct mailpoller_settings *settings = &shared.settings;
    const char *url = secret_reveal(settings->database_url);
    char process[160];
    snprintf(process, sizeof process, "%s/%d", settings->common.instance,
             service_loop_index(mailpoller->self));
    mailpoller->pg = pg_new(&(struct pg_options){.loop = mailpoller->loop,
                                                 .url = url,
                                                 .name = "frontdesk-mailpoller",
                                                 .connections = (int)settings->database_connections,
                                                 .functions = statements_frequent(),
                                                 .on_state = on_database,
                                                 .arg = mailpoller});
    mailpoller->worker = worker_new(&(struct worker_options){.loop = mailpoller->loop,
                                                             .database_url = url,
                                                             .kind = "mailpoller",
                                                             .process = process,
                                                             .lease_ms = settings->worker_lease_ms,
                                                             .on_registered = on_registered,
                                                             .on_lost = on_lost,
                                                             .arg = mailpoller});
}

static void open_tokens(struct mailpoller *mailpoller)
{
    mailpoller->http = http_client_new(&(struct http_client_options){.loop = mailpoller->loop});
    mailpoller->tokens = mailbox_tokens_new(mailpoller->loop);
    mailpoller->oauth = oauth_new(&(struct oauth_options){.loop = mailpoller->loop,
                                                          .client = mailpoller->http,
                                                          .on_rotated = box_login_rotated,
                                                          .arg = mailpoller});
}

static void close_loop(void *state)
{
    struct mailpoller *mailpoller = state;
    mailpoller->draining = mailpoller->retiring = true;
    timer_free(&mailpoller->tick);
    timer_free(&mailpoller->late_timer);
    if (mailpoller->boxes != NULL)
        boxes_drop(mailpoller->boxes);
    pg_free(&mailpoller->pg); /* units in flight end here, while their boxes are there */
    bus_producer_close(&mailpoller->producer, FLUSH_MS); /* and records here */
    boxes_free(&mailpoller->boxes);
    oauth_free(&mailpoller->oauth);
    mailbox_tokens_free(&mailpoller->tokens);
    http_client_free(&mailpoller->http);
    worker_free(&mailpoller->worker);
    free(mailpoller->last_id);
    free(mailpoller);
}

static int open_loop(struct service_loop *self, void **state, struct err *err)
{
    struct mailpoller *mailpoller = xcalloc(1, sizeof *mailpoller);
    mailpoller->shared = &shared;
    mailpoller->self = self;
    mailpoller->loop = service_loop_of(self);
    const struct uuid life = uuid_new();
    uuid_format(&life, mailpoller->life);
    if (open_producer(mailpoller, err) != 0) {
        close_loop(mailpoller);
        return -1;
    }
    open_tokens(mailpoller);
    mailpoller->boxes = boxes_new(mailpoller);
    open_database(mailpoller);
    mailpoller->tick = timer_new(mailpoller->loop, on_tick, mailpoller);
    timer_start(mailpoller->tick, 100, 1000);
    mailpoller->late_timer = timer_new(mailpoller->loop, on_late, mailpoller);
    *state = mailpoller;
    return 0;
}

/* ---- the process ---- */

static int command(const char *word)
{
    if (strcmp(word, "--diagram") != 0)
        return -1;
    struct strbuf out;
    strbuf_init(&out, (size_t)64 * 1024);
    box_table_print(&out);
    strbuf_add_char(&out, '\n');
    imap_session_print(&out);
    fputs(out.data, stdout);
    strbuf_fini(&out);
    return 0;
}

int mailpoller_main(int argc, char **argv)
{
    const struct service_spec spec = {
        .name = "mailpoller",
        .summary = "Reads mailboxes and publishes their mails.",
        .config = mailpoller_config,
        .config_count = mailpoller_config_count,
        .settings = &shared.settings,
        .loops = &shared.settings.loops,
        .command = command,
        .start = start,
        .loop_start = open_loop,
        .loop_drain = drain_loop,
        .loop_stop = close_loop,
        .stop = stop,
    };
    return service_main(argc, argv, &spec);
}
