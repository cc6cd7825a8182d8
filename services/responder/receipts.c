/* Applies receipts, and servers' reports of mails, in rounds: a unit is of one kind and holds each
 * delivery once, so a batch with several words on one delivery takes several units, in order of
 * arrival. The table of states sees to it that order does not matter. A receipt of something we do
 * not know is dropped and counted. */
#include "receipts.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "claim.h"
#include "contract/event.h"
#include "contract/mail.h"
#include "counters.h"
#include "intake.h"
#include "provider_errors.h"
#include "service/log.h"
#include "store/receipt.h"

#define UNIT_MS       10000
#define BUG_TRIES_MAX 5 /* of one receipt whose error is none of its data's */

struct receipts {
    struct responder *responder;
    struct intake *intake;
    struct receipt *left, *round; /* of the batch: not yet applied; being applied */
    size_t left_count, round_count;
    struct arena *arena; /* of the unit in flight: a round that fails is written anew each time */
    struct timer *retry;
    bool in_flight, singly;
    int failures;
};

static void go_on(void *arg);

static bool ready(void *arg)
{
    const struct receipts *self = arg;
    return responder_can_consume(self->responder);
}

static void alert(const struct delivery_receipt *receipt)
{
    char id[UUID_TEXT_SIZE];
    int64_t code;
    if (!text_parse_int(receipt->error_code, 1, 999999, &code))
        return;
    const struct provider_error *error = provider_error_find((int)code);
    if (error == NULL || !error->alert)
        return;
    metric_add(counters.alerts, 1);
    log_error("provider.alert", LOG_TEXT("delivery", uuid_format(&receipt->delivery, id)),
              LOG_TEXT("code", receipt->error_code), LOG_TEXT("meaning", error->meaning));
}

static int take_report(struct receipts *self, const struct bus_record *record, struct err *err)
{
    struct mail_reported report;
    struct receipt receipt;
    if (mail_reported_decode(intake_arena(self->intake), record, &report, err) != 0)
        return -1;
    const bool counts =
        receipt_of_report(report.action, report.fault, report.status, report.feedback, &receipt);
    if (!uuid_parse(report.event.tenant, &receipt.ref.tenant))
        return err_set(err, ERR_PERMANENT, "event.tenant", "the tenant is no uuid");
    if (!counts) {
        metric_add(counters.receipts_unknown, 1);
        return 0;
    }
    receipt.ref.id = report.delivery;
    receipt.origin = record;
    self->left[self->left_count++] = receipt;
    return 0;
}

static int take_receipt(struct receipts *self, const struct bus_record *record, struct err *err)
{
    struct delivery_receipt receipt;
    struct delivery_ref ref;
    enum delivery_event event;
    if (delivery_receipt_decode(intake_arena(self->intake), record, &receipt, err) != 0)
        return -1;
    if (!uuid_parse(receipt.event.tenant, &ref.tenant))
        return err_set(err, ERR_PERMANENT, "event.tenant", "the tenant is no uuid");
    if (!receipt_event(receipt.status, &event)) {
        metric_add(counters.receipts_unknown, 1);
        return 0;
    }
    ref.id = receipt.delivery;
    alert(&receipt);
    self->left[self->left_count++] = (struct receipt){.ref = ref,
                                                      .attempt = receipt.attempt,
                                                      .sid = receipt.provider_sid,
                                                      .status = receipt.status,
                                                      .error_code = receipt.error_code,
                                                      .event = event,
                                                      .origin = record};
    return 0;
}

static int take_record(void *arg, const struct bus_record *record, struct err *err)
{
    struct receipts *self = arg;
    const char *type = bus_header_text(record, intake_arena(self->intake), "ce_type");
    return type != NULL && strcmp(type, EVENT_MAIL_REPORTED) == 0 ? take_report(self, record, err)
                                                                  : take_receipt(self, record, err);
}

static void batch_over(void *arg)
{
    struct receipts *self = arg;
    intake_begin(self->intake, self->left_count);
    self->singly = false;
    go_on(self);
}

/* ---- rounds ---- */

static void fill_round(struct receipts *self)
{
    struct map *seen = map_new();
    size_t kept = 0;
    self->round_count = 0;
    for (size_t i = 0; i < self->left_count; i++) {
        const struct receipt *receipt = &self->left[i];
        bool now = (!self->singly || self->round_count == 0) &&
                   (self->round_count == 0 || receipt->by_mail == self->round[0].by_mail) &&
                   map_put(seen, receipt->ref.id.bytes, sizeof receipt->ref.id.bytes, self) == NULL;
        if (now)
            self->round[self->round_count++] = *receipt;
        else
            self->left[kept++] = *receipt;
    }
    self->left_count = kept;
    map_free(&seen);
}

