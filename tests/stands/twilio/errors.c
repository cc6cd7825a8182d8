/* The error table of the Messages and Calls resources. Called by twilio.c. */
#include "stands/twilio/errors.h"

static const struct {
    int code;
    const char *message;
} table[] = {
    {20001, "Bad Request"},
    {20003, "Authenticate"},
    {20004, "Method not allowed"},
    {20007, "Page size too large"},
    {20404, "The requested resource was not found"},
    {20429, "Too Many Requests"},
    {20500, "Internal Server Error"},
    {20503, "Service Unavailable"},
    {21201, "No 'To' number specified"},
    {21205, "Url parameter is required, and must be a valid URL"},
    {21210, "'From' phone number not verified"},
    {21211, "Invalid 'To' Phone Number"},
    {21212, "Invalid 'From' Phone Number"},
    {21213, "'From' phone number is required"},
    {21220, "Call is not in-progress. Cannot redirect."},
    {21266, "'To' and 'From' number cannot be the same"},
    {21408, "Permission to send an SMS has not been enabled for the region"},
    {21603, "A 'From' or 'MessagingServiceSid' parameter is required to send a message"},
    {21604, "A 'To' phone number is required"},
    {21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number "
            "for this account"},
    {21609, "The 'StatusCallback' URL is not a valid URL"},
    {21610, "Attempt to send to unsubscribed recipient"},
    {21611, "This 'From' number has exceeded the maximum number of queued messages"},
    {21612, "The 'To' phone number is not currently reachable using the 'From' phone number"},
    {21614, "'To' number is not a valid mobile number"},
    {21617, "The concatenated message body exceeds the 1600 character limit"},
    {21619, "A text message body or media urls must be specified"},
    {21626, "Invalid status callback events"},
    {21701, "The Messaging Service does not exist"},
    {32018, "The TwiML is longer than 4000 characters"},
};

const char *errors_message(int code)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code)
            return table[i].message;
    }
    return "Request failed";
}

int errors_code_of_status(int status)
{
    static const struct {
        int status, code;
    } codes[] = {{401, 20003}, {404, 20404}, {405, 20004}, {429, 20429}, {503, 20503}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].status == status)
            return codes[i].code;
    }
    return status >= 500 ? 20500 : 20001;
}

void errors_body(int status, int code, const char *message, struct stand_buf *out)
{
    stand_buf_printf(out, "{\"code\":%d,\"message\":", code);
    stand_buf_json_text(out, message ? message : errors_message(code));
    stand_buf_printf(out, ",\"more_info\":\"https://www.twilio.com/docs/errors/%d\",\"status\":%d}",
                     code, status);
}
