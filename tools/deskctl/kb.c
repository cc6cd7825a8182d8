/* `deskctl kb list|show|search|remove`: a tenant's knowledge as an answer would find it. */
#include "kb.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "json/json.h"

#define FOUND_DEFAULT 5

int kb_begin(struct desk *desk, const char *name, struct pg_session **session,
             struct tenant_row **tenant, struct err *err)
{
    if (desk_begin(desk, session, err) != 0 ||
        tenant_find(*session, desk->arena, name, tenant, err) != 0)
        return -1;
    if (*tenant != NULL)
        return 0;
    return err_set(err, ERR_PERMANENT, "tenant.not_found",
                   "there is no tenant \"%.60s\"; `deskctl tenant list` shows all", name);
}

static int find_document(struct desk *desk, struct pg_session *session,
                         const struct tenant_row *tenant, const char *name,
                         struct knowledge_document **document, struct err *err)
{
    if (text_is_utf8(name, strlen(name)) &&
        knowledge_find(session, desk->arena, &tenant->id, name, document, err) != 0)
        return -1;
    if (*document != NULL)
        return 0;
    err_set(err, ERR_PERMANENT, "knowledge.not_found",
            "%s has no document \"%.60s\"; `deskctl kb list %s` shows all", tenant->name, name,
            tenant->name);
    return -1;
}

/* ---- list ---- */

static const struct table_column list_columns[] = {
    {"name", TABLE_TEXT},          {"kind", TABLE_TEXT},  {"language", TABLE_TEXT},
    {"search_config", TABLE_TEXT}, {"chunks", TABLE_INT}, {"size_bytes", TABLE_INT},
    {"updated_at", TABLE_TEXT},
};

static int run_list(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct tenant_row *tenant = NULL;
    struct knowledge_document *rows = NULL;
    struct err err;
    size_t count = 0;
    if (kb_begin(desk, words->operands[0], &session, &tenant, &err) != 0 ||
        knowledge_list(session, desk->arena, &tenant->id, &rows, &count, &err) != 0)
        return desk_fail(&err);
    desk_rollback(desk);
    struct table *table =
        table_new(desk->arena, list_columns, sizeof list_columns / sizeof list_columns[0]);
    for (size_t i = 0; i < count; i++) {
        const char *cells[] = {
            rows[i].name,
            knowledge_kind_name(rows[i].kind),
            rows[i].language,
            rows[i].config,
            arena_printf(desk->arena, "%" PRId64, rows[i].chunks),
            arena_printf(desk->arena, "%" PRId64, rows[i].size_bytes),
            rows[i].updated_at,
        };
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "no documents yet: deskctl kb import TENANT FILE...");
}

/* ---- show ---- */

/* A chunk for people: what it is, its heading, its text. */
static void print_chunk(struct strbuf *out, const char *head, const char *heading, const char *text)
{
    strbuf_printf(out, "\n%s", head);
    if (*heading != '\0') {
        strbuf_add_text(out, "  ");
        table_add_safe(out, heading, false, 0);
    }
    strbuf_add_text(out, "\n    ");
    table_add_safe(out, text, true, 4);
    strbuf_add_char(out, '\n');
}

static void print_document(struct desk *desk, const struct knowledge_document *document,
                           const struct knowledge_chunk *chunks, size_t count, struct strbuf *out)
{
    table_add_safe(out, document->name, false, 0);
    strbuf_printf(out, ": %s, language %s (%s), %zu chunks, updated %s\n",
                  knowledge_kind_name(document->kind), document->language, document->config, count,
                  document->updated_at);
    for (size_t i = 0; i < count; i++)
        print_chunk(out,
                    arena_printf(desk->arena, "%" PRId64 "%s", chunks[i].place,
                                 chunks[i].kind == CHUNK_FAQ ? " (faq)" : ""),
                    chunks[i].heading, chunks[i].text);
}

