"""Passkeys with their challenges, and links that set a password."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import guard

revision = "0031"
down_revision = "0032"


def upgrade():
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.Integer()),
    )
    op.create_index("ix_passkeys_person_id", "passkeys", ["person_id"])
    guard(
        "passkeys", "whose", "UPDATE", "a passkey stays whose it is, and its count only rises",
        "NEW.id <> OLD.id OR NEW.person_id <> OLD.person_id OR NEW.public_key <> OLD.public_key OR NEW.uses < OLD.uses",
    )
    op.create_table(
        "passkey_challenges",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), sa.ForeignKey("people.id")),
        sa.Column("expires_at", sa.Integer(), nullable=False),
    )
    op.create_index("ix_passkey_challenges_expires_at", "passkey_challenges", ["expires_at"])
    op.create_table(
        "password_links",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.Integer()),
    )
    op.create_index("ix_password_links_person_id", "password_links", ["person_id"])
    guard(
        "password_links", "once", "UPDATE", "a link sets a password once, and within its time",
        "OLD.used_at IS NOT NULL OR NEW.hash <> OLD.hash OR NEW.person_id <> OLD.person_id OR NEW.expires_at <> OLD.expires_at",
    )
