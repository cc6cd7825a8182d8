"""The test harness: discovery, servers, services, stand-ins, load, stop points and the oracle.

A suite is a folder tests/<suite> with files test_*.py; each function test_*(desk) is a test. What a
file may say about itself, as module variables:

  BUILD = "debug"      the preset whose programs it runs (debug has sanitizers and stop points)
  DEADLINE_S = 60      for each of its tests
  DIRECT = False       services talk to PostgreSQL directly, not through PgBouncer
  OWN_SERVERS = False  it kills Kafka or PostgreSQL: it gets its own
  PARTITIONS = 6       what a topic has at most: each costs the broker and its readers time
  SHARE = False        its tests share the services that the first one starts
"""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "deploy" / "local"))


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""
