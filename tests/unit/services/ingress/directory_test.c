/* The directory: versions, tombstones, the marker, sealed keys, the index by tenant, and lookups
 * beside changes. Records are made by the encoder that the engine's relay uses. */
#include "directory.h"

#include <CUnit/Basic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "contract/event.h"
#include "crypto/crypto.h"
#include "loop/loop.h"

#define TENANT_A "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0a"
#define TENANT_B "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0b"
#define AC_1     "AC00000000000000000000000000000001"
#define AC_2     "AC00000000000000000000000000000002"
#define NUMBER   "+15550001111"

static struct arena *arena;
static struct secret *edge_secret;
static uint8_t edge_public[CRYPTO_EDGE_KEY_BYTES];
static struct directory *directory;

static const char *seal(const uint8_t *public_key, const char *text)
{
    struct strbuf sealed, base64;
    strbuf_init(&sealed, 4096);
    strbuf_init(&base64, 4096);
    crypto_seal(public_key, text, strlen(text), &sealed);
    text_add_base64(&base64, sealed.data, sealed.length);
    const char *result = arena_strdup(arena, base64.data);
    strbuf_fini(&base64);
    strbuf_fini(&sealed);
    return result;
}

static struct directory_channel channel_of(const char *tenant, const char *address, int64_t version,
                                           const char *key)
{
    struct directory_channel channel = {
        .event = {.source = "frontdesk/engine",
                  .tenant = tenant,
                  .time_ms = 1790000000000,
                  .traceparent = ""},
        .version = version,
        .channel = uuid_new(),
        .kind = "sms",
        .address = address,
        .account_sid = AC_1,
    };
    if (key != NULL)
        channel.sealed_keys[channel.sealed_key_count++] = seal(edge_public, key);
    return channel;
}

static int apply(const struct directory_channel *channel)
{
    struct bus_record record;
    struct err err;
    directory_channel_encode(arena, "desk.", channel, &record);
    return directory_apply(directory, &record, NULL, &err);
}

static void add(const char *tenant, const char *address, int64_t version, const char *key)
{
    struct directory_channel channel = channel_of(tenant, address, version, key);
    CU_ASSERT_EQUAL(apply(&channel), 0);
}

static void remove_channel(const char *address)
{
    struct bus_record record;
    struct err err;
    directory_removed_encode(arena, "desk.", "sms", address, &record);
    CU_ASSERT_EQUAL(directory_apply(directory, &record, NULL, &err), 0);
}

/* The first key of the number's channel, "" without one, NULL without a channel. */
static const char *key_of(const char *address)
{
    struct channel *channel = directory_find(directory, "sms", address);
    if (channel == NULL)
        return NULL;
    const char *key =
        channel->key_count > 0 ? arena_strdup(arena, secret_reveal(channel->keys[0])) : "";
    channel_release(&channel);
    CU_ASSERT_PTR_NULL(channel);
    return key;
}

static size_t count_of(const char *tenant)
{
    struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX];
    size_t count = directory_find_tenant(directory, tenant, AC_1, found);
    for (size_t i = 0; i < count; i++)
        channel_release(&found[i]);
    return count;
}

static void fresh(void)
{
    directory_free(&directory);
    directory = directory_new(edge_secret);
}

static void test_find(void)
{
    fresh();
    CU_ASSERT_PTR_NULL(key_of(NUMBER));
    add(TENANT_A, NUMBER, 1, "token");
    CU_ASSERT_STRING_EQUAL(key_of(NUMBER), "token");
    CU_ASSERT_PTR_NULL(key_of("+15550001112"));
    CU_ASSERT_PTR_NULL(key_of(""));
    CU_ASSERT_PTR_NULL(directory_find(directory, "voice", NUMBER));
    struct channel *channel = directory_find(directory, "sms", NUMBER);
    CU_ASSERT_STRING_EQUAL(channel->tenant, TENANT_A);
    CU_ASSERT_STRING_EQUAL(channel->account_sid, AC_1);
    CU_ASSERT_STRING_EQUAL(channel->address, NUMBER);
    /* held across its removal and the directory's end */
    remove_channel(NUMBER);
    CU_ASSERT_PTR_NULL(key_of(NUMBER));
    fresh();
    CU_ASSERT_STRING_EQUAL(secret_reveal(channel->keys[0]), "token");
    channel_release(&channel);
    channel_release(&channel);
    struct strbuf huge;
    strbuf_init(&huge, 100000);
    for (int i = 0; i < 60000; i++)
        strbuf_add_char(&huge, '1');
    CU_ASSERT_PTR_NULL(key_of(huge.data));
    strbuf_fini(&huge);
}

