/* The skeleton of every daemon: the main thread. It loads the settings, starts the admin listener
 * and the loop threads, waits on a loop of its own for a signal, and drains. Every wait here has an
 * end: a drain that is late is cut, one that is stuck ends the process. Called by each main.c. */
#include "service/service.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "service/inside.h"
#include "service/metrics.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRINT_BYTES_MAX (1024 * 1024)
#define CUT_AGAIN_MS    500
#define STUCK_MS        15000 /* past the drain: a consumer's close takes up to 10 s */

/* ---- conditions ---- */

int service_condition(struct service *service, const char *name)
{
    pthread_mutex_lock(&service->mutex);
    assert(service->condition_count < SERVICE_CONDITIONS_MAX);
    int number = service->condition_count++;
    service->conditions[number] = (struct service_condition){.name = name};
    pthread_mutex_unlock(&service->mutex);
    return number;
}

void service_set(struct service *service, int condition, bool met)
{
    pthread_mutex_lock(&service->mutex);
    assert(condition >= 0 && condition < service->condition_count);
    struct service_condition *changed = &service->conditions[condition];
    bool differs = changed->met != met;
    changed->met = met;
    pthread_mutex_unlock(&service->mutex);
    if (differs)
        log_info("service.condition", LOG_TEXT("name", changed->name), LOG_BOOL("met", met));
}

/* ---- drain ---- */

static void on_late(void *arg)
{
    struct service *service = arg;
    if (service->exit_code == 0)
        log_warn("drain.late", LOG_INT("drain_ms", service->common->drain_ms),
                 LOG_INT("loops_left", service->loop_count - service->loops_ended));
    service->exit_code = 1;
    loops_cut(service);
}

static void on_stuck(void *arg)
{
    struct service *service = arg;
    log_error("drain.stuck", LOG_INT("loops_left", service->loop_count - service->loops_ended));
    _exit(1);
}

static void begin_drain(struct service *service)
{
    if (atomic_exchange(&service->draining, true))
        return;
    int64_t drain_ms = service->common->drain_ms;
    log_info("service.draining", LOG_INT("drain_ms", drain_ms));
    service->drain_until_ms = clock_mono_ms() + drain_ms;
    timer_start(service->late_timer, drain_ms, CUT_AGAIN_MS);
    timer_start(service->stuck_timer, drain_ms + STUCK_MS, 0);
    loops_drain(service);
}

static void on_terminate(void *arg, int number)
{
    struct service *service = arg;
    log_info("service.signal", LOG_INT("signal", number));
    if (++service->signals > 1)
        _exit(1);
    begin_drain(service);
}

static void on_louder(void *arg, int number)
{
    const struct service *service = arg;
    enum log_level usual = log_level_of(service->common->log_level);
    bool debug = !log_enabled(LOG_LEVEL_DEBUG);
    (void)number;
    log_set_level(debug ? LOG_LEVEL_DEBUG : usual);
    log_warn("service.log_level", LOG_BOOL("debug", debug));
}

void service_loop_runs(struct service *service)
{
    if (++service->loops_running < service->loop_count)
        return;
    atomic_store(&service->serving, true);
    log_info("service.serving", LOG_INT("loops", service->loop_count));
}

void service_loop_ended(struct service *service, bool failed)
{
    service->loops_ended++;
    if (failed || !atomic_load(&service->draining)) {
        if (!failed)
            log_error("loop.ended", LOG_TEXT("reason", "a loop ended though nobody asked for it"));
        service->exit_code = 1;
        begin_drain(service);
    }
    if (service->loops_ended == service->loop_count)
        loop_stop(service->loop);
}

/* ---- a run ---- */

/* Before the loops run nothing is in hand, so a signal may end the process at once; afterwards
 * only a second one may. Also makes PID 1 of a container listen to SIGTERM. */
static void on_early_signal(int number)
{
    (void)number;
    _exit(0);
}

static void on_late_signal(int number)
{
    (void)number;
    _exit(1);
}

