/* Unit tests of the plan of `tenant apply`: what counts as a change, and that a second apply of the
 * same file is none, although wrapped and sealed secrets never look the same twice. */
#include "plan_rig.h"

static const char *const rich_headers[] = {"A: 1", "B: \"2\""};

/* An entry that has every member. */
static struct tenant_file_model rich_model(void)
{
    struct tenant_file_model model = plain_model("r");
    model.vendor = "acme";
    model.dialect = "gemini";
    model.auth = "x-goog-api-key";
    model.headers = rich_headers;
    model.header_count = 2;
    model.extra = "{\"a\":{\"b\":1.5,\"c\":true},\"d\":[\"x\"]}";
    model.stream_usage = false;
    model.max_completion_tokens = true;
    model.price_in = 750;
    model.price_cached = 0;
    model.price_out = 4500;
    model.key = text_secret("key-r");
    return model;
}

static void test_new(void)
{
    struct tenant_plan plan;
    struct tenant_keys with = keys();
    struct secret *token = NULL;
    struct err err;
    set_up();
    tenant_plan_make(arena, &file, NULL, &with, &plan);
    CU_ASSERT_TRUE(plan.tenant_changed && plan.assistant_changed);
    CU_ASSERT_EQUAL(plan.row.version, 1);
    CU_ASSERT_EQUAL_FATAL(plan.channel_count, 1);
    CU_ASSERT_TRUE(plan.channels[0].write && plan.channels[0].edge_changed);
    CU_ASSERT_TRUE(has(&plan, TENANT_ADD, "tenant", ""));
    CU_ASSERT_TRUE(has(&plan, TENANT_ADD, "channel +15550100101", ""));
    CU_ASSERT_EQUAL(tenant_plan_open_token(&plan.channels[0].row, credentials, &token, &err), 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(token), "token-1");
    secret_free(&token);
    /* No secret in what is shown or stored. */
    for (size_t i = 0; i < plan.change_count; i++)
        CU_ASSERT_TRUE(plan.changes[i].after == NULL ||
                       (strstr(plan.changes[i].after, "token-1") == NULL &&
                        strstr(plan.changes[i].after, "key-1") == NULL));
    CU_ASSERT_PTR_NULL(strstr(plan.row.config, "key-1"));
    CU_ASSERT_PTR_NULL(strstr(plan.row.settings, "token-1"));
    tear_down();
}

static void test_config(void)
{
    struct json *config = NULL;
    struct err err;
    int64_t number = 0;
    set_up();
    struct tenant_row row = first();
    CU_ASSERT_EQUAL_FATAL(json_parse(row.config, strlen(row.config), &config, &err), 0);
    CU_ASSERT_STRING_EQUAL(json_member_text(config, "facts"), "f\n\"x\"");
    const struct json *model = json_first(json_member(config, "models"));
    CU_ASSERT_STRING_EQUAL(json_member_text(model, "base_url"), "https://a/v1");
    CU_ASSERT_TRUE(json_member_int(model, "total_ms", 1, 100000, &number) && number == 25000);
    CU_ASSERT_DOUBLE_EQUAL(json_number(json_member(model, "temperature")), 0.3, 1e-9);
    CU_ASSERT_PTR_NOT_NULL(json_member_text(model, "key_wrapped"));
    json_free(&config);
    tear_down();
}

static void test_twice_is_nothing(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    CU_ASSERT_FALSE(plan.tenant_changed || plan.assistant_changed || plan.channels[0].write);
    CU_ASSERT_EQUAL(plan.row.version, 1);
    tear_down();
}

/* PostgreSQL gives jsonb back in another order and spacing. */
static void test_other_spelling_is_nothing(void)
{
    struct tenant_plan plan;
    set_up();
    secret_free(&file.models[0].key);
    struct tenant_row row = first();
    row.config = "{\"tone\": \"\", \"facts\": \"f\\n\\\"x\\\"\", \"models\": [{\"model\": \"m\", "
                 "\"dialect\": \"openai\", \"base_url\": \"https://a/v1\", \"total_ms\": 25000, "
                 "\"auth\": \"bearer\", "
                 "\"max_tokens\": 300, \"temperature\": 0.30, \"first_token_ms\": 8000, "
                 "\"max_completion_tokens\": false}], \"persona\": \"p\", \"degraded\": \"dg\", "
                 "\"fallback\": \"fb\", \"language\": \"en\"}";
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    tear_down();
}

