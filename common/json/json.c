/* Reading JSON with cJSON, the only file that includes it: strict scan, parse, then one walk that
 * refuses duplicate names and numbers beyond a double. Every boundary that takes JSON uses it. */
#include "json/json.h"

#include "base/arena.h"
#include "base/mem.h"
#include "json/inside.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A name list this short is compared pair by pair, a longer one is sorted: no quadratic hostile
 * input. */
#define FEW_NAMES 12

#define WHOLE_MAX 9007199254740991.0 /* 2^53 - 1; 2^53 is also what 2^53 + 1 reads as */

/* struct json is never defined: a value is a cJSON item seen from outside. */
static const cJSON *item_of(const struct json *value)
{
    return (const cJSON *)(const void *)value;
}

static const struct json *value_of(const cJSON *item)
{
    return (const struct json *)(const void *)item;
}

/* As cJSON's own questions, of which one chunk of a model's answer asks more than a hundred. */
static bool is(const cJSON *item, int type)
{
    return item != NULL && (item->type & 0xff) == type;
}

static bool is_bool(const cJSON *item)
{
    return is(item, cJSON_True) || is(item, cJSON_False);
}

/* Most names differ in their first character. */
static bool is_name(const char *a, const char *b)
{
    return a[0] == b[0] && strcmp(a, b) == 0;
}

/* ---- memory: cJSON allocates each value apart, half of what parsing a short text costs ---- */

/* A document owns the arena that it lives in. */
struct document {
    struct arena *arena;
    cJSON root;
};

#define ALIGNED  8    /* its values hold pointers and doubles */
#define ROOM_MAX 3968 /* so that it and a struct document fit into an arena's first block */

/* Of the document that this thread parses; `arena` NULL: cJSON serves somebody else in the process.
 * The room that a short text needs is taken from the arena at once, and given in parts. */
static _Thread_local struct {
    struct arena *arena;
    char *next, *end;
} parsing;

static void *give(size_t size)
{
    if (parsing.arena == NULL)
        return xmalloc(size);
    size_t rounded = (size + ALIGNED - 1) / ALIGNED * ALIGNED;
    if (rounded > (size_t)(parsing.end - parsing.next))
        return arena_alloc(parsing.arena, size);
    void *memory = parsing.next;
    parsing.next += rounded;
    return memory;
}

static void take_back(void *memory)
{
    if (parsing.arena == NULL)
        free(memory);
}

static void set_hooks(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = give, .free_fn = take_back});
}

/* NULL: it refused the text. */
static struct document *parse(const char *bytes, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_hooks);
    struct arena *arena = arena_new();
    size_t room = length < ROOM_MAX / 4 ? 4 * length : ROOM_MAX;
    parsing.arena = arena;
    parsing.next = arena_alloc(arena, room);
    parsing.end = parsing.next + room;
    const cJSON *root = cJSON_ParseWithLengthOpts(bytes, length, NULL, false);
    parsing.arena = NULL;
    if (root == NULL) {
        arena_free(&arena);
        return NULL;
    }
    struct document *document = arena_alloc(arena, sizeof *document);
    *document = (struct document){.arena = arena, .root = *root};
    return document;
}

/* ---- checks ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool few_have_duplicate(const cJSON *object)
{
    for (const cJSON *a = object->child; a != NULL; a = a->next)
        for (const cJSON *b = a->next; b != NULL; b = b->next)
            if (is_name(a->string, b->string))
                return true;
    return false;
}

static bool many_have_duplicate(const cJSON *object, size_t count)
{
    const char **names = xcalloc(count, sizeof *names);
    size_t used = 0;
    for (const cJSON *child = object->child; child != NULL; child = child->next)
        names[used++] = child->string;
    qsort(names, used, sizeof *names, compare_names);
    bool found = false;
    for (size_t i = 1; i < used && !found; i++)
        found = strcmp(names[i - 1], names[i]) == 0;
    free(names);
    return found;
}

/* Recursion is bounded by JSON_DEPTH_MAX, which the scan has enforced. */
static int check_item(const cJSON *item, struct err *err)
{
    if (is(item, cJSON_Number) && !isfinite(item->valuedouble))
        return err_set(err, ERR_PERMANENT, "json.syntax", "a number is too large for a double");
    size_t count = 0;
    for (const cJSON *child = item->child; child != NULL; child = child->next, count++)
        if (check_item(child, err) != 0)
            return -1;
    if (!is(item, cJSON_Object) || count < 2)
        return 0;
    if (count <= FEW_NAMES ? few_have_duplicate(item) : many_have_duplicate(item, count))
        return err_set(err, ERR_PERMANENT, "json.duplicate", "an object has a name twice");
    return 0;
}

