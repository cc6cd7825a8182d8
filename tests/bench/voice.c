/* Callers and the model at once: both ends of a call's turn in one process, on one clock, so that
 * what lies between them can be measured (rows V1, V2, V3, M3 of docs/BENCHMARKS.md). It holds the
 * relay sockets of many calls as Twilio would, says prompts into them at a pace, answers as the
 * model of the business, and takes each frame that comes back. A word that is lost, doubled or in
 * the wrong place ends the run. Run by tests/bench/rows_voice.py.
 *
 * bench-voice CALLS RELAY PORT: CALLS is a file with a call a line, `SID URL SIGNATURE ACCOUNT FROM
 * TO` (SID "-": a socket to whatever server, of which nothing is known); RELAY the address that all
 * sockets are opened to, whatever their URL; PORT the model's (0: none).
 * When all sockets are open it says "open"; then it takes commands from its standard input:
 *
 *   turns COUNT RATE      so many prompts a second over all calls in turn
 *   barge COUNT RATE      the same, and the caller cuts into each answer
 *
 * and answers each with a line of JSON a turn, times in microseconds of the wall clock, and "done".
 * It ends with its standard input. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "bench/samples.h"
#include "stands/lib/args.h"
#include "stands/lib/http_server.h"
#include "stands/lib/ids.h"
#include "stands/lib/websocket.h"

enum {
    OPENING_MAX = 32, /* handshakes at once */
    THINK_MS = 20,    /* until the model's first token */
    CHUNKS = 20,      /* of an answer */
    CHUNK_MS = 50,    /* between two of them */
    LONG_CHUNKS = 60, /* of an answer that is cut into, a sentence each */
    LONG_CHUNK_MS = 30,
    LISTEN_MS = 200,   /* of the first words, before the caller cuts in */
    LATE_MS = 20000,   /* a turn that is not over by then is lost */
    LATE_OWN_US = 1000 /* what a timer of this process may be late; more counts as the desk's */
};

#define FIRST_WORD                                                                                 \
    "Yes, " /* can be spoken at once: nothing of the model is waited for behind it                 \
             */

struct turn {
    int number;
    int64_t sent_us; /* the prompt */
    int64_t asked_us, token_us, frame_us, over_us;
    int64_t cut_us, last_us;         /* the interrupt; the last frame behind it */
    int frames, after;               /* of words: all; behind the answer to the interrupt's ping */
    int fillers;                     /* said because the answer was slow to begin */
    bool hushed, cancelled, is_over; /* cancelled: the desk let go of the model's answer */
    struct stand_exchange *x;        /* the model's answer while it is written */
    int chunk;
    struct stand_buf answer, heard;
};

struct caller {
    char sid[48], url[512], signature[64], account[48], from[32], to[32];
    int index;
    struct stand_websocket *ws;
    struct turn *turn; /* the newest */
    uv_timer_t cut;
};

static uv_loop_t *loop;
static const char *relay;
static struct caller *callers;
static int caller_count, opening, opened, next_caller;
static struct turn *turns; /* of the command in hand */
static int turn_count, turns_begun, turns_over, total_turns;
static bool barges;
static char run[5]; /* hexadecimal: the marks of another run are none of ours */
static double pace_us;
static int64_t first_us;
static uv_timer_t pacer, patience;

static int64_t wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const struct caller *caller, const char *what)
{
    printf("failed: %s: call %d, turn %d: heard \"%s\" of \"%s\"\n", what, caller->index,
           caller->turn ? caller->turn->number : 0,
           caller->turn && caller->turn->heard.data ? caller->turn->heard.data : "",
           caller->turn && caller->turn->answer.data ? caller->turn->answer.data : "");
    fflush(stdout);
    exit(1);
}

/* ---- the end of a command ---- */

