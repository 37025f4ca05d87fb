"""Names in certificates, made from what the identity platform says of a user."""

from __future__ import annotations

import unicodedata

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from mobid.domain.options import Kind
from mobid.processes.errors import MissingUserAttribute
from mobid.processes.naming import PRINCIPAL_NAME, san_for, subject_for

BAD_CATEGORIES = ["Cc", "Cf", "Cs", "Zl", "Zp"]


class TestSubject:
    """The subject of a certificate."""

    def test_is_a_common_name_and_an_id(self) -> None:
        """RFC 5280, 4.1.2.6: one name is one person's, so an id tells namesakes apart."""
        assert subject_for("Anna Meier", unique_id="42").rfc4514_string() == (
            "2.5.4.5=42,CN=Anna Meier"
        )
        assert subject_for("Anna Meier").rfc4514_string() == "CN=Anna Meier"

    def test_takes_no_part_of_a_name_for_an_attribute(self) -> None:
        """Commas, plus and equals signs stay inside the common name."""
        subject = subject_for("Eve,O=Bank+OU=Root")
        (attribute,) = subject
        assert attribute.oid == NameOID.COMMON_NAME
        assert attribute.value == "Eve,O=Bank+OU=Root"

    def test_is_normalised(self) -> None:
        """The same name typed in two ways is one name: NFC, without spaces around it."""
        assert subject_for("  A\u0308nne ") == subject_for("\u00c4nne")

    @pytest.mark.parametrize("name", [None, "", "   "])
    def test_needs_a_display_name(self, name: str | None) -> None:
        """Nobody gets a certificate without a name."""
        with pytest.raises(MissingUserAttribute, match='"displayName" is missing'):
            subject_for(name)

    @pytest.mark.parametrize("character", ["\0", "\n", "\u202e", "\u200b", "\u2028", "\ud800"])
    def test_refuses_what_cannot_be_seen(self, character: str) -> None:
        """Control, bidi, zero-width and line characters and surrogates are named in the error."""
        with pytest.raises(MissingUserAttribute, match=f"character U\\+{ord(character):04X}"):
            subject_for(f"Anna{character}Meier")

    def test_is_not_cut(self) -> None:
        """A name that does not fit is refused, since half a name is another name."""
        assert subject_for("x" * 64)
        with pytest.raises(
            MissingUserAttribute, match="takes 66 bytes in UTF-8; a certificate holds 64"
        ):
            subject_for("ä" * 33)

    @pytest.mark.parametrize("unique_id", ["", "ä", "x" * 65, "a*b"])
    def test_refuses_an_id_that_is_no_printable_string(self, unique_id: str) -> None:
        """The serialNumber attribute is a PrintableString of at most 64 characters."""
        with pytest.raises(MissingUserAttribute, match='"id" is no printable string'):
            subject_for("Anna", unique_id=unique_id)

    @given(st.text(max_size=80))
    def test_of_any_text_is_clean_or_refused(self, text: str) -> None:
        """Law: what comes out is NFC, visible, 1 to 64 bytes, and survives DER."""
        try:
            subject = subject_for(text)
        except MissingUserAttribute:
            return
        ((value,),) = ([a.value for a in subject],)
        assert isinstance(value, str)
        assert unicodedata.is_normalized("NFC", value)
        assert not {unicodedata.category(c) for c in value} & set(BAD_CATEGORIES)
        assert 1 <= len(value.encode()) <= 64
        assert subject.public_bytes()


class TestAlternativeNames:
    """The subject alternative names."""

    def test_of_an_authentication_certificate(self) -> None:
        """Principal name as UTF8String in an otherName, and e-mail address."""
        upn, mail = san_for(Kind.AUTHENTICATION, "a@example.org", "änne@corp")
        assert upn == x509.OtherName(PRINCIPAL_NAME, b"\x0c\x0a" + "änne@corp".encode())
        assert mail == x509.RFC822Name("a@example.org")
        assert san_for(Kind.AUTHENTICATION, None, "änne@corp") == (upn,)
        assert san_for(Kind.AUTHENTICATION, "a@example.org", None) == (mail,)

    def test_of_a_signature_certificate(self) -> None:
        """The address; without one, the principal name."""
        mail, upn = san_for(Kind.AUTHENTICATION, "a@example.org", "a@corp")[::-1]
        assert san_for(Kind.SIGNATURE, "a@example.org", "a@corp") == (mail,)
        assert san_for(Kind.SIGNATURE, None, "a@corp") == (upn,)

    def test_of_an_encryption_certificate(self) -> None:
        """Mail is what gets encrypted, so there has to be an address."""
        assert san_for(Kind.ENCRYPTION, "a@example.org", "a@corp") == (
            x509.RFC822Name("a@example.org"),
        )
        with pytest.raises(MissingUserAttribute, match='"emails" is missing'):
            san_for(Kind.ENCRYPTION, None, "a@corp")

    @pytest.mark.parametrize("kind", [Kind.AUTHENTICATION, Kind.SIGNATURE])
    def test_there_has_to_be_one(self, kind: Kind) -> None:
        """The error names both attributes that would do."""
        with pytest.raises(MissingUserAttribute, match='"emails or principalName" is missing'):
            san_for(kind, None, None)

    @pytest.mark.parametrize(
        "email",
        [
            "anna",
            "@example.org",
            "anna@",
            "anna@example..org",
            "anna@-example.org",
            ".anna@example.org",
            "an na@example.org",
            "Anna <anna@example.org>",
            "anna@example.org,eve@example.org",
            '"anna"@example.org',
            "änna@example.org",
            "anna@exämple.org",
            f"{'a' * 65}@example.org",
            f"anna@{'a' * 64}.org",
        ],
    )
    def test_refuses_what_is_no_plain_address(self, email: str) -> None:
        """RFC 5280, 4.2.1.6: an rfc822Name is an ASCII addr-spec and nothing around it."""
        with pytest.raises(MissingUserAttribute, match='"emails" is no plain ASCII e-mail'):
            san_for(Kind.SIGNATURE, email, None)

    @pytest.mark.parametrize("email", ["anna@example.org\r\nBcc: eve", "anna\0@example.org"])
    def test_refuses_hidden_characters_in_an_address(self, email: str) -> None:
        """Neither headers nor C strings can be split."""
        with pytest.raises(MissingUserAttribute, match='"emails" contains the invisible'):
            san_for(Kind.SIGNATURE, email, None)

    @pytest.mark.parametrize("name", ["anna", "@corp", "anna@", "a@b@c", "an na@corp"])
    def test_refuses_what_is_no_principal_name(self, name: str) -> None:
        """A principal name is user@realm."""
        with pytest.raises(MissingUserAttribute, match='"principalName" is no name of the form'):
            san_for(Kind.AUTHENTICATION, None, name)

    def test_a_bad_attribute_is_refused_even_if_the_other_would_do(self) -> None:
        """A wrong address is corrected, not left out in silence."""
        with pytest.raises(MissingUserAttribute, match='"emails" is no plain'):
            san_for(Kind.AUTHENTICATION, "anna", "anna@corp")
