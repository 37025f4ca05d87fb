"""From a picture, a mail, a link or a typed code to a server and a code. None comes from argv."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from io import BytesIO
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
    return _only_link(_texts(path, path), f"The picture {path}")


def from_mail(path: Path) -> Link:
    """Read the only link to a mobile ID in the pictures of a mail that was saved (RFC 5322)."""
    try:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    except OSError as error:
        raise Usage(f"The mail {path} cannot be read: {error.strerror}.") from None
    parts = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    pictures = [part.get_payload(decode=True) for part in parts]
    found = (_texts(BytesIO(one), path) for one in pictures if isinstance(one, bytes))
    return _only_link(set().union(*found), f"The mail {path}")


def _texts(picture: Path | BytesIO, name: Path) -> set[str]:
    try:
        with Image.open(picture) as opened:
            found = zxingcpp.read_barcodes(opened.convert("RGB"), formats=_QR_CODES)
    except UnidentifiedImageError:
        raise Usage(f"{name} cannot be read as a picture; of a mail, give --mail.") from None
    except (OSError, Image.DecompressionBombError) as error:
        raise Usage(f"The picture {name} cannot be read: {type(error).__name__}.") from None
    return {code.text for code in found}


def _only_link(texts: set[str], where: str) -> Link:
    if len(texts) != 1:
        raise Usage(f"{where} has {len(texts)} readable QR codes; it must have one.")
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
