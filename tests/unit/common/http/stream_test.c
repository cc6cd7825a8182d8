/* Unit tests of streams against a peer of another make (stream_peer.py): bytes go both ways plain
 * and under TLS, certificates and STARTTLS are insisted on, and every wait ends. */
#include "http/stream.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "http/client.h"
#include "unit/common/http/peer_rig.h"

static int start_peer(void)
{
    return peer_rig_start("tests/unit/common/http/stream_peer.py");
}

struct seen {
    struct stream *stream;
    struct strbuf bytes;
    bool opened, ended;
    char code[ERR_CODE_MAX];
    enum err_class class;
    size_t wanted; /* stops the loop when so many bytes are there */
    size_t largest;
    bool close_in_data, close_in_open;
};

static void on_open(void *arg)
{
    struct seen *seen = arg;
    CU_ASSERT_FALSE(seen->opened);
    seen->opened = true;
    if (seen->close_in_open) {
        stream_close(&seen->stream);
        loop_stop(loop);
    }
}

static void on_data(void *arg, const char *bytes, size_t length)
{
    struct seen *seen = arg;
    CU_ASSERT_TRUE(seen->opened);
    strbuf_add(&seen->bytes, bytes, length);
    seen->largest = length > seen->largest ? length : seen->largest;
    if (seen->close_in_data)
        stream_close(&seen->stream);
    if (seen->close_in_data || seen->bytes.length == seen->wanted)
        loop_stop(loop);
}

static void on_end(void *arg, const struct err *err)
{
    struct seen *seen = arg;
    CU_ASSERT_FALSE(seen->ended);
    seen->ended = true;
    snprintf(seen->code, sizeof seen->code, "%s", err->code);
    seen->class = err->class;
    loop_stop(loop);
}

static struct stream_options options_for(struct seen *seen, const char *behaviour)
{
    memset(seen, 0, sizeof *seen);
    strbuf_init(&seen->bytes, (size_t)4 << 20);
    return (struct stream_options){.loop = loop,
                                   .host = "localhost",
                                   .port = (int)strtol(peer_says(behaviour), NULL, 10),
                                   .ca_file = peer_says("ca"),
                                   .on_open = on_open,
                                   .on_data = on_data,
                                   .on_end = on_end,
                                   .arg = seen};
}

static void finish(struct seen *seen)
{
    stream_close(&seen->stream);
    CU_ASSERT_PTR_NULL(seen->stream);
    strbuf_fini(&seen->bytes);
    loop_pass(loop);
}

