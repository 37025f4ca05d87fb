"""SCIM over HTTP (RFC 7644): a Flask blueprint around a service. Flask is known here alone."""

from mobid_scim.http.blueprint import Authenticate, Translate, blueprint, unrouted
from mobid_scim.http.resources import Authorize

__all__ = ["Authenticate", "Authorize", "Translate", "blueprint", "unrouted"]
