"""The identity manager of the examples: what it reads, what it says, and its runs on a real server."""

from __future__ import annotations

import ast
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from mobid.app import Product, initialise
from mobid.config import create_home, load
from mobid.domain.actors import SYSTEM
from mobid.provisioning.types import USER_TYPE
from mobid.storage.tables.access import Audience
from mobid_scim.patch import apply
from mobid_scim.patch_request import read_request
from mobid_scim.validation import read_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM: Final = Path(__file__).resolve().parents[2] / "examples" / "idm-sync" / "sync.py"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
HEADER: Final = "id,user_name,given_name,family_name,email,title,department,employee_number"
LINE: Final = "1,anna,Anna,Ågren,anna@example.com,Engineer,Sales,100001"
MANY: Final = 60
PATIENCE: Final = 60.0


@pytest.fixture(scope="module", autouse=True)
def _program_beside() -> Iterator[None]:
    """Let the modules of the program be found, as they are when it is run by its path."""
    sys.path.insert(0, str(PROGRAM.parent))
    yield
    sys.path.remove(str(PROGRAM.parent))


def module(name: str) -> Any:
    """Return a module of the program."""
    return import_module(f"idm_sync.{name}")


# --- a real server -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """`mobid serve` in a process of its own, and the product beside it, which makes tokens."""

    url: str
    product: Product

    def token(self, client: str) -> str:
        """Return a token of a SCIM client."""
        scopes = ("scim:read", "scim:write")
        made = self.product.tokens.create(client, Audience.SCIM, scopes, by=SYSTEM)
        return made.bearer.reveal()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests of this module, each of which is a SCIM client of its own."""
    folder = tmp_path_factory.mktemp("idm-sync")
    home, log = folder / "home", folder / "server.log"
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    create_home(home)
    initialise(load(home, {}))
    command = [sys.executable, "-m", "mobid.cli", "--home", str(home), "serve"]
    environ = os.environ | {"MOBID_LISTEN_PORT": str(port)}
    with (
        Product(load(home, {})) as product,
        log.open("wb") as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environ
        ) as process,
    ):
        until(lambda: b'"server_ready"' in log.read_bytes() or process.poll() is not None)
        assert process.poll() is None, log.read_text("utf-8")
        yield Server(f"http://127.0.0.1:{port}/scim/v2", product)
        process.terminate()


def until(true: Callable[[], object], *, every: float = 0.02) -> None:
    """Look again and again until something is true."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / every)):
        if true():
            return
        pause.wait(every)
    pytest.fail(f"not within {PATIENCE} s")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the program ended."""

    status: int
    out: str
    err: str

    @property
    def tally(self) -> dict[str, int]:
        """What was done, as far as it is not nothing."""
        counted = json.loads(self.out)
        return {name: number for name, number in counted.items() if number and name != "dry_run"}


@dataclass(frozen=True, slots=True)
class Site:
    """A SCIM client at the server, with a file of people whom nobody else has."""

    server: Server
    token: str
    file: Path
    name: str
    environment: pytest.MonkeyPatch
    streams: pytest.CaptureFixture[str]

    def people(self, size: int = MANY) -> list[Any]:
        """Return people of the program's own sample, under names that are this client's."""
        return [
            replace(one, id=f"{self.name}-{one.id}", user_name=f"{self.name}.{one.user_name}")
            for one in module("sample").sample(size)
        ]

    def write(self, people: list[Any]) -> None:
        """Write the file."""
        with self.file.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER.split(","))
            writer.writerows([getattr(one, name) for name in HEADER.split(",")] for one in people)

    def sync(self, *options: str) -> Ended:
        """Run the program to its end, in this process."""
        self.environment.setenv("SCIM_TOKEN", self.token)
        self.streams.readouterr()
        try:
            status = int(module("cli").main([*self._arguments, *options]))
        except SystemExit as wrong_usage:
            status = int(wrong_usage.code or 0)
        said = self.streams.readouterr()
        return Ended(status, said.out, said.err)

    def start(self) -> subprocess.Popen[str]:
        """Start the program by its path, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), *self._arguments],
            cwd=self.file.parent,
            env=os.environ | {"SCIM_TOKEN": self.token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def _arguments(self) -> list[str]:
        return [str(self.file), "--url", self.server.url, "--json"]

    @contextmanager
    def http(self) -> Iterator[httpx2.Client]:
        """Give a plain client of the server."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx2.Client(base_url=self.server.url, headers=headers, timeout=PATIENCE) as client:
            yield client

    def users(self) -> dict[str, dict[str, Any]]:
        """Return the users that this client has brought, by what it calls them."""
        return self._found("/Users", f'externalId sw "{self.name}"')

    def groups(self) -> dict[str, dict[str, Any]]:
        """Return the groups of this client, by what it calls them."""
        return self._found("/Groups", "externalId pr")

    def versions(self) -> dict[str, str]:
        """Return the version of everything that is there."""
        there = [*self.users().values(), *self.groups().values()]
        return {one["id"]: one["meta"]["version"] for one in there}

    def patch(self, path: str, *operations: dict[str, Any]) -> None:
        """Change something as somebody else does."""
        body = {"schemas": [PATCH_OP], "Operations": list(operations)}
        with self.http() as http:
            assert http.patch(path, json=body).status_code == 200

    def _found(self, path: str, text: str) -> dict[str, dict[str, Any]]:
        with self.http() as http:
            found = http.get(path, params={"filter": text, "count": "1000"}).json()
        return {one["externalId"]: one for one in found.get("Resources", [])}


@pytest.fixture
def site(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Site:
    """Return a SCIM client of its own."""
    name = f"c{uuid.uuid4().hex[:8]}"
    file = tmp_path / "people.csv"
    return Site(server, server.token(name), file, name, monkeypatch, capsys)


# --- the file ------------------------------------------------------------------------------------------


class TestReading:
    """One wrong line, and nothing is synced: every fault is told by its line."""

    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            (["id,user_name,given_name", "1,a,b"], 'The column "family_name" is missing.'),
            ([f"{HEADER},salary", f"{LINE},1"], 'The column "salary" is unknown; there are id,'),
            ([f"{HEADER},title", f"{LINE},x"], "A column is there twice."),
            ([HEADER, "1,anna,Anna"], "line 2: it has not as many values as there are columns."),
            ([HEADER, f"{LINE},more"], "line 2: it has not as many values as there are columns."),
            ([HEADER, LINE.replace("Ågren", " ")], "line 2: family_name is empty."),
            ([HEADER, LINE, LINE], 'line 3: id "1" is in line 2, too.'),
            (
                [HEADER, LINE, LINE.replace("1,anna", "2,ANNA", 1)],
                'line 3: user_name "ANNA" is in line 2, too.',
            ),
            ([HEADER, LINE.replace("Anna", '"An"na')], "is no CSV file in UTF-8"),
            ([""], 'The column "id" is missing.'),
        ],
    )
    def test_what_cannot_be_used_is_told(
        self, lines: list[str], words: str, tmp_path: Path
    ) -> None:
        """A file that is cut off or mixed up must not look as if people had left."""
        file = tmp_path / "people.csv"
        file.write_text("\n".join(lines), "utf-8")
        with pytest.raises(module("errors").Usage) as refused:
            module("people").read_people(file)
        assert words in str(refused.value)

    def test_at_most_ten_faults_are_told(self, tmp_path: Path) -> None:
        """A file that is wrong everywhere does not fill the screen."""
        file = tmp_path / "people.csv"
        file.write_text("\n".join([HEADER, *[",,,,,,,"] * 20]), "utf-8")
        with pytest.raises(module("errors").Usage, match=r"and 70 more$"):
            module("people").read_people(file)

    def test_a_file_in_another_encoding_is_refused(self, tmp_path: Path) -> None:
        """A name that was read wrongly would end up in a certificate."""
        file = tmp_path / "people.csv"
        file.write_bytes(f"{HEADER}\n{LINE}\n".encode("latin-1"))
        with pytest.raises(module("errors").Usage, match="is no CSV file in UTF-8"):
            module("people").read_people(file)

    def test_a_sample_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        """What the program writes it takes, and it writes over nothing."""
        file, people = tmp_path / "people.csv", module("sample").sample(300)
        module("people").write_people(file, people)
        assert module("people").read_people(file) == people
        with pytest.raises(module("errors").Usage, match="a sample is not written over it"):
            module("people").write_people(file, people)


# --- what is said over SCIM -------------------------------------------------------------------------------


WORDS: Final = st.text("abcÅé .-", min_size=1, max_size=8).map(str.strip).filter(bool)
MAYBE: Final = st.one_of(st.just(""), WORDS)


@st.composite
def persons(draw: st.DrawFn) -> Any:
    """Return a person of whom everything that may be empty may be empty."""
    required = {name: draw(WORDS) for name in ("user_name", "given_name", "family_name")}
    others = {name: draw(MAYBE) for name in ("title", "department", "employee_number")}
    email = draw(st.sampled_from(["", "a@example.com", "b@example.com"]))
    return module("people").Person(id="1", email=email, **required, **others)


class TestDifferences:
    """The PATCH that makes a user what the file says, checked with an engine that is not the program's."""

    @given(before=persons(), after=persons())
    def test_what_is_said_is_enough(self, before: Any, after: Any) -> None:
        """A user who was changed so needs no further change, and one who is as wanted needs none."""
        differences = module("differences")
        there = read_resource(differences.new_user(before), USER_TYPE)
        wanted = differences.operations(after, there.values)
        assert bool(wanted) is (before != after)
        if wanted:
            body = {"schemas": [PATCH_OP], "Operations": wanted}
            there = apply(there, read_request(body, USER_TYPE))
        assert differences.operations(after, there.values) == []
        created = read_resource(differences.new_user(after), USER_TYPE)
        assert there.document() == created.document()

    def test_a_leaver_is_deactivated_once(self) -> None:
        """Somebody who is inactive already is left alone."""
        leaving = module("differences").leaving
        assert leaving({"active": True}) == [{"op": "replace", "path": "active", "value": False}]
        assert leaving({}) == leaving({"active": True})
        assert leaving({"active": False}) == []


# --- the line ------------------------------------------------------------------------------------------


class Answers(httpx2.BaseTransport):
    """A service provider that answers with what it was given, one after the other."""

    def __init__(self, *answers: httpx2.Response | httpx2.TransportError) -> None:
        self._answers: Final = list(answers)

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._answers.pop(0)
        if isinstance(answer, httpx2.TransportError):
            raise answer
        return answer


class Lossy(httpx2.BaseTransport):
    """A line that carries a request out and loses the answer, the first time that one creates a user."""

    def __init__(self) -> None:
        self._line: Final = httpx2.HTTPTransport()
        self.lost = 0

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._line.handle_request(request)
        if request.method == "POST" and not self.lost:
            self.lost += 1
            answer.read()
            raise httpx2.ReadError("The answer got lost.")
        return answer

    @override
    def close(self) -> None:
        self._line.close()


def busy(retry_after: str | None = None) -> httpx2.Response:
    """Return an answer that asks to come back later."""
    return httpx2.Response(429, headers={} if retry_after is None else {"Retry-After": retry_after})


def asked(*answers: httpx2.Response | httpx2.TransportError) -> tuple[int, list[float]]:
    """Ask once; return the status of the answer, and how long it was waited in between."""
    waits: list[float] = []
    patient = module("line").Patient(Answers(*answers), waits.append)
    with httpx2.Client(base_url="http://localhost", transport=patient) as client:
        return client.get("/").status_code, waits


class TestWaiting:
    """A service provider that is busy is asked again when it says, and not for ever."""

    def test_it_waits_as_long_as_it_is_told(self) -> None:
        """Retry-After is obeyed, in seconds and as a date."""
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
        status, (first, second) = asked(busy("7"), busy(soon), httpx2.Response(200))
        assert (status, first) == (200, 7)
        assert 50 < second <= 60

    def test_without_a_word_it_waits_longer_each_time(self) -> None:
        """A service provider that is away comes back to one request at a time."""
        lost = httpx2.ConnectError("refused")
        status, waits = asked(lost, busy(), busy("soon"), httpx2.Response(200))
        assert (status, waits) == (200, [0.5, 1.0, 2.0])

    def test_it_never_asks_without_a_pause(self) -> None:
        """A service provider that says 0 all the time is not flooded."""
        assert asked(busy("0"), busy("0"), httpx2.Response(200)) == (200, [0.5, 1.0])

    def test_patience_ends(self) -> None:
        """What it says then is the answer; a connection that stays lost is an error."""
        assert asked(busy("299"), busy("2")) == (429, [299])
        assert asked(busy("9" * 400)) == (429, [])
        with pytest.raises(httpx2.ConnectError):
            asked(*[httpx2.ConnectError("refused")] * 50)

    @pytest.mark.parametrize("url", ["http://idm.example.org/scim/v2", "ftp://localhost/", "/scim"])
    def test_a_token_goes_nowhere_unsafe(self, url: str) -> None:
        """Plain http is for this machine only."""
        usage = module("errors").Usage
        with (
            pytest.raises(usage, match="over https only"),
            module("line").open_line(url, "secret", httpx2.HTTPTransport()),
        ):
            pytest.fail("It was opened.")


# --- the whole way -----------------------------------------------------------------------------------------


class TestSyncing:
    """What the file says is what the service provider has, however the last run ended."""

    def test_a_second_run_changes_nothing(self, site: Site) -> None:
        """Everybody is created with a group per department; then no version moves any more."""
        people = site.people()
        site.write(people)
        departments = {one.department for one in people}
        first = site.sync()
        assert (first.status, first.tally) == (
            0,
            {"people": MANY, "created": MANY, "groups_created": len(departments)},
        )
        before = site.versions()
        assert len(before) == MANY + len(departments)
        second = site.sync()
        assert (second.status, second.tally) == (0, {"people": MANY})
        assert site.versions() == before
        self._must_be(site, people)

    def test_a_run_that_was_killed_is_resumed_by_running_again(self, site: Site) -> None:
        """SIGKILL in the middle leaves some created; the next run creates the others, and no one twice."""
        people = site.people()
        site.write(people)
        process = site.start()
        until(lambda: len(site.users()) >= 5)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL
        left = site.users()
        assert 5 <= len(left) < MANY, "It was to be killed in the middle."
        again = site.sync()
        assert again.status == 0, again.err
        assert again.tally["created"] == MANY - len(left)
        before = site.versions()
        assert {name: one["id"] for name, one in left.items()}.items() <= {
            name: one["id"] for name, one in site.users().items()
        }.items()
        assert site.sync().tally == {"people": MANY}
        assert site.versions() == before
        self._must_be(site, people)

    def test_only_what_differs_is_changed(self, site: Site) -> None:
        """Who moved, left and came back is changed, nobody else; what others wrote stays."""
        anna, bert, carl, dora = site.people(4)
        anna = replace(anna, department="Sales")
        site.write([anna, bert, carl])
        assert site.sync().tally["created"] == 3
        user = site.users()[anna.id]
        home = {"value": "anna@home.example", "type": "home"}
        site.patch(
            f"/Users/{user['id']}",
            {"op": "add", "path": "emails", "value": [home]},
            {"op": "add", "path": "nickName", "value": "Ann"},
        )
        before = site.versions()
        anna = replace(anna, department="Legal", email="new@example.com", title="")
        site.write([anna, bert, dora])
        tally = site.sync().tally
        assert {name: tally[name] for name in ("created", "changed", "deactivated")} == {
            "created": 1,
            "changed": 1,
            "deactivated": 1,
        }
        users = site.users()
        assert users[anna.id]["nickName"] == "Ann"
        assert {one["value"] for one in users[anna.id]["emails"]} == {home["value"], anna.email}
        assert "title" not in users[anna.id]
        assert users[carl.id]["active"] is False
        assert users[bert.id]["meta"]["version"] == before[users[bert.id]["id"]]
        self._must_be(site, [anna, bert, dora])
        site.write([anna, bert, carl, dora])
        tally = site.sync().tally
        assert tally["changed"] == 1
        assert site.users()[carl.id]["active"] is True
        self._must_be(site, [anna, bert, carl, dora])

    def test_a_dry_run_writes_nothing(self, site: Site) -> None:
        """It says what it would do, and the service provider is as before."""
        site.write(site.people(3))
        dry = site.sync("--dry-run")
        assert (dry.status, dry.tally["created"]) == (0, 3)
        assert json.loads(dry.out)["dry_run"] is True
        assert site.users() == {}
        assert site.groups() == {}

    def test_a_file_that_is_cut_off_deactivates_nobody(self, site: Site) -> None:
        """More leavers than are likely are refused before anything is written, unless it is said."""
        people = site.people(30)
        site.write(people)
        assert site.sync().status == 0
        before = site.versions()
        site.write(people[:5])
        refused = site.sync()
        assert refused.status == 3
        assert "25 of 30 people would be deactivated, more than 20." in refused.err
        assert site.versions() == before
        assert site.sync("--most-leavers", "25").tally["deactivated"] == 25

    def test_an_answer_that_got_lost_makes_no_second_user(self, site: Site) -> None:
        """The request is sent again, meets the user that it made, and counts as done."""
        lossy = Lossy()
        patient = module("line").Patient(lossy, list[float]().append)
        terminal = module("telling").Terminal()
        people = site.people(3)
        with module("line").open_line(site.server.url, site.token, patient) as http:
            syncing = module("syncing").Syncing(module("provider").Provider(http), terminal)
            tally = syncing.run(people, most_leavers=None)
        assert (lossy.lost, tally.created, tally.refused) == (1, 3, 0)
        assert site.streams.readouterr().err == ""
        self._must_be(site, people)

    def test_one_who_is_refused_does_not_stop_the_others(self, site: Site) -> None:
        """A user name that somebody else has taken is told; everybody else is synced, and it ends with 1."""
        anna, bert, carl = site.people(3)
        with site.http() as http:
            body = {"schemas": [USER_TYPE.schema.id], "userName": bert.user_name.upper()}
            assert http.post("/Users", json=body).status_code == 201
        site.write([anna, bert, carl])
        ended = site.sync()
        assert (ended.status, ended.tally["created"], ended.tally["refused"]) == (1, 2, 1)
        assert f"{bert.id}: 409: Another User has the userName" in ended.err
        assert site.sync().tally == {"people": 3, "refused": 1}

    def test_a_token_that_is_not_good_ends_it(self, site: Site) -> None:
        """It says what the service provider said, once, and never the token."""
        site.write(site.people(3))
        ended = replace(site, token="x" * 43).sync()
        assert ended.status == 1
        assert "The service provider refuses: 401: " in ended.err
        assert "x" * 43 not in ended.out + ended.err

    def test_no_token_and_no_address_are_wrong_usage(self, site: Site, tmp_path: Path) -> None:
        """A token is read from a file or the environment; there is no option for one."""
        site.write(site.people(3))
        assert "Give a token: --token-file" in replace(site, token="").sync().err
        ended = replace(site, token="").sync("--token-file", str(tmp_path / "none"))
        assert (ended.status, "cannot be read" in ended.err) == (2, True)
        token = tmp_path / "token"
        token.write_text(f"{site.token}\n")
        assert replace(site, token="").sync("--token-file", str(token), "--dry-run").status == 0
        assert site.sync("--token", "secret").status == 2

    @staticmethod
    def _must_be(site: Site, people: list[Any]) -> None:
        """Check users and members of groups against the people, without the program's own words."""
        users, groups = site.users(), site.groups()
        active = {name: one for name, one in users.items() if one["active"]}
        assert {name: (one["userName"], one["displayName"]) for name, one in active.items()} == {
            one.id: (one.user_name, f"{one.given_name} {one.family_name}") for one in people
        }
        members = {
            group["displayName"]: {one["value"] for one in group.get("members", [])}
            for group in groups.values()
        }
        departments = {one.department for one in people}
        assert departments <= members.keys()
        for name, ids in members.items():
            assert ids == {users[one.id]["id"] for one in people if one.department == name}
        for one in people:
            assert users[one.id][ENTERPRISE]["department"] == one.department


class TestStandingAlone:
    """It can be taken along."""

    def test_it_imports_nothing_of_the_product(self) -> None:
        """It speaks SCIM through a client library that is not ours."""
        sources = [ast.parse(file.read_bytes()) for file in PROGRAM.parent.rglob("*.py")]
        nodes = [node for source in sources for node in ast.walk(source)]
        plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
        chosen = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert "scim2_client" in plain | chosen
        assert [name for name in plain | chosen if name.startswith("mobid")] == []
