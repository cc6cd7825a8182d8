/* The decisions of rota.c, which calls it; intake.c asks it for codes. */
#include "rota_plan.h"

#include "base/strbuf.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "prompt/wording.h"
#include "reply.h"
#include "rota_words.h"
#include "json/json.h"

#include <string.h>
#include <strings.h>

#define MEMBERS_MAX 10
#define ROUNDS_MAX  5
#define DAYS        7
#define TEXT_MAX    4096
#define RING_MS     20000 /* as long as a transfer rings where the file says nothing */

/* What the summary and the caller may take of a text. */
#define SUMMARY_BYTES 160
#define CALLER_BYTES  40

static const char *const day_names[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

struct member {
    const char *name, *address; /* address NULL: nobody can tell them */
    bool by_mail, by_call;
    const struct json *hours; /* NULL: always */
};

struct policy {
    struct member members[MEMBERS_MAX];
    int count, rounds, ring_s;
    int64_t accept_ms;
};

/* ---- reading ---- */

/* Sections are our own text: one that cannot be read is as if it were not there. */
static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err;
    return json_parse(text, strlen(text), &value, &err) == 0 ? value : NULL;
}

static bool lists(const struct json *texts, const char *text)
{
    for (const struct json *t = json_first(texts); t != NULL; t = json_next(t))
        if (json_text(t) != NULL && strcmp(json_text(t), text) == 0)
            return true;
    return false;
}

/* A call is heard sooner than a text is read, and that sooner than a mail. */
static void read_way(const struct json *entry, const struct rota_due *due,
                     const struct json *opted_out, struct member *out)
{
    const char *sms = json_member_text(entry, "sms"), *mail = json_member_text(entry, "mail");
    const char *call = json_member_text(entry, "call");
    if (call != NULL && !uuid_is_nil(&due->call_channel) && !lists(opted_out, call)) {
        out->address = call;
        out->by_call = true;
    } else if (sms != NULL && due->number[0] != '\0' && !lists(opted_out, sms)) {
        out->address = sms;
    } else if (mail != NULL && due->mailbox[0] != '\0' && !lists(opted_out, mail)) {
        out->address = mail;
        out->by_mail = true;
    }
}

static void read_policy(const struct json *section, const struct rota_due *due,
                        const struct json *opted_out, struct policy *out)
{
    int64_t minutes = 5, rounds = 2, ring_ms = RING_MS;
    json_member_int(section, "accept_within_min", 1, 60, &minutes);
    json_member_int(section, "rounds", 1, ROUNDS_MAX, &rounds);
    json_member_int(json_member(section, "transfer"), "ring_ms", 5000, 60000, &ring_ms);
    *out = (struct policy){
        .rounds = (int)rounds, .ring_s = (int)(ring_ms / 1000), .accept_ms = minutes * 60000};
    for (const struct json *m = json_first(json_member(section, "rota"));
         m != NULL && out->count < MEMBERS_MAX; m = json_next(m)) {
        const char *name = json_member_text(m, "name");
        if (name == NULL)
            continue;
        struct member *member = &out->members[out->count++];
        *member = (struct member){.name = name, .hours = json_member(m, "hours")};
        read_way(m, due, opted_out, member);
    }
}

/* ---- hours ---- */

static int weekday_index(const char *weekday)
{
    int day = 0;
    while (day < DAYS - 1 && strcmp(day_names[day], weekday) != 0)
        day++;
    return day;
}

static const char *edge(const struct json *span, bool end)
{
    const struct json *at = json_first(span);
    at = at != NULL && end ? json_next(at) : at;
    return at != NULL && json_text(at) != NULL ? json_text(at) : "";
}

/* Times are "HH:MM": they compare as texts. */
static bool is_on_duty(const struct member *member, int day, const char *time)
{
    if (member->address == NULL)
        return false;
    if (member->hours == NULL)
        return true;
    const struct json *span = json_first(json_member(member->hours, day_names[day]));
    for (; span != NULL; span = json_next(span))
        if (strcmp(edge(span, false), time) <= 0 && strcmp(time, edge(span, true)) < 0)
            return true;
    return false;
}

/* The earliest time on that day, later than `after` ("" for any), at which somebody's hours begin;
 * NULL if nobody's do. */
static const char *first_begin(const struct policy *policy, int day, const char *after)
{
    const char *first = NULL;
    for (int i = 0; i < policy->count; i++) {
        const struct member *member = &policy->members[i];
        const struct json *spans = json_member(member->hours, day_names[day]);
        for (const struct json *s = json_first(spans); s != NULL && member->address != NULL;
             s = json_next(s)) {
            const char *begin = edge(s, false);
            if (strcmp(begin, after) > 0 && (first == NULL || strcmp(begin, first) < 0))
                first = begin;
        }
    }
    return first;
}

/* ---- the next step ---- */

