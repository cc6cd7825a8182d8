/* The tables of a vendor file and the rules that tie its fields together. `tenant apply` and
 * `vendor list|show` call it. */
#include "vendor_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vendor_extra.h"

#define WINDOW_MAX        100000000
#define HEADER_LENGTH_MAX 200

const char *const vendor_file_dialects[] = {"openai", "gemini", "anthropic", NULL};
static const char *const auths[] = {"bearer", "x-api-key", "x-goog-api-key", "none", NULL};
static const char *const limits[] = {"max_tokens", "max_completion_tokens", NULL};

/* What stands in a file, beside what is kept as it is. */
struct draft {
    struct vendor vendor;
    const char *limit;
    const struct yaml_node *headers, *extra, *models;
};

#define AT(type, member) offsetof(struct type, member)
#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))

static const struct field vendor_fields[] = {
    {"name", FIELD_SLUG, AT(draft, vendor.name), 0, 0, true, NULL},
    {"display_name", FIELD_TEXT, AT(draft, vendor.display_name), 1, 100, true, NULL},
    {"dialect", FIELD_CHOICE, AT(draft, vendor.dialect), 0, 0, true, vendor_file_dialects},
    {"base_url", FIELD_URL, AT(draft, vendor.base_url), 0, 0, true, NULL},
    {"auth", FIELD_CHOICE, AT(draft, vendor.auth), 0, 0, false, auths},
    {"key_required", FIELD_BOOL, AT(draft, vendor.key_required), 0, 0, false, NULL},
    {"headers", FIELD_LIST, AT(draft, headers), 0, VENDOR_HEADERS_MAX, false, NULL},
    {"limit", FIELD_CHOICE, AT(draft, limit), 0, 0, false, limits},
    {"temperature", FIELD_BOOL, AT(draft, vendor.temperature), 0, 0, false, NULL},
    {"stream_usage", FIELD_BOOL, AT(draft, vendor.stream_usage), 0, 0, false, NULL},
    {"echo_reasoning", FIELD_BOOL, AT(draft, vendor.echo_reasoning), 0, 0, false, NULL},
    {"extra", FIELD_MAPPING, AT(draft, extra), 0, 0, false, NULL},
    {"default_model", FIELD_NAME, AT(draft, vendor.default_model), 0, 0, false, NULL},
    {"priced", FIELD_DATE, AT(draft, vendor.priced), 0, 0, false, NULL},
    {"requests_per_minute", FIELD_INT, AT(draft, vendor.requests_per_minute), 1, VENDOR_RATE_MAX,
     false, NULL},
    {"tokens_per_minute", FIELD_INT, AT(draft, vendor.tokens_per_minute), 1, VENDOR_RATE_MAX, false,
     NULL},
    {"concurrent", FIELD_INT, AT(draft, vendor.concurrent), 1, VENDOR_CALLS_MAX, false, NULL},
    {"window", FIELD_INT, AT(draft, vendor.window), 1, WINDOW_MAX, false, NULL},
    {"models", FIELD_LIST, AT(draft, models), 0, VENDOR_MODELS_MAX, false, NULL},
};

static const struct field model_fields[] = {
    {"model", FIELD_NAME, AT(vendor_model, model), 0, 0, true, NULL},
    {"input", FIELD_PRICE, AT(vendor_model, input), 0, VENDOR_PRICE_MAX, false, NULL},
    {"cached", FIELD_PRICE, AT(vendor_model, cached), 0, VENDOR_PRICE_MAX, false, NULL},
    {"cache_write", FIELD_PRICE, AT(vendor_model, cache_write), 0, VENDOR_PRICE_MAX, false, NULL},
    {"output", FIELD_PRICE, AT(vendor_model, output), 0, VENDOR_PRICE_MAX, false, NULL},
    {"window", FIELD_INT, AT(vendor_model, window), 1, WINDOW_MAX, false, NULL},
    {"note", FIELD_TEXT, AT(vendor_model, note), 1, 200, false, NULL},
};

/* ---- headers ---- */

/* Set by the HTTP client or from the tenant's key; "-" at the end: all that start so. */
static const char *const own_headers[] = {
    "Authorization", "x-api-key",         "x-goog-api-key", "Host",
    "Content-",      "Transfer-Encoding", "Connection",     NULL,
};

