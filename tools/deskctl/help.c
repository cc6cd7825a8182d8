/* Help, printed from the table of commands. command.c calls it. */
#include "help.h"

#include <string.h>

#include "command.h"

struct listing {
    struct strbuf *out;
    const char *prefix; /* only commands that start with these words; "" for all */
    size_t matches;
    const struct command *exact;
};

static bool starts_with_words(const char *words, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(words, prefix, length) == 0 &&
           (length == 0 || words[length] == '\0' || words[length] == ' ');
}

static void list_command(void *arg, const struct command *command)
{
    struct listing *listing = arg;
    if (!starts_with_words(command->words, listing->prefix))
        return;
    listing->matches++;
    if (strcmp(command->words, listing->prefix) == 0)
        listing->exact = command;
    if (listing->out != NULL)
        strbuf_printf(listing->out, "  %-22s %s\n", command->words, command->summary);
}

int help_document(void)
{
    struct strbuf out;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    settings_document(&out);
    return desk_print(&out);
}

bool help_lists_group(const char *word)
{
    struct listing listing = {.out = NULL, .prefix = word};
    command_each(list_command, &listing);
    return listing.matches > 0;
}

static const char exit_codes[] =
    "Exit codes\n"
    "  0  done; nothing is wrong\n"
    "  1  failed: the message says what to do\n"
    "  2  the command line or the configuration is wrong; nothing was done\n"
    "  3  differences were found and nothing was changed (topics diff, a dry run with work to do)\n"
    "  4  the named thing does not exist\n";

static void print_overview(struct strbuf *out)
{
    struct listing listing = {.out = out, .prefix = ""};
    strbuf_add_text(out, "deskctl runs a Frontdesk installation.\n\n"
                         "usage: deskctl COMMAND [ARGUMENTS] [--json] [--KEY=VALUE...]\n\n");
    command_each(list_command, &listing);
    strbuf_add_text(
        out, "\n  help COMMAND           how to use a command\n"
             "  help exit-codes        what the exit code says\n"
             "  help configuration     keys: --KEY=VALUE, FRONTDESK_KEY or .run/endpoints.json\n"
             "\n--json prints for scripts. Secrets are never printed.\n");
}

static void print_command(const struct command *command, struct strbuf *out)
{
    strbuf_printf(out, "usage: deskctl %s%s%s%s\n\n%s\n", command->words,
                  *command->arguments != '\0' ? " " : "", command->arguments,
                  command->options != NULL ? " [OPTIONS]" : "", command->summary);
    if (command->help != NULL)
        strbuf_printf(out, "\n%s\n", command->help);
    if (command->options != NULL)
        strbuf_add_text(out, "\nOptions\n");
    for (const struct option *option = command->options; option != NULL && option->name != NULL;
         option++) {
        struct strbuf name;
        strbuf_init(&name, 200);
        strbuf_printf(&name, "--%s%s%s", option->name, option->value != NULL ? " " : "",
                      option->value != NULL ? option->value : "");
        strbuf_printf(out, "  %-22s %s\n", name.data, option->help);
        strbuf_fini(&name);
    }
}

static const char *join(struct arena *arena, char **words)
{
    const char *joined = "";
    for (size_t i = 0; words != NULL && words[i] != NULL && words[i][0] != '-' && i < 4; i++)
        joined = arena_printf(arena, "%s%s%.60s", joined, i > 0 ? " " : "", words[i]);
    return joined;
}

/* The longest leading part of the words that names something. */
static bool print_topic(struct arena *arena, char **words, struct strbuf *out)
{
    const char *topic = join(arena, words);
    if (strcmp(topic, "exit-codes") == 0) {
        strbuf_add_text(out, exit_codes);
        return true;
    }
    if (strcmp(topic, "configuration") == 0) {
        settings_help(out);
        return true;
    }
    for (; *topic != '\0';) {
        struct listing listing = {.prefix = topic};
        command_each(list_command, &listing);
        if (listing.exact != NULL) {
            print_command(listing.exact, out);
            return true;
        }
        if (listing.matches > 0) {
            listing.out = out;
            command_each(list_command, &listing);
            return true;
        }
        const char *space = strrchr(topic, ' ');
        topic = arena_strndup(arena, topic, space != NULL ? (size_t)(space - topic) : 0);
    }
    return false;
}

int help_print(struct arena *arena, char **words)
{
    struct strbuf out;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (words == NULL || words[0] == NULL) {
        print_overview(&out);
        return desk_print(&out);
    }
    if (print_topic(arena, words, &out))
        return desk_print(&out);
    strbuf_fini(&out);
    return desk_usage("there is no help on \"%s\"; `deskctl help` lists all", join(arena, words));
}
