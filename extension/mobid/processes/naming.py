"""Subject and subject alternative names of a certificate, built strictly from a user's attributes.

Names are made attribute by attribute, never parsed from a string, so that no comma in a display
name can become an RDN of its own. A character that a reader can not see is refused.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import NameOID

from mobid.domain.options import Kind
from mobid.processes.errors import MissingUserAttribute

if TYPE_CHECKING:
    from collections.abc import Sequence

PRINCIPAL_NAME: Final = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""The otherName type of a user principal name (UPN)."""

MOST_COMMON_NAME: Final = 64
"""RFC 5280, appendix A.1 (ub-common-name). Counted in octets of UTF-8, the narrowest reading."""
MOST_EMAIL: Final = 254
MOST_LOCAL_PART: Final = 64
MOST_PRINCIPAL_NAME: Final = 256

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDR_SPEC: Final = re.compile(
    rf"(?P<local>{_ATEXT}(?:\.{_ATEXT})*)@{_LABEL}(?:\.{_LABEL})*", re.ASCII
)
_UNIQUE_ID: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]{1,64}")


def subject_for(display_name: str | None, *, unique_id: str | None = None) -> x509.Name:
    """Return the subject: CN, and a serialNumber attribute if there is a `unique_id`.

    A CA may give one name to one person only (RFC 5280, 4.1.2.6); the serialNumber attribute tells
    two people of the same name apart. Raise `MissingUserAttribute`.
    """
    common_name = _clean("displayName", display_name, most=MOST_COMMON_NAME)
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if unique_id is not None:
        if _UNIQUE_ID.fullmatch(unique_id) is None:
            raise MissingUserAttribute("id", "is no printable string of 1 to 64 characters")
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, unique_id))
    return x509.Name(attributes)


def san_for(
    kind: Kind, email: str | None, principal_name: str | None
) -> tuple[x509.GeneralName, ...]:
    """Return the subject alternative names of one kind; raise `MissingUserAttribute`.

    An authentication certificate carries principal name and e-mail address, whichever there are; a
    signature certificate the address, or else the principal name; encryption needs the address.
    """
    mail = None if email is None else _email(email)
    upn = None if principal_name is None else _principal_name(principal_name)
    if kind is Kind.AUTHENTICATION:
        names = [upn, mail]
    elif kind is Kind.SIGNATURE:
        names = [mail or upn]
    else:
        names = [mail]
    san = tuple(name for name in names if name is not None)
    if not san:
        missing = "emails" if kind is Kind.ENCRYPTION else "emails or principalName"
        raise MissingUserAttribute(
            missing, f"is missing; a certificate for {kind} has to carry such a name"
        )
    return san


def san_text(san: Sequence[x509.GeneralName]) -> str:
    """Return names as text, one a line, to be kept with an order; `san_of_text` reads it."""
    lines = []
    for name in san:
        if isinstance(name, x509.OtherName):
            lines.append("upn:" + asn1.decode_der(str, name.value))
        else:
            lines.append("email:" + str(name.value))
    return "\n".join(lines)


def san_of_text(text: str) -> tuple[x509.GeneralName, ...]:
    """Return the names that `san_text` wrote."""
    makers = {
        "upn": lambda value: x509.OtherName(PRINCIPAL_NAME, asn1.encode_der(value)),
        "email": x509.RFC822Name,
    }
    pairs = (line.partition(":") for line in text.splitlines())
    return tuple(makers[kind](value) for kind, _, value in pairs)


def _email(value: str) -> x509.GeneralName:
    """RFC 5280, 4.2.1.6: an rfc822Name is an addr-spec in ASCII, without any display name."""
    cleaned = _clean("emails", value, most=MOST_EMAIL)
    address = _ADDR_SPEC.fullmatch(cleaned)
    if address is None or len(address["local"]) > MOST_LOCAL_PART:
        raise MissingUserAttribute("emails", "is no plain ASCII e-mail address")
    return x509.RFC822Name(cleaned)


def _principal_name(value: str) -> x509.GeneralName:
    cleaned = _clean("principalName", value, most=MOST_PRINCIPAL_NAME)
    user, at, realm = cleaned.partition("@")
    if not (user and at and realm) or "@" in realm or any(map(str.isspace, cleaned)):
        raise MissingUserAttribute("principalName", "is no name of the form user@realm")
    return x509.OtherName(PRINCIPAL_NAME, asn1.encode_der(cleaned))


def _clean(attribute: str, value: str | None, *, most: int) -> str:
    """Return the value in NFC without outer spaces; raise if it is empty, too long or tricky."""
    cleaned = unicodedata.normalize("NFC", value or "").strip()
    if not cleaned:
        raise MissingUserAttribute(attribute, "is missing")
    for character in cleaned:
        if unicodedata.category(character) in _INVISIBLE:
            raise MissingUserAttribute(
                attribute, f"contains the invisible character U+{ord(character):04X}"
            )
    octets = len(cleaned.encode())
    if octets > most:
        raise MissingUserAttribute(
            attribute, f"takes {octets} bytes in UTF-8; a certificate holds {most}"
        )
    return cleaned
