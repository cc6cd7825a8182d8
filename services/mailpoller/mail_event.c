/* From bytes to events. box_session.c calls it for each mail that was fetched, and box_files.c when
 * its files are read. */
#include "mail_event.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "event_text.h"
#include "mail/authres.h"
#include "mail/body.h"
#include "mail/parse.h"
#include "mail/reply.h"
#include "mail/report.h"
#include "mail_files.h"

/* Quotes and line ends take two bytes each in JSON. With these bounds an event has less than 512 kB
 * whatever is in it. */
#define BODY_WRITTEN_MAX ((size_t)288 * 1024)
#define TEXT_WRITTEN_MAX ((size_t)80 * 1024)

#define HASHED_TEXT_MAX 4000 /* bytes */

/* ---- who ---- */

/* The first plain address of the list, lower-case, or NULL. */
static const char *first_plain(struct arena *arena, const struct mail_addresses *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (mail_address_is_plain(list->items[i].address))
            return mail_address_lower(arena, list->items[i].address);
    return NULL;
}

/* From alone: it is what Authentication-Results speak of. With the address of any other header, a
 * stranger would be verified as whom he likes. And its first address alone, by which classify.c
 * knows robots: with another one, a robot would be answered. */
static void set_from(struct arena *arena, const struct mail *mail, struct mail_received *event)
{
    const struct mail_addresses first = {mail->from.items, mail->from.count > 0};
    event->from = first_plain(arena, &first);
    event->from_name =
        event->from != NULL ? event_text_line(arena, first.items[0].name, MAIL_EVENT_NAME_MAX) : "";
    event->reply_to = first_plain(arena, &mail->reply_to);
    if (event->reply_to == NULL ||
        (event->from != NULL && strcmp(event->reply_to, event->from) == 0))
        event->reply_to = "";
}

static size_t set_addresses(struct arena *arena, const struct mail_addresses *list,
                            const char *out[MAIL_EVENT_ADDRESSES_MAX], bool *cut)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!mail_address_is_plain(list->items[i].address))
            continue;
        *cut |= count == MAIL_EVENT_ADDRESSES_MAX;
        if (count < MAIL_EVENT_ADDRESSES_MAX)
            out[count++] = mail_address_lower(arena, list->items[i].address);
    }
    return count;
}

/* ---- what it belongs to ---- */

/* Of a long list the first ones and the last ones count. */
static size_t set_ids(struct arena *arena, const struct mail_ids *ids,
                      const char *out[MAIL_EVENT_IDS_MAX], bool *cut)
{
    size_t count = 0, half = MAIL_EVENT_IDS_MAX / 2;
    for (size_t i = 0; i < ids->count; i++) {
        bool kept = ids->count <= MAIL_EVENT_IDS_MAX || i < half || i >= ids->count - half;
        *cut |= !kept;
        if (kept && ids->items[i][0] != '\0')
            out[count++] = event_text_line(arena, ids->items[i], MAIL_EVENT_ID_MAX);
    }
    return count;
}

static bool find_conversation(const struct mail *mail, const struct mail_signer *signer,
                              struct uuid *found)
{
    const struct mail_addresses *const lists[] = {&mail->delivered, &mail->to, &mail->cc};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (mail_token_read_address(signer, lists[i]->items[j].address, found))
                return true;
    return false;
}

static bool find_delivery(const struct mail *mail, const struct mail_signer *signer,
                          struct uuid *found)
{
    const struct mail_ids *const lists[] = {&mail->in_reply_to, &mail->references};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t j = lists[i]->count; j-- > 0;)
            if (mail_token_read_message_id(signer, lists[i]->items[j], found))
                return true;
    return false;
}

/* ---- what is in it ---- */

/* The same for one mail in several mailboxes, after a mailbox was made anew, and whether it was
 * read whole or in part: of a mail with a Message-ID the beginning of its text counts, which both
 * have. A copy that is not a person's, as one that came by a list, is no answered mail's twin: it
 * is another content. What has neither Message-ID nor Date is told from the same words of another
 * day by when it came. */
static const char *content_hash(struct arena *arena, const struct mail *mail, const char *from,
                                const char *text, bool is_person, int64_t internal_ms)
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    struct strbuf all, hex;
    const char *date = mail_header(mail, "Date");
    strbuf_init(&all, (size_t)1 << 20);
    strbuf_add(&all, mail->message_id, strlen(mail->message_id) + 1);
    strbuf_add_text(&all, date != NULL ? date : "");
    strbuf_add_char(&all, '\0');
    strbuf_add(&all, from, strlen(from) + 1);
    size_t length = strlen(text);
    if (mail->message_id[0] != '\0' && length > HASHED_TEXT_MAX)
        length = HASHED_TEXT_MAX;
    strbuf_add(&all, text, length);
    if (!is_person)
        strbuf_add(&all, "\0", 2);
    if (mail->message_id[0] == '\0' && date == NULL)
        strbuf_printf(&all, "%c%" PRId64, '\0', internal_ms);
    crypto_sha256(all.data, all.length, hash);
    strbuf_fini(&all);
    strbuf_init(&hex, 64);
    text_add_hex(&hex, hash, sizeof hash);
    const char *copy = arena_strdup(arena, hex.data);
    strbuf_fini(&hex);
    return copy;
}

