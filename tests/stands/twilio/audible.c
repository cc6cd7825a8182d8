/*
 * The speaking clock: a list of pieces with exact times. Called by everything that lets a leg hear
 * something, through ear.c.
 */
#include "stands/twilio/audible.h"

#include <stdlib.h>
#include <string.h>

#include "stands/lib/segments.h"

void audible_init(struct audible *audible, double rate, double tts_ms)
{
    *audible = (struct audible){.rate = rate, .tts_ms = tts_ms, .cycle = 1};
    stand_buf_init(&audible->text, AUDIBLE_TEXT_MAX);
}

void audible_fini(struct audible *audible)
{
    free(audible->pieces);
    stand_buf_fini(&audible->text);
    audible->pieces = NULL;
    audible->count = audible->cap = 0;
}

double audible_until(const struct audible *audible)
{
    return audible->count ? audible->pieces[audible->count - 1].until_ms : 0;
}

bool audible_on(const struct audible *audible, double now_ms)
{
    for (size_t i = audible->count; i > 0; i--) {
        const struct audible_piece *piece = &audible->pieces[i - 1];
        if (piece->until_ms <= now_ms)
            return false;
        if (piece->from_ms <= now_ms)
            return true;
    }
    return false;
}

static struct audible_piece *new_piece(struct audible *audible)
{
    if (audible->count == AUDIBLE_PIECES_MAX) {
        audible->overflow = true;
        return NULL;
    }
    if (audible->count == audible->cap) {
        size_t cap = audible->cap ? audible->cap * 2 : 16;
        struct audible_piece *grown = realloc(audible->pieces, cap * sizeof *grown);
        if (!grown)
            abort();
        audible->pieces = grown;
        audible->cap = cap;
    }
    return &audible->pieces[audible->count++];
}

/* Adds a piece of `ms` after what is there. Returns when it begins. */
static double add(struct audible *audible, double now_ms, double ms, size_t len, size_t chars,
                  bool *pause)
{
    double until = audible_until(audible);
    *pause = audible->count == 0 || until < now_ms;
    double from = *pause ? now_ms + (len ? audible->tts_ms : 0) : until;
    struct audible_piece *last = audible->count ? &audible->pieces[audible->count - 1] : NULL;
    size_t at = audible->text.len - len;
    audible->open = true;
    if (!*pause && last->cycle == audible->cycle && last->len && len &&
        last->at + last->len == at) {
        last->until_ms += ms; /* same rate: one longer piece */
        last->len += len;
        last->chars += chars;
        return from;
    }
    struct audible_piece *piece = new_piece(audible);
    if (piece)
        *piece = (struct audible_piece){.from_ms = from,
                                        .until_ms = from + ms,
                                        .at = at,
                                        .len = len,
                                        .chars = chars,
                                        .cycle = audible->cycle};
    return from;
}

double audible_say(struct audible *audible, double now_ms, const char *text, size_t len,
                   bool *pause)
{
    size_t chars = stand_characters(text, len);
    *pause = false;
    stand_buf_add(&audible->text, text, len);
    if (audible->text.overflow) {
        audible->overflow = true;
        audible->text.overflow = false;
        return now_ms;
    }
    if (chars == 0)
        return now_ms;
    return add(audible, now_ms, (double)chars * 1000 / audible->rate, len, chars, pause);
}

double audible_sound(struct audible *audible, double now_ms, double ms, bool *pause)
{
    *pause = false;
    return ms > 0 ? add(audible, now_ms, ms, 0, 0, pause) : now_ms;
}

void audible_close(struct audible *audible)
{
    audible->open = false;
    audible->cycle++;
}

/* How many characters of a piece were heard. */
static size_t part(const struct audible_piece *piece, double now_ms)
{
    if (now_ms >= piece->until_ms)
        return piece->chars;
    if (now_ms <= piece->from_ms)
        return 0;
    double share = (now_ms - piece->from_ms) / (piece->until_ms - piece->from_ms);
    return (size_t)(share * (double)piece->chars + 1e-6);
}

static size_t part_bytes(const struct audible *audible, const struct audible_piece *piece,
                         double now_ms)
{
    if (piece->len == 0)
        return 0;
    return stand_utf8_prefix(audible->text.data + piece->at, piece->len, part(piece, now_ms));
}

void audible_drop(struct audible *audible, double now_ms)
{
    while (audible->count && audible->pieces[audible->count - 1].from_ms >= now_ms)
        audible->count--;
    struct audible_piece *last = audible->count ? &audible->pieces[audible->count - 1] : NULL;
    if (last && last->until_ms > now_ms) {
        size_t len = part_bytes(audible, last, now_ms);
        last->chars = part(last, now_ms);
        last->len = len;
        last->until_ms = now_ms;
    }
    audible_close(audible);
}

