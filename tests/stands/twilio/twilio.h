/* The Twilio stand-in: the Messages resource over HTTP, webhooks and callbacks outwards. */
#ifndef STANDS_TWILIO_TWILIO_H
#define STANDS_TWILIO_TWILIO_H

#include "stands/lib/app.h"
#include "stands/lib/form.h"
#include "stands/lib/http_client.h"
#include "stands/twilio/accounts.h"
#include "stands/twilio/messages.h"

struct calls;

struct twilio {
    const char *listen, *accounts_file, *connect_to;
    const char *relay_to; /* where relay sockets are connected to, or NULL: where their URL says */
    int64_t index_delay_ms, callback_delay_ms;
    int64_t calls_per_second; /* that are dialled; 0: as many as are asked for */
    bool die_with_parent;
    struct stand_app app;
    struct accounts accounts;
    struct messages *messages;
    struct calls *calls;
    struct stand_client *callbacks; /* status callbacks */
    struct stand_client *webhooks;  /* inbound webhooks */
    struct stand_ledger *sent;      /* every callback and webhook sent */
    uint64_t jobs;                  /* callback sequences under way */
    uint64_t epoch;                 /* grows with every reset */
};

/* A request as read: its form (body of a POST, query of a GET), or why it is refused. */
struct twilio_request {
    struct stand_form form;
    const char *problem;
};

/* Reads the command line, serves until a signal, returns the exit status. */
int twilio_main(int argc, char **argv);

/* Answers with Twilio's error body. `message` NULL: the usual text of the code. */
void twilio_fail(struct stand_call *call, int status, int code, const char *message);

/* Answers with a JSON body. */
void twilio_answer(struct stand_call *call, int status, const struct stand_buf *body);

#endif