static void test_versions(void)
{
    static const struct {
        int64_t version;
        const char *key, *expected;
    } steps[] = {
        {5, "five", "five"},
        {4, "four", "five"},
        {0, "zero", "five"},
        {5, "five again", "five again"},
        {6, "six", "six"},
        {5, "five", "six"},
        {9007199254740991, "last", "last"},
        {7, "seven", "last"},
    };
    fresh();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        add(TENANT_A, NUMBER, steps[i].version, steps[i].key);
        CU_ASSERT_STRING_EQUAL(key_of(NUMBER), steps[i].expected);
        CU_ASSERT_EQUAL(directory_channels(directory), 1);
        CU_ASSERT_EQUAL(count_of(TENANT_A), 1);
    }
    CU_ASSERT_EQUAL(directory_version(directory), 9007199254740991);
    remove_channel(NUMBER);
    CU_ASSERT_EQUAL(directory_channels(directory), 0);
    CU_ASSERT_EQUAL(count_of(TENANT_A), 0);
    add(TENANT_A, NUMBER, 1, "anew"); /* the log's order counts after a tombstone */
    CU_ASSERT_STRING_EQUAL(key_of(NUMBER), "anew");
    remove_channel("+15559999999"); /* never there */
    CU_ASSERT_EQUAL(directory_channels(directory), 1);
}

static void test_moves_between_tenants(void)
{
    fresh();
    add(TENANT_A, NUMBER, 1, "a");
    add(TENANT_A, "+15550002222", 1, "a");
    CU_ASSERT_EQUAL(count_of(TENANT_A), 2);
    add(TENANT_B, NUMBER, 2, "b");
    CU_ASSERT_EQUAL(count_of(TENANT_A), 1);
    CU_ASSERT_EQUAL(count_of(TENANT_B), 1);
    add(TENANT_A, NUMBER, 1, "old"); /* late and stale: stays with B */
    CU_ASSERT_EQUAL(count_of(TENANT_A), 1);
    CU_ASSERT_STRING_EQUAL(key_of(NUMBER), "b");
    CU_ASSERT_EQUAL(count_of("018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0c"), 0);
    CU_ASSERT_EQUAL(count_of(""), 0);
}

static void test_tenant_lookup(void)
{
    struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX];
    fresh();
    for (int i = 0; i < 2 * DIRECTORY_TENANT_LOOKUP_MAX; i++) {
        const char *address = arena_printf(arena, "+1555000%04d", i);
        struct directory_channel channel = channel_of(TENANT_A, address, 1, "a");
        channel.account_sid = i == 20 ? AC_2 : AC_1;
        apply(&channel);
    }
    size_t count = directory_find_tenant(directory, TENANT_A, AC_2, found);
    CU_ASSERT_EQUAL(count, DIRECTORY_TENANT_LOOKUP_MAX);
    CU_ASSERT_STRING_EQUAL(found[0]->account_sid, AC_2);
    for (size_t i = 0; i < count; i++)
        channel_release(&found[i]);
}

static void test_keys(void)
{
    uint8_t other_public[CRYPTO_EDGE_KEY_BYTES], other_secret[CRYPTO_EDGE_KEY_BYTES];
    struct bus_record record;
    struct err err;
    int unopened = -1;
    fresh();
    crypto_edge_keypair(other_public, other_secret);
    struct directory_channel channel = channel_of(TENANT_A, NUMBER, 1, "first");
    channel.sealed_keys[channel.sealed_key_count++] = seal(other_public, "foreign");
    channel.sealed_keys[channel.sealed_key_count++] = seal(edge_public, "second");
    channel.sealed_keys[channel.sealed_key_count++] = "AAAA";
    directory_channel_encode(arena, "desk.", &channel, &record);
    CU_ASSERT_EQUAL(directory_apply(directory, &record, &unopened, &err), 0);
    CU_ASSERT_EQUAL(unopened, 2);
    struct channel *found = directory_find(directory, "sms", NUMBER);
    CU_ASSERT_EQUAL_FATAL(found->key_count, 2);
    CU_ASSERT_STRING_EQUAL(secret_reveal(found->keys[0]), "first");
    CU_ASSERT_STRING_EQUAL(secret_reveal(found->keys[1]), "second");
    channel_release(&found);
    add(TENANT_A, NUMBER, 2, NULL); /* without keys: known, yet nothing can be checked */
    CU_ASSERT_STRING_EQUAL(key_of(NUMBER), "");
}

/* A number may take texts and calls; what is said to a caller outlives the record that replaces it.
 */