static void handle_signals(void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static void describe_config(const struct service_spec *spec)
{
    struct strbuf text, label;
    uint8_t hash[CRYPTO_SHA256_BYTES];
    strbuf_init(&text, PRINT_BYTES_MAX);
    strbuf_init(&label, 128);
    config_print(spec->config, spec->config_count, spec->settings, &text);
    crypto_sha256(text.data, text.length, hash);
    strbuf_add_text(&label, "hash=\"");
    text_add_hex(&label, hash, 8);
    strbuf_add_char(&label, '"');
    metric_set(metric_gauge("frontdesk_config_info", label.data,
                            "Hash of the settings in effect, secrets masked; always 1."),
               1);
    strbuf_fini(&label);
    strbuf_fini(&text);
}

static void wait_for_end(struct service *service)
{
    service->late_timer = timer_new(service->loop, on_late, service);
    service->stuck_timer = timer_new(service->loop, on_stuck, service);
    service->terminate = signal_watch_new(service->loop, SIGTERM, on_terminate, service);
    service->interrupt = signal_watch_new(service->loop, SIGINT, on_terminate, service);
    service->louder = signal_watch_new(service->loop, SIGUSR1, on_louder, service);
    loops_start(service);
    loop_run(service->loop);
    loops_join(service);
    signal_watch_free(&service->terminate);
    signal_watch_free(&service->interrupt);
    signal_watch_free(&service->louder);
    handle_signals(on_late_signal);
    timer_free(&service->late_timer);
    timer_free(&service->stuck_timer);
    loop_pass(service->loop);
}

static void serve(struct service *service)
{
    const struct service_spec *spec = service->spec;
    struct err err;
    if (admin_start(service, &err) != 0 ||
        (spec->start != NULL && spec->start(service, false, &err) != 0)) {
        log_error("service.start_failed", LOG_ERR(&err));
        service->exit_code = 1;
        return;
    }
    wait_for_end(service);
    int64_t left_ms = service->drain_until_ms - clock_mono_ms();
    if (spec->stop != NULL)
        spec->stop(service, left_ms > 0 ? left_ms : 0);
}

static int run(struct service *service)
{
    const struct service_spec *spec = service->spec;
    signal(SIGPIPE, SIG_IGN);
    handle_signals(on_early_signal);
    log_init(spec->name, service->common->instance, service->common->log_level);
    log_info("service.starting", LOG_TEXT("version", SERVICE_VERSION), LOG_INT("pid", getpid()));
    describe_config(spec);
    service->loop = loop_new();
    service->loop_count = spec->loops == NULL ? 1 : (int)*spec->loops;
    assert(service->loop_count >= 1 && service->loop_count <= SERVICE_LOOPS_MAX);
    loops_make(service);
    serve(service);
    admin_stop(service);
    loops_free(service);
    loop_pass(service->loop);
    loop_free(&service->loop);
    log_info("service.ended", LOG_INT("exit_code", service->exit_code));
    return service->exit_code;
}

/* ---- the modes ---- */

static int check(struct service *service)
{
    const struct service_spec *spec = service->spec;
    struct err err;
    log_init(spec->name, service->common->instance, "error");
    if (spec->start != NULL && spec->start(service, true, &err) != 0) {
        fprintf(stderr, "frontdesk-%s: %s (%s)\n", spec->name, err.message, err.code);
        return 2;
    }
    puts("configuration ok");
    return 0;
}

static int print(struct service *service)
{
    struct strbuf out;
    strbuf_init(&out, PRINT_BYTES_MAX);
    config_print(service->spec->config, service->spec->config_count, service->spec->settings, &out);
    fputs(out.data, stdout);
    strbuf_fini(&out);
    return 0;
}

static int (*const modes[])(struct service *service) = {
    [COMMAND_RUN] = run, [COMMAND_CHECK] = check, [COMMAND_PRINT] = print};

static int go(const struct service_spec *spec, const struct command *command)
{
    struct service service = {.spec = spec, .common = spec->settings};
    struct strbuf problems;
    struct err err;
    int code = 2;
    strbuf_init(&problems, PRINT_BYTES_MAX);
    pthread_mutex_init(&service.mutex, NULL);
    if (config_load(spec->config, spec->config_count, &command->sources, spec->settings, &problems,
                    &err) == 0)
        code = modes[command->mode](&service);
    else
        fprintf(stderr, "frontdesk-%s: %s\n%s", spec->name, err.message, problems.data);
    config_free(spec->config, spec->config_count, spec->settings);
    pthread_mutex_destroy(&service.mutex);
    strbuf_fini(&problems);
    return code;
}

int service_main(int argc, char **argv, const struct service_spec *spec)
{
    struct command command;
    int code = command_parse(argc, argv, spec, &command);
    if (code >= 0)
        return code;
    code = go(spec, &command);
    command_fini(&command);
    return code;
}
