"""No audit, no effect: while the log cannot be written, nothing else is written either.

Every route that writes gets a good request while every insert into the audit log fails. It answers no
success and leaves no trace; the same request succeeds once the log can be written again.
"""

from __future__ import annotations

import hashlib
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.auth.sessions import sign_in
from mobid.domain.actors import SYSTEM
from mobid.storage.tables import metadata
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.e2e.conftest import Person, World

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
BULK: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
MOBILE_ID: Final = "urn:mobid:scim:schemas:core:2.0:MobileID"
HOST: Final = "http://127.0.0.1:8080"
SCRIPT: Final = "/admin/v1/scripts/MobileIDScriptOptions"
WRITING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

# Counted, used up or noted before anything is done, whatever becomes of it.
BEFORE_ANYTHING: Final = frozenset({"counters", "used_once", "api_tokens"})

_WHEN: Final = "BEFORE INSERT ON audit_events"
_RAISE: Final = "BEGIN RAISE EXCEPTION ''the audit log is full''; END"
BREAK: Final = {
    "sqlite": (
        f"CREATE TRIGGER no_audit {_WHEN} BEGIN SELECT RAISE(ABORT, 'the audit log is full'); END",
    ),
    "postgresql": (
        f"CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS '{_RAISE}'",
        f"CREATE TRIGGER no_audit {_WHEN} FOR EACH ROW EXECUTE FUNCTION no_audit()",
    ),
}
MEND: Final = {
    "sqlite": ("DROP TRIGGER no_audit",),
    "postgresql": ("DROP TRIGGER no_audit ON audit_events", "DROP FUNCTION no_audit"),
}


def execute(world: World, statements: tuple[str, ...]) -> None:
    """Change the schema of the database."""
    with world.product.engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


@contextmanager
def audit_is_broken(world: World) -> Iterator[None]:
    """Let every insert into the audit log fail while the block runs."""
    kind = world.product.engine.url.get_backend_name()
    execute(world, BREAK[kind])
    try:
        yield
    finally:
        execute(world, MEND[kind])


def rows(world: World) -> Mapping[str, set[bytes]]:
    """Return a digest of every row, by table."""
    found = {}
    with world.product.transactions.reading() as connection:
        for name, table in metadata.tables.items():
            if name not in BEFORE_ANYTHING:
                all_of_it = connection.execute(sa.select(table)).all()
                found[name] = {hashlib.sha256(repr(row).encode()).digest() for row in all_of_it}
    return found


# --- good requests, by route ---------------------------------------------------------------------------


def scim_create(world: World) -> Callable[[], int]:
    """Let SCIM make a user."""
    user = {"schemas": [USER], "userName": f"audit-{uuid.uuid4()}"}
    return lambda: world.scim("POST", "/Users", user).status_code


def scim_patch(world: World) -> Callable[[], int]:
    """Let SCIM deactivate a user with an active mobile ID."""
    person = active(world)
    return lambda: world.patch(f"/Users/{person.user_id}", "active", value=False).status_code


def scim_delete(world: World) -> Callable[[], int]:
    """Let SCIM delete a user with an active mobile ID."""
    person = active(world)
    return lambda: world.scim("DELETE", f"/Users/{person.user_id}").status_code


def scim_lock(world: World) -> Callable[[], int]:
    """Let SCIM lock a mobile ID."""
    person = active(world)
    return lambda: world.patch(f"/MobileIDs/{person.mobile_id}", "active", value=False).status_code


def scim_remove(world: World) -> Callable[[], int]:
    """Let SCIM delete a mobile ID."""
    person = active(world)
    return lambda: world.scim("DELETE", f"/MobileIDs/{person.mobile_id}").status_code


def scim_replace(world: World) -> Callable[[], int]:
    """Let SCIM write a user anew."""
    person = world.person()
    user = {"schemas": [USER], "userName": f"audit-{uuid.uuid4()}", "displayName": "Other"}
    return lambda: world.scim("PUT", f"/Users/{person.user_id}", user).status_code


def scim_order(world: World) -> Callable[[], int]:
    """Let SCIM order a mobile ID."""
    order = {"schemas": [MOBILE_ID], "user": {"value": world.person().user_id}}
    return lambda: world.scim("POST", "/MobileIDs", order).status_code


def scim_rewrite(world: World) -> Callable[[], int]:
    """Let SCIM lock a mobile ID by writing it anew."""
    person = active(world)
    path = f"/MobileIDs/{person.mobile_id}"
    seen = world.scim("GET", path).json
    return lambda: world.scim("PUT", path, {**(seen or {}), "active": False}).status_code


