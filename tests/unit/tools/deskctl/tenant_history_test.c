/* Unit tests of `deskctl tenant apply`, `history` and `rollback` on a real PostgreSQL: what is
 * applied comes back from the database as the same, each change is a version that the history
 * explains, and the way back is a new version. */
#include "unit/common/store/schema.h"

#include "base/arena.h"
#include "command.h"
#include "json/json.h"

static struct arena *arena;
static char folder[64], path[96], output[96];

#define FILE_WITH(duration, hours)                                                                 \
    "name: ab\ndisplay_name: A\ntimezone: UTC\nlanguage: en-US\nchannels: []\n"                    \
    "assistant:\n  models:\n    - {base_url: \"https://a/v1\", model: m, price: {input: 1, "       \
    "output: 2}, key: "                                                                            \
    "env:DESK_TEST_KEY}\n"                                                                         \
    "  persona: twenty characters at least\n  facts: x\n  fallback: ten chars at least\n"          \
    "  degraded: ten chars at least\n"                                                             \
    "greeting: \"Caf\\u00e9 \\u0001\"\nlanguages: [en-US, es]\nhours: {mon-sun: " hours "}\n"      \
    "holidays: [{day: 2026-12-25, name: X}]\nafter_hours: {say: x}\nresources: [A, B]\n"           \
    "intake: [{field: a, ask: b}]\n"                                                               \
    "services: [{name: S, duration: " duration ", resources: [A]}]\n"                              \
    "intents: [{name: i, when: w, action: book, service: S}]\n"                                    \
    "escalation: {on: [anger], rota: [{name: r, sms: \"+15550100901\"}]}\ntools: [book]\n"         \
    "http_tools: [{name: t, description: d, url: \"http://a\", changes: true, secret: "            \
    "env:DESK_TEST_KEY, parameters: {type: object, properties: {n: {type: number, maximum: "       \
    "1.5}}}}]\n"                                                                                   \
    "budgets: {day: {dollars: 12.34}, month: {dollars: 100000}}\nknowledge: {}\nrecover: {}\n"

static void write_file(const char *text)
{
    FILE *out = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    fputs(text, out);
    fclose(out);
}

/* Runs the command line with what it says going to a file; its exit code. */
static int run(char *const words[])
{
    int saved[] = {dup(1), dup(2)}, count = 0;
    int file = open(output, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    close(file);
    while (words[count] != NULL)
        count++;
    int code = command_main(count, (char **)(uintptr_t)words);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    return code;
}

/* The same, as one text of words. */
static int deskctl(const char *line)
{
    char *words[16] = {(char *)(uintptr_t) "deskctl"};
    size_t count = 1;
    char *text = arena_strdup(arena, line);
    for (char *word = text; *word != '\0' && count < 15;) {
        size_t length = strcspn(word, " ");
        words[count++] = arena_strndup(arena, word, length);
        word += length + (word[length] == ' ');
    }
    return run(words);
}

static const char *said(void)
{
    char *text = arena_alloc(arena, 64 * 1024);
    FILE *in = fopen(output, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    text[fread(text, 1, 64 * 1024 - 1, in)] = '\0';
    fclose(in);
    return text;
}

/* What was said after the notes, as JSON; the caller frees it. */
static struct json *answer(void)
{
    struct json *document = NULL;
    struct err err;
    const char *text = said(), *start = text + strcspn(text, "{[");
    size_t length = strcspn(start, "\n");
    CU_ASSERT_EQUAL_FATAL(json_parse(start, length, &document, &err), 0);
    return document;
}

static void expect(int code, const char *line, const char *what)
{
    int got = deskctl(line);
    if (got != code || strstr(said(), what) == NULL)
        fprintf(stderr, "\n  %s: %d, wanted %d and \"%s\"\n  %s", line, got, code, what, said());
    CU_ASSERT_EQUAL(got, code);
    CU_ASSERT_PTR_NOT_NULL(strstr(said(), what));
}

static const char *apply(const char *options)
{
    return arena_printf(arena, "tenant apply %s%s", path, options);
}

static int64_t count_rows(const char *sql)
{
    struct pg_session *session = NULL;
    struct pg_result *result = NULL;
    struct err err;
    const struct pg_statement statement = {.sql = sql};
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_query(session, &statement, &result, &err), 0);
    int64_t count = pg_int(result, 0, 0, 0);
    pg_result_free(&result);
    pg_session_close(&session);
    return count;
}

/* In a history from --json, the row at that index. */
static void check_row(size_t index, int64_t version, bool current, const char *changes)
{
    struct json *rows = answer();
    const struct json *row = json_first(rows);
    int64_t number = 0;
    for (size_t i = 0; i < index; i++)
        row = json_next(row);
    CU_ASSERT_PTR_NOT_NULL_FATAL(row);
    CU_ASSERT_TRUE(json_member_int(row, "version", 0, 1000, &number) && number == version);
    CU_ASSERT_EQUAL(json_member_bool(row, "current", !current), current);
    CU_ASSERT_STRING_EQUAL(json_member_text(row, "changes"), changes);
    CU_ASSERT_EQUAL(strncmp(json_member_text(row, "created_by"), "deskctl:", 8), 0);
    json_free(&rows);
}

static void test_apply_twice(void)
{
    write_file(FILE_WITH("1h", "08:00-17:00"));
    expect(3, apply(" --dry-run"), "+ services: S 60 min");
    expect(3, apply(""), "add --yes");
    expect(0, apply(" --yes"), "+ hours mon: 08:00-17:00");
    expect(0, apply(" --yes --json"), "{\"result\":\"unchanged\",\"changes\":[]}");
    expect(0, "tenant show ab", "duration_min: 60");
    CU_ASSERT_PTR_NULL(strstr(said(), "key-1"));
    expect(0, "tenant history ab --json", "(the first)");
    check_row(0, 1, true, "(the first)");
}

static void test_change(void)
{
    write_file(FILE_WITH("45m", "08:00-17:00"));
    expect(0, apply(" --yes"), "~ services S duration: 60 min -> 45 min");
    expect(0, "tenant history ab --json", "");
    check_row(0, 2, true, "~ services S duration");
    check_row(1, 1, false, "(the first)");
    expect(0, "tenant history ab --limit 1 --json", "");
    check_row(0, 2, true, "~ services S duration");
}

static void test_rollback(void)
{
    expect(3, "tenant rollback ab", "~ services S duration: 45 min -> 60 min");
    expect(3, "tenant rollback ab --dry-run --yes --json", "\"result\":\"pending\",\"from\":1");
    expect(0, "tenant history ab --limit 1 --json", "");
    check_row(0, 2, true, "~ services S duration");
    expect(0, "tenant rollback ab --yes --json", "\"result\":\"applied\",\"from\":1,\"version\":3");
    expect(0, "tenant history ab --json", "");
    check_row(0, 3, true, "~ services S duration");
    check_row(1, 2, false, "~ services S duration");
    CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM assistant_versions a JOIN assistant_versions b"
                               " USING (tenant_id, assistant_id, config)"
                               " WHERE a.version = 1 AND b.version = 3"),
                    1);
    CU_ASSERT_EQUAL(count_rows("SELECT (detail->>'from')::integer FROM audit_log"
                               " WHERE action = 'tenant.rollback' AND subject = 'ab'"),
                    1);
    expect(0, "tenant rollback ab 1 --yes --json", "\"result\":\"unchanged\"");
    CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM assistant_versions"), 3);
    /* the first file is what is there again; the second goes forward */
    expect(3, apply(" --dry-run"), "~ services S duration: 60 min -> 45 min");
    write_file(FILE_WITH("1h", "08:00-17:00"));
    expect(0, apply(" --yes --json"), "\"result\":\"unchanged\"");
}

