-- A hand-back ends the turns whose texts the person has answered, with what they have begun (docs/PROTOCOL.md, takeover): as a
-- call's end does, with what the caller heard as their reply.
GRANT UPDATE (state, outcome, reserved_day, finished_at) ON turns TO frontdesk_console;
GRANT UPDATE (fence, turn_id) ON channel_sessions TO frontdesk_console;
GRANT UPDATE (state, outcome, result, finished_at) ON tool_calls TO frontdesk_console;
