/* The calls of tools in an answer, as pieces of them come: keyed by index, by id or by place, since
 * vendors differ in what they leave out. All of it was written by a model: bounded here, judged by
 * whoever runs the tools. The dialects and answer.c call it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "llm/llm_inside.h"

#define SIGNATURES_MAX ((size_t)64 << 10) /* of all calls of an answer, in bytes */

struct draft {
    int64_t index; /* or LLM_INDEX_NONE */
    char id[LLM_NAME_MAX], name[LLM_NAME_MAX];
    struct strbuf arguments;
    char *signature; /* owned, or NULL */
};

struct llm_calls {
    struct draft drafts[LLM_CALLS_MAX];
    size_t begun, argument_bytes, signature_bytes;
    struct llm_tool_call complete[LLM_CALLS_MAX];
    size_t count;
};

/* ---- life ---- */

void llm_calls_expect(struct llm_answer *answer, const struct llm_request *request)
{
    answer->offered = request->tool_count > 0;
    if (!answer->offered || !llm_wire_of(request->dialect)->signs)
        return;
    struct strbuf signer;
    strbuf_init(&signer, SIGNATURES_MAX);
    llm_signer_write(request, &signer);
    answer->signer = strbuf_take(&signer);
}

void llm_calls_free(struct llm_calls **calls)
{
    for (size_t i = 0; *calls != NULL && i < (*calls)->begun; i++) {
        strbuf_fini(&(*calls)->drafts[i].arguments);
        free((*calls)->drafts[i].signature);
    }
    free(*calls);
    *calls = NULL;
}

static int nonsense(struct err *err, const char *what)
{
    return err_set(err, ERR_FALL_BACK, "llm.nonsense", "%s", what);
}

/* What cannot be used counts only if tools were offered. */
static int give_up(struct llm_answer *answer)
{
    if (answer->offered)
        return -1;
    llm_calls_free(&answer->calls);
    answer->deaf = true;
    return 0;
}

/* ---- pieces ---- */

int64_t llm_piece_index(const struct json *object)
{
    int64_t index = LLM_INDEX_WRONG;
    if (json_member(object, "index") == NULL)
        return LLM_INDEX_NONE;
    json_member_int(object, "index", 0, INT32_MAX, &index);
    return index;
}

/* Some vendors give several calls one index (each comes whole, with a name and an id of its own),
 * some give each piece of one call another id (but only the first a name). */
static bool is_another(const struct draft *draft, const char *id, const char *name)
{
    if (name[0] == '\0' || draft->name[0] == '\0')
        return false;
    return id[0] != '\0' && draft->id[0] != '\0' ? strcmp(id, draft->id) != 0
                                                 : strcmp(name, draft->name) != 0;
}

/* The call that a piece goes on with, or NULL. Without an index it is the one of that id, and a
 * piece without a name goes on with the last one. */
static struct draft *find(struct llm_calls *calls, int64_t index, const char *id, const char *name)
{
    for (size_t i = calls->begun; i-- > 0;) {
        struct draft *draft = &calls->drafts[i];
        bool same = index >= 0      ? draft->index == index
                    : id[0] != '\0' ? strcmp(draft->id, id) == 0
                                    : name[0] == '\0';
        if (same)
            return is_another(draft, id, name) ? NULL : draft;
    }
    return NULL;
}

static bool is_known(const struct llm_calls *calls, int64_t index)
{
    for (size_t i = 0; i < calls->begun; i++)
        if (index >= 0 && calls->drafts[i].index == index)
            return true;
    return false;
}

static struct draft *begin(struct llm_calls *calls, int64_t index)
{
    struct draft *draft = &calls->drafts[calls->begun++];
    draft->index = index;
    strbuf_init(&draft->arguments, LLM_ARGUMENTS_MAX);
    return draft;
}

static int add_arguments(struct llm_calls *calls, struct draft *draft,
                         const struct llm_piece *piece, struct err *err)
{
    size_t before = draft->arguments.length;
    if (piece->arguments != NULL)
        strbuf_add_text(&draft->arguments, piece->arguments);
    if (piece->value != NULL)
        json_print(piece->value, &draft->arguments);
    calls->argument_bytes += draft->arguments.length - before;
    return draft->arguments.overflow || calls->argument_bytes > LLM_ARGUMENTS_MAX
               ? nonsense(err, "the arguments of the model's calls are huge")
               : 0;
}