static bool is_own_header(const char *line, size_t length)
{
    for (const char *const *own = own_headers; *own != NULL; own++) {
        size_t known = strlen(*own);
        bool start_only = (*own)[known - 1] == '-';
        if (strncasecmp(line, *own, known) == 0 && (start_only || length == known))
            return true;
    }
    return false;
}

/* NULL if the line may be sent as it stands (RFC 9110: a token, a colon, visible characters), else
 * what is wrong and how to mend it. */
static const char *check_header(const char *line)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t length = strspn(line, token);
    if (length == 0 || line[length] != ':')
        return "must start with a header's name and a colon, like \"X-Title: Frontdesk\"";
    if (is_own_header(line, length))
        return "is set by Frontdesk itself; remove it (a key goes into the tenant file)";
    if (line[length + 1 + strspn(line + length + 1, " ")] == '\0')
        return "has no value; write \"Name: value\"";
    if (strlen(line) > HEADER_LENGTH_MAX)
        return "is longer than 200 characters; shorten it";
    for (const char *c = line; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            return "must be one line of plain ASCII; rewrite it";
    return NULL;
}

static void read_headers(struct problems *problems, const struct yaml_node *list,
                         struct vendor *vendor)
{
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        const char *hint = node->kind != YAML_SCALAR
                               ? "must be one line in quotes, like \"X-Title: Frontdesk\""
                               : check_header(node->text);
        /* The line itself is not shown: somebody may have put a key into it. */
        if (hint != NULL)
            problems_add(problems, node->line, "headers: a line %s", hint);
        else
            vendor->headers[vendor->header_count++] = node->text;
    }
}

/* ---- models ---- */

static void check_model(struct problems *problems, const struct yaml_node *node,
                        const struct vendor *vendor, const struct vendor_model *model)
{
    bool priced = model->input >= 0 || model->cached >= 0 || model->output >= 0 ||
                  yaml_get(node, "cache_write") != NULL;
    if (priced && (yaml_get(node, "input") == NULL || yaml_get(node, "output") == NULL))
        problems_add(problems, node->line,
                     "a price needs both input: and output:; add the other, or remove it");
    if (priced && vendor->priced == NULL)
        problems_add(problems, node->line,
                     "a price needs its date; add priced: to the file, like priced: 2026-09-23");
    if (model->model != NULL && vendor_file_find_model(vendor, model->model) != NULL)
        problems_add(problems, node->line, "model: %s is there twice; remove one", model->model);
}

static void read_models(struct problems *problems, const struct yaml_node *list,
                        struct vendor *vendor)
{
    vendor->models = arena_alloc(problems->arena, (list->count + 1) * sizeof *vendor->models);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct vendor_model model = {.input = -1, .cached = -1, .output = -1, .note = ""};
        fields_read(problems, node, "a model", model_fields, COUNT(model_fields), &model);
        check_model(problems, node, vendor, &model);
        if (model.model != NULL)
            vendor->models[vendor->model_count++] = model;
    }
}

/* ---- one file ---- */

const char *vendor_file_usual_auth(const char *dialect)
{
    if (strcmp(dialect, "gemini") == 0)
        return "x-goog-api-key";
    return strcmp(dialect, "anthropic") == 0 ? "x-api-key" : "bearer";
}

/* A file is found by its name, so the name inside must be the same. */
static void check_name(struct problems *problems, const struct vendor *vendor, const char *file)
{
    if (vendor->name != NULL && strcmp(vendor->name, file) != 0)
        problems_add(problems, 1, "name: \"%s\" must be the file's name; write %s or rename it",
                     vendor->name, file);
}

static void check_rules(struct problems *problems, const struct yaml_node *root,
                        const struct vendor *vendor)
{
    static const char *const openai_only[] = {"limit", "stream_usage", "echo_reasoning"};
    bool openai = vendor->dialect == NULL || strcmp(vendor->dialect, "openai") == 0;
    for (size_t i = 0; i < COUNT(openai_only); i++) {
        const struct yaml_node *node = yaml_get(root, openai_only[i]);
        if (!openai && node != NULL)
            problems_add(problems, node->line,
                         "%s: only the openai dialect has this choice; remove it", node->key);
    }
    if (strcmp(vendor->auth, "none") == 0 && vendor->key_required)
        problems_add(problems, root->line,
                     "auth: none sends no key; add key_required: false, or remove auth:");
}

