"""The last wall before the log: what looks like a secret of ours is masked, wherever it stands.

Secrets are kept out of the log by type (`Secret`) and by care; this is for what slips through, such
as the message of somebody else's exception. It knows secrets by their form, or by the name before
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mobid.domain.actors import ActorKind

if TYPE_CHECKING:
    from collections.abc import MutableMapping

MASK: Final = "***"

_NAMES: Final = (
    r"[\w.-]*(?:password|passwd|passphrase|secret|token|assertion|mail_code|typed_code|api_key)"
)
_CROCKFORD: Final = "[0-9A-HJKMNP-TV-Z]"

_FORMS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.ASCII), instead)
    for pattern, instead in (
        # A private key, also one that is cut off.
        (
            r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
            f"{MASK} (private key)",
        ),
        # The values of a statement, as SQLAlchemy appends them to its errors.
        (r"\[parameters: (?s:.*?)\](?=\n|\Z)", f"[parameters: {MASK}]"),
        # Headers that say who somebody is, with whatever follows in their line.
        (
            r"""(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(["']?\s*[:=,]\s*["']?)(?![\s"'])[^\r\n"']+""",
            rf"\1\2{MASK}",
        ),
        (r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}=*", f"Bearer {MASK}"),
        # Our tokens, of which the id may be told, and those of OpenBao and Vault.
        (r"\b(mid_[a-z]+_[a-z2-7]{16})_[A-Za-z0-9_-]+", rf"\1_{MASK}"),
        (r"\bmo?b?id_[a-z]+_[A-Za-z0-9]+_[A-Za-z0-9_-]{20,}", MASK),
        (r"\b(?:hv|bv)?[sbr]\.[A-Za-z0-9_-]{24,}", MASK),
        # The address in a QR code, and a JSON web token of any kind.
        (r"(?i)(#|%23)(\d+)(\.|%2e)[A-Za-z0-9_-]{43}", rf"\1\2\3{MASK}"),
        (r"\beyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){2,4}", f"{MASK} (JWT)"),
        # A password in an address; it may hold an @ that nobody encoded.
        (r"\b([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s/]+@", rf"\1:{MASK}@"),
        # A typed code, a mail code.
        (rf"\b{_CROCKFORD}{{4}}(?:-{_CROCKFORD}{{4}}){{3}}\b", MASK),
        (rf"(?<![\w-]){_CROCKFORD}{{4}}-{_CROCKFORD}{{4}}(?![\w-])", MASK),
        # Whatever is said to be one.
        (
            rf"""(?i)\b({_NAMES}["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&(){{}}"']+)""",
            rf"\1{MASK}",
        ),
    )
)
# Every form has a sign that is none of these, or a word of 24 characters and more; what each line of
# the log says again and again has not, and need not be searched for each of them.
_HARMLESS: Final = re.compile(
    r"(?:\w{0,23}[/<>])*\w{0,23}"
    # The id of a request, a time, and who has asked.
    r"|[0-9a-f]{32}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    rf"|(?:{'|'.join(ActorKind)}):\w{{0,23}}",
    re.ASCII,
)
_SECRET_NAME: Final = re.compile(rf"(?i){_NAMES}|authorization|cookie")


def masked(text: str) -> str:
    """Return a text with everything masked that has the form of a secret."""
    if _HARMLESS.fullmatch(text):
        return text
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Mask a whole log event, however deep; what is no plain value becomes its text first."""
    return {name: _masked_value(name, value) for name, value in event.items()}


def _masked_value(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAME.fullmatch(name):
        return MASK
    if isinstance(value, Mapping):
        return {str(inner): _masked_value(str(inner), one) for inner, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked_value("", one) for one in value]
    return masked(str(value))