def group_create(world: World) -> Callable[[], int]:
    """Let SCIM make a group."""
    group = {"schemas": [GROUP], "displayName": f"audit-{uuid.uuid4()}"}
    return lambda: world.scim("POST", "/Groups", group).status_code


def group_replace(world: World) -> Callable[[], int]:
    """Let SCIM write a group anew."""
    path, _ = group(world)
    other = {"schemas": [GROUP], "displayName": f"audit-{uuid.uuid4()}"}
    return lambda: world.scim("PUT", path, other).status_code


def group_patch(world: World) -> Callable[[], int]:
    """Let SCIM take a member into a group."""
    path, member = group(world)
    return lambda: world.patch(path, "members", [{"value": member}]).status_code


def group_delete(world: World) -> Callable[[], int]:
    """Let SCIM delete a group."""
    path, _ = group(world)
    return lambda: world.scim("DELETE", path).status_code


def scim_bulk(world: World) -> Callable[[], int]:
    """Let SCIM delete a user with an active mobile ID, as one of many operations."""
    person = active(world)
    operation = {"method": "DELETE", "path": f"/Users/{person.user_id}"}
    body = {"schemas": [BULK], "Operations": [operation]}

    def ask() -> int:
        answer = world.scim("POST", "/Bulk", body)
        # Each operation has a status of its own.
        told = answer.json["Operations"] if answer.json and answer.status_code == 200 else []
        return int(told[0]["status"]) if told else answer.status_code

    return ask


def group(world: World) -> tuple[str, str]:
    """Return the path of a group, and who could be its member."""
    name = {"schemas": [GROUP], "displayName": f"audit-{uuid.uuid4()}"}
    made = world.scim("POST", "/Groups", name)
    assert made.json is not None
    return f"/Groups/{made.json['id']}", world.person().user_id


def start_get(world: World) -> Callable[[], int]:
    """Start a Get."""
    person = world.person()
    return lambda: person.start(GET).status_code


def start_lock(world: World) -> Callable[[], int]:
    """Start a Lock."""
    person = active(world)
    return lambda: person.start(LOCK, mobile_id=person.mobile_id).status_code


def next_at_confirm(world: World) -> Callable[[], int]:
    """Ask for a code."""
    person = started(world)
    return lambda: person.act("next").status_code


def cancel(world: World) -> Callable[[], int]:
    """End a Get."""
    person = started(world)
    return lambda: person.act("cancel").status_code


def renew(world: World) -> Callable[[], int]:
    """Ask for another code."""
    person = with_code(world)
    return lambda: person.act("renew").status_code


def approve(world: World) -> Callable[[], int]:
    """Approve a phone."""
    person = with_phone(world)
    return lambda: person.approve().status_code


def not_mine(world: World) -> Callable[[], int]:
    """Let a phone go."""
    person = with_phone(world)
    return lambda: person.act("not_mine").status_code


def lock_an_old_one(world: World) -> Callable[[], int]:
    """Lock the mobile ID that is in the way of another."""
    person = active(world)
    assert person.start(GET).status_code == 201
    return lambda: person.act("lock").status_code


def next_at_lock(world: World) -> Callable[[], int]:
    """Lock."""
    person = active(world)
    assert person.start(LOCK, mobile_id=person.mobile_id).status_code == 201
    return lambda: person.act("next").status_code


def claim(world: World) -> Callable[[], int]:
    """Claim a code."""
    person, phone = with_code(world), world.handset("Phone")
    code = str(person.instance["step"]["data"]["typed_code"])
    return lambda: phone.claim(code).status


def keys(world: World) -> Callable[[], int]:
    """Send the keys of a phone."""
    person, phone = with_code(world), world.handset("Phone")
    assert phone.claim(str(person.instance["step"]["data"]["typed_code"])).status == 200
    return lambda: phone.keys().status


def confirm(world: World) -> Callable[[], int]:
    """Confirm that the certificates are installed."""
    person = issued(world)
    return lambda: person.handset.confirm(person.delivered).status


def remove(world: World) -> Callable[[], int]:
    """Remove a mobile ID in the app."""
    person = active(world)
    return lambda: person.handset.remove().status


def push(world: World) -> Callable[[], int]:
    """Store a version of a script."""
    return lambda: world.admin("versions", source="pass\n", comment="").status_code


