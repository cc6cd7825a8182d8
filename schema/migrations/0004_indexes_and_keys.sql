-- What deskctl looks up must not take longer with every year of history: erasure and reconcile by
-- session, person and address, dead ends by state, one row by its id alone.
CREATE INDEX messages_session ON messages (tenant_id, session_id);
CREATE INDEX conversations_contact ON conversations (tenant_id, contact_id);
CREATE INDEX conversations_id ON conversations (id);
CREATE INDEX channel_sessions_remote ON channel_sessions (tenant_id, remote_address);
CREATE INDEX consents_address ON consents (tenant_id, address);
CREATE INDEX inbox_events_address ON inbox_events (tenant_id, address_hash);
CREATE INDEX inbox_events_late ON inbox_events (message_id) WHERE state = 'late';
CREATE INDEX turns_dead ON turns (id) WHERE state = 'failed';
CREATE INDEX deliveries_dead ON deliveries (id)
    WHERE state = 'parked' OR (state = 'suppressed' AND reason = 'late');

-- A row never names a turn or an assistant of another tenant. A session names its turn and the turn
-- its session, and erasure deletes both in one transaction: those keys are checked at its end.
CREATE INDEX messages_turn ON messages (tenant_id, turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX deliveries_turn ON deliveries (tenant_id, turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX channel_sessions_turn ON channel_sessions (tenant_id, turn_id)
    WHERE turn_id IS NOT NULL;
ALTER TABLE messages ADD FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE deliveries ADD FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE channel_sessions ADD FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE turns ADD FOREIGN KEY (tenant_id, assistant_id) REFERENCES assistants (tenant_id, id);
