/* What the test of the SMTP sender stands on: the server that fails as told, a loop, and outcomes.
 */
#ifndef DESK_TESTS_SMTP_RIG_H
#define DESK_TESTS_SMTP_RIG_H

#include <CUnit/Basic.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "mail/smtp.h"

#define SERVER        "tests/stands/smtp/faults.py"
#define ARGS          128
#define PATIENT_MS    40000 /* of those whose limits are not the question */
#define MESSAGE_BYTES (1024 * 1024)

extern char **environ;

static char folder[64], ca_file[96], ports[8192];
static pid_t server;
static struct loop *loop;
static struct mail_smtp *sender;
static int waiting;

struct outcome {
    bool done, gate, gate_asked;
    enum mail_smtp_class class, classes[2];
    enum smtp_stage stage;
    struct smtp_reply reply;
    char error[48];
    struct smtp_judgement judgement;
    bool began;
};

static inline void rig_die(const char *why)
{
    perror(why);
    exit(1);
}

/* Starts the server with one "NAME=MODE;RULES" for each argument. */
static inline void rig_start(const char *const *scenarios, size_t count)
{
    const char *args[ARGS] = {"python3", SERVER, "--die-with-parent", "--mails", folder,
                              "--ca",    ca_file};
    int out[2];
    snprintf(folder, sizeof folder, "/tmp/frontdesk-smtp-XXXXXX");
    if (mkdtemp(folder) == NULL || pipe(out) != 0)
        rig_die("mkdtemp");
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    for (size_t i = 0; i < count; i++)
        args[7 + i] = scenarios[i];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    if (posix_spawnp(&server, "python3", &actions, NULL, (char *const *)(uintptr_t)args, environ) !=
        0)
        rig_die("python3");
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    FILE *line = fdopen(out[0], "r");
    if (fgets(ports, sizeof ports, line) == NULL)
        rig_die("no server");
    fclose(line);
    loop = loop_new();
    struct err err;
    struct mail_smtp_options options = {
        .loop = loop, .threads = 24, .ca_file = ca_file, .hello = "desk.example"};
    if (mail_smtp_new(&options, &sender, &err) != 0)
        rig_die(err.message);
}

static inline void rig_stop(void)
{
    mail_smtp_free(&sender);
    loop_pass(loop);
    loop_free(&loop);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    glob_t found;
    char pattern[96];
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
    rmdir(folder);
}

static inline int rig_port(const char *name)
{
    char key[64];
    snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(ports, key);
    if (at == NULL)
        rig_die(name);
    return (int)strtol(at + strlen(key), NULL, 10);
}

/* How many mails the server took under that name. */
static inline size_t rig_mails(const char *name)
{
    glob_t found;
    char pattern[128];
    snprintf(pattern, sizeof pattern, "%s/%s-*.json", folder, name);
    size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    if (count > 0)
        globfree(&found);
    return count;
}

/* A file of a mail, NUL-terminated; owned. */
static inline char *rig_file(const char *name, int number, const char *kind, size_t *length)
{
    char path[160], *bytes = calloc(1, MESSAGE_BYTES + 1);
    snprintf(path, sizeof path, "%s/%s-%d.%s", folder, name, number, kind);
    FILE *file = fopen(path, "rb");
    *length = 0;
    if (file == NULL)
        return bytes;
    *length = fread(bytes, 1, MESSAGE_BYTES, file);
    fclose(file);
    return bytes;
}

static inline bool on_gate(void *arg)
{
    struct outcome *o = arg;
    CU_ASSERT_FALSE(o->gate_asked);
    o->gate_asked = true;
    return o->gate;
}

static inline void on_done(void *arg, const struct mail_smtp_result *result)
{
    struct outcome *o = arg;
    CU_ASSERT_FALSE(o->done);
    o->done = true;
    o->class = result->class;
    o->stage = result->stage;
    o->reply = result->reply;
    o->judgement = result->judgement;
    o->began = result->began;
    snprintf(o->error, sizeof o->error, "%s", result->error);
    for (size_t i = 0; i < result->recipient_count && i < 2; i++)
        o->classes[i] = result->recipients[i].class;
    if (--waiting == 0)
        loop_stop(loop);
}

static const char *const two[] = {"first@customer.example", "second@customer.example"};
static char message[MESSAGE_BYTES];

/* A mail of about so many bytes, with lines that begin with dots. */
static inline size_t rig_message(size_t size)
{
    int head = snprintf(message, sizeof message,
                        "Date: Mon, 2 Nov 2026 10:15:00 +0000\r\nFrom: <desk@clinic.example>\r\n"
                        "To: <first@customer.example>\r\nMessage-ID: <d1@clinic.example>\r\n"
                        "References: <a@b.example>\r\n <c@d.example>\r\nSubject: Re: hours\r\n"
                        "X-Loop: desk@clinic.example\r\nMIME-Version: 1.0\r\n\r\n");
    size_t at = (size_t)head;
    static const char *const lines[] = {
        ".\r\n",         "..two\r\n", ". and a word\r\n",
        "From here\r\n", "\r\n",      "a longer line of text that says very little\r\n"};
    for (size_t i = 0; at + 64 < size || i < 6; i++) {
        size_t length = strlen(lines[i % 6]);
        memcpy(message + at, lines[i % 6], length);
        at += length;
    }
    return at;
}

struct sending {
    const char *url; /* with %d for the port */
    const char *scenario;
    int port; /* instead of the scenario's */
    size_t recipients, size;
    bool dotless; /* nothing to be stuffed: what is sent is as long as what is given */
    struct mail_smtp_limits limits;
};

/* Starts one; the caller runs the loop. */
static inline struct mail_smtp_transfer *rig_send(const struct sending *sending, const char *secret,
                                                  struct outcome *outcome)
{
    char url[128];
    struct mail_smtp_account account;
    struct err err;
    int port = sending->port != 0 ? sending->port : rig_port(sending->scenario);
    memset(outcome, 0, sizeof *outcome);
    outcome->gate = true;
    const char *mark = strstr(sending->url, "PORT");
    snprintf(url, sizeof url, "%.*s%d%s", (int)(mark - sending->url), sending->url, port, mark + 4);
    if (mail_smtp_account_parse(url, &account, &err) != 0)
        rig_die(err.message);
    struct secret *kept = secret_new(secret, strlen(secret));
    size_t length = rig_message(sending->size);
    if (sending->dotless)
        for (size_t i = 0; i < length; i++)
            message[i] = message[i] == '.' && i > 0 && message[i - 1] == '\n' ? '-' : message[i];
    struct mail_smtp_limits limits = sending->limits;
    if (limits.command_ms == 0)
        limits.command_ms = limits.data_ms = limits.dot_ms = PATIENT_MS;
    struct mail_smtp_call call = {
        .account = &account,
        .secret = kept,
        .from = "desk@clinic.example",
        .to = two,
        .to_count = sending->recipients > 0 ? sending->recipients : 1,
        .envelope_id = "0193a7f0-0000-7000-8000-000000000001",
        .message = message,
        .length = length,
        .limits = limits,
        .may_send = on_gate,
        .on_done = on_done,
        .arg = outcome,
    };
    waiting++;
    struct mail_smtp_transfer *transfer = mail_smtp_start(sender, &call);
    secret_free(&kept);
    return transfer;
}

#endif
