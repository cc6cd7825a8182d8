/* From bytes to events. box.c calls it for each mail that was fetched. What a stranger wrote is cut
 * to the event's bounds here, so that its encoder and every reader can insist on them. */
#include "mail_event.h"

#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "mail/authres.h"
#include "mail/body.h"
#include "mail/parse.h"
#include "mail/reply.h"
#include "mail/report.h"

/* Quotes and line ends take two bytes each in JSON. With these bounds an event has less than 512 kB
 * whatever is in it. */
#define BODY_WRITTEN_MAX ((size_t)288 * 1024)
#define TEXT_WRITTEN_MAX ((size_t)80 * 1024)
#define MARK             "\n[...]"

/* ---- texts within bounds ---- */

/* A text of at most max_bytes and at most max_written bytes in JSON, with a mark where it was cut.
 */
static const char *fit(struct arena *arena, const char *text, size_t max_bytes, size_t max_written,
                       bool *cut)
{
    size_t length = strlen(text), written = 0, end = 0;
    char *copy = arena_strndup(arena, text, length);
    for (; end < length && end < max_bytes && written + 2 <= max_written; end++) {
        unsigned char c = (unsigned char)copy[end];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 127)
            copy[end] = ' ';
        written += c == '\n' || c == '\t' || c == '"' || c == '\\' ? 2 : 1;
    }
    if (end == length)
        return copy;
    *cut = true;
    end = text_utf8_prefix(copy, end - strlen(MARK) - 1);
    return arena_printf(arena, "%.*s" MARK, (int)end, copy);
}

/* One line of at most max_bytes. */
static const char *line(struct arena *arena, const char *text, size_t max_bytes)
{
    char *copy = arena_strndup(arena, text, text_utf8_prefix(text, max_bytes));
    for (char *c = copy; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    return copy;
}

/* ---- who ---- */

/* The first plain address of the list, lower-case, or NULL. */
static const char *first_plain(struct arena *arena, const struct mail_addresses *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (mail_address_is_plain(list->items[i].address))
            return mail_address_lower(arena, list->items[i].address);
    return NULL;
}

static void set_from(struct arena *arena, const struct mail *mail, struct mail_received *event)
{
    event->from = first_plain(arena, &mail->from);
    event->from_name =
        mail->from.count > 0 ? line(arena, mail->from.items[0].name, MAIL_EVENT_NAME_MAX) : "";
    if (event->from == NULL)
        event->from = first_plain(arena, &mail->reply_to);
    if (event->from == NULL)
        event->from = first_plain(arena, &mail->sender);
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
            out[count++] = line(arena, ids->items[i], MAIL_EVENT_ID_MAX);
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

/* The same for one mail in several mailboxes, and after a mailbox was made anew. */
static const char *content_hash(struct arena *arena, const struct mail *mail, const char *from,
                                const char *text)
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    struct strbuf all, hex;
    const char *date = mail_header(mail, "Date");
    strbuf_init(&all, (size_t)1 << 20);
    strbuf_add(&all, mail->message_id, strlen(mail->message_id) + 1);
    strbuf_add_text(&all, date != NULL ? date : "");
    strbuf_add_char(&all, '\0');
    strbuf_add(&all, from, strlen(from) + 1);
    strbuf_add_text(&all, text);
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
    event->text = fit(arena, reply.text, MAIL_EVENT_TEXT_MAX, TEXT_WRITTEN_MAX, &event->cut);
    event->body = strcmp(reply.text, whole->text) == 0 && !event->cut
                      ? ""
                      : fit(arena, whole->text, MAIL_EVENT_BODY_MAX, BODY_WRITTEN_MAX, &event->cut);
    event->shape = shape_name(reply.shape);
    event->cut |= whole->cut || mail->cut;
}

/* ---- attachments ---- */

struct keeper {
    struct arena *arena;
    struct mail_outcome *out;
    size_t bytes;
};

static const char *kind_name(enum mail_part_kind kind)
{
    static const char *const names[] = {
        [MAIL_PART_FILE] = "file", [MAIL_PART_INLINE] = "inline", [MAIL_PART_CALENDAR] = "calendar",
        [MAIL_PART_TNEF] = "tnef", [MAIL_PART_SEALED] = "sealed", [MAIL_PART_MESSAGE] = "message"};
    return names[kind];
}

static const char *type_of(struct arena *arena, const struct mail_part *part)
{
    const char *type = line(arena, part->type, MAIL_EVENT_TYPE_MAX);
    return type[0] != '\0' ? type : "application/octet-stream";
}

static void keep(void *arg, const struct mail_part *part, const void *bytes, size_t length)
{
    struct keeper *keeper = arg;
    struct mail_outcome *out = keeper->out;
    if (out->attachment_count == MAIL_EVENT_FILES_MAX || length > MAIL_BYTES_MAX - keeper->bytes)
        return;
    keeper->bytes += length;
    out->attachments[out->attachment_count++] =
        (struct attachment){.event_id = out->id,
                            .number = part->number,
                            .kind = kind_name(part->kind),
                            .name = line(keeper->arena, part->name, MAIL_EVENT_NAME_MAX),
                            .type = type_of(keeper->arena, part),
                            .bytes = arena_strndup(keeper->arena, bytes, length),
                            .length = length};
}

static bool is_kept(const struct mail_outcome *out, int number)
{
    for (size_t i = 0; i < out->attachment_count; i++)
        if (out->attachments[i].number == number)
            return true;
    return false;
}

static void set_files(struct arena *arena, const struct mail *mail, const struct mail_outcome *out,
                      struct mail_received *event)
{
    for (size_t i = 0; i < mail->part_count; i++) {
        const struct mail_part *part = &mail->parts[i];
        if (event->file_count == MAIL_EVENT_FILES_MAX) {
            event->cut = true;
            return;
        }
        event->files[event->file_count++] =
            (struct mail_event_file){.number = part->number,
                                     .kind = kind_name(part->kind),
                                     .name = line(arena, part->name, MAIL_EVENT_NAME_MAX),
                                     .type = type_of(arena, part),
                                     .size_bytes = (int64_t)part->size_bytes,
                                     .stored = is_kept(out, part->number)};
    }
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
    for (size_t i = 0; i < count && i < MAIL_EVENT_RECIPIENTS_MAX; i++) {
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
            .recipient = line(arena, recipient->address, MAIL_EVENT_ADDRESS_MAX),
            .diagnostic = line(arena, recipient->diagnostic, MAIL_EVENT_DIAGNOSTIC_MAX),
            .feedback = line(arena, report.feedback, 64)};
        mail_reported_encode(arena, source->prefix, &event, &out->records[out->record_count++]);
    }
    out->reported = true;
    out->attachment_count = 0;
    return true;
}

