/* `deskctl kb import`: all files are read and cut before anything is written, and all are one
 * transaction. kb.c names it in its table. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "fields.h"
#include "files.h"
#include "kb.h"
#include "json/json.h"

/* Rises when the same file is cut otherwise than before, so that it counts as changed. */
#define CHUNKER 1

#define LANGUAGE_MAX 35

struct item {
    const char *path, *name, *bytes;
    size_t length;
    struct chunks chunks;
    const char *result; /* "added", "replaced", "unchanged" */
    struct knowledge_document document;
};

struct import {
    struct desk *desk;
    bool faq;
    const char *language; /* NULL: the tenant's */
    struct item *items;
    size_t count, changed;
    struct pg_session *session;
    const struct tenant_row *tenant;
};

/* ---- reading ---- */

/* "line 12: what" becomes "file:12: what"; what has no line, "file: what". */
static void add_problem(struct problems *problems, const char *message)
{
    int line = 0, used = 0;
    if (sscanf(message, "line %d: %n", &line, &used) == 1 && used > 0) {
        problems_add(problems, line, "%s", message + used);
        return;
    }
    problems->count++;
    strbuf_printf(&problems->text, "%s: %s\n", problems->file, message);
}

static bool is_name(const char *name)
{
    if (*name == '\0' || strlen(name) > KNOWLEDGE_NAME_MAX || !text_is_utf8(name, strlen(name)))
        return false;
    for (; *name != '\0'; name++)
        if (iscntrl((unsigned char)*name))
            return false;
    return true;
}

static bool is_twice(const struct import *import, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(import->items[i].name, import->items[index].name) == 0)
            return true;
    return false;
}

static void read_item(const struct import *import, size_t index, struct problems *problems)
{
    struct item *item = &import->items[index];
    struct chunk_options options = {.faq = import->faq};
    struct err err;
    const char *slash = strrchr(item->path, '/');
    char *bytes = NULL;
    item->name = slash != NULL ? slash + 1 : item->path;
    problems->file = item->path;
    if (!is_name(item->name)) {
        add_problem(problems, "its name must be UTF-8 of at most 200 bytes; rename it");
    } else if (is_twice(import, index)) {
        add_problem(problems, "another file has the same name, and that is the document's; rename "
                              "one");
    } else if (!chunk_format_of(item->name, &options.format)) {
        add_problem(problems, "its name must end in .md, .txt or .html");
    } else if (files_read(import->desk->arena, item->path, CHUNK_DOCUMENT_MAX, &bytes,
                          &item->length, &err) != 0) {
        problems->count++;
        strbuf_printf(&problems->text, "%s\n", err.message);
    } else if (chunk_document(import->desk->arena, bytes, item->length, &options, &item->chunks,
                              &err) != 0) {
        add_problem(problems, err.message);
    }
    item->bytes = bytes;
}

static int read_all(const struct import *import)
{
    struct problems problems;
    problems_init(&problems, import->desk->arena, "");
    for (size_t i = 0; i < import->count; i++)
        read_item(import, i, &problems);
    size_t count = problems.count;
    if (count > 0) {
        fputs(problems.text.data, stderr);
        desk_note("deskctl: %zu problem%s; nothing was changed", count, count == 1 ? "" : "s");
    }
    strbuf_fini(&problems.text);
    return count > 0 ? DESK_FAILED : 0;
}

/* ---- comparing ---- */

/* Of all that the chunks depend on. */
static const char *hash_of(struct arena *arena, const struct item *item)
{
    const struct knowledge_document *document = &item->document;
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct strbuf all, hex;
    strbuf_init(&all, item->length + 200);
    strbuf_printf(&all, "%d %s %s\n", CHUNKER, document->config,
                  knowledge_kind_name(document->kind));
    strbuf_add(&all, item->bytes, item->length);
    crypto_sha256(all.data, all.length, digest);
    strbuf_fini(&all);
    strbuf_init(&hex, 2 * sizeof digest);
    text_add_hex(&hex, digest, sizeof digest);
    const char *text = arena_strdup(arena, hex.data);
    strbuf_fini(&hex);
    return text;
}

static void describe(const struct import *import, struct item *item)
{
    const char *language = import->language != NULL ? import->language : import->tenant->language;
    item->document = (struct knowledge_document){
        .tenant = import->tenant->id,
        .id = uuid_new(),
        .name = item->name,
        .language = language,
        .config = knowledge_config_of(language),
        .kind = import->faq ? CHUNK_FAQ : CHUNK_TEXT,
        .size_bytes = (int64_t)item->length,
        .chunks = (int64_t)item->chunks.count,
    };
    item->document.hash_hex = hash_of(import->desk->arena, item);
}