static void test_voice(void)
{
    static const struct directory_voice voice = {
        .language = {.code = "en-US"},
        .greeting = "Hello.",
        .fillers = {"One moment."},
        .filler_count = 1,
        .fallback = "f",
        .record_prompt = "r",
        .still_there = "s",
        .goodbye = "g",
        .silence_ms = 30000,
        .speaking_rate = 150,
    };
    struct directory_channel channel = channel_of(TENANT_A, NUMBER, 1, "a");
    fresh();
    add(TENANT_A, NUMBER, 1, "b");
    channel.kind = "voice";
    channel.voice = &voice;
    CU_ASSERT_EQUAL(apply(&channel), 0);
    struct channel *texts = directory_find(directory, "sms", NUMBER);
    struct channel *calls = directory_find(directory, "voice", NUMBER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(calls);
    CU_ASSERT_PTR_NULL(texts->voice);
    const struct secret *keys[DIRECTORY_ALL_KEYS_MAX];
    CU_ASSERT_EQUAL(channel_keys((struct channel *[]){texts, calls, calls}, 3, keys), 2);
    channel.version = 2;
    CU_ASSERT_EQUAL(apply(&channel), 0);
    struct channel *newer = directory_find(directory, "voice", NUMBER);
    CU_ASSERT_PTR_NOT_EQUAL(newer, calls);
    CU_ASSERT_STRING_EQUAL(calls->voice->greeting, "Hello.");
    CU_ASSERT_STRING_EQUAL(newer->voice->fillers[0], "One moment.");
    channel_release(&newer);
    channel_release(&calls);
    channel_release(&texts);
    channel.voice = NULL; /* nothing to say: not a record of a voice channel */
    channel.version = 3;
    CU_ASSERT_EQUAL(apply(&channel), -1);
}

static void test_marker_and_bad_records(void)
{
    struct bus_record record;
    struct err err;
    fresh();
    add(TENANT_A, NUMBER, 1, "token");
    CU_ASSERT_FALSE(directory_has_marker(directory));
    struct directory_channel channel = channel_of(TENANT_A, NUMBER, 9, "bad");
    directory_channel_encode(arena, "desk.", &channel, &record);
    struct bus_record bad = record;
    bad.value = "{\"version\":9";
    bad.value_length = 12;
    CU_ASSERT_EQUAL(directory_apply(directory, &bad, NULL, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    bad = record;
    bad.key = "sms:+15550009999"; /* key and value must agree */
    bad.key_length = strlen(bad.key);
    CU_ASSERT_EQUAL(directory_apply(directory, &bad, NULL, &err), -1);
    bad = record;
    bad.header_count = 0;
    CU_ASSERT_EQUAL(directory_apply(directory, &bad, NULL, &err), -1);
    CU_ASSERT_STRING_EQUAL(key_of(NUMBER), "token");
    CU_ASSERT_EQUAL(directory_channels(directory), 1);
    struct directory_complete complete = {
        .event = {.source = "frontdesk/engine", .tenant = "", .time_ms = 1790000000000},
        .channels = 1};
    directory_complete_encode(arena, "desk.", &complete, &record);
    CU_ASSERT_EQUAL(directory_apply(directory, &record, NULL, &err), 0);
    CU_ASSERT_TRUE(directory_has_marker(directory));
    CU_ASSERT_EQUAL(directory_channels(directory), 1);
}

/* ---- lookups beside changes ---- */

static atomic_bool changing;
static atomic_int looked;

static void look(void *arg)
{
    int *wrong = arg;
    do {
        struct channel *channel = directory_find(directory, "sms", NUMBER);
        if (channel != NULL &&
            (channel->key_count != 1 || strncmp(secret_reveal(channel->keys[0]), "token", 5) != 0))
            ++*wrong;
        channel_release(&channel);
        struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX];
        size_t count = directory_find_tenant(directory, TENANT_A, AC_1, found);
        *wrong += count > 1;
        for (size_t i = 0; i < count; i++)
            channel_release(&found[i]);
        atomic_fetch_add(&looked, 1);
    } while (atomic_load(&changing));
}

static void test_threads(void)
{
    struct thread *threads[4];
    int wrong[4] = {0};
    fresh();
    atomic_store(&changing, true);
    for (int i = 0; i < 4; i++)
        threads[i] = thread_start(look, &wrong[i]);
    for (int i = 0; i < 500 || atomic_load(&looked) < 100; i++) {
        add(TENANT_A, NUMBER, i, arena_printf(arena, "token%d", i));
        if (i % 5 == 0)
            remove_channel(NUMBER);
    }
    atomic_store(&changing, false);
    for (int i = 0; i < 4; i++) {
        thread_join(&threads[i]);
        CU_ASSERT_EQUAL(wrong[i], 0);
    }
}

static int set_up(void)
{
    uint8_t secret_key[CRYPTO_EDGE_KEY_BYTES];
    arena = arena_new();
    crypto_edge_keypair(edge_public, secret_key);
    edge_secret = secret_new(secret_key, sizeof secret_key);
    return 0;
}

static int tear_down(void)
{
    directory_free(&directory);
    directory_free(&directory);
    secret_free(&edge_secret);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("directory", set_up, tear_down);
    CU_add_test(suite, "find", test_find);
    CU_add_test(suite, "versions and tombstones", test_versions);
    CU_add_test(suite, "a number changes its tenant", test_moves_between_tenants);
    CU_add_test(suite, "tenants with many numbers", test_tenant_lookup);
    CU_add_test(suite, "sealed keys", test_keys);
    CU_add_test(suite, "calls", test_voice);
    CU_add_test(suite, "the marker, bad records", test_marker_and_bad_records);
    CU_add_test(suite, "lookups beside changes", test_threads);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
