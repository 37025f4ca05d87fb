"""Phones with a device key of their own, without HTTP."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.domain.enrolments import Claim, DeviceKey, Enrolment
from mobid.domain.mobile_ids import Device, ProfileState
from mobid.processes.csr import check_csr
from mobid.processes.enrolment import Caller as PhoneCaller
from mobid.processes.enrolment import Claimed, Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.extension.processes.parts.place import Place

    from mobid.domain.instances import Instance
    from mobid.domain.options import Kind
    from mobid.processes.enrolment import ResultPending
    from mobid.processes.mailing import Letter
    from mobid.processes.views import InstanceView


class Phone:
    """A phone with a device key of its own."""

    def __init__(self, place: Place, name: str = "Pixel of Änne") -> None:
        self.place = place
        self.device = Device(name=name, platform="Android", model="Pixel")
        self.thumbprint = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.code = ""
        """What it has claimed, or tried to."""
        self.csrs: dict[Kind, bytes] = {}
        self._claimed: Claimed | None = None
        self._caller: PhoneCaller | None = None

    @property
    def claimed(self) -> Claimed:
        """What it learned when it claimed a code."""
        assert self._claimed is not None
        return self._claimed

    @property
    def caller(self) -> PhoneCaller:
        """As whom it calls."""
        assert self._caller is not None
        return self._caller

    @property
    def jwk(self) -> Mapping[str, str]:
        """Its device key, of which nothing but the thumbprint counts here."""
        return {"kty": "EC", "crv": "P-256", "x": self.thumbprint, "y": "y"}

    def claims(self, code: str, mail_code: object = None) -> Claimed:
        """Claim a code, scanned or typed, with the mail code of the page if it came by mail."""
        self.code = code
        self._claimed = self.place.phones.claim(
            code,
            thumbprint=self.thumbprint,
            jwk=self.jwk,
            device=self.device,
            mail_code=None if mail_code is None else str(mail_code),
        )
        self._caller = PhoneCaller(self._claimed.enrolment_id, self.thumbprint)
        return self._claimed

    def is_bound_to(self, instance: Instance) -> Enrolment:
        """Have gone through a Get; return what it keeps of this phone."""
        self.csrs = {kind: self.makes_csr() for kind in instance.selected}
        enrolment = Enrolment(
            id=str(uuid.uuid4()),
            instance_id=instance.id,
            user_id=instance.user_id,
            mobile_id=str(uuid.uuid4()),
            code_number=1,
            token_hash=secrets.token_bytes(32),
            typed_code_hash=secrets.token_bytes(32),
            code_expires_at=instance.created_at,
            claim=Claim(
                thumbprint=self.thumbprint,
                jwk=self.jwk,
                device=self.device,
                at=instance.created_at,
                number=42,
                numbers=(17, 42, 99),
            ),
            keys=tuple(
                DeviceKey(kind=kind, csr=csr, key_hash=check_csr(kind, csr).key_hash)
                for kind, csr in self.csrs.items()
            ),
        )
        self._caller = PhoneCaller(enrolment.id, self.thumbprint)
        return enrolment

    def scans(self, view: InstanceView) -> Claimed:
        """Claim the code of the QR picture."""
        link = view.step.data["link"]
        assert isinstance(link, str)
        return self.claims(link.partition("#1.")[2])

    def opens(self, letter: Letter, mail_code: object = None) -> Claimed:
        """Claim the code in a letter."""
        assert letter.enclosed is not None
        return self.claims(letter.enclosed.link.partition("#1.")[2], mail_code)

    def sends_keys(
        self,
        csrs: Mapping[Kind, bytes] | None = None,
        transport: Mapping[str, str] | None = None,
    ) -> None:
        """Make a key for every kind that was asked for, and send the requests."""
        if csrs is None:
            csrs = {kind: self.makes_csr() for kind in self.claimed.kinds}
        self.csrs = dict(csrs)
        self.place.phones.keys(self.caller, self.csrs, transport)

    @staticmethod
    def makes_csr() -> bytes:
        """Return a request with a fresh key."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        return request.public_bytes(Encoding.DER)

    def fetches(self) -> Result | ResultPending:
        """Ask for the certificates."""
        return self.place.phones.result(self.caller)

    def confirms(self, *hashes: bytes) -> ProfileState:
        """Confirm what it fetched, or these hashes."""
        if not hashes:
            result = self.fetches()
            assert isinstance(result, Result)
            hashes = tuple(hashlib.sha256(one.der).digest() for one in result.certificates)
        return self.place.phones.confirm(self.caller, frozenset(hashes))