static const char *shape_name(enum mail_reply_shape shape)
{
    static const char *const names[] = {[MAIL_REPLY_WHOLE] = "whole",
                                        [MAIL_REPLY_TOP] = "top",
                                        [MAIL_REPLY_BOTTOM] = "bottom",
                                        [MAIL_REPLY_INTERLEAVED] = "interleaved"};
    return names[shape];
}

static void set_text(struct arena *arena, const struct mail *mail, const struct mail_text *whole,
                     struct mail_received *event)
{
    struct mail_reply reply;
    mail_reply_read(arena, whole, mail->subject, &reply);
    event->text =
        event_text_fit(arena, reply.text, MAIL_EVENT_TEXT_MAX, TEXT_WRITTEN_MAX, &event->cut);
    event->body = strcmp(reply.text, whole->text) == 0 && !event->cut
                      ? ""
                      : event_text_fit(arena, whole->text, MAIL_EVENT_BODY_MAX, BODY_WRITTEN_MAX,
                                       &event->cut);
    event->shape = shape_name(reply.shape);
    event->cut |= whole->cut || mail->cut;
}

/* ---- reports ---- */

static bool find_reported(const struct mail *mail, const struct mail_report *report,
                          const struct mail_signer *signer, struct uuid *delivery)
{
    return (report->original_id[0] != '\0' &&
            mail_token_read_message_id(signer, report->original_id, delivery)) ||
           (strlen(report->envelope_id) == MAIL_TOKEN_CHARS &&
            mail_token_read(signer, MAIL_TOKEN_DELIVERY, report->envelope_id, delivery)) ||
           find_delivery(mail, signer, delivery);
}

static struct event envelope(const struct mail_source *source, struct arena *arena)
{
    int64_t came_ms = source->internal_ms > 0 ? source->internal_ms : source->now_ms;
    return (struct event){
        .source = "frontdesk/mailpoller",
        .tenant = uuid_format(&source->mailbox->tenant, arena_alloc(arena, UUID_TEXT_SIZE)),
        .time_ms = came_ms < source->now_ms ? came_ms : source->now_ms,
        .traceparent = event_traceparent(arena, NULL)};
}

/* True if the mail is a report on a mail of ours: then it is told to whoever sent that. */
static bool make_reports(struct arena *arena, const struct mail_source *source,
                         const struct mail *mail, const char *text,
                         const struct mail_signer *signer, struct mail_outcome *out)
{
    static const struct mail_report_recipient nobody = {.address = "", .diagnostic = ""};
    struct mail_report report;
    struct uuid delivery;
    mail_report_read(arena, mail, text, &report);
    if (!find_reported(mail, &report, signer, &delivery))
        return false;
    size_t count = report.recipient_count > 0 ? report.recipient_count : 1;
    if (count > MAIL_EVENT_RECIPIENTS_MAX)
        count = MAIL_EVENT_RECIPIENTS_MAX;
    out->records = arena_alloc(arena, count * sizeof *out->records);
    for (size_t i = 0; i < count; i++) {
        const struct mail_report_recipient *recipient =
            report.recipient_count > 0 ? &report.recipients[i] : &nobody;
        const struct mail_reported event = {
            .event = envelope(source, arena),
            .mailbox = source->mailbox->id,
            .uid_validity = source->mailbox->cursor.validity,
            .uid = source->uid,
            .number = (int)i,
            .delivery = delivery,
            .action = mail_report_action_name(recipient->action),
            .fault = mail_fault_name(recipient->fault),
            .status = recipient->status,
            .recipient = event_text_line(arena, recipient->address, MAIL_EVENT_ADDRESS_MAX),
            .diagnostic = event_text_line(arena, recipient->diagnostic, MAIL_EVENT_DIAGNOSTIC_MAX),
            .feedback = event_text_line(arena, report.feedback, 64)};
        mail_reported_encode(arena, source->prefix, &event, &out->records[out->record_count++]);
    }
    out->reported = true;
    out->attachment_count = 0;
    return true;
}

/* ---- the mail ---- */

