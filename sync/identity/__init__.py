"""Which records are one client.

`absorb` takes a page of records in and settles whose all concerned are; `refresh_golden` says what holds about a
client; `decisions` is what people decide by hand; `match` does the same on a file, without a database.
"""

from sync.identity.absorb import Outcome, absorb
from sync.identity.candidates import Candidate, candidate_of
from sync.identity.golden import refresh_golden
from sync.identity.keys import Key

__all__ = ["Candidate", "Key", "Outcome", "absorb", "candidate_of", "refresh_golden"]
