/* `deskctl conversation list|show`, `takeover`, `reply`, `handback`, `erase`. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "contract/event.h"
#include "crypto/crypto.h"
#include "mail/address.h"
#include "publish.h"
#include "store/admin.h"
#include "store/conversation.h"
#include "store/erasure.h"
#include "store/merge.h"
#include "store/tenant.h"
#include "transcript.h"
#include "yours.h"
#include "json/json.h"

#define LIST_DEFAULT 50

/* ---- list ---- */

static const struct table_column list_columns[] = {
    {"id", TABLE_TEXT},         {"tenant", TABLE_TEXT},  {"address", TABLE_TEXT},
    {"number", TABLE_TEXT},     {"state", TABLE_TEXT},   {"messages", TABLE_INT},
    {"open_events", TABLE_INT}, {"flagged", TABLE_TEXT}, {"last_activity_at", TABLE_TEXT},
};

static int list(struct desk *desk, const struct words *words, int64_t limit, struct err *err)
{
    struct admin_conversation *rows = NULL;
    struct pg_session *session = NULL;
    struct tenant_row *row = NULL;
    size_t count = 0;
    const char *tenant = words_option(words, "tenant");
    if (desk_begin(desk, &session, err) != 0 ||
        (tenant != NULL && desk_find_tenant(desk, session, tenant, &row, err) != 0) ||
        admin_list_conversations(session, desk->arena, tenant, limit, &rows, &count, err) != 0)
        return -1;
    desk_rollback(desk);
    struct table *table =
        table_new(desk->arena, list_columns, sizeof list_columns / sizeof list_columns[0]);
    for (size_t i = 0; i < count; i++) {
        const char *cells[] = {
            rows[i].id,
            rows[i].tenant,
            rows[i].address,
            rows[i].number,
            rows[i].state,
            arena_printf(desk->arena, "%" PRId64, rows[i].messages),
            arena_printf(desk->arena, "%" PRId64, rows[i].open_events),
            rows[i].flagged,
            rows[i].last_activity_at,
        };
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "no conversations yet");
}

static int run_list(struct desk *desk, const struct words *words)
{
    const char *most = words_option(words, "limit");
    struct err err;
    int64_t limit = LIST_DEFAULT;
    if (most != NULL && !text_parse_int(most, 1, ADMIN_ROWS_MAX, &limit))
        return desk_usage("--limit must be a number from 1 to %d", ADMIN_ROWS_MAX);
    int code = list(desk, words, limit, &err);
    return code >= 0 ? code : desk_fail(&err);
}

/* ---- show ---- */

static int print_conversation(const struct desk *desk, const char *text, struct err *err)
{
    struct json *document = NULL;
    struct strbuf out;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (desk->json) {
        strbuf_printf(&out, "%s\n", text);
        return desk_print(&out);
    }
    if (json_parse(text, strlen(text), &document, err) != 0)
        return -1;
    transcript_print(document, &out);
    json_free(&document);
    return desk_print(&out);
}

static int run_show(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    const char *json = NULL;
    struct uuid id, tenant;
    struct err err;
    bool found = false;
    if (!uuid_parse(words->operands[0], &id))
        return desk_usage("\"%.60s\" is no conversation id; `deskctl conversation list` shows them",
                          words->operands[0]);
    if (desk_begin(desk, &session, &err) != 0 ||
        admin_find_conversation(session, &id, &tenant, &found, &err) != 0 ||
        (found && merge_find_conversation(session, &tenant, &id, &err) != 0) ||
        admin_show_conversation(session, desk->arena, &id, &json, &err) != 0)
        return desk_fail(&err);
    desk_rollback(desk);
    if (json == NULL) {
        err_set(&err, ERR_PERMANENT, "conversation.not_found", "there is no conversation %s",
                words->operands[0]);
        return desk_fail(&err);
    }
    int code = print_conversation(desk, json, &err);
    return code >= 0 ? code : desk_fail(&err);
}

/* ---- takeover ---- */

#define WAKE_WAIT_MS 5000

static int find_ref(struct desk *desk, struct pg_session *session, const char *text,
                    struct conversation_ref *ref, struct err *err)
{
    bool found = false;
    if (!uuid_parse(text, &ref->conversation))
        return err_set(err, ERR_PERMANENT, "conversation.not_found",
                       "\"%.60s\" is no conversation id", text);
    if (admin_find_conversation(session, &ref->conversation, &ref->tenant, &found, err) != 0)
        return -1;
    if (!found)
        return err_set(err, ERR_PERMANENT, "conversation.not_found", "there is no conversation %s",
                       text);
    ref->actor = desk_actor(desk);
    return merge_find_conversation(session, &ref->tenant, &ref->conversation, err);
}

