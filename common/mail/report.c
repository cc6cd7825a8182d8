/* Two ways to the same answer: the fields of a standard report, and a search in the text of the
 * others (qmail, old Exchange, Exim, providers with words of their own), which is why a recipient
 * of those may lack an address or a status. Nothing here trusts a report: whether it speaks of a
 * mail of ours is decided by the Message-ID's MAC. Called by mailpoller after classify. */
#include "mail/report.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "mail/address.h"

#define SEARCHED_MAX 8000 /* bytes of a text that are searched */

/* ---- status codes ---- */

static const struct {
    const char *begin;
    enum mail_fault fault;
} faults[] = {
    {"5.1.8", MAIL_FAULT_POLICY}, /* our own address is refused */
    {"5.1.7", MAIL_FAULT_POLICY},
    {"5.1.", MAIL_FAULT_ADDRESS},
    {"4.1.8", MAIL_FAULT_POLICY},
    {"5.2.1", MAIL_FAULT_ADDRESS}, /* disabled */
    {"5.2.2", MAIL_FAULT_FULL},
    {"4.2.2", MAIL_FAULT_FULL},
    {"5.2.3", MAIL_FAULT_SIZE},
    {"5.3.4", MAIL_FAULT_SIZE},
    {"4.3.4", MAIL_FAULT_SIZE},
    {"5.4.1", MAIL_FAULT_ADDRESS}, /* Exchange Online: recipient address rejected */
    {"5.4.", MAIL_FAULT_NETWORK},
    {"4.4.", MAIL_FAULT_NETWORK},
    {"5.6.", MAIL_FAULT_CONTENT},
    {"5.7.", MAIL_FAULT_POLICY},
    {"4.7.", MAIL_FAULT_POLICY},
    {"4.", MAIL_FAULT_TEMPORARY},
    {"5.", MAIL_FAULT_OTHER},
    {"4", MAIL_FAULT_TEMPORARY},
};

enum mail_fault mail_report_fault(const char *status)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (strncmp(status, faults[i].begin, strlen(faults[i].begin)) == 0)
            return faults[i].fault;
    return MAIL_FAULT_OTHER;
}

static const char *const actions[] = {"unknown",   "failed",  "delayed",
                                      "delivered", "relayed", "expanded"};

const char *mail_report_action_name(enum mail_report_action action)
{
    return actions[action];
}

const char *mail_fault_name(enum mail_fault fault)
{
    static const char *const names[] = {"none",   "address", "full",      "size", "content",
                                        "policy", "network", "temporary", "other"};
    return names[fault];
}

/* Digits at `at`, at most 3. */
static size_t digits_at(const char *at)
{
    size_t count = strspn(at, "0123456789");
    return count <= 3 ? count : 0;
}

/* Copies the first "c.s.d" in the text to `status`; false if there is none. */
static bool find_status(const char *text, char status[MAIL_REPORT_STATUS_SIZE])
{
    for (const char *c = text; (c = strpbrk(c, "245")) != NULL; c++) {
        if (c[1] != '.' || (c > text && (isalnum((unsigned char)c[-1]) || c[-1] == '.')))
            continue;
        size_t subject = digits_at(c + 2);
        if (subject == 0 || c[2 + subject] != '.')
            continue;
        size_t detail = digits_at(c + 3 + subject);
        if (detail == 0 || c[3 + subject + detail] == '.')
            continue;
        snprintf(status, MAIL_REPORT_STATUS_SIZE, "%.*s", (int)(3 + subject + detail), c);
        return true;
    }
    return false;
}

/* "550" as a word of its own, where no enhanced code is told. */
static bool find_code(const char *text, char status[MAIL_REPORT_STATUS_SIZE])
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((*c != '4' && *c != '5') || strspn(c, "0123456789") != 3 || c[1] > '5' ||
            (c > text && strchr(" \t\n:(<", c[-1]) == NULL) || strchr(" -:)", c[3]) == NULL)
            continue;
        snprintf(status, MAIL_REPORT_STATUS_SIZE, "%.3s", c);
        return true;
    }
    return false;
}

/* ---- fields ---- */

struct report_line {
    char name[40];
    const char *value; /* unfolded, on one line, in the arena */
};

/* The text without what stands before it, tabs as spaces, cut to MAIL_REPORT_TEXT_MAX. */
static const char *one_line(struct arena *arena, const char *text, size_t length)
{
    size_t before = strspn(text, " \t>");
    before = before < length ? before : length;
    char *line = arena_strndup(arena, text + before, length - before);
    line[text_utf8_prefix(line, MAIL_REPORT_TEXT_MAX)] = '\0';
    for (char *c = line; *c != '\0'; c++)
        if (*c == '\t')
            *c = ' ';
    return line;
}

/* Reads one field of header-like text and moves *at behind it; false at an empty line or the end,
 * behind which *at is then. What is no field is skipped. */
