"""The copies that the public is shown, what is told beside them, and requests that end before their release."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard, keep

revision = "0030"
down_revision = "0031"


def upgrade():
    op.create_table(
        "review_withdrawals",
        sa.Column("request_id", sa.String(), sa.ForeignKey("release_requests.id"), primary_key=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("withdrawn_at", sa.Integer(), nullable=False),
        sa.CheckConstraint("reason IN ('withdrawn', 'deleted')", name="review_withdrawal_reason"),
    )
    append_only("review_withdrawals", ["request_id"])
    ended = "EXISTS (SELECT 1 FROM review_withdrawals WHERE request_id = NEW.request_id)"
    released = "EXISTS (SELECT 1 FROM releases WHERE request_id = NEW.request_id)"
    guard("review_withdrawals", "unreleased", "INSERT", "what was released is taken down instead", released)
    for table in ("review_looks", "review_appeals", "review_escalations", "releases"):
        guard(table, "wanted", "INSERT", "the request was withdrawn", ended)
    op.create_table(
        "publications",
        sa.Column("request_id", sa.String(), sa.ForeignKey("releases.request_id"), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("watermark", sa.BigInteger()),
        sa.Column("published_at", sa.Integer(), nullable=False),
    )
    op.create_index("ix_publications_sha256", "publications", ["sha256"])
    op.create_index("ix_publications_watermark", "publications", ["watermark"])
    append_only("publications", ["request_id"])
    guard(
        "publications", "released", "INSERT", "only what is released is shown",
        f"NOT {released} OR EXISTS (SELECT 1 FROM takedowns WHERE request_id = NEW.request_id)",
    )
    op.create_table(
        "showings",
        sa.Column("request_id", sa.String(), sa.ForeignKey("releases.request_id"), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("credit", sa.String(), nullable=False),
    )
    keep("showings")
    guard(
        "showings", "words", "UPDATE", "what is told beside a video can be erased and not changed",
        "NEW.request_id <> OLD.request_id OR NEW.title <> '' AND NEW.title <> OLD.title "
        "OR NEW.prompt <> '' AND NEW.prompt <> OLD.prompt OR NEW.credit <> '' AND NEW.credit <> OLD.credit",
    )
    op.execute("INSERT INTO showings (request_id, title, prompt, credit) SELECT request_id, '', '', '' FROM releases")
