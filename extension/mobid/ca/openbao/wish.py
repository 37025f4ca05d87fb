"""An order in the words of OpenBao's `sign`. What cannot be said in them is rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mobid.processes.authority import Rejected
from mobid.processes.csr import check_csr
from mobid.processes.errors import BadCertificateRequest, KeyTypeNotAllowed
from mobid.processes.naming import PRINCIPAL_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.processes.authority import Order

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_SUBJECTS: Final = (
    [NameOID.COMMON_NAME],
    [NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER],
)


def wish_of(order: Order) -> Mapping[str, object]:
    """Return the body of `sign` for an order, checked; raise `Rejected`.

    The CSR gives the key: its subject and its names are not used, which the role sees to.
    """
    try:
        check_csr(order.kind, order.csr)
    except (BadCertificateRequest, KeyTypeNotAllowed) as error:
        raise Rejected(str(error)) from error
    mails, others = _names(order)
    csr = x509.load_der_x509_csr(order.csr).public_bytes(Encoding.PEM)
    return {
        "csr": csr.decode(),
        **_subject(order),
        "alt_names": ",".join(mails),
        "other_sans": others,
        "exclude_cn_from_sans": True,
        "not_after": moment(order.not_after),
    }


def common_name(order: Order) -> str:
    """Return the common name of an order; raise `Rejected` if its subject is none that we can ask for."""
    return str(_subject(order)["common_name"])


def moment(at: datetime) -> str:
    """Return a time as OpenBao writes it, in whole seconds."""
    if at.tzinfo is None or at.utcoffset():
        raise Rejected(f"{at.isoformat()} is no time in UTC.")
    return at.strftime(_TIME)


def _subject(order: Order) -> Mapping[str, str]:
    """Return the two attributes that `sign` can be given; it writes them in this order."""
    attributes = list(order.subject)
    oids = [one.oid for one in attributes]
    if oids not in _SUBJECTS or len(order.subject.rdns) != len(attributes):
        raise Rejected(
            f'OpenBao cannot make the subject "{order.subject.rfc4514_string()}": it makes a common'
            " name, or a common name and a serialNumber."
        )
    names = ("common_name", "serial_number")
    return {name: str(one.value) for name, one in zip(names, attributes, strict=False)}


def _names(order: Order) -> tuple[list[str], list[str]]:
    """Return the e-mail addresses and the principal names of an order."""
    mails, others = [], []
    for name in order.san:
        if isinstance(name, x509.RFC822Name) and "," not in name.value:
            mails.append(name.value)
        elif isinstance(name, x509.OtherName) and name.type_id == PRINCIPAL_NAME:
            others.append(f"{PRINCIPAL_NAME.dotted_string};UTF8:{_text(name)}")
        else:
            raise Rejected(
                f"OpenBao cannot put a {type(name).__name__} of this sort into a certificate: it makes"
                " e-mail addresses and principal names."
            )
    return mails, others


def _text(name: x509.OtherName) -> str:
    try:
        return asn1.decode_der(str, name.value)
    except ValueError as error:
        raise Rejected("A principal name must be a UTF8String.") from error
