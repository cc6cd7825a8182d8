/* Comparing texts as Smart Encoding would leave them. rest.c asks for each message of a look-up. Of
 * the published list this table has what people and models write; a rewritten character that is not
 * in it makes a text nobody's, which a person then decides on. */
#include "same_text.h"

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

static const struct {
    uint32_t code;
    const char *becomes;
} rewritten[] = {
    {'\t', " "},     {'`', "'"},     {0xA0, " "}, /* no-break space */
    {0xAB, "\""},    {0xB4, "'"},    {0xBB, "\""},   {0xBC, "1/4"},  {0xBD, "1/2"},
    {0xBE, "3/4"},   {0xF7, "/"},    {0x2B9, "'"},   {0x2BA, "\""},  {0x2BB, "'"},
    {0x2BC, "'"},    {0x2BD, "'"},   {0x2C6, "^"},   {0x2DC, "~"},   {0x2010, "-"}, /* hyphen */
    {0x2013, "-"},                                                                  /* en dash */
    {0x2014, "-"},                                                                  /* em dash */
    {0x2015, "-"},   {0x2018, "'"},  {0x2019, "'"},  {0x201A, ","},  {0x201B, "'"},
    {0x201C, "\""},  {0x201D, "\""}, {0x201E, "\""}, {0x201F, "\""}, {0x2022, "-"}, /* bullet */
    {0x2026, "..."},                                                                /* ellipsis */
    {0x2028, " "},   {0x2029, " "},  {0x202F, " "}, /* narrow no-break space */
    {0x203C, "!!"},  {0x2043, "-"},  {0x2044, "/"},  {0x205F, " "},  {0x2060, ""}, /* word joiner */
    {0x2215, "/"},   {0x2217, "*"},  {0x223C, "~"},  {0x275B, "'"},  {0x275C, "'"},
    {0x275D, "\""},  {0x275E, "\""}, {0x3000, " "},  {0x3001, ","},  {0x3002, "."},
    {0x301D, "\""},  {0x301E, "\""}, {0xFEFF, ""},
};

/* A text being rewritten: what is left of it, and of the last replacement. */
struct reader {
    const char *at, *pending;
    char ascii[2]; /* a replacement of one character */
    bool blank;    /* the last one was a blank */
};

static const char *replacement(struct reader *reader, uint32_t code)
{
    if (code >= 0x2000 && code <= 0x200A)
        return " "; /* spaces of all widths */
    if (code == 0x200B)
        return "";
    if (code >= 0xFF01 && code <= 0xFF5E) { /* full-width forms of ASCII */
        reader->ascii[0] = (char)(code - 0xFF01 + '!');
        return reader->ascii;
    }
    for (size_t i = 0; i < sizeof rewritten / sizeof *rewritten; i++)
        if (rewritten[i].code == code)
            return rewritten[i].becomes;
    return NULL;
}

static uint32_t next_rewritten(struct reader *reader)
{
    for (;;) {
        if (*reader->pending != '\0')
            return (unsigned char)*reader->pending++;
        if (*reader->at == '\0')
            return 0;
        uint32_t code = text_next_code_point(&reader->at);
        const char *becomes = replacement(reader, code);
        if (becomes == NULL)
            return code;
        reader->pending = becomes;
    }
}

/* 0 at the end. */
static uint32_t next(struct reader *reader)
{
    uint32_t code = next_rewritten(reader);
    while (code == ' ' && reader->blank)
        code = next_rewritten(reader);
    reader->blank = code == ' ';
    return code;
}

bool same_text(const char *a, const char *b)
{
    struct reader left = {.at = a, .pending = ""}, right = {.at = b, .pending = ""};
    uint32_t code;
    do {
        code = next(&left);
        if (code != next(&right))
            return false;
    } while (code != 0);
    return true;
}