static void test_single_changes(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    file.display_name = "B";
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "tenant", "display_name"));
    CU_ASSERT_TRUE(plan.tenant_changed);
    CU_ASSERT_FALSE(plan.assistant_changed || plan.channels[0].write);
    file.display_name = "A";
    file.retention_days = 30;
    second(&row, &plan);
    CU_ASSERT_TRUE(plan.change_count == 1 && plan.tenant_changed);
    file.retention_days = 365;
    file.models[0].temperature_hundredths = -1;
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_TRUE(has(&plan, TENANT_REMOVE, "assistant", "models[1].temperature"));
    CU_ASSERT_TRUE(plan.assistant_changed);
    CU_ASSERT_FALSE(plan.tenant_changed);
    CU_ASSERT_EQUAL(plan.row.version, 2);
    file.models[0].temperature_hundredths = 30;
    file.persona = "q";
    second(&row, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "persona"));
    CU_ASSERT_EQUAL(plan.change_count, 1);
    tear_down();
}

static void test_model_key(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    secret_free(&file.models[0].key);
    file.models[0].key = text_secret("key-2");
    second(&row, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "models[1].key"));
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_EQUAL(plan.row.version, 2);
    secret_free(&file.models[0].key);
    second(&row, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_REMOVE, "assistant", "models[1].key"));
    CU_ASSERT_PTR_NULL(strstr(plan.row.config, "key_wrapped"));
    tear_down();
}

static void test_rich_entry(void)
{
    struct json *config = NULL;
    struct err err;
    struct tenant_plan plan;
    set_up();
    file.models[file.model_count++] = rich_model();
    struct tenant_row row = first();
    CU_ASSERT_EQUAL_FATAL(json_parse(row.config, strlen(row.config), &config, &err), 0);
    const struct json *list = json_member(config, "models");
    CU_ASSERT_EQUAL(json_count(list), 2);
    struct strbuf text;
    strbuf_init(&text, 65536);
    json_print(json_next(json_first(list)), &text);
    const char *key = strstr(text.data, ",\"key_wrapped\":\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    strbuf_truncate(&text, (size_t)(key - text.data));
    CU_ASSERT_STRING_EQUAL(
        text.data,
        "{\"vendor\":\"acme\",\"dialect\":\"gemini\",\"base_url\":\"https://a/v1\",\"model\":\"r\","
        "\"auth\":\"x-goog-api-key\",\"headers\":[\"A: 1\",\"B: \\\"2\\\"\"],"
        "\"extra\":{\"a\":{\"b\":1.5,\"c\":true},\"d\":[\"x\"]},\"stream_usage\":false,"
        "\"temperature\":0.3,\"max_tokens\":300,\"max_completion_tokens\":true,"
        "\"first_token_ms\":8000,\"total_ms\":25000,\"price_in\":750,\"price_cached\":0,"
        "\"price_out\":4500");
    /* What an entry does not have is not written. */
    const struct json *plain = json_first(list);
    static const char *const absent[] = {
        "vendor",        "headers",    "extra",        "stream_usage",        "price_in",
        "price_cached",  "price_out",  "window",       "requests_per_minute", "tokens_per_minute",
        "race_after_ms", "concurrent", "price_written"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        CU_ASSERT_PTR_NULL(json_member(plain, absent[i]));
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    strbuf_fini(&text);
    json_free(&config);
    tear_down();
}

/* PostgreSQL sorts the members of nested objects in its own way, too. */
static void test_other_spelling_of_a_rich_entry(void)
{
    struct tenant_plan plan;
    set_up();
    secret_free(&file.models[0].key);
    file.models[0] = rich_model();
    secret_free(&file.models[0].key);
    struct tenant_row row = first();
    row.config =
        "{\"tone\": \"\", \"facts\": \"f\\n\\\"x\\\"\", \"models\": [{\"auth\": "
        "\"x-goog-api-key\", "
        "\"extra\": {\"d\": [\"x\"], \"a\": {\"c\": true, \"b\": 1.50}}, \"model\": \"r\", "
        "\"vendor\": \"acme\", \"dialect\": \"gemini\", \"headers\": [\"A: 1\", \"B: \\\"2\\\"\"], "
        "\"base_url\": \"https://a/v1\", \"price_in\": 750, \"total_ms\": 25000, "
        "\"price_out\": 4500, \"max_tokens\": 300, \"temperature\": 0.30, "
        "\"price_cached\": 0, \"stream_usage\": false, \"first_token_ms\": 8000, "
        "\"max_completion_tokens\": true}], \"persona\": \"p\", \"degraded\": \"dg\", "
        "\"fallback\": \"fb\", \"language\": \"en\"}";
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    tear_down();
}

/* Each member of an entry makes a new version by itself. */
static void test_each_member_counts(void)
{
    static const char *const fields[] = {
        "vendor",
        "dialect",
        "base_url",
        "model",
        "auth",
        "headers",
        "extra",
        "temperature",
        "max_tokens",
        "max_completion_tokens",
        "stream_usage",
        "first_token_ms",
        "total_ms",
        "price_in",
        "price_cached",
        "price_out",
        "window",
        "requests_per_minute",
        "tokens_per_minute",
        "race_after_ms",
        "concurrent",
        "price_written",
        "echo_reasoning",
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct tenant_plan plan;
        set_up();
        file.models[1] = rich_model();
        file.model_count = 2;
        struct tenant_row row = first();
        struct tenant_file_model *model = &file.models[1];
        const char **texts[] = {&model->vendor, &model->dialect, &model->base_url, &model->model,
                                &model->auth};
        if (i < 5)
            *texts[i] = "other";
        else if (i == 5)
            model->header_count = 1;
        else if (i == 6)
            model->extra = NULL;
        else if (i == 7)
            model->temperature_hundredths = -1;
        else if (i == 8)
            model->max_tokens++;
        else if (i == 9)
            model->max_completion_tokens = false;
        else if (i == 10)
            model->stream_usage = true;
        else if (i == 22)
            model->echo_reasoning = true;
        else
            ++*(int64_t *[]){
                &model->first_token_ms,      &model->total_ms,          &model->price_in,
                &model->price_cached,        &model->price_out,         &model->window,
                &model->requests_per_minute, &model->tokens_per_minute, &model->race_after_ms,
                &model->concurrent,          &model->price_written}[i - 11];
        second(&row, &plan);
        CU_ASSERT_EQUAL_FATAL(plan.change_count, 1);
        CU_ASSERT_STRING_EQUAL(plan.changes[0].field,
                               arena_printf(arena, "models[2].%s", fields[i]));
        CU_ASSERT_EQUAL(plan.row.version, 2);
        tear_down();
    }
}

static void test_longer_and_shorter_chain(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    file.models[1] = plain_model("n");
    file.models[1].key = text_secret("key-n");
    file.models[2] = plain_model("o");
    file.model_count = 3;
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 2);
    CU_ASSERT_TRUE(has(&plan, TENANT_ADD, "assistant", "models[2]"));
    CU_ASSERT_TRUE(has(&plan, TENANT_ADD, "assistant", "models[3]"));
    CU_ASSERT_STRING_EQUAL(plan.changes[0].after, "n at https://a/v1");
    CU_ASSERT_EQUAL(plan.row.version, 2);
    row = stored(&plan);
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    /* The key of an entry is compared with the stored one of its place. */
    secret_free(&file.models[1].key);
    file.models[1].key = text_secret("key-n2");
    file.models[2].key = text_secret("key-o");
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 2);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "models[2].key"));
    CU_ASSERT_TRUE(has(&plan, TENANT_ADD, "assistant", "models[3].key"));
    row = stored(&plan);
    secret_free(&file.models[1].key);
    secret_free(&file.models[2].key);
    file.model_count = 1;
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 2);
    CU_ASSERT_TRUE(has(&plan, TENANT_REMOVE, "assistant", "models[2]"));
    CU_ASSERT_TRUE(has(&plan, TENANT_REMOVE, "assistant", "models[3]"));
    CU_ASSERT_STRING_EQUAL(plan.changes[1].before, "o at https://a/v1");
    CU_ASSERT_PTR_NULL(strstr(plan.row.config, "\"o\""));
    tear_down();
}

