/* What an IMAP server tells: capabilities, statuses, the data of answers. Everything that was not
 * asked for, or is about other mails, is left out. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/imap_inside.h"
#include "mail/imap_outline.h"

#define UIDS_MAX IMAP_WINDOW

/* ---- statuses ---- */

static void take_capabilities(struct imap_session *session, const struct imap_node *first)
{
    strbuf_clear(&session->capabilities);
    strbuf_add_char(&session->capabilities, ' ');
    for (const struct imap_node *node = first; node != NULL; node = node->next) {
        for (size_t i = 0; node->kind == IMAP_ATOM && i < node->length; i++) {
            char c = node->text[i];
            strbuf_add_char(&session->capabilities,
                            c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        }
        strbuf_add_char(&session->capabilities, ' ');
    }
}

/* A server's words on one line of UTF-8. */
static void take_words(char *out, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);
    bool utf8 = text_is_utf8(text, strlen(text));
    if (utf8)
        length = text_utf8_prefix(text, size - 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = c < ' ' || c == 127 || (c > 127 && !utf8) ? '?' : (char)c;
    }
    out[length] = '\0';
}

void imap_take_status(struct imap_session *session, const struct imap_response *response)
{
    const struct imap_node *code = response->code;
    session->code[0] = '\0';
    take_words(session->words, sizeof session->words, response->text);
    if (code == NULL || code->kind != IMAP_ATOM)
        return;
    for (size_t i = 0; i < code->length && i + 1 < sizeof session->code; i++) {
        char c = code->text[i];
        bool printable = c > ' ' && c < 0x7f; /* it goes into messages and rows */
        session->code[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : printable ? c : '?';
        session->code[i + 1] = '\0';
    }
    if (imap_node_is(code, "CAPABILITY"))
        take_capabilities(session, code->next);
}

static void take_selected(struct imap_selected *selected, const struct imap_node *code)
{
    int64_t value;
    if (imap_node_is(code, "UIDVALIDITY") && imap_node_number(code->next, 1, UINT32_MAX, &value))
        selected->validity = (uint32_t)value;
    else if (imap_node_is(code, "UIDNEXT") && imap_node_number(code->next, 1, UINT32_MAX, &value))
        selected->next_uid = (uint32_t)value;
    else if (imap_node_is(code, "HIGHESTMODSEQ") &&
             imap_node_number(code->next, 0, INT64_MAX, &value))
        selected->mod_sequence = (uint64_t)value;
}

/* ---- searches ---- */

static void add_uid(struct imap_asked *asked, int64_t uid)
{
    struct imap_answer *answer = &asked->answer;
    if (uid < asked->uids_first || uid > asked->uids_last || answer->uid_count == UIDS_MAX)
        return;
    if (answer->uid_count == asked->uids_room) {
        asked->uids_room = asked->uids_room > 0 ? 2 * asked->uids_room : 64;
        answer->uids = xreallocarray(answer->uids, asked->uids_room, sizeof *answer->uids);
    }
    answer->uids[answer->uid_count++] = (uint32_t)uid;
}

static void take_search(struct imap_asked *asked, const struct imap_node *first)
{
    int64_t uid;
    for (const struct imap_node *node = first; node != NULL; node = node->next)
        if (imap_node_number(node, 1, UINT32_MAX, &uid))
            add_uid(asked, uid);
}

/* "4,7:9": what a server of IMAP4rev2 answers. Only as far as the window goes. */
static void take_set(struct imap_asked *asked, const struct imap_node *set)
{
    if (set == NULL || set->kind != IMAP_ATOM)
        return;
    for (const char *p = set->text; *p != '\0';) {
        char *end;
        uint64_t from = strtoul(p, &end, 10), to = from;
        if (*end == ':')
            to = strtoul(end + 1, &end, 10);
        if (end == p || (*end != ',' && *end != '\0'))
            return;
        if (to < from) {
            uint64_t lower = to;
            to = from;
            from = lower;
        }
        from = from < asked->uids_first ? asked->uids_first : from;
        to = to > asked->uids_last ? asked->uids_last : to;
        for (uint64_t uid = from; uid <= to && asked->answer.uid_count < UIDS_MAX; uid++)
            add_uid(asked, (int64_t)uid);
        p = *end == ',' ? end + 1 : end;
    }
}

static void take_esearch(struct imap_asked *asked, const struct imap_node *first)
{
    for (const struct imap_node *node = first; node != NULL; node = node->next)
        if (imap_node_is(node, "ALL")) {
            take_set(asked, node->next);
            return;
        }
}

/* ---- mails ---- */

static void take_look(struct imap_asked *asked, uint32_t uid, const struct imap_node *pairs)
{
    struct imap_look look = {.uid = uid};
    size_t *count = &asked->answer.look_count;
    for (size_t i = 0; i < *count; i++)
        if (asked->looks[i].uid == uid)
            return;
    if (*count == IMAP_LOOKS_MAX ||
        !imap_node_number(imap_pair(pairs, "RFC822.SIZE"), 0, INT64_MAX, &look.size_bytes))
        return; /* flags that somebody changed */
    if (!imap_node_time(imap_pair(pairs, "INTERNALDATE"), &look.internal_ms))
        look.internal_ms = 0;
    asked->looks[(*count)++] = look;
    asked->answer.looks = asked->looks;
}

/* Each once, whatever the server repeats. */
static bool is_awaited(struct imap_asked *asked, int64_t uid)
{
    for (size_t i = 0; i < asked->awaited_count; i++)
        if (asked->awaited[i] == uid) {
            asked->awaited[i] = 0;
            return true;
        }
    return false;
}

/* The headers and, behind them, the beginning of the body, as one; in the response's arena. */
static const struct imap_node *joined(struct imap_session *session, const struct imap_node *pairs,
                                      size_t *text_length)
{
    const struct imap_node *header = imap_pair(pairs, "BODY[HEADER]");
    const struct imap_node *text = imap_pair(pairs, "BODY[TEXT]");
    if (header == NULL || header->kind != IMAP_STRING)
        return NULL;
    size_t more = text != NULL && text->kind == IMAP_STRING ? text->length : 0;
    if (more > session->asked.text_max)
        more = session->asked.text_max; /* the server gave more than was asked for */
    struct imap_node *whole = arena_alloc(session->arena, sizeof *whole);
    char *bytes = arena_alloc(session->arena, header->length + more + 1);
    memcpy(bytes, header->text, header->length);
    if (more > 0)
        memcpy(bytes + header->length, text->text, more);
    *whole =
        (struct imap_node){.kind = IMAP_STRING, .text = bytes, .length = header->length + more};
    *text_length = more;
    return whole;
}

static int take_mail(struct imap_session *session, uint32_t uid, const struct imap_node *pairs,
                     struct err *err)
{
    struct imap_asked *asked = &session->asked;
    size_t text_length = 0;
    const struct imap_node *whole =
        asked->text_max == 0 ? imap_pair(pairs, "BODY[]") : joined(session, pairs, &text_length);
    if (whole == NULL || whole->kind != IMAP_STRING || !is_awaited(asked, uid))
        return 0;
    size_t max = session->options.mail_max + IMAP_LITERALS_SLACK;
    if (whole->length > max - asked->mail_bytes)
        return err_set(err, ERR_RETRY_LATER, "imap.literal",
                       "the server sends mails of more than %zu bytes at once", max);
    asked->mail_bytes += whole->length;
    struct imap_mail mail = {
        .uid = uid, .bytes = whole->text, .length = whole->length, .text_length = text_length};
    if (asked->text_max > 0)
        mail.outline =
            imap_outline(session->arena, imap_pair(pairs, "BODYSTRUCTURE"), &mail.outline_length);
    session->options.on_mail(session->options.arg, &mail);
    return 0;
}

static int take_fetch(struct imap_session *session, const struct imap_response *response,
                      struct err *err)
{
    struct imap_asked *asked = &session->asked;
    int64_t uid;
    if (response->data == NULL || response->data->kind != IMAP_LIST)
        return 0;
    const struct imap_node *pairs = response->data->first;
    if (!imap_node_number(imap_pair(pairs, "UID"), 1, UINT32_MAX, &uid))
        return 0;
    if (asked->ask == IMAP_ASK_FETCH)
        return take_mail(session, (uint32_t)uid, pairs, err);
    if (asked->ask == IMAP_ASK_LOOK)
        take_look(asked, (uint32_t)uid, pairs);
    return 0;
}

/* ---- mailboxes ---- */

static bool has_flag(const struct imap_node *flags, const char *flag)
{
    for (const struct imap_node *node = flags->first; node != NULL; node = node->next)
        if (imap_node_is(node, flag))
            return true;
    return false;
}

/* The usual names, at the top or below any other mailbox. */
static bool is_named_sent(const struct imap_node *delimiter, const struct imap_node *name)
{
    static const char *const usual[] = {"Sent", "Sent Items", "Sent Messages", "Sent Mail"};
    const char *text = name->text;
    size_t length = name->length;
    for (size_t i = 0; delimiter->length == 1 && i < name->length; i++)
        if (name->text[i] == delimiter->text[0]) {
            text = name->text + i + 1;
            length = name->length - i - 1;
        }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strlen(usual[i]) == length && strncasecmp(usual[i], text, length) == 0)
            return true;
    return false;
}

