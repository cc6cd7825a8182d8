/*
 * Creating a message. The checks are a table in the order that decides which error a request with
 * several faults gets. Called by twilio.c once a request is authenticated.
 */
#include "stands/twilio/create.h"

#include <string.h>

#include "stands/lib/ids.h"
#include "stands/lib/segments.h"
#include "stands/twilio/callbacks.h"

enum { BODY_CHARACTERS_MAX = 1600, ANSWER_MAX = 64 * 1024 };

/* What a request asks for, borrowed from its form. */
struct wish {
    const struct stand_form *form;
    struct account *account;
    const char *to, *from, *service, *body, *callback;
};

struct magic {
    const char *number;
    int code;
};

/* Twilio's test numbers, as recipients and as senders; 0 is a good one. */
static const struct magic magic_to[] = {{"+15005550001", 21211}, {"+15005550002", 21612},
                                        {"+15005550003", 21408}, {"+15005550004", 21610},
                                        {"+15005550009", 21614}, {NULL, 0}};
static const struct magic magic_from[] = {{"+15005550001", 21212},
                                          {"+15005550006", 0},
                                          {"+15005550007", 21606},
                                          {"+15005550008", 21611},
                                          {NULL, 0}};

static const struct magic *find_magic(const struct magic *table, const char *number)
{
    while (table->number && strcmp(table->number, number) != 0)
        table++;
    return table->number ? table : NULL;
}

bool create_number_valid(const char *text)
{
    size_t digits = text[0] == '+' ? strspn(text + 1, "0123456789") : 0;
    return digits >= 7 && digits <= 15 && text[1] != '0' && text[1 + digits] == '\0';
}

static bool given(const char *text)
{
    return text && *text;
}

static int check_once(const struct wish *wish)
{
    static const char *const names[] = {"To",   "From",           "MessagingServiceSid",
                                        "Body", "StatusCallback", "ContentSid"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (stand_form_times(wish->form, names[i]) > 1)
            return 20001;
    }
    return 0;
}

static int check_to(const struct wish *wish)
{
    if (!given(wish->to))
        return 21604;
    const struct magic *magic = find_magic(magic_to, wish->to);
    if (magic)
        return magic->code;
    return create_number_valid(wish->to) ? 0 : 21211;
}

static int check_from(const struct wish *wish)
{
    if (!given(wish->from))
        return given(wish->service) ? 0 : 21603;
    const struct magic *magic = find_magic(magic_from, wish->from);
    if (magic)
        return magic->code;
    if (account_owns(wish->account, wish->from))
        return strcmp(wish->from, wish->to) == 0 ? 21266 : 0;
    return create_number_valid(wish->from) ? 21606 : 21212;
}

static int check_service(const struct wish *wish)
{
    if (!given(wish->service))
        return 0;
    return stand_sid_valid(wish->service, "MG") && account_has_service(wish->account, wish->service)
               ? 0
               : 21701;
}

static int check_body(const struct wish *wish)
{
    if (given(wish->body))
        return stand_characters(wish->body, strlen(wish->body)) > BODY_CHARACTERS_MAX ? 21617 : 0;
    bool other = given(stand_form_get(wish->form, "MediaUrl")) ||
                 given(stand_form_get(wish->form, "ContentSid"));
    return other ? 0 : 21619;
}

static int check_callback(const struct wish *wish)
{
    return !given(wish->callback) || stand_url_valid(wish->callback) ? 0 : 21609;
}

static int check_opt_out(const struct wish *wish)
{
    const char *sender = given(wish->from) ? wish->from : wish->service;
    return account_opted_out(wish->account, sender, wish->to) ? 21610 : 0;
}

static int check(const struct wish *wish)
{
    static int (*const checks[])(const struct wish *) = {
        check_once, check_to, check_from, check_service, check_body, check_callback, check_opt_out,
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int code = checks[i](wish);
        if (code)
            return code;
    }
    return 0;
}

static const char *text_or_null(const char *text)
{
    return given(text) ? text : NULL;
}

void create_message(struct twilio *twilio, struct stand_call *call, struct account *account)
{
    const struct twilio_request *request = call->parsed;
    const struct stand_form *form = &request->form;
    struct wish wish = {.form = form,
                        .account = account,
                        .to = stand_form_get(form, "To"),
                        .from = stand_form_get(form, "From"),
                        .service = stand_form_get(form, "MessagingServiceSid"),
                        .body = stand_form_get(form, "Body"),
                        .callback = stand_form_get(form, "StatusCallback")};
    int code = check(&wish);
    if (code) {
        twilio_fail(call, 400, code, NULL);
        return;
    }
    struct message_draft draft = {.account = account,
                                  .from = text_or_null(wish.from),
                                  .to = wish.to,
                                  .body = wish.body,
                                  .service = text_or_null(wish.service),
                                  .callback = text_or_null(wish.callback),
                                  .media = (int)stand_form_times(form, "MediaUrl")};
    struct message *message = messages_add(twilio->messages, &draft);
    if (!message) {
        twilio_fail(call, 429, 20429, "This stand-in keeps no more messages");
        return;
    }
    stand_ledger_sid(twilio->app.ledger, call->entry, message->sid);
    struct stand_buf out;
    stand_buf_init(&out, ANSWER_MAX);
    message_json(message, &out);
    callbacks_start(twilio, message, call->plan.callbacks);
    twilio_answer(call, 201, &out);
    stand_buf_fini(&out);
}
