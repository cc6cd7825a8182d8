/* Unit tests of what is made of a mail: every event decodes, whatever a stranger wrote, is within
 * its bounds, and says who wrote the mail and what it belongs to. */
#include "mail_event.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "contract/topics.h"
#include "mail/parse.h"
#include "mail/token.h"

#define NOW ((int64_t)1790000000000)

static struct arena *arena;
static struct secret *key;
static struct mailbox mailbox;
static struct mail_outcome outcome;

static int64_t came_ms = NOW - 1000;
static bool in_part;

static void make_bytes(const char *bytes, size_t length)
{
    const struct secret *const keys[] = {key};
    mail_event_make(arena,
                    &(struct mail_source){.prefix = "desk.",
                                          .mailbox = &mailbox,
                                          .keys = keys,
                                          .key_count = 1,
                                          .uid = 7,
                                          .internal_ms = came_ms,
                                          .now_ms = NOW,
                                          .bytes = bytes,
                                          .length = length,
                                          .cut = in_part},
                    &outcome);
    if (outcome.skip == NULL)
        mail_event_seal(arena, "desk.", &outcome);
}

static void make(const char *mail)
{
    make_bytes(mail, strlen(mail));
}

static bool is_skipped(const char *reason)
{
    return outcome.skip != NULL && strcmp(outcome.skip, reason) == 0;
}

/* The one event, decoded as its reader would. */
static struct mail_received received(void)
{
    struct mail_received event;
    struct err err = {.message = ""};
    CU_ASSERT_PTR_NULL_FATAL(outcome.skip);
    CU_ASSERT_EQUAL_FATAL(outcome.record_count, 1);
    if (mail_received_decode(arena, &outcome.records[0], &event, &err) != 0)
        printf("\n    %s: %s\n", err.code, err.message);
    CU_ASSERT_EQUAL_FATAL(mail_received_decode(arena, &outcome.records[0], &event, &err), 0);
    CU_ASSERT_TRUE(outcome.records[0].value_length <= BUS_VALUE_MAX);
    return event;
}

static void test_a_mail(void)
{
    make("From: =?utf-8?q?J=C3=BCrg?= <Jurg@Customer.Example>\r\nTo: Desk <DESK@clinic.example>,"
         " \"x y\"@odd.example\r\nCc: bob@customer.example\r\nReply-To: home@customer.example\r\n"
         "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Tue, 22 Sep 2026 10:00:00 +0000\r\n"
         "Message-ID: <m1@customer.example>\r\nReferences: <a@x> <b@x>\r\n\r\n"
         "Yes.\r\n\r\nOn Monday the desk wrote:\r\n> Friday?\r\n");
    struct mail_received event = received();
    CU_ASSERT_STRING_EQUAL(event.from, "jurg@customer.example");
    CU_ASSERT_STRING_EQUAL(event.from_name, "J\xc3\xbcrg");
    CU_ASSERT_STRING_EQUAL(event.reply_to, "home@customer.example");
    CU_ASSERT_EQUAL_FATAL(event.to_count, 1);
    CU_ASSERT_STRING_EQUAL(event.to[0], "desk@clinic.example");
    CU_ASSERT_STRING_EQUAL(event.cc[0], "bob@customer.example");
    CU_ASSERT_STRING_EQUAL(event.subject, "Gr\xc3\xbc\xc3\x9f\x65");
    CU_ASSERT_STRING_EQUAL(event.message_id, "m1@customer.example");
    CU_ASSERT_EQUAL(event.reference_count, 2);
    CU_ASSERT_EQUAL(event.sent_ms, 1790071200000);
    CU_ASSERT_STRING_EQUAL(event.class, "person");
    CU_ASSERT_STRING_EQUAL(event.shape, "top");
    CU_ASSERT_EQUAL(strncmp(event.text, "Yes.", 4), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(event.body, "> Friday?"));
    CU_ASSERT_FALSE(event.cut);
    CU_ASSERT_EQUAL(event.event.time_ms, NOW - 1000);
    CU_ASSERT_EQUAL(event.uid, 7);
    CU_ASSERT_STRING_EQUAL(event.event.id, outcome.id);
    CU_ASSERT_STRING_EQUAL(outcome.records[0].topic, "desk.inbound.email");
}

