/* A business, contexts and prompts for the tests of prompts. */
#ifndef PROMPT_RIG_H
#define PROMPT_RIG_H

#include "base/strbuf.h"
#include "prompt/prompt.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

static const struct rounds no_rounds = {.count = 0};

static const struct profile dentist = {.business = "Dental",
                                       .timezone = "Europe/Berlin",
                                       .language = "de",
                                       .persona = "kind",
                                       .facts = "Open 9-17",
                                       .tone = ""};
static const struct workflow no_workflow = {.timezone = "Europe/Berlin"};

static struct arena *arena;

static int open_arena(void)
{
    arena = arena_new();
    return 0;
}

static int close_arena(void)
{
    arena_free(&arena);
    return 0;
}

static inline struct prompt build(const struct prompt_parts *given)
{
    struct prompt_parts parts = *given;
    struct prompt prompt = {.count = 0};
    struct prompt_fixed fixed;
    struct err err;
    prompt_fix(arena, &dentist, &no_workflow, &fixed);
    parts.fixed = &fixed;
    parts.rounds = parts.rounds != NULL ? parts.rounds : &no_rounds;
    CU_ASSERT_EQUAL_FATAL(prompt_build(arena, &parts, &prompt, &err), 0);
    return prompt;
}

/* A conversation of so many messages from position `first` on, the customer's and the AI's in turn,
 * each of `size` bytes with its position in front, and behind them one text to be answered. */
static const char *talk(int first, int count, int size)
{
    struct strbuf out;
    strbuf_init(&out, 8 << 20);
    strbuf_add_char(&out, '[');
    for (int i = first; i < first + count; i++)
        strbuf_printf(&out, "{\"position\":%d,\"author\":\"%s\",\"text\":\"%-*d\",\"open\":false},",
                      i, i % 2 == 0 ? "contact" : "ai", size, i);
    strbuf_printf(&out,
                  "{\"position\":%d,\"author\":\"contact\",\"text\":\"newest\",\"open\":true}]",
                  first + count);
    const char *text = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return text;
}

#endif
