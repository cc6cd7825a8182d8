/* The engine's metrics, registered once at start. */
#ifndef DESK_ENGINE_COUNTERS_H
#define DESK_ENGINE_COUNTERS_H

#include "service/metrics.h"

struct counters {
    struct metric *briefed_ahead, *briefed_behind;
    struct metric *claimed, *duplicates, *dead_letters, *claim_failures, *claim_seconds;
    struct metric *replies, *closed, *fallbacks, *degraded, *budget_spent, *recomputes, *refused,
        *adopted;
    struct metric *in_flight, *models_troubled, *models_waited_for, *models_crowded, *turn_seconds,
        *model_calls_ok, *model_calls_failed, *model_calls_lost_race, *first_token_seconds,
        *model_queue_seconds;
    struct metric *tool_calls_ok, *tool_calls_failed, *tool_requests, *tool_seconds,
        *tools_troubled;
    struct metric *budgets_low, *budgets_gone;
    struct metric *unfit_plain, *unfit_bare, *unfit_starts, *calls_lost;
    struct metric *mail_claimed, *mail_duplicates;
    struct metric *voice_claimed, *voice_duplicates, *interrupted, *frames, *frames_lost;
    struct metric *dead_letters_lost, *workers_lost, *directory_published, *notices, *rotas_parked;
    struct metric *rotas_unaccepted;
};
extern struct counters counters;

/* Registers all; main thread, before the loops. */
void counters_init(void);

#endif
