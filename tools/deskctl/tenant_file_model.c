/* One entry of `models:` in a tenant file: its table, what it takes over from its vendor's file,
 * and the rules that tie the two together. tenant_file.c calls it. */
#include "tenant_file_model.h"

#include <string.h>

#include "base/suggest.h"

#define AT(member) offsetof(struct tenant_file_model, member)

static const struct field model_fields[] = {
    {"vendor", FIELD_SLUG, AT(vendor), 0, 0, false, NULL},
    {"dialect", FIELD_CHOICE, AT(dialect), 0, 0, false, vendor_file_dialects},
    {"base_url", FIELD_URL, AT(base_url), 0, 0, false, NULL},
    {"model", FIELD_NAME, AT(model), 0, 0, false, NULL},
    {"key", FIELD_SECRET, AT(key), 0, 0, false, NULL},
    {"temperature", FIELD_HUNDREDTHS, AT(temperature_hundredths), 0, 200, false, NULL},
    {"max_tokens", FIELD_INT, AT(max_tokens), 16, 4096, false, NULL},
    {"window", FIELD_INT, AT(window), 1000, 10000000, false, NULL},
    {"requests_per_minute", FIELD_INT, AT(requests_per_minute), 1, VENDOR_RATE_MAX, false, NULL},
    {"tokens_per_minute", FIELD_INT, AT(tokens_per_minute), 1, VENDOR_RATE_MAX, false, NULL},
    {"price", FIELD_MAPPING, AT(price), 0, 0, false, NULL},
    {"concurrent", FIELD_INT, AT(concurrent), 1, VENDOR_CALLS_MAX, false, NULL},
    {"max_completion_tokens", FIELD_BOOL, AT(max_completion_tokens), 0, 0, false, NULL},
    /* A turn on a text has 30 s in all. */
    {"first_token", FIELD_MS, AT(first_token_ms), 100, 30000, false, NULL},
    {"total", FIELD_MS, AT(total_ms), 500, 30000, false, NULL},
    {"race_after", FIELD_MS, AT(race_after_ms), 0, 30000, false, NULL},
};

/* US dollars per million tokens, as in a vendor's file. */
struct price {
    int64_t input, cached, output; /* -1: unknown */
    int64_t cache_write;           /* 0: unknown */
};

static const struct field price_fields[] = {
    {"input", FIELD_PRICE, offsetof(struct price, input), 0, VENDOR_PRICE_MAX, true, NULL},
    {"cached", FIELD_PRICE, offsetof(struct price, cached), 0, VENDOR_PRICE_MAX, false, NULL},
    {"cache_write", FIELD_PRICE, offsetof(struct price, cache_write), 0, VENDOR_PRICE_MAX, false,
     NULL},
    {"output", FIELD_PRICE, offsetof(struct price, output), 0, VENDOR_PRICE_MAX, true, NULL},
};

/* ---- the vendor ---- */

static const char *names_of(struct arena *arena, const struct vendors *vendors,
                            const char *names[VENDORS_MAX + 1])
{
    const char *list = "";
    for (size_t i = 0; i < vendors->count; i++) {
        names[i] = vendors->items[i].name != NULL ? vendors->items[i].name : "";
        list = arena_printf(arena, "%s%s%s", list, i > 0 ? ", " : "", names[i]);
    }
    return list;
}

static const struct vendor *find_vendor(struct problems *problems, const struct vendors *vendors,
                                        const struct yaml_node *node, const char *name)
{
    const char *names[VENDORS_MAX + 1] = {NULL};
    const struct vendor *found = vendor_file_find(vendors, name);
    if (found != NULL)
        return found;
    int line = yaml_get(node, "vendor")->line;
    const char *list = names_of(problems->arena, vendors, names), *near = suggest(name, names);
    if (vendors->count == 0)
        problems_add(problems, line,
                     "vendor: no file of a vendor was found (deploy/vendors here or above the "
                     "program); give --vendors_dir=DIR");
    else if (near != NULL)
        problems_add(problems, line, "vendor: \"%s\" is not known; did you mean %s? Known are %s",
                     name, near, list);
    else
        problems_add(problems, line,
                     "vendor: \"%s\" is not known; write one of %s, or add its file", name, list);
    return NULL;
}

