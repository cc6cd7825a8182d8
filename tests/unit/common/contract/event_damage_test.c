/* Unit tests of the decoders against damage that a table of texts cannot say: doubled headers,
 * bytes instead of text, bounds, depth, and random damage (the same each time). */
#include "unit/common/contract/damage.h"
#include "unit/common/contract/good_voice.h"

static void test_doubled_headers(void)
{
    static const struct {
        const char *name, *code;
    } cases[] = {{"ce_specversion", "event.specversion"},
                 {"ce_id", "event.id"},
                 {"ce_source", "event.source"},
                 {"ce_type", "event.type"},
                 {"ce_time", "event.time"},
                 {"content-type", "event.content_type"},
                 {"tenant", "event.tenant"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bus_record record;
        arena = arena_new();
        good_sms(&record);
        for (size_t k = 0; k < record.header_count; k++) {
            if (strcmp(record.headers[k].name, cases[i].name) != 0)
                continue;
            record.headers[record.header_count++] = record.headers[k];
            break;
        }
        expect(cases[i].name, cases[i].code, &record, decode_sms);
        arena_free(&arena);
    }
}

static void test_header_bytes(void)
{
    struct bus_record record;
    arena = arena_new();
    good_sms(&record);
    record.headers[1] = (struct bus_header){"ce_id", SM "\0x", sizeof SM + 1};
    expect("NUL in the id", "event.id", &record, decode_sms);
    record.headers[1] = (struct bus_header){"ce_id", NULL, 0};
    expect("null id", "event.id", &record, decode_sms);
    record.header_count = 0;
    expect("no headers", "event.type", &record, decode_sms);
    arena_free(&arena);
}

static void test_value_bytes(void)
{
    struct bus_record record;
    arena = arena_new();
    good_sms(&record);
    char *huge = arena_alloc(arena, BUS_VALUE_MAX + 1);
    memset(huge, ' ', BUS_VALUE_MAX + 1);
    memcpy(huge, record.value, record.value_length);
    record.value = huge;
    record.value_length = BUS_VALUE_MAX;
    expect("512 kB", NULL, &record, decode_sms);
    record.value_length = BUS_VALUE_MAX + 1;
    expect("512 kB and a byte", "event.size", &record, decode_sms);
    good_sms(&record);
    record.value = without_or_with(&record, "body", "\"" X256 "\"");
    char *nul = arena_strndup(arena, record.value, strlen(record.value));
    record.value_length = strlen(nul);
    nul[record.value_length - 5] = '\0';
    record.value = nul;
    expect("NUL inside", "event.json", &record, decode_sms);
    record.value = NULL;
    record.value_length = 0;
    expect("tombstone", "event.tombstone", &record, decode_sms);
    good_sms(&record);
    record.key = NULL;
    record.key_length = 0;
    expect("no key", "event.key", &record, decode_sms);
    arena_free(&arena);
}

static void test_body_bounds(void)
{
    for (size_t length = EVENT_TEXT_MAX - 1; length <= EVENT_TEXT_MAX + 1; length++) {
        struct bus_record record;
        arena = arena_new();
        good_sms(&record);
        char *json = arena_alloc(arena, length + 3);
        memset(json + 1, 'x', length);
        json[0] = json[length + 1] = '"';
        record.value = without_or_with(&record, "body", json);
        record.value_length = strlen(record.value);
        expect("a body at the bound", length > EVENT_TEXT_MAX ? "event.member" : NULL, &record,
               decode_sms);
        arena_free(&arena);
    }
}

static void test_deep_json(void)
{
    struct bus_record record;
    struct strbuf json;
    arena = arena_new();
    good_sms(&record);
    strbuf_init(&json, 300000);
    for (int i = 0; i < 100000; i++)
        strbuf_add_char(&json, '[');
    record.value = json.data;
    record.value_length = json.length;
    expect("100,000 brackets", "event.json", &record, decode_sms);
    strbuf_fini(&json);
    arena_free(&arena);
}

/* ---- random damage, the same each time ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static void *scratch(const void *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, bytes, length);
    for (uint32_t i = draw(4); i > 0 && length > 0; i--)
        copy[draw((uint32_t)length)] = (char)draw(256);
    return copy;
}

static void test_random_damage(void)
{
    static const struct {
        good_fn *good;
        decode_fn *decode;
    } pairs[] = {{good_sms, decode_sms},
                 {good_requested, decode_requested},
                 {good_receipt, decode_receipt},
                 {good_channel, decode_channel},
                 {good_complete, decode_complete},
                 {good_quarantined, decode_quarantined},
                 {good_voice_channel, decode_channel},
                 {good_setup, decode_setup},
                 {good_wait, decode_setup},
                 {good_prompt, decode_prompt},
                 {good_heard, decode_heard},
                 {good_ended, decode_ended},
                 {good_dialled, decode_dialled},
                 {good_answered, decode_answered},
                 {good_recorded, decode_recorded},
                 {good_transcribed, decode_transcribed},
                 {good_frame, decode_frame}};
    int refused = 0;
    seed = 2463534242U;
    for (int i = 0; i < 30000; i++) {
        struct bus_record record;
        union any out;
        struct err err = {0};
        arena = arena_new();
        size_t pair = (size_t)i % (sizeof pairs / sizeof pairs[0]);
        pairs[pair].good(&record);
        record.value = scratch(record.value, record.value_length);
        record.value_length -= draw(3) == 0 ? draw((uint32_t)record.value_length) : 0;
        struct bus_header *header = &record.headers[draw((uint32_t)record.header_count)];
        if (draw(2) == 0)
            header->value = scratch(header->value, header->value_length);
        if (pairs[pair].decode(&record, &out, &err) != 0) {
            refused++;
            CU_ASSERT(strncmp(err.code, "event.", 6) == 0 && err.class == ERR_PERMANENT);
        } else {
            CU_ASSERT(out.event.id[0] != '\0');
        }
        arena_free(&arena);
    }
    CU_ASSERT(refused > 1000);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("damaged events", NULL, NULL);
    CU_add_test(suite, "doubled headers", test_doubled_headers);
    CU_add_test(suite, "bytes in headers", test_header_bytes);
    CU_add_test(suite, "bytes in values", test_value_bytes);
    CU_add_test(suite, "bounds of a body", test_body_bounds);
    CU_add_test(suite, "deep JSON", test_deep_json);
    CU_add_test(suite, "random damage", test_random_damage);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
