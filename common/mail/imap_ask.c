/* What can be asked of an open IMAP session: the commands, and how each is written. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "mail/imap_inside.h"
#include "mail/parse.h"

bool imap_session_is_ready(const struct imap_session *session)
{
    return session->state == IMAP_READY;
}

static struct imap_command *ask(struct imap_session *session, enum imap_ask ask, const char *words)
{
    assert(imap_session_is_ready(session));
    imap_take_reset(&session->asked);
    session->asked.ask = ask;
    session->asked.answer.code = session->asked.answer.words = "";
    session->code[0] = session->words[0] = '\0';
    imap_new_tag(session);
    imap_command_begin(&session->asked.command, session->tag, words);
    return &session->asked.command;
}

static void commit(struct imap_session *session)
{
    imap_command_end(&session->asked.command);
    imap_dispatch(session, session->asked.ask == IMAP_ASK_IDLE ? IMAP_ON_IDLE : IMAP_ON_COMMAND);
}

/* The name as it is sent, in *out; false if it can be none. */
static bool name_of(const char *mailbox, struct strbuf *out)
{
    strbuf_init(out, IMAP_NAME_MAX);
    if (imap_mailbox_name(out, mailbox))
        return true;
    strbuf_fini(out);
    return false;
}

bool imap_session_select(struct imap_session *session, const char *mailbox, bool read_only)
{
    struct strbuf name;
    if (!name_of(mailbox, &name))
        return false;
    struct imap_command *command = ask(session, IMAP_ASK_SELECT, read_only ? "EXAMINE" : "SELECT");
    imap_command_string(command, name.data, name.length, imap_literals_of(session));
    strbuf_fini(&name);
    commit(session);
    return true;
}

void imap_session_search(struct imap_session *session, uint32_t first, uint32_t last,
                         int64_t since_ms)
{
    char date[IMAP_DATE_SIZE];
    struct imap_command *command = ask(session, IMAP_ASK_SEARCH, "UID SEARCH");
    session->news = false;
    session->asked.uids_first = last > 0 ? first : 1;
    session->asked.uids_last = last > 0 ? last : UINT32_MAX;
    if (last > 0)
        imap_command_words(command, "UID %" PRIu32 ":%" PRIu32, first, last);
    else
        imap_command_words(command, "UID *");
    if (since_ms > 0)
        imap_command_words(command, "SINCE %s", imap_date(since_ms, date));
    commit(session);
}

/* "4:7,9": servers read a range faster than its members one by one. */
static void add_set(struct imap_command *command, const uint32_t *uids, size_t count)
{
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && uids[to] == uids[to - 1] + 1; to++)
            ;
        strbuf_printf(&command->text, "%s%" PRIu32, from > 0 ? "," : "", uids[from]);
        if (to - from > 1)
            strbuf_printf(&command->text, ":%" PRIu32, uids[to - 1]);
    }
}

void imap_session_look(struct imap_session *session, const uint32_t *uids, size_t count)
{
    struct imap_command *command = ask(session, IMAP_ASK_LOOK, "UID FETCH ");
    assert(count > 0 && count <= IMAP_LOOKS_MAX);
    session->asked.looks = xreallocarray(NULL, IMAP_LOOKS_MAX, sizeof *session->asked.looks);
    add_set(command, uids, count);
    imap_command_words(command, "(UID RFC822.SIZE INTERNALDATE)");
    commit(session);
}

static void fetch(struct imap_session *session, const uint32_t *uids, size_t count, size_t text_max,
                  const char *more)
{
    struct imap_command *command = ask(session, IMAP_ASK_FETCH, "UID FETCH ");
    struct imap_asked *asked = &session->asked;
    assert(count > 0 && count <= IMAP_FETCH_MAX);
    asked->awaited = xreallocarray(NULL, count, sizeof *uids);
    memcpy(asked->awaited, uids, count * sizeof *uids);
    asked->awaited_count = count;
    asked->text_max = text_max;
    add_set(command, uids, count);
    if (text_max == 0)
        imap_command_words(command, "(UID BODY.PEEK[])");
    else
        imap_command_words(command, "(UID %sBODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.%zu>)", more,
                           text_max);
    commit(session);
}

void imap_session_fetch(struct imap_session *session, const uint32_t *uids, size_t count,
                        size_t text_max)
{
    fetch(session, uids, count, text_max, "");
}

void imap_session_fetch_outlined(struct imap_session *session, uint32_t uid, size_t text_max)
{
    assert(text_max > 0);
    fetch(session, &uid, 1, text_max, "BODYSTRUCTURE ");
}

void imap_session_find_sent(struct imap_session *session)
{
    struct imap_command *command = ask(session, IMAP_ASK_FIND_SENT, "LIST \"\" \"*\"");
    strbuf_clear(&session->sent);
    if (imap_session_can(session, "LIST-EXTENDED") && imap_session_can(session, "SPECIAL-USE"))
        imap_command_words(command, "RETURN (SPECIAL-USE)");
    commit(session);
}

bool imap_session_append(struct imap_session *session, const char *mailbox, const char *mail,
                         size_t length)
{
    struct strbuf name;
    if (length == 0 || length > MAIL_BYTES_MAX || memchr(mail, '\0', length) != NULL)
        return false;
    if (mailbox != NULL ? !name_of(mailbox, &name) : session->sent.length == 0)
        return false;
    if (mailbox == NULL) {
        strbuf_init(&name, IMAP_NAME_MAX);
        strbuf_add(&name, session->sent.data, session->sent.length);
    }
    struct imap_command *command = ask(session, IMAP_ASK_APPEND, "APPEND");
    imap_command_string(command, name.data, name.length, imap_literals_of(session));
    strbuf_fini(&name);
    imap_command_words(command, "(\\Seen)");
    imap_command_literal(command, mail, length, imap_literals_of(session));
    commit(session);
    return true;
}

void imap_session_noop(struct imap_session *session)
{
    ask(session, IMAP_ASK_NOOP, "NOOP");
    commit(session);
}

void imap_session_idle(struct imap_session *session, int64_t max_ms)
{
    ask(session, IMAP_ASK_IDLE, "IDLE");
    session->wake = false;
    session->asked.idle_ms = max_ms;
    commit(session);
}

void imap_session_wake(struct imap_session *session)
{
    if (session->state == IMAP_IDLE_ASKED || session->state == IMAP_IDLING)
        imap_dispatch(session, IMAP_ON_WAKE);
}

void imap_session_logout(struct imap_session *session)
{
    session->leaving = true;
    if (session->state == IMAP_READY)
        imap_dispatch(session, IMAP_ON_LOGOUT);
    else
        imap_session_wake(session);
}

bool imap_session_has_news(const struct imap_session *session)
{
    return session->news;
}

void imap_session_saw_news(struct imap_session *session)
{
    session->news = false;
}

const char *imap_session_capabilities(const struct imap_session *session)
{
    return session->capabilities.data;
}

bool imap_session_can(const struct imap_session *session, const char *capability)
{
    char word[64];
    snprintf(word, sizeof word, " %s ", capability);
    return strstr(session->capabilities.data, word) != NULL;
}
