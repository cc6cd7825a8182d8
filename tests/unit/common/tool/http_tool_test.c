/* Calls of HTTP tools against a scripted endpoint: what leaves and how it is signed, what an answer
 * must be, and that nothing of a bad one gets through. */
#include "tool/http_tool.h"

#include "base/text.h"
#include "crypto/crypto.h"
#include "unit/common/http/client_rig.h"

#define MARK "REMOTE-WORDS" /* in every answer that must not be passed on */

static struct http_client *strict; /* no exceptions */
static struct address_list *loopback;
static struct secret *key;
static struct uuid call_id, conversation_id;

struct tool_outcome {
    bool done, good, sent;
    enum err_class class;
    char code[ERR_CODE_MAX], message[ERR_MESSAGE_MAX];
    char text[HTTP_TOOL_RESULT_MAX_BYTES + 1];
    size_t length;
    int status, provider_status;
    int64_t retry_after_ms, total_us;
};

/* ---- the endpoint ---- */

static bool answer_json(int fd, const char *body)
{
    return fake_answer(fd, "200 OK", "Content-Type: application/json\r\n", body);
}

/* An object of `length` bytes, `spaces` of them in front. */
static bool answer_long(int fd, size_t length, size_t spaces)
{
    char *body = xmalloc(length + 1);
    memset(body, 'x', length);
    memset(body, ' ', spaces);
    memcpy(body + spaces, "{\"a\":\"", 6);
    memcpy(body + length - 2, "\"}", 3);
    bool sent = answer_json(fd, body);
    free(body);
    return sent;
}

/* "/answer/<bytes>/<spaces>" */
static bool serve_long(int fd, const struct fake_request *r)
{
    const char *at_length = strstr(r->head, "/answer/") + 8;
    char *end;
    size_t length = strtoul(at_length, &end, 10);
    return answer_long(fd, length, strtoul(end + 1, NULL, 10));
}

/* "/status/<code>": with headers and words that tempt. */
static bool serve_code(int fd, const struct fake_request *r)
{
    char status[64];
    snprintf(status, sizeof status, "%.3s " MARK, strstr(r->head, "/status/") + 8);
    return fake_answer(fd, status,
                       "Content-Type: application/json\r\nRetry-After: 7\r\nLocation: /good\r\n"
                       "Set-Cookie: a=b\r\n",
                       strncmp(status, "204", 3) == 0 ? "" : "{\"error\":\"" MARK "\"}");
}

/* "/type/<n>" and "/body/<n>" */
static const char *const types[] = {"application/json",
                                    "APPLICATION/JSON ; charset=utf-8",
                                    "application/problem+json",
                                    "text/json",
                                    "application/jsonp",
                                    "application/json-seq",
                                    "text/html",
                                    "application/+json",
                                    "xapplication/json",
                                    NULL};
static const char *const bodies[] = {"",
                                     MARK,
                                     "[\"" MARK "\"]",
                                     "\"" MARK "\"",
                                     "{\"a\":1}{\"b\":2}",
                                     "{\"a\":",
                                     "{'a':1}",
                                     "{\"a\":1,\"a\":2}",
                                     "{\"a\":\"\xff" MARK "\"}",
                                     "null"};

static bool serve_type(int fd, const struct fake_request *r)
{
    const char *type = types[strtoul(strstr(r->head, "/type/") + 6, NULL, 10)];
    char header[128] = "";
    if (type != NULL)
        snprintf(header, sizeof header, "Content-Type: %s\r\n", type);
    return fake_answer(fd, "200 OK", header, "{\"a\":\"" MARK "\"}");
}

static bool answer(struct fake_server *s, int fd, const struct fake_request *r)
{
    (void)s;
    if (fake_path_is(r, "/good"))
        return answer_json(fd, " { \"slot\" : \"9:00\",\n \"n\": 2.0, \"list\":[ 1, null ] } ");
    if (fake_path_is(r, "/created"))
        return fake_answer(fd, "201 Created", "Content-Type: application/json\r\n", "{}");
    if (strstr(r->head, "/answer/") != NULL)
        return serve_long(fd, r);
    if (strstr(r->head, "/status/") != NULL)
        return serve_code(fd, r);
    if (strstr(r->head, "/type/") != NULL)
        return serve_type(fd, r);
    if (strstr(r->head, "/body/") != NULL)
        return answer_json(fd, bodies[strtoul(strstr(r->head, "/body/") + 6, NULL, 10)]);
    if (fake_path_is(r, "/hang"))
        wait_for_client(fd);
    return false; /* "/cut" */
}