static void write_document(const struct knowledge_document *document,
                           const struct knowledge_chunk *chunks, size_t count, struct strbuf *out)
{
    struct json_writer writer;
    char id[UUID_TEXT_SIZE];
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "id", uuid_format(&document->id, id));
    json_add_text(&writer, "name", document->name);
    json_add_text(&writer, "kind", knowledge_kind_name(document->kind));
    json_add_text(&writer, "language", document->language);
    json_add_text(&writer, "search_config", document->config);
    json_add_int(&writer, "size_bytes", document->size_bytes);
    json_add_text(&writer, "updated_at", document->updated_at);
    json_open_array(&writer, "chunks");
    for (size_t i = 0; i < count; i++) {
        json_open_object(&writer, NULL);
        json_add_text(&writer, "id", uuid_format(&chunks[i].id, id));
        json_add_int(&writer, "place", chunks[i].place);
        json_add_text(&writer, "kind", knowledge_kind_name(chunks[i].kind));
        json_add_text(&writer, "heading", chunks[i].heading);
        json_add_text(&writer, "text", chunks[i].text);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    json_close_object(&writer);
    strbuf_add_char(out, '\n');
}

static int run_show(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct tenant_row *tenant = NULL;
    struct knowledge_document *document = NULL;
    struct knowledge_chunk *chunks = NULL;
    struct strbuf out;
    struct err err;
    size_t count = 0;
    if (kb_begin(desk, words->operands[0], &session, &tenant, &err) != 0 ||
        find_document(desk, session, tenant, words->operands[1], &document, &err) != 0 ||
        knowledge_list_chunks(session, desk->arena, document, &chunks, &count, &err) != 0)
        return desk_fail(&err);
    desk_rollback(desk);
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (desk->json)
        write_document(document, chunks, count, &out);
    else
        print_document(desk, document, chunks, count, &out);
    return desk_print(&out);
}

/* ---- search ---- */

static int print_found(struct desk *desk, const struct knowledge_found *found, size_t count)
{
    struct strbuf out;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (count == 0)
        strbuf_add_text(&out, "nothing found\n");
    for (size_t i = 0; i < count; i++) {
        struct strbuf name;
        strbuf_init(&name, 4096);
        table_add_safe(&name, found[i].document, false, 0);
        print_chunk(&out,
                    arena_printf(desk->arena, "%.3f  %s%s", found[i].rank, name.data,
                                 found[i].kind == CHUNK_FAQ ? " (faq)" : ""),
                    found[i].heading, found[i].text);
        strbuf_fini(&name);
    }
    return desk_print(&out);
}

