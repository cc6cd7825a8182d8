/* Each eighth place of the texts is in a table by the eight letters that stand there: a piece of
 * fifteen holds one of them, wherever it begins, so that a reply is looked through once, letter by
 * letter. */
#include "quotes.h"

#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

#define GRAM        8
#define CODED_MIN   ((size_t)64) /* characters of base64 that tell QUOTES_RUN letters */
#define DECODED_MAX ((size_t)32 * 1024)

struct quotes_texts {
    struct arena *arena; /* in which it is: whoever has the texts for good has that with them */
    char *letters;       /* of all; a newline, which is none, behind each */
    size_t length;
    uint32_t *places; /* place + 1, 0: free; */
    size_t slots;     /* so many, a power of two */
};

struct quotes {
    struct arena *arena;
    const struct quotes_texts *texts;
    bool *heard;  /* by letter */
    size_t count; /* of them */
    bool told;
};

/* Its letters and digits as lower case, in the arena. */
static char *letters_of(struct arena *arena, const char *text, size_t length, size_t *count)
{
    char *out = arena_alloc(arena, length + 1);
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (c >= 'A' && c <= 'Z')
            out[n++] = (char)(c - 'A' + 'a');
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = c;
    }
    *count = n;
    return out;
}

static size_t slot_of(const struct quotes_texts *texts, const char *gram)
{
    uint64_t key;
    memcpy(&key, gram, GRAM);
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (texts->slots - 1);
}

static void add_text(struct quotes_texts *texts, struct arena *arena, const char *text)
{
    size_t count;
    const size_t from = texts->length;
    const char *letters = letters_of(arena, text, strlen(text), &count);
    memcpy(texts->letters + from, letters, count);
    texts->letters[from + count] = '\n';
    texts->length = from + count + 1;
    for (size_t at = 0; at + GRAM <= count; at += GRAM) {
        size_t slot = slot_of(texts, letters + at);
        while (texts->places[slot] != 0)
            slot = (slot + 1) & (texts->slots - 1);
        texts->places[slot] = (uint32_t)(from + at + 1);
    }
}

struct quotes_texts *quotes_texts_new(struct arena *arena, const char *const *texts, size_t count)
{
    struct quotes_texts *made = arena_alloc(arena, sizeof *made);
    size_t length = 1, slots = 64;
    for (size_t i = 0; i < count; i++)
        length += strlen(texts[i]) + 1;
    while (slots < length / GRAM * 2)
        slots *= 2;
    *made = (struct quotes_texts){.arena = arena,
                                  .letters = arena_alloc(arena, length),
                                  .places = arena_alloc(arena, slots * sizeof *made->places),
                                  .slots = slots};
    for (size_t i = 0; i < count; i++)
        add_text(made, arena, texts[i]);
    return made;
}

struct quotes *quotes_new(struct arena *arena, const struct quotes_texts *texts)
{
    struct quotes *quotes = arena_alloc(arena, sizeof *quotes);
    *quotes = (struct quotes){
        .arena = arena, .texts = texts, .heard = arena_alloc(arena, texts->length + 1)};
    return quotes;
}

/* The piece that reply and texts share around two places. Returns how far it goes in the reply. */
static size_t hear_piece(struct quotes *quotes, const char *said, size_t length, size_t at,
                         size_t place)
{
    size_t left = 0, right = GRAM;
    while (left < at && left < place &&
           said[at - left - 1] == quotes->texts->letters[place - left - 1])
        left++;
    while (at + right < length && said[at + right] == quotes->texts->letters[place + right])
        right++;
    if (left + right < QUOTES_PIECE)
        return 0;
    for (size_t i = place - left; i < place + right; i++) {
        quotes->count += !quotes->heard[i];
        quotes->heard[i] = true;
    }
    quotes->told |= left + right >= QUOTES_RUN || quotes->count >= QUOTES_SUM;
    return right;
}

static void hear_letters(struct quotes *quotes, const char *said, size_t length)
{
    const struct quotes_texts *texts = quotes->texts;
    for (size_t at = 0; at + GRAM <= length; at++) {
        size_t known = 0;
        for (size_t slot = slot_of(texts, said + at); texts->places[slot] != 0;
             slot = (slot + 1) & (texts->slots - 1)) {
            const size_t place = texts->places[slot] - 1;
            if (memcmp(texts->letters + place, said + at, GRAM) != 0)
                continue;
            const size_t right = hear_piece(quotes, said, length, at, place);
            known = right > known ? right : known;
        }
        at += known > GRAM ? known - GRAM : 0; /* it is marked already */
    }
}

/* As it stands, backwards, and with the letters moved by 13. */
static void hear_text(struct quotes *quotes, const char *text, size_t length)
{
    size_t count;
    char *said = letters_of(quotes->arena, text, length, &count);
    char *other = arena_alloc(quotes->arena, count + 1);
    hear_letters(quotes, said, count);
    for (size_t i = 0; i < count; i++)
        other[i] = said[count - 1 - i];
    hear_letters(quotes, other, count);
    for (size_t i = 0; i < count; i++)
        other[i] = said[i] >= 'a' ? (char)('a' + (said[i] - 'a' + 13) % 26) : said[i];
    hear_letters(quotes, other, count);
}

static int value_of(char c, bool hex)
{
    if (c >= '0' && c <= '9')
        return c - '0' + (hex ? 0 : 52);
    if (hex)
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* The bytes of what was coded with `bits` a character, from a character on: where the coding began
 * is not known. */
static void hear_decoded(struct quotes *quotes, const char *coded, size_t count, unsigned bits,
                         size_t from)
{
    char *out = arena_alloc(quotes->arena, count + 1);
    uint32_t held = 0;
    unsigned have = 0;
    size_t n = 0;
    for (size_t i = from; i < count && n < DECODED_MAX; i++) {
        held = held << bits | (uint32_t)coded[i];
        have += bits;
        if (have >= 8)
            out[n++] = (char)(held >> (have -= 8));
    }
    size_t letters;
    const char *said = letters_of(quotes->arena, out, n, &letters);
    hear_letters(quotes, said, letters);
}

/* Every long row of characters of a code, blanks and line ends in it left out. */
static void hear_coded(struct quotes *quotes, const char *text, size_t length, bool hex)
{
    char *coded = arena_alloc(quotes->arena, length + 1);
    const unsigned bits = hex ? 4 : 6;
    size_t count = 0, row = 0; /* without a blank: words have short ones */
    for (size_t i = 0; i <= length; i++) {
        const char c = i < length ? text[i] : '.';
        const int value = value_of(c, hex);
        if (value >= 0) {
            coded[count++] = (char)value;
            row++;
        }
        if (value >= 0 || ((c == ' ' || c == '\n' || c == '\r') && (hex || row >= 16)))
            continue;
        for (size_t from = 0; count >= CODED_MIN && from < 24 / bits; from++)
            hear_decoded(quotes, coded, count, bits, from);
        count = row = 0;
    }
}

bool quotes_hear(struct quotes *quotes, const char *reply)
{
    const size_t length = strlen(reply);
    hear_text(quotes, reply, length);
    if (!quotes->told && length >= CODED_MIN) {
        hear_coded(quotes, reply, length, false);
        hear_coded(quotes, reply, length, true);
    }
    return quotes->told;
}

size_t quotes_heard(const struct quotes *quotes)
{
    return quotes->count;
}