def activate(world: World) -> Callable[[], int]:
    """Take the activation of a script back, and put it into force again."""
    now = world.product.scripts.active("MobileIDScriptOptions").version
    return lambda: world.admin("activate", version=now, expected_active=now).status_code


def dry_run_on_one(world: World) -> Callable[[], int]:
    """Try a script on a real user, which is written down."""
    user_id = world.person().user_id
    return lambda: world.admin("dry-run", source="pass\n", user_id=user_id).status_code


def dry_run_on_many(world: World) -> Callable[[], int]:
    """Try a script on all users, which is written down before anybody is looked at."""
    order = {"source": "pass\n", "filter": "userName pr"}

    def ask() -> int:
        answer = world.admin("dry-run", **order)
        answer.close()
        return answer.status_code

    return ask


def rollback(world: World) -> Callable[[], int]:
    """Go back to the script that was active before another one."""
    scripts, name = world.product.scripts, "MobileIDScriptOptions"
    before = scripts.active(name).version
    new = scripts.push(name, "pass\n", by=SYSTEM, comment="").version
    scripts.activate(name, new, expected=before, by=SYSTEM)
    return lambda: world.admin("rollback", expected_active=new).status_code


def release(world: World) -> Callable[[], int]:
    """Let a version in quarantine run again."""
    name = "MobileIDScriptOptions"
    version = world.product.scripts.push(name, "pass\n", by=SYSTEM, comment="").version
    with world.product.units() as unit:
        unit.scripts.quarantine(name, version, "It broke out.")
        unit.commit()
    return lambda: world.admin(f"versions/{version}/release").status_code


def page_get(world: World) -> Callable[[], int]:
    """Start a Get at our page."""
    return form(world, world.person(), "/get")


def page_lock(world: World) -> Callable[[], int]:
    """Start a Lock at our page."""
    person = active(world)
    return form(world, person, f"/mobile-ids/{person.mobile_id}/lock")


def page_next(world: World) -> Callable[[], int]:
    """Go on at our page."""
    person = started(world)
    run = person.instance
    return form(world, person, f"/instances/{run['id']}/next", step_seq=run["step"]["seq"])


def form(world: World, person: Person, path: str, **fields: object) -> Callable[[], int]:
    """Return what sends a form of our pages."""
    browser = world.app.test_client()
    with browser.session_transaction(base_url=HOST) as session:
        sign_in(session, person.user_id, world.clock())
    page = browser.get("/", base_url=HOST).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]

    def ask() -> int:
        answer = browser.post(path, data={"csrf_token": token, **fields}, base_url=HOST)
        # A form that was taken leads to another page.
        return 200 if answer.status_code == 303 else answer.status_code

    return ask


def started(world: World) -> Person:
    """Return somebody with a Get at *confirm*."""
    person = world.person()
    assert person.start(GET).status_code == 201
    return person


def with_code(world: World) -> Person:
    """Return somebody to whom a code is shown."""
    person = started(world)
    assert person.act("next").status_code == 200
    return person


def with_phone(world: World) -> Person:
    """Return somebody whose phone has sent its keys."""
    person = with_code(world)
    person.take_phone()
    return person


def issued(world: World) -> Person:
    """Return somebody whose phone has its certificates."""
    person = with_phone(world)
    assert person.approve().status_code == 200
    world.until(lambda: person.look()["state"] == "waiting_device", "the certificates are there")
    person.fetch()
    return person


def active(world: World) -> Person:
    """Return somebody with an active mobile ID."""
    person = issued(world)
    assert person.handset.confirm(person.delivered).status == 200
    person.look()
    return person