static void check_present(struct problems *problems, const struct yaml_node *node,
                          const struct vendor *vendor, const char *key, const char *value)
{
    if (value != NULL || yaml_get(node, key) != NULL)
        return;
    if (vendor != NULL)
        problems_add(problems, node->line,
                     "a model needs %s:; add it, the file of vendor %s names none", key,
                     vendor->name);
    else
        problems_add(problems, node->line, "a model needs %s:; add it, or name a vendor:", key);
}

/* Tenths of a billionth become billionths, rounded up: an estimate shall not be too low. */
static int64_t per_token(int64_t per_million)
{
    return per_million < 0 ? -1 : (per_million + 9) / 10;
}

/* What the entry itself says stands above what the vendor's file says. */
static void read_price(struct problems *problems, struct tenant_file_model *model)
{
    struct price price = {.input = -1, .cached = -1, .output = -1};
    if (model->price == NULL)
        return;
    fields_read(problems, model->price, "price", price_fields,
                sizeof price_fields / sizeof price_fields[0], &price);
    model->price_in = per_token(price.input);
    model->price_cached = per_token(price.cached);
    model->price_out = per_token(price.output);
    model->price_written = per_token(price.cache_write);
    model->price = NULL; /* the tree goes away */
}

/* And the window, unless the entry gives one: what the vendor's file knows of the model. */
static void take_prices(const struct vendor *vendor, struct tenant_file_model *model)
{
    const struct vendor_model *known =
        model->model != NULL ? vendor_file_find_model(vendor, model->model) : NULL;
    if (model->window == 0)
        model->window = known != NULL && known->window > 0 ? known->window : vendor->window;
    if (known == NULL)
        return;
    model->price_in = per_token(known->input);
    model->price_cached = per_token(known->cached);
    model->price_out = per_token(known->output);
    model->price_written = per_token(known->cache_write);
}

/* What the entry leaves open is as the vendor's file says. */
static void take_vendor(const struct yaml_node *node, const struct vendor *vendor,
                        struct tenant_file_model *model)
{
    model->base_url = model->base_url != NULL ? model->base_url : vendor->base_url;
    model->model = model->model != NULL ? model->model : vendor->default_model;
    model->auth = vendor->auth;
    model->headers = vendor->headers;
    model->header_count = vendor->header_count;
    model->extra = vendor->extra;
    model->stream_usage = vendor->stream_usage;
    model->echo_reasoning = vendor->echo_reasoning;
    if (yaml_get(node, "max_completion_tokens") == NULL)
        model->max_completion_tokens = vendor->max_completion_tokens;
    take_prices(vendor, model);
}

/* Of the account, whichever of the vendor's endpoints is asked. */
static void take_limits(const struct vendor *vendor, struct tenant_file_model *model)
{
    if (model->requests_per_minute == 0)
        model->requests_per_minute = vendor->requests_per_minute;
    if (model->tokens_per_minute == 0)
        model->tokens_per_minute = vendor->tokens_per_minute;
    if (model->concurrent == 0)
        model->concurrent = vendor->concurrent;
}

/* A vendor's file describes one of its endpoints. In another dialect it is another endpoint, of
 * which only the address is known, and that only from the tenant. */
static void take_other_endpoint(struct problems *problems, const struct yaml_node *node,
                                const struct vendor *vendor, struct tenant_file_model *model)
{
    if (yaml_get(node, "base_url") == NULL)
        problems_add(problems, node->line,
                     "dialect: the file of vendor %s is about its %s endpoint; add the base_url: "
                     "of the other one, or remove dialect:",
                     vendor->name, vendor->dialect);
    model->model = model->model != NULL ? model->model : vendor->default_model;
    take_prices(vendor, model);
}

