"""QR pictures of a short text: PNG for mails and downloads, SVG for pages."""

from __future__ import annotations

import io
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Final

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_CHARACTERS: Final = 500
"""A longer text makes modules too small for a phone in front of a screen."""

_QUIET_ZONE: Final = 4  # modules (ISO/IEC 18004)
_PIXELS_PER_MODULE: Final = 8


def png(text: str) -> bytes:
    """Return a black-on-white PNG, quiet zone included; raise `ValueError` for an unfit text."""
    picture = io.BytesIO()
    _code(text).make_image().save(picture, "PNG")
    return picture.getvalue()


def svg(text: str, label: str) -> str:
    """Return an `<svg>` element to put into a page; `label` is read out by screen readers.

    The ground is a `<rect>`, so that a page's style for paths can not blacken it. It scales to the
    size that the page gives it, needs no inline style, and never contains `text` in the clear.
    Raises `ValueError` for an unfit text.
    """
    rows = _code(text).get_matrix()
    side = len(rows)
    runs = "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in _dark_runs(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="qr" role="img"'
        f' aria-label="{escape(label)}" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path fill="#000" d="{runs}"/></svg>'
    )


def _code(text: str) -> QRCode:
    if not 0 < len(text) <= MOST_CHARACTERS:
        raise ValueError(
            f"A QR picture holds 1 to {MOST_CHARACTERS} characters; this text has {len(text)}."
        )
    code = QRCode(error_correction=ERROR_CORRECT_M, box_size=_PIXELS_PER_MODULE, border=_QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    return code


def _dark_runs(rows: Sequence[Sequence[bool]]) -> Iterator[tuple[int, int, int]]:
    """Yield column, row and length of every run of dark modules."""
    for y, row in enumerate(rows):
        x = 0
        for dark, modules in groupby(row):
            length = len(list(modules))
            if dark:
                yield x, y, length
            x += length
