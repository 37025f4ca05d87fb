"""The connector over a real OpenBao: its roles, its policy, its list, and what operators do to it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.ca import OutcomeUnknown, Reason, Rejected, Status, Unavailable
from mobid.ca.openbao import OpenBaoSettings
from mobid.ca.openbao.line import Line
from mobid.ca.openbao.search import serials_like
from mobid.ca.openbao.wish import wish_of
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples.openbao.openbao_dev import DevServer
    from tests.conftest import Orders, StandingClock
    from tests.extension.ca.openbao.conftest import Mount, Relay

    from mobid.ca import Order
    from mobid.ca.openbao.authority import OpenBaoCA

EXAMPLE = Path(__file__).parents[4] / "examples" / "openbao"
RULES = [
    line for line in (EXAMPLE / "policy.hcl").read_text("utf-8").splitlines() if "path" in line
]


def until(true: Callable[[], object]) -> None:
    """Look again and again until something is true."""
    pause = threading.Event()
    for _ in range(200):
        if true():
            return
        pause.wait(0.05)
    pytest.fail("not within 10 s")


def new_token(mount: Mount, policy: str) -> str:
    """Return a token with a policy of its own."""
    mount.server.call("PUT", f"sys/policies/acl/{mount.name}-other", {"policy": policy})
    return mount.server.make_token(f"{mount.name}-other")


def use(mount: Mount, token: str) -> None:
    """Put another token in the place of ours, as an agent does."""
    draft = mount.token_file.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(token)
    draft.replace(mount.token_file)


class TestPolicy:
    """The policy of the example is enough, and none of it is too much."""

    @pytest.fixture
    def everything(self, ca: OpenBaoCA, order_of: Orders) -> Callable[[], None]:
        """Use all that the connector can do."""

        def run() -> None:
            able = ca.capabilities()
            for kind in able.kinds:
                order = order_of(kind)
                issued = ca.issue(order)
                assert ca.find(order)
                ca.revoke(issued.certificate, Reason.UNSPECIFIED, order.not_before)
                assert ca.status(issued.certificate) is Status.REVOKED
            ca.chain()
            ca.crl()
            ca.addresses()

        return run

    @pytest.mark.parametrize("left_out", RULES)
    def test_every_rule_is_needed(
        self, mount: Mount, everything: Callable[[], None], left_out: str
    ) -> None:
        """Without one of them something is refused, and the message says where to look."""
        everything()
        others = "\n".join(rule for rule in RULES if rule != left_out)
        use(mount, new_token(mount, others.replace('"pki/', f'"{mount.name}/')))
        with pytest.raises(Unavailable, match="refuses our token; see token_file and its policy"):
            everything()

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "sys/mounts"),
            ("DELETE", "{mount}/root"),
            ("POST", "{mount}/roles/mobid-signature"),
            ("POST", "{mount}/issuer/mobid/sign-verbatim/mobid-signature"),
            ("POST", "{mount}/sign/mobid-signature"),
            ("POST", "{mount}/issue/mobid-signature"),
            ("GET", "{mount}/issuer/mobid"),
        ],
    )
    def test_nothing_else_is_allowed(self, mount: Mount, method: str, path: str) -> None:
        """With our token nobody gets at the CA itself."""
        server = mount.server
        token = mount.token_file.read_text().strip()
        assert server.status_of(method, path.format(mount=mount.name), token) == 403


class TestToken:
    """It comes and goes while we run."""

    def test_an_agent_may_replace_it(
        self, mount: Mount, ca: OpenBaoCA, order_of: Orders, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A token that has ended is refused; the next one is used as soon as it is there."""
        old = mount.token_file.read_text()
        mount.server.call("POST", "auth/token/revoke", {"token": old})
        with pytest.raises(Unavailable, match="refuses our token") as caught:
            ca.issue(order_of())
        assert old not in f"{caught.value!r} {caplog.text} {ca!r} {vars(ca)!r}"
        use(mount, mount.server.make_token(f"mobid-{mount.name}"))
        assert ca.issue(order_of())

    def test_one_that_others_can_read_is_not_used(self, mount: Mount, ca: OpenBaoCA) -> None:
        """It says how to mend it, and goes on when it is mended."""
        mount.token_file.chmod(0o644)
        with pytest.raises(Unavailable, match="Run: chmod 600"):
            ca.capabilities()
        mount.token_file.chmod(0o600)
        assert ca.capabilities()


