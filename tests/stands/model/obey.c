/*
 * The obedient model: finds instructions in a request, whoever wrote them, and says what it does
 * next (obey.h). Pure: JSON in, texts out. Called by chat.c.
 */
#include "stands/model/obey.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "stands/lib/buf.h"
#include "stands/lib/hmac.h"

enum { ORDERS_MAX = 32, TOLD_MAX = 1024 * 1024, DEPTH_MAX = 40, TIMES_MAX = 100 };

static const char mark[] = "INJECT:";

struct orders {
    cJSON *items[ORDERS_MAX]; /* owned */
    size_t count;
};

/* --- the texts of a request --- */

typedef void take_text(void *arg, const char *text);

/* Every text below `node`, in order; not below a member named `without`. */
static void walk(const cJSON *node, const char *without, int depth, take_text *take, void *arg)
{
    if (cJSON_IsString(node))
        take(arg, node->valuestring);
    if (depth == DEPTH_MAX)
        return;
    const cJSON *child;
    cJSON_ArrayForEach(child, node)
    {
        if (!without || !child->string || strcmp(child->string, without) != 0)
            walk(child, without, depth + 1, take, arg);
    }
}

/* --- instructions --- */

static void unescape(char *text)
{
    char *to = text;
    for (; *text; text++) {
        if (*text == '\\' && (text[1] == '"' || text[1] == '\\'))
            text++;
        *to++ = *text;
    }
    *to = '\0';
}

static cJSON *read_object(const char *text)
{
    cJSON *object = cJSON_ParseWithOpts(text, NULL, false);
    if (object)
        return object;
    char *inner = stand_copy(text, strlen(text));
    unescape(inner);
    object = cJSON_ParseWithOpts(inner, NULL, false);
    free(inner);
    return object;
}

static bool is_known(const struct orders *orders, const cJSON *order)
{
    for (size_t i = 0; i < orders->count; i++) {
        if (cJSON_Compare(orders->items[i], order, true))
            return true;
    }
    return false;
}

static void take_orders(void *arg, const char *text)
{
    struct orders *orders = arg;
    for (const char *at = strstr(text, mark); at; at = strstr(at + 1, mark)) {
        cJSON *order = read_object(at + strlen(mark));
        if (cJSON_IsObject(order) && orders->count < ORDERS_MAX && !is_known(orders, order))
            orders->items[orders->count++] = order;
        else
            cJSON_Delete(order);
    }
}

static const char *text_of(const cJSON *order, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(order, name));
}

static size_t number_of(const cJSON *order, const char *name, size_t otherwise, size_t max)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(order, name);
    if (!cJSON_IsNumber(number) || number->valuedouble < 0)
        return otherwise;
    return number->valuedouble < (double)max ? (size_t)number->valuedouble : max;
}

/* --- what is told --- */

static void take_told(void *arg, const char *text)
{
    stand_buf_puts(arg, text);
    stand_buf_puts(arg, "\n");
}

static const cJSON *system_of(const cJSON *root)
{
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "messages"), 0);
    const char *role = text_of(first, "role");
    if (role && strcmp(role, "system") == 0)
        return cJSON_GetObjectItemCaseSensitive(first, "content");
    const cJSON *system = cJSON_GetObjectItemCaseSensitive(root, "system");
    return system ? system : cJSON_GetObjectItemCaseSensitive(root, "systemInstruction");
}

static void add_letters(const char *text, size_t len, const char *as, struct stand_buf *out)
{
    bool upper = as && strcmp(as, "upper") == 0, spaced = as && strcmp(as, "spaced") == 0;
    for (size_t i = 0; i < len; i++) {
        char c = upper ? (char)toupper((unsigned char)text[i]) : text[i];
        stand_buf_add(out, &c, 1);
        if (spaced)
            stand_buf_puts(out, " ");
    }
}

static void add_printed(const cJSON *root, const cJSON *order, struct stand_buf *out)
{
    const char *what = text_of(order, "print"), *as = text_of(order, "as");
    struct stand_buf told;
    stand_buf_init(&told, TOLD_MAX);
    if (strcmp(what, "system") == 0)
        walk(system_of(root), "type", 0, take_told, &told);
    else if (strcmp(what, "tools") == 0)
        walk(cJSON_GetObjectItemCaseSensitive(root, "tools"), "type", 0, take_told, &told);
    else
        walk(root, "tools", 0, take_told, &told);
    size_t from = number_of(order, "from", 0, told.len);
    size_t len = number_of(order, "bytes", told.len, told.len - from);
    len = len < told.len - from ? len : told.len - from;
    if (as && strcmp(as, "base64") == 0)
        stand_base64(told.data + from, len, out);
    else
        add_letters(told.data + from, len, as, out);
    stand_buf_fini(&told);
}

static void add_said(const cJSON *root, const cJSON *order, struct stand_buf *out)
{
    if (text_of(order, "say"))
        stand_buf_puts(out, text_of(order, "say"));
    else if (text_of(order, "print"))
        add_printed(root, order, out);
}

/* --- what comes next --- */

static char *arguments_of(const cJSON *order)
{
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(order, "arguments");
    const char *text = cJSON_IsString(given) ? given->valuestring : "{}";
    char *printed = given && !cJSON_IsString(given) ? cJSON_PrintUnformatted(given) : NULL;
    char *kept = stand_copy(printed ? printed : text, strlen(printed ? printed : text));
    cJSON_free(printed);
    return kept;
}

static void choose(const cJSON *root, const struct orders *orders, size_t results,
                   struct obedience *out)
{
    struct stand_buf said;
    stand_buf_init(&said, TOLD_MAX);
    for (size_t i = 0; i < orders->count && !out->tool; i++) {
        const char *tool = text_of(orders->items[i], "call");
        size_t times = number_of(orders->items[i], "times", 1, TIMES_MAX);
        if (!tool) {
            add_said(root, orders->items[i], &said);
        } else if (results < times) {
            out->tool = stand_copy(tool, strlen(tool));
            out->text = arguments_of(orders->items[i]);
        } else {
            results -= times;
        }
    }
    if (!out->tool && said.len > 0)
        out->text = stand_copy(said.data, said.len);
    stand_buf_fini(&said);
}

void obey_read(const cJSON *root, size_t results, struct obedience *out)
{
    struct orders orders = {.count = 0};
    walk(root, "tools", 0, take_orders, &orders);
    choose(root, &orders, results, out);
    for (size_t i = 0; i < orders.count; i++)
        cJSON_Delete(orders.items[i]);
}

void obey_fini(struct obedience *obedience)
{
    free(obedience->tool);
    free(obedience->text);
    *obedience = (struct obedience){0};
}
