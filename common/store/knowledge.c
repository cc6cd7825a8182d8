/* SQL of a tenant's knowledge. The engine asks it what may answer a customer, `deskctl kb` writes
 * and reads it.
 *
 * A customer's sentence shares only some words with the passage that answers it, so any shared word
 * counts, and the rarer it is among the tenant's chunks the more. kb_words tells how often each
 * word occurs, the index where; the exact rank, which needs the words of a chunk, is made of the
 * best few only. */
#include "store/knowledge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define BATCH 500 /* chunks of one INSERT */

/* ---- languages ---- */

static const struct {
    const char *languages, *config;
} configs[] = {
    {" ar ", "arabic"},          {" hy ", "armenian"},   {" eu ", "basque"},
    {" ca ", "catalan"},         {" da ", "danish"},     {" nl ", "dutch"},
    {" en ", "english"},         {" fi ", "finnish"},    {" fr ", "french"},
    {" de ", "german"},          {" el ", "greek"},      {" hi ", "hindi"},
    {" hu ", "hungarian"},       {" id ", "indonesian"}, {" ga ", "irish"},
    {" it ", "italian"},         {" lt ", "lithuanian"}, {" ne ", "nepali"},
    {" no nb nn ", "norwegian"}, {" pt ", "portuguese"}, {" ro ", "romanian"},
    {" ru ", "russian"},         {" sr ", "serbian"},    {" es ", "spanish"},
    {" sv ", "swedish"},         {" ta ", "tamil"},      {" tr ", "turkish"},
    {" yi ", "yiddish"},         {"", "simple"},
};
#define CONFIG_COUNT (sizeof configs / sizeof configs[0])

const char *knowledge_config_of(const char *language)
{
    char word[8];
    size_t length = strcspn(language, "-_");
    if (length == 2) {
        snprintf(word, sizeof word, " %.2s ", language);
        for (size_t i = 0; i < CONFIG_COUNT; i++)
            if (strcasestr(configs[i].languages, word) != NULL)
                return configs[i].config;
    }
    return "simple";
}

const char *knowledge_kind_name(enum chunk_kind kind)
{
    return kind == CHUNK_FAQ ? "faq" : "text";
}

static enum chunk_kind kind_of(const char *name)
{
    return strcmp(name, "faq") == 0 ? CHUNK_FAQ : CHUNK_TEXT;
}

/* ---- search ---- */

/* What people say around their question in the languages that we know them in; PostgreSQL's own
 * lists of stop words leave these in, and they would find passages that merely sound friendly. None
 * of them means something in another of these languages. */
static const char fillers[] =
    "hi hello hey dear please thanks thank sorry much many like want need would could get got know "
    "tell ask wonder wondering also let one someone somebody anyone anybody "
    "something anything "
    "hallo bitte danke gerne gern grüsse grüße möchte würde könnte könnten können wissen sagen "
    "brauche guten "
    "hola gracias favor bonjour merci salut ciao grazie "
    "um umm uhm uh er erm hm hmm äh ähm euh"; /* as telephones write them down */

#define WORDS_MAX "24" /* of a question: the first ones */

/* A word that more chunks have is not looked up, unless only one is rarer: the index would put
 * together all that have it first. Of that one so many are looked at. */
#define HITS_MAX "300"

/* The word that only chunks of this tenant and configuration have; nothing that is said becomes a
 * word that begins with #. */
#define TAG_OF_QUERY "'#' || c.name || '#' || $1::uuid::text"
#define TAG_OF_CHUNK "'#' || $3::text || '#' || $1::uuid::text"

/* Makes one operand of a tsquery of any word. */
#define QUOTED                                                                                     \
    "'''' || replace(replace(u.lexeme, chr(92), chr(92) || chr(92)), '''', '''''') || ''''"

/* A word counts ln(1 + (chunks without it) / (chunks with it)), as in BM25; one that no chunk has
 * counts as if one had it. */
