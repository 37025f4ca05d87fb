"""A plugin of pytest: which tests are measured, where coverage is asked for."""

from __future__ import annotations

from typing import Final

import pytest
from coverage import Coverage


class Measuring:
    """Measures coverage by the tests that mirror the packages, and on one of the two databases.

    What a whole run happens to pass is not what shows that it is right. Measuring makes Python slower
    by two thirds, so all other tests run without: those of the other folders, and those that pass
    the same lines again and again, with random input or as forced races.
    """

    MIRRORS: Final = ("contracts", "extension", "scim", "scripts")
    AGAIN: Final = "test_forced_"

    def __init__(self, config: pytest.Config, coverage: Coverage) -> None:
        self._mirrors: Final = [config.rootpath / "tests" / name for name in self.MIRRORS]
        self._coverage: Final = coverage
        self._measures = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Go on, or pause."""
        if self._measures is self._counts(item):
            return
        self._measures = not self._measures
        if self._measures:
            self._coverage.start()
        else:
            self._coverage.stop()

    def _counts(self, item: pytest.Item) -> bool:
        callspec = getattr(item, "callspec", None)
        values = callspec.params.values() if callspec else ()
        if any(isinstance(value, str) and value == "postgresql" for value in values):
            return False
        # The plugin of hypothesis marks its tests.
        if item.path.name.startswith(self.AGAIN) or item.get_closest_marker("hypothesis"):
            return False
        return any(item.path.is_relative_to(folder) for folder in self._mirrors)


def pytest_configure(config: pytest.Config) -> None:
    """Measure coverage if that is asked for."""
    if (coverage := Coverage.current()) is not None:
        config.pluginmanager.register(Measuring(config, coverage), "measuring")