static bool next_field(struct arena *arena, const char **at, struct report_line *line)
{
    while (**at != '\0' && **at != '\n') {
        struct strbuf value;
        size_t length = strcspn(*at, "\n"), name = strcspn(*at, ":\n");
        bool is_field = name < length && name < sizeof line->name;
        if (is_field)
            snprintf(line->name, sizeof line->name, "%.*s", (int)name, *at);
        strbuf_init(&value, MAIL_VALUE_MAX);
        if (is_field)
            strbuf_add(&value, *at + name + 1, length - name - 1);
        for (*at += length; **at == '\n' && ((*at)[1] == ' ' || (*at)[1] == '\t'); *at += length) {
            ++*at;
            length = strcspn(*at, "\n");
            strbuf_add(&value, *at, length);
        }
        *at += **at == '\n';
        line->value = one_line(arena, value.data, value.length);
        strbuf_fini(&value);
        if (is_field)
            return true;
    }
    *at += **at == '\n';
    return false;
}

/* "rfc822; a@b" -> "a@b"; also "rfc822;<a@b>". */
static const char *typed_value(struct arena *arena, const char *value)
{
    const char *semicolon = strchr(value, ';');
    value = semicolon == NULL ? value : semicolon + 1;
    value += strspn(value, " \t<");
    return arena_strndup(arena, value, strcspn(value, "> \t"));
}

static enum mail_report_action action_of(const char *value)
{
    for (size_t i = 1; i < sizeof actions / sizeof actions[0]; i++)
        if (strncasecmp(value, actions[i], strlen(actions[i])) == 0)
            return (enum mail_report_action)i;
    return MAIL_ACTION_UNKNOWN;
}

static void read_recipient_field(struct arena *arena, const struct report_line *line,
                                 struct mail_report_recipient *r)
{
    if (strcasecmp(line->name, "Final-Recipient") == 0)
        r->address = typed_value(arena, line->value);
    else if (strcasecmp(line->name, "Original-Recipient") == 0)
        r->address = r->address[0] == '\0' ? typed_value(arena, line->value) : r->address;
    else if (strcasecmp(line->name, "Action") == 0)
        r->action = action_of(line->value);
    else if (strcasecmp(line->name, "Status") == 0)
        find_status(line->value, r->status);
    else if (strcasecmp(line->name, "Diagnostic-Code") == 0)
        r->diagnostic = line->value;
}

/* A failure's status may be vague ("5.0.0") where the server's own words are not. */
static void settle_recipient(struct mail_report_recipient *r)
{
    char told[MAIL_REPORT_STATUS_SIZE];
    if ((r->status[0] == '\0' || strcmp(r->status + 1, ".0.0") == 0) &&
        find_status(r->diagnostic, told))
        memcpy(r->status, told, sizeof told);
    if (r->action == MAIL_ACTION_UNKNOWN && r->status[0] != '\0')
        r->action = r->status[0] == '2'   ? MAIL_ACTION_DELIVERED
                    : r->status[0] == '4' ? MAIL_ACTION_DELAYED
                                          : MAIL_ACTION_FAILED;
    if (r->action == MAIL_ACTION_FAILED || r->action == MAIL_ACTION_DELAYED)
        r->fault = mail_report_fault(r->status);
}

/* The blocks of a delivery status: the first is of the message, each further one of a recipient.
 * Some servers leave the empty line between them out: a Final-Recipient begins one as well. */
static size_t read_blocks(struct arena *arena, const char *text, struct mail_report_recipient *list,
                          struct mail_report *out)
{
    size_t count = 0;
    for (const char *at = text; *at != '\0' && count < MAIL_REPORT_RECIPIENTS_MAX;) {
        struct mail_report_recipient r = {.address = "", .diagnostic = ""};
        struct report_line line;
        while (next_field(arena, &at, &line)) {
            if (strcasecmp(line.name, "Original-Envelope-Id") == 0)
                out->envelope_id = line.value;
            if (strcasecmp(line.name, "Final-Recipient") == 0 && r.address[0] != '\0' &&
                r.action != MAIL_ACTION_UNKNOWN && count + 1 < MAIL_REPORT_RECIPIENTS_MAX) {
                settle_recipient(&r);
                list[count++] = r;
                r = (struct mail_report_recipient){.address = "", .diagnostic = ""};
            }
            read_recipient_field(arena, &line, &r);
        }
        if (r.address[0] == '\0' && r.action == MAIL_ACTION_UNKNOWN && r.status[0] == '\0')
            continue;
        settle_recipient(&r);
        list[count++] = r;
    }
    return count;
}

/* ---- texts ---- */

