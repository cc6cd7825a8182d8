/* Calls with their sockets: what is written to which. Kafka is not there; nothing of what is told
 * to it matters here. */
#include "calls.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "contract/event.h"
#include "counters.h"
#include "crypto/crypto.h"

#define TENANT   "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0a"
#define CALL_SID "CA00000000000000000000000000000001"
#define ACCOUNT  "AC00000000000000000000000000000001"
#define NUMBER   "+15550001111"

static struct ingress ingress;
static struct loop *loop;
static struct calls *calls;
static struct arena *arena;
static struct secret *edge_secret;

static uint64_t said_to, closed;
static char said[4096];

static bool on_say(void *arg, uint64_t socket, bool may_drop, const char *frame, size_t length)
{
    (void)arg, (void)may_drop;
    said_to = socket;
    snprintf(said, sizeof said, "%.*s", (int)length, frame);
    return true;
}

static void on_drop(void *arg, uint64_t socket)
{
    (void)arg, (void)socket;
}

static void on_close(void *arg, uint64_t socket)
{
    (void)arg;
    closed = socket;
}

static void add_number(void)
{
    static const struct directory_voice voice = {.language = {.code = "en-US"},
                                                 .hints = "",
                                                 .consent_line = "",
                                                 .greeting = "Hello.",
                                                 .fillers = {"One moment.", "Still looking."},
                                                 .filler_count = 2,
                                                 .fallback = "Please leave a message.",
                                                 .record_prompt = "Please speak.",
                                                 .still_there = "Are you there?",
                                                 .goodbye = "Goodbye.",
                                                 .silence_ms = 600000,
                                                 .speaking_rate = 150,
                                                 .transfer_caller_id = ""};
    const struct directory_channel channel = {
        .event = {.source = "frontdesk/engine",
                  .tenant = TENANT,
                  .time_ms = 1790000000000,
                  .traceparent = ""},
        .version = 1,
        .channel = uuid_new(),
        .kind = "voice",
        .address = NUMBER,
        .account_sid = ACCOUNT,
        .voice = &voice,
    };
    struct bus_record record;
    struct err err;
    directory_channel_encode(arena, "desk.", &channel, &record);
    CU_ASSERT_EQUAL_FATAL(directory_apply(ingress.directory, &record, NULL, &err), 0);
}

static int open_calls(void)
{
    struct err err;
    uint8_t public_key[CRYPTO_EDGE_KEY_BYTES], secret_key[CRYPTO_EDGE_KEY_BYTES];
    crypto_edge_keypair(public_key, secret_key);
    edge_secret = secret_new(secret_key, sizeof secret_key);
    arena = arena_new();
    loop = loop_new();
    ingress.settings.common.instance = "ingress-1";
    ingress.settings.kafka =
        (struct config_kafka){.brokers = "127.0.0.1:1", .topic_prefix = "desk.", .security = ""};
    ingress.directory = directory_new(edge_secret);
    if (calls_open(&ingress, loop, &calls, &err) != 0)
        return -1;
    calls_set_wire(calls, &(struct calls_wire){on_say, on_drop, on_close, NULL});
    return 0;
}

static int close_calls(void)
{
    calls_close(&calls, 0);
    directory_free(&ingress.directory);
    secret_free(&edge_secret);
    loop_pass(loop);
    loop_free(&loop);
    arena_free(&arena);
    return 0;
}

/* The setup of a socket; its session is named by it. */
static const char *set_up(uint64_t socket, const char *session)
{
    struct call_token token = {.expires_s = 0};
    snprintf(token.call_sid, sizeof token.call_sid, "%s", CALL_SID);
    uuid_parse(TENANT, &token.tenant);
    const struct relay_setup setup = {.session_id = session,
                                      .account_sid = ACCOUNT,
                                      .call_sid = CALL_SID,
                                      .from = "+15550002222",
                                      .to = NUMBER,
                                      .parent_call_sid = "",
                                      .forwarded_from = "",
                                      .caller_name = "",
                                      .attestation = "",
                                      .call_type = "PSTN",
                                      .direction = "inbound",
                                      .call_status = "RINGING"};
    return calls_setup(
        calls, &(struct calls_socket){.socket = 100 + socket, .serial = socket, .token = &token},
        &setup);
}

static void speak(int number, const char *text)
{
    const struct voice_frame frame = {.event = {.tenant = TENANT},
                                      .call_sid = CALL_SID,
                                      .turn = {.bytes = {7, (uint8_t)number}},
                                      .turn_number = number,
                                      .epoch = 1,
                                      .fence = number,
                                      .kind = VOICE_FRAME_TEXT,
                                      .text = text,
                                      .last = true,
                                      .lang = "",
                                      .keys = "",
                                      .handoff = ""};
    CU_ASSERT_TRUE(calls_frame(calls, &frame));
}

/* Handshakes may be overtaken: the setup of an older socket comes when the newer one has the call.
 * Guard: the comparison of serials in calls_setup. */
static void the_newest_socket_has_the_voice(void)
{
    add_number();
    CU_ASSERT_PTR_NULL(set_up(2, "VX00000000000000000000000000000002"));
    speak(1, "To the newer one.");
    CU_ASSERT_EQUAL(said_to, 102);
    CU_ASSERT_PTR_NOT_NULL(set_up(1, "VX00000000000000000000000000000001"));
    speak(2, "To the newer one again.");
    CU_ASSERT_EQUAL(said_to, 102);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "again"));
    CU_ASSERT_EQUAL(closed, 0);
    CU_ASSERT_PTR_NULL(set_up(3, "VX00000000000000000000000000000003"));
    CU_ASSERT_EQUAL(closed, 102);
    speak(3, "To the newest one.");
    CU_ASSERT_EQUAL(said_to, 103);
}

int main(void)
{
    CU_initialize_registry();
    counters_init();
    CU_pSuite suite = CU_add_suite("calls", open_calls, close_calls);
    CU_add_test(suite, "the newest socket", the_newest_socket_has_the_voice);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
