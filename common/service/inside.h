/* Private to common/service: what its files share. service.c is the main thread, loops.c the loop
 * threads, command.c the command line, admin.c the admin listener, config.c the table of keys,
 * config_value.c one value by its type, config_text.c the table as text. */
#ifndef DESK_SERVICE_INSIDE_H
#define DESK_SERVICE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/server.h"
#include "service/log.h"
#include "service/service.h"

#define SERVICE_VERSION        "0.1.0"
#define SERVICE_CONDITIONS_MAX 16
#define SERVICE_LOOPS_MAX      64

struct service_loop {
    struct service *service;
    int index;
    struct thread *thread;
    pthread_mutex_t mutex; /* guards what follows */
    struct loop *loop;     /* NULL before and after the thread's life */
    bool running;          /* between the start hook and the stop hook */
    int64_t entered_ms;    /* when `loop` and `running` last changed */
};

struct service_condition {
    const char *name;
    bool met;
};

struct service {
    const struct service_spec *spec;
    const struct config_common *common;
    struct loop *loop; /* the main thread's */
    struct http_server *admin;
    struct service_loop *loops;
    int loop_count, loops_running, loops_ended; /* the counts are the main thread's */
    int signals;                                /* termination signals so far */
    int exit_code;
    int64_t drain_until_ms; /* monotonic */
    struct timer *late_timer, *stuck_timer;
    struct signal_watch *terminate, *interrupt, *louder;
    atomic_bool serving; /* all loops run */
    atomic_bool draining;
    pthread_mutex_t mutex; /* guards the conditions */
    struct service_condition conditions[SERVICE_CONDITIONS_MAX];
    int condition_count;
};

/* ---- command.c ---- */

enum command_mode { COMMAND_RUN, COMMAND_CHECK, COMMAND_PRINT };

/* What the command line asks for. */
struct command {
    enum command_mode mode;
    struct config_sources sources;
    const char **arguments; /* owned; sources points to it */
};

/* Reads the command line; answers --help, --version, --document and the service's own words at
 * once. Returns the exit code, or -1 to go on with *command (command_fini). */
int command_parse(int argc, char **argv, const struct service_spec *spec, struct command *command);
void command_fini(struct command *command);

/* ---- loops.c ---- */

/* Make the loops' records (loop_count is set), and free them after loops_join. */
void loops_make(struct service *service);
void loops_free(struct service *service);

/* Starts all loop threads; each posts to the main loop when it runs and when it has ended. */
void loops_start(struct service *service);

/* Posts to every loop that has not ended: drain, or end at once. */
void loops_drain(struct service *service);
void loops_cut(struct service *service);

/* True while no loop is stuck: heartbeat younger than 5 s, or not yet 60 s in its start. Any
 * thread. */
bool loops_healthy(struct service *service);

/* Joins the threads; all have ended. */
void loops_join(struct service *service);

/* On the main loop, called by loops.c: one more loop runs; one has ended (failed: its start hook
 * refused). */
void service_loop_runs(struct service *service);
void service_loop_ended(struct service *service, bool failed);

/* ---- admin.c ---- */

/* Starts and stops the admin listener. */
int admin_start(struct service *service, struct err *err);
void admin_stop(struct service *service);

/* ---- log.c ---- */

/* Changes the least level at run time. Any thread. */
void log_set_level(enum log_level level);

/* The level of a word of config_log_levels; LOG_LEVEL_INFO for any other. */
enum log_level log_level_of(const char *word);

/* Lines left out because their event repeated too fast. */
uint64_t log_suppressed(void);

/* ---- config_value.c ---- */

struct config_value {
    const struct config_spec *spec;
    const char *text;   /* as given */
    const char *source; /* "--lease_ms", "FRONTDESK_LEASE_MS", "engine.conf:12", "the default" */
};

/* Parses the value into its field of *settings; a problem is a line in `problems`. */
bool config_value_parse(const struct config_value *value, void *settings, struct strbuf *problems);

/* Frees the field. */
void config_value_free(const struct config_spec *spec, void *settings);

/* Appends the field's value, as a file would write it; a secret is masked. */
void config_value_print(const struct config_spec *spec, const void *settings, struct strbuf *out);

/* The type as a word for documents ("duration"); and one of its number as text. */
const char *config_type_name(enum config_type type);
void config_number_print(enum config_type type, int64_t number, struct strbuf *out);

/* FRONTDESK_<KEY> into a buffer; key_max is what keys may have. */
#define CONFIG_KEY_MAX 48
#define CONFIG_ENV_MAX (CONFIG_KEY_MAX + 16)
const char *config_environment_name(const char *key, char out[CONFIG_ENV_MAX]);

#endif
