"""Runs that need not be repeated: the same script, and everything that it can read is the same.

It is for many users at once, where nothing is issued: dry runs over a filter, and reminders. What a
mobile ID is issued for is always a run of its own, whose answer nobody else's can have become.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mobid.optionscripts.released import attributes_of
from mobid.optionscripts.uses import uses_of
from mobid.processes.ports import Outcome
from mobid_scripts.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.domain.users import User
    from mobid.optionscripts.evaluation import ScriptLanguage
    from mobid.optionscripts.uses import Uses
    from mobid.processes.ports import Evaluation

MOST_REMEMBERED: Final = 5000
_SCRIPTS: Final = 16
_LASTING: Final = frozenset(
    {Outcome.OK, Outcome.REFUSED, Outcome.FAILED_AT_RUN, Outcome.INVALID_RESULT}
)
"""What the same input always leads to. A limit of time may be the fault of a busy machine."""


class Recall:
    """Evaluates scripts of one language, and remembers. Thread-safe, and bounded."""

    def __init__(self, language: ScriptLanguage, *, most: int = MOST_REMEMBERED) -> None:
        self._language = language
        self._most = most
        self._kinds = {kind.name: kind for kind in language.declaration.options}
        self._uses = lru_cache(maxsize=_SCRIPTS)(self._uses_of)
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Evaluation] = OrderedDict()

    def uses(self, source: str) -> Uses:
        """Return what the result of a script can depend on."""
        return self._uses(source)

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Return what `evaluate` of the language returns; time and log may be those of an earlier run."""
        uses = self._uses(source)
        own = self._own_defaults(user, uses, at)
        if own is None:
            return self._language.evaluate(source, user, at=at)
        key = self._key(source, user, uses, at)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
        if known is None:
            known = self._language.evaluate(source, user, at=at)
            self._remember(key, known)
        if known.values is None:
            return known
        return self._language.finished(replace(known, values={**known.values, **own}))

    def _uses_of(self, source: str) -> Uses:
        return uses_of(source, self._language.declaration, self._language.personal)

    def _own_defaults(self, user: User, uses: Uses, at: datetime) -> Mapping[str, object] | None:
        """Return the user's own defaults that the script cannot see; None if one is not acceptable."""
        defaults = self._language.defaults_for(user)
        try:
            checked = {
                name: self._kinds[name].check(defaults[name], at)
                for name in self._language.personal
            }
        except BadValue:
            return None
        return {name: value for name, value in checked.items() if name not in uses.defaults}

    def _key(self, source: str, user: User, uses: Uses, at: datetime) -> bytes:
        seen = attributes_of(user, self._language.declaration)
        defaults = self._language.defaults_for(user)
        told = [
            source,
            at.date().isoformat(),
            {name: value for name, value in seen.items() if name in uses.attributes},
            {name: defaults[name] for name in uses.defaults},
        ]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()

    def _remember(self, key: bytes, evaluation: Evaluation) -> None:
        if evaluation.outcome not in _LASTING:
            return
        with self._lock:
            self._known[key] = evaluation
            while len(self._known) > self._most:
                self._known.popitem(last=False)
