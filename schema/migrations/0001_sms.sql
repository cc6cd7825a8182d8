-- The desk for text messages: tenants, contacts, conversations, channel sessions, the inbox ledger,
-- turns, deliveries and the workers that own work. docs/PROTOCOL.md says which statement may touch
-- what, and in which order rows are locked: contact, conversation, session, delivery.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- ---- roles: nobody serves as owner; engine, responder and ops see all tenants and name the tenant in
-- ---- every statement; the console sees one tenant per transaction.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['frontdesk_engine', 'frontdesk_responder', 'frontdesk_ops',
                                     'frontdesk_console']
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

-- The tenant of this transaction. A local setting becomes '' again at its end, so empty raises too.
CREATE FUNCTION current_tenant() RETURNS uuid
    LANGUAGE plpgsql STABLE
AS $$
DECLARE
    tenant text := current_setting('frontdesk.tenant', true);
BEGIN
    IF tenant IS NULL OR tenant = '' THEN
        RAISE EXCEPTION 'no tenant is set in this transaction' USING ERRCODE = '42501';
    END IF;
    RETURN tenant::uuid;
END $$;

-- ---- the installation: one row; sends need released_for to name this very database
CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    released_for text,
    hold_reason text,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- system identifier and timeline: both change when a database is restored to an earlier point
CREATE FUNCTION database_identity() RETURNS text
    LANGUAGE sql STABLE
AS $$
    SELECT s.system_identifier || ':' || c.timeline_id
      FROM pg_control_system() s, pg_control_checkpoint() c
$$;

-- A database that was just made has sent nothing: it starts released.
INSERT INTO installation (released_for) VALUES (database_identity());

-- ---- workers: one row per loop and process start; the database's clock alone judges the lease
CREATE TABLE workers (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('engine', 'responder')),
    process text NOT NULL,
    lease_until timestamptz NOT NULL,
    dead boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX workers_alive ON workers (kind, lease_until) WHERE NOT dead;

-- ---- tenants and what they set
CREATE TABLE tenants (
    id uuid PRIMARY KEY CHECK (id <> '00000000-0000-0000-0000-000000000000'),
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    display_name text NOT NULL,
    timezone text NOT NULL,
    language text NOT NULL DEFAULT 'en',
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE assistants (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    name text NOT NULL,
    current_version integer NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- config: persona, facts, tone, language, fallback, degraded, models[] (base_url, model, key_wrapped
-- in base64, temperature, max_tokens, first_token_ms, total_ms)
CREATE TABLE assistant_versions (
    tenant_id uuid NOT NULL,
    assistant_id uuid NOT NULL,
    version integer NOT NULL,
    config jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, assistant_id, version),
    FOREIGN KEY (tenant_id, assistant_id) REFERENCES assistants (tenant_id, id)
);

-- credentials: the auth token, wrapped for the responder; edge_keys: signing keys (base64 texts),
-- sealed for ingress; directory_version rises when the edge must learn something.
CREATE TABLE channels (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('sms')),
    address text NOT NULL,
    account_sid text NOT NULL,
    messaging_service_sid text,
    credentials bytea NOT NULL,
    credentials_version integer NOT NULL DEFAULT 1,
    edge_keys jsonb NOT NULL,
    assistant_id uuid NOT NULL,
    directory_version bigint NOT NULL DEFAULT 1,
    published_version bigint NOT NULL DEFAULT 0,
    removed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, assistant_id) REFERENCES assistants (tenant_id, id)
);
-- An address belongs to one tenant of an installation: that is how a webhook finds its tenant. Only
-- ops inserts here, so the index tells no tenant anything about another.
CREATE UNIQUE INDEX channels_address ON channels (kind, address) WHERE removed_at IS NULL;
CREATE INDEX channels_unpublished ON channels (tenant_id, id)
    WHERE published_version < directory_version;

-- ---- people and conversations
CREATE TABLE contacts (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    display_name text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE contact_addresses (
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('phone', 'mail')),
    address text NOT NULL,
    contact_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, address),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id)
);
CREATE INDEX contact_addresses_contact ON contact_addresses (tenant_id, contact_id);

-- epoch rises with takeover, hand-back and merge only; held_by names the person who has it
CREATE TABLE conversations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    contact_id uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    held_by text,
    held_at timestamptz,
    flagged text,
    summary text,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_activity_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id)
);
CREATE UNIQUE INDEX conversations_open ON conversations (tenant_id, contact_id)
    WHERE closed_at IS NULL;
CREATE INDEX conversations_recent ON conversations (tenant_id, last_activity_at DESC);

-- The serial unit. fence rises with each start; claimed counts claims of new events, so that a
-- commit sees whether something came after its prompt; due_at is when the next turn should start.
CREATE TABLE channel_sessions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('sms')),
    remote_address text NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    claimed bigint NOT NULL DEFAULT 0,
    due_at timestamptz,
    burst_at timestamptz,
    worker uuid,
    turn_id uuid,
    turn_number bigint NOT NULL DEFAULT 0,
    delivery_seq bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
    FOREIGN KEY (tenant_id, channel_id) REFERENCES channels (tenant_id, id)
);
CREATE INDEX channel_sessions_due ON channel_sessions (due_at)
    WHERE due_at IS NOT NULL AND worker IS NULL;
