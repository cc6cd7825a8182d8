/* The fields of a mailbox's file and the rules that tie them together. mailbox.c calls it. */
#include "mailbox_file.h"

#include <string.h>

#include "base/text.h"
#include "mail/address.h"
#include "mail/imap_write.h"
#include "store/mailbox.h"
#include "json/json.h"

#define COUNT(table)     (sizeof(table) / sizeof((table)[0]))
#define AT(type, member) offsetof(struct type, member)

struct head {
    const char *tenant, *address, *name, *imap, *smtp, *folder, *sent_folder;
    struct secret *password, *smtp_password;
    const struct yaml_node *oauth, *trusted_servers, *limits;
    bool plus_addresses;
};

static const struct field head_fields[] = {
    {"tenant", FIELD_SLUG, AT(head, tenant), 0, 0, true, NULL},
    {"address", FIELD_TEXT, AT(head, address), 1, 254, true, NULL},
    {"name", FIELD_TEXT, AT(head, name), 1, 100, true, NULL},
    {"imap", FIELD_TEXT, AT(head, imap), 1, 1000, true, NULL},
    {"smtp", FIELD_TEXT, AT(head, smtp), 1, 1000, true, NULL},
    {"password", FIELD_SECRET, AT(head, password), 0, 0, false, NULL},
    {"smtp_password", FIELD_SECRET, AT(head, smtp_password), 0, 0, false, NULL},
    {"oauth", FIELD_MAPPING, AT(head, oauth), 0, 0, false, NULL},
    {"folder", FIELD_TEXT, AT(head, folder), 1, 200, false, NULL},
    {"sent_folder", FIELD_TEXT, AT(head, sent_folder), 1, 200, false, NULL},
    {"trusted_servers", FIELD_LIST, AT(head, trusted_servers), 0, MAILBOX_TRUSTED_MAX, false, NULL},
    {"limits", FIELD_MAPPING, AT(head, limits), 0, 0, false, NULL},
    {"plus_addresses", FIELD_BOOL, AT(head, plus_addresses), 0, 0, false, NULL},
};

struct oauth_block {
    const char *token_url, *client_id, *scope;
    struct secret *client_secret, *refresh_token;
};

static const struct field oauth_fields[] = {
    {"token_url", FIELD_ENDPOINT, AT(oauth_block, token_url), 0, 0, true, NULL},
    {"client_id", FIELD_TEXT, AT(oauth_block, client_id), 1, 500, true, NULL},
    {"client_secret", FIELD_SECRET, AT(oauth_block, client_secret), 0, 0, false, NULL},
    {"refresh_token", FIELD_SECRET, AT(oauth_block, refresh_token), 0, 0, false, NULL},
    {"scope", FIELD_TEXT, AT(oauth_block, scope), 1, 500, false, NULL},
};

static const struct field limit_fields[] = {
    {"per_minute", FIELD_INT, AT(mailbox_file, per_minute), 1, 10000, false, NULL},
    {"per_day", FIELD_INT, AT(mailbox_file, per_day), 1, 10000000, false, NULL},
};

/* ---- what it logs in with ---- */

/* Secrets are sent there: in the clear only within this machine. */
static bool is_safe(const char *url)
{
    static const char *const safe[] = {"https://",
                                       "http://127.0.0.1:", "http://localhost:", "http://[::1]:"};
    for (size_t i = 0; i < COUNT(safe); i++)
        if (strncmp(url, safe[i], strlen(safe[i])) == 0)
            return true;
    return false;
}

static void read_grant(struct problems *problems, const struct yaml_node *node,
                       struct secret **given, struct mail_login *login)
{
    struct oauth_block block = {.scope = ""};
    fields_read(problems, node, "oauth", oauth_fields, COUNT(oauth_fields), &block);
    login->client_secret = block.client_secret;
    login->refresh_token = block.refresh_token;
    if (login->refresh_token == NULL) {
        login->refresh_token = *given;
        *given = NULL;
    }
    if (block.token_url != NULL && !is_safe(block.token_url))
        problems_add(problems, node->line,
                     "token_url: secrets would be sent there in the clear; write https://");
    if (login->refresh_token == NULL && login->client_secret == NULL)
        problems_add(problems, node->line,
                     "oauth: needs a refresh_token, or a client_secret for an application that "
                     "logs in by itself");
    login->grant = (struct oauth_grant){
        .token_url = block.token_url,
        .client_id = block.client_id,
        .scope = block.scope,
        .client_secret = login->client_secret,
        .refresh_token = login->refresh_token,
    };
}

static void read_login(struct problems *problems, const struct yaml_node *root, struct head *head,
                       struct secret **given, struct mailbox_file *file)
{
    file->in.password = head->password;
    file->out.password = head->smtp_password;
    file->has_out = head->smtp_password != NULL;
    if (head->oauth != NULL && head->password != NULL)
        problems_add(problems, root->line, "password: and oauth exclude each other; keep one");
    if (head->oauth != NULL) {
        read_grant(problems, head->oauth, given, &file->in);
    } else if (file->in.password == NULL) {
        file->in.password = *given;
        *given = NULL;
    }
    if (head->oauth == NULL && file->in.password == NULL && yaml_get(root, "password") == NULL)
        problems_add(problems, root->line,
                     "a mailbox needs password (env:NAME or file:PATH), or oauth, or its secret on "
                     "standard input with --secret-stdin");
    if (*given != NULL)
        problems_add(problems, root->line,
                     "the file has a secret, and so has standard input; leave one out");
}