class TestRoles:
    """A role that would not make what is ordered is found before anything is signed with it."""

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"use_csr_common_name": True}, "use_csr_common_name must be false, it is true"),
            ({"use_csr_sans": True}, "use_csr_sans must be false, it is true"),
            ({"allow_any_name": False}, "allow_any_name must be true"),
            ({"enforce_hostnames": True}, "enforce_hostnames must be false"),
            ({"cn_validations": ["email"]}, r'cn_validations must be \["disabled"\]'),
            ({"server_flag": True}, "server_flag must be false"),
            ({"no_store": True}, "no_store must be false"),
            ({"generate_lease": True}, "generate_lease must be false"),
            ({"organization": ["Example"]}, r'organization must be empty, it is \["Example"\]'),
            ({"not_after": "2030-01-01T00:00:00Z"}, "not_after must be empty"),
            ({"not_after_bound": "forbid"}, 'not_after_bound must be "permit"'),
            ({"key_type": "rsa", "key_bits": 2048}, 'key_type must be "ec", it is "rsa"'),
            ({"key_usage": ["DigitalSignature", "KeyAgreement"]}, "key_usage must be"),
            ({"ext_key_usage": []}, "extended key usages must be as in"),
            ({"ext_key_usage": ["ClientAuth", "EmailProtection"]}, "extended key usages must be"),
            ({"ext_key_usage": ["Any"]}, "extended key usages must be as in"),
            ({"not_before_duration": "1h"}, "not_before_duration must be shorter"),
        ],
    )
    def test_a_misfit_is_named(
        self, mount: Mount, ca: OpenBaoCA, order_of: Orders, changed: dict[str, Any], words: str
    ) -> None:
        """Its kind is not offered, an order is rejected; the other kind is not concerned."""
        mount.change_role("authentication", **changed)
        with pytest.raises(Rejected, match=words):
            ca.issue(order_of(Kind.AUTHENTICATION))
        if "not_before_duration" not in changed:
            assert ca.capabilities().kinds == {Kind.SIGNATURE}
        assert ca.issue(order_of(Kind.SIGNATURE))

    @pytest.mark.parametrize(
        "changed",
        [
            {"ext_key_usage_oids": []},
            {"ext_key_usage": ["ExtKeyUsageClientAuth"], "key_usage": "KeyUsageDigitalSignature"},
            {"key_type": "any", "key_bits": 0},
            {"policy_identifiers": ["1.3.6.1.4.1.99999.1.1"]},
            {"ttl": "20000h", "max_ttl": "20000h", "not_after_bound": "ttl-limited"},
        ],
    )
    def test_what_does_no_harm_is_the_operators_business(
        self, mount: Mount, ca: OpenBaoCA, order_of: Orders, changed: dict[str, Any]
    ) -> None:
        """And a changed role has another digest in our records."""
        before = ca.capabilities().profile_hash
        mount.change_role("authentication", **changed)
        after = ca.capabilities().profile_hash
        assert ca.issue(order_of(Kind.AUTHENTICATION))
        assert before[Kind.SIGNATURE] == after[Kind.SIGNATURE]
        assert before[Kind.AUTHENTICATION] != after[Kind.AUTHENTICATION]

    def test_a_limit_of_the_role_is_a_refusal(
        self, mount: Mount, ca: OpenBaoCA, order_of: Orders
    ) -> None:
        """Nothing is shortened in silence."""
        mount.change_role("signature", max_ttl="24h", not_after_bound="ttl-limited")
        with pytest.raises(Rejected, match="beyond the TTL of 24h0m0s"):
            ca.issue(order_of(Kind.SIGNATURE))

    def test_a_role_that_is_not_there(self, mount: Mount, order_of: Orders) -> None:
        """It is told by its name."""
        policy = (EXAMPLE / "policy.hcl").read_text("utf-8").replace("mobid-signature", "absent")
        use(mount, new_token(mount, policy.replace('"pki/', f'"{mount.name}/')))
        ca = mount.ca(roles={"signature": "absent"})
        assert ca.capabilities().kinds == set()
        with pytest.raises(Rejected, match="role absent in OpenBao does not fit: there is no such"):
            ca.issue(order_of(Kind.SIGNATURE))

    def test_a_kind_without_a_role(self, ca: OpenBaoCA, order_of: Orders) -> None:
        """What is not set up is not issued."""
        with pytest.raises(
            Rejected, match="set to issue authentication, signature, not encryption"
        ):
            ca.issue(order_of(Kind.ENCRYPTION))


