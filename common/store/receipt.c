/* Receipts, and servers' reports of mails, become changes of deliveries; the table of states and
 * the statement of delivery.c do the rest. The responder's receipt consumer and its look-ups call
 * it. */
#include "store/receipt.h"

#include <string.h>

#include "store/columns.h"

static const struct {
    const char *status;
    enum delivery_event event;
} words[] = {
    {"accepted", DELIVERY_SEEN},
    {"scheduled", DELIVERY_SEEN},
    {"queued", DELIVERY_SEEN},
    {"sending", DELIVERY_SEEN},
    {"sent", DELIVERY_SEEN},
    {"delivered", DELIVERY_ARRIVED},
    {"read", DELIVERY_ARRIVED},
    {"undelivered", DELIVERY_LOST},
    {"failed", DELIVERY_LOST},
    {"canceled", DELIVERY_LOST},
    /* of calls; the others are as above */
    {"initiated", DELIVERY_SEEN},
    {"ringing", DELIVERY_SEEN},
    {"in-progress", DELIVERY_SEEN},
    {"completed", DELIVERY_ARRIVED},
    {"busy", DELIVERY_LOST},
    {"no-answer", DELIVERY_LOST},
};

bool receipt_event(const char *status, enum delivery_event *event)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].status, status) == 0) {
            *event = words[i].event;
            return true;
        }
    return false;
}

/* RFC 3464, 2.3.3. A server that is still trying has it, as one that passed it on. */
static const struct {
    const char *action, *status;
    enum delivery_event event;
} actions[] = {
    {"failed", "bounced", DELIVERY_BOUNCED}, {"delivered", "delivered", DELIVERY_ARRIVED},
    {"delayed", "sending", DELIVERY_SEEN},   {"relayed", "sent", DELIVERY_SEEN},
    {"expanded", "sent", DELIVERY_SEEN},
};

bool receipt_of_report(const char *action, const char *fault, const char *status,
                       const char *feedback, struct receipt *out)
{
    struct receipt receipt = {
        .attempt = DELIVERY_ATTEMPT_ANY, .status = "sent", .error_code = status, .by_mail = true};
    receipt.event = DELIVERY_SEEN;
    receipt.complaint = feedback[0] != '\0';
    bool known = receipt.complaint;
    for (size_t i = 0; i < sizeof actions / sizeof *actions && !known; i++)
        if (strcmp(actions[i].action, action) == 0) {
            receipt.status = actions[i].status;
            receipt.event = actions[i].event;
            known = true;
        }
    if (receipt.event == DELIVERY_BOUNCED)
        receipt.reason = strcmp(fault, "address") == 0 ? "bad_address" : fault;
    *out = receipt;
    return known;
}

static struct delivery_change change_of(const struct receipt *receipt)
{
    const bool is_no = receipt->event == DELIVERY_LOST || receipt->event == DELIVERY_BOUNCED;
    return (struct delivery_change){
        .ref = receipt->ref,
        .attempt = receipt->attempt,
        .event = receipt->event,
        .reason = receipt->reason,
        .sid = receipt->sid,
        .provider_status = receipt->status,
        .error_code = receipt->error_code[0] != '\0' ? receipt->error_code : NULL,
        .next_in_ms = -1,
        /* of an attempt whose outcome nobody learnt */
        .outcome = is_no ? "refused" : "accepted",
        .of_call = receipt->sid != NULL && strncmp(receipt->sid, "CA", 2) == 0,
        .opted_out = receipt->complaint,
    };
}

void receipt_add_apply(struct pg_unit *unit, struct arena *arena, const struct receipt *receipts,
                       size_t count)
{
    struct delivery_change *changes = arena_alloc(arena, count * sizeof *changes);
    for (size_t i = 0; i < count; i++)
        changes[i] = change_of(&receipts[i]);
    delivery_add_change(unit, arena, changes, count);
}

/* ---- reports of mails ---- */

static const struct column of_report[] = {
    {offsetof(struct receipt, ref.tenant), COLUMN_UUID},
    {offsetof(struct receipt, ref.id), COLUMN_UUID},
    {offsetof(struct receipt, complaint), COLUMN_BOOL},
};

/* In front of the deliveries, as everywhere. */
static const char lock_sql[] =
    "SELECT 1 FROM conversations c WHERE (c.tenant_id, c.id) IN (SELECT d.tenant_id,"
    " d.conversation_id FROM deliveries d JOIN unnest($1::uuid[], $2::uuid[])"
    " AS i (tenant_id, id) ON d.tenant_id = i.tenant_id AND d.id = i.id)"
    " ORDER BY c.tenant_id, c.id FOR NO KEY UPDATE";

/* A report that comes again finds its mail as this one leaves it, and may flag it again: whoever
 * looks then looks twice. */
static const char flag_sql[] =
    "UPDATE conversations c SET flagged = b.why FROM (SELECT DISTINCT ON (d.tenant_id,"
    " d.conversation_id) d.tenant_id, d.conversation_id, CASE WHEN i.complaint THEN 'complaint'"
    " ELSE 'bounced' END AS why FROM unnest($1::uuid[], $2::uuid[], $3::boolean[])"
    " AS i (tenant_id, id, complaint)"
    " JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id"
    " WHERE i.complaint OR d.state = 'bounced'"
    " ORDER BY d.tenant_id, d.conversation_id, i.complaint DESC) AS b"
    " WHERE c.tenant_id = b.tenant_id AND c.id = b.conversation_id"
    " AND coalesce(c.flagged, 'dmarc') = 'dmarc'";

void receipt_add_reports(struct pg_unit *unit, struct arena *arena, const struct receipt *receipts,
                         size_t count)
{
    const struct column_rows rows = {receipts, sizeof *receipts, count};
    columns_add(pg_add(unit, lock_sql), arena, &rows, of_report, 2);
    receipt_add_apply(unit, arena, receipts, count);
    columns_add(pg_add(unit, flag_sql), arena, &rows, of_report, COLUMNS(of_report));
}
