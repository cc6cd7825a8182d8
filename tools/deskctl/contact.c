/* `deskctl contact suggestions|merge|split|zone`: contacts that are one person (docs/PROTOCOL.md,
 * merge), and by which clock they are called. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "command.h"
#include "crypto/crypto.h"
#include "mail/address.h"
#include "store/contact_zone.h"
#include "store/merge.h"
#include "yours.h"

#define LIST_DEFAULT 50
#define LIST_MAX     1000
#define TRIES_MAX    8 /* lost races; each waits for its locks */

/* ---- suggestions ---- */

static const struct table_column columns[] = {
    {"at", TABLE_TEXT},      {"tenant", TABLE_TEXT},        {"contact", TABLE_TEXT},
    {"address", TABLE_TEXT}, {"name", TABLE_TEXT},          {"verified", TABLE_TEXT},
    {"other", TABLE_TEXT},   {"other_address", TABLE_TEXT},
};

static int run_suggestions(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct merge_suggestion *rows = NULL;
    struct err err;
    size_t count = 0;
    int64_t limit = LIST_DEFAULT;
    const char *most = words_option(words, "limit");
    if (most != NULL && !text_parse_int(most, 1, LIST_MAX, &limit))
        return desk_usage("--limit must be a number from 1 to %d", LIST_MAX);
    if (desk_begin(desk, &session, &err) != 0 ||
        merge_suggestions(session, desk->arena, words_option(words, "tenant"), limit, &rows, &count,
                          &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_rollback(desk);
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++) {
        const struct merge_suggestion *row = &rows[i];
        const char *cells[] = {row->at,      row->tenant,       row->contact,
                               row->address, row->name,         row->verified ? "yes" : "no",
                               row->other,   row->other_address};
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "nobody seems to be somebody else");
}

/* ---- both ---- */

struct pair {
    const char *tenant_name; /* NULL with ids */
    struct uuid tenant, kept, gone;
    struct merge_address *addresses;
    size_t count;
};

static int not_found(const char *word, struct err *err)
{
    return err_set(err, ERR_PERMANENT, "contact.not_found",
                   "there is no contact \"%.100s\"; an address needs --tenant NAME", word);
}

static int find_pair(struct desk *desk, struct pg_session *session, const struct words *words,
                     struct pair *pair, struct err *err)
{
    struct uuid tenants[2], contacts[2];
    pair->tenant_name = words_option(words, "tenant");
    for (int i = 0; i < 2; i++) {
        bool found = false;
        if (merge_find(session, pair->tenant_name,
                       mail_address_lower(desk->arena, words->operands[i]), &tenants[i],
                       &contacts[i], &found, err) != 0)
            return -1;
        if (!found)
            return not_found(words->operands[i], err);
    }
    if (!uuid_equal(&tenants[0], &tenants[1]))
        return err_set(err, ERR_PERMANENT, "contact.tenants",
                       "they are customers of two businesses");
    pair->tenant = tenants[0];
    pair->kept = contacts[0];
    pair->gone = contacts[1];
    return merge_addresses(session, desk->arena, &pair->tenant, &pair->kept, &pair->gone,
                           &pair->addresses, &pair->count, err);
}

static bool same_pair(const struct pair *a, const struct pair *b)
{
    if (!uuid_equal(&a->kept, &b->kept) || !uuid_equal(&a->gone, &b->gone) || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!uuid_equal(&a->addresses[i].contact, &b->addresses[i].contact) ||
            strcmp(a->addresses[i].kind, b->addresses[i].kind) != 0 ||
            strcmp(a->addresses[i].address, b->addresses[i].address) != 0)
            return false;
    return true;
}

/* By the same bytes as a claim's lock. */
static int lock_pair(struct desk *desk, struct pg_session *session, const struct pair *pair,
                     struct err *err)
{
    const struct secret *key = NULL;
    char tenant[UUID_TEXT_SIZE];
    int64_t *keys = arena_alloc(desk->arena, (pair->count + 1) * sizeof *keys);
    if (desk_key(desk, DESK_KEY_ID, &key, err) != 0)
        return -1;
    uuid_format(&pair->tenant, tenant);
    for (size_t i = 0; i < pair->count; i++) {
        const char *const parts[] = {"address", tenant, pair->addresses[i].kind,
                                     pair->addresses[i].address};
        const struct uuid hash = crypto_ident(key, parts, 4);
        memcpy(&keys[i], hash.bytes, sizeof keys[i]);
    }
    return merge_lock(session, desk->arena, keys, pair->count, err);
}

static int moved(struct err *err)
{
    return err_set(err, ERR_RETRY_NOW, "contact.moved",
                   "somebody is joining or splitting the same contacts: try again");
}

/* The notes are for who is asked. */
static int ask_pair(struct desk *desk, const struct words *words, const struct pair *pair)
{
    for (size_t i = 0; i < pair->count; i++)
        desk_note("%s %s", uuid_equal(&pair->addresses[i].contact, &pair->kept) ? "kept " : "joins",
                  pair->addresses[i].address);
    return words_option(words, "yes") != NULL || desk_confirm(desk, "are these one person?")
               ? DESK_OK
               : desk_usage("nothing was changed; answer the question or add --yes");
}

/* ---- merge ---- */

static int merge_once(struct desk *desk, const struct words *words, struct merge *merge,
                      struct err *err)
{
    struct pg_session *session = NULL;
    struct pair before, now;
    if (desk_begin(desk, &session, err) != 0 || find_pair(desk, session, words, &before, err) != 0)
        return -1;
    *merge = (struct merge){.tenant = before.tenant,
                            .kept = before.kept,
                            .gone = before.gone,
                            .actor = desk_actor(desk)};
    if (uuid_equal(&before.kept, &before.gone))
        return 0;
    if (lock_pair(desk, session, &before, err) != 0 ||
        find_pair(desk, session, words, &now, err) != 0)
        return -1;
    if (!same_pair(&before, &now))
        return moved(err);
    return merge_run(session, desk->arena, merge, err) != 0 ? -1 : desk_commit(desk, err);
}

static int look(struct desk *desk, const struct words *words, struct pair *pair, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0 || find_pair(desk, session, words, pair, err) != 0)
        return -1;
    desk_rollback(desk);
    return 0;
}