static int write_found(const struct knowledge_found *found, size_t count)
{
    struct json_writer writer;
    struct strbuf out;
    char id[UUID_TEXT_SIZE];
    strbuf_init(&out, DESK_OUTPUT_MAX);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    for (size_t i = 0; i < count; i++) {
        json_open_object(&writer, NULL);
        json_add_double(&writer, "rank", found[i].rank);
        json_add_text(&writer, "id", uuid_format(&found[i].chunk, id));
        json_add_text(&writer, "document", found[i].document);
        json_add_text(&writer, "kind", knowledge_kind_name(found[i].kind));
        json_add_text(&writer, "heading", found[i].heading);
        json_add_text(&writer, "text", found[i].text);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    strbuf_add_char(&out, '\n');
    return desk_print(&out);
}

static int run_search(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct tenant_row *tenant = NULL;
    struct knowledge_found *found = NULL;
    struct err err;
    char id[UUID_TEXT_SIZE];
    size_t count = 0;
    int64_t limit = FOUND_DEFAULT;
    const char *most = words_option(words, "limit"), *question = "";
    if (most != NULL && !text_parse_int(most, 1, KNOWLEDGE_FOUND_MAX, &limit))
        return desk_usage("--limit must be a number from 1 to %d", KNOWLEDGE_FOUND_MAX);
    for (size_t i = 1; i < words->count; i++)
        question =
            arena_printf(desk->arena, "%s%s%s", question, i > 1 ? " " : "", words->operands[i]);
    if (!text_is_utf8(question, strlen(question)))
        return desk_usage("the words are not UTF-8");
    if (kb_begin(desk, words->operands[0], &session, &tenant, &err) != 0 ||
        knowledge_search(session, desk->arena, uuid_format(&tenant->id, id), question, (int)limit,
                         &found, &count, &err) != 0)
        return desk_fail(&err);
    desk_rollback(desk);
    return desk->json ? write_found(found, count) : print_found(desk, found, count);
}

/* ---- remove ---- */

static int look_up(struct desk *desk, const struct words *words, struct err *err)
{
    struct pg_session *session = NULL;
    struct tenant_row *tenant = NULL;
    struct knowledge_document *document = NULL;
    int result = kb_begin(desk, words->operands[0], &session, &tenant, err) != 0 ||
                         find_document(desk, session, tenant, words->operands[1], &document, err)
                     ? -1
                     : 0;
    desk_rollback(desk);
    return result;
}

static int remove_document(struct desk *desk, const struct words *words, int64_t *chunks,
                           struct err *err)
{
    struct pg_session *session = NULL;
    struct tenant_row *tenant = NULL;
    struct knowledge_document *document = NULL;
    if (kb_begin(desk, words->operands[0], &session, &tenant, err) != 0 ||
        knowledge_lock(session, &tenant->id, err) != 0 ||
        find_document(desk, session, tenant, words->operands[1], &document, err) != 0 ||
        knowledge_remove(session, document, err) != 0 ||
        tenant_audit(session, &tenant->id, desk_actor(desk), "knowledge.remove", document->name,
                     arena_printf(desk->arena, "{\"chunks\": %" PRId64 "}", document->chunks),
                     err) != 0)
        return -1;
    *chunks = document->chunks;
    return desk_commit(desk, err);
}

static int run_remove(struct desk *desk, const struct words *words)
{
    struct err err;
    int64_t chunks = 0;
    if (look_up(desk, words, &err) != 0)
        return desk_fail(&err);
    if (words_option(words, "yes") == NULL &&
        !desk_confirm(desk, "remove this document, so that nothing is answered from it any more?"))
        return desk_usage("nothing was removed; answer the question or add --yes");
    if (remove_document(desk, words, &chunks, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_note("removed %s with %" PRId64 " chunks", words->operands[1], chunks);
    const struct desk_fact facts[] = {{"removed", words->operands[1], 0}, {"chunks", NULL, chunks}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static const struct option import_options[] = {
    {"faq", NULL, "each heading is a question, the text below it its answer"},
    {"language", "LANG", "of the documents, like de or de-CH (default: the tenant's)"},
    {NULL, NULL, NULL},
};
static const struct option search_options[] = {
    {"limit", "N", "at most so many, 1-10 (default 5)"},
    {NULL, NULL, NULL},
};
static const struct option remove_options[] = {
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct command command_kb[] = {
    {"kb import", "TENANT FILE...", "give a tenant documents to answer from",
     "Markdown (.md), plain text (.txt) or HTML (.html), UTF-8, at most 4 MB each. A document's\n"
     "name is its file's: importing that name again replaces it, in one transaction for all\n"
     "files, and one that did not change stays as it is. All files are checked first; nothing is\n"
     "changed while one has a problem. Text is cut at its headings into chunks of 1,200 bytes.\n"
     "With --faq each heading is a question with its answer below, at most 1,200 bytes long.",
     import_options, 2, COMMAND_WORDS_MAX, kb_import},
    {"kb list", "TENANT", "the documents of a tenant", NULL, NULL, 1, 1, run_list},
    {"kb show", "TENANT DOCUMENT", "one document as it was cut into chunks", NULL, NULL, 2, 2,
     run_show},
    {"kb search", "TENANT WORDS...", "what a customer's question would find",
     "The search of the engine: any shared word counts, rarer ones more, headings more than text.\n"
     "The rank is above 0 and at most 1.",
     search_options, 2, COMMAND_WORDS_MAX, run_search},
    {"kb remove", "TENANT DOCUMENT", "take a document away from a tenant", NULL, remove_options, 2,
     2, run_remove},
    {.words = NULL},
};
