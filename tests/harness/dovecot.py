"""Dovecot as ./run starts it (deploy/local/dovecot.py), for tests."""

from harness import CHECKOUT  # noqa: F401  (makes deploy/local importable)
from dovecot import Dovecot, mail  # noqa: F401
