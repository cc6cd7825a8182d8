/* The line of the SMTP sender: mails in their order, and how many threads each server has. A server
 * that hangs would have all of them in time, and everybody's mails would wait for it: no server has
 * more than half, those that hang included. All of it with the pool's lock held. smtp_pool.c calls.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "mail/smtp_inside.h"

#define NAME_SIZE (MAIL_SMTP_HOST_MAX + 8)

struct smtp_host {
    char name[NAME_SIZE]; /* "host:port" */
    int users;            /* mails in line, threads, and who holds it otherwise */
    int threads;
    int wanted; /* while counting */
};

void smtp_line_init(struct smtp_pool *pool)
{
    pool->behind = &pool->first;
    pool->hosts = map_new();
    pool->per_host = pool->threads > 1 ? pool->threads / 2 : 1;
}

void smtp_line_fini(struct smtp_pool *pool)
{
    assert(map_count(pool->hosts) == 0);
    map_free(&pool->hosts);
}

/* ---- servers ---- */

static struct smtp_host *use_host(struct smtp_pool *pool, const struct mail_smtp_account *account)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s:%d", account->host, account->port);
    struct smtp_host *host = map_get_text(pool->hosts, name);
    if (host == NULL) {
        host = xcalloc(1, sizeof *host);
        memcpy(host->name, name, sizeof name);
        map_put_text(pool->hosts, name, host);
    }
    host->users++;
    return host;
}

static void leave_host(struct smtp_pool *pool, struct smtp_host *host)
{
    if (--host->users > 0)
        return;
    map_remove_text(pool->hosts, host->name);
    free(host);
}

struct smtp_host *smtp_host_enter(struct smtp_pool *pool, const struct mail_smtp_account *account)
{
    struct smtp_host *host = use_host(pool, account);
    host->threads++;
    return host;
}

void smtp_host_leave(struct smtp_pool *pool, struct smtp_host *host)
{
    host->threads--;
    leave_host(pool, host);
}

/* ---- the line ---- */

void smtp_line_add(struct mail_smtp_transfer *job)
{
    struct smtp_pool *pool = job->pool;
    job->host = use_host(pool, &job->account);
    *pool->behind = job;
    pool->behind = &job->waiting;
}

struct mail_smtp_transfer *smtp_line_first(const struct smtp_pool *pool)
{
    struct mail_smtp_transfer *job = pool->first;
    while (job != NULL && job->host->threads >= pool->per_host)
        job = job->waiting;
    return job;
}

void smtp_line_remove(struct mail_smtp_transfer *job)
{
    struct smtp_pool *pool = job->pool;
    struct mail_smtp_transfer **at = &pool->first;
    if (job->host == NULL)
        return;
    while (*at != job)
        at = &(*at)->waiting;
    *at = job->waiting;
    if (pool->behind == &job->waiting)
        pool->behind = at;
    job->waiting = NULL;
    leave_host(pool, job->host);
    job->host = NULL;
}

int smtp_line_wanted(const struct smtp_pool *pool)
{
    int wanted = 0;
    for (struct mail_smtp_transfer *job = pool->first; job != NULL; job = job->waiting)
        job->host->wanted = 0;
    for (struct mail_smtp_transfer *job = pool->first; job != NULL; job = job->waiting)
        if (job->host->threads + job->host->wanted < pool->per_host) {
            job->host->wanted++;
            wanted++;
        }
    return wanted;
}
