"""The User schema (RFC 7643, 4.1 and 8.7.1), without password, which we do not have."""

from typing import Final

from mobid_scim.attributes import Attribute, Schema, Type, Uniqueness, read_only, reference


def _several(
    name: str, description: str, value: Attribute, *, types: tuple[str, ...] = ()
) -> Attribute:
    """Return a multi-valued attribute with the sub-attributes of RFC 7643, 2.4."""
    return Attribute(
        name,
        description,
        type=Type.COMPLEX,
        multi_valued=True,
        sub_attributes=(
            value,
            Attribute("display", "A name for people to read."),
            Attribute("type", "What the value is for.", canonical_values=types),
            Attribute("primary", "Whether it is the preferred value.", type=Type.BOOLEAN),
        ),
    )


_NAME: Final = Attribute(
    "name",
    "The components of the user's name.",
    type=Type.COMPLEX,
    sub_attributes=(
        Attribute("formatted", "The full name, formatted for display."),
        Attribute("familyName", "The family name, or last name."),
        Attribute("givenName", "The given name, or first name."),
        Attribute("middleName", "The middle names."),
        Attribute("honorificPrefix", "The honorific prefixes, or title."),
        Attribute("honorificSuffix", "The honorific suffixes."),
    ),
)

_ADDRESSES: Final = Attribute(
    "addresses",
    "Physical mailing addresses.",
    type=Type.COMPLEX,
    multi_valued=True,
    sub_attributes=(
        Attribute(
            "formatted",
            "The full address, formatted for display; may hold newlines.",
            multi_line=True,
        ),
        Attribute("streetAddress", "Street, house number, post office box.", multi_line=True),
        Attribute("locality", "The city or locality."),
        Attribute("region", "The state or region."),
        Attribute("postalCode", "The zip code or postal code."),
        Attribute("country", "The country, as ISO 3166-1 alpha-2."),
        Attribute("type", "What it is for.", canonical_values=("work", "home", "other")),
        Attribute("primary", "Whether it is the preferred value.", type=Type.BOOLEAN),
    ),
)

_GROUPS: Final = read_only(
    Attribute(
        "groups",
        "The groups that the user is in; a client changes them at the Group.",
        type=Type.COMPLEX,
        multi_valued=True,
        sub_attributes=(
            Attribute("value", "The id of the Group.", case_exact=True),
            reference("$ref", "Group", description="The URL of the Group."),
            Attribute("display", "The name of the group."),
            Attribute(
                "type",
                "Whether the user is its member, or the member of one that is.",
                canonical_values=("direct", "indirect"),
            ),
        ),
    )
)

USER: Final = Schema(
    id="urn:ietf:params:scim:schemas:core:2.0:User",
    name="User",
    description="User Account",
    attributes=(
        Attribute(
            "userName",
            "The name by which the user signs in; unique, in any case.",
            required=True,
            uniqueness=Uniqueness.SERVER,
        ),
        _NAME,
        Attribute("displayName", "The name of the user, for display."),
        Attribute("nickName", "The casual way to address the user."),
        reference("profileUrl", "external", description="The URL of the user's online profile."),
        Attribute("title", 'The user\'s title, such as "Vice President".'),
        Attribute("userType", "The relationship between the organization and the user."),
        Attribute("preferredLanguage", "The user's languages, as in Accept-Language."),
        Attribute("locale", "The user's default location, as a language tag."),
        Attribute("timezone", "The user's time zone, as an IANA name."),
        Attribute("active", "Whether the user may do anything.", type=Type.BOOLEAN),
        _several(
            "emails",
            "E-mail addresses.",
            Attribute("value", "The address."),
            types=("work", "home", "other"),
        ),
        _several(
            "phoneNumbers",
            "Phone numbers.",
            Attribute("value", "The number, as in RFC 3966."),
            types=("work", "home", "mobile", "fax", "pager", "other"),
        ),
        _several(
            "ims",
            "Instant messaging addresses.",
            Attribute("value", "The address."),
            types=("aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
        ),
        _several(
            "photos",
            "URLs of photos.",
            reference("value", "external", description="The URL of the photo."),
            types=("photo", "thumbnail"),
        ),
        _ADDRESSES,
        _GROUPS,
        _several("entitlements", "What the user is entitled to.", Attribute("value", "The thing.")),
        _several("roles", "Who the user is here.", Attribute("value", "The role.")),
        _several(
            "x509Certificates",
            "Certificates issued to the user.",
            Attribute("value", "The certificate, as DER.", type=Type.BINARY, case_exact=True),
        ),
    ),
)
