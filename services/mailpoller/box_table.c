/* The table of a mailbox in hand and its printing. box.c executes it. */
#include "box_table.h"

#include <stddef.h>

static const struct box_rule rules[] = {
    {BOX_CONNECTING, BOX_ON_READY, BOX_SELECTING, BOX_DO_SELECT, "logged in"},
    {BOX_CONNECTING, BOX_ON_DRAIN, BOX_ENDING, BOX_DO_GIVE_BACK, "another process connects"},
    {BOX_SELECTING, BOX_ON_SAME, BOX_SEARCHING, BOX_DO_SEARCH,
     "the mailbox is as we left it: what is above the cursor"},
    {BOX_SELECTING, BOX_ON_NOTHING, BOX_WAITING, BOX_DO_WAIT,
     "nothing has changed in it since all was read (CONDSTORE)"},
    {BOX_SELECTING, BOX_ON_CHANGED, BOX_KEEPING, BOX_DO_KEEP,
     "new to us, or made anew: where reading begins is kept before anything is read"},
    {BOX_SELECTING, BOX_ON_UNTOLD, BOX_FINDING_END, BOX_DO_FIND_END,
     "new to us, or made anew, and its server does not say where it ends"},
    {BOX_FINDING_END, BOX_ON_CHANGED, BOX_KEEPING, BOX_DO_KEEP, "it ends there"},
    {BOX_KEEPING, BOX_ON_KEPT, BOX_SEARCHING, BOX_DO_SEARCH, "the cursor is kept"},
    {BOX_SEARCHING, BOX_ON_FOUND, BOX_LOOKING, BOX_DO_LOOK, "mails: how large, and since when"},
    {BOX_SEARCHING, BOX_ON_GAP, BOX_SEARCHING, BOX_DO_SEARCH, "UIDs have gaps: looks above it"},
    {BOX_SEARCHING, BOX_ON_CHANGED, BOX_KEEPING, BOX_DO_KEEP,
     "all is read: a gap, the end of a rescan, or an old failure is put on record"},
    {BOX_SEARCHING, BOX_ON_NOTHING, BOX_WAITING, BOX_DO_WAIT, "all is read"},
    {BOX_LOOKING, BOX_ON_NEXT, BOX_BEGINNING, BOX_DO_BEGIN,
     "notes that the first of the next mails is begun, so that none stops its mailbox for ever"},
    {BOX_LOOKING, BOX_ON_FOUND, BOX_LOOKING, BOX_DO_LOOK,
     "none of them counts: the next ones; or all were refused: half of them"},
    {BOX_LOOKING, BOX_ON_NOTHING, BOX_SEARCHING, BOX_DO_SEARCH,
     "none of them counts, or the first is not told: is it still listed"},
    {BOX_LOOKING, BOX_ON_WITHHELD, BOX_BEGINNING, BOX_DO_BEGIN,
     "still listed, and again not told: notes one more try"},
    {BOX_BEGINNING, BOX_ON_KEPT, BOX_FETCHING, BOX_DO_FETCH,
     "fetches as many as go together; one alone that was begun before"},
    {BOX_BEGINNING, BOX_ON_DOUBT, BOX_PROBING, BOX_DO_PROBE,
     "begun before: which others are there, to tell whether the server gives any"},
    {BOX_BEGINNING, BOX_ON_TOO_OFTEN, BOX_MOVING, BOX_DO_MOVE,
     "it was begun too often, or does not come: listed for a person"},
    {BOX_PROBING, BOX_ON_FOUND, BOX_PROBING, BOX_DO_PROBE_NEXT, "asks for another one"},
    {BOX_PROBING, BOX_ON_NEXT, BOX_FETCHING, BOX_DO_FETCH,
     "tries it again; a refusal counts only if another one was given"},
    {BOX_PROBING, BOX_ON_TOO_OFTEN, BOX_MOVING, BOX_DO_MOVE,
     "another one is told, and it was not, too often: listed for a person"},
    {BOX_FETCHING, BOX_ON_TIME, BOX_FETCHING, BOX_DO_FETCH, "another large mail was in hand"},
    {BOX_FETCHING, BOX_ON_FETCHED, BOX_READING, BOX_DO_READ, "what do their files say"},
    {BOX_FETCHING, BOX_ON_MISSING, BOX_FETCHING, BOX_DO_FETCH,
     "asks for it alone, or for less of it: a server may leave out what is there, or refuse all "
     "for one"},
    {BOX_FETCHING, BOX_ON_WITHHELD, BOX_SEARCHING, BOX_DO_SEARCH,
     "it does not come alone either: is it still listed"},
    {BOX_FETCHING, BOX_ON_UNWANTED, BOX_MOVING, BOX_DO_MOVE,
     "nobody to answer, unreadable, old: listed for a person"},
    {BOX_READING, BOX_ON_NEXT, BOX_READING, BOX_DO_READ, "one is read, or cannot be: the next"},
    {BOX_READING, BOX_ON_TIME, BOX_READING, BOX_DO_READ, "a file of another mail was being read"},
    {BOX_READING, BOX_ON_READ, BOX_STORING, BOX_DO_STORE, "attachments are kept first"},
    {BOX_STORING, BOX_ON_KEPT, BOX_STORING, BOX_DO_STORE, "one is kept: the next"},
    {BOX_STORING, BOX_ON_STORED, BOX_PUBLISHING, BOX_DO_PUBLISH, "publishes them"},
    {BOX_PUBLISHING, BOX_ON_PUBLISHED, BOX_MOVING, BOX_DO_MOVE,
     "all brokers have them: only now the cursor moves"},
    {BOX_PUBLISHING, BOX_ON_UNPUBLISHED, BOX_PUBLISHING, BOX_DO_PAUSE,
     "Kafka is away: the mails stay in hand"},
    {BOX_PUBLISHING, BOX_ON_TIME, BOX_PUBLISHING, BOX_DO_PUBLISH,
     "tries those again that it has not, under the same ids"},
    {BOX_MOVING, BOX_ON_NEXT, BOX_BEGINNING, BOX_DO_BEGIN, "the next mails"},
    {BOX_MOVING, BOX_ON_FOUND, BOX_LOOKING, BOX_DO_LOOK, "those behind them"},
    {BOX_MOVING, BOX_ON_NOTHING, BOX_SEARCHING, BOX_DO_SEARCH, "more may have come"},
    {BOX_WAITING, BOX_ON_FULL, BOX_LEAVING, BOX_DO_LOG_OUT,
     "enough others keep their connection: given back, and looked into in turn"},
    {BOX_WAITING, BOX_ON_NEWS, BOX_SEARCHING, BOX_DO_SEARCH, "the server tells of mail"},
    {BOX_WAITING, BOX_ON_TIME, BOX_SELECTING, BOX_DO_SELECT,
     "asks even if the server told nothing: it may have lost it, or the mailbox was made anew"},

    {BOX_LEAVING, BOX_ON_FAILED, BOX_ENDING, BOX_DO_GIVE_BACK, "logged out"},
    {BOX_LEAVING, BOX_ON_NEWS, BOX_LEAVING, BOX_DO_LOG_OUT, "is on its way out"},
    {BOX_LEAVING, BOX_ON_TIME, BOX_LEAVING, BOX_DO_LOG_OUT, "is on its way out"},
    {BOX_LEAVING, BOX_ON_DRAIN, BOX_LEAVING, BOX_DO_LOG_OUT, "is on its way out"},
    {BOX_ENDING, BOX_ON_KEPT, BOX_GONE, BOX_DO_DROP, "given back"},
    {BOX_ENDING, BOX_ON_DATABASE, BOX_GONE, BOX_DO_DROP, "found again by its worker's name"},

    {BOX_ANY, BOX_ON_DRAIN, BOX_LEAVING, BOX_DO_LOG_OUT, "the process ends"},
    {BOX_ANY, BOX_ON_FAILED, BOX_ENDING, BOX_DO_GIVE_BACK, "given back, due after a pause"},
    {BOX_ANY, BOX_ON_DATABASE, BOX_GONE, BOX_DO_DROP, "taken up again when the database answers"},
    {BOX_ANY, BOX_ON_NOT_HELD, BOX_GONE, BOX_DO_DROP, "another process has it"},
};
#define RULES (sizeof rules / sizeof rules[0])

