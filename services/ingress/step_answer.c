/* The documents of webhook mode. Twilio cuts a Say that is too long: words are said in pieces that
 * are not. Called by step_turn.c. */
#include "step_answer.h"

#include "answer_inside.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

#define PIECE_MAX                                                                                  \
    1400          /* bytes: percent-encoded less than TWIML_SAY_ENCODED_MAX, whatever they are */
#define MODEL_S 1 /* of silence, where a speech model is named: then it may not be "auto" */

/* ---- what the URL tells ---- */

static int64_t number_of(const struct form *query, const char *name, int64_t max)
{
    int64_t number = 0;
    const char *text = form_get(query, name);
    return text != NULL && text_parse_int(text, 0, max, &number) ? number : 0;
}

struct step_told step_answer_read(const struct form *query)
{
    const char *lang = form_get(query, "lang");
    return (struct step_told){.silent_ms = number_of(query, "silent", 3600000),
                              .asked = (int)number_of(query, "asked", 100),
                              .unclear = number_of(query, "unclear", 1) == 1,
                              .crowded = (int)number_of(query, "crowded", 100),
                              .lang = lang != NULL ? lang : ""};
}

/* Room for five pairs, the `wait` and the end. */
struct query {
    const char *pairs[13];
    size_t count;
};

static void add_text(struct query *query, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    query->pairs[query->count++] = name;
    query->pairs[query->count++] = value;
}

static void add_number(struct query *query, struct arena *arena, const char *name, int64_t number)
{
    if (number > 0)
        add_text(query, name, arena_printf(arena, "%lld", (long long)number));
}

static const char *url_of(const struct answer *answer, const char *kind, int64_t step,
                          const struct step_told *told, int wait)
{
    struct arena *arena = answer->webhook->request->arena;
    struct query query = {.count = 0};
    add_number(&query, arena, "wait", wait);
    add_number(&query, arena, "crowded", told->crowded);
    add_number(&query, arena, "silent", told->silent_ms);
    add_number(&query, arena, "asked", told->asked);
    add_number(&query, arena, "unclear", told->unclear);
    add_text(&query, "lang", told->lang);
    return answer_url(answer->webhook, kind, answer->channel->tenant, (int)step, query.pairs);
}

/* ---- words ---- */

static const struct directory_language *language_of(const struct directory_voice *voice,
                                                    const char *lang)
{
    for (size_t i = 0; i < voice->language_count; i++)
        if (strcasecmp(voice->languages[i].code, lang) == 0)
            return &voice->languages[i];
    return &voice->language;
}

/* The beginning that is said at once: to the end of a sentence, else of a word. */
static size_t piece_of(const char *words)
{
    size_t most = text_utf8_prefix(words, PIECE_MAX), at = most;
    if (words[most] == '\0')
        return most;
    while (at > 0 && !(words[at] == ' ' && strchr(".!?", words[at - 1]) != NULL))
        at--;
    if (at == 0)
        for (at = most; at > 0 && words[at] != ' ';)
            at--;
    return at > 0 ? at : most;
}

static void say(struct twiml *twiml, const struct answer *answer, const char *lang,
                const char *words)
{
    struct arena *arena = answer->webhook->request->arena;
    struct twiml_voice voice = answer_voice(arena, language_of(answer->channel->voice, lang));
    while (words != NULL && *words != '\0') {
        size_t length = piece_of(words);
        twiml_say(twiml, &voice, arena_strndup(arena, words, length));
        words += length;
        words += strspn(words, " ");
    }
}

/* ---- the Gather ---- */

/* Gather names a provider's models otherwise than the relay does. */
static const char *model_of(const struct directory_language *language)
{
    static const char *const models[][3] = {{"Deepgram", "nova-3", "deepgram_nova-3"},
                                            {"Deepgram", "nova-2", "deepgram_nova-2"},
                                            {"Google", "telephony", "googlev2_telephony"},
                                            {"Google", "long", "googlev2_long"},
                                            {"Google", "short", "googlev2_short"}};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcasecmp(language->transcription_provider, models[i][0]) == 0 &&
            strncmp(language->speech_model, models[i][1], strlen(models[i][1])) == 0)
            return models[i][2];
    return NULL;
}

int64_t step_answer_delay_ms(const struct directory_voice *voice, bool keys)
{
    return keys ? STEP_QUIET_S * 1000 : model_of(&voice->language) != NULL ? MODEL_S * 1000 : 0;
}

/* Words that may not be cut into stand before the Gather. The Redirect is for a Twilio that does
 * not tell of an empty result. */
void step_answer_gather(const struct answer *answer, int64_t step, const struct step_told *told,
                        const char *words)
{
    const struct directory_voice *voice = answer->channel->voice;
    const struct directory_language *language = language_of(voice, told->lang);
    const char *model = model_of(language);
    const char *action = url_of(answer, "step", step, told, 0);
    struct twiml_gather gather = {
        .input = "dtmf speech",
        .action = action,
        .action_on_empty_result = TWIML_YES,
        .timeout_s = STEP_QUIET_S,
        .speech_timeout_s = model != NULL ? MODEL_S : TWIML_AUTO,
        .speech_model = model,
        .language = strcasecmp(language->code, "multi") != 0 ? language->code : NULL,
        .hints = answer_hints(answer->webhook->request->arena, voice->hints)};
    struct twiml twiml;
    bool whole = voice->interruptible == DIRECTORY_INTERRUPT_NONE;
    twiml_init(&twiml);
    if (whole)
        say(&twiml, answer, told->lang, words);
    twiml_begin_gather(&twiml, &gather);
    if (!whole)
        say(&twiml, answer, told->lang, words);
    twiml_end_gather(&twiml);
    twiml_redirect(&twiml, action);
    answer_finish(answer->webhook, &twiml);
}

void step_answer_wait(const struct answer *answer, int64_t step, int wait,
                      const struct step_told *told)
{
    const struct directory_voice *voice = answer->channel->voice;
    struct twiml twiml;
    twiml_init(&twiml);
    say(&twiml, answer, told->lang,
        voice->fillers[((size_t)step + (size_t)wait) % voice->filler_count]);
    twiml_redirect(&twiml, url_of(answer, "wait", step, told, wait));
    answer_finish(answer->webhook, &twiml);
}

/* ---- the end ---- */

static void hang_up(const struct answer *answer, const char *words)
{
    struct twiml twiml;
    twiml_init(&twiml);
    say(&twiml, answer, "", words);
    twiml_hangup(&twiml);
    answer_finish(answer->webhook, &twiml);
}

void step_answer_hand_off(const struct answer *answer, const struct handoff *handoff,
                          const char *words)
{
    struct arena *arena = answer->webhook->request->arena;
    const char *asks = answer->channel->voice->record_prompt;
    if (handoff->kind == HANDOFF_DIAL)
        answer_dial(answer, handoff, words);
    else if (handoff->kind == HANDOFF_RECORD && handoff->announced)
        answer_message(answer, handoff->why, words);
    else if (handoff->kind == HANDOFF_RECORD)
        answer_message(answer, handoff->why, arena_printf(arena, "%s %s", words, asks));
    else
        hang_up(answer, words);
}
