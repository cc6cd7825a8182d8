/* Registration of the engine's metrics. */
#include "counters.h"

struct counters counters;

static const struct {
    struct metric **metric;
    struct metric *(*make)(const char *name, const char *labels, const char *help);
    const char *name, *labels, *help;
} rows[] = {
    {&counters.claimed, metric_counter, "frontdesk_events_claimed_total", "channel=\"sms\"",
     "Inbound events that were new"},
    {&counters.duplicates, metric_counter, "frontdesk_events_duplicate_total", "channel=\"sms\"",
     "Inbound events that were known already"},
    {&counters.dead_letters, metric_counter, "frontdesk_dead_letters_total", "",
     "Records that could not be claimed"},
    {&counters.dead_letters_lost, metric_counter, "frontdesk_dead_letters_lost_total", "",
     "Records that could not be claimed and whose dead letter no broker would take"},
    {&counters.claim_failures, metric_counter, "frontdesk_claim_failures_total", "",
     "Claim units that failed and were tried again"},
    {&counters.claim_seconds, metric_histogram, "frontdesk_claim_seconds", "",
     "Time of a claim unit"},
    {&counters.replies, metric_counter, "frontdesk_turns_total", "outcome=\"reply\"",
     "Committed turns"},
    {&counters.closed, metric_counter, "frontdesk_turns_total", "outcome=\"closed\"",
     "Committed turns"},
    {&counters.fallbacks, metric_counter, "frontdesk_turns_total", "outcome=\"fallback\"",
     "Committed turns"},
    {&counters.degraded, metric_counter, "frontdesk_turns_total", "outcome=\"degraded\"",
     "Committed turns"},
    {&counters.budget_spent, metric_counter, "frontdesk_turns_total", "outcome=\"budget_spent\"",
     "Committed turns"},
    {&counters.budgets_low, metric_counter, "frontdesk_budgets_used_total", "level=\"80\"",
     "Budgets of a period of which this process saw so many per cent spent"},
    {&counters.budgets_gone, metric_counter, "frontdesk_budgets_used_total", "level=\"100\"",
     "Budgets of a period of which this process saw so many per cent spent"},
    {&counters.recomputes, metric_counter, "frontdesk_turn_recomputes_total", "",
     "Turns started anew because a text came"},
    {&counters.refused, metric_counter, "frontdesk_turns_refused_total", "",
     "Commits refused by worker, fence or epoch"},
    {&counters.unfit_plain, metric_counter, "frontdesk_commits_unfit_total", "then=\"fallback\"",
     "Commits that the database will never take, and what was committed"},
    {&counters.unfit_bare, metric_counter, "frontdesk_commits_unfit_total", "then=\"failed\"",
     "Commits that the database will never take, and what was committed"},
    {&counters.unfit_starts, metric_counter, "frontdesk_starts_unfit_total", "",
     "Turns that the database never started, whose texts wait for a person"},
    {&counters.calls_lost, metric_counter, "frontdesk_model_calls_not_stored_total", "",
     "Model calls of turns without a commit that could not be stored, and are not counted"},
    {&counters.adopted, metric_counter, "frontdesk_sessions_adopted_total", "",
     "Due sessions taken over"},
    {&counters.in_flight, metric_gauge, "frontdesk_turns_in_flight", "", "Turns at work"},
    {&counters.turn_seconds, metric_histogram, "frontdesk_turn_seconds", "",
     "From start to commit"},
    {&counters.model_calls_ok, metric_counter, "frontdesk_model_calls_total",
     "outcome=\"answered\"", "Model calls"},
    {&counters.model_calls_failed, metric_counter, "frontdesk_model_calls_total",
     "outcome=\"failed\"", "Model calls"},
    {&counters.models_troubled, metric_gauge, "frontdesk_models_troubled", "",
     "Models of tenants whose last calls failed"},
    {&counters.model_queue_seconds, metric_histogram, "frontdesk_model_queue_seconds", "",
     "From when a turn could ask a model to its request: places, budgets, rates, statements"},
    {&counters.first_token_seconds, metric_histogram, "frontdesk_model_first_token_seconds", "",
     "From request to first token"},
    {&counters.tool_calls_ok, metric_counter, "frontdesk_tool_calls_total", "outcome=\"answered\"",
     "Calls of tenants' HTTP tools"},
    {&counters.tool_calls_failed, metric_counter, "frontdesk_tool_calls_total",
     "outcome=\"failed\"", "Calls of tenants' HTTP tools"},
    {&counters.tool_requests, metric_gauge, "frontdesk_tool_requests_in_flight", "",
     "Requests to tenants' HTTP tools on their way, or waiting for their tenant's others"},
    {&counters.tools_troubled, metric_gauge, "frontdesk_tool_servers_troubled", "",
     "Servers of tenants' HTTP tools whose last calls failed"},
    {&counters.tool_seconds, metric_histogram, "frontdesk_tool_seconds", "",
     "Time of a call of an HTTP tool, with its tries and waits"},
    {&counters.workers_lost, metric_counter, "frontdesk_workers_lost_total", "",
     "Times a worker of this process was marked dead"},
    {&counters.directory_published, metric_counter, "frontdesk_directory_published_total", "",
     "Directory records published"},
    {&counters.notices, metric_counter, "frontdesk_escalation_notices_total", "",
     "People of a rota who were told of an escalation"},
    {&counters.rotas_parked, metric_counter, "frontdesk_escalations_parked_total", "",
     "Escalations whose rota could not be told and that wait for a person to look"},
};

void counters_init(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        *rows[i].metric = rows[i].make(rows[i].name, rows[i].labels, rows[i].help);
}