/* ---- calls ---- */

static void on_tool_done(void *arg, const struct http_tool_result *result)
{
    struct tool_outcome *o = arg;
    CU_ASSERT_FALSE(o->done);
    *o = (struct tool_outcome){.done = true,
                               .good = result->err == NULL,
                               .sent = result->sent,
                               .status = result->status,
                               .length = result->length,
                               .total_us = result->total_us};
    CU_ASSERT_EQUAL(strlen(result->text), result->length);
    keep_text(o->text, sizeof o->text, result->text);
    if (result->err != NULL) {
        o->class = result->err->class;
        o->retry_after_ms = result->err->retry_after_ms;
        o->provider_status = result->err->provider_status;
        keep_text(o->code, sizeof o->code, result->err->code);
        keep_text(o->message, sizeof o->message, result->err->message);
        CU_ASSERT_EQUAL(result->length, 0);
        CU_ASSERT_PTR_NULL(strstr(o->message, MARK));
    }
    if (--waiting == 0)
        loop_stop(loop);
}

static struct http_tool_request request_to(struct tool_outcome *o, const char *path)
{
    return (struct http_tool_request){
        .url = at(path),
        .key = key,
        .name = "find_slot",
        .call = call_id,
        .conversation = conversation_id,
        .arguments = "{\"day\":\"Th\xc3\xbcrsday\"}",
        .on_done = on_tool_done,
        .arg = o,
    };
}

static struct http_tool_call *begin(struct http_client *over, const struct http_tool_request *r)
{
    struct http_tool_call *call = NULL;
    struct err err;
    waiting++;
    CU_ASSERT_EQUAL_FATAL(http_tool_start(over, r, &call, &err), 0);
    CU_ASSERT_PTR_NOT_NULL(call);
    return call;
}

/* One call to the path, to its end. */
static struct tool_outcome call_path(const char *path)
{
    static struct tool_outcome o;
    o.done = false;
    struct http_tool_request request = request_to(&o, path);
    begin(client, &request);
    CU_ASSERT_FALSE(o.done);
    run();
    return o;
}

static void check(const char *path, enum err_class class, const char *code)
{
    struct tool_outcome o = call_path(path);
    if (o.good || strcmp(o.code, code) != 0 || o.class != class)
        printf("\n    %s: \"%s\" %s (%s)\n", path, o.code, o.message, err_class_name(o.class));
    CU_ASSERT_FALSE(o.good);
    CU_ASSERT_STRING_EQUAL(o.code, code);
    CU_ASSERT_EQUAL(o.class, class);
    CU_ASSERT_EQUAL(o.provider_status, o.status);
}

/* Copies the value of a header of the last request. */
static void header_value(const char *name, char *out, size_t size)
{
    char *head = fake_last_head(server), line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *found = strstr(head, line);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    found += strlen(line);
    snprintf(out, size, "%.*s", (int)strcspn(found, "\r"), found);
    free(head);
}

static char *last_body(void)
{
    pthread_mutex_lock(&server->lock);
    char *body = xstrdup(server->last_body);
    pthread_mutex_unlock(&server->lock);
    return body;
}

/* ---- tests ---- */

