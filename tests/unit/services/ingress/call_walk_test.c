/* Random walks: two engines that die, freeze, repeat and lose frames, a caller who cuts in and
 * asks, sockets that break, epochs that rise, a clock that runs out. Whatever happens: each
 * sentence is spoken once and in order, nothing older after something newer, nothing after the
 * fallback, and what is reported as heard is what was said. The same walks on every run. */
#include "call_rig.h"

#include <CUnit/Basic.h>
#include <stdio.h>

#define WALKS     60
#define STEPS     3000
#define SENTENCES 4
#define QUEUE     256
#define TEXT_MAX  1024

struct flight {
    struct voice_frame frame;
    char text[64];
    int64_t at_ms;
};

/* A producer of desk.voice.stream: what it sends arrives in order, late, perhaps twice. */
struct producer {
    struct flight queue[QUEUE];
    size_t head, tail;
};

struct engine {
    struct producer out;
    bool busy, waits; /* for the answer to its `open` */
    int turn, next;
    int64_t fence, epoch, seq, since_ms, next_ms;
};

/* What ingress published, on its way to the database. */
struct report {
    enum call_act_kind kind;
    enum voice_reason reason;
    int turn;
    int64_t fence, seq, at_ms;
    char text[TEXT_MAX];
};

struct world {
    struct rig rig;
    struct engine engines[2];
    struct producer console;
    struct report reports[QUEUE];
    size_t head, tail;
    /* the database */
    int64_t fence, epoch;
    int turn, worker;
    bool turn_open, prompt_open, connected;
    char heard[TEXT_MAX];
    int64_t answered;
    /* what the caller heard, and what was seen of frames */
    char said[TEXT_MAX];
    int said_turn, said_next, last_interrupted;
    int64_t seen_epoch, taken_fence, audible_ms, caller_ms;
    bool over;
    char told[512][80];
    size_t told_count;
    const char *wrong;
};

static struct {
    int turns, adopted, interrupts, fallbacks, breaks, stops, losses;
} seen;

static uint32_t seed;
static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % below;
}

static bool chance(uint32_t per_mille)
{
    return next_random(1000) < per_mille;
}

static void wrong(struct world *w, const char *what)
{
    if (w->wrong == NULL)
        w->wrong = what;
}

static const char *sentence(int turn, int number, char out[64])
{
    snprintf(out, 64, "Turn %d says %d now. ", turn, number);
    return out;
}

/* How many sentences of the turn the text holds. */
static int count_sentences(int turn, const char *text)
{
    char part[64];
    int count = 0;
    while (count < SENTENCES && strstr(text, sentence(turn, count, part)) != NULL)
        count++;
    return count;
}

/* ---- what the call does is looked at ---- */

static void look_at_say(struct world *w, const struct call_act *act)
{
    int turn, number;
    const char *text = act->text + (act->text[0] == ' ');
    int64_t begin_ms = w->audible_ms > w->rig.now_ms ? w->audible_ms : w->rig.now_ms;
    w->audible_ms = begin_ms + (int64_t)strlen(act->text) * 100;
    if (sscanf(text, "Turn %d says %d now. ", &turn, &number) != 2) {
        if (strstr(text, "message") != NULL) {
            w->over = true;
            seen.fallbacks++;
        }
        return;
    }
    if (w->over)
        wrong(w, "a turn is spoken after the fallback");
    if (turn < w->said_turn)
        wrong(w, "an older turn is spoken");
    if (turn == w->last_interrupted)
        wrong(w, "an interrupted turn goes on");
    if (turn != w->said_turn) {
        w->said_turn = turn;
        w->said_next = 0;
        w->said[0] = '\0';
        seen.turns++;
    }
    if (number < w->said_next)
        wrong(w, "a sentence is heard twice");
    if (number > w->said_next)
        wrong(w, "a sentence is left out");
    w->said_next = number + 1;
    size_t length = strlen(w->said);
    snprintf(w->said + length, sizeof w->said - length, "%s", text);
}

