"""Settings, home and keys: what is accepted, what is refused, and what the operator reads then."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import mobid.config
from mobid.ca.builtin import initialise
from mobid.config import (
    BrokenKey,
    HomeUnusable,
    InvalidSettings,
    KeyExists,
    KeyFolder,
    KeyMissing,
    MailSecurity,
    MailSettings,
    Secret,
    Settings,
    Times,
    UnsafeFile,
    create_home,
    is_home,
    key_folder,
    load,
    read_keys,
)
from mobid.config.reference import markdown
from mobid.config.schema import SETTINGS, written

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSWORD = "correct-horse"
DATABASE = f"postgresql://mobid:{PASSWORD}@db.example.org:5433/mobid"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a fresh home."""
    create_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a certificate in PEM."""
    folder = tmp_path / "ca"
    initialise(folder, name="Example CA", now=datetime.now(UTC))
    return folder / "ca.pem"


def fields_of(settings: Any) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in dataclasses.fields(settings)]


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file of this mode, and return its path."""
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def from_toml(home: Path, text: str) -> Settings:
    """Load a home whose mobid.toml has this content, with nothing in the environment."""
    write(home / "mobid.toml", text)
    return load(home, {})


def faults(home: Path, environ: Mapping[str, str]) -> list[str]:
    """Return the faults that loading this home reports, one line each."""
    with pytest.raises(InvalidSettings) as refused:
        load(home, environ)
    head, *lines = str(refused.value).splitlines()
    assert head == f"{len(lines)} settings are not usable:".replace(
        "1 settings are", "1 setting is"
    )
    assert [str(fault) for fault in refused.value.faults] == [line.strip() for line in lines]
    return [line.strip() for line in lines]


