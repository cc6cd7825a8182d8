/* `deskctl call`: somebody rings up a business of a local installation and does what a file says.
 * The caller is the Twilio stand-in's, the one whose calls ./run shows: it asks ingress as Twilio
 * would, signs with the account's token, speaks with the relay socket or by webhooks, and tells
 * what was heard when. Nothing of the desk knows that the call is played. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call_script.h"
#include "call_told.h"
#include "command.h"
#include "contract/directory_voice.h"
#include "fetch.h"
#include "field_check.h"
#include "store/tenant.h"
#include "json/json.h"

#define ORDER_BYTES_MAX (8 * 1024 * 1024)
#define CALL_MAX_MS     (15 * 60 * 1000)
#define LOOK_MS         200
#define LOOKS_MAX       (CALL_MAX_MS / LOOK_MS + 300)

/* Somebody to ring up, and by whom. */
struct ringing {
    struct desk *desk;
    const struct call_script *script;
    const char *from, *tenant;
    const struct directory_channel *channel;
};

/* ---- who is rung up ---- */

/* The stand-in is reached in plain text on this machine or beside it; Twilio itself never. */
static int check_stand(const struct desk *desk, struct err *err)
{
    const char *base = desk->settings.twilio_base_url;
    if (strncmp(base, "http://", 7) != 0)
        return err_set(err, ERR_PERMANENT, "call.stand",
                       "twilio_base_url is %s, where no caller can be played: that takes the "
                       "stand-in of ./run. Start ./run (without TWILIO_ACCOUNT_SID) and call "
                       "deskctl in its checkout, or give --twilio_base_url=http://HOST:PORT of a "
                       "stand-twilio",
                       base);
    if (*desk->settings.public_url == '\0')
        return err_set(err, ERR_PERMANENT, "call.public_url",
                       "public_url is not set; give --public_url=https://... as ingress has it, "
                       "since webhooks are signed over it");
    return 0;
}

static int find_number(struct ringing *ringing, struct pg_session *session, struct err *err)
{
    struct arena *arena = ringing->desk->arena;
    struct tenant_row *tenant = NULL;
    struct directory_row *rows = NULL;
    size_t count = 0;
    char id[UUID_TEXT_SIZE];
    if (tenant_find(session, arena, ringing->tenant, &tenant, err) != 0)
        return -1;
    if (tenant == NULL)
        return err_set(err, ERR_PERMANENT, "tenant.not_found",
                       "there is no tenant \"%.60s\"; `deskctl tenant list` shows all",
                       ringing->tenant);
    if (tenant_list_directory(session, arena, &rows, &count, err) != 0)
        return -1;
    uuid_format(&tenant->id, id);
    for (size_t i = 0; i < count && ringing->channel == NULL; i++)
        if (!rows[i].removed && rows[i].channel.voice != NULL &&
            strcmp(rows[i].channel.event.tenant, id) == 0)
            ringing->channel = &rows[i].channel;
    if (ringing->channel == NULL)
        return err_set(err, ERR_PERMANENT, "call.number",
                       "%s takes no calls; give its file a channel of kind voice and a block "
                       "phone (docs/TENANT_FILE.md), and apply it",
                       ringing->tenant);
    return 0;
}

/* ---- the call ---- */

static const char *order_of(const struct ringing *ringing)
{
    struct arena *arena = ringing->desk->arena;
    const struct directory_voice *voice = ringing->channel->voice;
    const char *base = ringing->desk->settings.public_url;
    const int length = (int)(strlen(base) - (base[strlen(base) - 1] == '/'));
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, ORDER_BYTES_MAX);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "account_sid", ringing->channel->account_sid);
    json_add_text(&writer, "from", ringing->from);
    json_add_text(&writer, "to", ringing->channel->address);
    json_add_text(&writer, "url", arena_printf(arena, "%.*s/twilio/voice", length, base));
    json_add_text(&writer, "status_callback",
                  arena_printf(arena, "%.*s/twilio/voice/status", length, base));
    json_add_double(&writer, "rate", voice->speaking_rate / 10.0);
    json_add_int(&writer, "max_ms", CALL_MAX_MS);
    json_open_array(&writer, "fillers");
    for (size_t i = 0; i < voice->filler_count; i++)
        json_add_text(&writer, NULL, voice->fillers[i]);
    json_close_array(&writer);
    json_add_raw(&writer, "script", ringing->script->steps);
    json_close_object(&writer);
    const char *order = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return order;
}

static int place(const struct ringing *ringing, struct fetch *fetch, const char **url,
                 struct err *err)
{
    struct arena *arena = ringing->desk->arena;
    const char *base = ringing->desk->settings.twilio_base_url, *body = NULL, *sid = NULL;
    struct json *answer = NULL;
    size_t length = 0;
    const char *calls = arena_printf(arena, "%s/_calls", base);
    if (fetch_post(fetch, arena, calls, order_of(ringing), &body, &length, err) != 0) {
        struct err why = *err;
        return strncmp(why.code, "http.", 5) != 0
                   ? -1
                   : err_set(err, why.class, why.code,
                             "no stand-in answers at %s (%s); is ./run up?", base, why.message);
    }
    if (json_parse(body, length, &answer, err) != 0)
        return -1;
    sid = json_member_text(answer, "sid");
    if (sid != NULL) {
        desk_note("%s calls %s of %s (%.40s)", ringing->from, ringing->channel->address,
                  ringing->tenant, sid);
        *url = arena_printf(arena, "%s/%.40s", calls, sid);
    }
    json_free(&answer);
    return *url != NULL
               ? 0
               : err_set(err, ERR_PERMANENT, "call.stand",
                         "%s named no call; is twilio_base_url that of a stand-twilio?", calls);
}

