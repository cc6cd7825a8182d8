/* IMAP responses as trees. One pass over the bytes, recursion only into lists and bounded. The
 * session calls it for each response. */
#include "mail/imap_parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"

struct scan {
    struct arena *arena;
    const char *at, *end;
    size_t nodes;
};

static const struct imap_node *parse_nodes(struct scan *scan, char closing, int depth, bool *bad);

/* ---- nodes ---- */

static struct imap_node *add(struct scan *scan, enum imap_node_kind kind, const char *text,
                             size_t length)
{
    struct imap_node *node = arena_alloc(scan->arena, sizeof *node);
    *node = (struct imap_node){.kind = kind, .text = text, .length = length};
    return node;
}

static struct imap_node *parse_quoted(struct scan *scan)
{
    const char *end = scan->at + 1;
    for (; end < scan->end && *end != '"'; end++)
        if (*end == '\\' && ++end == scan->end)
            return NULL;
    if (end == scan->end)
        return NULL;
    char *text = arena_alloc(scan->arena, (size_t)(end - scan->at));
    size_t length = 0;
    for (const char *p = scan->at + 1; p < end; p++) {
        if (*p == '\r' || *p == '\n')
            return NULL;
        if (*p == '\\')
            p++;
        text[length++] = *p;
    }
    scan->at = end + 1;
    return add(scan, IMAP_STRING, text, length);
}

/* The reader has counted it already, but the tree shall not depend on that. */
static struct imap_node *parse_literal(struct scan *scan)
{
    char digits[12];
    int64_t size;
    const char *close = memchr(scan->at, '}', (size_t)(scan->end - scan->at));
    size_t count = close != NULL ? (size_t)(close - scan->at) - 1 : sizeof digits;
    if (count >= sizeof digits)
        return NULL;
    memcpy(digits, scan->at + 1, count);
    digits[count] = '\0';
    const char *bytes = close + 1;
    if (bytes < scan->end && *bytes == '\r')
        bytes++;
    if (bytes >= scan->end || *bytes != '\n' || !text_parse_int(digits, 0, UINT32_MAX, &size) ||
        size > scan->end - bytes - 1)
        return NULL;
    scan->at = bytes + 1 + size;
    return add(scan, IMAP_STRING, bytes + 1, (size_t)size);
}

static bool ends_atom(char c, char closing)
{
    return (unsigned char)c <= ' ' || c == 127 || c == '(' || c == ')' || c == '"' || c == '{' ||
           (c == ']' && closing == ']');
}

/* "BODY[HEADER.FIELDS (DATE)]<0>" is one atom. */
static struct imap_node *parse_atom(struct scan *scan, char closing)
{
    const char *start = scan->at;
    while (scan->at < scan->end && !ends_atom(*scan->at, closing)) {
        if (*scan->at == '[') {
            const char *close = memchr(scan->at, ']', (size_t)(scan->end - scan->at));
            if (close == NULL || memchr(scan->at, '\n', (size_t)(close - scan->at)) != NULL)
                return NULL;
            scan->at = close;
        }
        scan->at++;
    }
    size_t length = (size_t)(scan->at - start);
    return length > 0 ? add(scan, IMAP_ATOM, arena_strndup(scan->arena, start, length), length)
                      : NULL;
}

static struct imap_node *parse_list(struct scan *scan, int depth)
{
    bool bad = false;
    struct imap_node *node = add(scan, IMAP_LIST, "", 0);
    scan->at++;
    node->first = parse_nodes(scan, ')', depth + 1, &bad);
    return bad ? NULL : node;
}

static struct imap_node *parse_node(struct scan *scan, char closing, int depth)
{
    switch (*scan->at) {
    case '(':
        return parse_list(scan, depth);
    case '"':
        return parse_quoted(scan);
    case '~': /* literal8, RFC 3516 */
        if (scan->end - scan->at > 1 && scan->at[1] == '{')
            scan->at++;
        return *scan->at == '{' ? parse_literal(scan) : parse_atom(scan, closing);
    case '{':
        return parse_literal(scan);
    default:
        return parse_atom(scan, closing);
    }
}

/* Nodes up to `closing`, which is taken, or to the end of the bytes if it is NUL. Spaces between
 * them may be missing or too many: some servers write "()(" or a space at the end. */
static const struct imap_node *parse_nodes(struct scan *scan, char closing, int depth, bool *bad)
{
    const struct imap_node *first = NULL;
    struct imap_node *last = NULL;
    while (!*bad) {
        while (scan->at < scan->end && *scan->at == ' ')
            scan->at++;
        if (scan->at == scan->end || (closing != '\0' && *scan->at == closing)) {
            *bad = (scan->at == scan->end) != (closing == '\0');
            scan->at += !*bad && closing != '\0';
            break;
        }
        struct imap_node *node = depth < IMAP_DEPTH_MAX && ++scan->nodes <= IMAP_NODES_MAX
                                     ? parse_node(scan, closing, depth)
                                     : NULL;
        *bad = node == NULL;
        if (last != NULL)
            last->next = node;
        else
            first = node;
        last = node;
    }
    return *bad ? NULL : first;
}