static void set_auth(const struct mail_auth *auth, struct mail_received *event)
{
    event->spf = mail_auth_name(auth->spf);
    event->dkim = mail_auth_name(auth->dkim);
    event->dmarc = mail_auth_name(auth->dmarc);
    event->verified = auth->verified;
}

static void make_received(struct arena *arena, const struct mail_source *source,
                          const struct mail *mail, const struct mail_text *whole,
                          const struct mail_auth *auth, const struct mail_signer *signer,
                          struct mail_outcome *out)
{
    struct mail outline;
    struct mail_received *event = arena_alloc(arena, sizeof *event);
    event->event = envelope(source, arena);
    event->mailbox = source->mailbox->id;
    event->uid_validity = source->mailbox->cursor.validity;
    event->uid = source->uid;
    set_from(arena, mail, event);
    if (event->from == NULL) {
        out->skip = "no_sender";
        out->attachment_count = 0;
        return;
    }
    event->cut = source->cut;
    set_text(arena, mail, whole, event);
    event->to_count = set_addresses(arena, &mail->to, event->to, &event->cut);
    event->cc_count = set_addresses(arena, &mail->cc, event->cc, &event->cut);
    event->message_id = event_text_line(arena, mail->message_id, MAIL_EVENT_ID_MAX);
    event->in_reply_to_count = set_ids(arena, &mail->in_reply_to, event->in_reply_to, &event->cut);
    event->reference_count = set_ids(arena, &mail->references, event->references, &event->cut);
    event->subject = event_text_line(arena, mail->subject, MAIL_EVENT_SUBJECT_MAX);
    event->sent_ms = mail->has_date ? mail->date_ms : 0;
    event->class = mail_class_name(out->class);
    event->rule = out->rule;
    set_auth(auth, event);
    find_conversation(mail, signer, &event->conversation);
    find_delivery(mail, signer, &event->delivery);
    event->content_hash = content_hash(arena, mail, event->from, whole->text,
                                       out->class == MAIL_CLASS_PERSON, source->internal_ms);
    out->event = event;
    mail_files_list(arena, mail, source->cut, out);
    if (source->outline != NULL &&
        mail_parse(arena, source->outline, source->outline_length, NULL, &outline, NULL) == 0)
        mail_files_list_rest(arena, mail, &outline, out);
}

void mail_event_make(struct arena *arena, const struct mail_source *source,
                     struct mail_outcome *out)
{
    const struct mailbox *mailbox = source->mailbox;
    const struct mail_signer signer = {mailbox->tenant, source->keys, source->key_count};
    const struct mail_house house = {mailbox->house, mailbox->house_count, &signer};
    struct mail mail;
    struct mail_text whole;
    struct mail_auth auth;
    struct mail_verdict verdict;
    *out = (struct mail_outcome){
        .id = mail_event_id(arena, &mailbox->id, mailbox->cursor.validity, source->uid)};
    struct mail_keeper keeper = {.arena = arena, .out = out, .in_part = source->cut};
    const struct mail_sink sink = {mail_files_keep, &keeper};
    if (mail_parse(arena, source->bytes, source->length, &sink, &mail, NULL) != 0) {
        out->skip = "unreadable";
        out->attachment_count = 0;
        return;
    }
    mail_body_read(arena, &mail, &whole);
    mail_auth_read(arena, &mail, mailbox->trusted, mailbox->trusted_count, &auth);
    mail_classify(&mail, whole.text, &auth, &house, &verdict);
    out->class = verdict.class;
    out->rule = verdict.rule;
    out->sent_ms = mail.has_date          ? mail.date_ms
                   : mail.received_ms > 0 ? mail.received_ms
                                          : IMAP_CURSOR_UNDATED;
    if ((verdict.class == MAIL_CLASS_BOUNCE || verdict.class == MAIL_CLASS_COMPLAINT) &&
        make_reports(arena, source, &mail, whole.text, &signer, out))
        return;
    make_received(arena, source, &mail, &whole, &auth, &signer, out);
}

/* Nobody answers the others: what they bring is for people. */
size_t mail_event_to_read(const struct mail_outcome *out, size_t from)
{
    if (out->event == NULL || out->class != MAIL_CLASS_PERSON)
        return out->attachment_count;
    while (from < out->attachment_count && !out->texts[from].is_pdf)
        from++;
    return from;
}

void mail_event_seal(struct arena *arena, const char *prefix, struct mail_outcome *out)
{
    if (out->event == NULL)
        return;
    if (out->class == MAIL_CLASS_PERSON)
        mail_files_tell(arena, out);
    out->records = arena_alloc(arena, sizeof *out->records);
    mail_received_encode(arena, prefix, out->event, out->records);
    out->record_count = 1;
}
