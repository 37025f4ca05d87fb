"""What filters mean: RFC 7644, 3.4.2.2, table 3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid_scim.filter import parse
from mobid_scim.match import matches
from mobid_scim.resource import Resource, ResourceType

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"


@pytest.fixture
def barbara(users: ResourceType) -> Resource:
    """Return a user with something of everything."""
    return Resource(
        users,
        {
            "schemas": [users.schema.id, ENTERPRISE],
            "id": "2819c223",
            "externalId": "bjensen",
            "userName": "Bjensen@Straße.example",
            "title": "",
            "active": True,
            "name": {"familyName": "O'Malley"},
            "emails": [
                {"value": "b@example.com", "type": "work", "primary": True},
                {"value": "b@home.org", "type": "home"},
            ],
            "meta": {"lastModified": "2011-05-13T04:42:34Z"},
            ENTERPRISE: {"department": "Tour", "manager": {"value": "Mgr1"}},
            BADGES: {"height": 170, "weight": 61.5},
        },
    )


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "bjensen@STRASSE.example"',
        'userName sw "BJEN" and userName ew "example" and userName co "@"',
        'userName gt "a" and userName lt "c"',
        'id eq "2819c223"',
        'externalId eq "bjensen"',
        'name.familyName co "\'m"',
        "active eq true",
        "active ne false",
        "name pr and emails pr and emails.value pr",
        'emails.type eq "WORK"',
        'emails eq "b@home.org"',
        'emails[type eq "home" and value eq "b@home.org"]',
        'emails.type ne "work"',
        'displayName ne "x"',
        "displayName eq null",
        "userName ne null",
        'meta.lastModified eq "2011-05-13T06:42:34+02:00"',
        'meta.lastModified gt "2011-05-13T04:42:33.9Z"',
        f'{ENTERPRISE}:department eq "tour"',
        f'{ENTERPRISE}:manager.value eq "Mgr1"',
        f"{BADGES}:height ge 170 and {BADGES}:weight lt 62",
        f'schemas eq "{ENTERPRISE}"',
        "not (displayName pr)",
        'userName eq "x" or title eq "" and active eq true',
    ],
)
def test_these_hold(text: str, barbara: Resource) -> None:
    """Strings fold unless caseExact, one of several values is enough, moments are compared."""
    assert matches(parse(text, barbara.type), barbara)


@pytest.mark.parametrize(
    "text",
    [
        'id eq "2819C223"',
        'externalId eq "BJENSEN"',
        f'{ENTERPRISE}:manager.value eq "mgr1"',
        "title pr",
        "displayName pr",
        'displayName gt "a"',
        'displayName le "a"',
        "active eq false",
        'emails[type eq "home" and value eq "b@example.com"]',
        'emails[type eq "work"].value eq "b@home.org"',
        'userName co "%"',
        'userName co "_"',
        'userName eq "x" and active eq true',
        "userName eq null",
        f"{BADGES}:height gt 170",
    ],
)
def test_these_do_not_hold(text: str, barbara: Resource) -> None:
    """CaseExact is exact, empty is absent, one value must meet all that is in brackets."""
    assert not matches(parse(text, barbara.type), barbara)


NAMES = st.sampled_from(["title", "nickName", "locale"])
WORDS = st.sampled_from(["a", "A", "b", "ab"])
TERMS = st.tuples(NAMES, st.sampled_from(["eq", "ne", "co", "sw", "ew"]), WORDS)
EVALUATE = {
    "eq": str.__eq__,
    "ne": str.__ne__,
    "co": str.__contains__,
    "sw": str.startswith,
    "ew": str.endswith,
}


class TestAgainstANaiveReading:
    """A law."""

    @given(
        values=st.dictionaries(NAMES, WORDS),
        chain=st.lists(st.tuples(TERMS, st.sampled_from(["and", "or"])), min_size=1, max_size=6),
    )
    def test_a_chain_holds_as_python_evaluates_it(
        self,
        values: dict[str, object],
        chain: list[tuple[tuple[str, str, str], str]],
        users: ResourceType,
    ) -> None:
        """Or of ands of comparisons, each on folded strings; `ne` holds for what is absent."""
        text = ""
        groups: list[list[bool]] = [[]]
        word = "and"
        for (name, operator, wanted), following in chain:
            text += (
                f' {word} {name} {operator} "{wanted}"'
                if text
                else (f'{name} {operator} "{wanted}"')
            )
            if word == "or":
                groups.append([])
            found = values.get(name)
            holds = (
                operator == "ne"
                if found is None
                else EVALUATE[operator](str(found).lower(), wanted.lower())
            )
            groups[-1].append(bool(holds))
            word = following
        expected = any(all(group) for group in groups)
        assert matches(parse(text, users), Resource(users, values)) == expected
