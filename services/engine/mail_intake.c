/* The lane of mails: what mailpoller tells on desk.inbound.email (docs/MAIL.md). Every mail is
 * claimed, and so on record; only a person's is to be answered. intake.c runs it. */
#include "contract/mail.h"

#include "base/mem.h"
#include "base/text.h"
#include "counters.h"
#include "intake_inside.h"
#include "rota_plan.h"
#include "session.h"
#include "store/inbox_mail.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 32                   /* records of up to 512 kB */
#define UNIT_MAX  ((size_t)4 << 20)    /* bytes of texts in a unit of statements */
#define LIST_MAX  ((size_t)64 * 1024)  /* as JSON */
#define FILES_MAX ((size_t)128 * 1024) /* as JSON */

/* ---- records ---- */

static const char *take(struct arena *arena, struct strbuf *out)
{
    const char *text = arena_strndup(arena, out->data, out->length);
    strbuf_fini(out);
    return text;
}

static void add_ids(struct json_writer *writer, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_add_text(writer, NULL, ids[i]);
}

/* What it may be an answer to, the nearest first: the claim takes whichever it knows. */
static const char *known_ids(struct arena *arena, const struct mail_received *mail)
{
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, LIST_MAX);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    add_ids(&writer, mail->in_reply_to, mail->in_reply_to_count);
    add_ids(&writer, mail->references, mail->reference_count);
    json_close_array(&writer);
    return take(arena, &out);
}

/* RFC 5322, 3.6.4: an answer goes on with the references, or with what is answered if that is one
 * mail. */
static const char *chain_of(struct arena *arena, const struct mail_received *mail)
{
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, LIST_MAX);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    if (mail->reference_count > 0)
        add_ids(&writer, mail->references, mail->reference_count);
    else if (mail->in_reply_to_count == 1)
        add_ids(&writer, mail->in_reply_to, 1);
    json_close_array(&writer);
    return take(arena, &out);
}

/* What began the thread, as the mail tells it; a mail without an id is a thread of its own. */
static const char *root_of(const struct mail_received *mail)
{
    return mail->reference_count > 0     ? mail->references[0]
           : mail->in_reply_to_count > 0 ? mail->in_reply_to[0]
           : mail->message_id[0] != '\0' ? mail->message_id
                                         : mail->event.id;
}