/* "* LIST (\Sent \HasNoChildren) "/" "Sent Items"". The server's own mark outweighs a name. */
static void take_list(struct imap_session *session, const struct imap_node *flags)
{
    struct imap_answer *answer = &session->asked.answer;
    const struct imap_node *delimiter = flags != NULL ? flags->next : NULL;
    const struct imap_node *name = delimiter != NULL ? delimiter->next : NULL;
    if (name == NULL || flags->kind != IMAP_LIST || delimiter->kind == IMAP_LIST ||
        name->kind == IMAP_LIST || name->length == 0 || name->length > IMAP_NAME_MAX ||
        has_flag(flags, "\\Noselect") || has_flag(flags, "\\NonExistent"))
        return;
    bool marked = has_flag(flags, "\\Sent");
    if (!marked && (answer->found || !is_named_sent(delimiter, name)))
        return;
    if (memchr(name->text, '\0', name->length) != NULL)
        return;
    answer->found = true;
    strbuf_clear(&session->sent);
    strbuf_add(&session->sent, name->text, name->length);
}

/* ---- all of it ---- */

static int take_data(struct imap_session *session, const struct imap_response *response,
                     struct err *err)
{
    struct imap_asked *asked = &session->asked;
    bool commanded = session->state == IMAP_COMMANDED;
    if (strcmp(response->name, "CAPABILITY") == 0) {
        take_capabilities(session, response->data);
    } else if (strcmp(response->name, "EXISTS") == 0 && response->has_number) {
        asked->answer.selected.exists = response->number;
        session->news = true;
    } else if (commanded && asked->ask == IMAP_ASK_SEARCH &&
               strcmp(response->name, "SEARCH") == 0) {
        take_search(asked, response->data);
    } else if (commanded && asked->ask == IMAP_ASK_SEARCH &&
               strcmp(response->name, "ESEARCH") == 0) {
        take_esearch(asked, response->data);
    } else if (commanded && asked->ask == IMAP_ASK_FIND_SENT &&
               strcmp(response->name, "LIST") == 0) {
        take_list(session, response->data);
    } else if (commanded && strcmp(response->name, "FETCH") == 0 && response->has_number) {
        return take_fetch(session, response, err);
    }
    return 0;
}

int imap_take(struct imap_session *session, const struct imap_response *response, struct err *err)
{
    if (response->status == IMAP_DATA)
        return take_data(session, response, err);
    if (session->state == IMAP_COMMANDED && session->asked.ask == IMAP_ASK_SELECT)
        take_selected(&session->asked.answer.selected, response->code);
    imap_take_status(session, response);
    if (strcmp(session->code, "ALERT") == 0 && session->options.on_alert != NULL)
        session->options.on_alert(session->options.arg, session->words);
    return 0;
}

void imap_take_reset(struct imap_asked *asked)
{
    imap_command_fini(&asked->command);
    free(asked->answer.uids);
    free(asked->awaited);
    free(asked->looks);
    *asked = (struct imap_asked){0};
}
