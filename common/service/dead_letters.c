/* One letter per unreadable record. What fails for a while is sent again each second, alone. What
 * the bus can never take as it is (a value above its limit) goes without its value, and what it
 * does not take even so is logged and counted as lost: one such record must not stop its consumer
 * for ever. */
#include "service/dead_letters.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "contract/event.h"
#include "service/log.h"

#define RETRY_MS 1000

struct letter {
    LIST_ENTRY(letter) link;
    struct dead_letters *all;
    const struct bus_record *record;
    char *code;
    bool in_flight, bare;
};
LIST_HEAD(letter_list, letter);

struct dead_letters {
    struct dead_letters_options options;
    struct letter_list list;
    size_t count;
    struct timer *retry;
};

static void send(struct letter *letter);

static void end(struct letter *letter)
{
    letter->all->count--;
    LIST_REMOVE(letter, link);
    free(letter->code);
    free(letter);
}

static void lose(struct letter *letter, const struct err *err)
{
    log_error("dead_letter.lost", LOG_TEXT("code", letter->code),
              LOG_INT("partition", letter->record->partition),
              LOG_INT("offset", letter->record->offset), LOG_ERR(err));
    metric_add(letter->all->options.lost, 1);
    end(letter);
}

static void failed(struct letter *letter, const struct err *err)
{
    letter->in_flight = false;
    if (err->class != ERR_PERMANENT) {
        log_error("dead_letter.not_sent", LOG_ERR(err));
        timer_start(letter->all->retry, RETRY_MS, 0);
    } else if (letter->bare) {
        lose(letter, err);
    } else {
        log_warn("dead_letter.value_dropped", LOG_INT("partition", letter->record->partition),
                 LOG_INT("offset", letter->record->offset), LOG_ERR(err));
        letter->bare = true;
        send(letter);
    }
}

static void tell(struct dead_letters *letters)
{
    if (letters->count == 0)
        letters->options.on_over(letters->options.arg);
}

static void reported(void *arg, const struct err *err)
{
    struct letter *letter = arg;
    struct dead_letters *letters = letter->all;
    if (err == NULL)
        end(letter);
    else
        failed(letter, err);
    tell(letters);
}

static void send(struct letter *letter)
{
    const struct dead_letters_options *options = &letter->all->options;
    struct arena *arena = arena_new();
    struct bus_record record;
    struct err err;
    event_dead_letter(arena, options->prefix, letter->record, options->service, letter->code, 1,
                      &record);
    if (letter->bare)
        event_dead_letter_drop_value(&record);
    letter->in_flight = true;
    int rc = bus_produce(options->producer, &record, reported, letter, &err);
    arena_free(&arena);
    if (rc != 0)
        failed(letter, &err);
}

static void resend(void *arg)
{
    struct dead_letters *letters = arg;
    struct letter *letter, *next;
    for (letter = LIST_FIRST(&letters->list); letter != NULL; letter = next) {
        next = LIST_NEXT(letter, link);
        if (!letter->in_flight)
            send(letter);
    }
    tell(letters);
}

struct dead_letters *dead_letters_new(const struct dead_letters_options *options)
{
    struct dead_letters *letters = xcalloc(1, sizeof *letters);
    letters->options = *options;
    LIST_INIT(&letters->list);
    letters->retry = timer_new(options->loop, resend, letters);
    return letters;
}

void dead_letters_free(struct dead_letters **letters)
{
    if (*letters == NULL)
        return;
    while (!LIST_EMPTY(&(*letters)->list))
        end(LIST_FIRST(&(*letters)->list));
    timer_free(&(*letters)->retry);
    free(*letters);
    *letters = NULL;
}

void dead_letters_add(struct dead_letters *letters, const struct bus_record *record,
                      const char *code)
{
    struct letter *letter = xcalloc(1, sizeof *letter);
    letter->all = letters;
    letter->record = record;
    letter->code = xstrdup(code);
    LIST_INSERT_HEAD(&letters->list, letter, link);
    letters->count++;
    metric_add(letters->options.dead, 1);
    log_warn("record.dead", LOG_TEXT("code", code), LOG_INT("partition", record->partition),
             LOG_INT("offset", record->offset));
    send(letter);
}

size_t dead_letters_left(const struct dead_letters *letters)
{
    return letters->count;
}