class TestDefaults:
    """What holds when nothing is said."""

    def test_a_new_home_serves_this_machine_from_its_own_database(self, home: Path) -> None:
        """Everything has a default, and the defaults keep to the loopback address."""
        settings = load(home, {})
        assert settings.database_url.reveal() == f"sqlite:///{home}/mobid.db"
        assert settings.public_url == "http://127.0.0.1:8080"
        assert (settings.listen_host, settings.listen_port) == ("127.0.0.1", 8080)
        assert (settings.authority, dict(settings.authority_settings)) == ("builtin", {})
        assert (settings.demo, settings.max_codes, settings.times) == (False, 5, Times())
        assert settings.mail is None

    def test_a_home_without_a_settings_file_is_set_up_by_its_environment(self, home: Path) -> None:
        """A container needs no file."""
        (home / "mobid.toml").unlink()
        assert load(home, {"MOBID_LISTEN_PORT": "9000"}).listen_port == 9000

    def test_what_the_first_settings_file_suggests_is_accepted(self, home: Path) -> None:
        """Removing every # from the commented settings leaves a file that loads."""
        suggested = (home / "mobid.toml").read_text(encoding="utf-8")
        uncommented = re.sub(r"^# (?=\[|\w+ = )", "", suggested, flags=re.MULTILINE)
        assert len(tomllib.loads(uncommented)) == 6
        settings = from_toml(home, uncommented)
        assert settings.public_url == "https://mobid.example.org"
        assert settings.mail == MailSettings(host="mail.example.org", sender="mobid@example.org")

    def test_a_relative_home_becomes_absolute(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A later change of the working directory must not move the database."""
        monkeypatch.chdir(home.parent)
        settings = load(home.relative_to(home.parent), {})
        assert settings.home == home
        assert settings.database_url.reveal() == f"sqlite:///{home}/mobid.db"

    def test_every_setting_can_be_given(self, home: Path) -> None:
        """No field is without a reader and a line that says what it is for, in groups as well."""
        settings = from_toml(home, f"[mail]\n{MAIL}")
        given = {name: getattr(settings, name) for name in fields_of(settings)}
        groups = {name: value for name, value in given.items() if dataclasses.is_dataclass(value)}
        inner = {f"{name}.{one}" for name, group in groups.items() for one in fields_of(group)}
        assert set(SETTINGS) == (given.keys() - groups - {"home"}) | inner
        assert all(setting.about.endswith(".") for setting in SETTINGS.values())


class TestReference:
    """What people read."""

    def test_the_readme_lists_every_setting_as_it_is(self) -> None:
        """`mobid config docs` writes the table; whoever changes a setting puts it there anew."""
        readme = (Path(mobid.config.__file__).parent / "README.md").read_text(encoding="utf-8")
        _, table = readme.split("<!-- settings -->\n")
        assert table.removesuffix("\n<!-- end of settings -->\n") == markdown()

    def test_a_default_is_written_as_it_would_be_given(self) -> None:
        """Whoever copies it into mobid.toml changes nothing; words stand for what is computed."""
        fixed = [one for one in SETTINGS.values() if re.fullmatch(r"[a-z0-9.]+", one.otherwise)]
        given = {one.name: one.otherwise for one in fixed if one.otherwise != "none"}
        again = {name: written(SETTINGS[name].accepts.read(value)) for name, value in given.items()}
        assert again == given
        assert {"listen_port", "times.ca", "mail.security", "demo"} <= given.keys()


class TestOverrides:
    """File, environment, and files named by the environment."""

    def test_the_environment_wins_over_the_file(self, home: Path) -> None:
        """Where both speak, the environment is heard; the rest of the file holds."""
        write(
            home / "mobid.toml",
            'demo = true\nlisten_port = 9000\nmax_codes = 3\n[times]\nca = "5m"\n',
        )
        settings = load(home, {"MOBID_LISTEN_PORT": "9001", "MOBID_TIMES_APPROVE": "90s"})
        assert (settings.demo, settings.listen_port, settings.max_codes) == (True, 9001, 3)
        assert settings.times == Times(ca=timedelta(minutes=5), approve=timedelta(seconds=90))

    def test_a_file_named_by_the_environment_holds_the_value(self, home: Path) -> None:
        """One newline at the end is not part of a secret."""
        secret = write(home.parent / "database-url", DATABASE + "\n")
        settings = load(home, {"MOBID_DATABASE_URL_FILE": str(secret)})
        assert settings.database_url.reveal() == DATABASE.replace(
            "postgresql", "postgresql+psycopg"
        )

    def test_the_table_of_the_ca_is_handed_on_as_it_is(self, home: Path) -> None:
        """The connector checks its own settings; as they may hold secrets, no repr shows them."""
        settings = from_toml(
            home, 'authority = "openbao"\nauthority_settings = {mount = "pki-7"}\n'
        )
        assert (settings.authority, settings.authority_settings) == ("openbao", {"mount": "pki-7"})
        assert "pki-7" not in repr(settings)

    def test_other_variables_are_not_ours(self, home: Path) -> None:
        """The home itself and the crash points are no settings; neither is anybody else's."""
        environ = {"MOBID_HOME": str(home), "MOBID_CRASHPOINT": "ca.signed", "PATH": "/bin"}
        assert load(home, environ) is not None


MAIL = 'host = "mail.example.org"\nsender = "mobid@example.org"\n'


class TestMail:
    """The table of the mail server."""

    def test_host_and_sender_are_enough(self, home: Path) -> None:
        """The rest has defaults, and the connection is encrypted."""
        mail = from_toml(home, f"[mail]\n{MAIL}").mail
        assert mail is not None
        assert (mail.host, mail.sender, mail.port) == ("mail.example.org", "mobid@example.org", 587)
        assert (mail.security, mail.sender_name) == (MailSecurity.STARTTLS, "Mobile ID")
        assert (mail.username, mail.password, mail.ca_file) == (None, None, None)

    def test_everything_can_be_said(self, home: Path, certificate: Path) -> None:
        """In the environment as well, and the password in a file."""
        password = write(home.parent / "password", " spaces count \n")
        mail = load(
            home,
            {
                "MOBID_MAIL_HOST": "Mail.Example.Org",
                "MOBID_MAIL_PORT": "465",
                "MOBID_MAIL_SECURITY": "tls",
                "MOBID_MAIL_SENDER": "mobid@Example.org",
                "MOBID_MAIL_SENDER_NAME": "Företaget AB",
                "MOBID_MAIL_USERNAME": "mobid",
                "MOBID_MAIL_PASSWORD_FILE": str(password),
                "MOBID_MAIL_CA_FILE": str(certificate),
                "MOBID_MAIL_TIMEOUT": "5s",
            },
        ).mail
        assert mail is not None
        assert mail.password is not None
        assert mail.password.reveal() == " spaces count "
        assert mail == MailSettings(
            host="mail.example.org",
            port=465,
            security=MailSecurity.TLS,
            sender="mobid@example.org",
            sender_name="Företaget AB",
            username="mobid",
            password=mail.password,
            ca_file=certificate,
            timeout=timedelta(seconds=5),
        )

    @pytest.mark.parametrize(
        ("toml", "fault"),
        [
            ('host = "mail.example.org"',
             "mail.sender (absent): needed, since mail.host is set; accepted is: a plain e-mail"),
            ('sender = "mobid@example.org"', "mail.host (absent): needed, since mail.sender is set"),
            (MAIL + 'username = "mobid"',
             "mail.password (absent): needed, since mail.username is set; give both or neither."),
            (MAIL + 'username = "mobid"\npassword_file = "nowhere"',
             "mail.password (mobid.toml): "),
            (MAIL + 'username = "mobid"\npassword_file = 7',
             "mail.password_file (mobid.toml): it must be the path of a file"),
            (MAIL + 'password = "x"', "mail.username (absent): needed, since mail.password is set"),
            (MAIL + 'security = "none"',
             'mail.security (mobid.toml): "none" is for a mail server on this machine itself, and mail.ex'),
            (MAIL + 'security = "ssl"', 'mail.security (mobid.toml): "ssl" is not accepted; what is: s'),
            (MAIL + 'sender_name = "a\\nb"', "mail.sender_name (mobid.toml): "),
            (MAIL + 'timeout = "2m"', 'mail.timeout (mobid.toml): "2m" is not accepted; what is: a d'),
            (MAIL + 'timeout = "20s"',
             ("mail.timeout (mobid.toml): 20s for an answer is too long: a mail may take 3 times that, "
             "which is to be less than the 60s of times.attempt_lost; lower this one or raise that one.")),
            (MAIL + '[times]\nattempt_lost = "45s"',
             "mail.timeout (absent): 15s for an answer is too long"),
            (MAIL + 'ca_file = "/nowhere.pem"', "mail.ca_file (mobid.toml): "),
            (MAIL + 'ca_file = "/etc/passwd"', "mail.ca_file (mobid.toml): "),
            (MAIL + 'ca_file = "relative.pem"', "mail.ca_file (mobid.toml): "),
            (MAIL + 'sendr = "x"',
             'mail.sendr (mobid.toml): there is no such setting; did you mean "mail.sender"?'),
            (MAIL + '[mial]\nhost = "x"',
             'mial (mobid.toml): there is no such setting; did you mean "mail"?'),
        ],
    )  # fmt: skip
    def test_half_a_mail_server_is_refused(self, home: Path, toml: str, fault: str) -> None:
        """What is missing or does not fit together is named, with what would be right."""
        write(home / "mobid.toml", f"[mail]\n{toml}\n")
        (found,) = faults(home, {})
        assert found.startswith(fault)

    def test_scripts_without_walls_run_where_nobody_else_can_reach_them(self, home: Path) -> None:
        """Development mode is for whoever writes scripts; a server for others refuses to start with it."""
        development = "[scripts]\ndevelopment = true\n"
        assert from_toml(home, development).scripts.development
        write(home / "mobid.toml", f'public_url = "https://id.example.org"\n{development}')
        assert faults(home, {}) == [
            (
                "scripts.development (mobid.toml): development mode runs scripts without walls, and "
                "id.example.org is no address of this machine alone; leave it out, and run the server "
                "on Linux."
            )
        ]

    def test_layers_of_the_sandbox_are_known_words(self, home: Path) -> None:
        """A layer that nobody knows would never stand."""
        assert from_toml(home, '[scripts]\nlayers = ["landlock"]\n').scripts.layers == ("landlock",)
        write(home / "mobid.toml", '[scripts]\nlayers = ["moat"]\n')
        (fault,) = faults(home, {})
        assert fault.startswith("scripts.layers (mobid.toml): ")
        assert "rlimits, no_new_privs, landlock, seccomp" in fault

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
    def test_in_the_clear_only_on_this_machine(self, home: Path, host: str) -> None:
        """A relay on the loopback address needs no certificate."""
        toml = f'[mail]\nhost = "{host}"\nsender = "mobid@example.org"\nsecurity = "none"\n'
        mail = from_toml(home, toml).mail
        assert mail is not None
        assert mail.security is MailSecurity.NONE

    @pytest.mark.parametrize(
        "given",
        ["mobid", "Mobile ID <mobid@example.org>", "a@b@example.org", "mobid@", "@example.org",
         '"a b"@example.org', "a..b@example.org", "mobid@example..org", "mobid@[127.0.0.1]",
         "a@example.org, b@example.org", "ä@example.org", "mobid@example.org ", "x" * 65 + "@a.se"],
    )  # fmt: skip
    def test_the_sender_is_a_plain_address(self, home: Path, given: str) -> None:
        """It stands in every mail, and nothing but an address can."""
        (fault,) = faults(home, {"MOBID_MAIL_HOST": "mail.example.org", "MOBID_MAIL_SENDER": given})
        assert fault.startswith("mail.sender (MOBID_MAIL_SENDER): ")
        assert fault.endswith("what is: a plain e-mail address, such as mobid@example.org.")


class TestSecrets:
    """In mobid.toml, which is for its owner only, or in a file that it or the environment names."""

    def test_stand_in_the_settings_file_itself(self, home: Path) -> None:
        """The simplest way, and no repr shows it."""
        settings = from_toml(home, f'[mail]\n{MAIL}username = "mobid"\npassword = "{PASSWORD}"\n')
        assert settings.mail is not None
        assert settings.mail.password is not None
        assert settings.mail.password.reveal() == PASSWORD
        assert PASSWORD not in repr(settings)

    def test_or_in_a_file_that_it_names(self, home: Path) -> None:
        """By its absolute path, or from the home."""
        write(home / "password", f"{PASSWORD}\n")
        url = write(home.parent / "url", DATABASE)
        settings = from_toml(
            home,
            f'database_url_file = "{url}"\n'
            f'[mail]\n{MAIL}username = "mobid"\npassword_file = "password"\n',
        )
        assert settings.mail is not None
        assert settings.mail.password is not None
        assert settings.mail.password.reveal() == PASSWORD
        assert PASSWORD in settings.database_url.reveal()

    @pytest.mark.parametrize(
        ("toml", "fault"),
        [
            (f'database_url = "{DATABASE}"\ndatabase_url_file = "x"',
             "database_url_file (mobid.toml): database_url is set, too; keep one of them."),
            ("database_url_file = 1", "database_url_file (mobid.toml): it must be the path of a file"),
            ('database_url_file = "url"', "database_url (mobid.toml): {home}/url is not there."),
            ('listen_port_file = "port"', "listen_port_file (mobid.toml): there is no such setting"),
        ],
    )  # fmt: skip
    def test_are_given_once(self, home: Path, toml: str, fault: str) -> None:
        """Which of two was meant is not guessed, and only secrets have files in mobid.toml."""
        write(home / "mobid.toml", toml)
        (found,) = faults(home, {})
        assert found.startswith(fault.format(home=home))
        assert PASSWORD not in found

    def test_a_refused_one_is_not_shown(self, home: Path) -> None:
        """Even a password that cannot be one stays unseen."""
        write(home / "mobid.toml", f'[mail]\n{MAIL}username = "m"\npassword = "{PASSWORD}\\t"\n')
        assert faults(home, {}) == [
            "mail.password (mobid.toml): its value is not accepted; what is: one line."
        ]


class TestPublicURL:
    """The base of QR codes and SCIM locations."""

    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("https://mobid.example.org", "https://mobid.example.org"),
            ("HTTPS://MobID.Example.org:8443/", "https://mobid.example.org:8443"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.7", "http://127.0.0.7"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ],
    )
    def test_is_https_or_this_machine(self, home: Path, given: str, read: str) -> None:
        """It is read in one spelling, without a slash at the end."""
        assert load(home, {"MOBID_PUBLIC_URL": given}).public_url == read

    @pytest.mark.parametrize(
        "given",
        [
            "http://mobid.example.org", "http://127.0.0.1.example.org", "mobid.example.org", "",
            "https://", "https://user:pass@example.org", "https://example.org/mobid",
            "https://example.org?", "https://example.org#x", "https://example.org:0",
            "https://example.org:65536", "https://exa mple.org", "https://-a.example", "ftp://a.example",
            "https://[::1", "https://[::g]", "https://example.org\n", "https://example..org",
        ],
    )  # fmt: skip
    def test_is_nothing_else(self, home: Path, given: str) -> None:
        """Anything else is refused with what would be accepted."""
        (fault,) = faults(home, {"MOBID_PUBLIC_URL": given})
        assert fault.startswith("public_url (MOBID_PUBLIC_URL): ")
        assert "is not accepted; what is: https://host or https://host:port" in fault

    def test_must_be_said_when_other_machines_can_reach_us(self, home: Path) -> None:
        """It cannot be guessed, so it is not."""
        (fault,) = faults(home, {"MOBID_LISTEN_HOST": "0.0.0.0"})  # noqa: S104 - the case in point
        assert fault.startswith(
            "public_url (absent): needed, since listen_host 0.0.0.0 can be reached"
        )

    def test_follows_the_loopback_address_and_port(self, home: Path) -> None:
        """On this machine it is where we listen."""
        settings = load(home, {"MOBID_LISTEN_HOST": "::1", "MOBID_LISTEN_PORT": "81"})
        assert settings.public_url == "http://[::1]:81"


class TestDatabaseURL:
    """SQLite by an absolute path, or PostgreSQL."""

    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("sqlite:////var/lib/mobid/x.db", "sqlite:////var/lib/mobid/x.db"),
            ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
            ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
            ("postgresql:///d?host=/run/pg", "postgresql+psycopg:///d?host=/run/pg"),
        ],
    )
    def test_is_accepted(self, home: Path, given: str, read: str) -> None:
        """PostgreSQL is always reached by the one driver that we ship."""
        assert load(home, {"MOBID_DATABASE_URL": given}).database_url.reveal() == read

    @pytest.mark.parametrize(
        "given",
        ["sqlite://", "sqlite:///relative.db", "sqlite:////x.db?mode=memory", "mysql://u:p@h/d",
         "postgresql+psycopg2://u:p@h/d", "postgresql://u:p@h", "postgresql://u:p@h:x/d",
         "postgresql://u:p@h:0/d", f"postgres://mobid:{PASSWORD}@h/d", ""],
    )  # fmt: skip
    def test_is_refused_without_being_shown(self, home: Path, given: str) -> None:
        """It may hold a password, so the message shows only what would be right."""
        (fault,) = faults(home, {"MOBID_DATABASE_URL": given})
        assert fault == (
            "database_url (MOBID_DATABASE_URL): its value is not accepted; what is: "
            "sqlite:////absolute/path.db or postgresql://user:password@host:port/database."
        )

    def test_never_shows_in_a_repr(self, home: Path) -> None:
        """Settings can be printed and turned into a dictionary without giving the password away."""
        settings = load(home, {"MOBID_DATABASE_URL": DATABASE})
        assert "database_url=***" in repr(settings)
        for shown in (
            repr(settings),
            str(dataclasses.asdict(settings)),
            f"{settings.database_url}",
        ):
            assert PASSWORD not in shown