#define WEIGHT "ln(1 + (n.chunks - n.having_it + 0.5) / (n.having_it + 0.5))"
#define RAREST "ln(1 + (greatest(n.chunks, 1) - 0.5) / 1.5)"

/* The inner LIMIT also keeps the planner from reading all chunks of the tenant instead of asking
 * the index. A chunk must have a quarter of what the rarest word counts, and a twentieth of the
 * whole question. */
static const char search_sql[] =
    "WITH config AS MATERIALIZED (SELECT d.search_config AS name,"
    " sum(d.chunk_count)::float8 AS chunks FROM kb_documents d WHERE d.tenant_id = $1::uuid"
    " GROUP BY d.search_config),"
    " word AS MATERIALIZED (SELECT c.name, c.chunks, w.lexeme, w.quoted,"
    " coalesce(n.chunks, 0)::float8 AS having_it,"
    " ('''' || " TAG_OF_QUERY " || ''' & ' || w.quoted)::tsquery AS query"
    " FROM config c CROSS JOIN LATERAL (SELECT u.lexeme, " QUOTED " AS quoted"
    " FROM unnest(to_tsvector(c.name::regconfig, $2::text)) AS u (lexeme, positions, weights)"
    " WHERE u.lexeme <> ALL (tsvector_to_array(to_tsvector(c.name::regconfig, $3::text)))"
    " ORDER BY u.positions[1], u.lexeme LIMIT " WORDS_MAX ") AS w"
    " LEFT JOIN LATERAL (SELECT x.chunks FROM kb_words x WHERE x.tenant_id = $1::uuid"
    " AND x.config = c.name AND x.word = w.lexeme OFFSET 0) AS n ON true),"
    " rated AS MATERIALIZED (SELECT w.*, row_number() OVER (PARTITION BY w.name"
    " ORDER BY w.having_it = 0, w.having_it, w.lexeme) AS place FROM word w),"
    " hit AS MATERIALIZED (SELECT w.name, w.chunks, w.having_it, h.id,"
    " count(h.id) OVER (PARTITION BY w.name, w.lexeme)::float8 AS hits"
    " FROM rated w LEFT JOIN LATERAL (SELECT s.id FROM (SELECT k.tenant_id, k.id FROM kb_chunks k"
    " WHERE k.search @@ w.query LIMIT " HITS_MAX ") AS s WHERE s.tenant_id = $1::uuid) AS h"
    " ON true WHERE w.having_it <= " HITS_MAX " OR w.place <= 2),"
    " counted AS MATERIALIZED (SELECT h.name, h.id, h.hits,"
    " greatest(h.chunks, h.having_it) AS chunks, greatest(h.having_it, 1) AS having_it"
    " FROM hit h),"
    " weighed AS MATERIALIZED (SELECT v.name, v.id, v.weight, v.rarest,"
    " sum(v.weight / greatest(v.hits, 1)) OVER (PARTITION BY v.name) AS whole"
    " FROM (SELECT n.name, n.id, n.hits, " WEIGHT " AS weight, " RAREST " AS rarest"
    " FROM counted n) AS v),"
    " best AS MATERIALIZED (SELECT v.name, v.id, sum(v.weight) / min(v.whole) AS share"
    " FROM weighed v WHERE v.id IS NOT NULL GROUP BY v.name, v.id"
    " HAVING sum(v.weight) >= 0.25 * min(v.rarest) AND sum(v.weight) >= 0.05 * min(v.whole)"
    " ORDER BY sum(v.weight) / min(v.whole) DESC, v.id LIMIT 50),"
    " anyof AS MATERIALIZED (SELECT w.name, string_agg(w.quoted, ' | ')::tsquery AS query"
    " FROM word w GROUP BY w.name)"
    " SELECT k.id, d.name, k.heading, k.body, k.kind, b.share * (0.25 + 0.75 * ts_rank_cd("
    "'{0.1, 0.2, 0.4, 1}', k.search, a.query, 32)) AS rank"
    " FROM best b JOIN anyof a ON a.name = b.name"
    " JOIN kb_chunks k ON k.tenant_id = $1::uuid AND k.id = b.id"
    " JOIN kb_documents d ON d.tenant_id = k.tenant_id AND d.id = k.document_id"
    " ORDER BY rank DESC, k.id LIMIT $4::integer";

