"""What the line makes of everything that can go wrong on it: what surely did nothing, and what may have."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from mobid.ca import OutcomeUnknown, Rejected, Unavailable
from mobid.ca.openbao.line import MOST_BYTES, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.extension.ca.openbao.conftest import Mount, Mute

    from mobid.ca.openbao import OpenBaoSettings
    from mobid.ca.openbao.answers import Answer

JSON = "application/json"
PAGE = b"<h1>Bad gateway</h1>"


def answer(
    status: int, body: bytes, kind: str = JSON, headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of an answer."""
    more = {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in more.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def errors(*words: str) -> bytes:
    """Return a body as OpenBao refuses with."""
    return json.dumps({"errors": words}).encode()


def change(settings: OpenBaoSettings) -> Answer:
    """Call what changes something."""
    with Line(settings).open() as calls:
        return calls.write("revoke", {"serial_number": "01"})


def ask(settings: OpenBaoSettings) -> Answer | None:
    """Call what only asks."""
    with Line(settings).open() as calls:
        return calls.read("cert/01")


class TestNothingWasSent:
    """The connection was never there."""

    def test_nobody_listens(self, at: Callable[..., OpenBaoSettings]) -> None:
        """A refused connection did nothing."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            with pytest.raises(Unavailable, match=r"cannot be reached \(.*refused\)"):
                change(at(url))

    def test_there_is_no_such_host(self, at: Callable[..., OpenBaoSettings]) -> None:
        """Nor did a name that does not resolve."""
        with pytest.raises(Unavailable, match="cannot be reached"):
            change(at("https://bao.invalid"))

    def test_the_other_side_speaks_no_tls(
        self, mute: Mute, at: Callable[..., OpenBaoSettings]
    ) -> None:
        """Nor did a handshake that failed."""
        with pytest.raises(Unavailable, match="cannot be reached"):
            change(at(mute.url.replace("http:", "https:"), timeout_seconds=1))

    def test_the_other_side_is_somebody_else(
        self, mount: Mount, token_file: Path, tmp_path: Path
    ) -> None:
        """A real server that another CA vouches for is a stranger, and gets no token."""
        other = tmp_path / "ca.pem"
        issuer = mount.server.call("GET", f"{mount.name}/issuer/mobid/json")
        other.write_text(issuer["certificate"])
        with pytest.raises(Unavailable, match=r"cannot be reached .*CERTIFICATE_VERIFY_FAILED"):
            mount.ca(token_file=str(token_file), ca_file=str(other)).chain()

    def test_a_token_is_not_there_any_more(
        self, mute: Mute, at: Callable[..., OpenBaoSettings], token_file: Path
    ) -> None:
        """It says which file, and nobody is called."""
        settings = at(mute.url)
        token_file.unlink()
        with pytest.raises(Unavailable, match="token is not there"):
            change(settings)
        assert mute.requests == []


class TestItMayHaveArrived:
    """The request left, and no answer that we know came back."""

    @pytest.mark.parametrize(
        "says",
        [
            pytest.param(b"", id="closed without a word"),
            pytest.param(answer(200, b'{"data": {}}')[:-5], id="cut in the body"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="cut in the head"),
            pytest.param(b"220 mail.example.org ESMTP\r\n", id="another protocol"),
            pytest.param(answer(200, PAGE, "text/html"), id="a page"),
            pytest.param(
                answer(200, b'{"data": {}}', "text/html"), id="JSON that is called a page"
            ),
            pytest.param(answer(200, b'{"data"'), id="half of an object"),
            pytest.param(answer(200, b"[" * 100_000), id="depth"),
            pytest.param(answer(200, b"[1]"), id="a list"),
            pytest.param(answer(200, b"{}"), id="no data"),
            pytest.param(answer(204, b""), id="nothing"),
            pytest.param(answer(500, errors("internal error")), id="500"),
            pytest.param(answer(502, PAGE, "text/html"), id="a proxy without its server"),
            pytest.param(answer(503, PAGE, "text/html"), id="503 that is not OpenBao's"),
            pytest.param(answer(504, PAGE, "text/html"), id="a proxy that waited in vain"),
            pytest.param(answer(408, PAGE, "text/html"), id="a proxy that gave up"),
            pytest.param(
                answer(200, b"\x1f\x8b\x08" + bytes(20), headers={"Content-Encoding": "gzip"}),
                id="packed",
            ),
        ],
    )
    def test_a_change_is_unknown_and_a_question_can_be_repeated(
        self, mute: Mute, at: Callable[..., OpenBaoSettings], says: bytes
    ) -> None:
        """To ask again does no harm; to do again might."""
        mute.says = says
        with pytest.raises(OutcomeUnknown, match=r"^OpenBao at http://127") as caught:
            change(at(mute.url))
        assert "of-nobody" not in str(caught.value)
        assert caught.value.__cause__ is None
        with pytest.raises(Unavailable):
            ask(at(mute.url))

    @pytest.mark.parametrize("says", [b"", answer(200, b" ", headers={"Content-Length": "9"})])
    def test_an_answer_does_not_come_in_time(
        self, mute: Mute, at: Callable[..., OpenBaoSettings], says: bytes
    ) -> None:
        """Silence is no answer."""
        mute.says, mute.hangs = says, True
        with pytest.raises(OutcomeUnknown, match=r"ReadTimeout|took longer than 1 s"):
            change(at(mute.url, timeout_seconds=1))

    def test_an_answer_that_never_ends(
        self, mute: Mute, at: Callable[..., OpenBaoSettings]
    ) -> None:
        """Each byte is in time; all together are not."""
        mute.says = answer(200, b"", headers={"Content-Length": "99999"})
        mute.repeats = b" "
        with pytest.raises(OutcomeUnknown, match="took longer than 1 s"):
            change(at(mute.url, timeout_seconds=1))

    def test_an_answer_without_measure(
        self, mute: Mute, at: Callable[..., OpenBaoSettings]
    ) -> None:
        """It is not read to its end."""
        mute.says = answer(200, b" " * (MOST_BYTES + 1))
        with pytest.raises(OutcomeUnknown, match=f"more than {MOST_BYTES} bytes"):
            change(at(mute.url))


class TestItSaysNo:
    """OpenBao answers that it did nothing."""

    @pytest.mark.parametrize(
        ("says", "words"),
        [
            (answer(503, errors("Vault is sealed")), "is sealed; somebody must unseal it"),
            (answer(403, errors("permission denied")), "refuses our token; see token_file and its"),
            (answer(404, errors("no handler for route")), "see mount, issuer, roles and namespace"),
            (answer(404, PAGE, "text/html"), "see mount, issuer, roles and namespace"),
            (answer(405, errors("unsupported operation")), "has no such operation"),
            (answer(429, errors("rate limit")), r"is asked too often \(429: rate limit\)"),
            (answer(473, b""), "is a standby; let url name the active one"),
        ],
    )
    def test_it_can_be_tried_again(
        self, mute: Mute, at: Callable[..., OpenBaoSettings], says: bytes, words: str
    ) -> None:
        """Somebody has to mend something first, and is told what."""
        mute.says = says
        with pytest.raises(Unavailable, match=words):
            change(at(mute.url))

    def test_a_redirect_is_not_followed(
        self, mute: Mute, at: Callable[..., OpenBaoSettings]
    ) -> None:
        """The token goes to the address in the settings and to no other."""
        mute.says = answer(307, b"", headers={"Location": "/v1/elsewhere"})
        with pytest.raises(Unavailable, match=r"sends us elsewhere \(307\)"):
            change(at(mute.url))
        assert len(mute.requests) == 1

    def test_a_refusal_is_final(self, mute: Mute, at: Callable[..., OpenBaoSettings]) -> None:
        """Its words are told, in one line and not too many of them."""
        mute.says = answer(400, errors("no\nsuch \x1b[31mserial", "x" * 1000))
        with pytest.raises(Rejected) as caught:
            change(at(mute.url))
        assert str(caught.value).startswith("OpenBao refuses revoke: no such [31mserial xxx")
        assert len(str(caught.value)) < 350

    def test_what_is_not_there_is_no_error(
        self, mute: Mute, at: Callable[..., OpenBaoSettings]
    ) -> None:
        """This is how OpenBao says that it has no such certificate."""
        mute.says = answer(404, errors())
        assert ask(at(mute.url)) is None


def test_the_request_goes_straight_and_says_who_we_are(
    mute: Mute, at: Callable[..., OpenBaoSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Token and namespace are in the head, and no proxy of the environment sees them."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    mute.says = answer(200, b'{"data": {"state": "revoked"}}')
    assert change(at(mute.url, namespace="team")).text("state") == "revoked"
    (head,) = mute.requests
    assert head.startswith(b"POST /v1/pki/revoke HTTP/1.1\r\n")
    assert b"x-vault-token: s.of-nobody\r\n" in head.lower()
    assert b"x-vault-namespace: team\r\n" in head.lower()
    assert b"accept-encoding: identity\r\n" in head.lower()
