/* New refresh tokens of mailboxes, into the database. */
#include "service/mailbox_token.h"

#include "base/arena.h"
#include "mail/login.h"
#include "service/log.h"
#include "store/credential.h"
#include "store/mailbox.h"

#define UNIT_MS 10000

struct keeping {
    struct arena *arena;
    char id[UUID_TEXT_SIZE];
};

static void kept(void *arg, const struct pg_answer *answer)
{
    struct keeping *keeping = arg;
    struct arena *arena = keeping->arena;
    if (answer->err != NULL)
        log_error("mailbox.token_not_kept", LOG_TEXT("mailbox", keeping->id), LOG_ERR(answer->err));
    else
        log_info("mailbox.token_renewed", LOG_TEXT("mailbox", keeping->id),
                 LOG_BOOL("first", pg_rows(answer->results, 0) > 0));
    arena_free(&arena);
}

void mailbox_token_keep(struct pg *pg, const struct secret *key, const struct uuid *tenant,
                        const struct uuid *mailbox, int64_t version,
                        const struct oauth_grant *grant)
{
    const struct mail_login login = {.grant = *grant};
    struct arena *arena = arena_new();
    struct keeping *keeping = arena_alloc(arena, sizeof *keeping);
    struct err err;
    keeping->arena = arena;
    uuid_format(mailbox, keeping->id);
    const char *wrapped = mail_login_wrap_text(
        arena, &login, key, credential_mailbox_context(arena, tenant, mailbox, "in"), &err);
    if (wrapped == NULL) {
        log_error("mailbox.token_not_kept", LOG_TEXT("mailbox", keeping->id), LOG_ERR(&err));
        arena_free(&arena);
        return;
    }
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = kept, .arg = keeping};
    mailbox_add_login(&unit, arena, tenant, mailbox, version, wrapped);
    pg_submit(pg, &unit);
}