static void test_good_call(void)
{
    struct tool_outcome o = call_path("/good");
    CU_ASSERT_TRUE(o.good);
    CU_ASSERT_STRING_EQUAL(o.text, "{\"slot\":\"9:00\",\"n\":2,\"list\":[1,null]}");
    CU_ASSERT_EQUAL(o.status, 200);
    CU_ASSERT_TRUE(o.sent);
    char *body = last_body(), *head = fake_last_head(server);
    CU_ASSERT_STRING_EQUAL(body, "{\"call\":\"00112233-4455-7677-8899-aabbccddeeff\","
                                 "\"tool\":\"find_slot\","
                                 "\"conversation\":\"ffeeddcc-bbaa-7988-b766-554433221100\","
                                 "\"arguments\":{\"day\":\"Th\xc3\xbcrsday\"}}");
    CU_ASSERT_EQUAL(strncmp(head, "POST /good HTTP/1.1\r\n", 21), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "\r\nContent-Type: application/json\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "\r\nAccept: application/json\r\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(head, "\r\nIdempotency-Key: 00112233-4455-7677-8899-aabbccddeeff\r\n"));
    CU_ASSERT_PTR_NULL(strcasestr(head, "\r\nCookie:"));
    CU_ASSERT_PTR_NULL(strcasestr(head, "\r\nAuthorization:"));
    free(head);
    free(body);
    o = call_path("/created");
    CU_ASSERT_TRUE(o.good);
    CU_ASSERT_STRING_EQUAL(o.text, "{}");
}

/* As an endpoint would do it, with the bytes that arrived. */
static void test_signature(void)
{
    char timestamp[32], signature[128];
    uint8_t mac[CRYPTO_SHA256_BYTES];
    struct strbuf text, want;
    int64_t seconds = 0, now = clock_wall_ms() / 1000;
    call_path("/good");
    header_value("Frontdesk-Timestamp", timestamp, sizeof timestamp);
    header_value("Frontdesk-Signature", signature, sizeof signature);
    CU_ASSERT_TRUE(text_parse_int(timestamp, 0, INT64_MAX, &seconds));
    CU_ASSERT(seconds >= now && seconds <= now + 20);
    char *body = last_body();
    strbuf_init(&text, 4096);
    strbuf_init(&want, 4096);
    strbuf_printf(&text, "%s.%s", timestamp, body);
    crypto_hmac_sha256("the key", 7, text.data, text.length, mac);
    strbuf_add_text(&want, "v1=");
    text_add_hex(&want, mac, sizeof mac);
    CU_ASSERT_STRING_EQUAL(signature, want.data);
    strbuf_fini(&text);
    strbuf_fini(&want);
    free(body);
}

/* A tool without a secret: nothing that looks like a signature. */
static void test_unsigned(void)
{
    static struct tool_outcome o;
    struct http_tool_request request = request_to(&o, "/good");
    o.done = false;
    request.key = NULL;
    begin(client, &request);
    run();
    CU_ASSERT_TRUE(o.good);
    char *head = fake_last_head(server);
    CU_ASSERT_PTR_NULL(strcasestr(head, "\r\nFrontdesk-"));
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "\r\nIdempotency-Key: "));
    free(head);
}

/* Made with another program. */
static void test_signature_by_the_letter(void)
{
    struct secret *other = secret_new("not a real key", 14);
    struct strbuf out;
    strbuf_init(&out, 128);
    http_tool_sign(other, 1700000000, "{\"a\":1}", 7, &out);
    CU_ASSERT_STRING_EQUAL(out.data, "v1=29478134edf1d906366218f67f5e43fb8f4b90a4724a82d25995c8b33d"
                                     "2be05c");
    strbuf_fini(&out);
    secret_free(&other);
}