static void wait_for_hours(struct arena *arena, const struct policy *policy,
                           const struct rota_due *due, struct rota_plan *out)
{
    int today = weekday_index(due->weekday);
    for (int ahead = 0; ahead <= DAYS; ahead++) {
        const char *begin =
            first_begin(policy, (today + ahead) % DAYS, ahead == 0 ? due->time : "");
        if (begin == NULL)
            continue;
        out->pause = ROTA_AT;
        out->days = ahead;
        out->time = arena_strdup(arena, begin);
        return;
    }
}

static bool somebody_is_on_duty(const struct policy *policy, const struct rota_due *due)
{
    for (int i = 0; i < policy->count; i++)
        if (is_on_duty(&policy->members[i], weekday_index(due->weekday), due->time))
            return true;
    return false;
}

static void choose(struct arena *arena, const struct policy *policy, const struct rota_due *due,
                   struct rota_plan *out)
{
    int last = policy->rounds * policy->count;
    for (int step = due->steps; step < last; step++) {
        const struct member *member = &policy->members[step % policy->count];
        if (!is_on_duty(member, weekday_index(due->weekday), due->time))
            continue;
        out->tells = true;
        out->name = arena_strdup(arena, member->name);
        out->address = arena_strdup(arena, member->address);
        out->by_mail = member->by_mail;
        out->by_call = member->by_call;
        out->ring_s = policy->ring_s;
        out->steps_now = step + 1;
        out->round = step / policy->count + 1;
        return;
    }
    if (due->steps < last && !somebody_is_on_duty(policy, due))
        wait_for_hours(arena, policy, due, out);
}

void rota_plan_next(struct arena *arena, const struct rota_due *due, struct rota_plan *out)
{
    struct json *section = parse(due->policy), *opted_out = parse(due->opted_out);
    struct policy policy;
    read_policy(section, due, opted_out, &policy);
    *out = (struct rota_plan){.pause = ROTA_NOBODY, .accept_ms = policy.accept_ms};
    choose(arena, &policy, due, out);
    json_free(&section);
    json_free(&opted_out);
}

/* ---- the text ---- */

static const char *why(const char *reason)
{
    return rota_words_reason(rota_words_of("en"), reason);
}

/* On one line, and cut between characters. */
static void add_cut(struct strbuf *out, const char *text, size_t max_bytes)
{
    size_t length = text_utf8_prefix(text, max_bytes);
    for (size_t i = 0; i < length; i++)
        strbuf_add_char(out, strchr("\r\n\t", text[i]) != NULL ? ' ' : text[i]);
    if (text[length] != '\0')
        strbuf_add_text(out, "...");
}

const char *rota_plan_text(struct arena *arena, const struct rota_due *due,
                           const struct rota_plan *plan, const char *code)
{
    struct strbuf out;
    strbuf_init(&out, TEXT_MAX);
    strbuf_printf(&out, "%s: %s", due->business, why(due->reason));
    if (due->customer[0] != '\0')
        strbuf_printf(&out, " (%s", due->customer);
    if (due->customer[0] != '\0' && due->caller[0] != '\0') {
        strbuf_add_text(&out, ", ");
        add_cut(&out, due->caller, CALLER_BYTES);
    }
    strbuf_add_text(&out, due->customer[0] != '\0' ? "). " : ". ");
    add_cut(&out, due->summary, SUMMARY_BYTES);
    strbuf_printf(&out, "\nReply OK %s within %d min to take it.", code,
                  (int)(plan->accept_ms / 60000));
    const char *text = reply_clean(arena, out.data);
    strbuf_fini(&out);
    return text;
}

/* One by one: a voice would read a number of eleven digits as one of billions. */
static void add_digits(struct strbuf *out, const char *number)
{
    for (; *number != '\0'; number++)
        if (*number >= '0' && *number <= '9')
            strbuf_printf(out, " %c", *number);
}

const char *rota_plan_spoken(struct arena *arena, const struct rota_due *due)
{
    const struct rota_words *words = rota_words_of(due->language);
    struct strbuf out;
    strbuf_init(&out, TEXT_MAX);
    strbuf_printf(&out, "%s: %s.", due->business, rota_words_reason(words, due->reason));
    if (due->caller[0] != '\0') {
        strbuf_add_char(&out, ' ');
        add_cut(&out, due->caller, CALLER_BYTES);
        strbuf_add_char(&out, ',');
    }
    if (due->customer[0] == '+') {
        add_digits(&out, due->customer);
        strbuf_add_char(&out, '.');
    }
    strbuf_add_char(&out, ' ');
    add_cut(&out, due->summary, SUMMARY_BYTES);
    strbuf_printf(&out, " %s", words->press);
    const char *text = reply_clean(arena, out.data);
    strbuf_fini(&out);
    return text;
}

const char *rota_plan_subject(struct arena *arena, const struct rota_due *due, const char *code)
{
    return reply_clean(arena,
                       arena_printf(arena, "%s: %s (%s)", due->business, why(due->reason), code));
}

