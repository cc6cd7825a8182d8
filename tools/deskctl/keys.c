/* `deskctl keys generate`: the four key files of an installation. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "command.h"
#include "crypto/crypto.h"
#include "files.h"

static char *hex_line(struct arena *arena, const void *bytes, size_t length)
{
    struct strbuf text;
    strbuf_init(&text, 1024);
    text_add_hex(&text, bytes, length);
    strbuf_add_char(&text, '\n');
    char *line = arena_strdup(arena, text.data);
    explicit_bzero(text.data, text.length);
    strbuf_fini(&text);
    return line;
}

static int refuse_existing(struct arena *arena, const char *dir, const char *const *names,
                           struct err *err)
{
    for (; *names != NULL; names++) {
        struct stat status;
        const char *path = arena_printf(arena, "%s/%s", dir, *names);
        if (lstat(path, &status) == 0)
            return err_set(err, ERR_PERMANENT, "keys.exists",
                           "%s is there already; keys are never replaced, choose another folder",
                           path);
    }
    return 0;
}

static int generate(struct arena *arena, const char *dir, struct err *err)
{
    static const char *const names[] = {"edge.public", "edge.secret", "credentials.key", "id.key",
                                        NULL};
    uint8_t keys[4][CRYPTO_KEY_BYTES];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_PERMANENT, "keys.folder", "%s: %s", dir, strerror(errno));
    if (refuse_existing(arena, dir, names, err) != 0)
        return -1;
    crypto_edge_keypair(keys[0], keys[1]);
    crypto_random(keys[2], sizeof keys[2]);
    crypto_random(keys[3], sizeof keys[3]);
    int result = 0;
    for (size_t i = 0; names[i] != NULL && result == 0; i++) {
        char *line = hex_line(arena, keys[i], sizeof keys[i]);
        result = files_create_key(arena_printf(arena, "%s/%s", dir, names[i]), line, err);
        explicit_bzero(line, strlen(line));
    }
    explicit_bzero(keys, sizeof keys);
    return result;
}

static int run_generate(struct desk *desk, const struct words *words)
{
    const char *dir = words_option(words, "dir");
    struct err err;
    if (dir == NULL)
        dir = desk->settings.keys_dir;
    if (*dir == '\0')
        return desk_usage("keys generate needs --dir DIR");
    if (generate(desk->arena, dir, &err) != 0)
        return desk_fail(&err);
    desk_note("made edge.public, edge.secret, credentials.key and id.key in %s", dir);
    const struct desk_fact facts[] = {{"dir", dir, 0}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static const struct option generate_options[] = {
    {"dir", "DIR", "folder for the files; made if it is not there (default: keys_dir)"},
    {NULL, NULL, NULL},
};

const struct command command_keys[] = {
    {"keys generate", "--dir DIR", "make the key files of an installation",
     "Writes, readable by their owner only and never over an existing file:\n"
     "  edge.public      seals signing keys to ingress (deskctl, console)\n"
     "  edge.secret      opens them (ingress only)\n"
     "  credentials.key  wraps credentials in the database (engine, responder, deskctl)\n"
     "  id.key           derives ids (all services); losing it loses the identity of contacts\n"
     "Keep copies of all four apart from the database's backups.",
     generate_options, 0, 0, run_generate},
    {.words = NULL},
};