static void look_at_heard(struct world *w, const struct voice_heard *heard)
{
    int turn = heard->spoken.turn.bytes[1] << 8 | heard->spoken.turn.bytes[2];
    const char *text = heard->spoken.text, *said = turn == w->said_turn ? w->said : "";
    if (strncmp(said, text, strlen(text)) != 0)
        wrong(w, "what was heard is not what was said");
    bool whole = heard->reason == VOICE_LAST || heard->reason == VOICE_OPEN ||
                 heard->reason == VOICE_STOP || heard->reason == VOICE_FALLBACK;
    if (whole && strcmp(said, text) != 0)
        wrong(w, "not all that was said is told");
    for (size_t i = 0; i < w->told_count; i++)
        if (strcmp(w->told[i], heard->event.id + strlen(CALL_SID)) == 0)
            wrong(w, "a report is published twice");
    if (w->told_count < 512)
        snprintf(w->told[w->told_count++], 80, "%s", heard->event.id + strlen(CALL_SID));
    if (turn == w->said_turn &&
        (heard->reason == VOICE_INTERRUPT || heard->reason == VOICE_CLOSE)) {
        snprintf(w->said, sizeof w->said, "%s", text);
        w->said_next = count_sentences(turn, text);
        if (heard->reason == VOICE_INTERRUPT) {
            w->last_interrupted = turn;
            seen.interrupts++;
        }
    }
    seen.stops += heard->reason == VOICE_STOP;
}

