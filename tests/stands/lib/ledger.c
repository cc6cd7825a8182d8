/*
 * The ledger: fixed-size entries in blocks and their texts in other blocks, so that adding one is a
 * copy and two million of them stay affordable. Called by app.c for requests and by the Twilio
 * stand-in for the callbacks it sends.
 */
#include "stands/lib/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ENTRIES_PER_BLOCK = 4096, TEXT_BLOCK = 1024 * 1024 };

struct entry {
    double time_ms;
    const char *method;
    const char *text; /* path, NUL, params, NUL */
    const char *sid;
    uint16_t status;
    uint8_t outcome;
};

struct text_block {
    struct text_block *next;
    size_t used, size;
    char data[];
};

struct stand_ledger {
    size_t max, count, dropped;
    uint32_t epoch;
    struct entry **blocks;
    size_t block_count;
    struct text_block *texts;
};

static const char *const outcome_names[STAND_OUTCOMES] = {
    [STAND_OPEN] = "open",       [STAND_ANSWERED] = "answered",
    [STAND_CUT] = "cut",         [STAND_LOST] = "lost",
    [STAND_HUNG] = "hung",       [STAND_STALLED] = "stalled",
    [STAND_REFUSED] = "refused", [STAND_CLIENT_GONE] = "client_gone",
    [STAND_FAILED] = "failed",
};

const char *stand_outcome_name(enum stand_outcome outcome)
{
    return outcome_names[outcome];
}

struct stand_ledger *stand_ledger_new(size_t max)
{
    struct stand_ledger *ledger = stand_alloc(sizeof *ledger);
    ledger->max = max;
    ledger->epoch = 1;
    ledger->blocks = stand_alloc((max / ENTRIES_PER_BLOCK + 1) * sizeof(struct entry *));
    return ledger;
}

void stand_ledger_reset(struct stand_ledger *ledger)
{
    for (size_t i = 0; i < ledger->block_count; i++)
        free(ledger->blocks[i]);
    for (struct text_block *block = ledger->texts, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    ledger->texts = NULL;
    ledger->block_count = ledger->count = ledger->dropped = 0;
    ledger->epoch++;
}

void stand_ledger_free(struct stand_ledger **ledger)
{
    if (!*ledger)
        return;
    stand_ledger_reset(*ledger);
    free((*ledger)->blocks);
    free(*ledger);
    *ledger = NULL;
}

/* Room for `len` bytes that stays until the next reset. */
static char *text_room(struct stand_ledger *ledger, size_t len)
{
    struct text_block *block = ledger->texts;
    if (!block || block->size - block->used < len) {
        size_t size = len > TEXT_BLOCK ? len : TEXT_BLOCK;
        block = malloc(sizeof *block + size); /* not cleared: it is touched only as it fills */
        if (!block)
            abort();
        *block = (struct text_block){.next = ledger->texts, .size = size};
        ledger->texts = block;
    }
    char *room = block->data + block->used;
    block->used += len;
    return room;
}

static struct entry *entry_at(const struct stand_ledger *ledger, size_t index)
{
    return &ledger->blocks[index / ENTRIES_PER_BLOCK][index % ENTRIES_PER_BLOCK];
}

uint64_t stand_ledger_add(struct stand_ledger *ledger, const char *method, const char *path,
                          const char *params)
{
    if (ledger->count == ledger->max) {
        ledger->dropped++;
        return 0;
    }
    if (ledger->count == ledger->block_count * ENTRIES_PER_BLOCK)
        ledger->blocks[ledger->block_count++] =
            stand_alloc(ENTRIES_PER_BLOCK * sizeof(struct entry));
    size_t path_len = strlen(path) + 1;
    size_t params_len = strlen(params) + 1;
    char *text = text_room(ledger, path_len + params_len);
    memcpy(text, path, path_len);
    memcpy(text + path_len, params, params_len);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct entry *entry = entry_at(ledger, ledger->count);
    entry->time_ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
    entry->method = method;
    entry->text = text;
    return (uint64_t)ledger->epoch << 32 | ++ledger->count;
}

/* The entry of an id, or NULL when it is void. */
static struct entry *find(struct stand_ledger *ledger, uint64_t id)
{
    size_t seq = id & 0xffffffffU;
    if (id >> 32 != ledger->epoch || seq == 0 || seq > ledger->count)
        return NULL;
    return entry_at(ledger, seq - 1);
}

void stand_ledger_settle(struct stand_ledger *ledger, uint64_t id, int status,
                         enum stand_outcome outcome)
{
    struct entry *entry = find(ledger, id);
    if (!entry)
        return;
    entry->status = (uint16_t)status;
    entry->outcome = (uint8_t)outcome;
}

void stand_ledger_sid(struct stand_ledger *ledger, uint64_t id, const char *sid)
{
    struct entry *entry = find(ledger, id);
    if (!entry)
        return;
    size_t len = strlen(sid) + 1;
    char *room = text_room(ledger, len);
    memcpy(room, sid, len);
    entry->sid = room;
}

size_t stand_ledger_count(const struct stand_ledger *ledger)
{
    return ledger->count;
}

size_t stand_ledger_dropped(const struct stand_ledger *ledger)
{
    return ledger->dropped;
}

uint32_t stand_ledger_epoch(const struct stand_ledger *ledger)
{
    return ledger->epoch;
}

void stand_ledger_view(const struct stand_ledger *ledger, size_t seq,
                       struct stand_ledger_view *view)
{
    const struct entry *entry = entry_at(ledger, seq - 1);
    *view = (struct stand_ledger_view){.time_ms = entry->time_ms,
                                       .method = entry->method,
                                       .path = entry->text,
                                       .params = entry->text + strlen(entry->text) + 1,
                                       .sid = entry->sid};
}

void stand_ledger_json(const struct stand_ledger *ledger, size_t seq, struct stand_buf *out)
{
    const struct entry *entry = entry_at(ledger, seq - 1);
    stand_buf_printf(out, "{\"seq\":%zu,\"time\":%.3f,\"method\":\"%s\",\"path\":", seq,
                     entry->time_ms, entry->method);
    stand_buf_json_text(out, entry->text);
    stand_buf_puts(out, ",\"params\":");
    stand_buf_puts(out, entry->text + strlen(entry->text) + 1);
    stand_buf_printf(out, ",\"status\":%d,\"outcome\":\"%s\",\"sid\":", entry->status,
                     outcome_names[entry->outcome]);
    stand_buf_json_text(out, entry->sid);
    stand_buf_puts(out, "}");
}
