"""A type of the product's own, with every rule that users do not have."""

import datetime as dt

import orjson
import pytest

from mobid_scim import wire
from mobid_scim.attributes import Attribute, Mutability, Returned, Schema, Type, reference
from mobid_scim.errors import InvalidFilter, InvalidValue, NotYetImplemented
from mobid_scim.errors import Mutability as Refused
from mobid_scim.filter import Operator, parse
from mobid_scim.listing import Page, Query
from mobid_scim.patch import apply
from mobid_scim.patch_request import PATCH_OP, read_request
from mobid_scim.projection import Projection
from mobid_scim.resource import (
    Extension,
    Operation,
    Resource,
    ResourceType,
    StoredResource,
    represent,
)
from mobid_scim.schemas.user import USER
from mobid_scim.service import Endpoint, Service
from mobid_scim.validation import read_resource

BASE = "https://id.example/scim/v2"
LEASE = "urn:example:scim:leases:2.0:Lease"
HOUSE = "urn:example:scim:leases:2.0:House"
START = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)

LEASES = ResourceType(
    name="Lease",
    endpoint="/Leases",
    schema=Schema(
        id=LEASE,
        name="Lease",
        description="Who uses what",
        attributes=(
            Attribute(
                "user",
                type=Type.COMPLEX,
                required=True,
                mutability=Mutability.IMMUTABLE,
                sub_attributes=(
                    Attribute("value", required=True),
                    reference("$ref", "User"),
                ),
            ),
            Attribute("pin", mutability=Mutability.WRITE_ONLY, returned=Returned.NEVER),
            Attribute("memo", returned=Returned.REQUEST),
            Attribute("active", type=Type.BOOLEAN),
        ),
    ),
    extensions=(
        Extension(
            Schema(HOUSE, "House", "Where it is", (Attribute("street", required=True),)),
            required=True,
        ),
    ),
    operations=frozenset(Operation),
)
BODY = {
    "schemas": [LEASE, HOUSE],
    "user": {"value": "u1"},
    "pin": "1234",
    "memo": "late",
    HOUSE: {"street": "Main"},
}


def stored(**computed: object) -> StoredResource:
    """Return a lease as storage gives it back."""
    return StoredResource(
        id="l1",
        version="3",
        created=START,
        last_modified=START,
        document=read_resource(BODY, LEASES).document(),
        computed=computed,
    )


def answered(item: StoredResource, attributes: str | None = None) -> dict[str, object]:
    """Return what a client gets."""
    projection = Projection.parse(LEASES, attributes, None)
    body: dict[str, object] = orjson.loads(wire.resource(item, projection, BASE))
    return body


def patched(operation: object) -> Resource:
    """Return the lease after one operation."""
    body = {"schemas": [PATCH_OP], "Operations": [operation]}
    return apply(represent(stored(), LEASES, BASE), read_request(body, LEASES))


class TestWhatIsReturned:
    """RFC 7643, 2.2: returned."""

    def test_never_means_never(self) -> None:
        """Not by default, and not on request."""
        assert "1234" not in str(answered(stored()))
        assert "pin" not in answered(stored(), "pin")

    def test_what_clients_write_may_be_on_request_too(self) -> None:
        """Then the stored text is not sent as it is."""
        assert "memo" not in answered(stored())
        assert answered(stored(), "memo")["memo"] == "late"

    def test_computed_values_win(self) -> None:
        """Where the truth is elsewhere, storage says it beside the document."""
        assert answered(stored(active=False))["active"] is False

    def test_what_is_never_returned_cannot_be_guessed_by_filters(self) -> None:
        """A filter would give it away, bit by bit."""
        with pytest.raises(InvalidFilter, match="pin cannot be filtered by"):
            parse('pin sw "1"', LEASES)