static void test_mistakes(void)
{
    expect(4, "tenant history nobody", "there is no tenant");
    expect(4, "tenant rollback nobody --yes", "there is no tenant");
    expect(4, "tenant rollback ab 99 --yes", "ab has no version 99");
    expect(2, "tenant rollback ab one", "is no version");
    expect(2, "tenant rollback ab 0", "is no version");
    expect(2, "tenant history ab --limit 0", "--limit must be");
    CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM assistant_versions"), 3);
}

/* The keys of a version may be wrapped for a key that is gone: said, not refused. */
static void test_other_key(void)
{
    setenv("FRONTDESK_KEYS_DIR", arena_printf(arena, "%s/other", folder), 1);
    CU_ASSERT_EQUAL(deskctl(arena_printf(arena, "keys generate --dir %s/other", folder)), 0);
    expect(3, "tenant rollback ab --dry-run", "version 2 has 2 of its keys wrapped for another");
    setenv("FRONTDESK_KEYS_DIR", arena_printf(arena, "%s/keys", folder), 1);
    expect(3, "tenant rollback ab --dry-run", "~ services");
    CU_ASSERT_PTR_NULL(strstr(said(), "wrapped"));
}

static int start(void)
{
    arena = arena_new();
    snprintf(folder, sizeof folder, "/tmp/desk-history-XXXXXX");
    if (mkdtemp(folder) == NULL || open_server() != 0)
        return 1;
    snprintf(path, sizeof path, "%s/ab.yaml", folder);
    snprintf(output, sizeof output, "%s/output", folder);
    setenv("DESK_TEST_KEY", "key-1", 1);
    setenv("FRONTDESK_DATABASE_URL", rig_server.url, 1);
    setenv("FRONTDESK_KEYS_DIR", arena_printf(arena, "%s/keys", folder), 1);
    return deskctl(arena_printf(arena, "keys generate --dir %s/keys", folder)) == 0 ? 0 : 1;
}

static int end(void)
{
    rig_end_server();
    nftw(folder, test_server_remove, 8, FTW_DEPTH | FTW_PHYS);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_history", start, end);
    CU_add_test(suite, "apply twice", test_apply_twice);
    CU_add_test(suite, "change", test_change);
    CU_add_test(suite, "rollback", test_rollback);
    CU_add_test(suite, "mistakes", test_mistakes);
    CU_add_test(suite, "other key", test_other_key);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
