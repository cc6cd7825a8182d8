/* A turn's text on its way to a caller: tokens are joined to characters, cleaned (speak_clean.c)
 * and cut into pieces that a voice can begin with while the rest is still being written. Called by
 * the turn that streams. */
#include "speak.h"

#include "base/mem.h"
#include "base/text.h"
#include "contract/voice.h"
#include "speak_inside.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHUNK 1024 /* bytes that are cleaned at once */

struct speak {
    struct speak_clean clean;
    char *language;
    char tail[4]; /* of a character that is not here in full */
    size_t tail_length;
    bool begun; /* the first piece is out */
};

struct speak *speak_new(const char *language)
{
    struct speak *speak = xcalloc(1, sizeof *speak);
    speak->language = xstrdup(language);
    speak_clean_init(&speak->clean);
    return speak;
}

void speak_free(struct speak **speak)
{
    struct speak *freed = *speak;
    if (freed == NULL)
        return;
    *speak = NULL;
    speak_clean_fini(&freed->clean);
    free(freed->language);
    free(freed);
}

/* ---- tokens to characters ---- */

/* Bytes of the character that begins with this one; 0 if none does. */
static size_t character_length(char lead)
{
    unsigned char c = (unsigned char)lead;
    return c < 0x80                ? 1
           : c >= 0xc2 && c < 0xe0 ? 2
           : c >= 0xe0 && c < 0xf0 ? 3
           : c >= 0xf0 && c < 0xf5 ? 4
                                   : 0;
}

/* Takes one byte: the tail is a whole character, the beginning of one, or no text, whose first byte
 * is then left out. */
static void add_byte(struct speak *speak, char byte, struct strbuf *whole)
{
    speak->tail[speak->tail_length++] = byte;
    while (speak->tail_length > 0) {
        size_t length = character_length(speak->tail[0]);
        for (size_t i = 1; i < length && i < speak->tail_length; i++)
            if (((unsigned char)speak->tail[i] & 0xc0) != 0x80)
                length = 0;
        if (length > speak->tail_length)
            return;
        if (length > 0 && text_is_utf8(speak->tail, length))
            strbuf_add(whole, speak->tail, length);
        else
            length = 1;
        speak->tail_length -= length;
        memmove(speak->tail, speak->tail + length, speak->tail_length);
    }
}

void speak_add(struct speak *speak, const char *bytes, size_t length)
{
    struct strbuf whole;
    strbuf_init(&whole, 2 * CHUNK);
    while (length > 0) {
        size_t part = length < CHUNK ? length : CHUNK;
        for (size_t i = 0; i < part; i++)
            add_byte(speak, bytes[i], &whole);
        speak_clean_add(&speak->clean, whole.data, whole.length);
        strbuf_clear(&whole);
        bytes += part;
        length -= part;
    }
    strbuf_fini(&whole);
}

void speak_finish(struct speak *speak)
{
    speak->clean.ended = true;
    speak->tail_length = 0;
    speak_clean_add(&speak->clean, "", 0);
}

/* ---- edges ---- */

/* What is written with a full stop and ends no sentence; in small letters. */
static const struct {
    char language[3];
    const char *words;
} abbreviations[] = {
    {"en",
     " mr mrs ms dr prof st sr jr nos vs etc approx dept est ext inc ltd co corp ave blvd rd apt "
     "min tel jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri "},
    {"de",
     " hr fr dr med prof nr str tel ca bzw usw evtl ggf inkl exkl zzgl std min sek mind abs bd "
     "geb gest gegr vgl sog st jan feb mrz apr jun jul aug sep sept okt nov dez mo di mi sa etc "
     "dipl ing "},
    {"es",
     " sr sra srta sres dr dra ud uds vd vds prof lic ing arq av avda pza ctra tel tfno núm num "
     "pág pag aprox etc máx mín ene feb mar abr jun jul ago sep sept oct nov dic "},
    {"fr",
     " mm mme mmes mlle mlles dr pr me bd bld pl tél tel env etc min réf ref janv févr avr juil "
     "sept oct nov déc "},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ((unsigned char)c & 0x80) != 0;
}

static bool is_language(const char *tag, const char *language)
{
    return strncasecmp(tag, language, 2) == 0 && (tag[2] == '\0' || tag[2] == '-');
}

static const char *abbreviations_of(const char *tag)
{
    for (size_t i = 0; i < sizeof abbreviations / sizeof abbreviations[0]; i++)
        if (is_language(tag, abbreviations[i].language))
            return abbreviations[i].words;
    return abbreviations[0].words;
}

/* The word of `length` bytes with a full stop behind it is short for something: it is known, a
 * single letter, or letters with full stops between them. */
static bool is_abbreviation(const char *word, size_t length, const char *language)
{
    char known[16] = " ";
    size_t letters = 0, parts = 1, longest = 0;
    for (size_t i = 0; i < length; i++) {
        letters = word[i] == '.' ? 0 : letters + (((unsigned char)word[i] & 0xc0) != 0x80);
        parts += word[i] == '.';
        longest = letters > longest ? letters : longest;
        if (word[i] != '.' && !is_letter(word[i]))
            return false;
    }
    if (length == 0)
        return false;
    if (longest == 1 || (parts > 1 && longest <= 2))
        return true;
    if (parts > 1 || length > sizeof known - 3)
        return false;
    for (size_t i = 0; i < length; i++)
        known[i + 1] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    known[length + 1] = ' ';
    known[length + 2] = '\0';
    return strstr(abbreviations_of(language), known) != NULL;
}