const char *rota_plan_nobody(struct arena *arena, const struct rota_due *due)
{
    struct json *reception = parse(due->reception);
    struct wording words;
    wording_read(arena, json_member(reception, "words"), due->language, due->business, &words);
    json_free(&reception);
    return reply_clean(arena, words.nobody);
}

/* ---- codes ---- */

#define REPLY_MAX 160 /* bytes of one that may be the answer to a notice */

static const char digits[] = "23456789", letters[] = "CDFGHJKMNPQRTVWXY";

static char symbol(int index)
{
    const int count = (int)sizeof digits - 1;
    return index < count ? digits[index] : letters[index - count];
}

/* What else people write is none of it: a word; a number with what it counts behind it (24th,
 * 30km), or in front (CF24); a time (9h45). No two digits together, and digits and letters change
 * twice. */
static bool has_shape(const char *code)
{
    int changes = 0;
    for (size_t i = 1; code[0] != '\0' && code[i] != '\0'; i++) {
        const bool is_digit = strchr(digits, code[i]) != NULL;
        const bool was_digit = strchr(digits, code[i - 1]) != NULL;
        if (is_digit && was_digit)
            return false;
        changes += is_digit != was_digit;
    }
    return changes >= 2;
}

void rota_plan_code(char out[ROTA_CODE_SIZE])
{
    enum { SYMBOLS = sizeof digits + sizeof letters - 2, FAIR = 256 / SYMBOLS * SYMBOLS };
    out[0] = '\0';
    while (!has_shape(out)) {
        size_t length = 0;
        while (length < ROTA_CODE_SIZE - 1) {
            uint8_t byte;
            crypto_random(&byte, sizeof byte);
            if (byte < FAIR)
                out[length++] = symbol(byte % SYMBOLS);
        }
        out[length] = '\0';
    }
}

/* A word that is one; written in capitals. */
static bool read_code(const char *word, size_t length, char out[ROTA_CODE_SIZE])
{
    char code[ROTA_CODE_SIZE] = "";
    if (length != ROTA_CODE_SIZE - 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = word[i];
        c = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        if (strchr(digits, c) == NULL && strchr(letters, c) == NULL)
            return false;
        code[i] = c;
    }
    if (!has_shape(code))
        return false;
    memcpy(out, code, sizeof code);
    return true;
}

struct word {
    const char *text;
    size_t length;
};

static bool is_word(struct word word, const char *text)
{
    return strlen(text) == word.length && strncasecmp(text, word.text, word.length) == 0;
}

/* What changes nothing of a yes: alone, or only behind another word, as in "I take it". */
static bool is_polite(struct word word, struct word before)
{
    static const struct {
        const char *text, *behind;
    } words[] = {{"ok", NULL},       {"okay", NULL},   {"yes", NULL},
                 {"sure", NULL},     {"thanks", NULL}, {"thank", NULL},
                 {"you", "thank"},   {"thx", NULL},    {"accept", NULL},
                 {"accepted", NULL}, {"mine", NULL},   {"hello", NULL},
                 {"hi", NULL},       {"i", NULL},      {"i\xe2\x80\x99ll", NULL},
                 {"ll", "i"},        {"will", "i"},    {"take", "i"},
                 {"take", "ll"},     {"take", "will"}, {"take", "i\xe2\x80\x99ll"},
                 {"it", "take"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_word(word, words[i].text) &&
            (words[i].behind == NULL || is_word(before, words[i].behind)))
            return true;
    return false;
}

enum rota_said rota_plan_read_text(const char *text, char out[ROTA_CODE_SIZE])
{
    static const char around[] = " \t\r\n.,:;!-?()\"'";
    bool has_code = false, has_more = strchr(text, '?') != NULL;
    struct word word = {"", 0};
    if (strlen(text) > REPLY_MAX)
        return ROTA_SAYS_NOTHING;
    for (text += strspn(text, around); *text != '\0'; text += strspn(text, around)) {
        const struct word before = word;
        word = (struct word){text, strcspn(text, around)};
        if (!has_code && read_code(word.text, word.length, out))
            has_code = true;
        else
            has_more |= !is_polite(word, before);
        text += word.length;
    }
    if (!has_code)
        return ROTA_SAYS_NOTHING;
    return has_more ? ROTA_NAMES_CODE : ROTA_SAYS_YES;
}

bool rota_plan_read_mail(const char *text, char out[ROTA_CODE_SIZE])
{
    char line[32];
    text += strspn(text, " \t\r\n");
    size_t length = strcspn(text, "\r\n");
    if (length >= sizeof line)
        return false;
    memcpy(line, text, length);
    line[length] = '\0';
    if (rota_plan_read_text(line, out) == ROTA_SAYS_YES)
        return true;
    if (strncasecmp(line, "ok", 2) != 0 || line[2 + strspn(line + 2, " \t.,!")] != '\0')
        return false;
    memcpy(out, "OK", 3);
    return true;
}
