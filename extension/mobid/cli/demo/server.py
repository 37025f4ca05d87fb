"""The demo server: a home with sample users, tokens and a front end, and a file that tells programs."""

from __future__ import annotations

import json
import os
import secrets
import socket
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mobid.app import Product, create_app, initialise, load_settings
from mobid.auth.tokens import SCOPES
from mobid.ca import Publisher
from mobid.cli.context import fail, failures_told
from mobid.cli.demo.mail_server import Postbox, mail_server
from mobid.cli.demo.mailbox import PREFIX as MAILBOX
from mobid.cli.demo.mailbox import add_mailbox
from mobid.cli.serve import only_server, serve_until_told
from mobid.config import SETTINGS_FILE, create_home, is_home, read_secret_file
from mobid.domain.actors import SYSTEM
from mobid.storage.tables.access import Audience
from mobid_scim.dialects.entra import ENTRA

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from mobid.ca import Addresses
    from mobid.config import Settings

HOST: Final = "127.0.0.1"
DESCRIPTION: Final = "demo.json"
SCIM_TYPE: Final = "application/scim+json"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PEOPLE: Final = (
    ("alva.lind", "Alva", "Lind", "Finance"),
    ("bo.ek", "Bo", "Ek", "Sales"),
    ("cleo.berg", "Cleo", "Berg", "IT"),
)


def serve_demo(
    home: Path, port: int, *, kept: bool, mails: Path | None = None, config: Path | None = None
) -> None:
    """Serve a demo until it is told to stop; `mails` is a folder for every mail that it sends."""
    listener = listen(port)
    postbox = Postbox(mails)
    with listener, failures_told(), ExitStack() as running:
        settings = demo_settings(home, listener.getsockname()[1], config)
        mail = running.enter_context(mail_server(postbox, settings.home))
        settings = replace(settings, mail=mail)
        initialise(settings, ca_name="mobid demo CA")
        with Product(settings) as product, only_server(product):
            app = create_app(product)
            add_mailbox(app, postbox)
            description = describe(product, app)
            write_private(settings.home / DESCRIPTION, json.dumps(description, indent=2))
            product.start_worker()
            serve_until_told(
                app, product, listener=listener, ready=lambda: greet(product, kept=kept)
            )


def addresses_of(product: Product) -> Addresses:
    """Return where the CA publishes; fail if it does not say, since nothing could be checked then."""
    name = product.settings.authority
    authority = product.authorities[name]
    told = authority.addresses() if isinstance(authority, Publisher) else None
    if told is None or None in {told.chain, told.crl, told.ocsp}:
        fail(f'The CA "{name}" must tell its addresses for chain, list and OCSP; it has {told}.')
    return told


def listen(port: int) -> socket.socket:
    """Take the port before anything else, so that the addresses we hand out are right."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        fail(f"Port {port} cannot be used ({error.strerror}). Choose another with --port.")
    return listener


def demo_settings(home: Path, port: int, config: Path | None = None) -> Settings:
    """Return the settings of a demo in this home, which is made if it is not there.

    A new home gets what stands in `config`; the demo's own address goes before what it says.
    """
    if is_home(home) and config is not None:
        fail(f"{home} has settings already; --config is for a new home.")
    if not is_home(home):
        given = None if config is None else read_secret_file(config).reveal()
        create_home(home)
        if given is not None:
            write_private(home / SETTINGS_FILE, given)
    settings = load_settings(home, os.environ).settings
    return replace(
        settings, demo=True, listen_host=HOST, listen_port=port, public_url=f"http://{HOST}:{port}"
    )


def describe(product: Product, app: Flask) -> dict[str, Any]:
    """Make tokens, a front end and sample users; return what programs need to know of them."""
    life = timedelta(days=1)
    scim_token, admin_token = (
        product.tokens.create(
            "demo", audience, SCOPES[audience], life=life, by=SYSTEM
        ).bearer.reveal()
        for audience in (Audience.SCIM, Audience.ADMIN)
    )
    entra = product.tokens.create(
        "entra", Audience.SCIM, SCOPES[Audience.SCIM], life=life, dialect=ENTRA.name, by=SYSTEM
    )
    front_end = f"demo-{secrets.token_hex(4)}"
    base = product.settings.public_url
    published = addresses_of(product)
    create_people(app, scim_token)
    return {
        "base_url": base,
        "scim_url": f"{base}/scim/v2",
        "ca": product.settings.authority,
        "chain_url": published.chain,
        "crl_url": published.crl,
        "ocsp_url": published.ocsp,
        "mailbox_url": f"{base}{MAILBOX}",
        "scim_token": scim_token,
        "scim_token_entra": entra.bearer.reveal(),
        "admin_token": admin_token,
        "frontend": front_end,
        "frontend_key": register_front_end(product, front_end),
        "users": [person[0] for person in PEOPLE],
    }


def register_front_end(product: Product, name: str) -> str:
    """Register a front end under a fresh key; return the private key (PKCS #8, PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    product.front_ends.register(name, public, by=SYSTEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode()


def create_people(app: Flask, token: str) -> None:
    """Let the sample users arrive over SCIM, as everybody's do; those who are there stay."""
    client = app.test_client()
    for user_name, given, family, department in PEOPLE:
        answer = client.post(
            "/scim/v2/Users",
            headers={"Authorization": f"Bearer {token}"},
            content_type=SCIM_TYPE,
            data=json.dumps(
                {
                    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
                    "userName": user_name,
                    "displayName": f"{given} {family}",
                    "name": {"givenName": given, "familyName": family},
                    "emails": [
                        {"value": f"{user_name}@example.org", "type": "work", "primary": True}
                    ],
                    "active": True,
                    ENTERPRISE: {"department": department},
                }
            ),
        )
        if answer.status_code not in {201, 409}:
            fail(f"The sample user {user_name} was not accepted: {answer.get_data(as_text=True)}")


def write_private(path: Path, text: str) -> None:
    """Write what may hold secrets, for its owner only, over what was there."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def greet(product: Product, *, kept: bool) -> None:
    """Say where everything is."""
    settings = product.settings
    base = settings.public_url
    published = addresses_of(product)
    stay = "stays" if kept else "is thrown away when you stop it"
    click.echo(
        f"mobid demo is ready. Stop it with Ctrl-C; its home {stay}.\n\n"
        f"  Self-service   {base}/\n"
        f"  Mailbox        {base}{MAILBOX}\n"
        f"  SCIM           {base}/scim/v2\n"
        f"  OpenAPI        {base}/openapi.json\n"
        f"  CA             {published.chain}\n"
        f"  CRL            {published.crl}\n"
        f"  OCSP           {published.ocsp}\n"
        f"  Tokens         {settings.home / DESCRIPTION}\n"
        f"  Phone          python examples/phone/phone.py --help"
    )