/* ---- servers ---- */

static void read_servers(struct problems *problems, const struct yaml_node *root,
                         const struct head *head, struct mailbox_file *file)
{
    struct err err;
    bool token = head->oauth != NULL;
    if (head->imap != NULL && mail_imap_account_parse(head->imap, &file->imap, &err) != 0)
        problems_add(problems, yaml_get(root, "imap")->line, "imap: %s", err.message);
    if (head->smtp == NULL)
        return;
    file->smtp_url = head->smtp;
    if (mail_smtp_account_parse(head->smtp, &file->smtp, &err) != 0) {
        problems_add(problems, yaml_get(root, "smtp")->line, "smtp: %s", err.message);
        return;
    }
    bool wants_token = token && file->smtp.user[0] != '\0' && !file->has_out;
    if (wants_token && file->smtp.auth != MAIL_SMTP_XOAUTH2) {
        file->smtp.auth = MAIL_SMTP_XOAUTH2;
        file->smtp_url = arena_printf(problems->arena, "%s%sauth=xoauth2", head->smtp,
                                      strchr(head->smtp, '?') != NULL ? "&" : "?");
    }
    if (!wants_token && file->smtp.auth == MAIL_SMTP_XOAUTH2)
        problems_add(problems, yaml_get(root, "smtp")->line,
                     "smtp: auth=xoauth2 needs the block oauth, and no smtp_password");
    if (file->has_out && file->smtp.user[0] == '\0')
        problems_add(problems, root->line,
                     "smtp_password: the URL of smtp has no user; write smtp://USER@HOST");
}

static void read_trusted(struct problems *problems, const struct yaml_node *list,
                         struct mailbox_file *file)
{
    static const struct field field = {"trusted_servers", FIELD_NAME, 0, 0, 0, true, NULL};
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, 4096);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    for (const struct yaml_node *node = list != NULL ? list->first : NULL; node != NULL;
         node = node->next) {
        const char *name = "";
        if (fields_read_one(problems, node, &field, &name))
            json_add_text(&writer, NULL, name);
    }
    json_close_array(&writer);
    file->trusted_servers = arena_strdup(problems->arena, out.data);
    strbuf_fini(&out);
}

static void check_folder(struct problems *problems, const struct yaml_node *root, const char *key,
                         const char *name)
{
    struct strbuf written;
    strbuf_init(&written, IMAP_NAME_MAX);
    if (name != NULL && !imap_mailbox_name(&written, name))
        problems_add(problems, yaml_get(root, key)->line,
                     "%s: can be no folder's name; leave out control characters", key);
    strbuf_fini(&written);
}

/* ---- the whole ---- */

static void read_tree(struct problems *problems, const struct yaml_node *root,
                      struct secret **given, struct mailbox_file *file)
{
    struct head head = {.folder = "INBOX", .plus_addresses = true};
    fields_read(problems, root, "a mailbox's file", head_fields, COUNT(head_fields), &head);
    file->tenant = head.tenant;
    file->name = head.name;
    file->folder = head.folder;
    file->plus_addresses = head.plus_addresses;
    if (head.sent_folder != NULL)
        file->sent_folder = strcmp(head.sent_folder, "auto") == 0 ? "" : head.sent_folder;
    if (head.address != NULL && !mail_address_is_plain(head.address))
        problems_add(problems, yaml_get(root, "address")->line,
                     "address: \"%.80s\" is no mail address; write it like desk@clinic.example",
                     head.address);
    else if (head.address != NULL)
        file->address = mail_address_lower(problems->arena, head.address);
    read_login(problems, root, &head, given, file);
    read_servers(problems, root, &head, file);
    read_trusted(problems, head.trusted_servers, file);
    check_folder(problems, root, "folder", head.folder);
    check_folder(problems, root, "sent_folder", head.sent_folder);
    if (head.limits != NULL)
        fields_read(problems, head.limits, "limits", limit_fields, COUNT(limit_fields), file);
}

void mailbox_file_read(struct problems *problems, const char *path, struct secret *given,
                       struct mailbox_file *file)
{
    *file = (struct mailbox_file){.trusted_servers = "[]"};
    const struct yaml_node *root = fields_read_file(problems, path);
    if (root != NULL)
        read_tree(problems, root, &given, file);
    secret_free(&given);
}

void mailbox_file_fini(struct mailbox_file *file)
{
    struct mail_login *const logins[] = {&file->in, &file->out};
    for (size_t i = 0; i < COUNT(logins); i++) {
        secret_free(&logins[i]->password);
        secret_free(&logins[i]->client_secret);
        secret_free(&logins[i]->refresh_token);
    }
}
