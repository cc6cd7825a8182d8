-- Takeover and hand-back stop the timers of what people of a rota are asked about (common/store/escalation_admin.c), for
-- the console's role too: the policy of this table keeps it within one tenant.
GRANT SELECT, UPDATE (due_at, worker) ON jobs TO frontdesk_console;
