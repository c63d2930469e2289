"""Which records are one client."""

from sync.identity.absorb import Outcome, absorb
from sync.identity.candidates import Candidate, candidate_of
from sync.identity.golden import refresh_golden
from sync.identity.keys import Key

__all__ = ["Candidate", "Key", "Outcome", "absorb", "candidate_of", "refresh_golden"]