/* An entry that another takes the place of takes its key along. */
static void test_swapped_chain(void)
{
    struct tenant_plan plan;
    set_up();
    file.models[1] = plain_model("n");
    file.models[1].key = text_secret("key-n");
    file.model_count = 2;
    struct tenant_row row = first();
    struct tenant_file_model was = file.models[0];
    file.models[0] = file.models[1];
    file.models[1] = was;
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 4);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "models[1].model"));
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "models[1].key"));
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "models[2].model"));
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "models[2].key"));
    row = stored(&plan);
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    tear_down();
}

/* The longest chain that changes throughout is shown whole. */
static void test_full_chain(void)
{
    struct tenant_plan plan;
    set_up();
    secret_free(&file.models[0].key);
    for (file.model_count = 0; file.model_count < TENANT_MODELS_MAX; file.model_count++)
        file.models[file.model_count] = rich_model();
    struct tenant_row row = first();
    for (size_t i = 0; i < TENANT_MODELS_MAX; i++) {
        secret_free(&file.models[i].key);
        file.models[i] = (struct tenant_file_model){.temperature_hundredths = -1,
                                                    .price_in = -1,
                                                    .price_cached = -1,
                                                    .price_out = -1,
                                                    .stream_usage = true};
    }
    second(&row, &plan);
    CU_ASSERT_EQUAL(plan.change_count, TENANT_MODELS_MAX * 18);
    tear_down();
}

