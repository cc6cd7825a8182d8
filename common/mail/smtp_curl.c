/* Sends by libcurl: TLS from the first byte, XOAUTH2. A thread keeps its handle, and with it the
 * connections to the servers that it spoke to last. A kept connection may be dead by now: as long
 * as the mail has not begun, it is tried once more on a new one. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mail/smtp_inside.h"

#define URL_SIZE     (MAIL_SMTP_HOST_MAX + 300)
#define ADDRESS_SIZE 260

static void must(int result)
{
    if (result != 0)
        abort(); /* out of memory, or our own mistake */
}

/* ---- callbacks ---- */

static size_t on_read(char *buffer, size_t size, size_t count, void *arg)
{
    struct mail_smtp_transfer *job = arg;
    size_t room = size * count, left = job->length - job->given;
    bool yes = job->given == 0 ? smtp_may_begin(job)
               : left == 0     ? smtp_may_end(job)
                               : smtp_may_go_on(job);
    size_t part = left < room ? left : room;
    if (!yes || (part == left && !smtp_may_end(job)))
        return CURL_READFUNC_ABORT; /* curl, which knows the length, may not ask for the end */
    memcpy(buffer, job->message + job->given, part);
    job->given += part;
    return part;
}

static int on_bytes(CURL *curl, curl_infotype type, char *bytes, size_t length, void *arg)
{
    struct mail_smtp_transfer *job = arg;
    (void)curl;
    if (type == CURLINFO_HEADER_OUT || type == CURLINFO_HEADER_IN)
        job->given_ms = clock_mono_ms();
    if (job->dialogue.tls_expected && type == CURLINFO_HEADER_OUT)
        smtp_dialogue_secured(&job->dialogue); /* curl refuses what came in the clear by itself */
    if (type == CURLINFO_HEADER_OUT)
        smtp_dialogue_sent(&job->dialogue, bytes, length);
    else if (type == CURLINFO_HEADER_IN)
        smtp_dialogue_received(&job->dialogue, bytes, length);
    return 0;
}

/* About once a second, and whenever something happens: curl has one limit for all replies. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct mail_smtp_transfer *job = arg;
    (void)a, (void)b, (void)c, (void)d;
    int64_t limit_ms = job->given > 0 ? job->limits.data_ms : job->limits.command_ms;
    bool late = job->dialogue.last != SMTP_CONNECT && clock_mono_ms() - job->given_ms >= limit_ms;
    return smtp_given_up(job) || (late && !smtp_has_ended(job));
}

/* ---- a session ---- */

static void set_url(CURL *curl, const struct mail_smtp_transfer *job)
{
    char url[URL_SIZE];
    bool implicit = job->account.security == MAIL_SMTP_TLS;
    snprintf(url, sizeof url, "%s://%s:%d/%.253s", implicit ? "smtps" : "smtp", job->account.host,
             job->account.port, smtp_hello(job) != NULL ? smtp_hello(job) : "");
    must(curl_easy_setopt(curl, CURLOPT_URL, url));
    must(curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL));
}

static void set_credentials(CURL *curl, const struct mail_smtp_transfer *job)
{
    if (job->account.auth == MAIL_SMTP_NO_AUTH)
        return;
    bool token = job->account.auth == MAIL_SMTP_XOAUTH2;
    must(curl_easy_setopt(curl, CURLOPT_USERNAME, job->account.user));
    must(curl_easy_setopt(curl, token ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD,
                          secret_reveal(job->secret)));
    if (token)
        must(curl_easy_setopt(curl, CURLOPT_LOGIN_OPTIONS, "AUTH=XOAUTH2"));
    must(curl_easy_setopt(curl, CURLOPT_SASL_IR, 1L));
}

static struct curl_slist *set_envelope(CURL *curl, const struct mail_smtp_transfer *job)
{
    struct curl_slist *list = NULL;
    char address[ADDRESS_SIZE];
    for (size_t i = 0; i < job->to_count; i++) {
        snprintf(address, sizeof address, "<%s>", job->to[i]);
        struct curl_slist *longer = curl_slist_append(list, address);
        if (longer == NULL)
            abort();
        list = longer;
    }
    snprintf(address, sizeof address, "<%s>", job->from);
    must(curl_easy_setopt(curl, CURLOPT_MAIL_FROM, address));
    must(curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, list));
    must(curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L));
    must(curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L));
    must(curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->length));
    return list;
}