const char *const knowledge_statements[] = {search_sql, NULL};

void knowledge_add_search(struct pg_unit *unit, struct arena *arena, const char *tenant,
                          const char *question, int limit)
{
    struct pg_statement *statement = pg_add(unit, search_sql);
    size_t length = text_utf8_prefix(question, KNOWLEDGE_QUESTION_MAX);
    pg_param(statement, tenant);
    pg_param(statement,
             question[length] == '\0' ? question : arena_strndup(arena, question, length));
    pg_param(statement, fillers);
    pg_param(statement, arena_printf(arena, "%d", limit));
}

bool knowledge_read_found(const struct pg_result *results, int statement, int row,
                          struct knowledge_found *out)
{
    if (row >= pg_rows(results, statement))
        return false;
    *out = (struct knowledge_found){
        .chunk = pg_uuid(results, statement, row, 0),
        .document = pg_text(results, statement, row, 1),
        .heading = pg_text(results, statement, row, 2),
        .text = pg_text(results, statement, row, 3),
        .kind = kind_of(pg_text(results, statement, row, 4)),
        .rank = strtod(pg_text(results, statement, row, 5), NULL),
    };
    return true;
}

int knowledge_search(struct pg_session *session, struct arena *arena, const char *tenant,
                     const char *question, int limit, struct knowledge_found **found, size_t *count,
                     struct err *err)
{
    struct pg_unit unit = {.count = 0};
    struct pg_result *result = NULL;
    knowledge_add_search(&unit, arena, tenant, question, limit);
    if (pg_session_query(session, &unit.statements[0], &result, err) != 0)
        return -1;
    size_t rows = (size_t)pg_rows(result, 0), used = 0;
    struct knowledge_found *list = arena_alloc(arena, (rows + 1) * sizeof *list);
    for (; knowledge_read_found(result, 0, (int)used, &list[used]); used++) {
        list[used].document = arena_strdup(arena, list[used].document);
        list[used].heading = arena_strdup(arena, list[used].heading);
        list[used].text = arena_strdup(arena, list[used].text);
    }
    pg_result_free(&result);
    *found = list;
    *count = used;
    return 0;
}

/* ---- documents ---- */

static const char lock_sql[] =
    "SELECT pg_advisory_xact_lock(hashtextextended('frontdesk.knowledge.' || $1::uuid::text, 0))";

static const char list_sql[] =
    "SELECT id, name, kind, language, search_config, encode(content_hash, 'hex'), size_bytes,"
    " chunk_count, to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    " FROM kb_documents WHERE tenant_id = $1::uuid AND ($2::text IS NULL OR name = $2::text)"
    " ORDER BY name COLLATE \"C\"";

static const char list_chunks_sql[] =
    "SELECT id, place, kind, heading, body FROM kb_chunks"
    " WHERE tenant_id = $1::uuid AND document_id = $2::uuid ORDER BY place";

static const char count_others_sql[] =
    "SELECT count(*) FROM kb_documents WHERE tenant_id = $1::uuid AND id <> $2::uuid";

static const char put_sql[] =
    "INSERT INTO kb_documents (tenant_id, id, name, kind, language, search_config, content_hash,"
    " size_bytes, chunk_count) VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text,"
    " decode($7::text, 'hex'), $8::bigint, $9::integer)"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET kind = excluded.kind, language = excluded.language,"
    " search_config = excluded.search_config, content_hash = excluded.content_hash,"
    " size_bytes = excluded.size_bytes, chunk_count = excluded.chunk_count,"
    " updated_at = clock_timestamp()";

