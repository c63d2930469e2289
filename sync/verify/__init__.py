"""Proof that everything is here: each stream compared with the vendor, and what is wrong named and mended.

``comparing`` verifies a connection; ``findings`` is what it found, ``stored`` where that is kept.
"""

from sync.verify.comparing import verify_connection
from sync.verify.findings import Found, Verified
from sync.verify.settings import verify_every

__all__ = ["Found", "Verified", "verify_connection", "verify_every"]