CREATE INDEX channel_sessions_worker ON channel_sessions (worker) WHERE due_at IS NOT NULL;
CREATE INDEX channel_sessions_conversation ON channel_sessions (tenant_id, conversation_id);

-- The ledger of inbound events: hashes and state, no content; it outlives erasure, so it has no
-- foreign keys into what erasure deletes.
CREATE TABLE inbox_events (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    channel text NOT NULL CHECK (channel IN ('sms')),
    provider_id text NOT NULL,
    session_id uuid NOT NULL,
    message_id uuid NOT NULL,
    address_hash uuid NOT NULL,
    content_hash bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'answered', 'ended', 'human', 'late', 'failed')),
    reason text,
    turn_id uuid,
    claim_id uuid NOT NULL,
    event_time timestamptz NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at timestamptz,
    traceparent text,
    PRIMARY KEY (tenant_id, channel, provider_id)
);
CREATE INDEX inbox_events_open ON inbox_events (tenant_id, session_id) WHERE state = 'open';
CREATE INDEX inbox_events_turn ON inbox_events (tenant_id, turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX inbox_events_claimed ON inbox_events (claimed_at);

CREATE TABLE messages (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id uuid NOT NULL,
    session_id uuid NOT NULL,
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    author text NOT NULL CHECK (author IN ('contact', 'ai', 'operator', 'system')),
    body text NOT NULL,
    media jsonb,
    provider_id text,
    turn_id uuid,
    event_time timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES channel_sessions (tenant_id, id)
);
CREATE INDEX messages_history ON messages (tenant_id, conversation_id, position DESC);

-- ---- turns
CREATE TABLE turns (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    number bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'failed')),
    outcome text CHECK (outcome IN ('reply', 'fallback', 'degraded')),
    worker uuid,
    fence bigint NOT NULL,
    epoch bigint NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    recomputes integer NOT NULL DEFAULT 0,
    assistant_id uuid,
    assistant_version integer,
    error_code text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline_at timestamptz NOT NULL,
    finished_at timestamptz,
    traceparent text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, session_id, number),
    FOREIGN KEY (tenant_id, session_id) REFERENCES channel_sessions (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id)
);
CREATE INDEX turns_conversation ON turns (tenant_id, conversation_id, started_at);
CREATE INDEX turns_failed ON turns (tenant_id, finished_at) WHERE state = 'failed';

CREATE TABLE llm_calls (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    turn_id uuid NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    outcome text NOT NULL,
    error_code text,
    finish text,
    tokens_in bigint,
    tokens_out bigint,
    tokens_cached bigint,
    connect_ms integer,
    first_token_ms integer,
    total_ms integer,
    request_id text,
    started_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id)
);
CREATE INDEX llm_calls_turn ON llm_calls (tenant_id, turn_id);

-- ---- deliveries: the row is the outbox and the lock
CREATE TABLE deliveries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    message_id uuid NOT NULL,
    turn_id uuid,
    author text NOT NULL CHECK (author IN ('ai', 'operator', 'system')),
    via text NOT NULL CHECK (via IN ('sms')),
    epoch bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sending', 'deferred', 'unknown', 'held',
                                         'parked', 'suppressed', 'sent', 'delivered', 'failed',
                                         'bounced')),
    reason text,
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    worker uuid,
    attempts integer NOT NULL DEFAULT 0,
    provider_sid text,
    provider_status text,
    error_code text,
    segments integer,
    encoding text CHECK (encoding IN ('gsm7', 'ucs2')),
    answer_by timestamptz NOT NULL,
    first_attempt_at timestamptz,
    settled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    traceparent text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, session_id, seq),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES channel_sessions (tenant_id, id),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id)
);
CREATE INDEX deliveries_due ON deliveries (next_at)
    WHERE state IN ('pending', 'deferred', 'unknown') AND worker IS NULL;
CREATE INDEX deliveries_worker ON deliveries (worker) WHERE worker IS NOT NULL;
CREATE INDEX deliveries_unsettled ON deliveries (tenant_id, session_id, seq)
    WHERE state IN ('pending', 'sending', 'deferred', 'unknown', 'held');
CREATE INDEX deliveries_message ON deliveries (tenant_id, message_id);
CREATE INDEX deliveries_conversation ON deliveries (tenant_id, conversation_id);
CREATE INDEX deliveries_provider ON deliveries (tenant_id, provider_sid)
    WHERE provider_sid IS NOT NULL;

-- Status never moves backwards (docs/PROTOCOL.md, delivery states): the last line of defence.
CREATE FUNCTION delivery_rank(state text) RETURNS integer
    LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE state WHEN 'parked' THEN 1 WHEN 'suppressed' THEN 1 WHEN 'sent' THEN 2
                      WHEN 'delivered' THEN 3 WHEN 'failed' THEN 3 WHEN 'bounced' THEN 3
                      ELSE 0 END