static void count_changes(const struct pg_answer *answer, int first)
{
    static const bool dropped[] = {
        [DELIVERY_MISSING] = true, [DELIVERY_BAD_ATTEMPT] = true, [DELIVERY_OTHER_MESSAGE] = true};
    struct delivery_changed changed;
    for (int row = 0; delivery_read_changed_behind(answer, first, row, &changed); row++)
        metric_add(changed.kind == DELIVERY_CHANGED ? counters.receipts
                   : dropped[changed.kind]          ? counters.receipts_unknown
                                                    : counters.receipts_no_effect,
                   1);
}

static void round_over(struct receipts *self)
{
    size_t count = self->round_count;
    self->round_count = 0;
    self->failures = 0;
    if (self->left_count > 0)
        go_on(self);
    intake_end(self->intake, count);
}

static void failed(struct receipts *self, const struct err *err)
{
    log_warn("receipts.failed", LOG_INT("receipts", (int64_t)self->round_count), LOG_ERR(err));
    self->failures++;
    bool locked = strcmp(err->code, PG_LOCKED) == 0;
    bool hopeless = err->class == ERR_PERMANENT || self->failures > BUG_TRIES_MAX;
    if (!err_is_retryable(err) && self->round_count == 1 && hopeless) {
        intake_give_up(self->intake, self->round[0].origin, err->code);
        round_over(self);
        return;
    }
    if (locked || !err_is_retryable(err)) {
        self->singly = true; /* back into line, behind what is left there */
        memcpy(self->left + self->left_count, self->round, self->round_count * sizeof *self->round);
        self->left_count += self->round_count;
        self->round_count = 0;
    }
    timer_start(self->retry, responder_again_ms(err, self->failures), 0);
}

static void done(void *arg, const struct pg_answer *answer)
{
    struct receipts *self = arg;
    struct delivery_ref next;
    bool is_mail;
    const int first = self->round[0].by_mail ? RECEIPT_REPORTS_FIRST : 0;
    self->in_flight = false;
    if (answer->err != NULL) {
        failed(self, answer->err);
        return;
    }
    count_changes(answer, first);
    for (int row = 0; delivery_read_next_behind(answer, first, row, &next, &is_mail); row++)
        claims_add(claims_for(self->responder, is_mail), &next, NULL);
    claims_wake(self->responder->claims);
    claims_wake(self->responder->mail_claims);
    round_over(self);
}

static void go_on(void *arg)
{
    struct receipts *self = arg;
    if (self->in_flight || timer_is_active(self->retry))
        return;
    if (self->round_count == 0)
        fill_round(self);
    if (self->round_count == 0)
        return;
    arena_reset(self->arena);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = done, .arg = self};
    if (self->round[0].by_mail)
        receipt_add_reports(&unit, self->arena, self->round, self->round_count);
    else
        receipt_add_apply(&unit, self->arena, self->round, self->round_count);
    self->in_flight = true;
    char id[UUID_TEXT_SIZE];
    STOP_POINT("responder.receipt", uuid_format(&self->round[0].ref.id, id));
    pg_submit(self->responder->pg, &unit);
}

/* ---- open and close ---- */

int receipts_open(struct responder *responder, struct receipts **receipts, struct err *err)
{
    const size_t max = (size_t)responder->shared->settings.claim_batch;
    struct receipts *self = xcalloc(1, sizeof *self);
    self->responder = responder;
    self->left = xcalloc(max, sizeof *self->left);
    self->round = xcalloc(max, sizeof *self->round);
    self->arena = arena_new();
    self->retry = timer_new(responder->loop, go_on, self);
    struct intake_options options = {.responder = responder,
                                     .topic = TOPIC_RECEIPTS,
                                     .group = "responder.receipts",
                                     .batch_max = max,
                                     .ready = ready,
                                     .record = take_record,
                                     .batch = batch_over,
                                     .arg = self};
    int rc = intake_open(&options, &self->intake, err);
    *receipts = self;
    if (rc != 0)
        receipts_close(receipts);
    return rc;
}

void receipts_close(struct receipts **receipts)
{
    struct receipts *self = *receipts;
    if (self == NULL)
        return;
    intake_close(&self->intake);
    timer_free(&self->retry);
    arena_free(&self->arena);
    free(self->left);
    free(self->round);
    free(self);
    *receipts = NULL;
}

void receipts_look(struct receipts *receipts)
{
    go_on(receipts);
    intake_wake(receipts->intake);
}

bool receipts_idle(const struct receipts *receipts)
{
    return intake_idle(receipts->intake);
}
