/* New refresh tokens of mailboxes, into the database. The mailpoller and the responder, which buy
 * access tokens, have one of these for each loop. */
#include "service/mailbox_token.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "mail/login.h"
#include "service/log.h"
#include "store/credential.h"
#include "store/mailbox.h"

#define UNIT_MS  10000
#define AGAIN_MS 500

struct owner {
    struct uuid tenant;
    char *last; /* the login that was written last, wrapped; NULL: none yet */
};

struct keeping {
    LIST_ENTRY(keeping) entry;
    struct mailbox_tokens *tokens;
    struct pg *pg;
    struct arena *arena; /* of its texts, and of itself */
    struct uuid mailbox;
    struct owner *owner;
    int64_t version;
    const char *wrapped;
    const char *former; /* what we had written before it; NULL: it was not written yet */
    bool in_flight;
};

struct mailbox_tokens {
    struct timer *again;
    struct map *owners; /* by mailbox */
    LIST_HEAD(, keeping) list;
    size_t count;
};

static void say_lost(const struct uuid *mailbox, const struct err *err)
{
    char id[UUID_TEXT_SIZE];
    log_error("mailbox.token_not_kept", LOG_TEXT("mailbox", uuid_format(mailbox, id)),
              LOG_ERR(err));
}

static void end(struct keeping *keeping)
{
    struct arena *arena = keeping->arena;
    LIST_REMOVE(keeping, entry);
    keeping->tokens->count--;
    arena_free(&arena);
}

static struct keeping *find(struct mailbox_tokens *tokens, const struct owner *owner)
{
    struct keeping *keeping;
    LIST_FOREACH(keeping, &tokens->list, entry)
    if (keeping->owner == owner)
        return keeping;
    return NULL;
}

static void submit(struct keeping *keeping);

/* A failure is none of the token's: whatever it is, the next try may do. */
static void kept(void *arg, const struct pg_answer *answer)
{
    struct keeping *keeping = arg;
    struct mailbox_tokens *tokens = keeping->tokens;
    char id[UUID_TEXT_SIZE];
    keeping->in_flight = false;
    if (answer->err != NULL) {
        log_warn("mailbox.token_waits", LOG_TEXT("mailbox", uuid_format(&keeping->mailbox, id)),
                 LOG_ERR(answer->err));
        timer_start(tokens->again, AGAIN_MS, 0);
        return;
    }
    log_info("mailbox.token_renewed", LOG_TEXT("mailbox", uuid_format(&keeping->mailbox, id)),
             LOG_BOOL("first", pg_rows(answer->results, 0) > 0));
    const struct owner *owner = keeping->owner;
    end(keeping);
    struct keeping *next = find(tokens, owner);
    if (next != NULL)
        submit(next);
}

/* The row has the version that the token was given for, or what we made of that meanwhile. */
static void submit(struct keeping *keeping)
{
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = kept, .arg = keeping};
    struct owner *owner = keeping->owner;
    if (keeping->former == NULL) {
        keeping->former = arena_strdup(keeping->arena, owner->last != NULL ? owner->last : "");
        free(owner->last);
        owner->last = xstrdup(keeping->wrapped);
    }
    mailbox_add_login(&unit, keeping->arena, &owner->tenant, &keeping->mailbox,
                      &(struct mailbox_renewal){.version = keeping->version,
                                                .former_hex = keeping->former,
                                                .wrapped_hex = keeping->wrapped});
    keeping->in_flight = true;
    pg_submit(keeping->pg, &unit);
}

static void on_again(void *arg)
{
    struct mailbox_tokens *tokens = arg;
    struct keeping *keeping;
    LIST_FOREACH(keeping, &tokens->list, entry)
    if (!keeping->in_flight && keeping->former != NULL)
        submit(keeping);
}

void mailbox_tokens_remember(struct mailbox_tokens *tokens, const struct uuid *tenant,
                             const struct uuid *mailbox)
{
    if (map_get(tokens->owners, mailbox->bytes, sizeof mailbox->bytes) != NULL)
        return;
    struct owner *owner = xcalloc(1, sizeof *owner);
    owner->tenant = *tenant;
    map_put(tokens->owners, mailbox->bytes, sizeof mailbox->bytes, owner);
}

/* One that is being written may be in the row before it is known to be: the new one comes behind
 * it, and instead of another that waits there. */
static void put_in_line(struct keeping *keeping)
{
    struct mailbox_tokens *tokens = keeping->tokens;
    struct keeping *older = find(tokens, keeping->owner);
    if (older != NULL && older->former == NULL) {
        end(older);
        older = find(tokens, keeping->owner);
    }
    LIST_INSERT_HEAD(&tokens->list, keeping, entry);
    tokens->count++;
    if (older == NULL)
        submit(keeping);
}

void mailbox_tokens_keep(struct mailbox_tokens *tokens, struct pg *pg, const struct secret *key,
                         const struct uuid *mailbox, int64_t version,
                         const struct oauth_grant *grant)
{
    struct owner *owner = map_get(tokens->owners, mailbox->bytes, sizeof mailbox->bytes);
    const struct mail_login login = {.grant = *grant};
    struct arena *arena = arena_new();
    struct err err;
    const char *wrapped = mail_login_wrap_text(
        arena, &login, key, credential_mailbox_context(arena, &owner->tenant, mailbox, "in"), &err);
    if (wrapped == NULL) {
        say_lost(mailbox, &err);
        arena_free(&arena);
        return;
    }
    struct keeping *keeping = arena_alloc(arena, sizeof *keeping);
    *keeping = (struct keeping){.tokens = tokens,
                                .pg = pg,
                                .arena = arena,
                                .mailbox = *mailbox,
                                .owner = owner,
                                .version = version,
                                .wrapped = wrapped};
    put_in_line(keeping);
}

size_t mailbox_tokens_count(const struct mailbox_tokens *tokens)
{
    return tokens->count;
}

struct mailbox_tokens *mailbox_tokens_new(struct loop *loop)
{
    struct mailbox_tokens *tokens = xcalloc(1, sizeof *tokens);
    tokens->again = timer_new(loop, on_again, tokens);
    tokens->owners = map_new();
    LIST_INIT(&tokens->list);
    return tokens;
}

static bool free_owner(void *arg, const void *key, size_t key_length, void *value)
{
    struct owner *owner = value;
    (void)arg, (void)key, (void)key_length;
    free(owner->last);
    free(owner);
    return true;
}

void mailbox_tokens_free(struct mailbox_tokens **handle)
{
    struct mailbox_tokens *tokens = *handle;
    struct keeping *keeping;
    struct err err;
    if (tokens == NULL)
        return;
    err_set(&err, ERR_RETRY_LATER, "pg.down", "the process ends before the database took it");
    while ((keeping = LIST_FIRST(&tokens->list)) != NULL) {
        say_lost(&keeping->mailbox, &err);
        end(keeping);
    }
    map_each(tokens->owners, free_owner, NULL);
    map_free(&tokens->owners);
    timer_free(&tokens->again);
    free(tokens);
    *handle = NULL;
}