GOOD: Final[Mapping[str, tuple[Callable[[World], Callable[[], int]], ...]]] = {
    "POST scim./Bulk": (scim_bulk,),
    "POST scim./Users": (scim_create,),
    "PUT scim./Users/<resource_id>": (scim_replace,),
    "PATCH scim./Users/<resource_id>": (scim_patch,),
    "DELETE scim./Users/<resource_id>": (scim_delete,),
    "POST scim./Groups": (group_create,),
    "PUT scim./Groups/<resource_id>": (group_replace,),
    "PATCH scim./Groups/<resource_id>": (group_patch,),
    "DELETE scim./Groups/<resource_id>": (group_delete,),
    "POST scim./MobileIDs": (scim_order,),
    "PUT scim./MobileIDs/<resource_id>": (scim_rewrite,),
    "PATCH scim./MobileIDs/<resource_id>": (scim_lock,),
    "DELETE scim./MobileIDs/<resource_id>": (scim_remove,),
    "POST processes.start": (start_get, start_lock),
    "POST processes.act": (
        next_at_confirm, cancel, renew, approve, not_mine, lock_an_old_one, next_at_lock,
    ),
    "POST device.claim": (claim,),
    "POST device.keys": (keys,),
    "POST device.confirm": (confirm,),
    "POST device.remove": (remove,),
    "POST admin.push": (push,),
    "POST admin.activate": (activate,),
    "POST admin.dry_run": (dry_run_on_one, dry_run_on_many),
    "POST admin.rollback": (rollback,),
    "POST admin.release": (release,),
    "POST web.get": (page_get,),
    "POST web.lock": (page_lock,),
    "POST web.act": (page_next,),
}  # fmt: skip
WRITES_NOTHING: Final[Mapping[str, str]] = {
    "POST admin.check": "it compiles only",
    "POST admin.test": "nothing comes of it",
    "POST device.result": "it reads",
    "POST device.status": "it reads",
    "POST pki.ask": "it reads",
    "POST scim./search": "it reads",
    "POST scim./Users/search": "it reads",
    "POST scim./Groups/search": "it reads",
    "POST scim./MobileIDs/search": "it reads",
    "POST web.sign_in_as": "a session is a cookie",
    "POST web.sign_out": "a session is a cookie",
}
NOT_THERE: Final = frozenset({405, 404, 501})


def writing_routes(world: World) -> set[str]:
    """Return method and endpoint of whatever takes a method that writes."""
    found = {
        f"{method} {rule.endpoint}"
        for rule in world.app.url_map.iter_rules()
        for method in (rule.methods or set()) & WRITING
    }
    # A SCIM rule takes every method and sorts them out itself: ask it which it knows.
    return {one for one in found if " scim." not in one or is_known(world, one)}


def is_known(world: World, route: str) -> bool:
    """Tell whether a SCIM route does anything with a method."""
    method, _, endpoint = route.partition(" ")
    rule = next(world.app.url_map.iter_rules(endpoint)).rule
    if "unknown" in rule:
        return False
    path = rule.removeprefix("/scim/v2").replace("<resource_id>", "x").replace("<urn>", "x")
    answer = world.scim(method, path.replace("<name>", "x"), {"schemas": []})
    return answer.status_code not in NOT_THERE or (method == "DELETE" and "resource_id" in rule)


def test_every_route_that_writes_is_tried(world: World) -> None:
    """Or it is written down why it writes nothing."""
    assert writing_routes(world) == GOOD.keys() | WRITES_NOTHING.keys()


def test_nothing_is_done_that_cannot_be_audited(world: World) -> None:
    """It answers an error, nothing has changed, and nothing is lost: the same request succeeds later."""
    wrong = []
    for route, prepared in GOOD.items():
        for prepare in prepared:
            ask = prepare(world)
            before = rows(world)
            with audit_is_broken(world), capture_logs():
                status = ask()
            after = rows(world)
            changed = [name for name in before if before[name] != after[name]]
            later = ask()
            if status < 400 or changed or later >= 300:
                name = prepare.__name__
                wrong.append(f"{route} ({name}): {status}, changed {changed}, later {later}")
    assert wrong == []


def test_neither_is_any_token_or_front_end(world: World) -> None:
    """Commands stand on the same log."""
    tokens, front_ends = world.product.tokens, world.product.front_ends
    made = tokens.create("audit", Audience.SCIM, {"scim:read"}, by=SYSTEM)
    acts: Mapping[str, Callable[[], Any]] = {
        "make a token": lambda: tokens.create("x", Audience.SCIM, {"scim:read"}, by=SYSTEM),
        "revoke a token": lambda: tokens.revoke(made.id, by=SYSTEM),
        "revoke a front end": lambda: front_ends.revoke("intranet", by=SYSTEM),
    }
    query = sa.text(
        "SELECT id, revoked_at FROM api_tokens UNION SELECT name, revoked_at FROM frontends"
    )
    for what, act in acts.items():
        with world.product.transactions.reading() as connection:
            before = set(map(tuple, connection.execute(query)))
        with audit_is_broken(world):
            try:
                act()
            except Exception:  # noqa: BLE001, S110  # whatever the database says
                pass
            else:
                raise AssertionError(f"{what}: done without a record")
        with world.product.transactions.reading() as connection:
            assert set(map(tuple, connection.execute(query))) == before, what