/* The whole story in *call (owned), once it is over. */
static int watch(struct fetch *fetch, const char *url, struct json **call, struct err *err)
{
    struct call_told told = {0};
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        struct arena *arena = arena_new();
        const char *body = NULL;
        size_t length = 0;
        int result = fetch_get(fetch, arena, url, NULL, NULL, &body, &length, err);
        if (result == 0)
            result = json_parse(body, length, call, err);
        arena_free(&arena);
        if (result != 0)
            return -1;
        call_told_read(*call, &told);
        if (told.over)
            return 0;
        json_free(call);
        fetch_pause(fetch, LOOK_MS);
    }
    return err_set(err, ERR_RETRY_LATER, "call.endless", "the call does not end; %s tells of it",
                   url);
}

static int tell(struct desk *desk, const struct json *call)
{
    struct call_told told;
    call_told_read(call, &told);
    int code =
        desk_print_table(desk, call_told_rows(desk->arena, call), "nothing happened in the call");
    desk_note("the longest silence of the desk: %" PRId64 " ms", told.silence_max_ms);
    if (code == DESK_OK && strcmp(told.script, "done") == 0 && told.errors == 0)
        return DESK_OK;
    desk_note("the call did not go as the file says: its script is %.40s; errors of the desk: %zu",
              told.script, told.errors);
    return DESK_FAILED;
}

static int ring_up(struct ringing *ringing)
{
    struct desk *desk = ringing->desk;
    struct pg_session *session = NULL;
    struct json *call = NULL;
    const char *url = NULL;
    struct err err;
    if (check_stand(desk, &err) != 0)
        return desk_fail(&err);
    int result = desk_begin(desk, &session, &err);
    if (result == 0)
        result = find_number(ringing, session, &err);
    desk_rollback(desk);
    if (result != 0)
        return desk_fail(&err);
    struct fetch *fetch = fetch_new();
    if (place(ringing, fetch, &url, &err) == 0 && watch(fetch, url, &call, &err) == 0)
        result = tell(desk, call);
    else
        result = desk_fail(&err);
    json_free(&call);
    fetch_free(&fetch);
    return result;
}

/* ---- the command line ---- */

static int run_call(struct desk *desk, const struct words *words)
{
    const char *path = words_option(words, "script"), *from = words_option(words, "from");
    const char *tenant = words_option(words, "tenant");
    struct call_script script;
    struct problems problems;
    if (path == NULL)
        return desk_usage("needs --script FILE; `deskctl help call` shows one");
    if (from != NULL && field_check_text(FIELD_E164, from) != NULL)
        return desk_usage("--from \"%.40s\" %s", from, field_check_text(FIELD_E164, from));
    problems_init(&problems, desk->arena, path);
    call_script_read(&problems, path, &script);
    from = from != NULL ? from : script.from;
    tenant = tenant != NULL ? tenant : script.tenant;
    if (problems.count == 0 && (from == NULL || tenant == NULL))
        problems_add(&problems, 1, "%s: is missing; write it here, or give --%s",
                     from == NULL ? "from" : "tenant", from == NULL ? "from" : "tenant");
    const bool good = problems.count == 0;
    if (!good)
        fputs(problems.text.data, stderr);
    strbuf_fini(&problems.text);
    struct ringing ringing = {.desk = desk, .script = &script, .from = from, .tenant = tenant};
    return good ? ring_up(&ringing) : DESK_FAILED;
}

static const struct option call_options[] = {
    {"script", "FILE", "what the caller does"},
    {"tenant", "NAME", "who is called, instead of the file's"},
    {"from", "NUMBER", "who calls, instead of the file's"},
    {NULL, NULL, NULL},
};

const struct command command_call[] = {
    {"call", "", "play a phone call to the desk that ./run started: who said what, and when",
     "The Twilio stand-in of ./run is the telephone. The file (YAML; deploy/calls/ has one):\n"
     "\n"
     "  tenant: brightwater-dental   # who is called\n"
     "  from: \"+15551230042\"         # who calls\n"
     "  script:                      # one thing after the other\n"
     "    - wait_for: reply          # the desk has spoken to its end; also gather, record, dial,\n"
     "                               # bridged, answered, audible\n"
     "    - say: When are you open?\n"
     "      ms: 900                  # how long that takes; also lang, confidence (0 to 1)\n"
     "    - interrupt: Wait, please. # while the desk speaks\n"
     "      after_words: 4           # or after_chars; of the reply, heard before\n"
     "    - press: \"1\"               # 0-9 * #, w waits half a second\n"
     "    - silence: 2000            # ms\n"
     "    - hangup: true\n"
     "\n"
     "What has to wait for something hangs up after timeout_ms (30000). Shown are the time since\n"
     "the call began, who, the words as they were heard, and in ms: of the caller's words how "
     "long\n"
     "they took, of the desk's how long he had waited for their first sound. The exit code is 0 "
     "if\n"
     "the script came to its end and the desk made no error.",
     call_options, 0, 0, run_call},
    {.words = NULL},
};
