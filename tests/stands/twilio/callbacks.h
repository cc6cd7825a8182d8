/*
 * Status callbacks. A message runs through a sequence of statuses, one POST each, every next one
 * only after the answer to the one before. What is repeated after a bad answer is for the URL to
 * say, in Twilio's connection overrides (`#rc=5&rp=all`); by default one failed connection.
 *
 * Modes (action `callbacks`, key `mode`):
 *   normal        sent, delivered (without any rule)
 *   full          sending, sent, delivered
 *   sent_only     sent, and no more
 *   out_of_order  delivered, then sent
 *   doubled       sent, sent, delivered, delivered
 *   late          normal, after `ms` (default 5000)
 *   none          delivered, but nobody is told
 *   failed        failed with `error_code` (30008)
 *   undelivered   sent, undelivered with `error_code` (30003)
 *   unknown_sid   normal, then delivered for a sid that does not exist
 */
#ifndef STANDS_TWILIO_CALLBACKS_H
#define STANDS_TWILIO_CALLBACKS_H

#include "stands/twilio/twilio.h"

/* Starts the sequence of a new message. `action` (NULL: normal) is read now and not kept. An
 * unknown mode counts as normal. */
void callbacks_start(struct twilio *twilio, struct message *message,
                     const struct stand_action *action);

/* Whether callbacks know this mode. */
bool callbacks_mode_valid(const char *mode);

/* How often Twilio repeats a request to `url` after an answer of `status` (0: there was none). */
int callbacks_repeats(const char *url, int status);

/* Sends one signed form to `url`, by POST or in the query of a GET, recorded in the ledger of what
 * was sent. `done` gets the result; when it could not even be queued, `done` runs at once with
 * status 0. */
struct delivery {
    const struct account *account;
    const char *url, *sign_url; /* sign_url NULL: url */
    const char *sid;
    const char *token; /* signs instead of the account's; NULL: that */
    bool get;
    const struct stand_form *form;
    stand_result_fn *done;
    void *user;
};
void callbacks_send(struct twilio *twilio, struct stand_client *client,
                    const struct delivery *delivery);

#endif
