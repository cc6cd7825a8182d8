/* Where to connect: the URL as libpq options with our defaults added, and its host names resolved
 * on a thread, because libpq looks names up inside PQconnectPoll and would block the loop. A name
 * with several addresses becomes several hosts; libpq tries them in turn. */
#include "pg/inside.h"

#include "base/mem.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 64
#define HOSTS_MAX   16
#define FLAT_MAX    64 /* addresses of all hosts together */

struct option {
    char *key, *value;
};

struct pg_target {
    struct option options[OPTIONS_MAX + 1]; /* without host and port if these are taken apart */
    int count;
    struct {
        char *host, *port;
        bool is_name;
    } hosts[HOSTS_MAX];
    int host_count;
    bool has_names, taken_apart, bad;
};

/* Added unless the URL sets them. A dead peer is noticed within about 5 s. */
static const struct {
    const char *key, *value;
} defaults[] = {
    {"connect_timeout", "5"},    {"tcp_user_timeout", "5000"}, {"keepalives", "1"},
    {"keepalives_idle", "5"},    {"keepalives_interval", "2"}, {"keepalives_count", "2"},
    {"client_encoding", "UTF8"}, /* the library checks UTF-8 before it sends */
    {"gssencmode", "disable"},   /* its credential search would block and cost a round trip */
};

static const char *option(const struct pg_target *target, const char *key)
{
    for (int i = 0; i < target->count; i++)
        if (strcmp(target->options[i].key, key) == 0)
            return target->options[i].value;
    return NULL;
}

static void add(struct pg_target *target, const char *key, const char *value)
{
    assert(target->count < OPTIONS_MAX);
    target->options[target->count++] = (struct option){xstrdup(key), xstrdup(value)};
}

static void take_option(struct pg_target *target, const char *key)
{
    for (int i = 0; i < target->count; i++) {
        struct option *found = &target->options[i];
        if (strcmp(found->key, key) != 0)
            continue;
        free(found->key);
        free(found->value);
        *found = target->options[--target->count];
        return;
    }
}

/* Part `index` of a comma-separated list; owned; NULL behind its end. */
static char *part(const char *list, int index)
{
    for (; index > 0; index--) {
        list = strchr(list, ',');
        if (list == NULL)
            return NULL;
        list++;
    }
    return xstrndup(list, strcspn(list, ","));
}

static bool is_name(const char *host)
{
    struct in6_addr address;
    return host[0] != '\0' && host[0] != '/' && host[0] != '@' &&
           inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1;
}

/* Takes the host list apart if there are names to resolve or hosts to rotate; otherwise libpq takes
 * it as it is. */
static void split_hosts(struct pg_target *target)
{
    const char *hosts = option(target, "host"), *ports = option(target, "port");
    if (hosts == NULL)
        hosts = getenv("PGHOST");
    if (hosts == NULL || option(target, "hostaddr") != NULL || getenv("PGHOSTADDR") != NULL)
        return;
    for (int i = 0; i < HOSTS_MAX; i++) {
        char *host = part(hosts, i);
        if (host == NULL)
            break;
        char *port = ports != NULL ? part(ports, i) : NULL;
        if (port == NULL && ports != NULL && strchr(ports, ',') == NULL)
            port = xstrdup(ports); /* one port for all */
        target->hosts[target->host_count].host = host;
        target->hosts[target->host_count].port = port != NULL ? port : xstrdup("");
        target->hosts[target->host_count].is_name = is_name(host);
        target->has_names = target->has_names || is_name(host);
        target->host_count++;
    }
    target->taken_apart = target->has_names || target->host_count > 1;
    if (target->taken_apart) {
        take_option(target, "host");
        take_option(target, "port");
    }
}

struct pg_target *pg_target_new(const char *url, const char *name)
{
    struct pg_target *target = xcalloc(1, sizeof *target);
    char *message = NULL;
    PQconninfoOption *parsed = PQconninfoParse(url, &message);
    PQfreemem(message); /* may quote the password: not used */
    target->bad = parsed == NULL;
    for (PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++)
        if (o->val != NULL)
            add(target, o->keyword, o->val);
    PQconninfoFree(parsed);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (option(target, defaults[i].key) == NULL)
            add(target, defaults[i].key, defaults[i].value);
    if (option(target, "application_name") == NULL && name != NULL)
        add(target, "application_name", name);
    split_hosts(target);
    return target;
}

void pg_target_free(struct pg_target **target)
{
    struct pg_target *t = *target;
    if (t == NULL)
        return;
    for (int i = 0; i < t->count; i++) {
        explicit_bzero(t->options[i].value, strlen(t->options[i].value)); /* the password */
        free(t->options[i].key);
        free(t->options[i].value);
    }
    for (int i = 0; i < t->host_count; i++) {
        free(t->hosts[i].host);
        free(t->hosts[i].port);
    }
    free(t);
    *target = NULL;
}

