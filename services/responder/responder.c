/* Wiring of the responder: what start, drain and stop do, and the hooks between its parts. */
#include "responder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bring_back.h"
#include "channel.h"
#include "claim.h"
#include "contract/topics.h"
#include "contract/twilio.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "flight.h"
#include "gap_audit.h"
#include "http/address.h"
#include "mail/smtp.h"
#include "mail_send.h"
#include "mailbox_login.h"
#include "outcome.h"
#include "poll.h"
#include "receipts.h"
#include "recordings.h"
#include "send.h"
#include "sent_copies.h"
#include "service/log.h"
#include "store/delivery_due.h"
#include "store/job.h"
#include "store/statements.h"
#include "wake.h"

static struct responder_shared shared;

/* ---- start ---- */

/* A public_url with a query would swallow the path of the status callbacks; a look-up before the
 * lease is over would not find what is still being sent, and send it again. */
static int check_settings(const struct responder_settings *settings, struct err *err)
{
    const char *url = settings->twilio_base_url;
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        return err_set(err, ERR_PERMANENT, "config.invalid",
                       "twilio_base_url must begin with https:// or http://");
    if (!twilio_is_public_url(settings->public_url))
        return err_set(err, ERR_PERMANENT, "config.invalid",
                       "public_url must be as ingress has it, like https://desk.example.com: no "
                       "slash at the end, no query, no credentials");
    struct err why;
    if (address_list_parse(settings->mail_networks, &shared.networks, &why) != 0)
        return err_set(err, ERR_PERMANENT, "config.invalid", "mail_networks: %s", why.message);
    if (settings_lookup_after_ms(settings) < settings->worker_lease_ms)
        return err_set(err, ERR_PERMANENT, "config.invalid",
                       "lookup_after_ms (%lld) must not be less than worker_lease_ms (%lld)",
                       (long long)settings->lookup_after_ms, (long long)settings->worker_lease_ms);
    return 0;
}

static int start(struct service *service, bool check_only, struct err *err)
{
    if (check_settings(&shared.settings, err) != 0 ||
        crypto_read_key_files(shared.settings.credentials_key_files, CRYPTO_KEY_BYTES,
                              shared.credential_keys, RESPONDER_KEYS_MAX,
                              &shared.credential_key_count, err) != 0)
        return -1;
    const char *mail_keys = shared.settings.mail_token_key_files;
    if (mail_keys[0] != '\0' &&
        crypto_read_key_files(mail_keys, CRYPTO_KEY_BYTES, shared.mail_keys, RESPONDER_KEYS_MAX,
                              &shared.mail_key_count, err) != 0)
        return -1;
    if (check_only)
        return 0;
    mail_smtp_prepare();
    counters_init();
    shared.ready_database = service_condition(service, "database");
    shared.ready_worker = service_condition(service, "worker");
    shared.ready_bus = service_condition(service, "bus");
    return 0;
}

static void stop(struct service *service, int64_t drain_left_ms)
{
    (void)service, (void)drain_left_ms;
    for (size_t i = 0; i < shared.credential_key_count; i++)
        secret_free(&shared.credential_keys[i]);
    for (size_t i = 0; i < shared.mail_key_count; i++)
        secret_free(&shared.mail_keys[i]);
    address_list_free(&shared.networks);
}

/* ---- hooks ---- */

static void on_database(void *arg, bool up)
{
    struct responder *responder = arg;
    service_set(service_of(responder->self), responder->shared->ready_database, up);
    if (!up || responder->receipts == NULL)
        return;
    outcomes_wake(responder->outcomes);
    receipts_look(responder->receipts);
    responder_step(responder);
}

static void on_registered(void *arg)
{
    struct responder *responder = arg;
    responder->generation++;
    service_set(service_of(responder->self), responder->shared->ready_worker, true);
    log_info("worker.registered", LOG_TEXT("worker", worker_id(responder->worker)));
    responder_step(responder);
}

/* What waits is given back; what is under way ends and writes its outcome: a late answer is still
 * an answer, and the gate lets nothing more leave. */
static void on_lost(void *arg)
{
    struct responder *responder = arg;
    responder->generation++;
    log_warn("worker.lost", LOG_INT("deliveries", (int64_t)flights_count(responder->flights)));
    metric_add(counters.workers_lost, 1);
    service_set(service_of(responder->self), responder->shared->ready_worker, false);
    send_give_up_waiting(responder, true);
}

bool responder_can_claim(const struct responder *responder)
{
    return !responder->draining && pg_is_up(responder->pg) &&
           worker_lease_left_ms(responder->worker) > 0;
}

bool responder_can_consume(const struct responder *responder)
{
    return !responder->draining && pg_is_up(responder->pg) &&
           bus_producer_ready(responder->producer);
}