/* The same mail in another mailbox, or under another number, is known by its content. */
static void test_content_hash(void)
{
    static const char mail[] = "From: a@b.example\r\nMessage-ID: <1@b>\r\nDate: x\r\n\r\nhello\r\n";
    make(mail);
    struct mail_received first = received();
    mailbox.cursor.validity = 99;
    make(mail);
    struct mail_received again = received();
    CU_ASSERT_STRING_NOT_EQUAL(first.event.id, again.event.id);
    CU_ASSERT_STRING_EQUAL(first.content_hash, again.content_hash);
    make("From: a@b.example\r\nMessage-ID: <1@b>\r\nDate: x\r\n\r\nhello!\r\n");
    CU_ASSERT_STRING_NOT_EQUAL(first.content_hash, received().content_hash);
    make("From: a@c.example\r\nMessage-ID: <1@b>\r\nDate: x\r\n\r\nhello\r\n");
    CU_ASSERT_STRING_NOT_EQUAL(first.content_hash, received().content_hash);
    mailbox.cursor.validity = 5;

    /* a program that names neither, and the same wish again in another month */
    make("From: a@b.example\r\n\r\nPlease call me.\r\n");
    first = received();
    make("From: a@b.example\r\n\r\nPlease call me.\r\n");
    CU_ASSERT_STRING_EQUAL(first.content_hash, received().content_hash);
    came_ms = NOW - 2000;
    make("From: a@b.example\r\n\r\nPlease call me.\r\n");
    CU_ASSERT_STRING_NOT_EQUAL(first.content_hash, received().content_hash);
    came_ms = NOW - 1000;
}

/* A mail that was read whole before a mailbox was made anew may be read in part behind that. */
static void test_content_hash_in_part(void)
{
    struct strbuf mail;
    strbuf_init(&mail, (size_t)1 << 20);
    strbuf_add_text(&mail, "From: a@b.example\r\nMessage-ID: <1@b>\r\n\r\n");
    for (int i = 0; i < 6000; i++)
        strbuf_printf(&mail, "this is line %d of a long mail\r\n", i);
    make(mail.data);
    const char *whole = received().content_hash;
    in_part = true;
    make_bytes(mail.data, mail.length / 2);
    CU_ASSERT_STRING_EQUAL(received().content_hash, whole);
    in_part = false;
    mail.data[200] = '?';
    make(mail.data);
    CU_ASSERT_STRING_NOT_EQUAL(received().content_hash, whole);
    /* what has no id is known by all of its words */
    memcpy(mail.data + strlen("From: a@b.example\r\n"), "X-Nothing-", 10);
    make(mail.data);
    const char *nameless = received().content_hash;
    mail.data[mail.length - 5] = '?';
    make(mail.data);
    CU_ASSERT_STRING_NOT_EQUAL(received().content_hash, nameless);
    strbuf_fini(&mail);
}

/* A copy that came by a list, or that a filter called spam, is not answered: it must not be what
 * the person's own copy is known by. Copies of one kind are still the same. */
static void test_content_hash_of_programs(void)
{
    static const char mail[] = "From: a@b.example\r\nMessage-ID: <1@b>\r\nDate: x\r\n\r\nhello\r\n";
    make(mail);
    const char *persons = received().content_hash;
    make(arena_printf(arena, "List-Id: <all.clinic.example>\r\nList-Post: x\r\n%s", mail));
    struct mail_received list = received();
    CU_ASSERT_STRING_EQUAL(list.class, "list");
    CU_ASSERT_STRING_NOT_EQUAL(list.content_hash, persons);
    make(arena_printf(arena, "X-Spam-Flag: YES\r\n%s", mail));
    struct mail_received spam = received();
    CU_ASSERT_STRING_EQUAL(spam.class, "spam");
    CU_ASSERT_STRING_EQUAL(spam.content_hash, list.content_hash);
}

/* By which a mailbox that was moved to another server knows its old mails, all of which came there
 * today. */