/* Sends a megabyte and wants it back. */
static void check_echo(const char *behaviour, enum stream_security security)
{
    struct seen seen;
    struct stream_options options = options_for(&seen, behaviour);
    options.security = security;
    char *sent = xmalloc(1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        sent[i] = (char)(i * 31 >> 3);
    seen.wanted = 1 << 20;
    seen.stream = stream_open(&options);
    stream_send(seen.stream, sent, 1000); /* before it is open */
    stream_send(seen.stream, sent + 1000, (1 << 20) - 1000);
    run();
    CU_ASSERT_TRUE(seen.opened);
    CU_ASSERT_EQUAL(seen.bytes.length, (size_t)1 << 20);
    CU_ASSERT_EQUAL(memcmp(seen.bytes.data, sent, seen.bytes.length), 0);
    CU_ASSERT_TRUE(seen.largest <= STREAM_STRIDE);
    free(sent);
    finish(&seen);
}

static void test_carries_bytes(void)
{
    check_echo("echo", STREAM_PLAIN);
    check_echo("tls", STREAM_TLS);
    check_echo("starttls", STREAM_STARTTLS_IMAP);
}

/* All of a burst arrives before the end is told, also what TLS had decrypted when the peer closed.
 */
static void test_tells_the_end_last(void)
{
    struct seen seen;
    struct stream_options options = options_for(&seen, "burst");
    options.security = STREAM_TLS;
    seen.stream = stream_open(&options);
    run();
    CU_ASSERT_TRUE(seen.ended);
    CU_ASSERT_STRING_EQUAL(seen.code, "stream.closed");
    CU_ASSERT_EQUAL(seen.bytes.length, (size_t)64 * 16384);
    stream_send(seen.stream, "x", 1); /* nobody is there any more: nothing happens */
    finish(&seen);
}

static const struct {
    const char *behaviour, *host;
    enum stream_security security;
    const char *code;
    enum err_class class;
} refusals[] = {
    {"wrong_name", "localhost", STREAM_TLS, "stream.tls", ERR_FALL_BACK},
    {"tls", "127.0.0.1", STREAM_TLS, "stream.tls", ERR_FALL_BACK}, /* the name is what counts */
    {"no_starttls", "localhost", STREAM_STARTTLS_IMAP, "stream.starttls", ERR_FALL_BACK},
    {"refused_starttls", "localhost", STREAM_STARTTLS_IMAP, "stream.starttls", ERR_FALL_BACK},
    {"preauth", "localhost", STREAM_STARTTLS_IMAP, "stream.starttls", ERR_FALL_BACK},
    {"injected", "localhost", STREAM_STARTTLS_IMAP, "stream.protocol", ERR_RETRY_LATER},
    {"silent", "localhost", STREAM_TLS, "stream.connect", ERR_RETRY_LATER},
    {"silent", "localhost", STREAM_STARTTLS_IMAP, "stream.connect", ERR_RETRY_LATER},
    {"echo", "no-such-host.invalid", STREAM_PLAIN, "stream.resolve", ERR_RETRY_LATER},
    {"echo", "", STREAM_PLAIN, "stream.host", ERR_PERMANENT},
    {"echo", "localhost/../x", STREAM_PLAIN, "stream.host", ERR_PERMANENT},
    {"echo", "user@localhost", STREAM_PLAIN, "stream.host", ERR_PERMANENT},
    {"echo", "::1]:80/[", STREAM_PLAIN, "stream.host", ERR_PERMANENT},
};

static void test_refuses(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct seen seen;
        struct stream_options options = options_for(&seen, refusals[i].behaviour);
        options.host = refusals[i].host;
        options.security = refusals[i].security;
        if (strcmp(refusals[i].behaviour, "silent") == 0)
            options.connect_ms = 300;
        seen.stream = stream_open(&options);
        run();
        if (strcmp(seen.code, refusals[i].code) != 0)
            printf("\n    %s %s: \"%s\"\n", refusals[i].behaviour, refusals[i].host, seen.code);
        CU_ASSERT_FALSE(seen.opened);
        CU_ASSERT_STRING_EQUAL(seen.code, refusals[i].code);
        CU_ASSERT_EQUAL(seen.class, refusals[i].class);
        finish(&seen);
    }
}

/* The system's bundle does not know the peer's certificate. */
static void test_checks_against_the_system(void)
{
    struct seen seen;
    struct stream_options options = options_for(&seen, "tls");
    options.security = STREAM_TLS;
    options.ca_file = NULL;
    seen.stream = stream_open(&options);
    run();
    CU_ASSERT_STRING_EQUAL(seen.code, "stream.tls");
    finish(&seen);
}