int64_t responder_again_ms(const struct err *err, int failures)
{
    return err->class == ERR_RETRY_NOW ? 1 : (int64_t)25 << (failures < 6 ? failures : 6);
}

/* ---- a loop ---- */

static int open_producer(struct responder *responder, struct err *err)
{
    const struct responder_settings *settings = &shared.settings;
    struct arena *names = arena_new();
    const char *prefix = settings->kafka.topic_prefix;
    const char *topics[] = {topic_name(names, prefix, TOPIC_DLQ),
                            topic_name(names, prefix, TOPIC_INBOUND_SMS), NULL};
    struct bus_producer_options options = {.loop = responder->loop, .topics = topics};
    service_bus_options(&settings->kafka, &settings->common, "responder", &options.client);
    int rc = bus_producer_open(&options, &responder->producer, err);
    arena_free(&names);
    return rc;
}

static void open_database(struct responder *responder)
{
    const struct responder_settings *settings = &shared.settings;
    const char *url = secret_reveal(settings->database_url);
    char process[160];
    snprintf(process, sizeof process, "%s/%d", settings->common.instance,
             service_loop_index(responder->self));
    responder->pg = pg_new(&(struct pg_options){.loop = responder->loop,
                                                .url = url,
                                                .name = "frontdesk-responder",
                                                .connections = (int)settings->database_connections,
                                                .functions = statements_frequent(),
                                                .on_state = on_database,
                                                .arg = responder});
    responder->worker = worker_new(&(struct worker_options){.loop = responder->loop,
                                                            .database_url = url,
                                                            .kind = "responder",
                                                            .process = process,
                                                            .lease_ms = settings->worker_lease_ms,
                                                            .on_registered = on_registered,
                                                            .on_lost = on_lost,
                                                            .arg = responder});
}

static int open_mail(struct responder *responder, struct err *err)
{
    const struct responder_settings *settings = &shared.settings;
    struct mail_smtp_options options = {
        .loop = responder->loop,
        .threads = (int)settings->mail_threads,
        .ca_file = settings->mail_ca_file[0] != '\0' ? settings->mail_ca_file : NULL,
        .hello = settings->mail_hello[0] != '\0' ? settings->mail_hello : NULL,
    };
    return shared.mail_key_count > 0 ? mail_smtp_new(&options, &responder->mail, err) : 0;
}

static void close_loop(void *state)
{
    struct responder *responder = state;
    responder->draining = responder->retiring = true;
    if (responder->audits != NULL)
        gap_audits_stop(responder->audits);
    if (responder->recordings != NULL)
        recordings_stop(responder->recordings);
    if (responder->bring_backs != NULL)
        bring_backs_stop(responder->bring_backs);
    timer_free(&responder->tick);
    timer_free(&responder->mail_patience);
    pg_free(&responder->pg); /* units in flight end here, while what they refer to is there */
    poll_free(&responder->poll);
    flights_free(&responder->flights);
    bus_producer_close(&responder->producer, 5000); /* reports to the intakes and the audits */
    receipts_close(&responder->receipts);
    wake_close(&responder->wake);
    wake_close(&responder->mail_wake);
    wake_close(&responder->call_wake);
    gap_audits_free(&responder->audits);
    recordings_free(&responder->recordings);
    bring_backs_free(&responder->bring_backs);
    outcomes_free(&responder->outcomes);
    claims_free(&responder->claims);
    claims_free(&responder->mail_claims);
    channels_free(&responder->channels);
    worker_free(&responder->worker);
    sent_copies_free(&responder->copies);
    mailbox_logins_free(&responder->logins);
    http_client_free(&responder->http);
    mail_smtp_free(&responder->mail);
    free(responder->last_id);
    free(responder);
}

/* The producer's readiness has no event of its own. */
static void on_tick(void *arg)
{
    struct responder *responder = arg;
    service_set(service_of(responder->self), responder->shared->ready_bus,
                bus_producer_ready(responder->producer) && !responder->fenced);
    responder_step(responder);
}

static void mails_late(void *arg)
{
    struct responder *responder = arg;
    mail_send_give_up(responder);
    sent_copies_give_up(responder->copies);
    responder_step(responder);
}