class TestOrders:
    """What OpenBao cannot put into a certificate is said before it is asked."""

    @pytest.mark.parametrize(
        "san",
        [
            x509.DNSName("example.org"),
            x509.UniformResourceIdentifier("urn:x"),
            x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01x"),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x02\x01\x01"),
        ],
    )
    def test_names(self, ca: OpenBaoCA, order_of: Orders, san: x509.GeneralName) -> None:
        """E-mail addresses and principal names it can."""
        with pytest.raises(Rejected, match=r"principal name"):
            ca.issue(replace(order_of(), san=(san,)))

    def test_subjects(self, ca: OpenBaoCA, order_of: Orders) -> None:
        """A common name and a number it can; there is no order of that kind to be found, either."""
        order = replace(order_of(), subject=x509.Name.from_rfc4514_string("OU=x,CN=Anne"))
        with pytest.raises(Rejected, match='cannot make the subject "OU=x,CN=Anne"'):
            ca.issue(order)
        assert list(ca.find(order)) == []


class TestFind:
    """The list of all certificates, page by page."""

    def test_no_page_hides_a_certificate(self, mount: Mount, order_of: Orders) -> None:
        """Serial numbers that begin with the same byte stay together, wherever a page ends."""
        order = order_of()
        sign = f"{mount.name}/issuer/mobid/sign/mobid-authentication"
        made = [mount.server.call("POST", sign, wish_of(order))["serial_number"] for _ in range(99)]
        assert len({serial[:2] for serial in made}) < len(made), "Two of 99 begin alike."
        end = order.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")
        with Line(OpenBaoSettings.read(mount.settings)).open() as calls:
            for page in (1, 7, 1000):
                assert set(serials_like(calls, "Änne Example", end, page=page)) == set(made)
            assert not [*serials_like(calls, "Anne Example", end)]

    def test_people_of_one_name_are_told_apart(self, ca: OpenBaoCA, order_of: Orders) -> None:
        """Name and end are only a first look; the key decides."""
        first, second = order_of(), order_of()
        wanted = ca.issue(first).certificate
        ca.issue(second)
        assert [one.certificate for one in ca.find(first)] == [wanted]


class TestCutWire:
    """A wire to the real server that breaks in the middle."""

    def test_an_answer_that_was_lost_is_found(
        self, mount: Mount, relay: Relay, order_of: Orders
    ) -> None:
        """The certificate was made, we do not know, and `find` tells: once for each time we asked."""
        ca, order = mount.ca(url=relay.url), order_of()
        relay.cuts = b"/sign/"
        for made in (1, 2):
            with pytest.raises(OutcomeUnknown, match="did not answer issuer/mobid/sign/"):
                ca.issue(order)
            assert len(ca.find(order)) == made

    def test_a_request_that_was_lost_has_made_nothing(
        self, mount: Mount, relay: Relay, order_of: Orders
    ) -> None:
        """We cannot tell it from a lost answer; `find` can."""
        ca, order = mount.ca(url=relay.url), order_of()
        relay.cuts, relay.arrives = b"/sign/", False
        with pytest.raises(OutcomeUnknown):
            ca.issue(order)
        assert list(ca.find(order)) == []

    def test_a_revocation_whose_answer_was_lost_is_told_by_status(
        self, mount: Mount, relay: Relay, order_of: Orders, clock: StandingClock
    ) -> None:
        """It can be sent again, too."""
        ca = mount.ca(url=relay.url)
        certificate = ca.issue(order_of()).certificate
        relay.cuts = b"/revoke"
        with pytest.raises(OutcomeUnknown, match="did not answer revoke"):
            ca.revoke(certificate, Reason.UNSPECIFIED, clock())
        until(lambda: ca.status(certificate) is Status.REVOKED)
        mount.ca().revoke(certificate, Reason.UNSPECIFIED, clock())


