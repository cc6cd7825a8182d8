/* What `db migrate` and `db status` know about files. A released migration never changes: its
 * checksum is in the database, and a file that differs means that two installations no longer have
 * the same schema. */
#include "migrations.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "files.h"

#define FILES_MAX 9999

/* ---- splitting ---- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* E'...' alone gives the backslash a meaning (standard_conforming_strings is on). */
static bool is_escape_string(const char *sql, const char *quote)
{
    return *quote == '\'' && quote > sql && (quote[-1] == 'e' || quote[-1] == 'E') &&
           (quote - 1 == sql || !is_word(quote[-2]));
}

static const char *skip_block_comment(const char *at)
{
    int depth = 0;
    do {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            depth--;
            at += 2;
        } else {
            at++;
        }
    } while (depth > 0 && *at != '\0');
    return at;
}

/* The end of a quoted or commented stretch of `sql` that starts at `at`, or `at` itself. A doubled
 * quote is two stretches side by side: the result is the same. */
static const char *skip_quoted(const char *sql, const char *at)
{
    if (at[0] == '-' && at[1] == '-')
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*')
        return skip_block_comment(at);
    if (at[0] != '\'' && at[0] != '"')
        return at;
    bool escapes = is_escape_string(sql, at);
    char quote = *at++;
    while (*at != '\0' && *at != quote)
        at += escapes && at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    return *at == '\0' ? at : at + 1;
}

/* The first character that is neither space nor comment. */
static const char *skip_blank(const char *text)
{
    for (;;) {
        const char *next = text + strspn(text, " \t\r\n\f\v");
        if ((next[0] == '-' && next[1] == '-') || (next[0] == '/' && next[1] == '*'))
            next = skip_quoted(next, next);
        if (next == text)
            return text;
        text = next;
    }
}

/* "$tag$ ... $tag$": its end, or `at`. */
static const char *skip_dollar(struct arena *arena, const char *sql, const char *at)
{
    size_t length = 1;
    if (*at != '$' || isdigit((unsigned char)at[1]) || (at > sql && is_word(at[-1])))
        return at;
    while (is_word(at[length]))
        length++;
    if (at[length] != '$')
        return at;
    const char *mark = arena_strndup(arena, at, length + 1);
    const char *end = strstr(at + length + 1, mark);
    return end != NULL ? end + length + 1 : at + strlen(at);
}

void migrations_split(struct arena *arena, const char *sql,
                      bool (*visit)(void *arg, const char *statement), void *arg)
{
    const char *start = sql, *at = sql;
    while (*start != '\0') {
        if (*at != '\0' && *at != ';') {
            const char *next = skip_quoted(sql, at);
            next = next == at ? skip_dollar(arena, sql, at) : next;
            at = next == at ? at + 1 : next;
            continue;
        }
        const char *statement = arena_strndup(arena, start, (size_t)(at - start));
        if (*skip_blank(statement) != '\0' && !visit(arg, statement))
            return;
        at += *at == ';';
        start = at;
    }
}

/* ---- reading ---- */

static int parse_name(const char *name, int64_t *number, struct err *err)
{
    char digits[5] = "";
    size_t length = strlen(name);
    memcpy(digits, name, length < 4 ? length : 4);
    bool fits = length > 9 && strcmp(name + length - 4, ".sql") == 0 && name[4] == '_' &&
                strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length - 4;
    if (!fits || !text_parse_int(digits, 1, FILES_MAX, number) || strlen(digits) != 4)
        return err_set(err, ERR_PERMANENT, "migrations.name",
                       "%.100s is not called NNNN_name.sql (small letters, digits, _)", name);
    return 0;
}

struct own_transaction {
    bool found;
};

static bool look_for_transaction(void *arg, const char *statement)
{
    static const char *const words[] = {"begin", "commit", "rollback", "start", "end", "abort"};
    struct own_transaction *own = arg;
    statement = skip_blank(statement);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if (strncasecmp(statement, words[i], length) == 0 && !is_word(statement[length]))
            own->found = true;
    }
    return !own->found;
}

static int load_one(struct arena *arena, const char *dir, struct migration *item, struct err *err)
{
    static const char mark[] = "-- no transaction";
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct own_transaction own = {false};
    struct strbuf hex;
    char *sql = NULL;
    size_t length = 0;
    if (files_read(arena, arena_printf(arena, "%s/%s", dir, item->name), MIGRATION_BYTES_MAX, &sql,
                   &length, err) != 0)
        return -1;
    item->sql = sql;
    if (!text_is_utf8(item->sql, length))
        return err_set(err, ERR_PERMANENT, "migrations.text", "%s is not UTF-8 text", item->name);
    migrations_split(arena, item->sql, look_for_transaction, &own);
    if (own.found)
        return err_set(err, ERR_PERMANENT, "migrations.transaction",
                       "%s begins or ends a transaction itself; take that out", item->name);
    crypto_sha256(item->sql, length, digest);
    strbuf_init(&hex, 100);
    text_add_hex(&hex, digest, sizeof digest);
    item->checksum = arena_strdup(arena, hex.data);
    strbuf_fini(&hex);
    size_t line = strcspn(item->sql, "\r\n");
    item->no_transaction = line == sizeof mark - 1 && memcmp(item->sql, mark, line) == 0;
    return 0;
}

static int only_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int load_entry(struct arena *arena, const char *dir, const char *name, size_t index,
                      struct migration *item, struct err *err)
{
    item->name = arena_strdup(arena, name);
    if (parse_name(name, &item->number, err) != 0)
        return -1;
    if (item->number != (int64_t)index + 1)
        return err_set(err, ERR_PERMANENT, "migrations.number",
                       "%s should have the number %04zu: none twice, none left out", name,
                       index + 1);
    return load_one(arena, dir, item, err);
}

int migrations_load(struct arena *arena, const char *dir, struct migration **items, size_t *count,
                    struct err *err)
{
    struct dirent **entries = NULL;
    int found = scandir(dir, &entries, only_visible, alphasort);
    if (found < 0)
        return err_set(err, ERR_PERMANENT, "migrations.folder", "%s: %s", dir, strerror(errno));
    struct migration *list = arena_alloc(arena, ((size_t)found + 1) * sizeof *list);
    int result = found <= FILES_MAX ? 0
                                    : err_set(err, ERR_PERMANENT, "migrations.folder",
                                              "%s has more than %d files", dir, FILES_MAX);
    for (int i = 0; i < found; i++) {
        if (result == 0)
            result = load_entry(arena, dir, entries[i]->d_name, (size_t)i, &list[i], err);
        free(entries[i]);
    }
    free(entries);
    if (result != 0)
        return -1;
    *items = list;
    *count = (size_t)found;
    return 0;
}

int migrations_plan(const struct migration *items, size_t count,
                    const struct schema_applied *applied, size_t applied_count, size_t *pending,
                    struct err *err)
{
    for (size_t i = 0; i < applied_count; i++) {
        if (i >= count || items[i].number != applied[i].number)
            return err_set(err, ERR_PERMANENT, "migrations.newer",
                           "the database has %s, this folder has not; use the release that made "
                           "it, or a newer one",
                           applied[i].name);
        if (strcmp(items[i].name, applied[i].name) != 0 ||
            strcmp(items[i].checksum, applied[i].checksum) != 0)
            return err_set(err, ERR_PERMANENT, "migrations.changed",
                           "%s is not the file that was applied as %s on %s; restore it and put "
                           "the change into a new file",
                           items[i].name, applied[i].name, applied[i].applied_at);
    }
    *pending = applied_count;
    return 0;
}