int64_t pg_target_timeout_ms(const struct pg_target *target)
{
    int64_t seconds = 5;
    const char *text = option(target, "connect_timeout");
    if (text != NULL && !text_parse_int(text, 1, 3600, &seconds))
        seconds = 5;
    return seconds * 1000;
}

bool pg_target_has_names(const struct pg_target *target)
{
    return target->has_names;
}

int pg_target_hosts(const struct pg_target *target)
{
    return target->host_count;
}

const char *pg_target_name(const struct pg_target *target, int host)
{
    return target->hosts[host].is_name ? target->hosts[host].host : NULL;
}

/* One host entry per address. */
struct flat {
    const char *host[FLAT_MAX], *address[FLAT_MAX], *port[FLAT_MAX];
    int count;
};

static void flatten(const struct pg_target *target, const struct pg_lookup *lookup,
                    struct flat *flat)
{
    for (int i = 0; i < target->host_count; i++) {
        for (int k = 0; flat->count < FLAT_MAX; k++) {
            const char *address = target->hosts[i].is_name ? pg_lookup_address(lookup, i, k)
                                  : k == 0                 ? ""
                                                           : NULL;
            if (address == NULL)
                break;
            flat->host[flat->count] = target->hosts[i].host;
            flat->address[flat->count] = address;
            flat->port[flat->count++] = target->hosts[i].port;
        }
    }
}

/* Joins the list with commas, starting at `skip`. */
static const char *join(const char *const *texts, int count, unsigned skip, struct strbuf *out)
{
    for (int i = 0; i < count; i++) {
        if (i > 0)
            strbuf_add_char(out, ',');
        strbuf_add_text(out, texts[((unsigned)i + skip) % (unsigned)count]);
    }
    return out->data;
}

static PGconn *start(const struct pg_target *target, const struct flat *flat, unsigned skip)
{
    const char *keys[OPTIONS_MAX + 4], *values[OPTIONS_MAX + 4];
    struct strbuf lists[3];
    int n = 0;
    for (int i = 0; i < 3; i++)
        strbuf_init(&lists[i], 16384);
    for (; n < target->count; n++) {
        keys[n] = target->options[n].key;
        values[n] = target->options[n].value;
    }
    if (flat->count > 0) {
        keys[n] = "host";
        values[n++] = join(flat->host, flat->count, skip, &lists[0]);
        keys[n] = "hostaddr";
        values[n++] = join(flat->address, flat->count, skip, &lists[1]);
        keys[n] = "port";
        values[n++] = join(flat->port, flat->count, skip, &lists[2]);
    }
    keys[n] = values[n] = NULL;
    PGconn *db = PQconnectStartParams(keys, values, 0);
    for (int i = 0; i < 3; i++)
        strbuf_fini(&lists[i]);
    return db;
}

PGconn *pg_target_connect(const struct pg_target *target, const struct pg_lookup *lookup,
                          unsigned skip, char why[PG_TEXT_MAX])
{
    struct flat flat = {.count = 0};
    if (target->bad) {
        pg_first_line("the database URL cannot be parsed; check it", why);
        return NULL;
    }
    if (target->taken_apart) {
        flatten(target, lookup, &flat);
        if (flat.count == 0) {
            pg_first_line(pg_lookup_error(lookup), why);
            return NULL;
        }
    }
    PGconn *db = start(target, &flat, skip);
    if (db == NULL || PQstatus(db) == CONNECTION_BAD) {
        pg_first_line(db != NULL ? PQerrorMessage(db) : "out of memory", why);
        PQfinish(db);
        return NULL;
    }
    PQsetNoticeReceiver(db, pg_ignore_notice, NULL);
    return db;
}

PGconn *pg_target_connect_blocking(const struct pg_target *target)
{
    const char *keys[OPTIONS_MAX + 4], *values[OPTIONS_MAX + 4];
    struct strbuf hosts, ports;
    int n = 0;
    if (target->bad)
        return NULL;
    strbuf_init(&hosts, 16384);
    strbuf_init(&ports, 16384);
    for (; n < target->count; n++) {
        keys[n] = target->options[n].key;
        values[n] = target->options[n].value;
    }
    for (int i = 0; target->taken_apart && i < target->host_count; i++) {
        strbuf_printf(&hosts, "%s%s", i > 0 ? "," : "", target->hosts[i].host);
        strbuf_printf(&ports, "%s%s", i > 0 ? "," : "", target->hosts[i].port);
    }
    if (target->taken_apart) {
        keys[n] = "host";
        values[n++] = hosts.data;
        keys[n] = "port";
        values[n++] = ports.data;
    }
    keys[n] = values[n] = NULL;
    PGconn *db = PQconnectdbParams(keys, values, 0);
    strbuf_fini(&hosts);
    strbuf_fini(&ports);
    PQsetNoticeReceiver(db, pg_ignore_notice, NULL);
    return db;
}