static void print_turn(const struct caller *caller, const struct turn *turn)
{
    printf("{\"sid\": \"%s\", \"mark\": \"n-v%s%04x%06x\", \"sent\": %" PRId64
           ", \"asked\": %" PRId64 ", \"token\": %" PRId64 ", \"frame\": %" PRId64
           ", \"over\": %" PRId64 ", \"cut\": %" PRId64 ", \"last\": %" PRId64
           ", \"frames\": %d, \"after\": %d, \"fillers\": %d, \"cancelled\": %s}\n",
           caller->sid, run, (unsigned)caller->index, (unsigned)turn->number, turn->sent_us,
           turn->asked_us, turn->token_us, turn->frame_us, turn->over_us, turn->cut_us,
           turn->last_us, turn->frames, turn->after, turn->fillers,
           turn->cancelled ? "true" : "false");
}

static void end_command(void)
{
    for (int i = 0; i < turn_count; i++)
        print_turn(&callers[(next_caller + i) % caller_count], &turns[i]);
    next_caller = (next_caller + turn_count) % caller_count;
    for (int i = 0; i < caller_count; i++)
        callers[i].turn = NULL;
    for (int i = 0; i < turn_count; i++) {
        stand_buf_fini(&turns[i].answer);
        stand_buf_fini(&turns[i].heard);
    }
    free(turns);
    turns = NULL;
    uv_timer_stop(&patience);
    printf("done\n");
    fflush(stdout);
}

static void over(struct turn *turn)
{
    if (turn->is_over)
        return;
    turn->is_over = true;
    if (turn->over_us == 0)
        turn->over_us = wall_us();
    if (++turns_over == turn_count)
        end_command();
}

static void on_late(uv_timer_t *timer)
{
    (void)timer;
    for (int i = 0; i < caller_count; i++)
        if (callers[i].turn && !callers[i].turn->is_over)
            fail(&callers[i], "lost");
}

/* ---- the model ---- */

/* The answer to the prompt with this mark: the first word, then twenty parts in all; or sentences,
 * each a piece for the voice. */
static void make_answer(struct turn *turn, const char *mark)
{
    stand_buf_init(&turn->answer, 64 * 1024);
    stand_buf_init(&turn->heard, 64 * 1024);
    stand_buf_puts(&turn->answer, FIRST_WORD);
    if (!barges)
        stand_buf_printf(&turn->answer,
                         "I can see a free place for that on Tuesday at ten. Your "
                         "mark is %s.",
                         mark);
    for (int i = 1; barges && i < LONG_CHUNKS; i++)
        stand_buf_printf(&turn->answer, "Part %d is here. ", i);
}

/* Where the chunk with this number ends in the answer. */
static size_t chunk_end(const struct turn *turn, int chunk)
{
    const size_t first = strlen(FIRST_WORD), rest = turn->answer.len - first;
    if (!barges)
        return first + rest * (size_t)chunk / (CHUNKS - 1);
    const char *at = turn->answer.data + first;
    for (int i = 0; i < chunk && at; i++)
        at = strstr(at, ". ") + 2;
    return (size_t)(at - turn->answer.data);
}

static void send_delta(struct stand_exchange *x, const char *text, size_t len, bool last)
{
    struct stand_buf out;
    stand_buf_init(&out, 64 * 1024);
    stand_buf_puts(&out, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,"
                         "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{");
    if (!last) {
        stand_buf_puts(&out, "\"content\":");
        stand_buf_json(&out, text, len);
    }
    stand_buf_printf(&out, "},\"finish_reason\":%s}]}\n\n%s", last ? "\"stop\"" : "null",
                     last ? "data: [DONE]\n\n" : "");
    stand_exchange_chunk(x, out.data, out.len);
    stand_buf_fini(&out);
}

static void begin_stream(struct stand_exchange *x)
{
    stand_exchange_begin(
        x, &(struct stand_answer){.status = 200, .content_type = "text/event-stream"});
}