/* The index of the last piece that had begun by `now_ms`, or `count` when there is none. */
static size_t current(const struct audible *audible, double now_ms)
{
    for (size_t i = audible->count; i > 0; i--) {
        if (audible->pieces[i - 1].from_ms <= now_ms)
            return i - 1;
    }
    return audible->count;
}

/* The first piece of the cycle that piece `at` belongs to. */
static size_t first_of(const struct audible *audible, size_t at)
{
    while (at > 0 && audible->pieces[at - 1].cycle == audible->pieces[at].cycle)
        at--;
    return at;
}

size_t audible_chars(const struct audible *audible, double now_ms)
{
    size_t now = current(audible, now_ms), chars = 0;
    if (now == audible->count)
        return 0;
    for (size_t i = first_of(audible, now); i <= now; i++)
        chars += part(&audible->pieces[i], now_ms);
    return chars;
}

void audible_heard(const struct audible *audible, double now_ms, struct stand_buf *out)
{
    size_t now = current(audible, now_ms);
    if (now == audible->count)
        return;
    for (size_t i = first_of(audible, now); i <= now; i++) {
        const struct audible_piece *piece = &audible->pieces[i];
        size_t len = part_bytes(audible, piece, now_ms);
        if (len)
            stand_buf_add(out, audible->text.data + piece->at, len);
    }
}

void audible_unheard(const struct audible *audible, double now_ms, struct stand_buf *out)
{
    for (size_t i = 0; i < audible->count; i++) {
        const struct audible_piece *piece = &audible->pieces[i];
        size_t len = part_bytes(audible, piece, now_ms);
        if (piece->until_ms > now_ms && piece->len > len)
            stand_buf_add(out, audible->text.data + piece->at + len, piece->len - len);
    }
}

void audible_cycle(const struct audible *audible, struct stand_buf *out)
{
    for (size_t i = 0; i < audible->count; i++) {
        const struct audible_piece *piece = &audible->pieces[i];
        if (piece->cycle == audible->cycle && piece->len)
            stand_buf_add(out, audible->text.data + piece->at, piece->len);
    }
}

size_t audible_words(const struct audible *audible, double now_ms)
{
    struct stand_buf heard, rest;
    size_t words = 0;
    stand_buf_init(&heard, AUDIBLE_TEXT_MAX);
    stand_buf_init(&rest, AUDIBLE_TEXT_MAX);
    audible_heard(audible, now_ms, &heard);
    audible_unheard(audible, now_ms, &rest);
    for (size_t i = 0; i < heard.len; i++) {
        bool blank = heard.data[i] == ' ' || heard.data[i] == '\n';
        char next = i + 1 < heard.len ? heard.data[i + 1] : rest.len ? rest.data[0] : ' ';
        words += !blank && (next == ' ' || next == '\n');
    }
    stand_buf_fini(&heard);
    stand_buf_fini(&rest);
    return words;
}

double audible_for_ms(const struct audible *audible, double now_ms)
{
    size_t now = current(audible, now_ms);
    if (now == audible->count)
        return 0;
    double until = audible->pieces[now].until_ms;
    double from = audible->pieces[first_of(audible, now)].from_ms;
    return (until < now_ms ? until : now_ms) - from;
}

double audible_when(const struct audible *audible, double now_ms, size_t chars)
{
    size_t now = current(audible, now_ms), before = 0;
    if (now == audible->count && audible->count == 0)
        return -1;
    if (now == audible->count)
        now = 0; /* its first sound is still to come */
    for (size_t i = first_of(audible, now); i < audible->count; i++) {
        const struct audible_piece *piece = &audible->pieces[i];
        if (piece->cycle != audible->pieces[now].cycle)
            break;
        if (before + piece->chars >= chars && piece->chars) {
            double share = (double)(chars - before) / (double)piece->chars;
            double when = piece->from_ms + share * (piece->until_ms - piece->from_ms);
            return when > now_ms ? when : now_ms;
        }
        before += piece->chars;
    }
    return -1;
}

int audible_stretch(const struct audible *audible, double at_ms, double *from_ms, double *until_ms,
                    struct stand_buf *out)
{
    size_t last = audible->count;
    for (size_t i = 0; i < audible->count; i++) {
        const struct audible_piece *piece = &audible->pieces[i];
        if (piece->from_ms < at_ms && at_ms <= piece->until_ms)
            last = i;
    }
    if (last == audible->count)
        return -1;
    size_t first = last;
    while (first > 0 && audible->pieces[first - 1].until_ms >= audible->pieces[first].from_ms)
        first--;
    *from_ms = audible->pieces[first].from_ms;
    *until_ms = audible->pieces[last].until_ms;
    for (size_t i = first; i <= last; i++) {
        const struct audible_piece *piece = &audible->pieces[i];
        if (piece->len)
            stand_buf_add(out, audible->text.data + piece->at, piece->len);
    }
    return 0;
}

void audible_forget(struct audible *audible, double now_ms)
{
    if (audible->open || audible_until(audible) > now_ms)
        return;
    audible->count = 0;
    stand_buf_clear(&audible->text);
}