static int print_merge(const struct desk *desk, const struct merge *merge, int64_t begun)
{
    char kept[UUID_TEXT_SIZE], gone[UUID_TEXT_SIZE], talk[UUID_TEXT_SIZE];
    const bool is_new = !uuid_equal(&merge->kept, &merge->gone);
    const struct desk_fact facts[] = {
        {"state", is_new ? "merged" : "unchanged", 0},
        {"contact", uuid_format(&merge->kept, kept), 0},
        {"gone", uuid_format(&merge->gone, gone), 0},
        {"conversation",
         uuid_is_nil(&merge->conversation) ? "" : uuid_format(&merge->conversation, talk), 0},
        {"messages", NULL, merge->messages},
        {"held", merge->is_held ? "yes" : "no", 0},
        {"begun", NULL, begun}};
    if (is_new)
        desk_note("one person now; %" PRId64 " messages came into the conversation. `deskctl "
                  "contact split %s` undoes it",
                  merge->messages, gone);
    else
        desk_note("they are one already");
    if (begun > 0)
        desk_note("%" PRId64 " mail(s) had begun to leave before, and may still arrive", begun);
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static int settle_merge(struct desk *desk, const struct merge *merge, int64_t *begun,
                        struct err *err)
{
    const struct conversation_ref ref = {merge->tenant, merge->conversation, merge->actor};
    if (!merge->is_held)
        return 0;
    const bool are_told = yours_stop_calls(desk, &ref, &merge->silent, err) == 0;
    if (!are_told)
        desk_note("a call may hear the assistant for some seconds more: %s", err->message);
    return yours_wait(desk, &ref, are_told, begun, err);
}

static int run_merge(struct desk *desk, const struct words *words)
{
    struct pair pair;
    struct merge merge;
    int64_t begun = 0;
    struct err err;
    if (look(desk, words, &pair, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    const bool same = uuid_equal(&pair.kept, &pair.gone);
    const int answer = same ? DESK_OK : ask_pair(desk, words, &pair);
    if (answer != DESK_OK)
        return answer;
    int rc = -1;
    for (int i = 0; rc != 0 && i < TRIES_MAX; i++) {
        rc = merge_once(desk, words, &merge, &err);
        desk_rollback(desk);
        if (rc != 0 && err.class != ERR_RETRY_NOW)
            break;
    }
    if (rc != 0 || settle_merge(desk, &merge, &begun, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    return print_merge(desk, &merge, begun);
}

/* ---- split ---- */

static int split_once(struct desk *desk, const struct words *words, struct merge_split *split,
                      struct err *err)
{
    struct pg_session *session = NULL;
    struct pair before = {.tenant_name = words_option(words, "tenant")}, now;
    struct merge_split again;
    bool found = false;
    const char *word = mail_address_lower(desk->arena, words->operands[0]);
    if (desk_begin(desk, &session, err) != 0 ||
        merge_split_find(session, before.tenant_name, word, split, &found, err) != 0)
        return -1;
    if (!found)
        return err_set(err, ERR_PERMANENT, "contact.not_found",
                       "\"%.100s\" was not joined with anybody; an address needs --tenant NAME",
                       word);
    split->actor = desk_actor(desk);
    before.tenant = split->tenant;
    before.kept = split->kept;
    before.gone = split->gone;
    if (merge_addresses(session, desk->arena, &before.tenant, &before.kept, &before.gone,
                        &before.addresses, &before.count, err) != 0 ||
        lock_pair(desk, session, &before, err) != 0)
        return -1;
    now = before;
    if (merge_split_find(session, before.tenant_name, word, &again, &found, err) != 0 ||
        merge_addresses(session, desk->arena, &now.tenant, &now.kept, &now.gone, &now.addresses,
                        &now.count, err) != 0)
        return -1;
    if (!found || !uuid_equal(&again.id, &split->id) || !same_pair(&before, &now))
        return moved(err);
    return merge_split_run(session, desk->arena, split, err) != 0 ? -1 : desk_commit(desk, err);
}

static int run_split(struct desk *desk, const struct words *words)
{
    char kept[UUID_TEXT_SIZE], gone[UUID_TEXT_SIZE];
    struct merge_split split;
    struct err err;
    if (!uuid_parse(words->operands[0], &split.gone) && words_option(words, "tenant") == NULL)
        return desk_usage("an address needs --tenant NAME");
    if (words_option(words, "yes") == NULL && !desk_confirm(desk, "make two people of them again?"))
        return desk_usage("nothing was changed; answer the question or add --yes");
    int rc = -1;
    for (int i = 0; rc != 0 && i < TRIES_MAX; i++) {
        rc = split_once(desk, words, &split, &err);
        desk_rollback(desk);
        if (rc != 0 && err.class != ERR_RETRY_NOW)
            break;
    }
    if (rc != 0)
        return desk_fail(&err);
    const struct desk_fact facts[] = {{"state", "split", 0},
                                      {"contact", uuid_format(&split.gone, gone), 0},
                                      {"kept", uuid_format(&split.kept, kept), 0},
                                      {"conversations", NULL, split.conversations}};
    desk_note("two people again; %" PRId64 " conversations went with the one", split.conversations);
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

/* ---- zone ---- */

static int run_zone(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct err err;
    const char *tenant = words_option(words, "tenant");
    const char *zone = words->count > 1 ? words->operands[1] : "";
    if (tenant == NULL)
        return desk_usage("a number needs --tenant NAME");
    if (desk_begin(desk, &session, &err) != 0 ||
        contact_zone_set(session, tenant, words->operands[0], zone, &err) != 0 ||
        desk_commit(desk, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    const struct desk_fact facts[] = {{"zone", zone, 0}};
    desk_note("called by the clock of %s", zone[0] != '\0' ? zone : "the business");
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static const struct option list_options[] = {
    {"tenant", "NAME", "only of this tenant"},
    {"limit", "N", "at most so many, 1-1000 (default 50)"},
    {NULL, NULL, NULL},
};
static const struct option pair_options[] = {
    {"tenant", "NAME", "whose customers they are; addresses need it, ids do not"},
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

static const struct option zone_options[] = {
    {"tenant", "NAME", "whose customer it is"},
    {NULL, NULL, NULL},
};

const struct command command_contact[] = {
    {"contact suggestions", "", "who wrote to the signed address of somebody else's conversation",
     "Perhaps the same person with another address: `deskctl contact merge` makes them one.",
     list_options, 0, 0, run_suggestions},
    {"contact merge", "KEPT OTHER", "two contacts are one person: join them",
     "Each is an id, a number or a mail address. Their open conversations become one thread, "
     "which\n"
     "whoever holds one of them holds whole; who opted out at one address has at all of the same\n"
     "kind. `deskctl contact split` undoes it.",
     pair_options, 2, 2, run_merge},
    {"contact split", "OTHER", "undo a merge: what was said with the other's addresses goes back",
     "OTHER is the id or an address of the one that joined. The latest merge of it is undone.",
     pair_options, 1, 1, run_split},
    {"contact zone", "NUMBER [ZONE]", "by which clock somebody is called back",
     "A zone like America/New_York; none: the business's.", zone_options, 1, 2, run_zone},
    {.words = NULL},
};