const struct box_rule *box_rule_for(enum box_state state, enum box_event event)
{
    for (size_t i = 0; state != BOX_GONE && i < RULES; i++)
        if (rules[i].event == event && (rules[i].from == state || rules[i].from == BOX_ANY))
            return &rules[i];
    return NULL;
}

static const char *const states[] = {
    [BOX_CONNECTING] = "connecting",
    [BOX_SELECTING] = "selecting",
    [BOX_FINDING_END] = "finding_end",
    [BOX_KEEPING] = "keeping",
    [BOX_SEARCHING] = "searching",
    [BOX_LOOKING] = "looking",
    [BOX_BEGINNING] = "beginning",
    [BOX_PROBING] = "probing",
    [BOX_FETCHING] = "fetching",
    [BOX_READING] = "reading",
    [BOX_STORING] = "storing",
    [BOX_PUBLISHING] = "publishing",
    [BOX_MOVING] = "moving",
    [BOX_WAITING] = "waiting",
    [BOX_LEAVING] = "leaving",
    [BOX_ENDING] = "ending",
    [BOX_GONE] = "gone",
    [BOX_ANY] = "any",
};
static const char *const events[] = {
    [BOX_ON_READY] = "ready",
    [BOX_ON_SAME] = "same",
    [BOX_ON_CHANGED] = "changed",
    [BOX_ON_UNTOLD] = "untold",
    [BOX_ON_KEPT] = "kept",
    [BOX_ON_FOUND] = "found",
    [BOX_ON_NOTHING] = "nothing",
    [BOX_ON_GAP] = "gap",
    [BOX_ON_NEXT] = "next",
    [BOX_ON_DOUBT] = "doubt",
    [BOX_ON_TOO_OFTEN] = "too_often",
    [BOX_ON_FETCHED] = "fetched",
    [BOX_ON_UNWANTED] = "unwanted",
    [BOX_ON_MISSING] = "missing",
    [BOX_ON_WITHHELD] = "withheld",
    [BOX_ON_READ] = "read",
    [BOX_ON_STORED] = "stored",
    [BOX_ON_PUBLISHED] = "published",
    [BOX_ON_UNPUBLISHED] = "unpublished",
    [BOX_ON_FULL] = "full",
    [BOX_ON_NEWS] = "news",
    [BOX_ON_TIME] = "time",
    [BOX_ON_DRAIN] = "drain",
    [BOX_ON_FAILED] = "failed",
    [BOX_ON_DATABASE] = "database",
    [BOX_ON_NOT_HELD] = "not_held",
};

const char *box_state_name(enum box_state state)
{
    return states[state];
}

void box_table_print(struct strbuf *out)
{
    strbuf_add_text(out, "# A mailbox in hand\n\nPrinted by `frontdesk-mailpoller --diagram` from "
                         "services/mailpoller/box_table.c.\n\n"
                         "| state | event | next | what happens |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < RULES; i++)
        strbuf_printf(out, "| %s | %s | %s | %s |\n", states[rules[i].from], events[rules[i].event],
                      states[rules[i].to], rules[i].sentence);
}
