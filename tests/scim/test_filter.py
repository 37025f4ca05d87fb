"""Filters: RFC 7644, 3.4.2.2."""

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid_scim.attributes import Attribute, Returned, Schema, Type
from mobid_scim.errors import InvalidFilter
from mobid_scim.filter import (
    And,
    Comparison,
    Filter,
    Literal,
    Not,
    Operator,
    Or,
    Present,
    ValuePath,
    check_operators,
    operators,
    parse,
    to_text,
)
from mobid_scim.path import Path, resolve
from mobid_scim.resource import ResourceType

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"

WORDS = 'userName emails .type [ ] ( ) "x" 12 true null eq pr and or not . : " @'
PIECES = [*WORDS.split(), " ", ENTERPRISE, f"{CORE}:", "\\", "\n", "\x00", "é"]

# The examples of figure 2, and what they mean, written with every parenthesis.
RFC_EXAMPLES = {
    'userName eq "bjensen"': 'userName eq "bjensen"',
    '''name.familyName co "O'Malley"''': '''name.familyName co "O'Malley"''',
    'userName sw "J"': 'userName sw "J"',
    f'{CORE}:userName sw "J"': 'userName sw "J"',
    "title pr": "title pr",
    'meta.lastModified gt "2011-05-13T04:42:34Z"': 'meta.lastModified gt "2011-05-13T04:42:34Z"',
    'title pr and userType eq "Employee"': 'title pr and userType eq "Employee"',
    'title pr or userType eq "Intern"': 'title pr or userType eq "Intern"',
    f'schemas eq "{ENTERPRISE}"': f'schemas eq "{ENTERPRISE}"',
    'userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")': (
        'userType eq "Employee"'
        ' and (emails.value co "example.com" or emails.value co "example.org")'
    ),
    'userType ne "Employee" and not (emails co "example.com" or emails.value co "x")': (
        'userType ne "Employee" and not (emails.value co "example.com" or emails.value co "x")'
    ),
    'userType eq "Employee" and (emails.type eq "work")': (
        'userType eq "Employee" and emails.type eq "work"'
    ),
    'userType eq "Employee" and emails[type eq "work" and value co "@example.com"]': (
        'userType eq "Employee" and emails[type eq "work" and value co "@example.com"]'
    ),
    'emails[type eq "work" and value co "@a.com"] or ims[type eq "xmpp" and value co "@f.com"]': (
        'emails[type eq "work" and value co "@a.com"] or ims[type eq "xmpp" and value co "@f.com"]'
    ),
}


def path(text: str, scope: ResourceType) -> Path:
    """Return the path, for expected trees."""
    return resolve(text, scope, error=InvalidFilter)


class TestTheExamplesOfTheRFC:
    """Figure 2 and what is behind it."""

    @pytest.mark.parametrize(("text", "meaning"), RFC_EXAMPLES.items())
    def test_each_is_read_as_it_is_meant(
        self, text: str, meaning: str, users: ResourceType
    ) -> None:
        """RFC 7644, 3.4.2.2, figure 2."""
        assert to_text(parse(text, users)) == meaning

    def test_a_comparison_holds_definitions_and_a_typed_value(self, users: ResourceType) -> None:
        """Storage gets attributes and values, no texts to guess about."""
        tree = parse('meta.lastModified gt "2011-05-13T06:42:34+02:00"', users)
        moment = dt.datetime(2011, 5, 13, 4, 42, 34, tzinfo=dt.UTC)
        assert tree == Comparison(path("meta.lastModified", users), Operator.GT, moment)

    def test_a_value_path_holds_whole_paths(self, users: ResourceType) -> None:
        """What is compared inside of the brackets is known without looking outside."""
        work = Comparison(path("emails.type", users), Operator.EQ, "work")
        assert parse('emails[type eq "work"]', users) == ValuePath(path("emails", users), work)


