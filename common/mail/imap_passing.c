/* What servers say that passes by itself: they are busy, shut down, or found a session idle. So no
 * password is wrong for it and no mail is at fault. The session and its owners ask. */
#include <string.h>

#include "mail/imap_inside.h"

/* RFC 5530; OVERQUOTA is Gmail's for a day's traffic. */
static const char *const passing_codes[] = {"UNAVAILABLE", "INUSE",        "LIMIT",    "SERVERBUG",
                                            "OVERQUOTA",   "CONTACTADMIN", "THROTTLED"};

/* Under [ALERT], which stands before refusals for good as well, or under no code at all. */
static const char *const passing_words[] = {
    "Too many simultaneous connections",            /* Gmail: 15 of an account */
    "Account exceeded command or bandwidth limits", /* Gmail */
    "Temporary System Error",                       /* Gmail */
    "Request is throttled",                         /* Exchange Online */
    "User is authenticated but not connected", /* Exchange: a login that it does not carry out */
    "Server Unavailable",                      /* Exchange */
    "Maximum number of connections",           /* Dovecot */
};

/* With BYE, in the same way: whatever was asked for last, the session would have ended. Not the
 * words of Gmail and Exchange that may mean anything ("System Error", "Connection is closed. 13").
 */
static const char *const passing_byes[] = {
    "shutting down",     /* Dovecot, Courier, Exchange */
    "shutdown",          /* "System shutdown" */
    "maintenance",       /* what administrators write */
    "for inactivity",    /* Dovecot, Courier */
    "idle too long",     /* Cyrus */
    "idle for too long", /* UW: "Autologout; idle for too long" */
    "session expired",   /* Gmail: "Session expired, please login again." */
};

static const char *find_words(const char *words, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(words, known[i]) != NULL)
            return known[i];
    return NULL;
}
#define FIND_WORDS(words, known) find_words(words, known, sizeof(known) / sizeof *(known))

static bool has_words_only(const char *code)
{
    return code[0] == '\0' || strcmp(code, "ALERT") == 0;
}

const char *imap_answer_passing(const char *code, const char *words)
{
    for (size_t i = 0; i < sizeof passing_codes / sizeof *passing_codes; i++)
        if (strcmp(code, passing_codes[i]) == 0)
            return passing_codes[i];
    return has_words_only(code) ? FIND_WORDS(words, passing_words) : NULL;
}

bool imap_is_servers_trouble(const char *code, const char *words)
{
    const char *passing = imap_answer_passing(code, words);
    return passing != NULL && strcmp(passing, "SERVERBUG") != 0 &&
           strcmp(passing, "CONTACTADMIN") != 0;
}

bool imap_session_bye_is_passing(const struct imap_session *session)
{
    return imap_is_servers_trouble(session->code, session->words) ||
           (has_words_only(session->code) && FIND_WORDS(session->words, passing_byes) != NULL);
}