class TestEnd:
    """What has expired."""

    def test_it_is_not_revoked_any_more_and_is_still_known_when_it_was_tidied(
        self, mount: Mount, ca: OpenBaoCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """OpenBao refuses in a warning, which is told; later it forgets, and its signature still tells."""
        end = datetime.now(UTC) + timedelta(seconds=2)
        certificate = ca.issue(replace(order_of(), not_after=end)).certificate
        until(lambda: datetime.now(UTC) > end + timedelta(seconds=1))
        clock.now = datetime.now(UTC)
        assert ca.status(certificate) is Status.EXPIRED
        with pytest.raises(Rejected, match="already expired; refusing to add to CRL"):
            ca.revoke(certificate, Reason.UNSPECIFIED, clock())
        mount.server.call(
            "POST", f"{mount.name}/tidy", {"tidy_cert_store": True, "safety_buffer": "1s"}
        )
        serials = f"{mount.name}/certs?list=true"
        until(lambda: len(mount.server.call("GET", serials)["keys"]) == 1)
        assert ca.status(certificate) is Status.EXPIRED


@pytest.fixture(scope="module")
def own(new_openbao: Callable[[], DevServer]) -> DevServer:
    """A server that may be sealed."""
    return new_openbao()


class TestOperators:
    """What happens to the server."""

    @pytest.fixture
    def placed(self, ca: OpenBaoCA, order_of: Orders) -> Order:
        """An order that was placed."""
        order = order_of()
        ca.issue(order)
        return order

    @pytest.fixture
    def openbao(self, own: DevServer) -> DevServer:
        """That server."""
        return own

    def test_sealed(self, openbao: DevServer, ca: OpenBaoCA, placed: Order) -> None:
        """Every verb says so, and does nothing; unsealed, everything is as it was."""
        (issued,) = ca.find(placed)
        openbao.seal()
        try:
            for verb in (
                ca.capabilities,
                lambda: ca.issue(placed),
                lambda: ca.find(placed),
                lambda: ca.revoke(issued.certificate, Reason.UNSPECIFIED, placed.not_before),
                lambda: ca.status(issued.certificate),
                ca.crl,
            ):
                with pytest.raises(Unavailable, match="is sealed; somebody must unseal it"):
                    verb()
        finally:
            openbao.unseal()
        assert ca.status(issued.certificate) is Status.VALID
        assert [one.certificate for one in ca.find(placed)] == [issued.certificate]

    def test_a_revocation_by_somebody_else(
        self, mount: Mount, ca: OpenBaoCA, placed: Order
    ) -> None:
        """An operator revokes in OpenBao; its word changes for us, too."""
        (issued,) = ca.find(placed)
        pem = x509.load_der_x509_certificate(issued.certificate).public_bytes(Encoding.PEM)
        mount.server.call("POST", f"{mount.name}/revoke", {"certificate": pem.decode()})
        assert ca.status(issued.certificate) is Status.REVOKED

    def test_a_namespace(self, openbao: DevServer, mount: Mount) -> None:
        """The same mount path means another mount in another namespace."""
        openbao.call("POST", "sys/namespaces/team", {})
        openbao.call("POST", f"team/sys/mounts/{mount.name}", {"type": "pki"})
        openbao.call(
            "POST",
            f"team/{mount.name}/root/generate/internal",
            {"common_name": "CA of the team", "issuer_name": "mobid", "key_type": "ec"},
        )
        (mine,), (theirs,) = mount.ca().chain(), mount.ca(namespace="team").chain()
        assert mine != theirs
        with pytest.raises(Unavailable, match="see mount, issuer, roles and namespace"):
            mount.ca(namespace="nobody").chain()

    def test_stopped(
        self,
        new_openbao: Callable[[], DevServer],
        mount_on: Callable[[DevServer], Mount],
        order_of: Orders,
    ) -> None:
        """Nothing is sent to who is not there."""
        server = new_openbao()
        ca = mount_on(server).ca()
        assert ca.capabilities()
        server.stop()
        with pytest.raises(Unavailable, match="cannot be reached"):
            ca.issue(order_of())
