/* The ground of deskctl's commands. Everything is opened when first asked for: `keys generate`
 * needs no database, `db migrate` no Kafka. */
#include "desk.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "service/service.h"
#include "store/schema.h"
#include "store/tenant.h"
#include "json/json.h"

void desk_fini(struct desk *desk)
{
    pg_session_close(&desk->session);
    pg_session_close(&desk->owner);
    for (size_t i = 0; i < sizeof desk->keys / sizeof desk->keys[0]; i++)
        secret_free(&desk->keys[i]);
}

/* ---- talking ---- */

static void say(const char *prefix, const char *format, va_list args)
{
    char text[2048];
    struct strbuf safe;
    vsnprintf(text, sizeof text, format, args);
    strbuf_init(&safe, 16 * 1024);
    table_add_safe(&safe, text, true, 0);
    fprintf(stderr, "%s%s\n", prefix, safe.data);
    strbuf_fini(&safe);
}

void desk_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
}

int desk_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("deskctl: ", format, args);
    va_end(args);
    return DESK_USAGE;
}

int desk_fail(const struct err *err)
{
    static const char tail[] = "not_found";
    size_t length = strlen(err->code);
    desk_note("deskctl: %s (%s)", err->message, err->code);
    if (length >= sizeof tail - 1 && strcmp(err->code + length - (sizeof tail - 1), tail) == 0)
        return DESK_NOT_FOUND;
    return DESK_FAILED;
}

int desk_print(struct strbuf *out)
{
    bool fine = !out->overflow && fwrite(out->data, 1, out->length, stdout) == out->length &&
                fflush(stdout) == 0;
    strbuf_fini(out);
    if (fine)
        return DESK_OK;
    desk_note("deskctl: the output could not be written");
    return DESK_FAILED;
}

int desk_print_table(const struct desk *desk, const struct table *table, const char *empty)
{
    struct strbuf out;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    table_print(table, desk->json, empty, &out);
    return desk_print(&out);
}

int desk_print_facts(const struct desk *desk, const struct desk_fact *facts, size_t count)
{
    struct strbuf out;
    struct json_writer writer;
    if (!desk->json)
        return DESK_OK;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    for (size_t i = 0; i < count; i++)
        if (facts[i].text != NULL)
            json_add_text(&writer, facts[i].name, facts[i].text);
        else
            json_add_int(&writer, facts[i].name, facts[i].number);
    json_close_object(&writer);
    strbuf_add_char(&out, '\n');
    return desk_print(&out);
}