static void send_chunk(void *user)
{
    struct turn *turn = user;
    const int chunks = barges ? LONG_CHUNKS : CHUNKS;
    const size_t begin = turn->chunk == 0 ? 0 : chunk_end(turn, turn->chunk - 1);
    const size_t end = chunk_end(turn, turn->chunk);
    struct stand_exchange *x = turn->x;
    if (turn->chunk == 0)
        turn->token_us = wall_us();
    send_delta(x, turn->answer.data + begin, end - begin, false);
    if (turn->x && ++turn->chunk < chunks) {
        stand_exchange_after(x, barges ? LONG_CHUNK_MS : CHUNK_MS, send_chunk, turn);
    } else if (turn->x) {
        send_delta(x, "", 0, true);
        stand_exchange_end(x);
    }
}

/* An answer that was cut into is over when the model has nothing more to say. */
static void on_answered(void *user, bool gone)
{
    struct turn *turn = user;
    turn->x = NULL;
    turn->cancelled = gone;
    if (turn->hushed)
        over(turn);
}

/* The turn of the last mark in what the model is asked. */
static struct caller *caller_asked(const char *body, int *number)
{
    const char *mark = NULL;
    char of_run[sizeof run];
    unsigned index, turn;
    for (const char *at = strstr(body, "n-v"); at; at = strstr(at + 1, "n-v"))
        mark = at;
    if (!mark || sscanf(mark, "n-v%4[0-9a-f]%4x%6x", of_run, &index, &turn) != 3 ||
        strcmp(of_run, run) != 0 || index >= (unsigned)caller_count)
        return NULL;
    *number = (int)turn;
    return &callers[index];
}

static void on_request(void *ctx, struct stand_exchange *x)
{
    (void)ctx;
    const int64_t now = wall_us();
    size_t len;
    int number = 0;
    struct caller *caller = caller_asked(stand_exchange_body(x, &len), &number);
    if (!caller) { /* of a run that failed */
        begin_stream(x);
        send_delta(x, "Fine.", 5, false);
        send_delta(x, "", 0, true);
        stand_exchange_end(x);
        return;
    }
    struct turn *turn = caller->turn;
    if (!turn || turn->number != number || turn->asked_us != 0)
        fail(caller, "asked about a wrong turn, or twice");
    turn->asked_us = now;
    turn->x = x;
    stand_exchange_drop_body(x);
    stand_exchange_on_done(x, on_answered, turn);
    begin_stream(x);
    stand_exchange_after(x, THINK_MS, send_chunk, turn);
}

/* ---- a caller ---- */

static void on_cut(uv_timer_t *timer);

static void send_text(const struct caller *caller, const struct stand_buf *frame)
{
    stand_websocket_send(caller->ws, STAND_FRAME_TEXT, true, frame->data, frame->len);
}

static void say(struct caller *caller, struct turn *turn, int64_t due_us)
{
    char mark[32];
    struct stand_buf frame;
    if (caller->turn && !caller->turn->is_over)
        fail(caller, "not over when the next turn was due");
    turn->number = ++total_turns;
    snprintf(mark, sizeof mark, "n-v%s%04x%06x", run, (unsigned)caller->index,
             (unsigned)turn->number);
    make_answer(turn, mark);
    caller->turn = turn;
    stand_buf_init(&frame, 1024);
    stand_buf_printf(&frame,
                     "{\"type\":\"prompt\",\"voicePrompt\":\"Could I come in next week, "
                     "%s?\",\"lang\":\"en-US\",\"last\":true}",
                     mark);
    turn->sent_us = wall_us();
    const int64_t late_us = turn->sent_us - due_us - LATE_OWN_US;
    turn->sent_us -= late_us > 0 ? late_us : 0;
    send_text(caller, &frame);
    stand_buf_fini(&frame);
}

/* What ingress says over an answer that is slow to begin; the words of the businesses' files. */
static bool is_filler(const struct turn *turn, const char *token)
{
    return turn->heard.len == 0 &&
           (strcmp(token, "One moment, please.") == 0 || strcmp(token, "I am still looking.") == 0);
}

