"""Growth: what a turn costs engine and database when there is much of something else.

Each row fills the database to three sizes and measures the same turns at each: processor time of the
engine and of PostgreSQL's processes, the cheapest of some batches. The limit is for the factor between
the smallest and the largest size by a log-log fit.
"""

import statistics

from measure import cpu_by_pid
from procs import children_of

BATCH = 200
# (smallest, middle, largest); --long goes to the ends that are promised.
SIZES = {"conversations": ((10_000, 55_000, 300_000), (10_000, 100_000, 1_000_000)),
         "tenants": ((1, 14, 200), (1, 100, 10_000)),
         "history": ((10, 1_000, 100_000), (10, 1_000, 100_000)),
         "knowledge": ((1_000, 10_000, 100_000), (1_000, 30_000, 1_000_000))}
CUSTOMERS = 5  # with a long history

# Conversations that are over: $1 is the tenant, its number from-to; ids in order, as time makes them.
CONVERSATIONS = """
SET session_replication_role = replica;
CREATE TEMP TABLE many AS SELECT n, ('a' || lpad(to_hex(n), 7, '0')
    || '-0000-8000-8000-000000000000')::uuid AS id FROM generate_series({first}, {last}) n;
INSERT INTO contacts (tenant_id, id) SELECT '{tenant}', id FROM many;
INSERT INTO contact_addresses (tenant_id, kind, address, contact_id)
    SELECT '{tenant}', 'phone', '+4989' || lpad(n::text, 8, '0'), id FROM many;
INSERT INTO conversations (tenant_id, id, contact_id) SELECT '{tenant}', id, id FROM many;
INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind, remote_address,
    fence, claimed, turn_number, delivery_seq)
    SELECT '{tenant}', id, id, '{channel}', 'sms', '+4989' || lpad(n::text, 8, '0'), 1, 1, 1, 1
    FROM many;
INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id, address_hash,
    content_hash, state, claim_id, event_time, settled_at)
    SELECT '{tenant}', 'sms', 'SM' || replace(id::text, '-', ''), id, id, id, '', 'answered', id,
    clock_timestamp(), clock_timestamp() FROM many;
INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,
    provider_id, event_time)
    SELECT '{tenant}', id, id, id, 'in', 'contact', 'Hello, what does a check-up cost?',
    'SM' || replace(id::text, '-', ''), clock_timestamp() FROM many;
DROP TABLE many;
ANALYZE; CHECKPOINT"""

HISTORY = """
INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body, event_time)
    SELECT s.tenant_id, gen_random_uuid(), s.conversation_id, s.id,
    CASE WHEN n %% 2 = 0 THEN 'in' ELSE 'out' END, CASE WHEN n %% 2 = 0 THEN 'contact' ELSE 'ai' END,
    'A message of long ago, number ' || n, clock_timestamp()
    FROM channel_sessions s, generate_series(1, {count}) n
    WHERE s.remote_address = ANY(%s::text[])"""

# What a history of that length has come to: the summary of all but its last messages, as if the
# reply to the first text had made it.
SUMMARY = """
INSERT INTO summaries (tenant_id, id, conversation_id, up_to, body, assistant_version, call_id)
    SELECT s.tenant_id, gen_random_uuid(), s.conversation_id, o.position,
    'The customer has written for years, mostly about check-ups.', 1, k.id
    FROM channel_sessions s
    CROSS JOIN LATERAL (SELECT m.position FROM messages m WHERE m.tenant_id = s.tenant_id
    AND m.conversation_id = s.conversation_id ORDER BY m.position DESC OFFSET 20 LIMIT 1) AS o
    CROSS JOIN LATERAL (SELECT k.id FROM turns t JOIN llm_calls k ON k.tenant_id = t.tenant_id
    AND k.turn_id = t.id WHERE t.tenant_id = s.tenant_id AND t.session_id = s.id LIMIT 1) AS k
    WHERE s.remote_address = ANY(%s::text[])"""

KNOWLEDGE = """
INSERT INTO kb_documents (tenant_id, id, name, kind, language, search_config, content_hash,
    size_bytes, chunk_count) VALUES ('{tenant}', '{document}', 'Papers {last}', 'text', 'en',
    'english', '', 1, {last} - {first} + 1);
INSERT INTO kb_chunks (tenant_id, id, document_id, place, kind, heading, body, search)
    SELECT '{tenant}', gen_random_uuid(), '{document}', n, 'text', c.heading, c.body,
    setweight(to_tsvector('english', c.heading), 'A') || to_tsvector('english', c.body)
    || array_to_tsvector(ARRAY['#english#{tenant}'])
    FROM generate_series({first}, {last}) n CROSS JOIN LATERAL (SELECT 'Part ' || n || ' group'
    || n % 40 AS heading, 'word' || n || ' costs price' || n % 97 || ' dollars; every part has '
    || 'common words and rare' || n % 701 || ' ones, alpha' || n % 11 || ' beta' || n % 13 AS body) c;
ANALYZE kb_documents; ANALYZE kb_chunks; CHECKPOINT"""
QUESTION = "which common part has word77 and rare5 ones, or alpha3 and beta2 in every group?"


