"""Effects: what a committed row wants done outside its transaction gets done, at once or later."""

from mobid.jobs.attempts import Handler, Outcome, RetryAfter
from mobid.jobs.effects import Effects
from mobid.jobs.errors import EffectsError, WorkerRunning
from mobid.jobs.periodic import Periodic
from mobid.jobs.timing import Timing
from mobid.storage.effects import Nudge, WantedWork
from mobid.storage.errors import NoDeadLetter, UnknownKind

__all__ = [
    "Effects",
    "EffectsError",
    "Handler",
    "NoDeadLetter",
    "Nudge",
    "Outcome",
    "Periodic",
    "RetryAfter",
    "Timing",
    "UnknownKind",
    "WantedWork",
    "WorkerRunning",
]