static const char clear_sql[] =
    "DELETE FROM kb_chunks WHERE tenant_id = $1::uuid AND document_id = $2::uuid";

static const char add_chunks_sql[] =
    "INSERT INTO kb_chunks (tenant_id, id, document_id, place, kind, heading, body, search)"
    " SELECT $1::uuid, i.id, $2::uuid, i.place, i.kind, i.heading, i.body,"
    " setweight(to_tsvector($3::text::regconfig, i.heading), 'A')"
    " || setweight(to_tsvector($3::text::regconfig, i.body), 'D')"
    " || array_to_tsvector(ARRAY[" TAG_OF_CHUNK "])"
    " FROM unnest($4::uuid[], $5::integer[], $6::text[], $7::text[], $8::text[])"
    " AS i (id, place, kind, heading, body)";

static const char remove_sql[] =
    "DELETE FROM kb_documents WHERE tenant_id = $1::uuid AND id = $2::uuid";

static int run(struct pg_session *session, const struct pg_statement *statement, struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

int knowledge_lock(struct pg_session *session, const struct uuid *tenant, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = lock_sql, .params = {uuid_format(tenant, text)}, .param_count = 1};
    return run(session, &statement, err);
}

static const char *copy(struct arena *arena, const struct pg_result *result, size_t row, int column)
{
    return arena_strdup(arena, pg_text(result, 0, (int)row, column));
}

/* name NULL: all. */
static int read_documents(struct pg_session *session, struct arena *arena,
                          const struct pg_statement *statement, const struct uuid *tenant,
                          struct knowledge_document **documents, struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    size_t rows = (size_t)pg_rows(result, 0);
    struct knowledge_document *list = arena_alloc(arena, (rows + 1) * sizeof *list);
    for (size_t i = 0; i < rows; i++)
        list[i] = (struct knowledge_document){
            .tenant = *tenant,
            .id = pg_uuid(result, 0, (int)i, 0),
            .name = copy(arena, result, i, 1),
            .kind = kind_of(pg_text(result, 0, (int)i, 2)),
            .language = copy(arena, result, i, 3),
            .config = copy(arena, result, i, 4),
            .hash_hex = copy(arena, result, i, 5),
            .size_bytes = pg_int(result, 0, (int)i, 6),
            .chunks = pg_int(result, 0, (int)i, 7),
            .updated_at = copy(arena, result, i, 8),
        };
    pg_result_free(&result);
    *documents = list;
    return (int)rows;
}

int knowledge_find(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                   const char *name, struct knowledge_document **document, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    struct knowledge_document *list = NULL;
    const struct pg_statement statement = {
        .sql = list_sql, .params = {uuid_format(tenant, text), name}, .param_count = 2};
    int found = read_documents(session, arena, &statement, tenant, &list, err);
    if (found < 0)
        return -1;
    *document = found > 0 ? list : NULL;
    return 0;
}

int knowledge_list(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                   struct knowledge_document **documents, size_t *count, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = list_sql, .params = {uuid_format(tenant, text), NULL}, .param_count = 2};
    int found = read_documents(session, arena, &statement, tenant, documents, err);
    if (found < 0)
        return -1;
    *count = (size_t)found;
    return 0;
}

int knowledge_list_chunks(struct pg_session *session, struct arena *arena,
                          const struct knowledge_document *document,
                          struct knowledge_chunk **chunks, size_t *count, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = list_chunks_sql,
        .params = {uuid_format(&document->tenant, tenant), uuid_format(&document->id, id)},
        .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    size_t rows = (size_t)pg_rows(result, 0);
    struct knowledge_chunk *list = arena_alloc(arena, (rows + 1) * sizeof *list);
    for (size_t i = 0; i < rows; i++)
        list[i] = (struct knowledge_chunk){
            .id = pg_uuid(result, 0, (int)i, 0),
            .place = pg_int(result, 0, (int)i, 1),
            .kind = kind_of(pg_text(result, 0, (int)i, 2)),
            .heading = copy(arena, result, i, 3),
            .text = copy(arena, result, i, 4),
        };
    pg_result_free(&result);
    *chunks = list;
    *count = rows;
    return 0;
}