$$;
CREATE FUNCTION delivery_forward_only() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF delivery_rank(NEW.state) < delivery_rank(OLD.state)
       OR (delivery_rank(OLD.state) = 3 AND NEW.state <> OLD.state) THEN
        RAISE EXCEPTION 'delivery % would go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delivery_forward_only BEFORE UPDATE OF state ON deliveries
    FOR EACH ROW EXECUTE FUNCTION delivery_forward_only();

CREATE TABLE delivery_attempts (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    worker uuid NOT NULL,
    outcome text CHECK (outcome IN ('accepted', 'refused', 'deferred', 'unknown', 'not_sent')),
    http_status integer,
    error_code text,
    provider_sid text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, delivery_id, number),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES deliveries (tenant_id, id)
);

-- Consent of an address towards one of our senders; moves forward in provider time only.
CREATE TABLE consents (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    sender text NOT NULL,
    address text NOT NULL,
    state text NOT NULL CHECK (state IN ('opted_out', 'opted_in')),
    source text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sender, address)
);

-- ---- periodic work, erasure, audit
CREATE TABLE jobs (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL DEFAULT '',
    due_at timestamptz,
    every_ms bigint,
    worker uuid,
    tries integer NOT NULL DEFAULT 0,
    last_error text,
    last_done_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kind, subject)
);
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE erasures (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    address_hash uuid NOT NULL,
    erased_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, address_hash)
);

CREATE TABLE audit_log (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_log_at ON audit_log (tenant_id, at DESC);

-- ---- walls between tenants
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['assistants', 'assistant_versions', 'channels', 'contacts',
        'contact_addresses', 'conversations', 'channel_sessions', 'inbox_events', 'messages',
        'turns', 'llm_calls', 'deliveries', 'delivery_attempts', 'consents', 'jobs', 'erasures',
        'audit_log']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY one_tenant ON %I TO frontdesk_console '
                       'USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY every_tenant ON %I '
                       'TO frontdesk_engine, frontdesk_responder, frontdesk_ops '
                       'USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON tenants TO frontdesk_console
    USING (id = current_tenant()) WITH CHECK (id = current_tenant());
CREATE POLICY every_tenant ON tenants TO frontdesk_engine, frontdesk_responder, frontdesk_ops
    USING (true) WITH CHECK (true);

-- ---- rights
GRANT SELECT, INSERT, UPDATE, DELETE ON workers TO frontdesk_engine, frontdesk_responder;
GRANT SELECT ON workers TO frontdesk_ops;
GRANT UPDATE (dead) ON workers TO frontdesk_ops;
GRANT SELECT ON installation TO frontdesk_engine, frontdesk_responder, frontdesk_console;
GRANT SELECT, UPDATE ON installation TO frontdesk_ops;
GRANT SELECT ON tenants, assistants, assistant_versions, channels
    TO frontdesk_engine, frontdesk_responder, frontdesk_console;
GRANT UPDATE (published_version) ON channels TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE ON contacts, contact_addresses, conversations, channel_sessions,
    inbox_events, messages, turns, llm_calls, deliveries, consents TO frontdesk_engine;
GRANT SELECT ON conversations, channel_sessions, messages, contacts, contact_addresses,
    inbox_events, turns TO frontdesk_responder;
-- A row lock FOR SHARE needs UPDATE on at least one column.
GRANT UPDATE (last_activity_at) ON conversations TO frontdesk_responder;
GRANT UPDATE (delivery_seq) ON channel_sessions TO frontdesk_responder;
GRANT SELECT, INSERT, UPDATE ON deliveries, delivery_attempts, consents TO frontdesk_responder;
GRANT SELECT ON delivery_attempts, erasures TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE ON jobs TO frontdesk_engine, frontdesk_responder;
GRANT INSERT ON audit_log TO frontdesk_engine, frontdesk_responder;
GRANT SELECT, INSERT ON audit_log TO frontdesk_ops, frontdesk_console;
GRANT SELECT, INSERT, UPDATE ON tenants, assistants, assistant_versions, channels TO frontdesk_ops;
GRANT SELECT, INSERT, UPDATE, DELETE ON contacts, contact_addresses, conversations,
    channel_sessions, inbox_events, messages, turns, llm_calls, deliveries, delivery_attempts,
    consents, jobs, erasures TO frontdesk_ops;
GRANT SELECT ON contacts, contact_addresses, conversations, channel_sessions, messages, turns,
    llm_calls, deliveries, delivery_attempts, consents, inbox_events TO frontdesk_console;
GRANT UPDATE (epoch, held_by, held_at) ON conversations TO frontdesk_console;

-- A statement that waits for a lock gives up and is tried again; nothing waits for a dead client.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['frontdesk_engine', 'frontdesk_responder', 'frontdesk_ops',
                                     'frontdesk_console']
    LOOP
        EXECUTE format('ALTER ROLE %I SET lock_timeout = ''3s''', role_name);
        EXECUTE format('ALTER ROLE %I SET statement_timeout = ''15s''', role_name);
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''5s''', role_name);
    END LOOP;
END $$;