static void test_when_it_was_sent(void)
{
    static const char date[] = "Date: Tue, 22 Sep 2026 10:00:00 +0000\r\n";
    static const char received_at[] =
        "Received: from a; b by mx.example; Tue, 22 Sep 2026 12:00:00 "
        "+0100 (BST)\r\nReceived: by x; Mon, 1 Jan 2001 10:00:00 "
        "+0000\r\n";
    const int64_t ten = 1790071200000, hour_ms = 3600 * 1000;
    make(arena_printf(arena, "%sFrom: a@b.example\r\n%s\r\nx\r\n", received_at, date));
    CU_ASSERT_EQUAL(outcome.sent_ms, ten);
    CU_ASSERT_EQUAL(received().sent_ms, ten);
    make(arena_printf(arena, "%sFrom: a@b.example\r\nDate: soon\r\n\r\nx\r\n", received_at));
    CU_ASSERT_EQUAL(outcome.sent_ms, ten + hour_ms);
    CU_ASSERT_EQUAL(received().sent_ms, 0); /* by the sender's clock alone */
    make("Received: by x\r\nFrom: a@b.example\r\n\r\nx\r\n");
    CU_ASSERT_EQUAL(outcome.sent_ms, IMAP_CURSOR_UNDATED);
}

static void test_who_can_be_answered(void)
{
    make("From: Nobody\r\nReply-To: reply@b.example\r\nSender: s@b.example\r\n\r\nx\r\n");
    CU_ASSERT_TRUE(is_skipped("no_sender"));
    make("Subject: x\r\n\r\nx\r\n");
    CU_ASSERT_TRUE(is_skipped("no_sender"));
    make("From: j\xc3\xbcrg@b.example\r\n\r\nx\r\n");
    CU_ASSERT_TRUE(is_skipped("no_sender"));
    make("From: j\xc3\xbcrg@b.example, mailer-daemon@b.example\r\n\r\nx\r\n");
    CU_ASSERT_TRUE(is_skipped("no_sender"));
    make("From: noreply@b.example, a@b.example\r\n\r\nx\r\n");
    CU_ASSERT_STRING_EQUAL(received().from, "noreply@b.example");
    CU_ASSERT_STRING_EQUAL(received().class, "robot");
    make_bytes("", 0);
    CU_ASSERT_TRUE(is_skipped("unreadable"));
    make("From: a@b.example\r\nAuto-Submitted: auto-replied\r\n\r\naway\r\n");
    CU_ASSERT_STRING_EQUAL(received().class, "auto_reply");
    CU_ASSERT_STRING_NOT_EQUAL(received().rule, "");
    make("From: desk@clinic.example\r\n\r\nours\r\n");
    CU_ASSERT_STRING_EQUAL(received().class, "own");
}

/* Authentication-Results speak of From alone: no other header names the sender, or a stranger whose
 * From is none that we answer would be verified as whom he likes. */
static void test_a_stranger_names_no_other(void)
{
    char local[66];
    memset(local, 'x', 65);
    local[65] = '\0';
    mailbox.trusted[mailbox.trusted_count++] = "mx.clinic.example";
    make(arena_printf(arena,
                      "Authentication-Results: mx.clinic.example; dmarc=pass "
                      "header.from=evil.example\r\nFrom: %s@evil.example\r\n"
                      "Reply-To: victim@customer.example\r\nSender: victim@customer.example\r\n"
                      "\r\ncancel it\r\n",
                      local));
    if (outcome.skip == NULL)
        printf("\n    from %s, verified %d\n", received().from, received().verified);
    CU_ASSERT_TRUE(is_skipped("no_sender"));
    mailbox.trusted_count--;
}

/* What a trusted server says of DMARC decides, and what anybody else says does not. */
static void test_dmarc_of_a_trusted_server(void)
{
    static const char *const servers[] = {"mx.clinic.example", "mx.elsewhere.example"};
    mailbox.trusted[mailbox.trusted_count++] = servers[0];
    for (int i = 0; i < 2; i++) {
        make(arena_printf(arena,
                          "Authentication-Results: %s; spf=fail smtp.mailfrom=a@b.example;"
                          " dmarc=fail header.from=b.example\r\nFrom: a@b.example\r\n\r\nx\r\n",
                          servers[i]));
        CU_ASSERT_STRING_EQUAL(received().class, i == 0 ? "spam" : "person");
        CU_ASSERT_STRING_EQUAL(received().rule, i == 0 ? "dmarc" : "");
        CU_ASSERT_STRING_EQUAL(received().dmarc, i == 0 ? "fail" : "none");
    }
    mailbox.trusted_count--;
}

