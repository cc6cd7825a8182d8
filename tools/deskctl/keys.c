/* `deskctl keys`: the key files of an installation, and a new one for its mails. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "command.h"
#include "crypto/crypto.h"
#include "files.h"

#define MAIL_KEY      "mail.key"
#define MAIL_KEYS_MAX 8 /* that a service takes */

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
    static const char *const names[] = {"edge.public", "edge.secret", "credentials.key",
                                        "id.key",      MAIL_KEY,      NULL};
    uint8_t keys[5][CRYPTO_KEY_BYTES];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_PERMANENT, "keys.folder", "%s: %s", dir, strerror(errno));
    if (refuse_existing(arena, dir, names, err) != 0)
        return -1;
    crypto_edge_keypair(keys[0], keys[1]);
    crypto_random(keys[2], sizeof keys[2]);
    crypto_random(keys[3], sizeof keys[3]);
    crypto_random(keys[4], sizeof keys[4]);
    int result = 0;
    for (size_t i = 0; names[i] != NULL && result == 0; i++) {
        char *line = hex_line(arena, keys[i], sizeof keys[i]);
        result = files_create_key(arena_printf(arena, "%s/%s", dir, names[i]), line, err);
        explicit_bzero(line, strlen(line));
    }
    explicit_bzero(keys, sizeof keys);
    return result;
}

static const char *dir_of(const struct desk *desk, const struct words *words)
{
    const char *dir = words_option(words, "dir");
    return dir != NULL ? dir : desk->settings.keys_dir;
}

static int run_generate(struct desk *desk, const struct words *words)
{
    const char *dir = dir_of(desk, words);
    struct err err;
    if (*dir == '\0')
        return desk_usage("keys generate needs --dir DIR");
    if (generate(desk->arena, dir, &err) != 0)
        return desk_fail(&err);
    desk_note("made edge.public, edge.secret, credentials.key, id.key and mail.key in %s", dir);
    const struct desk_fact facts[] = {{"dir", dir, 0}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

/* ---- the key of mails ---- */

/* mail.key, mail-2.key ... in the order in which they were made; how many. */
static size_t find_mail_keys(struct arena *arena, const char *dir,
                             const char *paths[MAIL_KEYS_MAX + 1])
{
    size_t count = 0;
    struct stat status;
    for (; count <= MAIL_KEYS_MAX; count++) {
        const char *name = count == 0 ? MAIL_KEY : arena_printf(arena, "mail-%zu.key", count + 1);
        paths[count] = arena_printf(arena, "%s/%s", dir, name);
        if (count == MAIL_KEYS_MAX || lstat(paths[count], &status) != 0)
            break;
    }
    return count;
}

/* What services are given: the current key first, each former one behind it. */
static const char *list_of(struct arena *arena, const char *const *paths, size_t count)
{
    const char *list = "";
    for (size_t i = count; i > 0; i--)
        list = arena_printf(arena, "%s%s%s", list, *list != '\0' ? "," : "", paths[i - 1]);
    return list;
}

static int make_mail_key(struct arena *arena, const char *path, struct err *err)
{
    uint8_t key[CRYPTO_KEY_BYTES];
    crypto_random(key, sizeof key);
    char *line = hex_line(arena, key, sizeof key);
    int result = files_create_key(path, line, err);
    explicit_bzero(line, strlen(line));
    explicit_bzero(key, sizeof key);
    return result;
}

static void tell_rotation(struct arena *arena, const char *const *paths, size_t count)
{
    const char *former = list_of(arena, paths, count - 1);
    desk_note("made %s; until services know it, nothing has changed. In this order:",
              paths[count - 1]);
    desk_note("1. mailpoller, so that it reads what the new key signs: mail_token_key_file=%s,%s",
              former, paths[count - 1]);
    desk_note("2. responder and engine, which then sign with it: mail_token_key_file=%s",
              list_of(arena, paths, count));
    desk_note("3. mailpoller: the same as 2.");
    desk_note(
        "The other way round, answers to the first new mails would not find their "
        "conversation.\n"
        "A former key may be left out once nobody answers its mails any more: answers to them "
        "then are\n"
        "new conversations, unless their References still lead to the old one, and their "
        "bounces are on\n"
        "nobody's record.");
}

static int run_mail(struct desk *desk, const struct words *words)
{
    const char *dir = dir_of(desk, words), *paths[MAIL_KEYS_MAX + 1] = {NULL};
    struct arena *arena = desk->arena;
    struct err err;
    if (*dir == '\0')
        return desk_usage("keys mail needs --dir DIR");
    size_t count = find_mail_keys(arena, dir, paths);
    bool rotate = words_option(words, "rotate") != NULL;
    if (count > 0 && !rotate)
        return desk_usage("%s is there already; --rotate makes a new one beside it", paths[0]);
    if (count == 0 && rotate)
        return desk_usage("there is no %s to rotate; leave out --rotate", paths[0]);
    if (count == MAIL_KEYS_MAX)
        return desk_usage("there are %d keys already, and services take no more; remove the oldest "
                          "and number the others anew",
                          MAIL_KEYS_MAX);
    if (make_mail_key(arena, paths[count], &err) != 0)
        return desk_fail(&err);
    count++;
    if (rotate)
        tell_rotation(arena, paths, count);
    else
        desk_note("made %s: mailpoller, responder and engine need it as mail_token_key_file",
                  paths[0]);
    const struct desk_fact facts[] = {{"file", paths[count - 1], 0},
                                      {"mail_token_key_file", list_of(arena, paths, count), 0}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static const struct option mail_options[] = {
    {"dir", "DIR", "folder of the files (default: keys_dir)"},
    {"rotate", NULL, "there is one: make another, and say how services change over"},
    {NULL, NULL, NULL},
};
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
     "  mail.key         signs addresses and ids of our mails (mailpoller, responder, engine)\n"
     "Keep copies of all apart from the database's backups.",
     generate_options, 0, 0, run_generate},
    {"keys mail", "", "make the key that signs our mails, or a new one",
     "For an installation whose keys are older than its mailboxes, and for a key that somebody may "
     "have\n"
     "seen: whoever has it can write into conversations by mail. With --rotate the former key "
     "stays,"
     " and\n"
     "what the services are to be given is printed, in the order in which they change over.",
     mail_options, 0, 0, run_mail},
    {.words = NULL},
};