/* ---- changes ---- */

static int check_room(struct pg_session *session, const struct pg_statement *count, struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, count, &result, err) != 0)
        return -1;
    int64_t others = pg_int(result, 0, 0, 0);
    pg_result_free(&result);
    return others < KNOWLEDGE_DOCUMENTS_MAX
               ? 0
               : err_set(err, ERR_PERMANENT, "knowledge.full",
                         "the tenant has %d documents; remove some, or join them",
                         KNOWLEDGE_DOCUMENTS_MAX);
}

/* The chunks from `from` on, one batch at most. */
static int add_chunks(struct pg_session *session, const char *const ids[2], const char *config,
                      const struct chunks *chunks, size_t from, struct err *err)
{
    enum { ID, PLACE, KIND, HEADING, BODY, COLUMNS };
    struct arena *arena = arena_new();
    struct pg_array columns[COLUMNS];
    struct pg_statement statement = {.sql = add_chunks_sql};
    for (int c = 0; c < COLUMNS; c++)
        pg_array_init(&columns[c]);
    for (size_t i = from; i < chunks->count && i < from + BATCH; i++) {
        struct uuid id = uuid_new();
        pg_array_add_uuid(&columns[ID], &id);
        pg_array_add_int(&columns[PLACE], (int64_t)i + 1);
        pg_array_add(&columns[KIND], knowledge_kind_name(chunks->items[i].kind));
        pg_array_add(&columns[HEADING], chunks->items[i].heading);
        pg_array_add(&columns[BODY], chunks->items[i].text);
    }
    pg_param(&statement, ids[0]);
    pg_param(&statement, ids[1]);
    pg_param(&statement, config);
    for (int c = 0; c < COLUMNS; c++) {
        pg_param(&statement, pg_array_take(&columns[c], arena));
        pg_array_fini(&columns[c]);
    }
    int result = run(session, &statement, err);
    arena_free(&arena);
    return result;
}

int knowledge_put(struct pg_session *session, const struct knowledge_document *document,
                  const struct chunks *chunks, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE], size[32], count[32];
    const char *const ids[] = {uuid_format(&document->tenant, tenant),
                               uuid_format(&document->id, id)};
    snprintf(size, sizeof size, "%lld", (long long)document->size_bytes);
    snprintf(count, sizeof count, "%zu", chunks->count);
    const struct pg_statement others = {
        .sql = count_others_sql, .params = {ids[0], ids[1]}, .param_count = 2};
    const struct pg_statement put = {
        .sql = put_sql,
        .params = {ids[0], ids[1], document->name, knowledge_kind_name(document->kind),
                   document->language, document->config, document->hash_hex, size, count},
        .param_count = 9};
    const struct pg_statement clear = {
        .sql = clear_sql, .params = {ids[0], ids[1]}, .param_count = 2};
    if (check_room(session, &others, err) != 0 || run(session, &put, err) != 0 ||
        run(session, &clear, err) != 0)
        return -1;
    for (size_t from = 0; from < chunks->count; from += BATCH)
        if (add_chunks(session, ids, document->config, chunks, from, err) != 0)
            return -1;
    return 0;
}

int knowledge_remove(struct pg_session *session, const struct knowledge_document *document,
                     struct err *err)
{
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = remove_sql,
        .params = {uuid_format(&document->tenant, tenant), uuid_format(&document->id, id)},
        .param_count = 2};
    return run(session, &statement, err);
}