/* Texts that grow in JSON, and lists without an end, stay within an event. */
static void test_bounds(void)
{
    struct strbuf mail;
    strbuf_init(&mail, (size_t)4 << 20);
    strbuf_add_text(&mail, "From: a@b.example\r\nTo: ");
    for (int i = 0; i < 90; i++)
        strbuf_printf(&mail, "%sx%d@%0200d.example", i > 0 ? ",\r\n " : "", i, i);
    strbuf_add_text(&mail, "\r\nReferences:");
    for (int i = 0; i < 90; i++)
        strbuf_printf(&mail, " <%d\"\"\\\\%0400d@x>\r\n", i, i);
    strbuf_add_text(&mail, "Subject: ");
    for (int i = 0; i < 600; i++)
        strbuf_add_char(&mail, '"');
    strbuf_add_text(&mail, "\r\n\r\n");
    for (int i = 0; i < 20000; i++)
        strbuf_add_text(&mail, "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\r\n");
    make(mail.data);
    strbuf_fini(&mail);
    struct mail_received event = received();
    CU_ASSERT_TRUE(event.cut);
    CU_ASSERT_TRUE(outcome.records[0].value_length > (size_t)300 * 1024);
    CU_ASSERT_EQUAL(strcmp(event.text + strlen(event.text) - 6, "\n[...]"), 0);
    CU_ASSERT_EQUAL(strcmp(event.body + strlen(event.body) - 6, "\n[...]"), 0);
    CU_ASSERT_TRUE(event.reference_count <= MAIL_EVENT_IDS_MAX);
}

