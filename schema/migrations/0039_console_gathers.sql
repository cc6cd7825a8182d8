-- A takeover moves what a person's earlier conversations have left into the one that is taken (common/store/gather.c):
-- the console's role may do so within its tenant.
GRANT UPDATE (conversation_id) ON channel_sessions, deliveries, turns, messages, receptions TO frontdesk_console;
