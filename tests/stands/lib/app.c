/*
 * The frame of the stand-ins: accepts requests, keeps the ledger, lets the fault rules decide and
 * carries their general part out, so that the programs only do their provider's work. Called by the
 * main programs.
 */
#include "stands/lib/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stands/lib/args.h"
#include "stands/lib/control.h"

enum { LEDGER_MAX = 2000000, PARAMS_MAX = 1024 * 1024, HUGE_BYTES = 1024 * 1024 };

/* --- the end of a call --- */

void stand_call_outcome(struct stand_call *call, enum stand_outcome outcome)
{
    if (call->outcome != STAND_OPEN)
        return;
    call->outcome = outcome;
    call->app->outcomes[outcome]++;
    stand_ledger_settle(call->app->ledger, call->entry, call->status, outcome);
}

static void on_done(void *user, bool gone)
{
    struct stand_call *call = user;
    struct stand_app *app = call->app;
    stand_call_outcome(call, gone ? STAND_CLIENT_GONE : STAND_ANSWERED);
    if (call->status > 0 && call->status < 1000)
        app->statuses[call->status]++;
    app->open--;
    app->hooks->release(call);
    stand_plan_fini(&call->plan);
    stand_buf_fini(&call->out);
    free(call);
}

/* --- answers --- */

static void run_step(void *user)
{
    struct stand_call *call = user;
    call->step(call);
}

void stand_call_delayed(struct stand_call *call, stand_step *step)
{
    call->step = step;
    if (call->plan.delay_ms)
        stand_exchange_after(call->x, call->plan.delay_ms, run_step, call);
    else
        step(call);
}

static void send_rest(void *user)
{
    struct stand_call *call = user;
    stand_exchange_raw(call->x, call->out.data + call->out_sent, call->out.len - call->out_sent);
    stand_exchange_finish(call->x);
}

/* Sends the first part of the held answer: what the action names in bytes, else half of it. */
static void send_part(struct stand_call *call)
{
    int64_t bytes = call->plan.main->bytes;
    size_t half = call->out.len / 2;
    call->out_sent = bytes >= 0 && (size_t)bytes < call->out.len ? (size_t)bytes : half;
    stand_exchange_raw(call->x, call->out.data, call->out_sent);
}

static void send_held(void *user)
{
    struct stand_call *call = user;
    const struct stand_action *action = call->plan.main;
    if (action && action->type == STAND_CUT_OFF) {
        stand_call_outcome(call, STAND_CUT);
        send_part(call);
        stand_exchange_cut(call->x, action->reset > 0);
    } else if (action && action->type == STAND_STALL) {
        send_part(call);
        if (action->ms >= 0)
            stand_exchange_after(call->x, (uint64_t)action->ms, send_rest, call);
        else
            stand_call_outcome(call, STAND_STALLED);
    } else if (action && action->type == STAND_ANSWER_LOST && action->status < 0) {
        call->status = 0;
        stand_call_outcome(call, STAND_LOST);
        stand_exchange_cut(call->x, action->reset > 0);
    } else {
        send_rest(call);
    }
}

static void render(struct stand_call *call, const struct stand_answer *answer)
{
    stand_buf_init(&call->out, answer->len + STAND_HTTP_HEAD_MAX);
    stand_exchange_render(call->x, answer, &call->out);
    call->status = answer->status;
}

static void render_error(struct stand_call *call, int fallback_status)
{
    const struct stand_action *action = call->plan.main;
    struct stand_buf body, headers;
    stand_buf_init(&body, PARAMS_MAX);
    stand_buf_init(&headers, STAND_HTTP_HEAD_MAX);
    call->app->hooks->error(action, &body, &headers);
    if (action->retry_after && !strpbrk(action->retry_after, "\r\n"))
        stand_buf_printf(&headers, "Retry-After: %.100s\r\n", action->retry_after);
    bool valid = action->status >= 200 && action->status < 1000;
    struct stand_answer answer = {.status = valid ? (int)action->status : fallback_status,
                                  .content_type = "application/json",
                                  .headers = headers.data,
                                  .body = body.data ? body.data : "",
                                  .len = body.len};
    render(call, &answer);
    stand_buf_fini(&body);
    stand_buf_fini(&headers);
}

static void render_huge(struct stand_call *call, const struct stand_answer *answer)
{
    int64_t asked = call->plan.main->bytes;
    size_t blanks = asked >= 0 && asked < (64LL << 20) ? (size_t)asked : HUGE_BYTES;
    char *body = stand_alloc(blanks + answer->len + 1);
    memset(body, ' ', blanks);
    memcpy(body + blanks, answer->body, answer->len);
    struct stand_answer huge = *answer;
    huge.body = body;
    huge.len = blanks + answer->len;
    render(call, &huge);
    free(body);
}