def sizes_of(trial, what):
    sizes = SIZES[what][1 if trial.is_long else 0]
    return tuple(max(5, size // 20) for size in sizes) if trial.small else sizes


def start(trial):
    """Services as in production; the model answers at once."""
    bench = trial.start()
    nonces, load = bench.fresh(2 * len(trial.desk.tenants))
    bench.send(load)
    bench.settle(nonces)
    return bench


def cost(trial, batch, batches=4):
    """Microseconds of engine and database a turn: the cheapest of some batches after a warm-up.
    `batch()` gives (nonces, webhooks)."""
    bench, postgres = trial.bench, trial.servers.postgres.child.pid
    seen = []
    for _ in range(batches + 1):
        nonces, load = batch()
        pids = [*bench.pids(("engine",)), *children_of(postgres)]
        begin = cpu_by_pid(pids)
        bench.send(load)
        bench.settle(nonces)
        end = cpu_by_pid([*bench.pids(("engine",)), *children_of(postgres)])
        seen.append(sum(used - begin.get(pid, 0) for pid, used in end.items()) * 1e6 / len(nonces))
    return min(seen[1:])


def conversations(trial):
    bench = start(trial)
    tenant, channel = trial.desk.sql(
        "SELECT tenant_id::text, id::text FROM channels WHERE kind = 'sms'"
        " ORDER BY address LIMIT 1")[0]
    points, last = [], 0
    for size in sizes_of(trial, "conversations"):
        trial.desk.sql(CONVERSATIONS.format(tenant=tenant, channel=channel, first=last + 1,
                                                   last=size))
        last = size
        points.append((size, cost(trial, lambda: bench.fresh(BATCH))))
    trial.report.growth("G_conversations", "us_cpu/turn", points, 1.05)


def history(trial):
    """Customers with so many messages behind them write again and again."""
    bench = start(trial)
    points, rounds = [], 4 if trial.small else 12
    for size in sizes_of(trial, "history"):
        tenants = trial.desk.tenants[:CUSTOMERS]
        addresses = [trial.desk.new_address() for _ in tenants]

        def one_each(tenants=tenants, addresses=addresses):
            bench.tag += 1
            return bench.requests(CUSTOMERS, addresses, f"h{bench.tag:02x}x", tenants)
        nonces, load = one_each()
        bench.send(load)
        bench.settle(nonces)
        trial.desk.sql(HISTORY.format(count=size), addresses)
        trial.desk.sql(SUMMARY, addresses)
        trial.desk.sql("ANALYZE messages; CHECKPOINT")
        points.append((size, statistics.median(cost(trial, one_each, rounds) for _ in range(3))))
    trial.report.growth("G_history", "us_cpu/turn", points, 1.1)


def tenants(trial):
    """Texts for so many businesses in turn, all of which have been written to before."""
    sizes = sizes_of(trial, "tenants")
    trial.desk.grow(sizes[-1])
    bench, points = start(trial), []
    for count in sizes:
        some = trial.desk.tenants[:count]

        def batch(some=some):
            at = bench.tag * BATCH % len(some)  # a batch holds few of many: others each time
            return bench.fresh(BATCH, some[at:] + some[:at])
        points.append((count, cost(trial, batch)))
    trial.report.growth("G_tenants", "us_cpu/turn", points, 1.1)


def knowledge(trial):
    """All texts are for one tenant, and ask for what its papers hold."""
    bench = start(trial)
    known = trial.desk.tenants[0]
    tenant = trial.desk.value("SELECT id::text FROM tenants WHERE name = %s", known["name"])

    def questions():
        nonces, _ = bench.fresh(BATCH // 2, [known])
        return nonces, [bench.request(nonce, trial.desk.new_address(), known, words=QUESTION)
                        for nonce in nonces]
    points, last = [], 0
    for size in sizes_of(trial, "knowledge"):
        trial.desk.sql(KNOWLEDGE.format(
            tenant=tenant, document=f"b{size:07x}-0000-8000-8000-000000000000", first=last + 1,
            last=size))
        last = size
        points.append((size, cost(trial, questions)))
    trial.report.growth("G_knowledge", "us_cpu/turn", points, 3.0)
