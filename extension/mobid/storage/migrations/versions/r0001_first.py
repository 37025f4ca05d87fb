"""The first schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
IS_LIVE = "state IN ('pending', 'active', 'inactive')"
IS_RUNNING = "state IN ('waiting_user', 'waiting_device', 'waiting_ca')"


def upgrade() -> None:
    """Make every table."""
    _people()
    _groups()
    _profiles()
    _processes()
    _mails()
    _scripts()
    _access()
    _audit()
    _builtin_ca()


def _index(
    name: str, table: str, columns: list[str], where: str, *, unique: bool = False, sqlite: str = ""
) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=sa.text(sqlite or where),
        postgresql_where=sa.text(where),
    )


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """Return a reference that is checked at the commit."""
    name = f"fk_{table}_{column}"
    return sa.ForeignKeyConstraint(
        [column], [target], name=name, deferrable=True, initially="DEFERRED"
    )


def _one_of(table: str, column: str, values: str) -> sa.CheckConstraint:
    """Return the constraint that a column holds one of some words."""
    quoted = ", ".join(f"'{value}'" for value in values.split())
    return sa.CheckConstraint(f"{column} IN ({quoted})", name=op.f(f"ck_{table}_{column}_is_known"))


def _work(table: str) -> list[SchemaItem]:
    """Return what a row has that can want work done outside its transaction."""
    return [
        sa.Column("work_wanted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("work_attempt", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("work_claimed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("nudged_at", sa.BigInteger()),
        sa.Column("wanted_since", sa.BigInteger()),
        sa.Column("work_error", sa.Text()),
        sa.Column("work_dead", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint(
            "work_claimed <= work_attempt", name=op.f(f"ck_{table}_work_claim_was_nudged")
        ),
    ]


def _people() -> None:
    # Users, what is found by many values, and external ids.
    op.create_table(
        "users",
        sa.Column("id", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("user_name_key", KEY, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("display_name_folded", sa.Text(), nullable=False),
        sa.Column("display_name_key", KEY),
        sa.Column("family_name_key", KEY),
        sa.Column("given_name_key", KEY),
        sa.Column("email", sa.Text()),
        sa.Column("principal_name", sa.Text()),
        sa.Column("scim_active", sa.Boolean()),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.Column("client", KEY, nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        _one_of("users", "state", "active inactive deleted"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_index("ix_users_changed_at", "users", ["changed_at", "id"])
    _index("ix_users_deleted_at", "users", ["deleted_at"], "state = 'deleted'")
    for column in ("created_at", "display_name_key", "family_name_key"):
        _index(f"ix_users_{column}", "users", [column, "id"], "state != 'deleted'")
    _index("ux_users_user_name_key", "users", ["user_name_key"], "state != 'deleted'", unique=True)
    op.create_table(
        "user_values",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("attr", KEY, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("value_key", KEY),
        sa.Column("value_key_reversed", KEY),
        sa.Column("long_value", sa.Text()),
        sa.Column("leads", sa.Boolean(), nullable=False),
        _refers("user_values", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("user_id", "attr", "position", name="pk_user_values"),
    )
    op.create_index("ix_user_values_value_key", "user_values", ["attr", "value_key", "user_id"])
    _index(
        "ix_user_values_value_key_reversed",
        "user_values",
        ["attr", "value_key_reversed", "user_id"],
        "value_key_reversed IS NOT NULL",
    )
    _index(
        "ix_user_values_long_value",
        "user_values",
        ["attr", "user_id"],
        "long_value IS NOT NULL",
    )
    op.create_table(
        "external_ids",
        sa.Column("resource_type", KEY, nullable=False),
        sa.Column("client", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("resource_type", "client", "external_id", name="pk_external_ids"),
        sa.UniqueConstraint(
            "resource_type",
            "resource_id",
            "client",
            name="uq_external_ids_resource_type_resource_id_client",
        ),
    )


def _groups() -> None:
    # Groups, and who is in them.
    op.create_table(
        "groups",
        sa.Column("id", KEY, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("display_name_key", KEY, nullable=False),
        sa.Column("display_name_key_reversed", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("client", KEY, nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
    )
    op.create_index("ix_groups_changed_at", "groups", ["changed_at", "id"])
    op.create_index("ix_groups_created_at", "groups", ["created_at", "id"])
    op.create_index("ix_groups_display_name_key", "groups", ["display_name_key", "id"])
    op.create_index("ix_groups_display_name_key_reversed", "groups", ["display_name_key_reversed"])
    op.create_table(
        "group_members",
        sa.Column("group_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("user_id", KEY),
        sa.Column("subgroup_id", KEY),
        sa.CheckConstraint(
            "(user_id IS NULL OR subgroup_id IS NULL)"
            " AND member_id = coalesce(user_id, subgroup_id, member_id)",
            name=op.f("ck_group_members_member_is_one_thing"),
        ),
        sa.CheckConstraint(
            "member_id <> group_id", name=op.f("ck_group_members_no_group_is_its_own_member")
        ),
        _refers("group_members", "group_id", "groups.id"),
        _refers("group_members", "subgroup_id", "groups.id"),
        _refers("group_members", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("group_id", "member_id", name="pk_group_members"),
    )
    op.create_index("ix_group_members_user_id", "group_members", ["user_id", "group_id"])
    _index(
        "ix_group_members_subgroup_id",
        "group_members",
        ["subgroup_id", "group_id"],
        "subgroup_id IS NOT NULL",
    )


def _profiles() -> None:
    # Mobile IDs, holds and certificates.
    op.create_table(
        "mobile_ids",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("profile_name", sa.Text(), nullable=False),
        sa.Column("server_name", sa.Text(), nullable=False),
        sa.Column("user_label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger()),
        sa.Column("valid_to", sa.BigInteger()),
        sa.Column("device_name", sa.Text()),
        sa.Column("device_platform", sa.Text()),
        sa.Column("device_model", sa.Text()),
        sa.Column("failure", sa.Text()),
        sa.Column("locked_at", sa.BigInteger()),
        sa.Column("locked_by_kind", sa.Text()),
        sa.Column("locked_by_id", sa.Text()),
        sa.Column("locked_for", sa.Text()),
        sa.Column("deleted_at", sa.BigInteger()),
        _one_of(
            "mobile_ids", "state", "pending active inactive locking locked expired failed cancelled"
        ),
        _refers("mobile_ids", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("id", name="pk_mobile_ids"),
    )
    op.create_index("ix_mobile_ids_user_id", "mobile_ids", ["user_id", "created_at"])
    _index("ix_mobile_ids_valid_to", "mobile_ids", ["valid_to"], "state IN ('active', 'inactive')")
    _index("ux_mobile_ids_live", "mobile_ids", ["user_id"], IS_LIVE, unique=True)
    op.create_table(
        "mobile_id_holds",
        sa.Column("mobile_id", KEY, nullable=False),
        sa.Column("hold", KEY, nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("placed_by_kind", sa.Text(), nullable=False),
        sa.Column("placed_by_id", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        _one_of("mobile_id_holds", "hold", "user_state operator mass_change"),
        _refers("mobile_id_holds", "mobile_id", "mobile_ids.id"),
        sa.PrimaryKeyConstraint("mobile_id", "hold", name="pk_mobile_id_holds"),
    )
    op.create_table(
        "former_external_ids",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("client", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=False),
        _refers("former_external_ids", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("user_id", "client", name="pk_former_external_ids"),
    )
    op.create_table(
        "former_memberships",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("group_id", KEY, nullable=False),
        _refers("former_memberships", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("user_id", "group_id", name="pk_former_memberships"),
    )
    op.create_table(
        "certificates",
        sa.Column("id", KEY, nullable=False),
        sa.Column("mobile_id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ca", KEY, nullable=False),
        sa.Column("csr", sa.LargeBinary(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("san", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("profile_hash", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("ca_state", sa.Text(), nullable=False),
        sa.Column("quarantined", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("holdable", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("der", sa.LargeBinary()),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("serial", KEY),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("asked_at", sa.BigInteger()),
        sa.Column("given_up_at", sa.BigInteger()),
        *_work("certificates"),
        _one_of("certificates", "ca_state", "requested valid held revoked expired unknown absent"),
        _one_of("certificates", "kind", "authentication signature encryption"),
        _one_of(
            "certificates", "reason", "unspecified key_compromise superseded cessation_of_operation"
        ),
        sa.CheckConstraint(
            "wanted <> 'revoked' OR revoked_at IS NOT NULL",
            name=op.f("ck_certificates_revocation_has_its_time"),
        ),
        sa.CheckConstraint(
            "given_up_at IS NULL OR wanted = 'revoked'",
            name=op.f("ck_certificates_only_a_revocation_is_given_up"),
        ),
        _one_of("certificates", "wanted", "valid held revoked"),
        _refers("certificates", "mobile_id", "mobile_ids.id"),
        sa.PrimaryKeyConstraint("id", name="pk_certificates"),
        sa.UniqueConstraint("ca", "serial", name="uq_certificates_ca_serial"),
        sa.UniqueConstraint("key_hash", name="uq_certificates_key_hash"),
    )
    _index(
        "ix_certificates_asked_at", "certificates", ["asked_at"], "ca_state IN ('valid', 'held')"
    )
    op.create_index("ix_certificates_mobile_id", "certificates", ["mobile_id"])
    _index(
        "ix_certificates_work",
        "certificates",
        ["nudged_at"],
        "work_wanted",
        sqlite="work_wanted = 1",
    )


def _processes() -> None:
    # Runs, codes and phones.
    op.create_table(
        "instances",
        sa.Column("id", KEY, nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("step_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("mobile_id", KEY),
        sa.Column("parent_id", KEY),
        sa.Column("options", sa.Text()),
        sa.Column("script_name", sa.Text()),
        sa.Column("script_version", sa.BigInteger()),
        sa.Column("script_sha256", sa.Text()),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("decided", sa.Text(), nullable=False),
        sa.Column("selected", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        *_work("instances"),
        sa.CheckConstraint(
            f"({IS_RUNNING}) = (ended_at IS NULL)",
            name=op.f("ck_instances_only_what_ended_has_an_end"),
        ),
        _one_of("instances", "actor_kind", "user operator scim_client device ca system"),
        _one_of("instances", "process", "MobileIDSelfServiceProcGet MobileIDSelfServiceProcLock"),
        _one_of(
            "instances",
            "state",
            "waiting_user waiting_device waiting_ca completed cancelled failed expired",
        ),
        _refers("instances", "mobile_id", "mobile_ids.id"),
        _refers("instances", "parent_id", "instances.id"),
        _refers("instances", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
    )
    _index("ix_instances_expires_at", "instances", ["expires_at"], IS_RUNNING)
    op.create_index("ix_instances_user_id", "instances", ["user_id", "created_at"])
    _index("ix_instances_work", "instances", ["nudged_at"], "work_wanted", sqlite="work_wanted = 1")
    _index(
        "ux_instances_running_get",
        "instances",
        ["user_id"],
        f"process = 'MobileIDSelfServiceProcGet' AND {IS_RUNNING}",
        unique=True,
    )
    _index(
        "ux_instances_running_lock",
        "instances",
        ["mobile_id"],
        f"process = 'MobileIDSelfServiceProcLock' AND {IS_RUNNING}",
        unique=True,
    )
    op.create_table(
        "enrolments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("instance_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("mobile_id", KEY, nullable=False),
        sa.Column("code_number", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("typed_code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("mail_code_number", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mail_code_hash", sa.LargeBinary()),
        sa.Column("mail_code_expires_at", sa.BigInteger()),
        sa.Column("mail_code_tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("claim_thumbprint", sa.Text()),
        sa.Column("claim_jwk", sa.Text()),
        sa.Column("claim_device_name", sa.Text()),
        sa.Column("claim_device_platform", sa.Text()),
        sa.Column("claim_device_model", sa.Text()),
        sa.Column("claimed_at", sa.BigInteger()),
        sa.Column("claim_number", sa.BigInteger()),
        sa.Column("claim_numbers", sa.Text()),
        sa.Column("transport_jwk", sa.Text()),
        sa.Column("keys_at", sa.BigInteger()),
        sa.Column("bad_keys", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("approved", sa.LargeBinary()),
        sa.Column("confirmed_at", sa.BigInteger()),
        sa.Column("closed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint(
            "(claim_thumbprint IS NULL) = (claimed_at IS NULL)"
            " AND (claim_thumbprint IS NULL) = (claim_jwk IS NULL)"
            " AND (claim_thumbprint IS NULL) = (claim_device_name IS NULL)",
            name=op.f("ck_enrolments_claim_is_whole_or_none"),
        ),
        sa.CheckConstraint(
            "(mail_code_hash IS NULL) = (mail_code_expires_at IS NULL)",
            name=op.f("ck_enrolments_mail_code_has_its_end"),
        ),
        _refers("enrolments", "instance_id", "instances.id"),
        _refers("enrolments", "mobile_id", "mobile_ids.id"),
        _refers("enrolments", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("id", name="pk_enrolments"),
        sa.UniqueConstraint("instance_id", name="uq_enrolments_instance_id"),
        sa.UniqueConstraint("token_hash", name="uq_enrolments_token_hash"),
        sa.UniqueConstraint("typed_code_hash", name="uq_enrolments_typed_code_hash"),
    )
    op.create_table(
        "enrolment_keys",
        sa.Column("enrolment_id", KEY, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("csr", sa.LargeBinary(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        _one_of("enrolment_keys", "kind", "authentication signature encryption"),
        _refers("enrolment_keys", "enrolment_id", "enrolments.id"),
        sa.PrimaryKeyConstraint("enrolment_id", "position", name="pk_enrolment_keys"),
    )
    op.create_table(
        "used_once",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_used_once"),
    )
    op.create_index("ix_used_once_until", "used_once", ["until"])


def _mails() -> None:
    # Messages to people.
    op.create_table(
        "mails",
        sa.Column("id", KEY, nullable=False),
        sa.Column("event", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("subject_id", KEY, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("give_up_at", sa.BigInteger()),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("dropped", sa.Text()),
        *_work("mails"),
        _one_of(
            "mails",
            "event",
            "qr_code invitation get_succeeded get_failed not_mine locked_by_other address_changed"
            " expiring",
        ),
        sa.CheckConstraint(
            "sent_at IS NULL OR dropped IS NULL", name=op.f("ck_mails_sent_or_dropped")
        ),
        _refers("mails", "user_id", "users.id"),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.UniqueConstraint(
            "event", "subject_id", "number", name="uq_mails_event_subject_id_number"
        ),
    )
    _index("ix_mails_work", "mails", ["nudged_at"], "work_wanted", sqlite="work_wanted = 1")


def _scripts() -> None:
    # Option scripts, and what the CAs can do.
    op.create_table(
        "script_versions",
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("tests", sa.Text(), nullable=False),
        sa.Column("quarantined_at", sa.BigInteger()),
        sa.Column("quarantined_why", sa.Text()),
        sa.PrimaryKeyConstraint("name", "version", name="pk_script_versions"),
    )
    op.create_table(
        "active_scripts",
        sa.Column("name", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("activated_by", sa.Text(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["script_versions.name", "script_versions.version"],
            name="fk_active_scripts_name",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_active_scripts"),
    )
    op.create_table(
        "script_activations",
        sa.Column("name", KEY, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("replaced", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "number", name="pk_script_activations"),
    )
    op.create_table(
        "authority_records",
        sa.Column("name", KEY, nullable=False),
        sa.Column("capabilities", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_authority_records"),
    )


def _access() -> None:
    # Tokens, front ends, and how often somebody did a thing.
    op.create_table(
        "api_tokens",
        sa.Column("id", KEY, nullable=False),
        sa.Column("client", KEY, nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("dialect", KEY, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
        _one_of("api_tokens", "audience", "scim admin"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_api_tokens_secret_hash"),
    )
    op.create_table(
        "frontends",
        sa.Column("name", KEY, nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_frontends"),
    )
    op.create_table(
        "counters",
        sa.Column("what", KEY, nullable=False),
        sa.Column("whose", KEY, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", "whose", name="pk_counters"),
    )
    op.create_index("ix_counters_ends_at", "counters", ["ends_at"])


def _audit() -> None:
    # The audit log.
    op.create_table(
        "audit_events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", KEY, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("object_type", KEY, nullable=False),
        sa.Column("object_id", KEY, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("hash", sa.LargeBinary()),
        sa.CheckConstraint(
            "(seq IS NULL) = (hash IS NULL)", name=op.f("ck_audit_events_sealed_or_not")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
        sa.UniqueConstraint("seq", name="uq_audit_events_seq"),
    )
    op.create_index("ix_audit_events_object", "audit_events", ["object_type", "object_id"])
    _index("ix_audit_events_unsealed", "audit_events", ["id"], "seq IS NULL")
    op.create_table(
        "audit_checkpoints",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_checkpoints"),
    )


def _builtin_ca() -> None:
    # The record of the built-in CA.
    op.create_table(
        "ca_intents",
        sa.Column("order_key", KEY, nullable=False),
        sa.Column("order_digest", sa.LargeBinary(), nullable=False),
        sa.Column("issuer", KEY, nullable=False),
        sa.Column("serial", KEY, nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("profile_hash", sa.Text(), nullable=False),
        sa.Column("tbs", sa.LargeBinary(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_key", name="pk_ca_intents"),
        sa.UniqueConstraint("issuer", "serial", name="uq_ca_intents_issuer_serial"),
        sa.UniqueConstraint("key_hash", name="uq_ca_intents_key_hash"),
    )
    op.create_table(
        "ca_certificates",
        sa.Column("issuer", KEY, nullable=False),
        sa.Column("serial", KEY, nullable=False),
        sa.Column("certificate", sa.LargeBinary()),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("reason", sa.BigInteger()),
        sa.Column("invalid_since", sa.BigInteger()),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(standing = 'valid') = (revoked_at IS NULL) AND (standing = 'revoked') = (reason IS NOT NULL)",
            name=op.f("ck_ca_certificates_standing_has_its_facts"),
        ),
        _one_of("ca_certificates", "standing", "valid held revoked"),
        sa.ForeignKeyConstraint(
            ["issuer", "serial"],
            ["ca_intents.issuer", "ca_intents.serial"],
            name="fk_ca_certificates_issuer",
        ),
        sa.PrimaryKeyConstraint("issuer", "serial", name="pk_ca_certificates"),
    )
    _index(
        "ix_ca_certificates_revoked",
        "ca_certificates",
        ["issuer", "serial", "revoked_at", "reason", "invalid_since", "not_after"],
        "standing != 'valid'",
    )
    op.create_table(
        "ca_crls",
        sa.Column("issuer", KEY, nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("crl_changes", sa.BigInteger()),
        sa.Column("entry_count", sa.BigInteger()),
        sa.Column("this_update", sa.BigInteger()),
        sa.Column("next_update", sa.BigInteger()),
        sa.Column("der", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("issuer", name="pk_ca_crls"),
    )
