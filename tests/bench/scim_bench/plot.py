"""A picture of figures: bars on a logarithmic axis, as an SVG that needs nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEFT: Final = 190
RIGHT: Final = 70
WIDTH: Final = 860
BAR: Final = 11
GAP: Final = 12
TOP: Final = 70
COLOURS: Final = ("#2563eb", "#0d9488", "#b45309", "#7c3aed", "#be123c", "#4d7c0f")
MARK: Final = "#111827"


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that belong together: a value for each series, or none, and the goal as a mark."""

    name: str
    values: Sequence[float | None]
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Bars:
    """A plot: its title, what a bar stands for, and the bars, group by group."""

    title: str
    unit: str
    series: Sequence[str]
    groups: Sequence[Group]

    def svg(self) -> str:
        """Return the picture."""
        return "\n".join(self._parts())

    def _parts(self) -> Iterator[str]:
        height = TOP + len(self.groups) * self._group_height + 40
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">'
        )
        yield f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        yield _text(16, 24, self.title, size=16)
        yield from self._legend()
        yield from self._axis(height - 40)
        for number, group in enumerate(self.groups):
            yield from self._group(group, TOP + number * self._group_height)
        yield "</svg>"

    @property
    def _group_height(self) -> int:
        return len(self.series) * BAR + GAP

    @property
    def _range(self) -> tuple[int, int]:
        """Return the powers of ten between which everything lies."""
        values = [value for group in self.groups for value in (*group.values, group.goal) if value]
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return low, max(high, low + 1)

    def _x(self, value: float) -> float:
        low, high = self._range
        part = (math.log10(max(value, 10**low)) - low) / (high - low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def _legend(self) -> Iterator[str]:
        x = 16.0
        for name, colour in zip(self.series, COLOURS, strict=False):
            yield f'<rect x="{x}" y="38" width="12" height="12" fill="{colour}"/>'
            yield _text(x + 17, 48, name)
            x += 40 + 6.6 * len(name)
        if any(group.goal for group in self.groups):
            yield f'<line x1="{x}" y1="37" x2="{x}" y2="51" stroke="{MARK}" stroke-width="3"/>'
            yield _text(x + 8, 48, "goal")

    def _axis(self, bottom: int) -> Iterator[str]:
        low, high = self._range
        for power in range(low, high + 1):
            x = self._x(10**power)
            yield f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#d1d5db"/>'
            yield _text(x, bottom + 16, f"{10.0**power:g}", anchor="middle")
        yield _text(WIDTH - RIGHT, bottom + 32, self.unit, anchor="end")

    def _group(self, group: Group, top: int) -> Iterator[str]:
        middle = top + len(self.series) * BAR / 2
        yield _text(LEFT - 8, middle + 4, group.name, anchor="end")
        for number, value in enumerate(group.values):
            if value is not None:
                y, end = top + number * BAR, self._x(value)
                yield (
                    f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR - 1}" '
                    f'fill="{COLOURS[number % len(COLOURS)]}"/>'
                )
                yield _text(end + 4, y + BAR - 2, f"{value:.3g}", size=10)
        if group.goal is not None:
            x, bottom = self._x(group.goal), top + len(self.series) * BAR
            yield (
                f'<line x1="{x:.1f}" y1="{top - 2}" x2="{x:.1f}" y2="{bottom + 1}" '
                f'stroke="{MARK}" stroke-width="3"/>'
            )


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
