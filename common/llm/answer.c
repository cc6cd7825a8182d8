/* What all dialects share of an answer as it grows, from the bytes of an event to the verdict.
 * llm.c calls it; chat.c, gemini.c and anthropic.c know the members, calls.c keeps the calls of
 * tools. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "llm/llm_inside.h"

static const struct llm_wire *const wires[] = {[LLM_CHAT] = &llm_wire_chat,
                                               [LLM_GEMINI] = &llm_wire_gemini,
                                               [LLM_ANTHROPIC] = &llm_wire_anthropic};

const struct llm_wire *llm_wire_of(enum llm_dialect dialect)
{
    return wires[dialect];
}

bool llm_dialect_named(const char *name, enum llm_dialect *dialect)
{
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (strcmp(wires[i]->name, name) == 0) {
            *dialect = (enum llm_dialect)i;
            return true;
        }
    return false;
}

void llm_answer_init(struct llm_answer *answer, size_t text_max_bytes)
{
    *answer = (struct llm_answer){.finish = LLM_OTHER,
                                  .tokens_in = -1,
                                  .tokens_out = -1,
                                  .tokens_cached = -1,
                                  .tokens_written = -1,
                                  .other_block = INT64_MIN};
    strbuf_init(&answer->text, text_max_bytes);
}

void llm_answer_fini(struct llm_answer *answer)
{
    strbuf_fini(&answer->text);
    free(answer->signer);
    llm_calls_free(&answer->calls);
}

int llm_answer_add_text(struct llm_answer *answer, const char *text, struct err *err)
{
    if (text != NULL)
        strbuf_add_text(&answer->text, text);
    answer->alive |= answer->text.length > 0;
    return answer->text.overflow
               ? err_set(err, ERR_FALL_BACK, "llm.too_long_answer",
                         "the answer is longer than %zu bytes", answer->text.length)
               : 0;
}

void llm_answer_keep(char name[LLM_NAME_MAX], const char *value)
{
    if (value != NULL && name[0] == '\0')
        memcpy(name, value, text_utf8_prefix(value, LLM_NAME_MAX - 1));
}

int llm_answer_finish(struct llm_answer *answer, const struct llm_finish_word *words, size_t count,
                      const char *word, struct err *err)
{
    if (word == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].word, word) != 0)
            continue;
        if (words[i].kind == FINISH_TOO_LONG)
            return err_set(err, ERR_FALL_BACK, "llm.too_long", "the model's window is full");
        if (words[i].kind == FINISH_BROKEN)
            return err_set(err, ERR_RETRY_LATER, "llm.unavailable",
                           "the provider gave up inside its answer");
        answer->finish = words[i].finish;
    }
    answer->finished = true;
    return 0;
}

static int take_document(struct llm_answer *answer, const struct llm_wire *wire,
                         const struct json *document, struct err *err)
{
    struct llm_fault fault = {.status = 200};
    if (llm_fault_read(document, &fault))
        return llm_classify(&fault, err);
    if (json_type(document) != JSON_OBJECT)
        return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer is no JSON object");
    return wire->take(answer, document, err);
}

int llm_answer_take(struct llm_answer *answer, const struct llm_wire *wire, const char *bytes,
                    size_t length, struct err *err)
{
    if (length == 6 && memcmp(bytes, "[DONE]", 6) == 0) {
        answer->done = true;
        return 0;
    }
    struct json *document = NULL;
    struct err why;
    if (json_parse(bytes, length, &document, &why) != 0)
        return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer is no JSON (%s)", why.code);
    int result = take_document(answer, wire, document, err);
    json_free(&document);
    return result;
}

enum llm_finish llm_answer_finish_of(const struct llm_answer *answer)
{
    size_t calls;
    (void)llm_calls_complete(answer, &calls);
    bool cut_call = answer->offered && answer->finish == LLM_LENGTH && calls == 0;
    if (answer->refused)
        return LLM_FILTERED;
    return answer->tools && !cut_call ? LLM_TOOL_CALLS : answer->finish;
}

int llm_answer_judge(struct llm_answer *answer, bool cut, struct err *err)
{
    size_t calls;
    if (answer->refused || answer->finish == LLM_FILTERED)
        return err_set(err, ERR_PERMANENT, "llm.filtered", "the model declined to answer");
    if (!answer->finished && !answer->done) {
        if (!answer->recognised && !cut)
            return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer holds no chunk");
        return err_set(err, ERR_RETRY_LATER, "llm.truncated", "the answer ended in the middle");
    }
    if (llm_calls_settle(answer, err) != 0)
        return -1;
    (void)llm_calls_complete(answer, &calls);
    if (answer->offered && calls > 0)
        return 0;
    if (answer->offered && llm_calls_begun(answer) > 0) /* its text only announces the call */
        return err_set(err, ERR_FALL_BACK, "llm.empty",
                       "the limit of its length cut the answer inside a call: raise max_tokens");
    if (llm_is_blank(answer->text.data))
        return err_set(err, ERR_FALL_BACK, "llm.empty", "the answer holds no text");
    return 0;
}