static int add_signature(struct llm_answer *answer, struct draft *draft, const char *signature,
                         struct err *err)
{
    if (answer->signer == NULL || draft->signature != NULL)
        return 0;
    struct strbuf text;
    strbuf_init(&text, SIGNATURES_MAX);
    strbuf_add_text(&text, answer->signer);
    strbuf_add_text(&text, signature != NULL ? signature : "");
    bool fits = !text.overflow;
    answer->calls->signature_bytes += text.length;
    draft->signature = strbuf_take(&text);
    return fits && answer->calls->signature_bytes <= SIGNATURES_MAX
               ? 0
               : nonsense(err, "the signatures of the model's calls are huge");
}

static int take_piece(struct llm_answer *answer, const struct llm_piece *piece, struct err *err)
{
    struct llm_calls *calls = answer->calls;
    char id[LLM_NAME_MAX] = "";
    const char *name = piece->name != NULL ? piece->name : "";
    llm_answer_keep(id, piece->id);
    bool begins = piece->how == LLM_PIECE_BEGINS;
    struct draft *draft = begins ? NULL : find(calls, piece->index, id, name);
    if (piece->index == LLM_INDEX_WRONG || (begins && is_known(calls, piece->index)) ||
        (draft == NULL && piece->how == LLM_PIECE_FOLLOWS))
        return nonsense(err, "the model's calls are numbered in a way that makes no sense");
    if (draft == NULL && calls->begun == LLM_CALLS_MAX)
        return nonsense(err, "the model calls too many tools at once");
    if (strlen(name) >= LLM_NAME_MAX)
        return nonsense(err, "the model calls a tool by an endless name");
    if (draft == NULL)
        draft = begin(calls, piece->index);
    llm_answer_keep(draft->id, id);
    llm_answer_keep(draft->name, name);
    return add_arguments(calls, draft, piece, err) != 0
               ? -1
               : add_signature(answer, draft, piece->signature, err);
}

int llm_calls_take(struct llm_answer *answer, const struct llm_piece *piece, struct err *err)
{
    answer->tools |= piece->how != LLM_PIECE_FOLLOWS;
    answer->alive = true;
    if (answer->deaf)
        return 0;
    if (answer->calls == NULL)
        answer->calls = xcalloc(1, sizeof *answer->calls);
    return take_piece(answer, piece, err) == 0 ? 0 : give_up(answer);
}

/* ---- the end ---- */

static bool is_id_of_another(const struct llm_calls *calls, const char *id)
{
    for (size_t i = 0; i < calls->count; i++)
        if (strcmp(calls->complete[i].id, id) == 0)
            return true;
    return false;
}

static void name_by_place(const struct llm_calls *calls, struct draft *draft)
{
    size_t place = calls->count + 1;
    do {
        snprintf(draft->id, sizeof draft->id, "call-%zu", place);
        place += LLM_CALLS_MAX;
    } while (is_id_of_another(calls, draft->id));
}

static void complete(struct llm_calls *calls, struct draft *draft)
{
    if (draft->id[0] == '\0' || is_id_of_another(calls, draft->id))
        name_by_place(calls, draft);
    calls->complete[calls->count++] = (struct llm_tool_call){
        .id = draft->id,
        .name = draft->name,
        .arguments = draft->arguments.length > 0 ? draft->arguments.data : "{}",
        .signature = draft->signature};
}

/* An answer that was cut at its limit ends inside a call or behind one. No beginning of an object's
 * text is an object, so this tells them apart. */
static bool is_cut(const struct llm_answer *answer, const struct draft *draft)
{
    enum json_type type;
    return answer->finish == LLM_LENGTH &&
           !(llm_is_json(draft->arguments.data, &type) && type == JSON_OBJECT);
}

int llm_calls_settle(struct llm_answer *answer, struct err *err)
{
    struct llm_calls *calls = answer->calls;
    for (size_t i = 0; calls != NULL && i < calls->begun; i++) {
        struct draft *draft = &calls->drafts[i];
        if (is_cut(answer, draft))
            continue;
        if (draft->name[0] == '\0') {
            calls->count = 0;
            nonsense(err, "the model calls a tool without a name");
            return give_up(answer);
        }
        complete(calls, draft);
    }
    return 0;
}

const struct llm_tool_call *llm_calls_complete(const struct llm_answer *answer, size_t *count)
{
    *count = answer->calls != NULL ? answer->calls->count : 0;
    return *count > 0 ? answer->calls->complete : NULL;
}

size_t llm_calls_bytes(const struct llm_answer *answer)
{
    return answer->calls != NULL ? answer->calls->argument_bytes : 0;
}

size_t llm_calls_begun(const struct llm_answer *answer)
{
    return answer->calls != NULL ? answer->calls->begun : 0;
}