/* What was read once counts instead of a file, for names too. */
static void test_checks_against_what_is_shared(void)
{
    static const struct {
        const char *host;
        enum stream_security security;
        bool ours;
        const char *code;
    } cases[] = {{"localhost", STREAM_TLS, true, ""},
                 {"localhost", STREAM_STARTTLS_IMAP, true, ""},
                 {"127.0.0.1", STREAM_TLS, true, "stream.tls"},
                 {"localhost", STREAM_TLS, false, "stream.tls"},
                 {"localhost", STREAM_STARTTLS_IMAP, false, "stream.tls"}};
    struct crypto_trust *ours, *others;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(crypto_trust_open(peer_says("ca"), &ours, &err), 0);
    CU_ASSERT_EQUAL_FATAL(crypto_trust_open(http_ca_file(), &others, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen seen;
        struct stream_options options =
            options_for(&seen, cases[i].security == STREAM_TLS ? "tls" : "starttls");
        options.host = cases[i].host;
        options.security = cases[i].security;
        options.trust = cases[i].ours ? ours : others;
        seen.wanted = 1;
        seen.stream = stream_open(&options);
        stream_send(seen.stream, "x", 1); /* comes back */
        run();
        CU_ASSERT_EQUAL(seen.opened, cases[i].code[0] == '\0');
        CU_ASSERT_STRING_EQUAL(seen.code, cases[i].code);
        finish(&seen);
    }
    crypto_trust_free(&ours);
    crypto_trust_free(&others);
}

static void test_goes_to_allowed_addresses_only(void)
{
    struct seen seen;
    struct stream_options options = options_for(&seen, "echo");
    options.public_only = true;
    seen.stream = stream_open(&options);
    run();
    CU_ASSERT_STRING_EQUAL(seen.code, "stream.address");
    CU_ASSERT_EQUAL(seen.class, ERR_PERMANENT);
    finish(&seen);

    struct address_list *list;
    CU_ASSERT_EQUAL_FATAL(address_list_parse("127.0.0.0/8", &list, NULL), 0);
    options = options_for(&seen, "echo");
    options.public_only = true;
    options.exceptions = list;
    seen.wanted = 5;
    seen.stream = stream_open(&options);
    stream_send(seen.stream, "hello", 5);
    run();
    CU_ASSERT_STRING_EQUAL(seen.bytes.data, "hello");
    finish(&seen);
    address_list_free(&list);
}

static void test_gives_up_on_the_deaf(void)
{
    struct seen seen;
    struct stream_options options = options_for(&seen, "deaf");
    options.stall_ms = 300;
    char *much = xcalloc(1, (size_t)16 << 20);
    seen.stream = stream_open(&options);
    stream_send(seen.stream, much, (size_t)16 << 20);
    run();
    CU_ASSERT_STRING_EQUAL(seen.code, "stream.stalled");
    finish(&seen);

    options = options_for(&seen, "deaf");
    seen.stream = stream_open(&options);
    for (int i = 0; i < 3; i++)
        stream_send(seen.stream, much, (size_t)16 << 20);
    CU_ASSERT_FALSE(seen.ended); /* never from inside */
    run();
    CU_ASSERT_STRING_EQUAL(seen.code, "stream.full");
    finish(&seen);
    free(much);
}

static void test_closes_from_inside(void)
{
    struct seen seen;
    struct stream_options options = options_for(&seen, "burst");
    options.security = STREAM_TLS;
    seen.close_in_data = true;
    seen.stream = stream_open(&options);
    run();
    CU_ASSERT_PTR_NULL(seen.stream);
    CU_ASSERT_FALSE(seen.ended);
    finish(&seen);

    options = options_for(&seen, "tls");
    options.security = STREAM_TLS;
    seen.close_in_open = true;
    seen.stream = stream_open(&options);
    run();
    CU_ASSERT_PTR_NULL(seen.stream);
    finish(&seen);

    options = options_for(&seen, "silent");
    options.security = STREAM_TLS;
    seen.stream = stream_open(&options); /* and at once: in the middle of the connecting */
    loop_pass(loop);
    finish(&seen);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http/stream", start_peer, peer_rig_stop);
    CU_add_test(suite, "carries bytes", test_carries_bytes);
    CU_add_test(suite, "tells the end last", test_tells_the_end_last);
    CU_add_test(suite, "refuses", test_refuses);
    CU_add_test(suite, "checks against the system's bundle", test_checks_against_the_system);
    CU_add_test(suite, "checks against what is shared", test_checks_against_what_is_shared);
    CU_add_test(suite, "goes to allowed addresses only", test_goes_to_allowed_addresses_only);
    CU_add_test(suite, "gives up on the deaf", test_gives_up_on_the_deaf);
    CU_add_test(suite, "closes from inside", test_closes_from_inside);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? 0 : 1;
}
