"""The peer as a program: scim2-flask on its own in-memory storage, under the server that we run on.

It knows no caller, writes nothing to a disk and keeps no audit: what it takes is what SCIM takes.
"""

from __future__ import annotations

import secrets
import sys

from flask import Flask
from scim2_flask import ScimServer
from scim2_models import ServiceProviderConfig
from scim2_models.resources.service_provider_config import Pagination
from scim2_server.memory import InMemoryStorage
from scim2_server.utils import load_default_provider
from waitress import serve


def app() -> Flask:
    """Return the peer with users, groups and the enterprise extension, and cursors as its README has them."""
    provider = load_default_provider()
    config = provider.config
    if isinstance(config, ServiceProviderConfig):
        config.pagination = Pagination(cursor=True, index=True)
    flask = Flask("peer")
    flask.secret_key = secrets.token_hex()
    ScimServer(InMemoryStorage(), provider, flask)
    return flask


if __name__ == "__main__":
    serve(app(), host="127.0.0.1", port=int(sys.argv[1]), threads=8, ident=None)
