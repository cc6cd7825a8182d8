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

struct keeping {
    LIST_ENTRY(keeping) entry;
    struct mailbox_tokens *tokens;
    struct pg *pg;
    struct arena *arena; /* of its texts, and of itself */
    struct uuid tenant, mailbox;
    int64_t version;
    const char *wrapped;
    bool in_flight;
};

struct mailbox_tokens {
    struct timer *again;
    struct map *tenants; /* of mailboxes, by mailbox */
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

/* A failure is none of the token's: whatever it is, the next try may do. */
static void kept(void *arg, const struct pg_answer *answer)
{
    struct keeping *keeping = arg;
    char id[UUID_TEXT_SIZE];
    keeping->in_flight = false;
    if (answer->err == NULL) {
        log_info("mailbox.token_renewed", LOG_TEXT("mailbox", uuid_format(&keeping->mailbox, id)),
                 LOG_BOOL("first", pg_rows(answer->results, 0) > 0));
        end(keeping);
        return;
    }
    log_warn("mailbox.token_waits", LOG_TEXT("mailbox", uuid_format(&keeping->mailbox, id)),
             LOG_ERR(answer->err));
    timer_start(keeping->tokens->again, AGAIN_MS, 0);
}

static void submit(struct keeping *keeping)
{
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = kept, .arg = keeping};
    mailbox_add_login(&unit, keeping->arena, &keeping->tenant, &keeping->mailbox, keeping->version,
                      keeping->wrapped);
    keeping->in_flight = true;
    pg_submit(keeping->pg, &unit);
}

static void on_again(void *arg)
{
    struct mailbox_tokens *tokens = arg;
    struct keeping *keeping;
    LIST_FOREACH(keeping, &tokens->list, entry)
    if (!keeping->in_flight)
        submit(keeping);
}

static void drop_older(struct mailbox_tokens *tokens, const struct uuid *mailbox)
{
    struct keeping *keeping, *next;
    for (keeping = LIST_FIRST(&tokens->list); keeping != NULL; keeping = next) {
        next = LIST_NEXT(keeping, entry);
        if (!keeping->in_flight && uuid_equal(&keeping->mailbox, mailbox))
            end(keeping);
    }
}

void mailbox_tokens_remember(struct mailbox_tokens *tokens, const struct uuid *tenant,
                             const struct uuid *mailbox)
{
    if (map_get(tokens->tenants, mailbox->bytes, sizeof mailbox->bytes) != NULL)
        return;
    struct uuid *copy = xmalloc(sizeof *copy);
    *copy = *tenant;
    map_put(tokens->tenants, mailbox->bytes, sizeof mailbox->bytes, copy);
}

void mailbox_tokens_keep(struct mailbox_tokens *tokens, struct pg *pg, const struct secret *key,
                         const struct uuid *mailbox, int64_t version,
                         const struct oauth_grant *grant)
{
    const struct uuid *tenant = map_get(tokens->tenants, mailbox->bytes, sizeof mailbox->bytes);
    const struct mail_login login = {.grant = *grant};
    struct arena *arena = arena_new();
    struct err err;
    const char *wrapped = mail_login_wrap_text(
        arena, &login, key, credential_mailbox_context(arena, tenant, mailbox, "in"), &err);
    if (wrapped == NULL) {
        say_lost(mailbox, &err);
        arena_free(&arena);
        return;
    }
    drop_older(tokens, mailbox);
    struct keeping *keeping = arena_alloc(arena, sizeof *keeping);
    *keeping = (struct keeping){.tokens = tokens,
                                .pg = pg,
                                .arena = arena,
                                .tenant = *tenant,
                                .mailbox = *mailbox,
                                .version = version,
                                .wrapped = wrapped};
    LIST_INSERT_HEAD(&tokens->list, keeping, entry);
    tokens->count++;
    submit(keeping);
}

size_t mailbox_tokens_count(const struct mailbox_tokens *tokens)
{
    return tokens->count;
}

struct mailbox_tokens *mailbox_tokens_new(struct loop *loop)
{
    struct mailbox_tokens *tokens = xcalloc(1, sizeof *tokens);
    tokens->again = timer_new(loop, on_again, tokens);
    tokens->tenants = map_new();
    LIST_INIT(&tokens->list);
    return tokens;
}

static bool free_tenant(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    free(value);
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
    map_each(tokens->tenants, free_tenant, NULL);
    map_free(&tokens->tenants);
    timer_free(&tokens->again);
    free(tokens);
    *handle = NULL;
}
