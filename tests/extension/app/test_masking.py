"""What no line of the log shows, whatever brought it there."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe, jwt
from joserfc.jwk import ECKey

from mobid.app.masking import _FORMS, _HARMLESS, mask, masked

SECRET: Final = "kR3wV9_xQ-7mZpB1nYc5Tf8Ls2Hd4Gj6Ua0EiOqWr3v"  # 43 characters, as of 32 bytes
KEY: Final = ec.generate_private_key(ec.SECP256R1())
WEB_KEY: Final = ECKey.generate_key("P-256")


def pem(form: PrivateFormat) -> str:
    """Return a private key as files have it."""
    return KEY.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


class TestForms:
    """Each is masked where it stands, and what is round it stays."""

    @pytest.mark.parametrize("around", ["{}", "/{}", "{}/x", "a/b/<{}>/c"])
    def test_the_shortest_that_is_one_word(self, around: str) -> None:
        """A word of fewer letters cannot be a secret of ours, and is let through unsearched."""
        shortest = f"mid_a_{'b' * 16}"
        assert masked(around.format(f"{shortest}_c")) == around.format(f"{shortest}_***")
        assert masked(around.format(shortest)) == around.format(shortest)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (f"token mid_scim_abcdefghijklmnop_{SECRET} of hr",
             "token mid_scim_abcdefghijklmnop_*** of hr"),
            (f"got mobid_scim_abc_{SECRET}.", "got ***."),
            (f"GET https://mobid.example.org/e#1.{SECRET} failed",
             "GET https://mobid.example.org/e#1.*** failed"),
            (f"next=%2Fe%231.{SECRET}&x=1", "next=%2Fe%231.***&x=1"),
            ("postgresql+psycopg://mobid:p@ss:word@db.example.org/x is away",
             "postgresql+psycopg://mobid:***@db.example.org/x is away"),
            ("smtp://:hunter2@mail", "smtp://:***@mail"),
            ("dsn host=db password=hunter2 dbname=x", "dsn host=db password=*** dbname=x"),
            ("{'client_secret': 'hun ter2', 'a': 1}", "{'client_secret': ***, 'a': 1}"),
            ('{"mail_code": "7K3M-9QXZ"}', '{"mail_code": ***}'),
            ("Authorization: Basic bW9iaWQ6aHVudGVyMg==\nHost: x", "Authorization: ***\nHost: x"),
            ("('Authorization', 'Digest username=\"x\"')", "('Authorization', '***\"x\"')"),
            (f"Bearer {SECRET} refused", "Bearer *** refused"),
            ("Cookie: mobid=abc.def; other=1", "Cookie: ***"),
            ("Set-Cookie: __Host-mobid=abc; Secure", "Set-Cookie: ***"),
            ("typed 7K3M-9QXZ-ABCD-0123 wrong", "typed *** wrong"),
            ("mail code 7K3M-9QXZ wrong", "mail code *** wrong"),
            (f"X-Vault-Token: hvs.{SECRET}", "X-Vault-Token: ***"),
            (f"login with hvs.{SECRET} refused", "login with *** refused"),
            ("(psycopg) away\n[SQL: INSERT INTO t VALUES (?)]\n[parameters: ('anne', [1])]\n(More: x)",
             "(psycopg) away\n[SQL: INSERT INTO t VALUES (?)]\n[parameters: ***]\n(More: x)"),
        ],
    )  # fmt: skip
    def test_a_secret_is_not_told(self, text: str, expected: str) -> None:
        """Neither is any part of it."""
        assert masked(text) == expected

    @pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
    def test_a_private_key_is_not_told(self, form: PrivateFormat) -> None:
        """Whole, cut off, or with its line ends escaped."""
        whole = pem(form)
        body = whole.splitlines()[1]
        for text in (f"read {whole} from disk", f"read {whole[:120]}", f"read {whole!r} twice"):
            assert body[:20] not in masked(text)
            assert masked(text).startswith("read ")
        assert masked(f"{whole} from disk").endswith("*** (private key)\n from disk")

    def test_a_web_token_is_not_told(self) -> None:
        """Neither a signed one nor an encrypted one."""
        signed = jwt.encode({"alg": "ES256"}, {"sub": "anne"}, WEB_KEY)
        encrypted = jwe.encrypt_compact(
            {"alg": "ECDH-ES", "enc": "A256GCM"}, b"hunter2", ECKey.generate_key("P-256")
        )
        assert masked(f"assertion of portal {signed} expired") == (
            "assertion of portal *** (JWT) expired"
        )
        assert masked(f"got {encrypted}") == "got *** (JWT)"

    @pytest.mark.parametrize(
        "text",
        [
            "The token abcdefghijklmnop is unknown, or has a wrong secret.",
            "Mobile ID m-1 is locked; only an active one can be locked.",
            "https://mobid.example.org:8443/scim/v2/Users/2819c223-7f76-453a-919d-413861904646",
            "reference 7K3M-9Q at 2026-11-22T12:00:00Z",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            'WWW-Authenticate: Bearer realm="mobid", error="invalid_token"',
            "sqlite:////var/lib/mobid/mobid.db",
            "mobid.processes.get.approve",
            "https://example.org/@anne",
        ],
    )
    def test_the_rest_is_told(self, text: str) -> None:
        """A log that masks what helps is no log."""
        assert masked(text) == text

    @given(st.binary(min_size=32, max_size=32), st.text(max_size=20), st.text(max_size=20))
    def test_no_surroundings_help_a_code(self, code: bytes, before: str, after: str) -> None:
        """Whatever stands round it, the token of a QR code is not in what is left."""
        token = base64.urlsafe_b64encode(code).decode().rstrip("=")
        assert token not in masked(f"{before}#1.{token} {after}")

    @given(st.from_regex(_HARMLESS, fullmatch=True))
    def test_what_is_let_through_unsearched_has_no_form(self, text: str) -> None:
        """The short way is the same as the long one."""
        assert not [form for form, _ in _FORMS if form.search(text)]


class TestEvents:
    """A whole event, as it goes to the log."""

    def test_is_masked_however_deep(self) -> None:
        """In lists and tables, in what has a telling name, and in what is no text."""
        token = f"mid_admin_abcdefghijklmnop_{secrets.token_urlsafe(32)}"
        event = mask(
            None,
            "info",
            {
                "event": "seen",
                "headers": [("Authorization", f"Bearer {token}")],
                "form": {"password": ["hunter2"], "code": 7},
                "error": ValueError(f"no {token}"),
                "count": 3,
                "there": None,
            },
        )
        assert token[-43:] not in json.dumps(event)
        assert event["form"] == {"password": "***", "code": 7}
        assert event["error"] == "no mid_admin_abcdefghijklmnop_***"
        assert (event["count"], event["there"]) == (3, None)
