"""Runs of processes, their codes and phones, and what may be used once."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    false,
    text,
)

from mobid.domain.actors import ActorKind
from mobid.domain.instances import RUNNING, InstanceState, Process, StepName
from mobid.domain.options import Kind
from mobid.storage.columns import (
    JSON,
    Choice,
    Instant,
    Key,
    Number,
    Several,
    Text,
    among,
    one_of,
    reference,
)
from mobid.storage.tables.schema import index_work, metadata, partial_index, work_columns

_RUNNING: Final = among("state", [state for state in InstanceState if state in RUNNING])
# A partial index serves a query that has its very condition, word for word.
IS_RUNNING: Final = text(_RUNNING)
IS_RUNNING_GET: Final = text(f"process = '{Process.GET}' AND {_RUNNING}")
IS_RUNNING_LOCK: Final = text(f"process = '{Process.LOCK}' AND {_RUNNING}")

instances: Final = Table(
    "instances",
    metadata,
    Column("id", Key, primary_key=True),
    Column("process", Choice(Process), nullable=False),
    reference("user_id", "users.id"),
    Column("actor_kind", Choice(ActorKind), nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("state", Choice(InstanceState), nullable=False),
    Column("step", Choice(StepName), nullable=False),
    Column("step_seq", Number, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    reference("mobile_id", "mobile_ids.id", nullable=True),
    reference("parent_id", "instances.id", nullable=True),
    Column("options", JSON),
    Column("script_name", Text),
    Column("script_version", Number),
    Column("script_sha256", Text),
    Column("basis", Text, nullable=False),
    Column("decided", Text, nullable=False),
    Column("selected", Several(Kind), nullable=False),
    Column("warnings", Several(str), nullable=False),
    Column("error", Text),
    Column("reference", Text, nullable=False),
    Column("ended_at", Instant),
    *work_columns(),
    one_of("process", Process),
    one_of("actor_kind", ActorKind),
    one_of("state", InstanceState),
    CheckConstraint(f"({_RUNNING}) = (ended_at IS NULL)", name="only_what_ended_has_an_end"),
)

partial_index(
    "ux_instances_running_get",
    instances.c.user_id,
    unique=True,
    where=IS_RUNNING_GET,
)
partial_index(
    "ux_instances_running_lock",
    instances.c.mobile_id,
    unique=True,
    where=IS_RUNNING_LOCK,
)
Index("ix_instances_user_id", instances.c.user_id, instances.c.created_at)
partial_index(
    "ix_instances_expires_at",
    instances.c.expires_at,
    where=IS_RUNNING,
)
index_work(instances)

enrolments: Final = Table(
    "enrolments",
    metadata,
    Column("id", Key, primary_key=True),
    reference("instance_id", "instances.id"),
    reference("user_id", "users.id"),
    reference("mobile_id", "mobile_ids.id"),
    Column("code_number", Number, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("typed_code_hash", LargeBinary, nullable=False),
    Column("code_expires_at", Instant, nullable=False),
    Column("mail_code_number", Number, nullable=False, server_default="0"),
    Column("mail_code_hash", LargeBinary),
    Column("mail_code_expires_at", Instant),
    Column("mail_code_tries", Number, nullable=False, server_default="0"),
    Column("claim_thumbprint", Text),
    Column("claim_jwk", JSON),
    Column("claim_device_name", Text),
    Column("claim_device_platform", Text),
    Column("claim_device_model", Text),
    Column("claimed_at", Instant),
    Column("claim_number", Number),
    Column("claim_numbers", Several(int)),
    Column("transport_jwk", JSON),
    Column("keys_at", Instant),
    Column("bad_keys", Number, nullable=False, server_default="0"),
    Column("approved", LargeBinary),
    Column("confirmed_at", Instant),
    Column("closed", Boolean, nullable=False, server_default=false()),
    CheckConstraint(
        "(claim_thumbprint IS NULL) = (claimed_at IS NULL)"
        " AND (claim_thumbprint IS NULL) = (claim_jwk IS NULL)"
        " AND (claim_thumbprint IS NULL) = (claim_device_name IS NULL)",
        name="claim_is_whole_or_none",
    ),
    CheckConstraint(
        "(mail_code_hash IS NULL) = (mail_code_expires_at IS NULL)",
        name="mail_code_has_its_end",
    ),
    UniqueConstraint("instance_id"),
    UniqueConstraint("token_hash"),
    UniqueConstraint("typed_code_hash"),
)

enrolment_keys: Final = Table(
    "enrolment_keys",
    metadata,
    reference("enrolment_id", "enrolments.id"),
    Column("position", Number, nullable=False),
    Column("kind", Choice(Kind), nullable=False),
    Column("csr", LargeBinary, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("enrolment_id", "position"),
    one_of("kind", Kind),
)

used_once: Final = Table(
    "used_once",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("until", Instant, nullable=False),
)
Index("ix_used_once_until", used_once.c.until)
