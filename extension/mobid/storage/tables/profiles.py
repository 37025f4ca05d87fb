"""Mobile IDs, their holds and their certificates."""

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
    true,
)

from mobid.domain.actors import ActorKind
from mobid.domain.certificates import CAState, RevocationReason, Wanted
from mobid.domain.mobile_ids import LIVE, Hold, LockReason, ProfileState
from mobid.domain.options import Kind
from mobid.storage.columns import (
    JSON,
    Choice,
    Instant,
    Key,
    Number,
    Text,
    among,
    one_of,
    reference,
)
from mobid.storage.tables.schema import index_work, metadata, partial_index, work_columns

# A partial index serves a query that has its very condition, word for word.
IS_LIVE: Final = text(among("state", [state for state in ProfileState if state in LIVE]))
CAN_END: Final = text(among("state", [ProfileState.ACTIVE, ProfileState.INACTIVE]))
IS_IN_USE: Final = text(among("ca_state", [CAState.VALID, CAState.HELD]))

mobile_ids: Final = Table(
    "mobile_ids",
    metadata,
    Column("id", Key, primary_key=True),
    reference("user_id", "users.id"),
    Column("state", Choice(ProfileState), nullable=False),
    Column("profile_name", Text, nullable=False),
    Column("server_name", Text, nullable=False),
    Column("user_label", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Number, nullable=False),
    Column("valid_from", Instant),
    Column("valid_to", Instant),
    Column("device_name", Text),
    Column("device_platform", Text),
    Column("device_model", Text),
    Column("failure", Text),
    Column("locked_at", Instant),
    Column("locked_by_kind", Choice(ActorKind)),
    Column("locked_by_id", Text),
    Column("locked_for", Choice(LockReason)),
    # Deleted over SCIM: the profile lives on in its state, but SCIM shows it no more.
    Column("deleted_at", Instant),
    one_of("state", ProfileState),
)

partial_index(
    "ux_mobile_ids_live",
    mobile_ids.c.user_id,
    unique=True,
    where=IS_LIVE,
)
Index("ix_mobile_ids_user_id", mobile_ids.c.user_id, mobile_ids.c.created_at)
partial_index(
    "ix_mobile_ids_valid_to",
    mobile_ids.c.valid_to,
    where=CAN_END,
)

mobile_id_holds: Final = Table(
    "mobile_id_holds",
    metadata,
    reference("mobile_id", "mobile_ids.id"),
    Column("hold", Key, nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("placed_by_kind", Choice(ActorKind), nullable=False),
    Column("placed_by_id", Text, nullable=False),
    Column("why", Text, nullable=False),
    one_of("hold", Hold),
    PrimaryKeyConstraint("mobile_id", "hold"),
)

certificates: Final = Table(
    "certificates",
    metadata,
    Column("id", Key, primary_key=True),
    reference("mobile_id", "mobile_ids.id"),
    Column("kind", Choice(Kind), nullable=False),
    Column("ca", Key, nullable=False),
    Column("csr", LargeBinary, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("san", Text, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("not_after", Instant, nullable=False),
    Column("profile_hash", Text, nullable=False),
    Column("ordered_at", Instant, nullable=False),
    Column("wanted", Choice(Wanted), nullable=False),
    Column("ca_state", Choice(CAState), nullable=False),
    Column("quarantined", Boolean, nullable=False, server_default=false()),
    Column("holdable", Boolean, nullable=False, server_default=true()),
    Column("sent_at", Instant),
    Column("der", LargeBinary),
    Column("chain", JSON, nullable=False),
    Column("serial", Key),
    Column("reason", Choice(RevocationReason), nullable=False),
    Column("revoked_at", Instant),
    Column("asked_at", Instant),
    Column("given_up_at", Instant),
    *work_columns(),
    one_of("kind", Kind),
    one_of("wanted", Wanted),
    one_of("ca_state", CAState),
    one_of("reason", RevocationReason),
    CheckConstraint(
        "wanted <> 'revoked' OR revoked_at IS NOT NULL", name="revocation_has_its_time"
    ),
    CheckConstraint(
        "given_up_at IS NULL OR wanted = 'revoked'", name="only_a_revocation_is_given_up"
    ),
    UniqueConstraint("key_hash"),
    UniqueConstraint("ca", "serial"),
)

Index("ix_certificates_mobile_id", certificates.c.mobile_id)
partial_index(
    "ix_certificates_asked_at",
    certificates.c.asked_at,
    where=IS_IN_USE,
)
index_work(certificates)
