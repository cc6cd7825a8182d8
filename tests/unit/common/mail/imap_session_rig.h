/* What the tests of an IMAP session stand on: a session to a scripted server, and what it told. */
#ifndef DESK_TESTS_IMAP_SESSION_RIG_H
#define DESK_TESTS_IMAP_SESSION_RIG_H

#include "mail/imap_session.h"

#include "unit/common/http/peer_rig.h"
#include "unit/common/mail/imap_peer.h"

#define HELLO                                                                                      \
    {                                                                                              \
        NULL, "* OK ready\r\n", 0                                                                  \
    }
#define CAN(c)                                                                                     \
    {                                                                                              \
        "CAPABILITY", "* CAPABILITY IMAP4rev1 " c "\r\nTAG OK done\r\n", 0                         \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, 0                                                                              \
    }
#define LOGIN                                                                                      \
    HELLO, CAN("AUTH=PLAIN SASL-IR"),                                                              \
    {                                                                                              \
        "AUTHENTICATE PLAIN AGFubgBwdw==", "TAG OK\r\n", 0                                         \
    }
#define READY LOGIN, CAN("IDLE")

static struct imap_peer peer;
static struct imap_session *session;
static struct secret *secret;

/* What the test asks next, by a small script of its own: called with each answer. */
static void (*next_step)(const struct imap_answer *answer);

static struct {
    bool ready, ended, good_end;
    char code[ERR_CODE_MAX], message[ERR_MESSAGE_MAX], alert[IMAP_WORDS_MAX + 1];
    enum err_class class;
    int answers;
    struct imap_answer answer;                  /* the last; texts and lists copied: */
    char answer_code[64], words[256], mail[64]; /* mail: the last; "": none since the question */
    int mails;
    uint32_t uids[8];
    struct imap_look looks[4];
} seen;

static inline void on_ready(void *arg)
{
    (void)arg;
    CU_ASSERT_FALSE(seen.ready);
    seen.ready = true;
    if (next_step != NULL)
        next_step(NULL);
    else
        loop_stop(loop);
}

static inline void on_mail(void *arg, const struct imap_mail *mail)
{
    (void)arg;
    seen.mails++;
    snprintf(seen.mail, sizeof seen.mail, "%u:%.*s", mail->uid, (int)mail->length, mail->bytes);
}

static inline void on_answer(void *arg, const struct imap_answer *answer)
{
    (void)arg;
    seen.answers++;
    seen.answer = *answer;
    snprintf(seen.answer_code, sizeof seen.answer_code, "%s", answer->code);
    snprintf(seen.words, sizeof seen.words, "%s", answer->words);
    for (size_t i = 0; i < answer->uid_count && i < 8; i++)
        seen.uids[i] = answer->uids[i];
    for (size_t i = 0; i < answer->look_count && i < 4; i++)
        seen.looks[i] = answer->looks[i];
    if (next_step != NULL)
        next_step(answer);
    else
        loop_stop(loop);
}

static inline void on_alert(void *arg, const char *words)
{
    (void)arg;
    snprintf(seen.alert, sizeof seen.alert, "%s", words);
}

static inline void on_end(void *arg, const struct err *err)
{
    (void)arg;
    CU_ASSERT_FALSE(seen.ended);
    seen.ended = true;
    seen.good_end = err == NULL;
    if (err != NULL) {
        snprintf(seen.code, sizeof seen.code, "%s", err->code);
        snprintf(seen.message, sizeof seen.message, "%s", err->message);
        seen.class = err->class;
    }
    loop_stop(loop);
}

static inline struct imap_session_options usual(void)
{
    return (struct imap_session_options){.loop = loop,
                                         .host = "127.0.0.1",
                                         .security = STREAM_PLAIN,
                                         .auth = IMAP_AUTH_PASSWORD,
                                         .user = "ann",
                                         .secret = secret,
                                         .mail_max = 100000,
                                         .quiet_ms = 2000,
                                         .on_ready = on_ready,
                                         .on_mail = on_mail,
                                         .on_answer = on_answer,
                                         .on_alert = on_alert,
                                         .on_end = on_end};
}

/* Opens a session to a server with this script and runs until something is told. */
static inline void open_with(const struct peer_step *steps, struct imap_session_options options)
{
    memset(&seen, 0, sizeof seen);
    peer_start(&peer, steps, true);
    options.port = peer.port;
    session = imap_session_open(&options);
    run();
}

static inline void finish(void)
{
    imap_session_close(&session);
    loop_pass(loop);
    peer_stop(&peer);
    if (peer.problem[0] != '\0')
        printf("\n    %s\n", peer.problem);
    CU_ASSERT_STRING_EQUAL(peer.problem, "");
    next_step = NULL;
}

static inline int open_loop(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    secret = secret_new("pw", 2);
    return 0;
}

static inline int close_loop(void)
{
    secret_free(&secret);
    loop_free(&loop);
    return 0;
}

#endif
