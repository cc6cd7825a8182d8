/*
 * Accounts are read once at the start; opt-outs come and go with inbound keywords and by control
 * requests. Called by twilio.c and create.c.
 */
#include "stands/twilio/accounts.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/lib/hmac.h"
#include "stands/lib/ids.h"

enum { FILE_MAX = 16 * 1024 * 1024, OPTED_OUT_MAX = 1000000, PAIR_MAX = 128 };

static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = stand_alloc(FILE_MAX + 1);
    *len = fread(text, 1, FILE_MAX, file);
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        free(text);
        return NULL;
    }
    return text;
}

/* Copies an array of texts; a missing array is an empty one. Returns -1 when it is not such. */
static int read_texts(const cJSON *json, char ***texts, size_t *count)
{
    const cJSON *item;
    if (!json)
        return 0;
    if (!cJSON_IsArray(json))
        return -1;
    *texts = stand_alloc(((size_t)cJSON_GetArraySize(json) + 1) * sizeof **texts);
    cJSON_ArrayForEach(item, json)
    {
        if (!cJSON_IsString(item))
            return -1;
        (*texts)[(*count)++] = stand_copy(item->valuestring, strlen(item->valuestring));
    }
    return 0;
}

static int read_account(struct account *account, const cJSON *json)
{
    const cJSON *sid = cJSON_GetObjectItemCaseSensitive(json, "account_sid");
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(json, "auth_token");
    if (!cJSON_IsString(sid) || !stand_sid_valid(sid->valuestring, "AC") ||
        !cJSON_IsString(token) || !*token->valuestring)
        return -1;
    memcpy(account->sid, sid->valuestring, sizeof account->sid);
    account->token = stand_copy(token->valuestring, strlen(token->valuestring));
    struct stand_buf pair, basic;
    stand_buf_init(&pair, FILE_MAX);
    stand_buf_init(&basic, FILE_MAX);
    stand_buf_printf(&pair, "%s:%s", account->sid, account->token);
    stand_buf_puts(&basic, "Basic ");
    stand_base64(pair.data, pair.len, &basic);
    account->basic = basic.data;
    stand_buf_fini(&pair);
    if (read_texts(cJSON_GetObjectItemCaseSensitive(json, "numbers"), &account->numbers,
                   &account->number_count) != 0)
        return -1;
    return read_texts(cJSON_GetObjectItemCaseSensitive(json, "services"), &account->services,
                      &account->service_count);
}

int accounts_load(struct accounts *accounts, const char *path)
{
    size_t len = 0;
    char *text = read_file(path, &len);
    cJSON *root = text ? cJSON_ParseWithLength(text, len) : NULL;
    free(text);
    if (!cJSON_IsArray(root)) {
        fprintf(stderr, "%s: not a readable JSON array of accounts\n", path);
        cJSON_Delete(root);
        return -1;
    }
    accounts->list = stand_alloc(((size_t)cJSON_GetArraySize(root) + 1) * sizeof(struct account));
    const cJSON *item;
    cJSON_ArrayForEach(item, root)
    {
        if (read_account(&accounts->list[accounts->count++], item) != 0) {
            fprintf(stderr, "%s: account %zu needs account_sid, auth_token and numbers\n", path,
                    accounts->count);
            cJSON_Delete(root);
            return -1;
        }
    }
    cJSON_Delete(root);
    return 0;
}

struct account *accounts_find(const struct accounts *accounts, const char *sid)
{
    for (size_t i = 0; i < accounts->count; i++) {
        if (strncmp(accounts->list[i].sid, sid, 34) == 0)
            return &accounts->list[i];
    }
    return NULL;
}

static bool holds(char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0)
            return true;
    }
    return false;
}

bool account_owns(const struct account *account, const char *number)
{
    return holds(account->numbers, account->number_count, number);
}

bool account_has_service(const struct account *account, const char *service)
{
    return account->service_count == 0 || holds(account->services, account->service_count, service);
}

bool account_opted_out(const struct account *account, const char *ours, const char *theirs)
{
    char pair[PAIR_MAX];
    snprintf(pair, sizeof pair, "%.60s %.60s", ours, theirs);
    return holds(account->opted_out, account->opted_out_count, pair);
}

void account_set_opted_out(struct account *account, const char *ours, const char *theirs,
                           bool opted_out)
{
    char pair[PAIR_MAX];
    snprintf(pair, sizeof pair, "%.60s %.60s", ours, theirs);
    size_t at = 0;
    while (at < account->opted_out_count && strcmp(account->opted_out[at], pair) != 0)
        at++;
    bool known = at < account->opted_out_count;
    if (known && !opted_out) {
        free(account->opted_out[at]);
        account->opted_out[at] = account->opted_out[--account->opted_out_count];
    } else if (!known && opted_out && account->opted_out_count < OPTED_OUT_MAX) {
        if (!account->opted_out)
            account->opted_out = stand_alloc(OPTED_OUT_MAX * sizeof *account->opted_out);
        account->opted_out[account->opted_out_count++] = stand_copy(pair, strlen(pair));
    }
}

void account_forget_opt_outs(struct account *account)
{
    while (account->opted_out_count > 0)
        free(account->opted_out[--account->opted_out_count]);
}
