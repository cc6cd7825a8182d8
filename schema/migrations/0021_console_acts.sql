-- What takeover, reply and hand-back write (common/store/conversation.c), for the console's role: the policies of these
-- tables already keep it within one tenant. workers have no tenant: whoever acts on a lease that is over marks that
-- worker dead first.
GRANT UPDATE (last_activity_at) ON conversations TO frontdesk_console;
GRANT UPDATE (due_at, burst_at, worker, claimed, delivery_seq) ON channel_sessions TO frontdesk_console;
GRANT UPDATE (state, reason, turn_id, settled_at) ON inbox_events TO frontdesk_console;
GRANT UPDATE (worker) ON turns TO frontdesk_console;
GRANT UPDATE (asked, tries) ON receptions TO frontdesk_console;
GRANT INSERT ON messages TO frontdesk_console;
GRANT INSERT, UPDATE (state, reason, worker, settled_at, epoch) ON deliveries TO frontdesk_console;
GRANT UPDATE (outcome, finished_at) ON delivery_attempts TO frontdesk_console;
GRANT SELECT, UPDATE (dead) ON workers TO frontdesk_console;