/* Letters of more than one byte are never cut in the middle. */
static void test_cuts_between_letters(void)
{
    for (int shift = 0; shift < 4; shift++) {
        struct strbuf mail;
        strbuf_init(&mail, (size_t)1 << 20);
        strbuf_add_text(&mail, "From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "Content-Transfer-Encoding: 8bit\r\n\r\n");
        for (int i = 0; i < shift; i++)
            strbuf_add_char(&mail, 'x');
        for (int i = 0; i < 2000; i++)
            strbuf_add_text(&mail,
                            "\xf0\x9f\xa6\xb7\xf0\x9f\xa6\xb7\xf0\x9f\xa6\xb7\xf0\x9f\xa6\xb7"
                            "\xf0\x9f\xa6\xb7\xf0\x9f\xa6\xb7\xf0\x9f\xa6\xb7\xf0\x9f\xa6\xb7"
                            "\xf0\x9f\xa6\xb7\xf0\x9f\xa6\xb7\r\n");
        make(mail.data);
        strbuf_fini(&mail);
        CU_ASSERT_TRUE(received().cut);
        CU_ASSERT_TRUE(strlen(received().text) > 60000);
    }
}

static void test_files(void)
{
    make("From: a@b.example\r\nMIME-Version: 1.0\r\n"
         "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee\r\n--x\r\n"
         "Content-Type: image/png\r\nContent-Disposition: attachment; filename=\"../a\tb.png\"\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--x--\r\n");
    struct mail_received event = received();
    CU_ASSERT_EQUAL_FATAL(event.file_count, 1);
    CU_ASSERT_TRUE(event.files[0].stored);
    CU_ASSERT_EQUAL(event.files[0].size_bytes, 3);
    CU_ASSERT_PTR_NULL(strchr(event.files[0].name, '/'));
    CU_ASSERT_EQUAL_FATAL(outcome.attachment_count, 1);
    CU_ASSERT_EQUAL(outcome.attachments[0].number, event.files[0].number);
    CU_ASSERT_EQUAL(outcome.attachments[0].length, 3);
    CU_ASSERT_EQUAL(memcmp(outcome.attachments[0].bytes, "\0\1\2", 3), 0);
    CU_ASSERT_STRING_EQUAL(outcome.attachments[0].event_id, event.event.id);
}

/* Of a mail that was read in part, the file that its end cuts is told and not kept; those before it
 * are whole. */
static void test_files_in_part(void)
{
    static const char first[] = "--x\r\nContent-Type: image/png; name=a.png\r\n\r\nAA\r\n";
    static const char *const types[] = {"image/png", "message/rfc822", "text/plain"};
    static const char *const ends[] = {"\r\n", "\r\n--x--\r\n"};
    for (size_t i = 0; i < 12; i++) {
        const bool ended = i % 2 == 1;
        in_part = i < 6;
        make(arena_printf(arena,
                          "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
                          "--x\r\n\r\nsee\r\n%s--x\r\nContent-Type: %s; name=b\r\n\r\n"
                          "Subject: b\r\n\r\nBB%s",
                          first, types[i / 2 % 3], ends[ended]));
        const bool whole = !in_part || ended;
        struct mail_received event = received();
        CU_ASSERT_EQUAL_FATAL(event.file_count, 2);
        CU_ASSERT_TRUE(event.files[0].stored && event.files[0].size_bytes == 2);
        CU_ASSERT_EQUAL(event.files[1].stored, whole);
        CU_ASSERT_EQUAL(event.files[1].size_bytes > 0, whole);
        CU_ASSERT_EQUAL(outcome.attachment_count, whole ? 2 : 1);
        CU_ASSERT_EQUAL(event.cut, in_part);
    }
    in_part = false;
}

/* The same of a mail with more of parts than are read: the last one ends in the middle. */
static void test_files_of_a_mail_that_is_too_much(void)
{
    struct strbuf bytes;
    strbuf_init(&bytes, MAIL_BYTES_MAX);
    strbuf_add_text(&bytes,
                    "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=\"x y\"\r\n"
                    "\r\n--x y\r\nContent-Type: image/png; name=a.png\r\n\r\nAA\r\n"
                    "--x y\r\nContent-Type: application/octet-stream; name=b\r\n\r\n");
    for (int i = 0; i < 2000; i++)
        strbuf_add_text(&bytes, "--x a line\r\n\r\n");
    strbuf_add_text(&bytes, "--x y--\r\n");
    make_bytes(bytes.data, bytes.length);
    strbuf_fini(&bytes);
    struct mail_received event = received();
    CU_ASSERT_EQUAL_FATAL(event.file_count, 2);
    CU_ASSERT_TRUE(event.files[0].stored && event.files[0].size_bytes == 2);
    CU_ASSERT_FALSE(event.files[1].stored);
    CU_ASSERT_EQUAL(event.files[1].size_bytes, 0);
    CU_ASSERT_EQUAL(outcome.attachment_count, 1);
    CU_ASSERT_TRUE(event.cut);
}

/* ---- tokens and reports ---- */

static struct mail_signer signer_of(const struct secret *const *keys)
{
    return (struct mail_signer){mailbox.tenant, keys, 1};
}

static const char *message_id_of(const struct mail_signer *signer, const struct uuid *delivery)
{
    return arena_printf(arena, "%s@clinic.example",
                        mail_token_write(arena, signer, MAIL_TOKEN_DELIVERY, delivery));
}

static void test_belongs(void)
{
    const struct secret *const keys[] = {key};
    const struct mail_signer signer = signer_of(keys);
    struct uuid conversation = uuid_new(), older = uuid_new(), newer = uuid_new();
    make(arena_printf(arena,
                      "From: a@b.example\r\nTo: %s\r\nReferences: <%s> <%s> <other@x>\r\n\r\nx\r\n",
                      mail_token_address(arena, &signer, "desk@clinic.example", &conversation),
                      message_id_of(&signer, &older), message_id_of(&signer, &newer)));
    struct mail_received event = received();
    CU_ASSERT_TRUE(uuid_equal(&event.conversation, &conversation));
    CU_ASSERT_TRUE(uuid_equal(&event.delivery, &newer));
    make("From: a@b.example\r\nTo: desk@clinic.example\r\n\r\nx\r\n");
    event = received();
    CU_ASSERT_TRUE(uuid_is_nil(&event.conversation));
    CU_ASSERT_TRUE(uuid_is_nil(&event.delivery));
}

static const char *bounce_on(const char *message_id)
{
    return arena_printf(
        arena,
        "From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n"
        "--x\r\n\r\nsorry\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example\r\n\r\n"
        "Final-Recipient: rfc822; one@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 no\r\n\r\n"
        "Final-Recipient: rfc822; two@b.example\r\nAction: delayed\r\nStatus: 4.4.1\r\n\r\n"
        "--x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <%s>\r\n\r\n--x--\r\n",
        message_id);
}

static void test_reports(void)
{
    const struct secret *const keys[] = {key};
    const struct mail_signer signer = signer_of(keys);
    struct uuid delivery = uuid_new();
    make(bounce_on(message_id_of(&signer, &delivery)));
    CU_ASSERT_TRUE(outcome.reported);
    CU_ASSERT_EQUAL_FATAL(outcome.record_count, 2);
    for (int i = 0; i < 2; i++) {
        struct mail_reported event;
        struct err err;
        CU_ASSERT_EQUAL_FATAL(mail_reported_decode(arena, &outcome.records[i], &event, &err), 0);
        CU_ASSERT_TRUE(uuid_equal(&event.delivery, &delivery));
        CU_ASSERT_EQUAL(event.number, i);
        CU_ASSERT_STRING_EQUAL(event.action, i == 0 ? "failed" : "delayed");
        CU_ASSERT_STRING_EQUAL(event.recipient, i == 0 ? "one@b.example" : "two@b.example");
        CU_ASSERT_STRING_EQUAL(outcome.records[i].topic, "desk.receipts");
    }
    make(bounce_on("somebody-elses@mx.example"));
    CU_ASSERT_FALSE(outcome.reported);
    CU_ASSERT_STRING_EQUAL(received().class, "bounce");
}

/* Every beginning of a mail, and every byte of it changed, gives an event that decodes, or none. */
static void test_damaged(void)
{
    static const char mail[] =
        "From: A <a@b.example>\r\nTo: d@clinic.example\r\nSubject: =?utf-8?b?w7w=?=\r\n"
        "References: <a@x>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
        "boundary=x\r\n\r\n"
        "--x\r\nContent-Type: text/html\r\n\r\n<p>hi<br>you\r\n--x\r\nContent-Type: a/b; name=c\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--x--\r\n";
    char copy[sizeof mail];
    for (size_t at = 0; at < sizeof mail - 1; at++) {
        static const char changes[] = {'\0', '\n', '"', '\x80', '\x7f', '\x1b'};
        arena_reset(arena);
        make_bytes(mail, at);
        if (outcome.skip == NULL)
            (void)received();
        for (size_t i = 0; i < sizeof changes; i++) {
            memcpy(copy, mail, sizeof mail);
            copy[at] = changes[i];
            make_bytes(copy, sizeof mail - 1);
            if (outcome.skip == NULL)
                (void)received();
        }
    }
}

static int set_up(void)
{
    arena = arena_new();
    key = secret_new("0123456789abcdef0123456789abcdef", 32);
    mailbox = (struct mailbox){.tenant = uuid_new(), .id = uuid_new(), .cursor = {.validity = 5}};
    mailbox.house[mailbox.house_count++] = "desk@clinic.example";
    return 0;
}

static int tear_down(void)
{
    secret_free(&key);
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailpoller/mail_event", set_up, tear_down);
    CU_add_test(suite, "a mail", test_a_mail);
    CU_add_test(suite, "content hash", test_content_hash);
    CU_add_test(suite, "content hash in part", test_content_hash_in_part);
    CU_add_test(suite, "content hash of programs", test_content_hash_of_programs);
    CU_add_test(suite, "when it was sent", test_when_it_was_sent);
    CU_add_test(suite, "who can be answered", test_who_can_be_answered);
    CU_add_test(suite, "a stranger names no other", test_a_stranger_names_no_other);
    CU_add_test(suite, "DMARC of a trusted server", test_dmarc_of_a_trusted_server);
    CU_add_test(suite, "bounds", test_bounds);
    CU_add_test(suite, "cuts between letters", test_cuts_between_letters);
    CU_add_test(suite, "files", test_files);
    CU_add_test(suite, "files in part", test_files_in_part);
    CU_add_test(suite, "files of a mail that is too much", test_files_of_a_mail_that_is_too_much);
    CU_add_test(suite, "belongs", test_belongs);
    CU_add_test(suite, "reports", test_reports);
    CU_add_test(suite, "damaged", test_damaged);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