static void test_channel_changes(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    /* The service is the responder's business alone. */
    file.channels[0].messaging_service_sid = "MG1";
    second(&row, &plan);
    CU_ASSERT_TRUE(plan.channels[0].write);
    CU_ASSERT_FALSE(plan.channels[0].edge_changed);
    file.channels[0].messaging_service_sid = NULL;
    file.channels[0].account_sid = "AC2";
    second(&row, &plan);
    CU_ASSERT_TRUE(plan.channels[0].write && plan.channels[0].edge_changed);
    file.channels[0].account_sid = "AC1";
    /* A further signing key is the edge's business alone: the token stays as it is wrapped. */
    file.channels[0].signing_keys[0] = text_secret("old-token");
    file.channels[0].signing_key_count = 1;
    second(&row, &plan);
    CU_ASSERT_TRUE(plan.channels[0].edge_changed);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "channel +15550100101", "signing_keys"));
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_STRING_EQUAL(plan.channels[0].row.credentials_hex, row.channels[0].credentials_hex);
    CU_ASSERT_TRUE(plan.tenant_changed); /* the mark */
    secret_free(&file.channels[0].auth_token);
    file.channels[0].auth_token = text_secret("token-2");
    second(&row, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "channel +15550100101", "auth_token"));
    CU_ASSERT_STRING_NOT_EQUAL(plan.channels[0].row.credentials_hex,
                               row.channels[0].credentials_hex);
    tear_down();
}

static void test_channel_removed_and_back(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    file.channel_count = 0;
    second(&row, &plan);
    CU_ASSERT_EQUAL_FATAL(plan.channel_count, 1);
    CU_ASSERT_TRUE(plan.channels[0].remove);
    CU_ASSERT_TRUE(has(&plan, TENANT_REMOVE, "channel +15550100101", ""));
    struct tenant_row gone = stored(&plan);
    second(&gone, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 0);
    CU_ASSERT_EQUAL(plan.channel_count, 0);
    /* Back again it is the same row, told to the edge anew. */
    file.channel_count = 1;
    second(&gone, &plan);
    CU_ASSERT_EQUAL_FATAL(plan.channel_count, 1);
    CU_ASSERT_TRUE(plan.channels[0].write && plan.channels[0].edge_changed);
    CU_ASSERT_TRUE(uuid_equal(&plan.channels[0].row.id, &row.channels[0].id));
    tear_down();
}

static void test_other_keys(void)
{
    struct tenant_plan plan;
    set_up();
    struct tenant_row row = first();
    struct tenant_keys with = {.credentials = credentials, .edge_public = other_edge};
    tenant_plan_make(arena, &file, &row, &with, &plan);
    CU_ASSERT_EQUAL(plan.change_count, 1);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "channel +15550100101", "signing_keys"));
    with = (struct tenant_keys){.credentials = other_credentials, .edge_public = edge_public};
    tenant_plan_make(arena, &file, &row, &with, &plan);
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "channel +15550100101", "auth_token"));
    CU_ASSERT_TRUE(has(&plan, TENANT_CHANGE, "assistant", "models[1].key"));
    tear_down();
}

/* A wrapped token does not open in another row. */
static void test_moved_token(void)
{
    struct secret *token = NULL;
    struct err err;
    set_up();
    struct tenant_row row = first();
    struct tenant_channel moved = row.channels[0];
    moved.id = uuid_new();
    CU_ASSERT_EQUAL(tenant_plan_open_token(&moved, credentials, &token, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "crypto.wrap");
    moved = row.channels[0];
    moved.credentials_hex = "zz";
    CU_ASSERT_EQUAL(tenant_plan_open_token(&moved, credentials, &token, &err), -1);
    CU_ASSERT_PTR_NULL(token);
    tear_down();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_plan", NULL, NULL);
    CU_add_test(suite, "new", test_new);
    CU_add_test(suite, "config", test_config);
    CU_add_test(suite, "twice is nothing", test_twice_is_nothing);
    CU_add_test(suite, "other spelling is nothing", test_other_spelling_is_nothing);
    CU_add_test(suite, "single changes", test_single_changes);
    CU_add_test(suite, "model key", test_model_key);
    CU_add_test(suite, "rich entry", test_rich_entry);
    CU_add_test(suite, "other spelling of a rich entry", test_other_spelling_of_a_rich_entry);
    CU_add_test(suite, "each member counts", test_each_member_counts);
    CU_add_test(suite, "longer and shorter chain", test_longer_and_shorter_chain);
    CU_add_test(suite, "swapped chain", test_swapped_chain);
    CU_add_test(suite, "full chain", test_full_chain);
    CU_add_test(suite, "channel changes", test_channel_changes);
    CU_add_test(suite, "channel removed and back", test_channel_removed_and_back);
    CU_add_test(suite, "other keys", test_other_keys);
    CU_add_test(suite, "moved token", test_moved_token);
    return rig_run();
}