static const char *files_json(struct arena *arena, const struct mail_received *mail)
{
    struct strbuf out;
    struct json_writer writer;
    if (mail->file_count == 0)
        return NULL;
    strbuf_init(&out, FILES_MAX);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    for (size_t i = 0; i < mail->file_count; i++) {
        const struct mail_event_file *file = &mail->files[i];
        json_open_object(&writer, NULL);
        json_add_int(&writer, "number", file->number);
        json_add_text(&writer, "kind", file->kind);
        json_add_text(&writer, "name", file->name);
        json_add_text(&writer, "type", file->type);
        json_add_int(&writer, "size_bytes", file->size_bytes);
        json_add_bool(&writer, "stored", file->stored);
        if (file->text[0] != '\0')
            json_add_text(&writer, "text", file->text);
        if (file->text_cut)
            json_add_bool(&writer, "text_cut", true);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    return take(arena, &out);
}

/* Where nothing new was found, the customer may have written in between: all of it is his. */
static const char *body_of(const struct mail_received *mail)
{
    return mail->text[0] != '\0' ? mail->text : mail->body;
}

static int to_event(struct intake *intake, const struct mail_received *mail,
                    struct inbox_event *out, struct err *err)
{
    const char *tenant = mail->event.tenant, *from = mail->from;
    char mailbox[UUID_TEXT_SIZE];
    const char *box = arena_strdup(intake->arena, uuid_format(&mail->mailbox, mailbox));
    *out = (struct inbox_event){
        .tenant = tenant,
        .channel = "mail",
        .provider_id = mail->event.id,
        .sender = box,
        .address = from,
        .body = body_of(mail),
        .media_json = files_json(intake->arena, mail),
        .event_time_ms = mail->event.time_ms,
        .traceparent = mail->event.traceparent,
        .session = intake_ident(
            intake, (const char *[]){"session", tenant, "mail", box, from, root_of(mail)}, 6),
        .contact = intake_ident(intake, (const char *[]){"contact", tenant, "mail", from}, 4),
        .message =
            intake_ident(intake, (const char *[]){"message", tenant, "mail", mail->event.id}, 4),
        .address_hash = intake_ident(intake, (const char *[]){"address", tenant, "mail", from}, 4),
        .conversation = uuid_new(),
    };
    char code[ROTA_CODE_SIZE];
    if (strcmp(mail->class, MAIL_EVENT_PERSON) == 0 && rota_plan_read_mail(mail->text, code)) {
        out->consent = INBOX_CODE;
        out->code = arena_strdup(intake->arena, code);
    }
    if (!text_parse_hex(mail->content_hash, out->content_hash, sizeof out->content_hash))
        return err_set(err, ERR_PERMANENT, "event.member", "content_hash is not hexadecimal");
    return 0;
}

static struct inbox_mail to_mail(struct arena *arena, const struct mail_received *mail)
{
    const bool is_persons = strcmp(mail->class, MAIL_EVENT_PERSON) == 0;
    return (struct inbox_mail){
        .reason = is_persons ? "" : mail->class,
        .talk = mail->conversation,
        .delivery = mail->delivery,
        .ids = known_ids(arena, mail),
        .mail_id = mail->message_id,
        .chain = chain_of(arena, mail),
        .subject = mail->subject,
        .from_name = mail->from_name,
        .class = mail->class,
        .rule = mail->rule,
        .verified = mail->verified,
        .whole = strcmp(body_of(mail), mail->body) == 0 ? "" : mail->body,
    };
}

static void decode(struct intake *intake)
{
    struct map *seen = map_new();
    struct inbox_mail *mails = arena_alloc(intake->arena, intake->record_count * sizeof *mails);
    intake->batch = mails; /* by the place of the record */
    for (size_t i = 0; i < intake->record_count; i++) {
        struct mail_received *mail = arena_alloc(intake->arena, sizeof *mail);
        struct inbox_event event;
        struct err err;
        if (mail_received_decode(intake->arena, &intake->records[i], mail, &err) != 0 ||
            to_event(intake, mail, &event, &err) != 0) {
            intake_dead_letter(intake, i, err.code);
            continue;
        }
        mails[i] = to_mail(intake->arena, mail);
        intake_add(intake, seen, &event, i);
    }
    map_free(&seen);
}

/* ---- a unit ---- */

static const struct inbox_mail *mail_of(const struct intake *intake, size_t event)
{
    const struct inbox_mail *mails = intake->batch;
    return &mails[intake->events[event].place];
}

static size_t count(const struct intake *intake)
{
    size_t n = 0, bytes = 0;
    for (size_t i = intake->first; i < intake->event_count; i++) {
        bytes += strlen(intake->events[i].body) + strlen(mail_of(intake, i)->whole);
        if (n > 0 && (intake->singly || bytes > UNIT_MAX))
            break;
        n++;
    }
    return n;
}

static void fill(struct intake *intake, struct pg_unit *unit)
{
    struct arena *arena = intake->claim_arena;
    const struct engine_settings *settings = &intake->engine->shared->settings;
    /* Locks are taken in one order by all; a batch that is more than a unit is cut as it came. */
    qsort(&intake->events[intake->first], intake->claim_count, sizeof *intake->events,
          intake_by_identity);
    struct inbox_mail *mails = arena_alloc(arena, intake->claim_count * sizeof *mails);
    for (size_t i = 0; i < intake->claim_count; i++)
        mails[i] = *mail_of(intake, intake->first + i);
    inbox_mail_add_claim(unit, arena, arena_strdup(arena, worker_id(intake->engine->worker)),
                         &intake->events[intake->first], mails, intake->claim_count,
                         &(struct inbox_timing){.burst_ms = settings->mail_burst_ms,
                                                .burst_max_ms = settings->mail_burst_max_ms,
                                                .answer_within_ms = settings->mail_answer_within_ms,
                                                .quiet_ms = settings->quiet_ms,
                                                .loop_replies = settings->mail_loop_replies,
                                                .loop_window_ms = settings->mail_loop_window_ms});
}

static void report(struct intake *intake, const struct pg_answer *answer)
{
    intake_report(intake, answer, SHARE_MAIL,
                  &(struct intake_counters){counters.mail_claimed, counters.mail_duplicates});
    intake_wake_answers(intake, answer, true);
}

const struct intake_lane intake_mail = {.topic = TOPIC_INBOUND_EMAIL,
                                        .is_static = true,
                                        .batch_max = BATCH_MAX,
                                        .decode = decode,
                                        .count = count,
                                        .fill = fill,
                                        .report = report};