class TestPrecedence:
    """RFC 7644, 3.4.2.2: grouping, then not, then and, then or."""

    @pytest.mark.parametrize(
        ("text", "meaning"),
        [
            ("title pr or locale pr and active pr", "title pr or (locale pr and active pr)"),
            ("title pr and locale pr or active pr", "(title pr and locale pr) or active pr"),
            (
                "id pr or title pr and locale pr or active pr",
                "id pr or (title pr and locale pr) or active pr",
            ),
            ("(title pr or locale pr) and active pr", "(title pr or locale pr) and active pr"),
            ("not (title pr) and active pr", "not (title pr) and active pr"),
            ("not (title pr or id pr) or active pr", "not (title pr or id pr) or active pr"),
            (
                "emails[type pr or value pr and primary pr]",
                "emails[type pr or (value pr and primary pr)]",
            ),
            (
                f"{BADGES}:height eq 10 and title pr or {BADGES}:height eq 2",
                f"({BADGES}:height eq 10 and title pr) or {BADGES}:height eq 2",
            ),
            ("((title pr) and (id pr)) and (active pr)", "title pr and id pr and active pr"),
        ],
    )
    def test_and_binds_closer_than_or(self, text: str, meaning: str, users: ResourceType) -> None:
        """The tree has the parentheses that the text leaves out."""
        assert to_text(parse(text, users)) == meaning


class TestNames:
    """Attribute notation in filters: RFC 7644, 3.10."""

    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("USERNAME", "userName"),
            ("Name.FAMILYNAME", "name.familyName"),
            (f"{CORE.upper()}:emails.value", "emails.value"),
            (f"{ENTERPRISE}:department", f"{ENTERPRISE}:department"),
            (f"{ENTERPRISE.lower()}:MANAGER.$ref", f"{ENTERPRISE}:manager.$ref"),
            (f"{ENTERPRISE}:manager.value", f"{ENTERPRISE}:manager.value"),
            ("externalId", "externalId"),
            ("meta.resourceType", "meta.resourceType"),
        ],
    )
    def test_names_and_urns_are_found_in_any_case(
        self, text: str, canonical: str, users: ResourceType
    ) -> None:
        """RFC 7643, 2.1: attribute names are case-insensitive."""
        assert parse(f"{text} PR", users) == Present(path(canonical, users))

    @pytest.mark.parametrize("name", ["trueName", "nullable", "falsePositive"])
    def test_a_name_may_begin_like_a_literal(self, name: str, users: ResourceType) -> None:
        """It is an unknown attribute, not a broken literal."""
        with pytest.raises(InvalidFilter, match=f'User has no attribute "{name}"'):
            parse(f"{name} pr", users)


class TestLiterals:
    """What things are compared with."""

    @pytest.mark.parametrize(
        ("name", "literal", "value"),
        [
            ("title", r'"a\"b\\cé\n"', 'a"b\\cé\n'),
            ("title", "null", None),
            ("title", '"null"', "null"),
            ("active", "true", True),
            ("active", "False", False),
            (f"{BADGES}:height", "42", 42),
            (f"{BADGES}:height", "-7", -7),
            (f"{BADGES}:weight", "3.14", 3.14),
            (f"{BADGES}:weight", "1e3", 1000.0),
            (f"{BADGES}:weight", "-0.5", -0.5),
            ("title", r'"\u00e9"', "é"),
            ("title", '"1"', "1"),
            ("title", '"true"', "true"),
            ("active", "TRUE", True),
            ("active", "NULL", None),
        ],
    )
    def test_values_are_those_of_json(
        self, name: str, literal: str, value: Literal, users: ResourceType
    ) -> None:
        """RFC 7644, 3.4.2.2: compValue has the rules of JSON."""
        tree = parse(f"{name} eq {literal}", users)
        assert tree == Comparison(path(name, users), Operator.EQ, value)


class TestShortForms:
    """Two ways to say the same."""

    def test_a_multi_valued_complex_attribute_is_compared_by_value(
        self, users: ResourceType
    ) -> None:
        """`emails eq` means `emails.value eq`, as known clients write it."""
        assert parse('emails eq "x"', users) == parse('emails.value eq "x"', users)

    def test_a_comparison_behind_brackets_is_one_inside(self, users: ResourceType) -> None:
        """It is about the same value of the attribute."""
        behind = parse('emails[type eq "work"].value eq "x"', users)
        assert behind == parse('emails[type eq "work" and value eq "x"]', users)