/* The words of one frame. */
static void take_words(struct caller *caller, struct turn *turn, const char *token, bool last)
{
    if (turn->cut_us != 0)
        turn->last_us = wall_us();
    turn->after += turn->hushed;
    turn->frames++;
    stand_buf_puts(&turn->heard, token);
    if (turn->hushed)
        return;
    if (turn->heard.len > turn->answer.len ||
        memcmp(turn->heard.data, turn->answer.data, turn->heard.len) != 0)
        fail(caller, "other words");
    if (turn->frame_us == 0) {
        turn->frame_us = wall_us();
        if (barges)
            uv_timer_start(&caller->cut, on_cut, LISTEN_MS, 0);
    }
    if (!last)
        return;
    if (turn->heard.len != turn->answer.len || barges)
        fail(caller, "ended early");
    over(turn);
}

static void on_message(void *user, bool is_text, const char *data, size_t len)
{
    struct caller *caller = user;
    cJSON *json = is_text ? cJSON_ParseWithLength(data, len) : NULL;
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(json, "type");
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(json, "token");
    char why[256];
    snprintf(why, sizeof why, "nobody expected %.200s", data);
    if (!cJSON_IsString(type) || strcmp(type->valuestring, "text") != 0 || !cJSON_IsString(token) ||
        !caller->turn || (caller->turn->is_over && !caller->turn->hushed))
        fail(caller, why);
    if (is_filler(caller->turn, token->valuestring))
        caller->turn->fillers++;
    else
        take_words(caller, caller->turn, token->valuestring,
                   cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "last")));
    cJSON_Delete(json);
}

/* The caller cuts in. The ping behind it is answered when the interrupt has been taken: a frame of
 * the turn that comes after that answer left too late. */
static void on_cut(uv_timer_t *timer)
{
    struct caller *caller = timer->data;
    struct turn *turn = caller->turn;
    struct stand_buf frame;
    if (!turn || turn->is_over || turn->cut_us != 0)
        return;
    stand_buf_init(&frame, 128 * 1024);
    stand_buf_puts(&frame, "{\"type\":\"interrupt\",\"utteranceUntilInterrupt\":");
    stand_buf_json(&frame, turn->heard.data, turn->heard.len);
    stand_buf_printf(&frame, ",\"durationUntilInterruptMs\":%d}", LISTEN_MS);
    turn->cut_us = wall_us();
    send_text(caller, &frame);
    stand_websocket_send(caller->ws, STAND_FRAME_PING, true, "", 0);
    stand_buf_fini(&frame);
}

static void on_pong(void *user)
{
    struct caller *caller = user;
    struct turn *turn = caller->turn;
    if (!turn || turn->cut_us == 0 || turn->hushed)
        return;
    turn->hushed = true;
    turn->over_us = wall_us();
    if (!turn->x)
        over(turn);
}

/* ---- sockets ---- */

static void open_more(void);

static void send_setup(struct caller *caller)
{
    char session[35];
    struct stand_buf frame;
    stand_sid(session, "VX");
    stand_buf_init(&frame, 2048);
    stand_buf_printf(&frame,
                     "{\"type\":\"setup\",\"sessionId\":\"%s\",\"accountSid\":\"%s\",\"callSid\":"
                     "\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"direction\":\"inbound\",\"callType\":"
                     "\"PSTN\",\"callStatus\":\"RINGING\",\"customParameters\":{}}",
                     session, caller->account, caller->sid, caller->from, caller->to);
    send_text(caller, &frame);
    stand_buf_fini(&frame);
}

static void on_opened(void *user, int status, const char *why)
{
    struct caller *caller = user;
    if (status != 101)
        fail(caller, why);
    if (strcmp(caller->sid, "-") != 0)
        send_setup(caller);
    opening--;
    if (++opened == caller_count) {
        printf("open\n");
        fflush(stdout);
    }
    open_more();
}

static void on_closed(void *user, int code, const char *why)
{
    (void)code;
    fail(user, why[0] ? why : "the socket was closed");
}

static void open_one(struct caller *caller)
{
    char header[128];
    const char *why = NULL;
    struct stand_websocket_options options = {.url = caller->url,
                                              .connect = relay,
                                              .headers = header,
                                              .timeout_ms = 30000,
                                              .message_max = 64 * 1024,
                                              .opened = on_opened,
                                              .message = on_message,
                                              .closed = on_closed,
                                              .pong = on_pong,
                                              .user = caller};
    snprintf(header, sizeof header, "x-twilio-signature: %s\r\n", caller->signature);
    caller->ws = stand_websocket_open(loop, &options, &why);
    if (!caller->ws)
        fail(caller, why);
}