class TestFaults:
    """All of them at once, each with its source and what would be right."""

    def test_all_are_reported_together(self, home: Path) -> None:
        """One start shows everything there is to mend."""
        write(home / "mobid.toml", 'listen_port = 70000\ndemo = "yes"\nlisten_hots = "::1"\n'
              '[times]\nca = 15\nforms_idle = "1m"\n')  # fmt: skip
        environ = {
            "MOBID_MAX_CODES": "0",
            "MOBID_TIMES_APPROVE": "1y",
            "MOBID_DATABSE_URL": DATABASE,
        }
        duration = "a duration from 1s to 90d, such as 90s, 30m or 24h."
        assert sorted(faults(home, environ)) == [
            'MOBID_DATABSE_URL (environment): there is no such setting; did you mean "MOBID_DATABASE_URL"?',
            'demo (mobid.toml): "yes" is not accepted; what is: true or false.',
            'listen_hots (mobid.toml): there is no such setting; did you mean "listen_host"?',
            "listen_port (mobid.toml): 70000 is not accepted; what is: a whole number from 1 to 65535.",
            'max_codes (MOBID_MAX_CODES): "0" is not accepted; what is: a whole number from 1 to 20.',
            f'times.approve (MOBID_TIMES_APPROVE): "1y" is not accepted; what is: {duration}',
            f"times.ca (mobid.toml): 15 is not accepted; what is: {duration}",
            'times.forms_idle (mobid.toml): there is no such setting; did you mean "times.form_idle"?',
        ]

    @pytest.mark.parametrize(
        ("toml", "fault"),
        [
            ("listen_port = true", "listen_port (mobid.toml): true is not accepted"),
            ("listen_port = 1.5", "listen_port (mobid.toml): 1.5 is not accepted"),
            ("listen_port = 2026-01-01", "listen_port (mobid.toml): 2026-01-01 is not accepted"),
            ("listen_port = [1]", "listen_port (mobid.toml): a list or a table is not accepted"),
            ("demo = 1", "demo (mobid.toml): 1 is not accepted"),
            ('times = "1m"', "times (mobid.toml): there is no such setting"),
            ('times.ca = "91d"', 'times.ca (mobid.toml): "91d" is not accepted'),
            ('times.ca = "0s"', 'times.ca (mobid.toml): "0s" is not accepted'),
            ('listen_host = "a b"', 'listen_host (mobid.toml): "a b" is not accepted'),
            ('listen_host = ":x"', 'listen_host (mobid.toml): ":x" is not accepted'),
            ('authority = "Open Bao"', 'authority (mobid.toml): "Open Bao" is not accepted'),
            (
                'authority_settings = "x"',
                "authority_settings (mobid.toml): its value is not accepted",
            ),
        ],
    )
    def test_the_wrong_kind_of_value(self, home: Path, toml: str, fault: str) -> None:
        """A value is shown as it was written, and of a table only that it is one."""
        write(home / "mobid.toml", toml)
        (found,) = faults(home, {})
        assert found.startswith(fault)

    def test_a_settings_file_that_is_no_toml(self, home: Path) -> None:
        """The message has the line."""
        write(home / "mobid.toml", "listen_port = \n")
        (fault,) = faults(home, {})
        assert fault.startswith(f"mobid.toml ({home}/mobid.toml): Invalid value (at line 1")

    def test_a_settings_file_that_others_can_read(self, home: Path) -> None:
        """It may hold a password; the message has the command that mends it."""
        write(home / "mobid.toml", "", mode=0o644)
        (fault,) = faults(home, {})
        assert (
            f"has mode 0644, so that others than its owner can get at it. Run: chmod 600 {home}"
            in fault
        )

    def test_a_value_in_both_places_of_the_environment(self, home: Path) -> None:
        """Which one was meant is not guessed."""
        environ = {"MOBID_DEMO": "true", "MOBID_DEMO_FILE": "/nowhere"}
        assert faults(home, environ) == [
            "demo (MOBID_DEMO_FILE): MOBID_DEMO is set, too; keep one of them."
        ]

    def test_a_named_file_that_is_no_secret_file(self, home: Path) -> None:
        """Absent, readable for others, or no text: each is told apart, and nothing is shown."""
        loose = write(home.parent / "loose", DATABASE, mode=0o640)
        broken = home.parent / "broken"
        broken.write_bytes(b"\xff")
        broken.chmod(0o600)
        for path, problem in [
            (home / "nowhere", f"{home}/nowhere is not there."),
            (loose, f"{loose} has mode 0640"),
            (broken, f"{broken} does not hold UTF-8 text."),
            (home, f"{home} cannot be read (Is a directory)"),
        ]:
            (fault,) = faults(home, {"MOBID_DATABASE_URL_FILE": str(path)})
            assert fault.startswith(f"database_url (MOBID_DATABASE_URL_FILE): {problem}")

    def test_a_table_does_not_come_from_the_environment(self, home: Path) -> None:
        """Tables are written in the file."""
        assert faults(home, {"MOBID_AUTHORITY_SETTINGS": "{}"}) == [
            "authority_settings (MOBID_AUTHORITY_SETTINGS): it is a table in mobid.toml."
        ]

    def test_a_home_that_is_not_there(self, tmp_path: Path) -> None:
        """A misspelt home must not start an empty mobid."""
        assert faults(tmp_path / "nohome", {}) == [
            f"home ({tmp_path}/nohome): there is no such directory; `mobid init` makes one."
        ]

    def test_a_home_whose_name_no_database_url_can_hold(self, tmp_path: Path) -> None:
        """A question mark would end the path."""
        (tmp_path / "what?").mkdir()
        (fault,) = faults(tmp_path / "what?", {})
        assert fault.endswith("a database URL cannot hold this path; choose another name.")


