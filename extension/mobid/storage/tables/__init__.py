"""All tables of mobid, as SQLAlchemy knows them; `migrations` makes them."""

from mobid.storage.tables.access import api_tokens, counters, frontends
from mobid.storage.tables.audit import audit_checkpoints, audit_events
from mobid.storage.tables.builtin_ca import ca_certificates, ca_crls, ca_intents
from mobid.storage.tables.mails import mails
from mobid.storage.tables.people import (
    external_ids,
    group_members,
    groups,
    user_values,
    users,
)
from mobid.storage.tables.processes import enrolment_keys, enrolments, instances, used_once
from mobid.storage.tables.profiles import certificates, mobile_id_holds, mobile_ids
from mobid.storage.tables.schema import metadata
from mobid.storage.tables.scripts import (
    active_scripts,
    authority_records,
    script_activations,
    script_versions,
)
from mobid.storage.tables.tombstones import former_external_ids, former_memberships

__all__ = [
    "active_scripts",
    "api_tokens",
    "audit_checkpoints",
    "audit_events",
    "authority_records",
    "ca_certificates",
    "ca_crls",
    "ca_intents",
    "certificates",
    "counters",
    "enrolment_keys",
    "enrolments",
    "external_ids",
    "former_external_ids",
    "former_memberships",
    "frontends",
    "group_members",
    "groups",
    "instances",
    "mails",
    "metadata",
    "mobile_id_holds",
    "mobile_ids",
    "script_activations",
    "script_versions",
    "used_once",
    "user_values",
    "users",
]
