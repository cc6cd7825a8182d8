/* The accounts a Twilio stand-in knows, their numbers, and who opted out of them. */
#ifndef STANDS_TWILIO_ACCOUNTS_H
#define STANDS_TWILIO_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

struct message;

struct account {
    char sid[35];
    char *token;
    char *basic; /* the Authorization header that is right for it */
    char **numbers;
    size_t number_count;
    char **services; /* messaging services; none named: any well-formed sid will do */
    size_t service_count;
    char **opted_out; /* "OURS THEIRS" */
    size_t opted_out_count;
    struct message **messages; /* oldest first */
    size_t message_count, message_cap;
};

struct accounts {
    struct account *list;
    size_t count;
};

/* Reads `[{"account_sid","auth_token","numbers":[...],"services":[...]}]` from a file of at most
 * 16 MB. Returns 0, or -1 after a line on stderr. */
int accounts_load(struct accounts *accounts, const char *path);

/* The account of a sid (34 characters are compared), or NULL. */
struct account *accounts_find(const struct accounts *accounts, const char *sid);

/* Whether the account may send from this number; whether it has this messaging service. */
bool account_owns(const struct account *account, const char *number);
bool account_has_service(const struct account *account, const char *service);

/* Whether `theirs` opted out of texts from `ours`; and setting it. At most 1,000,000 are kept. */
bool account_opted_out(const struct account *account, const char *ours, const char *theirs);
void account_set_opted_out(struct account *account, const char *ours, const char *theirs,
                           bool opted_out);

/* Forgets all opt-outs. */
void account_forget_opt_outs(struct account *account);

#endif
