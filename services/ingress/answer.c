/* The TwiML that ingress answers. URLs of the next steps are ours and signed by Twilio as a whole:
 * they carry what the next request does not tell by itself. Called by voice.c and voice_step.c. */
#include "answer_inside.h"

#include "base/clock.h"
#include "base/text.h"
#include "contract/call_token.h"
#include "contract/relay.h"
#include "contract/twiml.h"
#include "counters.h"
#include "service/log.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define URL_MAX         TWIML_URL_MAX
#define REPEAT          "#rc=2&rp=ct,5xx" /* Twilio asks again; this is neither sent nor signed */
#define MESSAGE_QUIET_S 5
#define WHISPER_S       10

static const char *const interruptible[] = {"any", "speech", "dtmf", "none"};
static const char *const sensitivity[] = {"high", "medium", "low"};

static const char empty[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response/>";
static const char hangup[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Hangup/></Response>";

static void respond(struct webhook *webhook, const char *body, size_t length)
{
    *webhook->response = (struct http_response){
        .status = 200, .content_type = "text/xml", .body = body, .body_length = length};
}

void answer_finish(struct webhook *webhook, struct twiml *twiml)
{
    struct err err;
    if (twiml_finish(twiml, &err) == 0) {
        respond(webhook, arena_strndup(webhook->request->arena, twiml->out.data, twiml->out.length),
                twiml->out.length);
    } else {
        log_error("voice.twiml", LOG_TEXT("route", webhook->name), LOG_ERR(&err));
        respond(webhook, hangup, sizeof hangup - 1);
    }
    twiml_fini(twiml);
}

/* ---- URLs ---- */

const char *answer_url(const struct webhook *webhook, const char *kind, const char *tenant,
                       int number, const char *const *query)
{
    struct arena *arena = webhook->request->arena;
    struct call_step step = {.step = number};
    struct strbuf url;
    snprintf(step.kind, sizeof step.kind, "%s", kind);
    uuid_parse(tenant, &step.tenant);
    strbuf_init(&url, URL_MAX);
    strbuf_printf(&url, "%s%s", webhook->ingress->settings.public_url,
                  call_token_step_path(arena, &step));
    for (size_t i = 0; query != NULL && query[i] != NULL; i += 2) {
        strbuf_printf(&url, "%c%s=", i == 0 ? '?' : '&', query[i]);
        text_add_percent(&url, query[i + 1]);
    }
    strbuf_add_text(&url, REPEAT);
    const char *text = arena_strndup(arena, url.data, url.length);
    strbuf_fini(&url);
    return text;
}

/* The socket's URL: whatever scheme we are reached by, Twilio's is wss. A path is good once: the
 * session after one that failed within the same second has another expiry. */
static const char *relay_url(const struct answer *answer, bool resumed, int failures)
{
    const struct ingress *ingress = answer->webhook->ingress;
    struct arena *arena = answer->webhook->request->arena;
    struct call_token token = {.expires_s = clock_wall_ms() / 1000 + ANSWER_TOKEN_S + failures,
                               .resumed = resumed};
    struct err err;
    const char *path = NULL;
    uuid_parse(answer->channel->tenant, &token.tenant);
    snprintf(token.call_sid, sizeof token.call_sid, "%s", answer->call_sid);
    if (call_token_write(arena, &token, ingress->relay_key, &path, &err) != 0)
        return NULL; /* TwiML without its URL is refused as our bug */
    return arena_printf(arena, "%s%s", ingress->relay_base, path);
}

/* ---- words ---- */

static const char *or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Without a name that Twilio would refuse: the caller hears the provider's own voice. */
static const char *word_or_null(const char *text)
{
    if (or_null(text) == NULL || twiml_is_word(text))
        return or_null(text);
    log_warn("voice.name", LOG_TEXT("name", text));
    return NULL;
}

struct twiml_voice answer_voice(struct arena *arena, const struct directory_language *language)
{
    static const char *const prefixes[][2] = {{"amazon", "Polly."}, {"google", "Google."}};
    struct twiml_voice voice = {NULL, NULL};
    if (strcasecmp(language->code, "multi") != 0)
        voice.language = language->code;
    for (size_t i = 0; i < 2 && language->voice[0] != '\0'; i++)
        if (strcasecmp(language->tts_provider, prefixes[i][0]) == 0)
            voice.voice =
                word_or_null(arena_printf(arena, "%s%s", prefixes[i][1], language->voice));
    return voice;
}

static struct twiml_voice voice_of(struct arena *arena, const struct channel *channel)
{
    return channel != NULL ? answer_voice(arena, &channel->voice->language)
                           : (struct twiml_voice){NULL, NULL};
}

/* ---- the relay ---- */

struct twiml_hints answer_hints(struct arena *arena, const char *text)
{
    const char **items = arena_alloc(arena, TWIML_HINTS_MAX * sizeof *items);
    size_t count = 0;
    while (text != NULL && *text != '\0' && count < TWIML_HINTS_MAX) {
        size_t length = strcspn(text, ",");
        items[count++] = arena_strndup(arena, text, length);
        text += length + (text[length] == ',');
    }
    return (struct twiml_hints){.items = items, .count = count};
}

static struct twiml_language language_of(const struct directory_language *language)
{
    return (struct twiml_language){.code = language->code,
                                   .tts_provider = word_or_null(language->tts_provider),
                                   .voice = word_or_null(language->voice),
                                   .transcription_provider =
                                       word_or_null(language->transcription_provider),
                                   .speech_model = word_or_null(language->speech_model)};
}

static const char *welcome_of(const struct answer *answer, enum answer_greeting greeting)
{
    const struct directory_voice *voice = answer->channel->voice;
    if (greeting == ANSWER_GREETS)
        return words_greeting(answer->webhook->request->arena, voice, answer->say);
    return greeting == ANSWER_CONSENTS ? voice->consent_line : NULL;
}

static void add_query(const char **query, size_t *count, const char *name, const char *value)
{
    if (value == NULL)
        return;
    query[(*count)++] = name;
    query[(*count)++] = value;
}

static const char *parted_of(const struct answer *answer)
{
    struct arena *arena = answer->webhook->request->arena;
    return answer->parted_ms > 0 ? arena_printf(arena, "%" PRId64, answer->parted_ms) : NULL;
}

/* Who asks for what comes behind the session is told that it was to greet, and with what; and, if
 * nobody has heard of that session, what the carrier had found of the caller, and when the one
 * before had ended. */
static const char *ended_url(const struct answer *answer, enum answer_greeting greeting,
                             int failures)
{
    const char *query[2 * 4 + 1] = {NULL};
    size_t count = 0;
    add_query(query, &count, RELAY_ATTESTATION, or_null(answer->attestation));
    add_query(query, &count, RELAY_PARTED, parted_of(answer));
    if (greeting != ANSWER_GREETED) {
        add_query(query, &count, "greets", "1");
        add_query(query, &count, "say", answer->say);
    }
    return answer_url(answer->webhook, "relay-ended", answer->channel->tenant, failures, query);
}

void answer_relay(const struct answer *answer, enum answer_greeting greeting, int failures)
{
    const struct directory_voice *voice = answer->channel->voice;
    struct arena *arena = answer->webhook->request->arena;
    struct twiml_language languages[DIRECTORY_LANGUAGES_MAX];
    for (size_t i = 0; i < voice->language_count; i++)
        languages[i] = language_of(&voice->languages[i]);
    struct twiml_language first = language_of(&voice->language);
    struct twiml_relay relay = {
        .action = ended_url(answer, greeting, failures),
        .url = relay_url(answer, greeting != ANSWER_GREETS, failures),
        .welcome_greeting = welcome_of(answer, greeting),
        .welcome_greeting_interruptible = interruptible[voice->interruptible],
        .language = first.code,
        .tts_provider = first.tts_provider,
        .voice = first.voice,
        .transcription_provider = first.transcription_provider,
        .speech_model = first.speech_model,
        .interruptible = interruptible[voice->interruptible],
        .interrupt_sensitivity = sensitivity[voice->interrupt_sensitivity],
        /* Nobody's words are lost because something was just being said. */
        .report_input_during_agent_speech = "any",
        .dtmf_detection = TWIML_YES,
        .events = "speaker-events",
        .hints = answer_hints(arena, voice->hints),
        .languages = languages,
        .language_count = voice->language_count,
        .attestation = or_null(answer->attestation),
        .parted = parted_of(answer),
    };
    struct twiml twiml;
    twiml_init(&twiml);
    twiml_connect(&twiml, &relay);
    answer_finish(answer->webhook, &twiml);
}

/* ---- a message ---- */

/* Twilio understands US English only. */
static bool is_written_down(const struct directory_voice *voice)
{
    return voice->transcribe && strcasecmp(voice->language.code, "en-US") == 0;
}

/* Record's action goes on when something was said, the words behind it when nothing was. */
void answer_message(const struct answer *answer, enum voice_record_why why, const char *words)
{
    struct webhook *webhook = answer->webhook;
    const struct channel *channel = answer->channel;
    const bool written = is_written_down(channel->voice);
    const char *const numbers[] = {
        "from", answer->person, "to", channel->address, written ? "transcript" : NULL, "1", NULL};
    struct twiml_voice voice = voice_of(webhook->request->arena, channel);
    struct twiml_record record = {
        .action = answer_url(webhook, "recorded", channel->tenant, (int)why, NULL),
        .timeout_s = MESSAGE_QUIET_S,
        .finish_on_key = "#",
        .max_length_s = written ? ANSWER_WRITTEN_S : ANSWER_MESSAGE_S,
        .play_beep = TWIML_YES,
        .recording_status_callback =
            answer_url(webhook, "recording", channel->tenant, (int)why, numbers),
        .recording_status_callback_event = "completed absent"};
    if (written) {
        record.transcribe = TWIML_YES;
        record.transcribe_callback =
            answer_url(webhook, "transcript", channel->tenant, (int)why, numbers);
    }
    struct twiml twiml;
    twiml_init(&twiml);
    if (words != NULL)
        twiml_say(&twiml, &voice, words);
    twiml_record(&twiml, &record);
    twiml_say(&twiml, &voice, channel->voice->goodbye);
    twiml_hangup(&twiml);
    metric_add(counters.messages_asked, 1);
    answer_finish(webhook, &twiml);
}

void answer_unheard(const struct answer *answer)
{
    const struct directory_voice *voice = answer->channel->voice;
    answer_message(answer, VOICE_RECORD_FALLBACK,
                   words_greeting(answer->webhook->request->arena, voice, voice->fallback));
}

/* ---- a transfer ---- */

/* The beginning of the briefing that fits into a URL, back to a character. */
static const char *fit_briefing(struct arena *arena, const char *briefing)
{
    struct strbuf encoded;
    size_t length = strlen(briefing);
    const char *cut = briefing;
    strbuf_init(&encoded, ANSWER_BRIEFING_MAX);
    text_add_percent(&encoded, cut);
    while (encoded.overflow) {
        length = text_utf8_prefix(briefing, length - length / 8 - 1);
        cut = arena_strndup(arena, briefing, length);
        strbuf_clear(&encoded);
        text_add_percent(&encoded, cut);
    }
    strbuf_fini(&encoded);
    return cut;
}

void answer_dial(const struct answer *answer, const struct handoff *handoff, const char *words)
{
    struct webhook *webhook = answer->webhook;
    const struct channel *channel = answer->channel;
    char id[UUID_TEXT_SIZE];
    const char *const dial[] = {"dial", uuid_format(&handoff->dial, id),
                                handoff->cold ? "cold" : NULL, "1", NULL};
    const char *const whisper[] = {"to", channel->address, "say",
                                   fit_briefing(webhook->request->arena, handoff->briefing), NULL};
    const char *const machine[] = {
        "dial", id, "call", answer->call_sid, "from", answer->person, "to", channel->address, NULL};
    struct twiml_number number = {
        .number = handoff->to,
        .url = handoff->cold ? NULL : answer_url(webhook, "whisper", channel->tenant, 0, whisper),
        .machine_detection = "Enable",
        .amd_status_callback =
            answer_url(webhook, "machine", channel->tenant, answer->step, machine)};
    struct twiml_dial verb = {
        .action = answer_url(webhook, "dialled", channel->tenant, answer->step, dial),
        .timeout_s = handoff->timeout_s,
        .caller_id = or_null(channel->voice->transfer_caller_id),
        .numbers = &number,
        .number_count = 1};
    struct twiml twiml;
    struct twiml_voice voice = voice_of(webhook->request->arena, channel);
    twiml_init(&twiml);
    if (words != NULL)
        twiml_say(&twiml, &voice, words);
    twiml_dial(&twiml, &verb);
    answer_finish(webhook, &twiml);
}

/* Without a key the person is a machine, or does not want it: the call goes back to the caller. */
void answer_whisper(struct webhook *webhook, const struct channel *channel, const char *tenant,
                    const char *briefing)
{
    struct twiml_voice voice = voice_of(webhook->request->arena, channel);
    struct twiml_gather gather = {.input = "dtmf",
                                  .action = answer_url(webhook, "accept", tenant, 0, NULL),
                                  .num_digits = 1,
                                  .timeout_s = WHISPER_S};
    struct twiml twiml;
    twiml_init(&twiml);
    twiml_begin_gather(&twiml, &gather);
    twiml_say(&twiml, &voice, briefing);
    twiml_end_gather(&twiml);
    twiml_hangup(&twiml);
    answer_finish(webhook, &twiml);
}

/* ---- a key ---- */

void answer_ask(const struct answer *answer, const char *action, const char *words)
{
    struct webhook *webhook = answer->webhook;
    struct twiml_voice voice = voice_of(webhook->request->arena, answer->channel);
    struct twiml_gather gather = {
        .input = "dtmf", .action = action, .num_digits = 1, .timeout_s = WHISPER_S};
    struct twiml twiml;
    twiml_init(&twiml);
    for (int times = 0; times < 2; times++) {
        twiml_begin_gather(&twiml, &gather);
        twiml_say(&twiml, &voice, words);
        twiml_end_gather(&twiml);
    }
    twiml_hangup(&twiml);
    answer_finish(webhook, &twiml);
}

void answer_wait(const struct answer *answer, const char *url, const char *words)
{
    struct webhook *webhook = answer->webhook;
    struct twiml_voice voice = voice_of(webhook->request->arena, answer->channel);
    struct twiml twiml;
    twiml_init(&twiml);
    twiml_say(&twiml, &voice, words);
    twiml_redirect(&twiml, url);
    answer_finish(webhook, &twiml);
}

/* ---- the end ---- */

void answer_hangup(struct webhook *webhook, const struct channel *channel, const char *words)
{
    struct twiml_voice voice = voice_of(webhook->request->arena, channel);
    struct twiml twiml;
    twiml_init(&twiml);
    if (words != NULL)
        twiml_say(&twiml, &voice, words);
    twiml_hangup(&twiml);
    answer_finish(webhook, &twiml);
}

void answer_reject(struct webhook *webhook)
{
    struct twiml twiml;
    twiml_init(&twiml);
    twiml_reject(&twiml, false);
    answer_finish(webhook, &twiml);
}

void answer_nothing(struct webhook *webhook)
{
    respond(webhook, empty, sizeof empty - 1);
}
