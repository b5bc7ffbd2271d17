"""People, cohorts, terms, invitations and acceptances, with the guards that keep what was agreed on as it was."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard, keep

revision = "0020"
down_revision = "0012"


def upgrade():
    op.create_table(
        "people",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("email", sa.String(), nullable=False, unique=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("password", sa.String()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.Integer()),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.Integer()),
    )
    keep("people")
    guard("people", "closed", "UPDATE", "the account is closed", "OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL")
    op.create_table(
        "web_sessions",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.Integer()),
    )
    op.create_index("ix_web_sessions_person_id", "web_sessions", ["person_id"])
    op.create_table(
        "cohorts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("opened_at", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.String(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("closed_at", sa.Integer()),
    )
    keep("cohorts")
    op.create_table(
        "terms",
        sa.Column("cohort_id", sa.String(), sa.ForeignKey("cohorts.id"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False, unique=True),
        sa.Column("ends_at", sa.Integer(), nullable=False),
        sa.Column("published_by", sa.String(), nullable=False),
        sa.Column("published_at", sa.Integer(), nullable=False),
        sa.UniqueConstraint("cohort_id", "version", "sha256", name="terms_as_accepted"),
    )
    append_only("terms", ["cohort_id, version", "sha256"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("cohort_id", sa.String(), sa.ForeignKey("cohorts.id"), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False, unique=True),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.Integer()),
        sa.Column("withdrawn_at", sa.Integer()),
    )
    op.create_index("ix_invitations_cohort_id", "invitations", ["cohort_id"])
    keep("invitations")
    guard(
        "invitations", "once", "UPDATE", "an invitation is used once, and within its time",
        "OLD.used_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL OR NEW.used_at >= OLD.expires_at OR NEW.hash <> OLD.hash "
        "OR NEW.expires_at <> OLD.expires_at",
    )
    op.create_table(
        "acceptances",
        sa.Column("cohort_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.String(), sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("accepted_at", sa.Integer(), nullable=False),
        sa.Column("invitation_id", sa.String(), sa.ForeignKey("invitations.id"), unique=True),
        sa.ForeignKeyConstraint(["cohort_id", "version", "sha256"], ["terms.cohort_id", "terms.version", "terms.sha256"]),
    )
    append_only("acceptances", ["cohort_id, version, person_id", "invitation_id"])
    guard(
        "acceptances", "in_force", "INSERT", "these terms are not in force any more",
        "EXISTS (SELECT 1 FROM terms WHERE cohort_id = NEW.cohort_id AND version > NEW.version)",
    )
    op.create_table(
        "members",
        sa.Column("cohort_id", sa.String(), sa.ForeignKey("cohorts.id"), primary_key=True),
        sa.Column("person_id", sa.String(), sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("joined_at", sa.Integer(), nullable=False),
        sa.Column("left_at", sa.Integer()),
    )
    op.create_index("ix_members_person_id", "members", ["person_id"])
    keep("members")
