"""The audit log as pure functions: event to record, records to a chain, chain to a verdict.

Storage writes the rows. A chain of hashes shows a change to whoever holds an older hash, but an
owner of the database can compute it anew from any point on; the signed checkpoints show that, too.
What nothing here can show is the loss of what was logged after the newest checkpoint that the
verifier has, and a change to a record in the second before it is sealed.
"""

from mobid.audit.chain import GENESIS, Head, Sealed, seal
from mobid.audit.checkpoints import Checkpoint, checkpoint_due, key_id, sign_checkpoint
from mobid.audit.event import AuditEvent, InvalidEvent
from mobid.audit.verify import Report, Verdict, verify

__all__ = [
    "GENESIS",
    "AuditEvent",
    "Checkpoint",
    "Head",
    "InvalidEvent",
    "Report",
    "Sealed",
    "Verdict",
    "checkpoint_due",
    "key_id",
    "seal",
    "sign_checkpoint",
    "verify",
]
