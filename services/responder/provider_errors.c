/* The provider's error table. rest.c judges answers by it, receipts.c raises its alerts. */
#include "provider_errors.h"

#include <stddef.h>

static const struct provider_error table[] = {
    {20003, PROVIDER_HOLD_OFF, true, "authentication failed: check the channel's auth token"},
    {20404, PROVIDER_FINAL, true, "the account or resource does not exist"},
    {20429, PROVIDER_BACK_OFF, false, "too many requests at once"},
    {21211, PROVIDER_FINAL, false, "the recipient's number is invalid"},
    {21212, PROVIDER_FINAL, true, "the sender's number is invalid"},
    {21266, PROVIDER_FINAL, false, "sender and recipient are the same"},
    {10004, PROVIDER_BACK_OFF, true, "too many calls at once"},
    {13224, PROVIDER_FINAL, false, "the number cannot be called"},
    {21210, PROVIDER_FINAL, true, "the sender's number is not ours or cannot place calls"},
    {21214, PROVIDER_FINAL, false, "the number cannot be reached"},
    {21215, PROVIDER_FINAL, true, "the region is not enabled for calls"},
    {21216, PROVIDER_FINAL, true, "the provider does not let this number be called"},
    {21219, PROVIDER_FINAL, true, "a trial account calls verified numbers only"},
    {21408, PROVIDER_FINAL, true, "the recipient's region is not enabled"},
    {21606, PROVIDER_FINAL, true, "the sender's number is not ours or cannot send texts"},
    {21610, PROVIDER_OPT_OUT, false, "the recipient opted out"},
    {21611, PROVIDER_BACK_OFF, true, "the sender's queue is full"},
    {21612, PROVIDER_FINAL, false, "the provider cannot route between these numbers"},
    {21614, PROVIDER_FINAL, false, "the recipient cannot receive texts"},
    {21617, PROVIDER_FINAL, true, "the text is longer than 1,600 characters"},
    {21619, PROVIDER_FINAL, true, "the text is empty"},
    {21701, PROVIDER_HOLD_OFF, true, "the messaging service does not exist"},
    {30001, PROVIDER_FINAL, true, "the provider's queue overflowed"},
    {30002, PROVIDER_FINAL, true, "the account is suspended"},
    {30003, PROVIDER_FINAL, false, "the handset is unreachable"},
    {30004, PROVIDER_FINAL, false, "the message was blocked"},
    {30005, PROVIDER_FINAL, false, "the handset is unknown"},
    {30006, PROVIDER_FINAL, false, "a landline or an unreachable carrier"},
    {30007, PROVIDER_FINAL, true, "filtered as spam: review the wording"},
    {30008, PROVIDER_FINAL, false, "the carrier gave no reason"},
    {30022, PROVIDER_FINAL, true, "the campaign's rate limit is exceeded"},
    {30027, PROVIDER_FINAL, true, "a carrier's daily limit is reached"},
    {30032, PROVIDER_FINAL, true, "the toll-free number is not verified"},
    {30034, PROVIDER_FINAL, true, "the number is not registered for a campaign"},
    {30036, PROVIDER_FINAL, false, "the validity period ran out"},
    {30450, PROVIDER_FINAL, false, "delivery was blocked"},
};

/* Statuses without a code that we know; the last row takes the rest. */
static const struct {
    int status;
    struct provider_error error;
} statuses[] = {
    {429, {0, PROVIDER_BACK_OFF, false, "too many requests"}},
    {401, {0, PROVIDER_HOLD_OFF, true, "authentication failed: check the channel's auth token"}},
    {403, {0, PROVIDER_HOLD_OFF, true, "the account may not do this"}},
    {0, {0, PROVIDER_FINAL, true, "the provider refused the request"}},
};

const struct provider_error *provider_error_find(int code)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return &table[i];
    return NULL;
}

struct provider_error provider_error_judge(int status, int code)
{
    const struct provider_error *known = provider_error_find(code);
    if (known != NULL && status != 429)
        return *known;
    size_t i = 0;
    while (statuses[i].status != 0 && statuses[i].status != status)
        i++;
    struct provider_error error = statuses[i].error;
    error.code = code;
    return error;
}
