/* The speech of one turn: its text, the runs in which it sounds, and where in it the caller is.
 * call.c asks at everything that ends or interrupts a turn. */
#include "speech.h"

#include "base/text.h"
#include "contract/voice.h"

#include <stdbool.h>
#include <string.h>

void speech_init(struct speech *speech, int chars_per_s)
{
    *speech = (struct speech){.chars_per_s = chars_per_s < 1 ? 1 : chars_per_s};
    strbuf_init(&speech->text, VOICE_HEARD_MAX);
}

void speech_fini(struct speech *speech)
{
    strbuf_fini(&speech->text);
}

/* The memory is given back: most calls are silent most of the time. */
void speech_begin(struct speech *speech)
{
    strbuf_fini(&speech->text);
    speech->run_count = 0;
    speech->text_ms = 0;
}

static int64_t duration_ms(const struct speech *speech, const char *text, size_t length)
{
    int64_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count * 1000 / speech->chars_per_s;
}

/* Runs begin after pauses: the oldest one has long sounded when there is no room for another. */
static void begin_run(struct speech *speech, int64_t start_ms)
{
    if (speech->run_count == SPEECH_RUNS_MAX) {
        memmove(&speech->runs[0], &speech->runs[1], (SPEECH_RUNS_MAX - 1) * sizeof speech->runs[0]);
        speech->run_count--;
    }
    speech->runs[speech->run_count++] =
        (struct speech_run){.at = speech->text.length, .start_ms = start_ms};
}

static void sound(struct speech *speech, int64_t now_ms, int64_t sound_ms, int64_t fast_ms)
{
    if (speech->audible_ms < now_ms)
        speech->audible_ms = now_ms;
    if (speech->fast_ms < now_ms)
        speech->fast_ms = now_ms;
    speech->audible_ms += sound_ms;
    speech->fast_ms += fast_ms;
}

/* Signs that are a syllable or a word each, by their first byte: Chinese, Japanese, Korean. */
static bool is_syllable(char byte)
{
    return (unsigned char)byte >= 0xe3 && (unsigned char)byte <= 0xed;
}

/* That it may have sounded by then: the rate may be wrong, or the voice. */
static int64_t fastest_ms(const char *text, int64_t sound_ms)
{
    int64_t letters = 0, by_rate_ms = sound_ms * 100 / SPEECH_FAST_PCT;
    for (const char *p = text; *p != '\0'; p++)
        if (((unsigned char)*p & 0xc0) != 0x80)
            letters += is_syllable(*p) ? SPEECH_SYLLABLE : 1;
    int64_t by_letters_ms = letters * 1000 / SPEECH_FAST_PER_S;
    return by_rate_ms < by_letters_ms ? by_rate_ms : by_letters_ms;
}

void speech_sound(struct speech *speech, int64_t now_ms, int64_t sound_ms)
{
    sound(speech, now_ms, sound_ms, sound_ms);
}

void speech_aside(struct speech *speech, int64_t now_ms, const char *text)
{
    if (text[0] == '\0')
        return; /* it breaks no silence */
    int64_t sound_ms = duration_ms(speech, text, strlen(text));
    sound(speech, now_ms, sound_ms, fastest_ms(text, sound_ms));
}

void speech_add(struct speech *speech, int64_t now_ms, const char *text)
{
    int64_t start_ms = speech->audible_ms < now_ms ? now_ms : speech->audible_ms;
    if (text[0] == '\0')
        return;
    if (speech->run_count == 0 || start_ms != speech->text_ms)
        begin_run(speech, start_ms);
    if (!speech->text.overflow)
        strbuf_add_text(&speech->text, text);
    speech_aside(speech, now_ms, text);
    speech->text_ms = speech->audible_ms;
}

int64_t speech_ms(const struct speech *speech, size_t length)
{
    return duration_ms(speech, speech->text.data, length);
}

/* The run that sounds at that time, or has sounded last; -1 before the first. */
static int run_at(const struct speech *speech, int64_t now_ms)
{
    int found = -1;
    for (size_t i = 0; i < speech->run_count; i++)
        if (speech->runs[i].start_ms <= now_ms)
            found = (int)i;
    return found;
}

size_t speech_heard(const struct speech *speech, int64_t now_ms)
{
    int run = run_at(speech, now_ms);
    if (run < 0)
        return 0;
    const char *text = speech->text.data;
    size_t begin = speech->runs[run].at, end = speech->text.length;
    if ((size_t)run + 1 < speech->run_count)
        end = speech->runs[run + 1].at;
    int64_t left = (now_ms - speech->runs[run].start_ms) * speech->chars_per_s / 1000;
    size_t at = begin;
    while (at < end && left-- > 0)
        do
            at++;
        while (at < end && ((unsigned char)text[at] & 0xc0) == 0x80);
    if (at == end)
        return end;
    while (at > begin && text[at - 1] != ' ' && text[at - 1] != '\n')
        at--;
    return at;
}

/* The next letter or digit, ASCII in small letters; 0 at the end. */
static uint32_t next_letter(const char **p, const char *end)
{
    while (*p < end) {
        uint32_t point = text_next_code_point(p);
        if (point >= 'A' && point <= 'Z')
            return point + 32;
        if ((point >= 'a' && point <= 'z') || (point >= '0' && point <= '9'))
            return point;
        bool apart = point < 0xc0 || (point >= 0x2000 && point < 0x2070) || point == 0xfeff;
        if (!apart)
            return point;
    }
    return 0;
}

/* Where in the text, from `begin` on, the words of `said` end; the text's end if it ends first; 0
 * if they are others. */
static size_t match(const struct speech *speech, size_t begin, const char *said)
{
    const char *text = speech->text.data, *end = text + speech->text.length;
    const char *p = text + begin, *behind = p;
    const char *said_end = said + strlen(said);
    uint32_t wanted;
    while ((wanted = next_letter(&said, said_end)) != 0) {
        uint32_t found = next_letter(&p, end);
        if (found == 0)
            return behind > text + begin ? speech->text.length : 0;
        if (found != wanted)
            return 0;
        behind = p;
    }
    while (behind < end && strchr(".,;:!?", *behind) != NULL)
        behind++;
    return (size_t)(behind - text);
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

size_t speech_place(const struct speech *speech, int64_t now_ms, const char *said)
{
    size_t by_time = speech_heard(speech, now_ms), best = 0;
    const char *p = said;
    if (next_letter(&p, said + strlen(said)) == 0) {
        int run = run_at(speech, now_ms);
        return run < 0 ? 0 : speech->runs[run].at;
    }
    for (size_t i = 0; i <= speech->run_count; i++) {
        size_t place = match(speech, i == 0 ? 0 : speech->runs[i - 1].at, said);
        if (place > 0 && (best == 0 || distance(place, by_time) < distance(best, by_time)))
            best = place;
    }
    return best > 0 ? best : by_time;
}

void speech_hush(struct speech *speech, int64_t now_ms)
{
    speech->audible_ms = now_ms;
    speech->fast_ms = now_ms;
}

void speech_cut(struct speech *speech, int64_t now_ms, size_t length)
{
    strbuf_truncate(&speech->text, length);
    while (speech->run_count > 0 && speech->runs[speech->run_count - 1].at >= length)
        speech->run_count--;
    speech_hush(speech, now_ms);
    speech->text_ms = -1; /* what comes is another run */
}
