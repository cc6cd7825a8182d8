/* A server's side of an IMAP session. The input: 8 bytes, each what is asked next (modulo the
 * number of things that can be asked), one for the size of the pieces in which the rest arrives,
 * then what the server says; the byte 1 in it stands for the tag of the command that it answers.
 * The stream is played here. */
#include "base/mem.h"
#include "fuzz/touch.h"
#include "http/stream.h"
#include "mail/imap_session.h"

#define ASKS 8

struct play {
    const uint8_t *asks;
    size_t asked;
    char tag[32];
    struct imap_session *session;
    bool over;
};

/* ---- the stream: what http/stream.c does, without a network ---- */

struct stream {
    struct stream_options options;
    bool closed;
};

static struct play *playing;
static struct stream *opened;

struct stream *stream_open(const struct stream_options *options)
{
    struct stream *stream = xcalloc(1, sizeof *stream);
    stream->options = *options;
    opened = stream;
    return stream;
}

void stream_close(struct stream **stream)
{
    if (*stream != NULL)
        opened = NULL;
    free(*stream);
    *stream = NULL;
}

/* Keeps the tag: a command's line begins with it, and a literal's rest does not. */
void stream_send(struct stream *stream, const void *bytes, size_t length)
{
    const char *text = bytes, *space = memchr(text, ' ', length);
    (void)stream;
    touch_bytes(bytes, length);
    if (space == NULL || space == text || (size_t)(space - text) >= sizeof playing->tag ||
        text[0] != 'd')
        return;
    memcpy(playing->tag, text, (size_t)(space - text));
    playing->tag[space - text] = '\0';
}

/* ---- the owner ---- */

static void ask(struct play *play)
{
    struct imap_session *session = play->session;
    static const uint32_t uids[] = {1, 5, 7};
    if (play->asked >= ASKS)
        return;
    switch (play->asks[play->asked++] % 11) {
    case 0:
        MUST(imap_session_select(session, "INBOX", false));
        break;
    case 1:
        MUST(imap_session_select(session, "Entw\xc3\xbcrfe", true));
        break;
    case 2:
        imap_session_search(session, 1, 100, 0);
        break;
    case 3:
        imap_session_search(session, 1, 0, 1000);
        break;
    case 4:
        imap_session_look(session, uids, 3);
        break;
    case 5:
        imap_session_fetch(session, uids, 3, 0);
        break;
    case 6:
        imap_session_fetch(session, uids + 1, 1, 64);
        break;
    case 7:
        imap_session_find_sent(session);
        break;
    case 8:
        if (!imap_session_append(session, NULL, "a mail", 6))
            imap_session_noop(session);
        break;
    case 10:
        imap_session_fetch_outlined(session, 5, 64);
        break;
    default:
        imap_session_idle(session, 1000);
        break;
    }
}

static void on_ready(void *arg)
{
    ask(arg);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    touch_line(answer->code);
    touch_line(answer->words);
    for (size_t i = 0; i < answer->uid_count; i++)
        MUST(answer->uids[i] > 0);
    MUST(answer->look_count <= IMAP_LOOKS_MAX);
    for (size_t i = 0; i < answer->look_count; i++)
        MUST(answer->looks[i].uid > 0 && answer->looks[i].size_bytes >= 0);
    ask(arg);
}

static void on_mail(void *arg, const struct imap_mail *mail)
{
    (void)arg;
    MUST(mail->uid == 1 || mail->uid == 5 || mail->uid == 7);
    touch_bytes(mail->bytes, mail->length);
    if (mail->outline != NULL)
        touch_bytes(mail->outline, mail->outline_length);
}

static void on_alert(void *arg, const char *words)
{
    (void)arg;
    touch_line(words);
}

static void on_end(void *arg, const struct err *err)
{
    struct play *play = arg;
    MUST(!play->over);
    play->over = true;
    if (err != NULL)
        touch_line(err->message);
}

/* ---- the play ---- */

/* Each piece in memory of its own size, so that nothing is read behind it. */
static void give(struct play *play, const uint8_t *bytes, size_t length)
{
    char *said = xmalloc(length * sizeof play->tag + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == 1) {
            size_t tag = strlen(play->tag);
            memcpy(said + used, play->tag, tag);
            used += tag;
        } else {
            said[used++] = (char)bytes[i];
        }
    }
    char *exact = xmalloc(used > 0 ? used : 1);
    memcpy(exact, said, used);
    if (used > 0)
        opened->options.on_data(opened->options.arg, exact, used);
    free(exact);
    free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct loop *loop;
    static struct secret *secret;
    if (length < ASKS + 1)
        return -1;
    if (loop == NULL) {
        loop = loop_new();
        secret = secret_new("secret", 6);
    }
    struct play play = {.asks = bytes};
    size_t step = bytes[ASKS] == 0 ? length : bytes[ASKS];
    playing = &play;
    play.session = imap_session_open(&(struct imap_session_options){
        .loop = loop,
        .host = "mail.example",
        .port = 993,
        .security = STREAM_TLS,
        .auth = bytes[0] >= 128 ? IMAP_AUTH_XOAUTH2 : IMAP_AUTH_PASSWORD,
        .user = "user",
        .secret = secret,
        .mail_max = 4096,
        .on_ready = on_ready,
        .on_mail = on_mail,
        .on_answer = on_answer,
        .on_alert = on_alert,
        .on_end = on_end,
        .arg = &play});
    opened->options.on_open(opened->options.arg);
    for (size_t at = ASKS + 1; at < length && opened != NULL; at += step)
        give(&play, bytes + at, length - at < step ? length - at : step);
    if (opened != NULL) {
        struct err err;
        err_set(&err, ERR_RETRY_LATER, "stream.closed", "the input ends");
        opened->options.on_end(opened->options.arg, &err);
    }
    imap_session_close(&play.session);
    loop_pass(loop);
    return 0;
}
