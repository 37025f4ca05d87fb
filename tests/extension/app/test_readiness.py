"""`/healthz` and `/readyz`: who lives, who can work, and what is told of it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import pytest
from sqlalchemy import text

from mobid.app import create_app
from mobid.app.readiness import Readiness, readiness_of
from mobid.jobs import Periodic

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from mobid.app import Product


@pytest.fixture
def client(product: Product) -> FlaskClient:
    """Somebody who watches, without a token."""
    return create_app(product).test_client()


class TestAnswers:
    def test_a_process_that_works_says_so(self, client: FlaskClient) -> None:
        """To everybody, without a cookie, and nothing may be kept."""
        for path, word in (("/healthz", "ok"), ("/readyz", "ready")):
            answer = client.get(path)
            assert (answer.status_code, answer.get_json()) == (200, {"status": word})
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in answer.headers

    def test_a_process_without_its_schema_lives_and_is_not_ready(
        self, product: Product, client: FlaskClient
    ) -> None:
        """The failing part is named, and nothing else is told."""
        with product.transactions.writing() as connection:
            connection.execute(text("DELETE FROM alembic_version"))

        answer = client.get("/readyz")

        assert (answer.status_code, answer.get_json()) == (
            503,
            {"status": "not_ready", "failing": ["database"]},
        )
        assert answer.headers["Cache-Control"] == "no-store"
        assert client.get("/healthz").status_code == 200


class TestParts:
    def test_a_database_that_is_gone(self, product: Product) -> None:
        """A file in which there is something else does not answer."""
        product.engine.dispose()
        (product.settings.home / "mobid.db").write_bytes(b"no database" * 1000)

        assert readiness_of(product).failing() == ["database"]

    def test_a_sandbox_that_cannot_run(self, product: Product) -> None:
        """Without it no Get can start; one that died is started again by asking."""
        product.sandbox.close()

        assert readiness_of(product).failing() == ["sandbox"]

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_worker_is_missed_only_where_there_was_one(self, product: Product) -> None:
        """A server without jobs is ready; one whose sweep has ended is not."""
        assert readiness_of(product).failing() == []
        ending = threading.Event()

        def end() -> NoReturn:
            ending.set()
            raise SystemExit

        product.effects.start_worker([Periodic(name="x", every=timedelta(hours=1), run=end)])
        assert ending.wait(10)
        for thread in [one for one in threading.enumerate() if one.name == "periodic-x"]:
            thread.join(10)
        assert readiness_of(product).failing() == ["worker"]


class TestReadiness:
    def test_an_answer_holds_for_a_second(self) -> None:
        """However many ask, the parts are not."""
        now, asked = [0.0], []

        def works() -> bool:
            asked.append(now[0])
            return True

        readiness = Readiness({"part": works}, monotonic=lambda: now[0])
        for moment in (0.0, 0.5, 0.999, 1.0, 1.5):
            now[0] = moment
            assert list(readiness.failing()) == []
        assert asked == [0.0, 1.0]

    def test_a_part_that_hangs_fails_in_time_and_is_not_asked_twice(self) -> None:
        """The others are told as they are, and nobody waits for it again."""
        go_on, asked = threading.Event(), []

        def hangs() -> bool:
            asked.append(1)
            return go_on.wait(30)

        readiness = Readiness({"slow": hangs, "good": lambda: True}, kept=0.0, patience=0.05)
        assert list(readiness.failing()) == ["slow"]
        assert list(readiness.failing()) == ["slow"]
        assert len(asked) == 1
        go_on.set()

    def test_a_part_that_raises_fails(self) -> None:
        """Whatever it is; the words go to the log, and not to strangers."""

        def broken() -> bool:
            raise OSError("no space left on /dev/secret")

        assert list(Readiness({"disk": broken, "other": lambda: False}).failing()) == [
            "disk",
            "other",
        ]