/* ---- the mail ---- */

static void set_auth(struct arena *arena, const struct mail_source *source, const struct mail *mail,
                     struct mail_received *event)
{
    struct mail_auth auth;
    mail_auth_read(arena, mail, source->mailbox->trusted, source->mailbox->trusted_count, &auth);
    event->spf = mail_auth_name(auth.spf);
    event->dkim = mail_auth_name(auth.dkim);
    event->dmarc = mail_auth_name(auth.dmarc);
    event->verified = auth.verified;
}

static void make_received(struct arena *arena, const struct mail_source *source,
                          const struct mail *mail, const struct mail_text *whole,
                          const struct mail_signer *signer, struct mail_outcome *out)
{
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
    event->message_id = line(arena, mail->message_id, MAIL_EVENT_ID_MAX);
    event->in_reply_to_count = set_ids(arena, &mail->in_reply_to, event->in_reply_to, &event->cut);
    event->reference_count = set_ids(arena, &mail->references, event->references, &event->cut);
    event->subject = line(arena, mail->subject, MAIL_EVENT_SUBJECT_MAX);
    event->sent_ms = mail->has_date ? mail->date_ms : 0;
    event->class = mail_class_name(out->class);
    event->rule = out->rule;
    set_auth(arena, source, mail, event);
    find_conversation(mail, signer, &event->conversation);
    find_delivery(mail, signer, &event->delivery);
    event->content_hash = content_hash(arena, mail, event->from, whole->text);
    set_files(arena, mail, out, event);
    mail_received_encode(arena, source->prefix, event, &out->records[0]);
    out->record_count = 1;
}

void mail_event_make(struct arena *arena, const struct mail_source *source,
                     struct mail_outcome *out)
{
    const struct mailbox *mailbox = source->mailbox;
    const struct mail_signer signer = {mailbox->tenant, source->keys, source->key_count};
    const struct mail_house house = {mailbox->house, mailbox->house_count, &signer};
    struct mail mail;
    struct mail_text whole;
    struct mail_verdict verdict;
    *out = (struct mail_outcome){
        .id = mail_event_id(arena, &mailbox->id, mailbox->cursor.validity, source->uid)};
    struct keeper keeper = {.arena = arena, .out = out};
    const struct mail_sink sink = {keep, &keeper};
    if (mail_parse(arena, source->bytes, source->length, &sink, &mail, NULL) != 0) {
        out->skip = "unreadable";
        out->attachment_count = 0;
        return;
    }
    mail_body_read(arena, &mail, &whole);
    mail_classify(&mail, whole.text, &house, &verdict);
    out->class = verdict.class;
    out->rule = verdict.rule;
    out->sent_ms = mail.has_date ? mail.date_ms : 0;
    if ((verdict.class == MAIL_CLASS_BOUNCE || verdict.class == MAIL_CLASS_COMPLAINT) &&
        make_reports(arena, source, &mail, whole.text, &signer, out))
        return;
    make_received(arena, source, &mail, &whole, &signer, out);
}