static void read_vendor(struct problems *problems, const char *file, const struct yaml_node *root,
                        struct vendor *vendor)
{
    struct draft draft = {
        .vendor = {.key_required = true, .temperature = true, .stream_usage = true}};
    fields_read(problems, root, "a vendor file", vendor_fields, COUNT(vendor_fields), &draft);
    if (draft.vendor.auth == NULL && draft.vendor.dialect != NULL)
        draft.vendor.auth = vendor_file_usual_auth(draft.vendor.dialect);
    else if (draft.vendor.auth == NULL)
        draft.vendor.auth = "bearer";
    draft.vendor.max_completion_tokens =
        draft.limit != NULL && strcmp(draft.limit, "max_completion_tokens") == 0;
    check_name(problems, &draft.vendor, file);
    check_rules(problems, root, &draft.vendor);
    if (draft.headers != NULL)
        read_headers(problems, draft.headers, &draft.vendor);
    if (draft.extra != NULL)
        draft.vendor.extra = vendor_extra_read(problems, draft.extra);
    if (draft.models != NULL)
        read_models(problems, draft.models, &draft.vendor);
    *vendor = draft.vendor;
}

/* ---- the folder ---- */

#define SUFFIX ".yaml"

struct names {
    const char *items[VENDORS_MAX]; /* without the suffix */
    size_t count;
};

static int by_text(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static void add_name(struct problems *problems, const char *file, struct names *names)
{
    size_t length = strlen(file), suffix = strlen(SUFFIX);
    if (*file == '.' || length <= suffix || strcmp(file + length - suffix, SUFFIX) != 0)
        return;
    if (names->count < VENDORS_MAX)
        names->items[names->count++] = arena_strndup(problems->arena, file, length - suffix);
    else
        problems_add(problems, 0, "%s is one file more than %d; remove one", file, VENDORS_MAX);
}

/* Sorted, so that what is said and listed does not depend on the file system. */
static bool list_folder(struct problems *problems, const char *dir, struct names *names)
{
    DIR *folder = opendir(dir);
    if (folder == NULL) {
        problems_add(problems, 0, "%s; make the folder or correct --vendors_dir", strerror(errno));
        return false;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        add_name(problems, entry->d_name, names);
    closedir(folder);
    qsort(names->items, names->count, sizeof names->items[0], by_text);
    return true;
}

void vendor_file_read(struct problems *problems, const char *dir, struct vendors *vendors)
{
    struct names names = {.count = 0};
    *vendors = (struct vendors){.count = 0};
    problems->file = dir;
    if (!list_folder(problems, dir, &names))
        return;
    vendors->items = arena_alloc(problems->arena, (names.count + 1) * sizeof *vendors->items);
    for (size_t i = 0; i < names.count; i++) {
        const char *path = arena_printf(problems->arena, "%s/%s%s", dir, names.items[i], SUFFIX);
        const struct yaml_node *root = fields_read_file(problems, path);
        if (root != NULL)
            read_vendor(problems, names.items[i], root, &vendors->items[vendors->count++]);
    }
}

/* ---- looking up ---- */

const struct vendor *vendor_file_find(const struct vendors *vendors, const char *name)
{
    for (size_t i = 0; i < vendors->count; i++)
        if (vendors->items[i].name != NULL && strcmp(vendors->items[i].name, name) == 0)
            return &vendors->items[i];
    return NULL;
}

const struct vendor_model *vendor_file_find_model(const struct vendor *vendor, const char *model)
{
    for (size_t i = 0; i < vendor->model_count; i++)
        if (strcmp(vendor->models[i].model, model) == 0)
            return &vendor->models[i];
    return NULL;
}

const char *vendor_file_key_reference(struct arena *arena, const struct vendor *vendor)
{
    char *text = arena_printf(arena, "env:%s_API_KEY", vendor->name);
    for (char *c = text + strlen("env:"); *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return text;
}