#define READS_BACK(type, in)                                                                       \
    do {                                                                                           \
        struct type given = *(in), read;                                                           \
        given.event.time_ms = 1790000000000;                                                       \
        type##_encode(arena, "desk.", &given, &record);                                            \
        if (type##_decode(arena, &record, &read, &err) != 0)                                       \
            wrong(w, "a record is published that no engine reads");                                \
    } while (0)

static void look_at_record(struct world *w, const struct call_act *act)
{
    struct arena *arena = w->rig.acts.arena;
    struct bus_record record;
    struct err err;
    if (act->kind == CALL_ACT_SETUP)
        READS_BACK(voice_setup, act->setup);
    if (act->kind == CALL_ACT_PROMPT)
        READS_BACK(voice_prompt, act->prompt);
    if (act->kind == CALL_ACT_HEARD)
        READS_BACK(voice_heard, act->heard);
    if (act->kind == CALL_ACT_ENDED)
        READS_BACK(voice_ended, act->ended);
}

static void look(struct world *w)
{
    const struct call_acts *acts = &w->rig.acts;
    for (size_t i = 0; i < acts->count; i++) {
        const struct call_act *act = &acts->list[i];
        struct report *report = &w->reports[w->tail % QUEUE];
        *report = (struct report){.kind = act->kind, .at_ms = w->rig.now_ms + next_random(200)};
        look_at_record(w, act);
        if (act->kind == CALL_ACT_SAY)
            look_at_say(w, act);
        if (act->kind == CALL_ACT_HEARD) {
            look_at_heard(w, act->heard);
            report->reason = act->heard->reason;
            report->turn = act->heard->spoken.turn.bytes[1] << 8 | act->heard->spoken.turn.bytes[2];
            report->fence = act->heard->spoken.fence;
            report->seq = act->heard->spoken.seq;
            snprintf(report->text, sizeof report->text, "%s", act->heard->spoken.text);
        }
        if (act->kind == CALL_ACT_HEARD || act->kind == CALL_ACT_PROMPT ||
            act->kind == CALL_ACT_SETUP)
            w->tail++;
    }
    w->rig.acts.count = 0;
}

/* P6, by the test's own clock: it knows what was said and when the caller made himself heard. */
static void look_at_silence(struct world *w)
{
    enum call_state state = call_state(w->rig.call);
    int64_t since_ms = w->audible_ms > w->caller_ms ? w->audible_ms : w->caller_ms;
    if ((state == CALL_ASKED || state == CALL_STALLED) && w->rig.now_ms - since_ms > CALL_FILLER_MS)
        wrong(w, "the caller hears silence");
}

/* ---- frames on their way ---- */

static void send_frame(struct world *w, struct producer *p, struct voice_frame frame)
{
    if (p->tail - p->head >= QUEUE - 2)
        return;
    if (chance(5)) {
        seen.losses++;
        return;
    }
    struct flight *before = p->tail > p->head ? &p->queue[(p->tail - 1) % QUEUE] : NULL;
    int64_t at_ms = w->rig.now_ms + 5 + next_random(chance(50) ? 2500 : 150);
    for (int copies = chance(80) ? 2 : 1; copies > 0; copies--) {
        struct flight *flight = &p->queue[p->tail++ % QUEUE];
        flight->frame = frame;
        snprintf(flight->text, sizeof flight->text, "%s", frame.text);
        flight->at_ms = before != NULL && before->at_ms > at_ms ? before->at_ms : at_ms;
    }
}

static void deliver(struct world *w, struct producer *p)
{
    while (p->head < p->tail && p->queue[p->head % QUEUE].at_ms <= w->rig.now_ms) {
        struct flight *flight = &p->queue[p->head++ % QUEUE];
        struct voice_frame frame = flight->frame;
        frame.text = flight->text;
        if (frame.epoch > w->seen_epoch)
            w->seen_epoch = frame.epoch;
        enum call_verdict verdict = rig_take(&w->rig, &frame);
        if (verdict == VERDICT_TAKEN && frame.kind != VOICE_FRAME_STOP) {
            if (frame.epoch < w->seen_epoch)
                wrong(w, "an older epoch is taken");
            if (frame.fence < w->taken_fence)
                wrong(w, "an older fence is taken");
            w->taken_fence = frame.fence;
        }
        look(w);
    }
}

/* ---- engines and their database ---- */

static struct voice_frame frame_of(const struct world *w, struct engine *e)
{
    struct voice_frame frame = rig_frame(&w->rig, e->turn, e->fence, e->seq++);
    frame.epoch = e->epoch;
    return frame;
}

static void start(struct world *w, int which)
{
    struct engine *e = &w->engines[which];
    bool adopts = w->turn_open;
    if (!adopts) {
        w->turn++;
        w->turn_open = true;
        w->prompt_open = false;
        w->heard[0] = '\0';
    }
    e->busy = true;
    e->waits = adopts;
    e->turn = w->turn;
    e->next = 0;
    e->seq = 0;
    e->fence = ++w->fence;
    e->epoch = w->epoch;
    e->since_ms = w->rig.now_ms;
    e->next_ms = w->rig.now_ms + next_random(1500);
    w->worker = which;
    if (!adopts)
        return;
    seen.adopted++;
    struct voice_frame frame = frame_of(w, e);
    frame.kind = VOICE_FRAME_OPEN;
    send_frame(w, &e->out, frame);
}

static void work(struct world *w, int which)
{
    struct engine *e = &w->engines[which];
    char text[64];
    if (!e->busy)
        return;
    bool lost = e->fence != w->fence || e->epoch != w->epoch || !w->turn_open;
    if ((lost && chance(100)) || (e->waits && w->rig.now_ms - e->since_ms > 5000)) {
        e->busy = false;
        if (w->worker == which)
            w->worker = -1;
        return;
    }
    if (e->waits && w->answered == e->fence) {
        e->waits = false;
        e->next = count_sentences(e->turn, w->heard);
        if (e->next == SENTENCES)
            w->turn_open = e->busy = false;
    }
    if (e->waits || !e->busy || e->next == SENTENCES || w->rig.now_ms < e->next_ms)
        return;
    struct voice_frame frame = frame_of(w, e);
    frame.text = sentence(e->turn, e->next++, text);
    frame.last = e->next == SENTENCES;
    send_frame(w, &e->out, frame);
    e->next_ms = w->rig.now_ms + next_random(chance(50) ? 6000 : 800);
}

static void settle(struct world *w, const struct report *report)
{
    if (report->turn != w->turn)
        return;
    snprintf(w->heard, sizeof w->heard, "%s", report->text);
    if (report->reason == VOICE_OPEN)
        w->answered = report->fence;
    if (report->reason == VOICE_LAST || report->reason == VOICE_INTERRUPT ||
        report->reason == VOICE_FALLBACK)
        w->turn_open = false;
    if (report->reason == VOICE_INTERRUPT && report->text[0] == '\0')
        w->prompt_open = true; /* nothing of it was heard: its events are open again */
    /* what was sent before and is not in a stall's report, or was cut off, has to be asked after */
    if (report->reason == VOICE_STALL || report->reason == VOICE_CLOSE ||
        report->reason == VOICE_STOP) {
        struct engine *e = w->worker >= 0 ? &w->engines[w->worker] : NULL;
        if (e != NULL && e->fence == report->fence &&
            (report->reason != VOICE_STALL || report->seq < e->seq - 1)) {
            e->busy = false;
            w->worker = -1;
        }
    }
}

static void claim(struct world *w)
{
    while (w->head < w->tail && w->reports[w->head % QUEUE].at_ms <= w->rig.now_ms) {
        const struct report *report = &w->reports[w->head++ % QUEUE];
        if (report->kind == CALL_ACT_PROMPT)
            w->prompt_open = true;
        else if (report->kind == CALL_ACT_SETUP) {
            w->connected = true;
            w->worker = -1;
            w->engines[0].busy = w->engines[1].busy = false;
            w->prompt_open = true; /* who comes back is owed a word */
        } else
            settle(w, report);
    }
}

/* ---- the walk ---- */

static void connect_again(struct world *w)
{
    char session[40];
    snprintf(session, sizeof session, "VX%032d", (int)w->rig.sockets + 1);
    w->over = false;
    w->caller_ms = w->rig.now_ms;
    rig_socket(&w->rig, session);
    look(w);
}

static void caller(struct world *w)
{
    enum call_state state = call_state(w->rig.call);
    if (state == CALL_WAITING && chance(100))
        connect_again(w);
    if (state == CALL_WAITING)
        return;
    if ((state == CALL_LISTENING && w->rig.now_ms > w->audible_ms && chance(150)) ||
        (state == CALL_SPEAKING && chance(5))) {
        w->caller_ms = w->rig.now_ms;
        rig_prompt(&w->rig, "And then?");
        look(w);
    }
    if (chance(8)) {
        char heard[64] = "";
        if (w->said[0] != '\0')
            snprintf(heard, 1 + next_random(60), "%s", w->said);
        w->caller_ms = w->rig.now_ms;
        w->audible_ms = w->rig.now_ms;
        rig_interrupt(&w->rig, heard);
        look(w);
    }
    if (chance(state == CALL_PARTED ? 300 : 3)) {
        seen.breaks++;
        w->connected = false;
        rig_hang_up(&w->rig);
        w->audible_ms = w->rig.now_ms;
        look(w);
    }
}

static void misfortune(struct world *w)
{
    int which = (int)next_random(2);
    struct engine *e = &w->engines[which];
    if (e->busy && chance(15)) { /* a crash, perhaps before what it sent has left */
        e->busy = false;
        if (chance(500))
            e->out.tail = e->out.head + next_random((uint32_t)(e->out.tail - e->out.head + 1));
        if (w->worker == which)
            w->worker = -1;
    }
    if (w->connected && (w->turn_open || w->prompt_open) && !w->engines[which].busy &&
        chance(w->worker < 0 ? 200 : 10)) /* adopted, now and then from one who lives */
        start(w, which);
    if (chance(3)) {
        w->epoch++;
        if (chance(500)) {
            struct voice_frame frame = rig_frame(&w->rig, 0, 0, 0);
            frame.kind = VOICE_FRAME_STOP;
            frame.epoch = w->epoch;
            send_frame(w, &w->console, frame);
        }
    }
    if (chance(1)) {
        rig_fresh(&w->rig);
        call_failed(w->rig.call, w->rig.now_ms, &w->rig.acts);
        look(w);
    }
}

/* Time passes tick by tick, so that each is looked at when it comes. */
static void pass(struct world *w, int64_t ms)
{
    int64_t end_ms = w->rig.now_ms + ms;
    for (;;) {
        int64_t due_ms = call_due(w->rig.call);
        if (due_ms < 0 || due_ms > end_ms)
            break;
        if (due_ms > w->rig.now_ms)
            w->rig.now_ms = due_ms;
        look_at_silence(w);
        rig_fresh(&w->rig);
        call_tick(w->rig.call, w->rig.now_ms, &w->rig.acts);
        look(w);
    }
    w->rig.now_ms = end_ms;
    look_at_silence(w);
}

static void walk(uint32_t number)
{
    static struct world w;
    static struct call_words words;
    memset(&w, 0, sizeof w);
    words = rig_words;
    words.silence_ms = 0;
    seed = number;
    rig_open_with(&w.rig, &words, false);
    w.worker = -1;
    w.epoch = 1;
    w.last_interrupted = -1;
    connect_again(&w);
    w.audible_ms = w.rig.now_ms + 2600; /* the greeting */
    for (int i = 0; i < STEPS && w.wrong == NULL && call_state(w.rig.call) != CALL_GONE; i++) {
        pass(&w, 1 + next_random(120));
        deliver(&w, &w.engines[0].out);
        deliver(&w, &w.engines[1].out);
        deliver(&w, &w.console);
        claim(&w);
        work(&w, 0);
        work(&w, 1);
        caller(&w);
        misfortune(&w);
    }
    if (w.wrong != NULL)
        printf("\n  walk %u at %lld: %s (said \"%s\")\n", number, (long long)w.rig.now_ms, w.wrong,
               w.said);
    CU_ASSERT_PTR_NULL(w.wrong);
    rig_close(&w.rig);
}

static void walks(void)
{
    for (uint32_t i = 1; i <= WALKS; i++)
        walk(i);
    /* a walk on which nothing happens proves nothing */
    CU_ASSERT(seen.turns > 600);
    CU_ASSERT(seen.adopted > 300);
    CU_ASSERT(seen.interrupts > 200);
    CU_ASSERT(seen.fallbacks > 20);
    CU_ASSERT(seen.breaks > 100);
    CU_ASSERT(seen.stops > 20);
    CU_ASSERT(seen.losses > 20);
    printf(" %d turns, %d adopted, %d interrupted, %d fallbacks, %d breaks, %d stops, %d lost ",
           seen.turns, seen.adopted, seen.interrupts, seen.fallbacks, seen.breaks, seen.stops,
           seen.losses);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call_walk", NULL, NULL);
    CU_add_test(suite, "walks", walks);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