class TestWhatIsRequired:
    """RFC 7643, 2.2: required, in parts and extensions."""

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"user": None}, "user is required"),
            ({"user": {"$ref": "https://x"}}, "user.value is required"),
            ({HOUSE: None}, f"{HOUSE} is required"),
            ({HOUSE: {"street": None}}, f"{HOUSE} is required"),
            ({HOUSE: {"street": " "}}, "must not be blank"),
        ],
    )
    def test_what_is_missing_is_named(self, changes: dict[str, object], message: str) -> None:
        """400 invalidValue."""
        with pytest.raises(InvalidValue, match=message):
            read_resource(BODY | changes, LEASES)

    @pytest.mark.parametrize("path", ["user", "user.value", f"{HOUSE}:street"])
    def test_it_cannot_be_removed(self, path: str) -> None:
        """400 mutability: required, or immutable even before that."""
        with pytest.raises(Refused, match=r"cannot be removed|is immutable"):
            patched({"op": "remove", "path": path})


class TestWhatIsImmutable:
    """RFC 7643, 2.2: set with the resource, and never again."""

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "replace", "path": "user", "value": {"value": "u2"}},
            {"op": "replace", "path": "user.value", "value": "u2"},
            {"op": "add", "path": "user.$ref", "value": "https://x"},
        ],
    )
    def test_its_parts_are_immutable_as_well(self, operation: dict[str, object]) -> None:
        """Not even something new may join them."""
        with pytest.raises(Refused, match="is immutable: it was set once and stays"):
            patched(operation)

    def test_the_same_value_changes_nothing(self) -> None:
        """A client may write back what it knows."""
        same = patched({"op": "replace", "path": "user", "value": {"value": "u1"}})
        assert same == represent(stored(), LEASES, BASE)


class ReadOnlyStorage:
    """A repository without the abilities that its type claims."""

    operators = frozenset({Operator.EQ})

    def get(self, resource_id: str, *, projection: Projection) -> StoredResource:
        """Return the one lease, for every id."""
        assert resource_id
        assert projection.scope is LEASES
        return stored()

    def search(self, query: Query) -> Page:
        """Return the one lease."""
        return Page([self.get("l1", projection=query.projection)], 1)


class TestFaultsInTheSetUp:
    """Mistakes of the product show early, or refuse clearly."""

    def test_storage_that_cannot_write_is_not_asked_to(self) -> None:
        """501, although the type says it has the operation."""
        service = Service[str]([Endpoint(LEASES, lambda _: ReadOnlyStorage())], base_url=BASE)
        projection = Projection(LEASES)
        with pytest.raises(NotYetImplemented, match='operation "create" is not available'):
            service.create("me", LEASES, BODY, projection)
        with pytest.raises(NotYetImplemented, match='operation "delete" is not available'):
            service.delete("me", LEASES, "l1", None)

    def test_an_operator_that_storage_has_not_is_refused(self) -> None:
        """400 invalidFilter, before storage is asked."""
        service = Service[str]([Endpoint(LEASES, lambda _: ReadOnlyStorage())], base_url=BASE)
        query = Query(projection=Projection(LEASES), filter=parse('memo sw "x"', LEASES))
        with pytest.raises(InvalidFilter, match='"sw" is not available here; available are eq'):
            service.search("me", LEASES, query)

    def test_locations_need_an_absolute_base(self) -> None:
        """A Host header is no base."""
        with pytest.raises(ValueError, match='"/scim/v2" of SCIM is not absolute'):
            Service[str]([], base_url="/scim/v2")

    def test_two_types_have_two_names(self) -> None:
        """Of two with one name, one would be gone without a word."""
        twice: list[Endpoint[str]] = [Endpoint(LEASES, lambda _: ReadOnlyStorage())] * 2
        with pytest.raises(
            ValueError, match="Two resource types have one name, among Lease, Lease"
        ):
            Service[str](twice, base_url=BASE)

    def test_endpoints_have_one_form(self) -> None:
        """A slash and a name."""
        with pytest.raises(ValueError, match='"Users" is not of the form "/Things"'):
            ResourceType(name="User", endpoint="Users", schema=USER, operations=frozenset())