static void render_spoilt(struct stand_call *call, const struct stand_answer *answer)
{
    static const char page[] = "<html><body><h1>It works!</h1></body></html>\n";
    struct stand_answer spoilt = *answer;
    bool sizes = !call->app->hooks->sizes_are_text;
    enum stand_action_type type = call->plan.main ? call->plan.main->type : STAND_ACTION_TYPES;
    if (type == STAND_ANSWER_LOST && call->plan.main->status >= 0) {
        render_error(call, 500);
        stand_call_outcome(call, STAND_LOST);
        return;
    }
    if (type == STAND_HUGE && sizes) {
        render_huge(call, answer);
        return;
    }
    if (type == STAND_WRONG_JSON) {
        spoilt.len = answer->len / 2;
    } else if (type == STAND_EMPTY && sizes) {
        spoilt.len = 0;
    } else if (type == STAND_NONSENSE) {
        spoilt = (struct stand_answer){
            .status = 200, .content_type = "text/html", .body = page, .len = sizeof page - 1};
    }
    render(call, &spoilt);
}

void stand_call_reply(struct stand_call *call, const struct stand_answer *answer)
{
    render_spoilt(call, answer);
    stand_call_delayed(call, send_held);
}

/* --- the start of a call --- */

static void cut_now(void *user)
{
    struct stand_call *call = user;
    stand_call_outcome(call, STAND_CUT);
    stand_exchange_cut(call->x, call->plan.main->reset > 0);
}

/* Carries out what needs no work by the program. False when the program must handle the call. */
static bool act_before_work(struct stand_call *call)
{
    const struct stand_action *action = call->plan.main;
    if (!action)
        return false;
    switch (action->type) {
    case STAND_HANG:
        stand_call_outcome(call, STAND_HUNG);
        return true;
    case STAND_REFUSE:
        stand_call_outcome(call, STAND_REFUSED);
        stand_server_refuse(call->app->server, action->ms >= 0 ? (uint64_t)action->ms : 1000);
        stand_exchange_cut(call->x, true);
        return true;
    case STAND_CUT_OFF:
        if (action->bytes >= 0 || action->chunks >= 0)
            return false;
        stand_call_delayed(call, cut_now);
        return true;
    case STAND_STATUS:
        render_error(call, 500);
        stand_call_delayed(call, send_rest);
        return true;
    default:
        return false;
    }
}

static void take_directive(struct stand_call *call)
{
    if (call->plan.main || !call->app->hooks->directive)
        return;
    struct stand_action *action = call->app->hooks->directive(call);
    if (!action)
        return;
    if (action->type == STAND_DELAY) {
        call->plan.delay_ms += action->ms > 0 ? (uint64_t)action->ms : 0;
        stand_action_release(action);
        return;
    }
    call->plan.main = action;
}

static void on_request(void *ctx, struct stand_exchange *x)
{
    struct stand_app *app = ctx;
    if (strncmp(stand_exchange_path(x), "/_", 2) == 0) {
        stand_control_handle(app, x);
        return;
    }
    struct stand_call *call = stand_alloc(sizeof *call);
    call->app = app;
    call->x = x;
    app->requests++;
    if (++app->open > app->open_max)
        app->open_max = app->open;
    stand_exchange_on_done(x, on_done, call);
    stand_buf_clear(&app->scratch);
    call->parsed = app->hooks->parse(app->ctx, x, &app->scratch);
    if (app->scratch.len == 0 || app->scratch.overflow) {
        stand_buf_clear(&app->scratch);
        stand_buf_puts(&app->scratch, "null");
    }
    struct stand_sighting seen = {.method = stand_exchange_method(x),
                                  .path = stand_exchange_path(x),
                                  .query = stand_exchange_query(x),
                                  .params = app->scratch.data};
    seen.body = stand_exchange_body(x, &seen.body_len);
    call->entry = stand_ledger_add(app->ledger, seen.method, seen.path, seen.params);
    stand_faults_plan(app->faults, &seen, &call->plan);
    take_directive(call);
    if (!act_before_work(call))
        app->hooks->handle(app->ctx, call);
}

/* --- the program --- */

int stand_app_open(struct stand_app *app, const char *address, const struct stand_hooks *hooks,
                   void *ctx)
{
    char host[64];
    int port;
    app->hooks = hooks;
    app->ctx = ctx;
    app->ledger = stand_ledger_new(LEDGER_MAX);
    app->faults = stand_faults_new(hooks->check);
    stand_buf_init(&app->scratch, PARAMS_MAX);
    if (!address || stand_args_address(address, host, &port) != 0) {
        fprintf(stderr, "--listen wants 127.0.0.1:PORT\n");
        return -1;
    }
    uv_loop_init(&app->loop);
    app->server = stand_server_new(&app->loop, host, port, on_request, app);
    return app->server ? 0 : -1;
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

int stand_app_run(struct stand_app *app)
{
    uv_signal_t signals[2];
    static const int numbers[2] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&app->loop, &signals[i]);
        uv_signal_start(&signals[i], on_signal, numbers[i]);
    }
    printf("listening on 127.0.0.1:%d\n", stand_server_port(app->server));
    fflush(stdout);
    uv_run(&app->loop, UV_RUN_DEFAULT);
    fflush(NULL);
    _exit(0); /* everything else is the system's to take back */
}