/* ---- responses ---- */

static const struct {
    const char *name;
    enum imap_status status;
} statuses[] = {
    {"OK", IMAP_OK},   {"NO", IMAP_NO},           {"BAD", IMAP_BAD},
    {"BYE", IMAP_BYE}, {"PREAUTH", IMAP_PREAUTH},
};

static enum imap_status status_of(const char *name)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (strcasecmp(name, statuses[i].name) == 0)
            return statuses[i].status;
    return IMAP_DATA;
}

/* A word without spaces, and the space behind it. */
static const char *take_word(struct scan *scan)
{
    const char *space = memchr(scan->at, ' ', (size_t)(scan->end - scan->at));
    const char *end = space != NULL ? space : scan->end;
    const char *word = arena_strndup(scan->arena, scan->at, (size_t)(end - scan->at));
    scan->at = space != NULL ? space + 1 : scan->end;
    return word;
}

static const char *rest_of(struct scan *scan)
{
    return arena_strndup(scan->arena, scan->at, (size_t)(scan->end - scan->at));
}

static void parse_status(struct scan *scan, struct imap_response *out)
{
    bool bad = false;
    if (scan->at < scan->end && *scan->at == '[') {
        const char *start = scan->at++;
        out->code = parse_nodes(scan, ']', 0, &bad);
        if (bad)
            scan->at = start; /* it is text then */
        else if (scan->at < scan->end && *scan->at == ' ')
            scan->at++;
    }
    out->text = rest_of(scan);
}

static const char *upper(struct arena *arena, const char *word)
{
    char *copy = arena_strdup(arena, word);
    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return copy;
}

static int parse_data(struct scan *scan, const char *word, struct imap_response *out,
                      struct err *err)
{
    int64_t number;
    bool bad = false;
    out->has_number = text_parse_int(word, 0, UINT32_MAX, &number);
    if (out->has_number) {
        out->number = (uint32_t)number;
        word = take_word(scan);
    }
    out->name = upper(scan->arena, word);
    out->data = parse_nodes(scan, '\0', 0, &bad);
    if (bad || out->name[0] == '\0')
        return err_set(err, ERR_RETRY_LATER, "imap.syntax", "the server sent what is no response");
    return 0;
}

int imap_parse(struct arena *arena, const char *bytes, size_t length, struct imap_response *out,
               struct err *err)
{
    struct scan scan = {.arena = arena, .at = bytes, .end = bytes + length};
    struct imap_response made = {.tag = "", .text = "", .name = ""};
    if (length > 0 && bytes[0] == '+') {
        scan.at += length > 1 && bytes[1] == ' ' ? 2 : 1;
        made.kind = IMAP_CONTINUE;
        made.text = rest_of(&scan);
        *out = made;
        return 0;
    }
    made.tag = take_word(&scan);
    made.kind = strcmp(made.tag, "*") == 0 ? IMAP_UNTAGGED : IMAP_TAGGED;
    const char *word = take_word(&scan);
    made.status = status_of(word);
    if (made.status != IMAP_DATA)
        parse_status(&scan, &made);
    else if (made.kind == IMAP_TAGGED)
        return err_set(err, ERR_RETRY_LATER, "imap.syntax", "the server sent what is no response");
    else if (parse_data(&scan, word, &made, err) != 0)
        return -1;
    *out = made;
    return 0;
}

/* ---- reading the tree ---- */

bool imap_node_is(const struct imap_node *node, const char *text)
{
    return node != NULL && node->kind != IMAP_LIST && node->length == strlen(text) &&
           strncasecmp(node->text, text, node->length) == 0;
}

bool imap_node_number(const struct imap_node *node, int64_t min, int64_t max, int64_t *value)
{
    return node != NULL && node->kind == IMAP_ATOM && text_parse_int(node->text, min, max, value);
}

const struct imap_node *imap_pair(const struct imap_node *first, const char *key)
{
    size_t length = strlen(key);
    for (const struct imap_node *node = first; node != NULL && node->next != NULL;
         node = node->next->next)
        if (node->kind == IMAP_ATOM && strncasecmp(node->text, key, length) == 0 &&
            (node->text[length] == '\0' || node->text[length] == '<'))
            return node->next;
    return NULL;
}

bool imap_node_time(const struct imap_node *node, int64_t *wall_ms)
{
    char text[32];
    if (node == NULL || node->kind != IMAP_STRING || node->length >= sizeof text ||
        node->length < 12)
        return false;
    memcpy(text, node->text, node->length);
    text[node->length] = '\0';
    if (text[2] != '-' || text[6] != '-')
        return false;
    text[2] = text[6] = ' ';
    return clock_parse_rfc2822(text, wall_ms, NULL) == 0;
}