static void test_statuses(void)
{
    static const struct {
        int status;
        enum err_class class;
        const char *code;
    } cases[] = {
        {204, ERR_FALL_BACK, "tool.answer"},        {300, ERR_PERMANENT, "tool.redirect"},
        {301, ERR_PERMANENT, "tool.redirect"},      {302, ERR_PERMANENT, "tool.redirect"},
        {307, ERR_PERMANENT, "tool.redirect"},      {399, ERR_PERMANENT, "tool.redirect"},
        {400, ERR_PERMANENT, "tool.refused"},       {401, ERR_PERMANENT, "tool.refused"},
        {407, ERR_PERMANENT, "tool.refused"},       {408, ERR_RETRY_LATER, "tool.unavailable"},
        {409, ERR_PERMANENT, "tool.refused"},       {422, ERR_PERMANENT, "tool.refused"},
        {429, ERR_RETRY_LATER, "tool.unavailable"}, {499, ERR_PERMANENT, "tool.refused"},
        {500, ERR_RETRY_LATER, "tool.unavailable"}, {503, ERR_RETRY_LATER, "tool.unavailable"},
        {599, ERR_RETRY_LATER, "tool.unavailable"}, {600, ERR_FALL_BACK, "tool.status"},
        {999, ERR_FALL_BACK, "tool.status"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[32];
        snprintf(path, sizeof path, "/status/%d", cases[i].status);
        int requests = atomic_load(&server->requests);
        check(path, cases[i].class, cases[i].code);
        CU_ASSERT_EQUAL(atomic_load(&server->requests), requests + 1);
        struct tool_outcome o = call_path(path);
        CU_ASSERT_EQUAL(o.status, cases[i].status);
        CU_ASSERT_EQUAL(o.retry_after_ms, cases[i].class == ERR_RETRY_LATER ? 7000 : 0);
    }
}

static void test_content_types(void)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char path[32];
        snprintf(path, sizeof path, "/type/%zu", i);
        if (i < 3)
            CU_ASSERT_TRUE(call_path(path).good);
        if (i >= 3)
            check(path, ERR_FALL_BACK, "tool.answer");
    }
}

static void test_bodies(void)
{
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char path[32];
        snprintf(path, sizeof path, "/body/%zu", i);
        check(path, ERR_FALL_BACK, "tool.answer");
    }
}

static void test_sizes(void)
{
    struct tool_outcome o = call_path("/answer/65536/60000");
    CU_ASSERT_TRUE(o.good);
    CU_ASSERT_EQUAL(o.length, 5536);
    check("/answer/65537/60000", ERR_FALL_BACK, "tool.too_large");
    o = call_path("/answer/16384/0");
    CU_ASSERT_TRUE(o.good);
    CU_ASSERT_EQUAL(o.length, 16384);
    check("/answer/16385/0", ERR_FALL_BACK, "tool.too_large");
}

static struct json_schema *schema_of(const char *text)
{
    struct json *document = NULL;
    struct json_schema *schema = NULL;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &document, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(json_schema_read(document, &schema, NULL), 0);
    json_free(&document);
    return schema;
}

static void test_answer_schema(void)
{
    struct json_schema *fits = schema_of("{\"type\":\"object\",\"required\":[\"slot\"]}");
    struct json_schema *other = schema_of("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                                          "\"string\",\"enum\":[\"b\"]}}}");
    static struct tool_outcome o;
    struct http_tool_request request = request_to(&o, "/good");
    request.answer_schema = fits;
    begin(client, &request);
    run();
    CU_ASSERT_TRUE(o.good);
    o.done = false;
    request = request_to(&o, "/type/0"); /* {"a":MARK} */
    request.answer_schema = other;
    begin(client, &request);
    run();
    CU_ASSERT_EQUAL(o.class, ERR_FALL_BACK);
    CU_ASSERT_STRING_EQUAL(o.code, "tool.schema");
    CU_ASSERT_PTR_NOT_NULL(strstr(o.message, "answer.a: must be b"));
    json_schema_free(&fits);
    json_schema_free(&other);
}

static void test_slow(void)
{
    static struct tool_outcome o;
    struct http_tool_request request = request_to(&o, "/hang");
    request.limit_ms = 100;
    begin(client, &request);
    run();
    CU_ASSERT_STRING_EQUAL(o.code, "http.timeout");
    CU_ASSERT_EQUAL(o.class, ERR_RETRY_LATER);
    CU_ASSERT_TRUE(o.sent);
    CU_ASSERT(o.total_us >= 99000 && o.total_us < 5000000);
}

/* The endpoint may have acted: whoever repeats it does so with the same id. */
static void test_cut_is_not_sent_again(void)
{
    call_path("/good");
    int bodies_before = atomic_load(&server->bodies);
    int requests = atomic_load(&server->requests);
    check("/cut", ERR_RETRY_LATER, "http.reset");
    CU_ASSERT_EQUAL(atomic_load(&server->bodies), bodies_before + 1);
    CU_ASSERT_EQUAL(atomic_load(&server->requests), requests + 1);
    struct tool_outcome o = call_path("/cut");
    char id[64];
    CU_ASSERT_TRUE(o.sent);
    header_value("Idempotency-Key", id, sizeof id);
    CU_ASSERT_STRING_EQUAL(id, "00112233-4455-7677-8899-aabbccddeeff");
}