/* The id behind the first "Message-ID:" that begins a line of the text (quoted or not). */
static const char *find_id(struct arena *arena, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        const char *line = at + strspn(at, "> \t");
        if (strncasecmp(line, "Message-ID:", 11) == 0) {
            size_t gap = strspn(line + 11, " \t\n"); /* it may be folded behind the colon */
            const char *open = line + 11 + gap;
            size_t length = *open == '<' ? strcspn(open + 1, "<> \t\n") : 0;
            if (length > 0 && length <= MAIL_ID_MAX && open[1 + length] == '>')
                return arena_strndup(arena, open + 1, length);
        }
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return "";
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr(".!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* The first address in the text that is not the reporter's own, as a lost mail's recipient is what
 * a bounce names first. */
static const char *find_address(struct arena *arena, const struct mail *mail, const char *text)
{
    for (const char *at = text; (at = strchr(at, '@')) != NULL; at++) {
        const char *begin = at, *end = at + 1;
        while (begin > text && is_word(begin[-1]))
            begin--;
        while (isalnum((unsigned char)*end) || *end == '-' || *end == '.')
            end++;
        while (end > at + 1 && (end[-1] == '.' || end[-1] == '-'))
            end--;
        if (begin == at || end == at + 1)
            continue;
        const char *found = arena_strndup(arena, begin, (size_t)(end - begin));
        bool own =
            (mail->from.count > 0 && mail_address_equal(found, mail->from.items[0].address)) ||
            (mail->to.count > 0 && mail_address_equal(found, mail->to.items[0].address));
        if (mail_address_is_plain(found) && !own)
            return found;
    }
    return "";
}

static bool mentions_delay(const char *subject, const char *text)
{
    static const char *const words[] = {"delay",
                                        "warning:",
                                        "still being retried",
                                        "will keep trying",
                                        "not yet been delivered",
                                        "verzögert",
                                        "retardé",
                                        "retrasad",
                                        "vertraagd",
                                        "ritardat",
                                        "atrasad",
                                        "opóźnion",
                                        "försenat",
                                        "forsinket",
                                        "задерж",
                                        "遅延",
                                        "延迟"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(subject, words[i]) != NULL || strcasestr(text, words[i]) != NULL)
            return true;
    return false;
}

/* The line of the text that holds the status, as what the server said. */
static const char *find_diagnostic(struct arena *arena, const char *text, const char *status)
{
    const char *found = status[0] == '\0' ? NULL : strstr(text, status);
    if (found == NULL)
        return "";
    while (found > text && found[-1] != '\n')
        found--;
    return one_line(arena, found, strcspn(found, "\n"));
}

static size_t read_text(struct arena *arena, const struct mail *mail, const char *text,
                        struct mail_report_recipient *list)
{
    struct mail_report_recipient r = {.address = "", .diagnostic = ""};
    const char *failed = mail_header(mail, "X-Failed-Recipients");
    r.address = find_address(arena, mail, failed != NULL ? failed : text);
    if (!find_status(text, r.status))
        find_code(text, r.status);
    r.diagnostic = find_diagnostic(arena, text, r.status);
    bool delay = r.status[0] == '4' || (r.status[0] != '5' && mentions_delay(mail->subject, text));
    r.action = delay ? MAIL_ACTION_DELAYED : MAIL_ACTION_FAILED;
    r.fault = mail_report_fault(r.status);
    list[0] = r;
    return 1;
}

/* ---- reading ---- */

static const char *lower_word(struct arena *arena, const char *value)
{
    return mail_address_lower(arena, arena_strndup(arena, value, strcspn(value, " ;\t")));
}

static void read_feedback(struct arena *arena, const char *report, struct mail_report *out)
{
    struct report_line line;
    for (const char *at = report; *at != '\0';)
        while (next_field(arena, &at, &line)) {
            if (strcasecmp(line.name, "Feedback-Type") == 0)
                out->feedback = lower_word(arena, line.value);
            else if (strcasecmp(line.name, "Original-Envelope-Id") == 0)
                out->envelope_id = line.value;
        }
}

void mail_report_read(struct arena *arena, const struct mail *mail, const char *text,
                      struct mail_report *out)
{
    struct mail_report report = {.original_id = "", .envelope_id = "", .feedback = ""};
    struct mail_report_recipient *list =
        arena_alloc(arena, MAIL_REPORT_RECIPIENTS_MAX * sizeof *list);
    const char *searched = arena_strndup(arena, text, text_utf8_prefix(text, SEARCHED_MAX));
    if (strcasecmp(mail->report_type, "feedback-report") == 0) {
        read_feedback(arena, mail->report, &report);
    } else {
        report.recipient_count = read_blocks(arena, mail->report, list, &report);
        if (report.recipient_count == 0)
            report.recipient_count = read_text(arena, mail, searched, list);
    }
    report.recipients = list;
    report.original_id = find_id(arena, mail->original);
    if (report.original_id[0] == '\0')
        report.original_id = find_id(arena, text);
    *out = report;
}