int json_parse(const char *bytes, size_t length, struct json **document, struct err *err)
{
    if (json_scan(bytes, length, err) != 0)
        return -1;
    struct document *parsed = parse(bytes, length);
    if (parsed == NULL)
        return err_set(err, ERR_PERMANENT, "json.syntax", "the JSON parser refused the text");
    if (check_item(&parsed->root, err) != 0) {
        struct json *refused = (struct json *)(void *)&parsed->root;
        json_free(&refused);
        return -1;
    }
    *document = (struct json *)(void *)&parsed->root;
    return 0;
}

void json_free(struct json **document)
{
    if (*document == NULL)
        return;
    char *root = (char *)*document;
    struct document *parsed = (struct document *)(void *)(root - offsetof(struct document, root));
    struct arena *arena = parsed->arena;
    *document = NULL;
    arena_free(&arena);
}

enum json_type json_type(const struct json *value)
{
    const cJSON *item = item_of(value);
    if (is(item, cJSON_Object))
        return JSON_OBJECT;
    if (is(item, cJSON_Array))
        return JSON_ARRAY;
    if (is(item, cJSON_String))
        return JSON_STRING;
    if (is(item, cJSON_Number))
        return JSON_NUMBER;
    return is_bool(item) ? JSON_BOOL : JSON_NULL;
}

const struct json *json_member(const struct json *object, const char *name)
{
    const cJSON *item = item_of(object);
    if (!is(item, cJSON_Object)) /* also NULL */
        return NULL;
    for (const cJSON *member = item->child; member != NULL; member = member->next)
        if (is_name(member->string, name))
            return is(member, cJSON_NULL) ? NULL : value_of(member);
    return NULL;
}

const char *json_member_text(const struct json *object, const char *name)
{
    return json_text(json_member(object, name));
}

bool json_member_int(const struct json *object, const char *name, int64_t min, int64_t max,
                     int64_t *value)
{
    const cJSON *member = item_of(json_member(object, name));
    if (!is(member, cJSON_Number))
        return false;
    double number = member->valuedouble;
    if (number != floor(number) || fabs(number) > WHOLE_MAX)
        return false;
    int64_t whole = (int64_t)number;
    if (whole < min || whole > max)
        return false;
    *value = whole;
    return true;
}

bool json_member_bool(const struct json *object, const char *name, bool fallback)
{
    const cJSON *member = item_of(json_member(object, name));
    return is_bool(member) ? is(member, cJSON_True) : fallback;
}

const char *json_text(const struct json *value)
{
    return is(item_of(value), cJSON_String) ? item_of(value)->valuestring : NULL;
}

double json_number(const struct json *value)
{
    return is(item_of(value), cJSON_Number) ? item_of(value)->valuedouble : 0;
}

bool json_bool(const struct json *value)
{
    return is(item_of(value), cJSON_True);
}

const struct json *json_first(const struct json *value)
{
    return value == NULL ? NULL : value_of(item_of(value)->child);
}

const struct json *json_next(const struct json *value)
{
    return value == NULL ? NULL : value_of(item_of(value)->next);
}

const char *json_name(const struct json *value)
{
    return value == NULL ? NULL : item_of(value)->string;
}

size_t json_count(const struct json *value)
{
    return value == NULL ? 0 : (size_t)cJSON_GetArraySize(item_of(value));
}