static void test_private_addresses(void)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]", "0"};
    int requests = atomic_load(&server->requests);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        static struct tool_outcome o;
        o.done = false;
        struct http_tool_request request = request_to(&o, "/good");
        snprintf(url, sizeof url, "http://%s:%d/good", hosts[i], server->port);
        begin(strict, &request);
        run();
        CU_ASSERT_STRING_EQUAL(o.code, "http.address");
        CU_ASSERT_EQUAL(o.class, ERR_PERMANENT);
        CU_ASSERT_FALSE(o.sent);
    }
    CU_ASSERT_EQUAL(atomic_load(&server->requests), requests);
}

static void test_long_arguments(void)
{
    char arguments[HTTP_TOOL_ARGUMENTS_MAX_BYTES + 2];
    struct http_tool_call *call = NULL;
    struct err err;
    static struct tool_outcome o;
    struct http_tool_request request = request_to(&o, "/good");
    memset(arguments, ' ', sizeof arguments);
    memcpy(arguments, "{}", 2);
    arguments[sizeof arguments - 1] = '\0';
    request.arguments = arguments;
    CU_ASSERT_EQUAL(http_tool_start(client, &request, &call, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_STRING_EQUAL(err.code, "tool.arguments");
    CU_ASSERT_PTR_NULL(call);
    arguments[sizeof arguments - 2] = '\0';
    begin(client, &request);
    run();
    CU_ASSERT_TRUE(o.good);
    request.arguments = "{}";
    request.name = "12345678901234567890123456789012345678901234567890123456789012345";
    CU_ASSERT_EQUAL(http_tool_start(client, &request, &call, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "tool.arguments");
}

static void test_cancel(void)
{
    static struct tool_outcome hung;
    struct http_tool_request request = request_to(&hung, "/hang");
    struct http_tool_call *call = begin(client, &request), *none = NULL;
    waiting--;
    call_path("/good"); /* meanwhile it has left */
    http_tool_cancel(&call);
    CU_ASSERT_PTR_NULL(call);
    http_tool_cancel(&none);
    CU_ASSERT_FALSE(hung.done);
}

static int set_up_tools(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    server = fake_server_start(answer);
    key = secret_new("the key", 7);
    bool parsed = uuid_parse("00112233-4455-7677-8899-aabbccddeeff", &call_id) &&
                  uuid_parse("ffeeddcc-bbaa-7988-b766-554433221100", &conversation_id) &&
                  address_list_parse("127.0.0.0/8", &loopback, NULL) == 0;
    client = http_client_new(&(struct http_client_options){.loop = loop, .exceptions = loopback});
    strict = http_client_new(&(struct http_client_options){.loop = loop});
    return parsed ? 0 : 1;
}

static int tear_down_tools(void)
{
    http_client_free(&strict);
    secret_free(&key);
    int result = tear_down();
    address_list_free(&loopback);
    return result;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("HTTP tools", set_up_tools, tear_down_tools);
    CU_add_test(suite, "a good call", test_good_call);
    CU_add_test(suite, "the signature verifies", test_signature);
    CU_add_test(suite, "and is what the page says", test_signature_by_the_letter);
    CU_add_test(suite, "a tool without a secret", test_unsigned);
    CU_add_test(suite, "statuses", test_statuses);
    CU_add_test(suite, "content types", test_content_types);
    CU_add_test(suite, "bodies", test_bodies);
    CU_add_test(suite, "sizes", test_sizes);
    CU_add_test(suite, "the schema of answers", test_answer_schema);
    CU_add_test(suite, "slow", test_slow);
    CU_add_test(suite, "a cut call is not sent again", test_cut_is_not_sent_again);
    CU_add_test(suite, "private addresses", test_private_addresses);
    CU_add_test(suite, "long arguments", test_long_arguments);
    CU_add_test(suite, "cancel", test_cancel);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