class TestHome:
    """Making a home."""

    def test_is_for_its_owner_only(self, tmp_path: Path) -> None:
        """Folders 0700, files 0600, whatever the umask."""
        umask = os.umask(0)
        try:
            create_home(tmp_path / "deep" / "home")
        finally:
            os.umask(umask)
        home = tmp_path / "deep" / "home"
        modes = {
            str(path.relative_to(home)): stat.S_IMODE(path.stat().st_mode)
            for path in [home, *home.rglob("*")]
        }
        assert modes == {
            ".": 0o700, "keys": 0o700, "mobid.toml": 0o600,
            "keys/enrolment.key": 0o600, "keys/session.key": 0o600, "keys/audit.key": 0o600,
        }  # fmt: skip
        assert is_home(home)

    def test_uses_an_empty_directory_that_is_there(self, tmp_path: Path) -> None:
        """Service managers and containers make it beforehand, open for all."""
        (tmp_path / "home").mkdir(mode=0o755)
        create_home(tmp_path / "home")
        assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700

    def test_completes_what_a_crash_left_half_done(self, home: Path) -> None:
        """Keys that are there stay; drafts do not matter."""
        enrolment = key_folder(home).read("enrolment.key")
        (home / "mobid.toml").rename(home / ".mobid.toml.1234")
        (home / "keys" / "audit.key").unlink()
        assert not is_home(home)
        create_home(home)
        assert is_home(home)
        assert key_folder(home).read("enrolment.key") == enrolment
        assert read_keys(key_folder(home)).enrolment.reveal() == enrolment

    @pytest.mark.parametrize("foreign", ["mobid.toml", "mobid.db", "photo.jpg"])
    def test_refuses_a_directory_in_use(self, tmp_path: Path, foreign: str) -> None:
        """Neither a home with data nor somebody else's files are touched."""
        write(tmp_path / foreign, "data", mode=0o644)
        with pytest.raises(
            HomeUnusable, match=f'it holds "{re.escape(foreign)}" already. Name a dir'
        ):
            create_home(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [foreign]

    def test_refuses_what_is_no_directory(self, tmp_path: Path) -> None:
        """The reason is the operating system's."""
        with pytest.raises(HomeUnusable, match=r"file cannot become a new home: File exists\."):
            create_home(write(tmp_path / "file", ""))


class TestKeys:
    """Key files: made once, read by their owner, never written over."""

    def test_are_fresh_in_every_home(self, tmp_path: Path) -> None:
        """32 random bytes, and an Ed25519 key."""
        one, two = (read_keys(create_home(tmp_path / name)) for name in ("one", "two"))
        assert len(one.enrolment.reveal()) == len(one.session.reveal()) == 32
        assert isinstance(one.audit, Ed25519PrivateKey)
        assert (
            len({key.reveal() for key in (one.enrolment, one.session, two.enrolment, two.session)})
            == 4
        )
        assert one.audit.public_key() != two.audit.public_key()

    def test_never_show(self, home: Path) -> None:
        """A repr has no key in it."""
        keys = read_keys(key_folder(home))
        assert repr(keys) == "Keys(enrolment=***, session=***)"
        assert f"{Secret('seen')} {Secret(b'seen')!r}" == "*** ***"

    def test_a_key_is_never_written_over(self, home: Path) -> None:
        """The old one stays as it was."""
        folder = key_folder(home)
        before = folder.read("session.key")
        with pytest.raises(
            KeyExists, match=r"session\.key exists already; a key is never written over"
        ):
            folder.create("session.key", b"new")
        assert folder.read("session.key") == before
        assert len(list(folder.path.iterdir())) == 3

    def test_of_many_makers_at_once_all_get_the_same_key(self, home: Path) -> None:
        """The first one wins, and nobody works with a key that is not on the disk."""
        folder = key_folder(home)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(
                lambda number: folder.read_or_create("ca-root.key", lambda: b"%d" % number), range(50)
            ))  # fmt: skip
        assert set(made) == {folder.read("ca-root.key")}

    def test_a_missing_key_names_the_remedy(self, home: Path) -> None:
        """It may be in the backup: a new key would make the old codes and logs worthless."""
        (home / "keys" / "enrolment.key").unlink()
        with pytest.raises(
            KeyMissing, match=r"enrolment\.key is missing. `mobid init` makes a new home; for"
        ):
            read_keys(key_folder(home))

    def test_a_missing_folder_is_a_missing_key(self, tmp_path: Path) -> None:
        """Reading and making both say so."""
        folder = KeyFolder(tmp_path / "keys")
        with pytest.raises(KeyMissing, match=r"keys/session\.key is missing"):
            folder.read("session.key")
        with pytest.raises(KeyMissing, match=r"keys is missing"):
            folder.create("session.key", b"x")

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
    def test_a_key_that_others_can_touch_is_refused(self, home: Path, mode: int) -> None:
        """It may have been read or changed; the message has the command that closes it."""
        path = home / "keys" / "session.key"
        path.chmod(mode)
        with pytest.raises(
            UnsafeFile, match=rf"has mode 0{mode:o}, so that others .* Run: chmod 600 /"
        ):
            read_keys(key_folder(home))

    def test_a_folder_that_others_can_touch_is_refused(self, home: Path) -> None:
        """Who can write into the folder can replace a key."""
        (home / "keys").chmod(0o770)
        with pytest.raises(UnsafeFile, match=r"keys has mode 0770.*Run: chmod 700 /"):
            key_folder(home).read("session.key")
        with pytest.raises(UnsafeFile, match=r"keys has mode 0770.*Run: chmod 700 /"):
            key_folder(home).create("new.key", b"new")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_a_key_of_somebody_else_is_refused(self, home: Path) -> None:
        """Its owner could change it."""
        os.chown(home / "keys" / "session.key", 12345, -1)
        with pytest.raises(
            UnsafeFile, match=r"belongs to user 12345, who could change it. Run: chown 0"
        ):
            read_keys(key_folder(home))

    def test_what_is_no_file_is_refused(self, home: Path) -> None:
        """A pipe must not hold the process up, and a huge file must not fill it."""
        folder = key_folder(home)
        os.mkfifo(folder.path / "pipe", 0o600)
        write(folder.path / "huge", "x" * 65_537)
        (folder.path / "folder").mkdir(mode=0o700)
        for name, problem in [
            ("pipe", "is no ordinary file"),
            ("huge", "has more than 65536 bytes"),
            ("folder", "cannot be read"),
        ]:
            with pytest.raises(UnsafeFile, match=f"{name} {problem}"):
                folder.read(name)
        with pytest.raises(UnsafeFile, match=r"huge is no folder"):
            KeyFolder(folder.path / "huge").read("session.key")

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("enrolment.key", b"short", "32 random bytes"),
            ("session.key", b"", "32 random bytes"),
            ("audit.key", b"-----BEGIN PRIVATE KEY-----", "an Ed25519 private key"),
        ],
    )
    def test_something_else_in_a_key_file(
        self, home: Path, name: str, content: bytes, expected: str
    ) -> None:
        """A damaged key is told apart from a missing one."""
        (home / "keys" / name).write_bytes(content)
        with pytest.raises(BrokenKey, match=f"{name} does not hold {expected}"):
            read_keys(key_folder(home))

    @pytest.mark.parametrize("name", ["", "../mobid.toml", "a/b", ".hidden", "Key", "a\n"])
    def test_a_name_stays_in_the_folder(self, home: Path, name: str) -> None:
        """No path, nothing hidden."""
        with pytest.raises(
            ValueError, match=r"is no name of a key file; such a name is like ca-root.key"
        ):
            key_folder(home).read(name)