/* ---- writing ---- */

static int audit(const struct import *import, const struct item *item, struct err *err)
{
    struct strbuf detail;
    struct json_writer writer;
    strbuf_init(&detail, 4096);
    json_writer_init(&writer, &detail);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "result", item->result);
    json_add_text(&writer, "kind", knowledge_kind_name(item->document.kind));
    json_add_text(&writer, "language", item->document.language);
    json_add_int(&writer, "chunks", item->document.chunks);
    json_close_object(&writer);
    int result = tenant_audit(import->session, &import->tenant->id, desk_actor(import->desk),
                              "knowledge.import", item->name, detail.data, err);
    strbuf_fini(&detail);
    return result;
}

static int write_item(struct import *import, struct item *item, struct err *err)
{
    struct knowledge_document *before = NULL;
    describe(import, item);
    if (knowledge_find(import->session, import->desk->arena, &import->tenant->id, item->name,
                       &before, err) != 0)
        return -1;
    item->result = before == NULL ? "added" : "replaced";
    if (before != NULL && strcmp(before->hash_hex, item->document.hash_hex) == 0 &&
        strcmp(before->language, item->document.language) == 0) {
        item->result = "unchanged";
        return 0;
    }
    if (before != NULL)
        item->document.id = before->id;
    import->changed++;
    return knowledge_put(import->session, &item->document, &item->chunks, err) != 0
               ? -1
               : audit(import, item, err);
}

static int write_all(struct import *import, const char *name, struct err *err)
{
    struct tenant_row *tenant = NULL;
    if (kb_begin(import->desk, name, &import->session, &tenant, err) != 0 ||
        knowledge_lock(import->session, &tenant->id, err) != 0)
        return -1;
    import->tenant = tenant;
    for (size_t i = 0; i < import->count; i++)
        if (write_item(import, &import->items[i], err) != 0)
            return -1;
    return desk_commit(import->desk, err);
}

/* ---- telling ---- */

static int print_result(const struct import *import)
{
    struct strbuf out;
    struct json_writer writer;
    for (size_t i = 0; i < import->count; i++)
        desk_note("%s: %s, %zu chunk%s, %s", import->items[i].name, import->items[i].result,
                  import->items[i].chunks.count, import->items[i].chunks.count == 1 ? "" : "s",
                  import->items[i].document.config);
    if (!import->desk->json)
        return DESK_OK;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "result", import->changed > 0 ? "imported" : "unchanged");
    json_open_array(&writer, "documents");
    for (size_t i = 0; i < import->count; i++) {
        const struct item *item = &import->items[i];
        json_open_object(&writer, NULL);
        json_add_text(&writer, "name", item->name);
        json_add_text(&writer, "result", item->result);
        json_add_text(&writer, "kind", knowledge_kind_name(item->document.kind));
        json_add_text(&writer, "language", item->document.language);
        json_add_text(&writer, "search_config", item->document.config);
        json_add_int(&writer, "chunks", item->document.chunks);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    json_close_object(&writer);
    strbuf_add_char(&out, '\n');
    return desk_print(&out);
}

/* "de", "de-CH", "zh-Hant-TW" */
static bool is_language(const char *text)
{
    size_t part = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (part < 2 || part > 3 || strlen(text) > LANGUAGE_MAX)
        return false;
    for (text += part; *text == '-'; text += part) {
        text++;
        for (part = 0; isalnum((unsigned char)text[part]);)
            part++;
        if (part == 0 || part > 8)
            return false;
    }
    return *text == '\0';
}

int kb_import(struct desk *desk, const struct words *words)
{
    struct import import = {.desk = desk,
                            .faq = words_option(words, "faq") != NULL,
                            .language = words_option(words, "language"),
                            .count = words->count - 1};
    struct err err;
    if (import.language != NULL && !is_language(import.language))
        return desk_usage("--language must be like de or de-CH");
    import.items = arena_alloc(desk->arena, import.count * sizeof *import.items);
    for (size_t i = 0; i < import.count; i++)
        import.items[i].path = words->operands[i + 1];
    int code = read_all(&import);
    if (code != 0)
        return code;
    if (write_all(&import, words->operands[0], &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    return print_result(&import);
}
