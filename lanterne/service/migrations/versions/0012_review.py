"""The review gate: policies, requests, looks, appeals, releases, with the guards that make an approval the only way to the public."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard

revision = "0012"
down_revision = "0011"


def upgrade():
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("grounds", sa.JSON(), nullable=False),
        sa.Column("decide_days", sa.Integer(), nullable=False),
        sa.Column("appeal_days", sa.Integer(), nullable=False),
        sa.Column("sample_percent", sa.Integer(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("credit", sa.BigInteger()),
        sa.Column("currency", sa.String()),
        sa.Column("published_by", sa.String(), nullable=False),
        sa.Column("published_at", sa.Integer(), nullable=False),
        sa.CheckConstraint("appeal_days >= 183", name="policy_appeal"),
    )
    append_only("policies", ["version"])
    op.create_table(
        "release_requests",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("video_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("artist_id", sa.String(), nullable=False),
        sa.Column("policy", sa.Integer(), sa.ForeignKey("policies.version"), nullable=False),
        sa.Column("sampled", sa.Boolean(), nullable=False),
        sa.Column("requested_at", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Integer(), nullable=False),
        sa.UniqueConstraint("artist_id", "sha256", name="release_request_once"),
        sa.UniqueConstraint("id", "artist_id", name="release_request_of"),
        sa.UniqueConstraint("id", "sha256", name="release_request_bytes"),
    )
    op.create_index("ix_release_requests_artist_id", "release_requests", ["artist_id"])
    append_only("release_requests", ["id", "artist_id, sha256"])
    op.create_table(
        "review_claims",
        sa.Column("request_id", sa.String(), sa.ForeignKey("release_requests.id"), primary_key=True),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=False),
    )
    op.create_table(
        "review_looks",
        sa.Column("request_id", sa.String(), primary_key=True),
        sa.Column("stage", sa.String(), primary_key=True),
        sa.Column("artist_id", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("ground", sa.String()),
        sa.Column("explanation", sa.String(), nullable=False),
        sa.Column("times", sa.JSON(), nullable=False),
        sa.Column("looked_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["request_id", "artist_id"], ["release_requests.id", "release_requests.artist_id"]),
        sa.UniqueConstraint("request_id", "reviewer", name="review_look_by_another"),
        sa.CheckConstraint("reviewer <> artist_id", name="review_look_not_on_oneself"),
        sa.CheckConstraint("verdict IN ('approve', 'refuse')", name="review_look_verdict"),
        sa.CheckConstraint(
            "verdict = 'approve' OR (ground IS NOT NULL AND length(trim(explanation)) > 0)", name="review_look_reasons"
        ),
        sa.CheckConstraint("stage <> 'appeal' OR length(trim(explanation)) > 0", name="review_appeal_reasons"),
    )
    append_only("review_looks", ["request_id, stage", "request_id, reviewer"])
    op.create_table(
        "review_appeals",
        sa.Column("request_id", sa.String(), sa.ForeignKey("release_requests.id"), primary_key=True),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("opened_at", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Integer(), nullable=False),
    )
    append_only("review_appeals", ["request_id"], "request_id, opened_at, due_at")
    guard(
        "review_appeals", "words", "UPDATE OF words", "an appeal can be erased and not changed",
        "NEW.words <> '' AND NEW.words <> OLD.words",
    )

    def said(stage, verdict):
        return f"EXISTS (SELECT 1 FROM review_looks WHERE request_id = NEW.request_id AND stage = '{stage}' AND verdict = '{verdict}')"

    guard(
        "review_looks", "order", "INSERT", "this look is not the next one",
        f"NOT (NEW.stage = 'first' OR NEW.stage = 'second' AND {said('first', 'refuse')} "
        f"OR NEW.stage = 'blind' AND {said('first', 'approve')} "
        "OR NEW.stage = 'appeal' AND EXISTS (SELECT 1 FROM review_appeals WHERE request_id = NEW.request_id))",
    )
    guard("review_appeals", "refused", "INSERT", "only a refusal is appealed against", f"NOT {said('second', 'refuse')}")
    op.create_table(
        "review_escalations",
        sa.Column("request_id", sa.String(), sa.ForeignKey("release_requests.id"), primary_key=True),
        sa.Column("what", sa.String(), primary_key=True),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("escalated_at", sa.Integer(), nullable=False),
    )
    append_only("review_escalations", ["request_id, what"])
    op.create_table(
        "releases",
        sa.Column("request_id", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("released_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["request_id", "sha256"], ["release_requests.id", "release_requests.sha256"]),
    )
    op.create_index("ix_releases_sha256", "releases", ["sha256"])
    append_only("releases", ["request_id"])
    guard(
        "releases", "approved", "INSERT", "only what was approved is released",
        "NOT EXISTS (SELECT 1 FROM review_looks WHERE request_id = NEW.request_id AND verdict = 'approve' AND stage <> 'blind') "
        "AND NOT EXISTS (SELECT 1 FROM review_escalations WHERE request_id = NEW.request_id AND remedy = 'release')",
    )
    op.create_table(
        "takedowns",
        sa.Column("request_id", sa.String(), sa.ForeignKey("releases.request_id"), primary_key=True),
        sa.Column("taken_by", sa.String(), nullable=False),
        sa.Column("ground", sa.String()),
        sa.Column("explanation", sa.String(), nullable=False),
        sa.Column("taken_at", sa.Integer(), nullable=False),
    )
    append_only("takedowns", ["request_id"])
