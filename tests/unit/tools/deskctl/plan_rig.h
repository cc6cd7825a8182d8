/* What the tests of plans share: a small tenant file, keys, and what the database would hold. */
#ifndef TEST_PLAN_RIG_H
#define TEST_PLAN_RIG_H

#include "tenant_plan.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "crypto/crypto.h"
#include "json/json.h"

static struct arena *arena;
static struct secret *credentials, *other_credentials, *edge_public, *other_edge;
static struct tenant_file file;

static inline struct tenant_keys keys(void)
{
    return (struct tenant_keys){.credentials = credentials, .edge_public = edge_public};
}

static inline struct secret *text_secret(const char *text)
{
    return secret_new(text, strlen(text));
}

static inline struct tenant_file_model plain_model(const char *model)
{
    return (struct tenant_file_model){.dialect = "openai",
                                      .base_url = "https://a/v1",
                                      .model = model,
                                      .auth = "bearer",
                                      .temperature_hundredths = 30,
                                      .max_tokens = 300,
                                      .first_token_ms = 8000,
                                      .total_ms = 25000,
                                      .race_after_ms = -1,
                                      .price_in = -1,
                                      .price_cached = -1,
                                      .price_out = -1,
                                      .stream_usage = true};
}

static inline void set_up(void)
{
    file = (struct tenant_file){
        .path = "a.yaml",
        .name = "a-tenant",
        .display_name = "A",
        .timezone = "UTC",
        .language = "en",
        .channel_count = 1,
        .persona = "p",
        .facts = "f\n\"x\"",
        .tone = "",
        .fallback = "fb",
        .degraded = "dg",
        .retention_days = 365,
        .models[0] = plain_model("m"),
        .model_count = 1,
    };
    file.channels[0] = (struct tenant_file_channel){
        .kind = "sms", .number = "+15550100101", .account_sid = "AC1", .line = 1};
    file.channels[0].auth_token = text_secret("token-1");
    file.models[0].key = text_secret("key-1");
}

static inline void tear_down(void)
{
    tenant_file_fini(&file);
    arena_reset(arena);
}

static inline bool has(const struct tenant_plan *plan, enum tenant_action action, const char *what,
                       const char *field)
{
    for (size_t i = 0; i < plan->change_count; i++)
        if (plan->changes[i].action == action && strcmp(plan->changes[i].what, what) == 0 &&
            strcmp(plan->changes[i].field, field) == 0)
            return true;
    return false;
}

/* What the database would hold after the plan. */
static inline struct tenant_row stored(const struct tenant_plan *plan)
{
    struct tenant_row row = plan->row;
    row.channels = arena_alloc(arena, (plan->channel_count + 1) * sizeof *row.channels);
    for (size_t i = 0; i < plan->channel_count; i++) {
        row.channels[i] = plan->channels[i].row;
        row.channels[i].removed = plan->channels[i].remove;
        row.channels[i].directory_version = 1;
    }
    row.channel_count = plan->channel_count;
    return row;
}

static inline struct tenant_row first(void)
{
    struct tenant_plan plan;
    struct tenant_keys with = keys();
    tenant_plan_make(arena, &file, NULL, &with, &plan);
    return stored(&plan);
}

static inline void second(const struct tenant_row *row, struct tenant_plan *plan)
{
    struct tenant_keys with = keys();
    tenant_plan_make(arena, &file, row, &with, plan);
}

static inline struct secret *random_secret(void)
{
    uint8_t bytes[CRYPTO_KEY_BYTES];
    crypto_random(bytes, sizeof bytes);
    return secret_new(bytes, sizeof bytes);
}

static inline struct secret *edge_key(void)
{
    uint8_t public_key[CRYPTO_EDGE_KEY_BYTES], secret_key[CRYPTO_EDGE_KEY_BYTES];
    crypto_edge_keypair(public_key, secret_key);
    return secret_new(public_key, sizeof public_key);
}

/* The rest of main. */
static inline int rig_run(void)
{
    arena = arena_new();
    credentials = random_secret();
    other_credentials = random_secret();
    edge_public = edge_key();
    other_edge = edge_key();
    CU_basic_run_tests();
    secret_free(&credentials);
    secret_free(&other_credentials);
    secret_free(&edge_public);
    secret_free(&other_edge);
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}

#endif
