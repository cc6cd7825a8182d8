/* Arena allocator: a list of blocks, the newest in front; a request larger than a block gets one of
 * its own. Used per webhook, claim batch, turn and delivery. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 4 KiB keeps a plain turn in one block and stays far from malloc's mmap threshold. */
#define BLOCK_BYTES 4064
#define PRINT_BYTES 256

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct block *blocks;
};

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

static void drop_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_free(struct arena **arena)
{
    if (*arena == NULL)
        return;
    drop_blocks((*arena)->blocks);
    free(*arena);
    *arena = NULL;
}

void arena_reset(struct arena *arena)
{
    struct block *keep = arena->blocks;
    while (keep != NULL && keep->size != BLOCK_BYTES) {
        struct block *next = keep->next;
        free(keep);
        keep = next;
    }
    if (keep != NULL) {
        drop_blocks(keep->next);
        keep->next = NULL;
        keep->used = 0;
    }
    arena->blocks = keep;
}

static struct block *block_for(struct arena *arena, size_t size_bytes)
{
    struct block *head = arena->blocks;
    if (head != NULL && head->size - head->used >= size_bytes)
        return head;
    size_t size = size_bytes > BLOCK_BYTES ? size_bytes : BLOCK_BYTES;
    struct block *block = xmalloc(sizeof *block + size);
    block->size = size;
    block->used = 0;
    if (head != NULL && size > BLOCK_BYTES) {
        /* A big one goes behind the head, whose free room stays usable. */
        block->next = head->next;
        head->next = block;
    } else {
        block->next = head;
        arena->blocks = block;
    }
    return block;
}

/* Memory as it is. */
static void *take(struct arena *arena, size_t size_bytes)
{
    const size_t align = alignof(max_align_t);
    if (size_bytes > SIZE_MAX / 2)
        abort();
    size_t rounded = (size_bytes + align - 1) / align * align;
    struct block *block = block_for(arena, rounded);
    void *ptr = block->data + block->used;
    block->used += rounded;
    return ptr;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    return memset(take(arena, size_bytes), 0, size_bytes);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = take(arena, length + 1);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    char few[PRINT_BYTES]; /* most texts fit, and are formatted only once */
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(few, sizeof few, format, args);
    va_end(args);
    if (length < 0)
        abort();
    char *text = take(arena, (size_t)length + 1);
    if ((size_t)length < sizeof few)
        memcpy(text, few, (size_t)length + 1);
    else
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