static long seconds(int64_t ms)
{
    return (long)((ms + 999) / 1000);
}

/* The longest one, behind the dot, is curl's; on_progress keeps the others. */
static void set_limits(CURL *curl, const struct mail_smtp_transfer *job)
{
    const struct mail_smtp_limits *limits = &job->limits;
    must(curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)limits->connect_ms));
    must(curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds(limits->dot_ms)));
}

static void set_always(CURL *curl, const struct mail_smtp_transfer *job)
{
    must(curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L));
    must(curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps"));
    must(curl_easy_setopt(curl, CURLOPT_PROXY, ""));
    must(curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"));
    must(curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    must(curl_easy_setopt(curl, CURLOPT_CAPATH, NULL));
    must(curl_easy_setopt(curl, CURLOPT_CAINFO, smtp_ca_file(job)));
    must(curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L));
    must(curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L));
    must(curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, on_bytes));
    must(curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read));
    must(curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress));
}

static const struct {
    CURLcode curl;
    const char *error;
} problems[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "smtp.resolve"},
    {CURLE_COULDNT_CONNECT, "smtp.connect"},
    {CURLE_PEER_FAILED_VERIFICATION, "smtp.certificate"},
    {CURLE_SSL_CONNECT_ERROR, "smtp.tls"},
    {CURLE_USE_SSL_FAILED, "smtp.no_starttls"},
    {CURLE_LOGIN_DENIED, "smtp.no_auth"},
    {CURLE_OPERATION_TIMEDOUT, "smtp.timeout"},
    {CURLE_ABORTED_BY_CALLBACK, "smtp.timeout"}, /* given up; a mail that was refused says so */
    {CURLE_WEIRD_SERVER_REPLY, "smtp.protocol"},
    {CURLE_OK, NULL},
};

static const char *problem(CURLcode code, const struct smtp_dialogue *dialogue)
{
    size_t i = 0;
    bool asked = dialogue->last == SMTP_AUTH; /* XOAUTH2's no is a 334 */
    if (code == CURLE_LOGIN_DENIED && asked)
        return "smtp.denied";
    while (problems[i].curl != code && problems[i].error != NULL)
        i++;
    if (problems[i].error != NULL)
        return problems[i].error;
    return dialogue->broken ? "smtp.protocol" : "smtp.dropped";
}

/* True if the connection was one of before. */
static bool send_once(struct mail_smtp_transfer *job, CURL *curl, bool fresh, CURLcode *code)
{
    long opened = 0;
    curl_easy_reset(curl);
    set_always(curl, job);
    set_url(curl, job);
    set_credentials(curl, job);
    set_limits(curl, job);
    must(curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L));
    must(curl_easy_setopt(curl, CURLOPT_DEBUGDATA, job));
    must(curl_easy_setopt(curl, CURLOPT_READDATA, job));
    must(curl_easy_setopt(curl, CURLOPT_XFERINFODATA, job));
    struct curl_slist *to = set_envelope(curl, job);
    *code = curl_easy_perform(curl);
    must(curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &opened));
    curl_easy_reset(curl); /* it must not keep what is freed */
    curl_slist_free_all(to);
    return opened == 0;
}

/* On a kept connection nothing is logged in anew. */
static void begin(struct mail_smtp_transfer *job)
{
    smtp_dialogue_init(&job->dialogue);
    job->error = NULL;
    job->given = 0;
    job->given_ms = clock_mono_ms();
}

void smtp_curl_send(struct mail_smtp_transfer *job, struct smtp_kept *kept)
{
    CURLcode code;
    if (kept->curl == NULL)
        kept->curl = curl_easy_init();
    if (kept->curl == NULL)
        abort();
    begin(job);
    bool reused = send_once(job, kept->curl, false, &code);
    if (code != CURLE_OK && reused && job->given == 0 && job->error == NULL &&
        !smtp_given_up(job)) {
        begin(job);
        send_once(job, kept->curl, true, &code);
    }
    if (job->error == NULL)
        job->error = problem(code, &job->dialogue);
}

void smtp_curl_forget(struct smtp_kept *kept)
{
    if (kept->curl != NULL)
        curl_easy_cleanup(kept->curl);
    kept->curl = NULL;
}
