/* Finds the command, sorts the command line into options, settings and operands, and runs the
 * handler. main.c calls it. */
#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "help.h"

static const struct command *const groups[] = {
    command_keys,    command_db,          command_topics,     command_vendor,       command_tenant,
    command_mailbox, command_kb,          command_directory,  command_conversation, command_contact,
    command_prompt,  command_appointment, command_escalation, command_usage,        command_dead,
    command_recover, command_quarantine,  command_reconcile,  command_hold,         command_doctor,
    command_call,
};

const char *words_option(const struct words *words, const char *name)
{
    for (size_t i = 0; words->options != NULL && words->options[i].name != NULL; i++)
        if (strcmp(words->options[i].name, name) == 0)
            return words->values[i];
    return NULL;
}

void command_each(void (*visit)(void *arg, const struct command *command), void *arg)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        for (const struct command *command = groups[i]; command->words != NULL; command++)
            visit(arg, command);
}

/* ---- finding the command ---- */

struct search {
    char **argv;
    const struct command *found;
    size_t length; /* words of it */
};

/* How many leading words of argv the command's words are, 0 if they differ. */
static size_t match(const char *words, char **argv)
{
    size_t count = 0;
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        if (argv[count] == NULL || strlen(argv[count]) != length ||
            memcmp(argv[count], words, length) != 0)
            return 0;
        count++;
        words += length;
        words += *words == ' ';
    }
    return count;
}

static void try_command(void *arg, const struct command *command)
{
    struct search *search = arg;
    size_t length = match(command->words, search->argv);
    if (length > search->length) {
        search->found = command;
        search->length = length;
    }
}

struct names {
    const char *items[COMMAND_WORDS_MAX + 1]; /* NULL-terminated */
    size_t count;
};

static void add_name(void *arg, const struct command *command)
{
    struct names *names = arg;
    if (names->count < COMMAND_WORDS_MAX)
        names->items[names->count++] = command->words;
}

static int unknown_command(struct arena *arena, char **argv)
{
    struct names names = {.count = 0};
    command_each(add_name, &names);
    /* "db migrat" is compared as typed; "db" alone with the first word of each. */
    const char *typed = argv[0];
    if (argv[1] != NULL && argv[1][0] != '-')
        typed = arena_printf(arena, "%.40s %.40s", argv[0], argv[1]);
    const char *near = suggest(typed, names.items);
    if (near == NULL && typed != argv[0])
        near = suggest(argv[0], names.items);
    if (near != NULL)
        return desk_usage("unknown command \"%s\"; did you mean \"%s\"?", typed, near);
    if (help_lists_group(argv[0]))
        return desk_usage("\"%s\" needs one more word; `deskctl help %s` lists them", argv[0],
                          argv[0]);
    return desk_usage("unknown command \"%s\"; `deskctl help` lists all", typed);
}

/* ---- sorting the command line ---- */

struct line {
    struct arena *arena;
    const struct command *command;
    struct words words;
    const char *operands[COMMAND_WORDS_MAX + 1];
    const char *settings[COMMAND_WORDS_MAX + 1];
    size_t setting_count;
    bool json, help;
};

static bool is_setting(const char *name)
{
    for (size_t i = 0; settings_key(i) != NULL; i++)
        if (strcmp(settings_key(i), name) == 0)
            return true;
    return false;
}

static int unknown_option(const struct line *line, const char *name)
{
    const char *known[COMMAND_OPTIONS_MAX + 64] = {"json", "help"};
    size_t count = 2;
    const struct option *options = line->command->options;
    for (size_t i = 0; options != NULL && options[i].name != NULL; i++)
        known[count++] = options[i].name;
    for (size_t i = 0; settings_key(i) != NULL && count + 1 < sizeof known / sizeof known[0]; i++)
        known[count++] = settings_key(i);
    const char *near = suggest(name, known);
    if (near != NULL)
        return desk_usage("unknown option --%s; did you mean --%s?", name, near);
    return desk_usage("unknown option --%s; `deskctl help %s` lists them", name,
                      line->command->words);
}

