"""From a picture, a link or a typed code to a server and a code. No secret comes from argv."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import zxingcpp
from PIL import Image, UnidentifiedImageError

from .errors import Usage

if TYPE_CHECKING:
    from pathlib import Path

_QR_CODES: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_TOKEN: Final = re.compile(r"1\.([A-Za-z0-9_-]{43})")
_TYPED: Final = re.compile(r"([0-9A-Za-z]{4}[\s-]*){4}")
_HOST: Final = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Link:
    """Where to claim (scheme, host and port), and the code, which nobody else may see."""

    server: str
    code: str = field(repr=False)


def from_picture(path: Path) -> Link:
    """Read the only link to a mobile ID in a picture or screenshot."""
    try:
        with Image.open(path) as picture:
            found = zxingcpp.read_barcodes(picture.convert("RGB"), formats=_QR_CODES)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise Usage(f"The picture {path} cannot be read: {type(error).__name__}.") from None
    texts = {code.text for code in found}
    if len(texts) != 1:
        raise Usage(f"The picture {path} has {len(texts)} readable QR codes; it must have one.")
    return from_text(texts.pop())


def from_text(text: str) -> Link:
    """Read a link such as `https://host/e#1.<token>`."""
    parts = urlsplit(text.strip())
    if parts.path != "/e" or parts.query:
        raise Usage("This is no link to a mobile ID; one is like https://host/e#1.…")
    if not parts.fragment.startswith("1."):
        raise Usage("This link is of another version than 1; you need a newer phone.")
    token = _TOKEN.fullmatch(parts.fragment)
    if token is None:
        raise Usage("This link is cut off or was changed; scan it again.")
    return Link(server_of(f"{parts.scheme}://{parts.netloc}"), token[1])


def from_typed(server: str, code: str) -> Link:
    """Read a code that somebody typed: 16 letters and digits, in any case and grouping."""
    if _TYPED.fullmatch(code.strip()) is None:
        raise Usage("A typed code has 16 letters and digits, such as ABCD-EFGH-JKMN-PQRS.")
    return Link(server_of(server), code.strip())


def server_of(url: str) -> str:
    """Return scheme, host and port of a server that may be spoken to: https, or http on loopback."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Usage("The address of the server is none.") from None
    shown = f"[{host}]" if ":" in host else host
    if parts.username is not None or parts.path not in ("", "/") or not _HOST.fullmatch(shown):
        raise Usage("The address of a server is https://host or https://host:port.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise Usage(f"The server {shown} must be reached by https; http is for this machine only.")
    return f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