bool desk_confirm(const struct desk *desk, const char *question)
{
    char answer[16] = "";
    if (!desk->interactive)
        return false;
    fprintf(stderr, "%s [y/N] ", question);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        return false;
    answer[strcspn(answer, "\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

const char *desk_actor(const struct desk *desk)
{
    struct passwd entry, *found = NULL;
    char space[4096];
    if (getpwuid_r(getuid(), &entry, space, sizeof space, &found) == 0 && found != NULL)
        return arena_printf(desk->arena, "deskctl:%s", found->pw_name);
    return arena_printf(desk->arena, "deskctl:%ld", (long)getuid());
}

/* ---- PostgreSQL ---- */

static int open_session(const struct secret *url, const char *key, struct pg_session **session,
                        struct err *err)
{
    if (*session != NULL)
        return 0;
    if (url == NULL)
        return err_set(err, ERR_PERMANENT, "desk.config",
                       "no database is configured; set --%s=URL or start ./run here", key);
    return pg_session_open(secret_reveal(url), "deskctl", session, err);
}

int desk_database(struct desk *desk, struct pg_session **session, struct err *err)
{
    const struct secret *url = desk->settings.database_url;
    if (url == NULL)
        url = desk->settings.database_direct_url;
    if (open_session(url, "database_url", &desk->session, err) != 0)
        return -1;
    *session = desk->session;
    return 0;
}

void desk_disconnect(struct desk *desk)
{
    pg_session_close(&desk->session);
    desk->in_transaction = false;
}

int desk_owner(struct desk *desk, struct pg_session **session, struct err *err)
{
    if (open_session(desk->settings.database_direct_url, "database_direct_url", &desk->owner,
                     err) != 0)
        return -1;
    *session = desk->owner;
    return 0;
}

int desk_begin(struct desk *desk, struct pg_session **session, struct err *err)
{
    struct pg_session *opened = NULL;
    if (desk_database(desk, &opened, err) != 0 || schema_begin_as_ops(opened, err) != 0)
        return -1;
    desk->in_transaction = true;
    *session = opened;
    return 0;
}

int desk_commit(struct desk *desk, struct err *err)
{
    desk->in_transaction = false;
    return pg_session_script(desk->session, "COMMIT", err);
}

void desk_rollback(struct desk *desk)
{
    struct err ignored;
    if (desk->in_transaction)
        (void)pg_session_script(desk->session, "ROLLBACK", &ignored);
    desk->in_transaction = false;
}

/* ---- Kafka ---- */

int desk_find_tenant(struct desk *desk, struct pg_session *session, const char *name,
                     struct tenant_row **row, struct err *err)
{
    if (tenant_find(session, desk->arena, name, row, err) != 0)
        return -1;
    if (*row != NULL)
        return 0;
    return err_set(err, ERR_PERMANENT, "tenant.not_found",
                   "there is no tenant \"%.60s\"; `deskctl tenant list` shows all", name);
}

int desk_bus(const struct desk *desk, struct bus_options *options, struct err *err)
{
    const struct config_kafka *kafka = &desk->settings.kafka;
    if (*kafka->brokers == '\0')
        return err_set(err, ERR_PERMANENT, "desk.config",
                       "no Kafka is configured; set --kafka_brokers=HOST:PORT or start ./run here");
    service_bus_connection(kafka, options);
    options->client_id = "frontdesk-deskctl";
    return 0;
}

const char *desk_topic(const struct desk *desk, enum topic topic)
{
    return topic_name(desk->arena, desk->settings.kafka.topic_prefix, topic);
}

/* ---- keys ---- */

static const struct {
    const char *setting, *name;
    size_t offset, length;
} key_files[] = {
    [DESK_KEY_EDGE_PUBLIC] = {"edge_public_key_file", "edge.public",
                              offsetof(struct settings, edge_public_key_file),
                              CRYPTO_EDGE_KEY_BYTES},
    [DESK_KEY_EDGE_SECRET] = {"edge_secret_key_file", "edge.secret",
                              offsetof(struct settings, edge_secret_key_file),
                              CRYPTO_EDGE_KEY_BYTES},
    [DESK_KEY_CREDENTIALS] = {"credentials_key_file", "credentials.key",
                              offsetof(struct settings, credentials_key_file), CRYPTO_KEY_BYTES},
    [DESK_KEY_ID] = {"id_key_file", "id.key", offsetof(struct settings, id_key_file),
                     CRYPTO_KEY_BYTES},
};

const char *desk_key_file(const struct desk *desk, enum desk_key which)
{
    const char *file =
        *(const char *const *)((const char *)&desk->settings + key_files[which].offset);
    if (*file != '\0' || *desk->settings.keys_dir == '\0')
        return file;
    return arena_printf(desk->arena, "%s/%s", desk->settings.keys_dir, key_files[which].name);
}

int desk_key(struct desk *desk, enum desk_key which, const struct secret **key, struct err *err)
{
    if (desk->keys[which] == NULL) {
        const char *file = desk_key_file(desk, which);
        if (*file == '\0')
            return err_set(err, ERR_PERMANENT, "desk.config",
                           "no key file is configured; set --keys_dir=DIR or --%s=FILE "
                           "(`deskctl keys generate` makes them)",
                           key_files[which].setting);
        if (crypto_read_key_file(file, key_files[which].length, &desk->keys[which], err) != 0)
            return -1;
    }
    *key = desk->keys[which];
    return 0;
}