/* --topic-prefix=x is the setting --topic_prefix=x. Returns 0 or DESK_USAGE. */
static int take_setting(struct line *line, char *name, const char *equals)
{
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '-' ? '_' : *c;
    if (!is_setting(name))
        return unknown_option(line, name);
    if (equals == NULL)
        return desk_usage("--%s needs a value: --%s=VALUE", name, name);
    if (line->setting_count == COMMAND_WORDS_MAX)
        return desk_usage("more than %d settings", COMMAND_WORDS_MAX);
    line->settings[line->setting_count++] = arena_printf(line->arena, "--%s%s", name, equals);
    return 0;
}

static int take_option(struct line *line, size_t index, char ***next, const char *equals)
{
    const struct option *option = &line->command->options[index];
    if (option->value == NULL) {
        if (equals != NULL)
            return desk_usage("--%s takes no value", option->name);
        line->words.values[index] = "";
        return 0;
    }
    const char *value = equals != NULL ? equals + 1 : *++*next;
    if (value == NULL)
        return desk_usage("--%s needs a value: --%s %s", option->name, option->name, option->value);
    if (line->words.values[index] != NULL)
        return desk_usage("--%s is there twice", option->name);
    line->words.values[index] = value;
    return 0;
}

/* Sorts the word *next in; moves *next when it takes a value. Returns 0 or DESK_USAGE. */
static int take_dashed(struct line *line, char ***next)
{
    const char *word = **next, *equals = strchr(word, '=');
    char *name = arena_strndup(line->arena, word + 2, strcspn(word + 2, "="));
    const struct option *options = line->command->options;
    for (size_t i = 0; options != NULL && options[i].name != NULL; i++)
        if (strcmp(options[i].name, name) == 0)
            return take_option(line, i, next, equals);
    if (strcmp(word, "--json") == 0)
        line->json = true;
    else if (strcmp(word, "--help") == 0)
        line->help = true;
    else
        return take_setting(line, name, equals);
    return 0;
}

static int sort_words(struct line *line, char **argv)
{
    bool only_operands = false;
    for (char **next = argv; *next != NULL; next++) {
        if (!only_operands && strcmp(*next, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strncmp(*next, "--", 2) == 0) {
            if (take_dashed(line, &next) != 0)
                return DESK_USAGE;
        } else if (line->words.count == COMMAND_WORDS_MAX) {
            return desk_usage("more than %d arguments", COMMAND_WORDS_MAX);
        } else {
            line->operands[line->words.count++] = *next;
        }
    }
    line->words.operands = line->operands;
    if (line->help)
        return 0;
    if (line->words.count < line->command->min || line->words.count > line->command->max)
        return desk_usage("usage: deskctl %s %s", line->command->words, line->command->arguments);
    return 0;
}

/* ---- running ---- */

static int run_command(struct arena *arena, const struct line *line)
{
    struct desk desk = {
        .arena = arena,
        .json = line->json,
        .interactive = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
    };
    struct strbuf problems;
    struct err err;
    int code;
    strbuf_init(&problems, 64 * 1024);
    if (settings_adopt_endpoints(".run/endpoints.json", &err) != 0) {
        code = desk_fail(&err);
    } else if (settings_load(line->settings, &desk.settings, &problems, &err) != 0) {
        code = desk_usage("the configuration is not usable:\n%s", problems.data);
    } else {
        code = line->command->run(&desk, &line->words);
    }
    desk_fini(&desk);
    settings_free(&desk.settings);
    strbuf_fini(&problems);
    return code;
}

static int dispatch(struct arena *arena, char **argv)
{
    if (argv[0] == NULL)
        return help_print(arena, NULL) == DESK_OK ? DESK_USAGE : DESK_FAILED;
    if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0)
        return help_print(arena, argv + 1);
    if (strcmp(argv[0], "--document") == 0)
        return help_document();
    struct search search = {.argv = argv};
    command_each(try_command, &search);
    if (search.found == NULL)
        return unknown_command(arena, argv);
    struct line *line = arena_alloc(arena, sizeof *line);
    line->arena = arena;
    line->command = search.found;
    line->words.options = search.found->options;
    if (sort_words(line, argv + search.length) != 0)
        return DESK_USAGE;
    if (line->help)
        return help_print(arena, argv);
    return run_command(arena, line);
}

int command_main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    signal(SIGPIPE, SIG_IGN);
    int code = dispatch(arena, argc > 0 ? argv + 1 : argv);
    arena_free(&arena);
    return code;
}