/* ---- rules ---- */

static void check_key(struct problems *problems, const struct yaml_node *node,
                      const struct vendor *vendor)
{
    const struct yaml_node *key = yaml_get(node, "key");
    if (vendor->key_required && key == NULL)
        problems_add(problems, node->line, "vendor %s needs a key; add key: %s", vendor->name,
                     vendor_file_key_reference(problems->arena, vendor));
    else if (strcmp(vendor->auth, "none") == 0 && key != NULL)
        problems_add(problems, key->line, "key: vendor %s takes none; remove it", vendor->name);
}

static void check_temperature(struct problems *problems, const struct yaml_node *node,
                              const struct vendor *vendor)
{
    const struct yaml_node *temperature = yaml_get(node, "temperature");
    if (!vendor->temperature && temperature != NULL)
        problems_add(problems, temperature->line,
                     "temperature: vendor %s takes none; remove the line", vendor->name);
}

static void check_model(struct problems *problems, const struct yaml_node *node,
                        const struct tenant_file_model *model)
{
    if (model->total_ms < model->first_token_ms)
        problems_add(problems, node->line,
                     "total is shorter than first_token; make total the longer one");
    if (model->race_after_ms >= model->first_token_ms)
        problems_add(problems, node->line,
                     "race_after is not within first_token; make it the shorter one, or 0ms");
    if (model->base_url != NULL && strncmp(model->base_url, "http://", 7) == 0 &&
        model->key != NULL && strchr(model->base_url + 7, '.') != NULL &&
        strncmp(model->base_url + 7, "127.", 4) != 0 &&
        strncmp(model->base_url + 7, "10.", 3) != 0 &&
        strncmp(model->base_url + 7, "192.168.", 8) != 0)
        problems_add(problems, node->line,
                     "base_url would send the key unencrypted; use https:// or leave key out");
}

/* ---- one entry ---- */

static void complete_model(struct problems *problems, const struct yaml_node *node,
                           const struct vendor *vendor, struct tenant_file_model *model)
{
    if (model->dialect == NULL)
        model->dialect = vendor != NULL ? vendor->dialect : "openai";
    model->auth = vendor_file_usual_auth(model->dialect);
    if (vendor != NULL && strcmp(model->dialect, vendor->dialect) == 0) {
        take_vendor(node, vendor, model);
        check_temperature(problems, node, vendor);
    } else if (vendor != NULL) {
        take_other_endpoint(problems, node, vendor, model);
    } else {
        check_present(problems, node, NULL, "base_url", model->base_url);
    }
    check_present(problems, node, vendor, "model", model->model);
    if (vendor != NULL) {
        take_limits(vendor, model);
        check_key(problems, node, vendor);
    }
    read_price(problems, model);
    check_model(problems, node, model);
}

void tenant_file_model_read(struct problems *problems, const struct vendors *vendors,
                            const struct yaml_node *node, struct tenant_file_model *model)
{
    const struct vendor *vendor = NULL;
    *model = (struct tenant_file_model){.line = node->line,
                                        .temperature_hundredths = -1,
                                        .max_tokens = 300,
                                        .first_token_ms = 8000,
                                        .total_ms = 25000,
                                        .race_after_ms = -1,
                                        .price_in = -1,
                                        .price_cached = -1,
                                        .price_out = -1,
                                        .stream_usage = true};
    fields_read(problems, node, "a model", model_fields,
                sizeof model_fields / sizeof model_fields[0], model);
    if (model->vendor != NULL)
        vendor = find_vendor(problems, vendors, node, model->vendor);
    /* Without its vendor nothing more can be said of the entry. */
    if (node->kind == YAML_MAPPING && (vendor != NULL) == (yaml_get(node, "vendor") != NULL))
        complete_model(problems, node, vendor, model);
}
