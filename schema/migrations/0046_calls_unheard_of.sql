-- Calls that were placed and of whose end no word has come: the provider is asked (docs/CALLING.md).
CREATE INDEX deliveries_calls_open ON deliveries (next_at) WHERE state = 'sent' AND via = 'call';