static int open_loop(struct service_loop *self, void **state, struct err *err)
{
    struct responder *responder = xcalloc(1, sizeof *responder);
    struct http_client_options http = {.loop = service_loop_of(self)};
    responder->shared = &shared;
    responder->self = self;
    responder->loop = service_loop_of(self);
    responder->http = http_client_new(&http);
    responder->logins = mailbox_logins_new(responder);
    responder->copies = sent_copies_new(responder);
    responder->flights = flights_new(responder);
    responder->channels = channels_new(responder);
    responder->claims = claims_new(responder, false);
    responder->mail_claims = claims_new(responder, true);
    responder->outcomes = outcomes_new(responder);
    responder->audits = gap_audits_new(responder);
    responder->recordings = recordings_new(responder);
    responder->bring_backs = bring_backs_new(responder);
    open_database(responder);
    if (open_mail(responder, err) != 0 || open_producer(responder, err) != 0 ||
        wake_open(responder, TOPIC_OUTBOUND_SMS, "responder.sms", &responder->wake, err) != 0 ||
        wake_open(responder, TOPIC_OUTBOUND_EMAIL, "responder.email", &responder->mail_wake, err) !=
            0 ||
        wake_open(responder, TOPIC_OUTBOUND_VOICE, "responder.voice", &responder->call_wake, err) !=
            0 ||
        receipts_open(responder, &responder->receipts, err) != 0) {
        close_loop(responder);
        return -1;
    }
    responder->mail_patience = timer_new(responder->loop, mails_late, responder);
    responder->poll = poll_new(responder);
    responder->tick = timer_new(responder->loop, on_tick, responder);
    timer_start(responder->tick, 100, 1000);
    *state = responder;
    return 0;
}

/* ---- drain ---- */

static void retired(void *arg, const struct pg_answer *answer)
{
    struct responder *responder = arg;
    if (answer->err != NULL)
        log_warn("worker.not_retired", LOG_ERR(answer->err));
    service_loop_drained(responder->self);
}

static void retire(struct responder *responder)
{
    responder->retiring = true;
    responder->last_id = xstrdup(worker_id(responder->worker));
    if (responder->last_id[0] == '\0') {
        service_loop_drained(responder->self);
        return;
    }
    struct pg_unit unit = {.deadline_ms = 3000, .done = retired, .arg = responder};
    delivery_add_release(&unit, responder->last_id);
    job_add_release(&unit, responder->last_id);
    worker_add_retire(&unit, responder->last_id);
    pg_submit(responder->pg, &unit);
}

/* No new claims; requests under way end as they would, but a mail's server may take minutes; what
 * waits is given back. */
static void drain_loop(void *state)
{
    struct responder *responder = state;
    responder->draining = true;
    if (responder->mail_patience != NULL)
        timer_start(responder->mail_patience, responder->shared->settings.mail_drain_ms, 0);
    gap_audits_stop(responder->audits);
    recordings_stop(responder->recordings);
    bring_backs_stop(responder->bring_backs);
    sent_copies_drain(responder->copies);
    send_give_up_waiting(responder, true);
    responder_step(responder);
}

void responder_give_up(struct responder *responder)
{
    if (responder->fenced)
        return;
    responder->fenced = true;
    service_set(service_of(responder->self), responder->shared->ready_bus, false);
    drain_loop(responder);
}

static void drain_step(struct responder *responder)
{
    claims_drop(responder->claims);
    claims_drop(responder->mail_claims);
    send_give_up_waiting(responder, true);
    if (!responder->retiring && flights_count(responder->flights) == 0 &&
        outcomes_idle(responder->outcomes) && !claims_in_flight(responder->claims) &&
        !claims_in_flight(responder->mail_claims) && receipts_idle(responder->receipts) &&
        wake_idle(responder->wake) && wake_idle(responder->mail_wake) &&
        wake_idle(responder->call_wake) && gap_audits_count(responder->audits) == 0 &&
        recordings_count(responder->recordings) == 0 &&
        bring_backs_count(responder->bring_backs) == 0 &&
        sent_copies_count(responder->copies) == 0 && mailbox_logins_unkept(responder->logins) == 0)
        retire(responder);
}

void responder_step(struct responder *responder)
{
    if (responder->receipts == NULL || responder->retiring)
        return;
    if (responder->draining) {
        drain_step(responder);
        return;
    }
    claims_wake(responder->claims);
    claims_wake(responder->mail_claims);
    wake_look(responder->wake);
    wake_look(responder->mail_wake);
    wake_look(responder->call_wake);
    receipts_look(responder->receipts);
}

/* ---- the process ---- */

static int command(const char *word)
{
    if (strcmp(word, "--diagram") != 0)
        return -1;
    struct strbuf out;
    strbuf_init(&out, (size_t)64 * 1024);
    delivery_state_print(&out);
    fputs(out.data, stdout);
    strbuf_fini(&out);
    return 0;
}

int responder_main(int argc, char **argv)
{
    const struct service_spec spec = {
        .name = "responder",
        .summary = "Delivers replies through the provider and settles what became of them.",
        .config = responder_config,
        .config_count = responder_config_count,
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
