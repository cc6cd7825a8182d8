/* A tenant's knowledge: documents, their chunks, and the search for what answers a question
 * (docs/KNOWLEDGE.md). The search is added to a unit by the engine (loop thread) and run by deskctl
 * on its session; all else is deskctl's: blocking, one thread, inside a transaction that
 * schema_begin_as_ops opened, texts in the arena. */
#ifndef DESK_STORE_KNOWLEDGE_H
#define DESK_STORE_KNOWLEDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "chunk/chunk.h"
#include "pg/pg.h"

#define KNOWLEDGE_DOCUMENTS_MAX 500  /* of a tenant: a search looks at each document's language */
#define KNOWLEDGE_NAME_MAX      200  /* bytes of a document's name */
#define KNOWLEDGE_QUESTION_MAX  6400 /* bytes that are looked at: 1,600 characters */
#define KNOWLEDGE_FOUND_MAX     10

/* ---- search ---- */

/* Adds the search for the tenant's chunks that share words with the question: any text, UTF-8
 * without NUL; what is beyond KNOWLEDGE_QUESTION_MAX is not looked at. `limit` is 1 to
 * KNOWLEDGE_FOUND_MAX. `tenant` and `question` are borrowed until the unit is done, the rest is the
 * arena's. One statement; rows, the best first: knowledge_read_found. No row is no error. */
void knowledge_add_search(struct pg_unit *unit, struct arena *arena, const char *tenant,
                          const char *question, int limit);

struct knowledge_found {
    struct uuid chunk;
    const char *document, *heading, *text;
    enum chunk_kind kind;
    double rank; /* above 0, at most 1: how much of the question's rarer words the chunk has, and
                    whether its heading has them */
};

/* Reads row `row` of that statement, texts borrowed from the results; false when there is none. */
bool knowledge_read_found(const struct pg_result *results, int statement, int row,
                          struct knowledge_found *out);

/* The same search on a session; `*found` in the arena. */
int knowledge_search(struct pg_session *session, struct arena *arena, const char *tenant,
                     const char *question, int limit, struct knowledge_found **found, size_t *count,
                     struct err *err);

/* Its statement, NULL-terminated, for store/statements.h. */
extern const char *const knowledge_statements[];

/* ---- languages ---- */

/* PostgreSQL's text search configuration for "de" or "de-CH": "german"; "simple" (whole words
 * only) for a language that it does not know. Static. */
const char *knowledge_config_of(const char *language);

/* ---- documents ---- */

struct knowledge_document {
    struct uuid tenant, id;
    const char *name, *language, *config, *hash_hex;
    enum chunk_kind kind;
    int64_t size_bytes, chunks;
    const char *updated_at; /* RFC 3339 UTC */
};

struct knowledge_chunk {
    struct uuid id;
    int64_t place; /* from 1 */
    enum chunk_kind kind;
    const char *heading, *text;
};

/* Serialises changes to one tenant's knowledge until the transaction ends. */
int knowledge_lock(struct pg_session *session, const struct uuid *tenant, struct err *err);

/* The document of that name; *document stays NULL if there is none. */
int knowledge_find(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                   const char *name, struct knowledge_document **document, struct err *err);

/* All documents of the tenant by name. */
int knowledge_list(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                   struct knowledge_document **documents, size_t *count, struct err *err);

/* The document's chunks by place. */
int knowledge_list_chunks(struct pg_session *session, struct arena *arena,
                          const struct knowledge_document *document,
                          struct knowledge_chunk **chunks, size_t *count, struct err *err);

/* Inserts the document, or replaces the one with its id and all its chunks. PERMANENT
 * "knowledge.full" for more than KNOWLEDGE_DOCUMENTS_MAX. Under knowledge_lock. */
int knowledge_put(struct pg_session *session, const struct knowledge_document *document,
                  const struct chunks *chunks, struct err *err);

/* Removes the document with its chunks. */
int knowledge_remove(struct pg_session *session, const struct knowledge_document *document,
                     struct err *err);

/* "text" or "faq". Static. */
const char *knowledge_kind_name(enum chunk_kind kind);

#endif