class TestWhatIsRefused:
    """400 invalidFilter."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "ends too early"),
            ("userName eq", "ends too early; behind an operator comes a text in double quotes"),
            ("userName", "ends too early; behind an attribute comes an operator: eq, ne"),
            ("(((", "ends too early; a bracket is not closed"),
            ('userName eq "x" and', "ends too early; a comparison has the form userName eq"),
            ('userName eq "x', "text at column 13 of the filter is not closed"),
            ("userName eq 'x'", "behind an operator comes a text in double quotes"),
            ('userName eq "x" && title pr', "behind a comparison comes another one, joined by and"),
            ('userName @ "x"', 'unexpected "@" at column 10'),
            ("title pr\nand id pr", "at column 9"),
            ('userName regex "x"', 'unexpected "regex" at column 10'),
            ('userName eq "x" title pr', 'unexpected "title" at column 17'),
            ('userName eq "a"b"', "at column"),
            ('foo eq "1" and userName eq "x"', 'User has no attribute "foo"'),
            ('userNam eq "x"', "Did you mean userName?"),
            ('name.family eq "x"', "Did you mean familyName?"),
            ('title.x eq "y"', "title has no sub-attributes"),
            (f"{ENTERPRISE} pr", "no attribute path"),
            (f"{ENTERPRISE}.employeeNumber pr", "no attribute path"),
            (f'{ENTERPRISE}:manager[value eq "1"]', "no multi-valued complex attribute"),
            ("https://example.com/scim:attr pr", 'unexpected ":" at column 6'),
            ("urn:example:foo~bar:1.0:attr pr", 'unexpected "~" at column 16'),
            ("urn:x:a%20b:attr pr", 'unexpected "%" at column 8'),
            ('userName eq"x"', "lacks a space at column 12"),
            ('userName eq "x"and title pr', "lacks a space at column 16"),
            ("(title pr)and (id pr)", "lacks a space at column 11"),
            ('title eq "a\nb"', "at column 10"),
            ('title eq "a\x01b"', "at column 10"),
            ("a$b pr", 'no attribute "a\\$b"'),
            ("name.familyName.x pr", 'unexpected "x" at column 16'),
            ('emails[type eq "a"][value eq "b"]', "Brackets inside of brackets"),
            ("not title pr", 'unexpected "title" at column 5; behind not comes what is denied'),
            ("title eq 01", "at column 10"),
            ("x eq nul", "unexpected"),
            ('urn:example:unknown:2.0:User:title eq "x"', "no attribute path"),
            ("active gt true", 'operator "gt" does not go with a boolean'),
            (
                'x509Certificates.value gt "x"',
                'operator "gt" does not go with binary; these do: eq, ne, co, sw, ew',
            ),
            ('active eq "true"', 'active is a boolean; "true" is none'),
            ("userName eq 5", "userName is a string; 5 is none"),
            (f"{BADGES}:height co 1", 'operator "co" does not go with an integer'),
            (f'{BADGES}:height eq "1"', "is an integer"),
            ('meta.created gt "yesterday"', '"yesterday" is none: send one with a time zone'),
            ('meta.created gt "2011-05-13T04:42:34"', "is none: send one with a time zone"),
            ("title gt null", "does not go with null"),
            ('name eq "x"', "name is complex; compare one of its sub-attributes: formatted"),
            (r'title eq "\u0000"', r"a string holds U\+0000"),
            (r'title eq "\ud800"', r"a string holds U\+D800"),
            (f"{BADGES}:weight eq 1e999", "a number is too large"),
            (f"{BADGES}:height eq {'9' * 30}", "does not fit into 64 bits"),
            ('emails[emails[type eq "x"]]', "Brackets inside of brackets"),
            ('emails[emails.type eq "work"]', "write the sub-attribute alone"),
            ('emails[type eq "x"] eq "y"', r"Name the sub-attribute to compare after emails\[…\]"),
            ('emails.value[type eq "x"]', "follow an attribute, not a sub-attribute"),
            ('title[type eq "x"]', "no multi-valued complex attribute"),
            ('emails [type eq "x"]', "unexpected space at column 7"),
            ('name .familyName eq "x"', "unexpected space at column 5"),
            ("(" * 33 + "title pr" + ")" * 33, "nested more than 32 deep"),
            ("(" * 3000 + "title pr" + ")" * 3000, "nested more than 32 deep"),
            (" or ".join(["title pr"] * 101), "more than 100 comparisons"),
            ('title eq "' + "x" * 8192 + '"', "longer than 8192 characters"),
        ],
    )
    def test_the_message_says_what_and_where(
        self, text: str, message: str, users: ResourceType
    ) -> None:
        """A filter that is not understood is refused, never read in part."""
        with pytest.raises(InvalidFilter, match=message):
            parse(text, users)

    @pytest.mark.parametrize(
        "text", ["pin pr", 'not (pin sw "1")', "locks[pin pr]", "locks.pin eq null"]
    )
    def test_what_is_never_returned_cannot_be_guessed_by_filters(self, text: str) -> None:
        """A filter would give it away letter by letter, in whatever form it asks."""
        pin = Attribute("pin", returned=Returned.NEVER)
        locks = Attribute("locks", type=Type.COMPLEX, multi_valued=True, sub_attributes=(pin,))
        doors = ResourceType(
            name="Door",
            endpoint="/Doors",
            schema=Schema("urn:example:door", "Door", "", (pin, locks)),
            operations=frozenset(),
        )
        with pytest.raises(InvalidFilter, match="cannot be filtered by"):
            parse(text, doors)

    def test_the_limits_themselves_are_allowed(self, users: ResourceType) -> None:
        """32 deep and 100 comparisons are read."""
        assert parse("(" * 32 + "title pr" + ")" * 32, users) == parse("title pr", users)
        assert len(list(operators(parse(" or ".join(["title pr"] * 100), users)))) == 101

    @given(parts=st.lists(st.sampled_from(PIECES), max_size=12))
    def test_any_text_is_a_filter_or_a_refusal(self, parts: list[str], users: ResourceType) -> None:
        """No text raises anything else than InvalidFilter."""
        for text in ("".join(parts), " ".join(parts)):
            with contextlib.suppress(InvalidFilter):
                assert to_text(parse(text, users))


class TestWhatStorageSupports:
    """Operators that parse are not yet operators that are there."""

    def test_an_operator_that_is_not_there_is_named_with_those_that_are(
        self, users: ResourceType
    ) -> None:
        """RFC 7644, 3.4.2.2: an unsupported operation is declined with invalidFilter."""
        tree = parse('title eq "x" and (title sw "y" or title pr)', users)
        with pytest.raises(
            InvalidFilter, match='operator "or" is not available here; available are eq, and'
        ):
            check_operators(tree, frozenset({Operator.EQ, Operator.AND}))

    def test_operators_are_found_everywhere(self, users: ResourceType) -> None:
        """Brackets and negations hide nothing."""
        tree = parse('not (emails[type ew "x"])', users)
        assert set(operators(tree)) == {Operator.NOT, Operator.VALUE_PATH, Operator.EW}


LITERALS: dict[str, st.SearchStrategy[Literal]] = {
    "userName": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    "active": st.booleans(),
    "meta.created": st.datetimes(timezones=st.just(dt.UTC)),
    f"{BADGES}:height": st.integers(-(2**63), 2**63 - 1),
    f"{BADGES}:weight": st.floats(allow_nan=False, allow_infinity=False),
    f"{ENTERPRISE}:manager.value": st.just("26118915"),
}
OPERATORS = [Operator.EQ, Operator.NE]


class TestPrintedAndParsed:
    """A law."""

    @given(data=st.data())
    def test_the_tree_stays_the_same(
        self, data: st.DataObject, users: ResourceType, trees: st.SearchStrategy[Filter]
    ) -> None:
        """A filter printed and parsed again is the same filter."""
        tree = data.draw(trees)
        assert parse(to_text(tree), users) == tree


@pytest.fixture(scope="module")
def trees(users: ResourceType) -> st.SearchStrategy[Filter]:
    """Return trees as the parser makes them: never an And directly in an And."""
    leaves = st.one_of(*(comparisons(name, users) for name in LITERALS), inside(users))
    shallow = leaves | joined(leaves)
    return shallow | joined(shallow)


def comparisons(name: str, users: ResourceType) -> st.SearchStrategy[Filter]:
    """Return comparisons of one attribute."""
    target = path(name, users)
    compared = st.builds(
        Comparison, st.just(target), st.sampled_from(OPERATORS), LITERALS[name] | st.none()
    )
    return compared | st.just(Present(target))


def inside(users: ResourceType) -> st.SearchStrategy[Filter]:
    """Return value paths."""
    target = path("emails.type", users)
    leaf = st.builds(Comparison, st.just(target), st.sampled_from(OPERATORS), st.text("ab"))
    return st.builds(ValuePath, st.just(path("emails", users)), joined(leaf) | leaf)


def joined(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    """Return what can be made of smaller trees."""
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    all_of = several.filter(lambda each: not any(isinstance(one, And) for one in each))
    one_of = several.filter(lambda each: not any(isinstance(one, Or) for one in each))
    return all_of.map(And) | one_of.map(Or) | inner.map(Not)