static int take_over(struct desk *desk, const char *text, struct conversation_ref *ref,
                     struct conversation_takeover *taken, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0 || find_ref(desk, session, text, ref, err) != 0 ||
        conversation_take_over(session, ref, taken, err) != 0)
        return -1;
    return desk_commit(desk, err);
}

static int run_takeover(struct desk *desk, const struct words *words)
{
    struct conversation_ref ref;
    struct conversation_takeover taken;
    struct err err;
    int64_t begun = 0;
    if (take_over(desk, words->operands[0], &ref, &taken, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    const bool are_told = yours_stop_calls(desk, &ref, &taken, &err) == 0;
    if (!are_told)
        desk_note("a call may hear the assistant for some seconds more: %s", err.message);
    desk_note("held; %" PRId64 " replies will not leave, %" PRId64 " may be leaving",
              taken.suppressed, taken.in_flight);
    if (yours_wait(desk, &ref, are_told, &begun, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    const struct desk_fact facts[] = {{"state", "yours", 0},
                                      {"suppressed", NULL, taken.suppressed},
                                      {"in_flight", NULL, taken.in_flight},
                                      {"begun", NULL, begun}};
    desk_note("yours: no reply of the assistant can start to leave any more");
    if (begun > 0)
        desk_note("%" PRId64 " mail(s) had begun to leave before, and may still arrive: their "
                  "server has not answered yet",
                  begun);
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

/* ---- reply ---- */

#define REPLY_CHARACTERS_MAX 16000 /* of a mail */

/* NULL, or what is wrong with it. */
static const char *check_reply(const char *text, size_t *count)
{
    size_t characters = 0;
    if (!text_is_utf8(text, strlen(text)))
        return "the text is not UTF-8";
    for (const char *at = text; *at != '\0'; characters++) {
        uint32_t c = text_next_code_point(&at);
        if ((c < ' ' && c != '\n') || c == 0x7F)
            return "the text holds a control character";
    }
    *count = characters;
    return characters > REPLY_CHARACTERS_MAX   ? "a message has at most 16,000 characters"
           : text[strspn(text, " \n")] == '\0' ? "the text is empty"
                                               : NULL;
}

static int reply(struct desk *desk, const char *id, struct conversation_ref *ref,
                 struct conversation_reply *said, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0 || find_ref(desk, session, id, ref, err) != 0 ||
        conversation_reply(session, ref, said, err) != 0)
        return -1;
    return desk_commit(desk, err);
}

/* Only a wake-up: without it a responder finds the row by itself. */
static int wake_responder(struct desk *desk, const struct conversation_ref *ref,
                          const struct conversation_reply *said, struct err *err)
{
    struct bus_producer *producer = NULL;
    struct bus_record record;
    char id[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE];
    const struct delivery_requested event = {
        .event = {.id = uuid_format(&said->delivery, id),
                  .source = "frontdesk/deskctl",
                  .subject = "",
                  .time_ms = clock_wall_ms(),
                  .tenant = uuid_format(&ref->tenant, tenant),
                  .traceparent = ""},
        .delivery = said->delivery,
        .session = said->session,
        .by_mail = said->by_mail,
    };
    const enum topic topic = said->by_mail ? TOPIC_OUTBOUND_EMAIL : TOPIC_OUTBOUND_SMS;
    if (publish_open(desk, topic, &producer, err) != 0)
        return -1;
    delivery_requested_encode(desk->arena, desk->settings.kafka.topic_prefix, &event, &record);
    int result = bus_produce_wait(producer, &record, WAKE_WAIT_MS, err);
    bus_producer_close(&producer, 0);
    return result;
}

static int run_reply(struct desk *desk, const struct words *words)
{
    struct conversation_reply said = {
        .body = words->operands[1], .message = uuid_new(), .delivery = uuid_new()};
    const char *problem = check_reply(said.body, &said.characters);
    struct conversation_ref ref;
    char id[UUID_TEXT_SIZE];
    struct err err;
    if (problem != NULL)
        return desk_usage("%s", problem);
    if (reply(desk, words->operands[0], &ref, &said, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    if (wake_responder(desk, &ref, &said, &err) != 0)
        desk_note("stored, but Kafka was not reached (%s); a responder finds it by itself",
                  err.message);
    const struct desk_fact facts[] = {{"state", "pending", 0},
                                      {"delivery", uuid_format(&said.delivery, id), 0}};
    desk_note("on its way; `deskctl conversation show` tells when it has arrived");
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

/* ---- handback ---- */

static int run_handback(struct desk *desk, const struct words *words)
{
    struct conversation_ref ref;
    struct pg_session *session = NULL;
    struct err err;
    int64_t due = 0;
    if (desk_begin(desk, &session, &err) != 0 ||
        find_ref(desk, session, words->operands[0], &ref, &err) != 0 ||
        conversation_hand_back(session, &ref, &due, &err) != 0 || desk_commit(desk, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    const struct desk_fact facts[] = {{"state", "handed_back", 0}, {"sessions_due", NULL, due}};
    desk_note("handed back; %" PRId64 " sessions with unanswered texts are due", due);
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

/* ---- erase ---- */

static int erase_one(struct desk *desk, struct pg_session *session, const struct uuid *tenant,
                     const struct erasure_address *one, int64_t *messages, struct err *err)
{
    const struct secret *key = NULL;
    char text[UUID_TEXT_SIZE];
    int64_t erased = 0;
    if (desk_key(desk, DESK_KEY_ID, &key, err) != 0)
        return -1;
    const char *const parts[] = {"address", uuid_format(tenant, text), one->kind, one->address};
    const struct erasure erasure = {.tenant = *tenant,
                                    .address = one->address,
                                    .address_hash = crypto_ident(key, parts, 4),
                                    .actor = desk_actor(desk)};
    if (erasure_run(session, &erasure, &erased, err) != 0)
        return -1;
    *messages += erased;
    return 0;
}

/* With all that the desk knows to be the same person's: what came to another address of his before
 * must not come back either. */
static int erase(struct desk *desk, const char *tenant, const struct erasure_address *asked,
                 int64_t *messages, struct err *err)
{
    struct pg_session *session = NULL;
    struct tenant_row *row = NULL;
    struct erasure_address *list = NULL;
    size_t count = 0;
    if (desk_begin(desk, &session, err) != 0 ||
        desk_find_tenant(desk, session, tenant, &row, err) != 0 ||
        erasure_list(session, desk->arena, &row->id, asked->address, &list, &count, err) != 0 ||
        erase_one(desk, session, &row->id, asked, messages, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].address, asked->address) != 0 &&
            erase_one(desk, session, &row->id, &list[i], messages, err) != 0)
            return -1;
    return desk_commit(desk, err);
}

static int run_erase(struct desk *desk, const struct words *words)
{
    const char *tenant = words_option(words, "tenant"), *address = words_option(words, "address");
    struct err err;
    int64_t messages = 0;
    if (tenant == NULL || address == NULL)
        return desk_usage("erase needs --tenant NAME and --address +NUMBER or MAIL");
    struct erasure_address asked = {"phone", address};
    if (strchr(address, '@') != NULL)
        asked = (struct erasure_address){"mail", mail_address_lower(desk->arena, address)};
    else if (!text_is_e164(address))
        return desk_usage("--address must be a number with + and country code, or a mail address");
    if (words_option(words, "yes") == NULL &&
        !desk_confirm(desk, "erase everything said with this address, for ever?"))
        return desk_usage("nothing was erased; answer the question or add --yes");
    if (erase(desk, tenant, &asked, &messages, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_note("erased %" PRId64 " messages; copies in Kafka end with the topics' retention",
              messages);
    const struct desk_fact facts[] = {{"messages", NULL, messages}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static const struct option list_options[] = {
    {"tenant", "NAME", "only of this tenant"},
    {"limit", "N", "at most so many, 1-1000 (default 50)"},
    {NULL, NULL, NULL},
};
static const struct option erase_options[] = {
    {"tenant", "NAME", "whose customer it is"},
    {"address", "ADDRESS", "the customer's number, +15551234567, or mail address"},
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct command command_conversation[] = {
    {"conversation list", "", "conversations, the latest first", NULL, list_options, 0, 0,
     run_list},
    {"conversation show", "ID", "the transcript with turns, tokens, deliveries and attempts", NULL,
     NULL, 1, 1, run_show},
    {"takeover", "CONVERSATION", "hold a conversation: the assistant says nothing more",
     "Waits until no reply of the assistant can start to leave (seconds), and tells of mails that "
     "had begun to before.",
     NULL, 1, 1, run_takeover},
    {"reply", "CONVERSATION TEXT", "answer a customer whose conversation you hold",
     "Leaves by the number or mailbox that the customer wrote to last, as one message.", NULL, 2, 2,
     run_reply},
    {"handback", "CONVERSATION", "give a conversation back to the assistant",
     "What the customer wrote meanwhile and nobody answered is answered then.", NULL, 1, 1,
     run_handback},
    {"erase", "", "erase a customer: everything said with an address",
     "The keyed hash of the address stays, so that a replay does not bring the texts back.",
     erase_options, 0, 0, run_erase},
    {.words = NULL},
};
