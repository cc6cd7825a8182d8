/* The command line of every daemon. Answers what needs no running service at once; the rest becomes
 * sources for config_load. Called by service_main. */
#include "base/mem.h"
#include "base/suggest.h"
#include "service/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_BYTES_MAX (1024 * 1024)

static void print_all(struct strbuf *text)
{
    fputs(text->data, stdout);
    strbuf_fini(text);
}

static int print_help(const struct service_spec *spec)
{
    struct strbuf out;
    strbuf_init(&out, DOCUMENT_BYTES_MAX);
    strbuf_printf(
        &out,
        "frontdesk-%s: %s\n\nusage: frontdesk-%s [--config=FILE] [--key=value ...]\n\n"
        "  --config=FILE    read settings from FILE (\"key = value\" lines)\n"
        "  --check-config   say what is wrong with the configuration, or \"ok\", and end\n"
        "  --print-config   print the settings in effect, secrets masked, and end\n"
        "  --document       print the settings as a Markdown table and end\n"
        "  --version        print the version and end\n"
        "  --help           print this and end\n\n"
        "A setting comes from --key=value, else the environment (FRONTDESK_KEY), else the "
        "file,\nelse the default shown here.\n\n",
        spec->name, spec->summary, spec->name);
    config_help(spec->config, spec->config_count, &out);
    strbuf_add_text(&out, "\nexit codes: 0 done, 1 could not start or drain, 2 bad command line or "
                          "configuration\n");
    print_all(&out);
    return 0;
}

static int print_version(const struct service_spec *spec)
{
    printf("frontdesk-%s %s\n", spec->name, SERVICE_VERSION);
    return 0;
}

static int print_document(const struct service_spec *spec)
{
    struct strbuf out;
    char title[128];
    strbuf_init(&out, DOCUMENT_BYTES_MAX);
    snprintf(title, sizeof title, "frontdesk-%s", spec->name);
    config_document(spec->config, spec->config_count, title, &out);
    print_all(&out);
    return 0;
}

static const struct {
    const char *word;
    int (*print)(const struct service_spec *spec);
} printers[] = {
    {"--help", print_help}, {"--version", print_version}, {"--document", print_document}};

static int unknown_word(const struct service_spec *spec, const char *word)
{
    static const char *const known[] = {
        "--help", "--version", "--document", "--check-config", "--print-config", "--config", NULL};
    const char *near = suggest(word, known);
    fprintf(stderr, "frontdesk-%s: \"%.64s\" is not understood; ", spec->name, word);
    if (near != NULL)
        fprintf(stderr, "did you mean %s?\n", near);
    else
        fputs("write --key=value, or --help for the list\n", stderr);
    return 2;
}

/* A word without "=": ours, the service's, or unknown. -1 goes on. */
static int take_word(const struct service_spec *spec, const char *word, struct command *command)
{
    for (size_t i = 0; i < sizeof printers / sizeof printers[0]; i++)
        if (strcmp(word, printers[i].word) == 0)
            return printers[i].print(spec);
    if (strcmp(word, "--check-config") == 0 || strcmp(word, "--print-config") == 0) {
        command->mode = word[2] == 'c' ? COMMAND_CHECK : COMMAND_PRINT;
        return -1;
    }
    int code = spec->command == NULL ? -1 : spec->command(word);
    return code >= 0 ? code : unknown_word(spec, word);
}

int command_parse(int argc, char **argv, const struct service_spec *spec, struct command *command)
{
    size_t count = 0;
    *command = (struct command){.arguments = xcalloc((size_t)argc + 1, sizeof(char *))};
    command->sources.arguments = command->arguments;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        int code = -1;
        if (strncmp(word, "--config=", 9) == 0)
            command->sources.file = word + 9;
        else if (strcmp(word, "--config") == 0 && i + 1 < argc)
            command->sources.file = argv[++i];
        else if (strncmp(word, "--", 2) == 0 && strchr(word, '=') != NULL)
            command->arguments[count++] = word;
        else
            code = take_word(spec, word, command);
        if (code >= 0) {
            command_fini(command);
            return code;
        }
    }
    return -1;
}

void command_fini(struct command *command)
{
    free(command->arguments);
    command->arguments = NULL;
}