/* Where the word begins that ends in front of `at`. */
static size_t word_begin(const char *text, size_t begin, size_t at)
{
    while (at > begin && text[at - 1] != ' ' && text[at - 1] != '(' && text[at - 1] != '"')
        at--;
    return at;
}

/* A number with a full stop that counts something: "1. ", and in German "am 3. Mai". */
static bool is_ordinal(const char *text, size_t begin, size_t word, size_t at, const char *language)
{
    for (size_t i = word; i < at; i++)
        if (!is_digit(text[i]))
            return false;
    bool first = word == begin || (word == begin + 1 && text[begin] == ' ');
    return at > word && at - word <= 2 && (first || is_language(language, "de"));
}

/* Bytes of the character that ends in front of `at`. */
static size_t back(const char *text, size_t begin, size_t at)
{
    size_t length = 1;
    while (length < 4 && at - length > begin && ((unsigned char)text[at - length] & 0xc0) == 0x80)
        length++;
    return length;
}

static bool is_one_of(const char *text, size_t at, size_t length, const char *const *marks)
{
    for (; *marks != NULL; marks++)
        if (strlen(*marks) == length && memcmp(text + at - length, *marks, length) == 0)
            return true;
    return false;
}

enum speak_edge speak_edge(const char *text, size_t begin, size_t at, const char *language)
{
    static const char *const closing[] = {
        ")", "]", "\"", "'", "\xe2\x80\x9d", "\xe2\x80\x9c", "\xe2\x80\x99", "\xc2\xbb", NULL};
    static const char *const stops[] = {
        "!", "?", "\xe2\x80\xa6", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", NULL};
    static const char *const clauses[] = {",", ";", ":", "\xe2\x80\x93", "\xe2\x80\x94", NULL};
    size_t length;
    while (at > begin && (length = back(text, begin, at), is_one_of(text, at, length, closing)))
        at -= length;
    if (at <= begin)
        return SPEAK_NO_EDGE;
    length = back(text, begin, at);
    if (is_one_of(text, at, length, stops))
        return SPEAK_SENTENCE;
    if (is_one_of(text, at, length, clauses))
        return SPEAK_CLAUSE;
    if (text[at - 1] != '.')
        return SPEAK_NO_EDGE;
    size_t word = word_begin(text, begin, at - 1);
    if (is_abbreviation(text + word, at - 1 - word, language) ||
        is_ordinal(text, begin, word, at - 1, language))
        return SPEAK_NO_EDGE;
    return SPEAK_SENTENCE;
}

bool speak_binds(const char *text, size_t begin, size_t at, const char *language)
{
    if (at <= begin)
        return true;
    if (is_digit(text[at - 1]) && is_digit(text[at + 1]))
        return true;
    if (text[at - 1] != '.')
        return false;
    size_t word = word_begin(text, begin, at - 1);
    return is_abbreviation(text + word, at - 1 - word, language) ||
           is_ordinal(text, begin, word, at - 1, language);
}

/* ---- pieces ---- */

/* The length of the next piece; 0: none is ready. Only spaces can be cut, so that a word, a number
 * or an address that is still being written is never at an end. */
static size_t next_length(const struct speak *speak)
{
    const char *text = speak->clean.out.data;
    size_t length = speak->clean.out.length, word = 0, chars = 0;
    const size_t most = speak->begun ? SPEAK_CHARS : SPEAK_FIRST_CHARS;
    for (size_t at = 0; at <= length; at++) {
        bool end = at == length;
        if (end ? speak->clean.space || speak->clean.ended : text[at] == ' ') {
            enum speak_edge edge = speak_edge(text, 0, at, speak->language);
            if (edge == SPEAK_SENTENCE || (edge == SPEAK_CLAUSE && !speak->begun))
                return at;
            if (!end && !speak_binds(text, 0, at, speak->language))
                word = at;
        }
        if (end)
            break;
        chars += ((unsigned char)text[at] & 0xc0) != 0x80;
        if (chars > most && word > 0)
            return word;
        if (at + 4 >= VOICE_PIECE_MAX)
            return text_utf8_prefix(text, VOICE_PIECE_MAX);
    }
    return speak->clean.ended ? length : 0;
}

const char *speak_next(struct speak *speak, struct arena *arena)
{
    size_t length = next_length(speak);
    if (length == 0)
        return NULL;
    const char *piece = arena_strndup(arena, speak->clean.out.data, length);
    strbuf_consume(&speak->clean.out, length);
    speak->begun = true;
    return piece;
}

const char *speak_clean(struct arena *arena, const char *language, const char *text)
{
    struct speak *speak = speak_new(language);
    const char *clean = "", *piece;
    speak_add(speak, text, strlen(text));
    speak_finish(speak);
    while ((piece = speak_next(speak, arena)) != NULL)
        clean = arena_printf(arena, "%s%s", clean, piece);
    speak_free(&speak);
    return clean;
}