static void open_more(void)
{
    while (opening < OPENING_MAX && opening + opened < caller_count) {
        opening++;
        open_one(&callers[opening + opened - 1]);
    }
}

static void read_calls(const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    int room = 0;
    if (!file)
        die("the file of calls cannot be read");
    while (fgets(line, sizeof line, file)) {
        if (caller_count == room) {
            room = room ? 2 * room : 64;
            callers = realloc(callers, (size_t)room * sizeof *callers);
            if (!callers)
                die("memory");
        }
        struct caller *caller = &callers[caller_count];
        *caller = (struct caller){.index = caller_count++};
        if (sscanf(line, "%47s %511s %63s %47s %31s %31s", caller->sid, caller->url,
                   caller->signature, caller->account, caller->from, caller->to) != 6)
            die("a call's line cannot be read");
    }
    fclose(file);
    for (int i = 0; i < caller_count; i++) { /* they stay where they are from now on */
        uv_timer_init(loop, &callers[i].cut);
        callers[i].cut.data = &callers[i];
    }
}

/* ---- commands ---- */

static void on_pace(uv_timer_t *timer)
{
    int64_t due = first_us + (int64_t)(turns_begun * pace_us);
    while (turns_begun < turn_count && due <= wall_us()) {
        say(&callers[(next_caller + turns_begun) % caller_count], &turns[turns_begun], due);
        turns_begun++;
        due = first_us + (int64_t)(turns_begun * pace_us);
    }
    if (turns_begun == turn_count) {
        uv_timer_start(&patience, on_late, LATE_MS, 0);
        return;
    }
    int64_t left_us = due - wall_us();
    uv_update_time(loop);
    uv_timer_start(timer, on_pace, left_us > 0 ? (uint64_t)(left_us + 999) / 1000 : 0, 0);
}

static void command(const char *line)
{
    char word[16];
    double rate;
    if (sscanf(line, "%15s %d %lf", word, &turn_count, &rate) != 3 || turn_count < 1 ||
        turn_count > SAMPLES_MAX || rate <= 0 || turns ||
        (strcmp(word, "turns") != 0 && strcmp(word, "barge") != 0))
        die("turns COUNT RATE | barge COUNT RATE");
    barges = strcmp(word, "barge") == 0;
    turns = calloc((size_t)turn_count, sizeof *turns);
    if (!turns)
        die("memory");
    turns_begun = turns_over = 0;
    pace_us = 1e6 / rate;
    first_us = wall_us() + 20000;
    uv_timer_start(&pacer, on_pace, 20, 0);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    static char room[4096];
    (void)handle, (void)hint;
    *buf = uv_buf_init(room, sizeof room - 1);
}

static void on_input(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)stream;
    if (len < 0)
        exit(0);
    buf->base[len] = '\0';
    if (len > 0)
        command(buf->base);
}

int main(int argc, char **argv)
{
    uv_pipe_t input;
    if (argc != 4)
        die("CALLS RELAY PORT");
    stand_args_process(true);
    loop = uv_default_loop();
    int port = number_of(argv[3], 0, 65535, "a port is 0-65535");
    relay = argv[2];
    stand_hex(run, sizeof run - 1);
    read_calls(argv[1]);
    if (port != 0 && !stand_server_new(loop, "127.0.0.1", port, on_request, NULL))
        return 1;
    uv_timer_init(loop, &pacer);
    uv_timer_init(loop, &patience);
    uv_pipe_init(loop, &input, 0);
    if (uv_pipe_open(&input, 0) != 0)
        die("the standard input must be a pipe");
    uv_read_start((uv_stream_t *)&input, on_alloc, on_input);
    open_more();
    return uv_run(loop, UV_RUN_DEFAULT);
}
