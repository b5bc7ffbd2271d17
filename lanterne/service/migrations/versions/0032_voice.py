"""What artists say, what they consent to, and the data sets that come of both."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard

revision = "0032"
down_revision = "0023"


def upgrade():
    op.create_table(
        "consent_texts",
        sa.Column("purpose", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("published_by", sa.String(), nullable=False),
        sa.Column("published_at", sa.Integer(), nullable=False),
        sa.UniqueConstraint("purpose", "version", "sha256", name="consent_text_as_given"),
    )
    append_only("consent_texts", ["purpose, version"])
    op.create_table(
        "consents",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["purpose", "version", "sha256"], ["consent_texts.purpose", "consent_texts.version", "consent_texts.sha256"]
        ),
        sa.CheckConstraint("purpose IN ('training', 'evaluation', 'publicity')", name="consent_purpose"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consents_person_id", "consents", ["person_id"])
    append_only("consents", ["number"])
    guard(
        "consents", "in_force", "INSERT", "this is not what is asked for any more",
        "NEW.given AND EXISTS (SELECT 1 FROM consent_texts WHERE purpose = NEW.purpose AND version > NEW.version)",
    )
    op.create_table(
        "remark_videos",
        sa.Column("video_id", sa.String(), primary_key=True),
        sa.Column("maker_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("negative_prompt", sa.String(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("made_with", sa.String(), nullable=False),
        sa.Column("noted_at", sa.Integer(), nullable=False),
    )
    op.create_index("ix_remark_videos_maker_id", "remark_videos", ["maker_id"])
    append_only("remark_videos", ["video_id"], "video_id, maker_id, sha256, seconds, seed, model, noted_at")
    guard(
        "remark_videos", "words", "UPDATE OF prompt, negative_prompt, made_with", "a prompt can be erased and not changed",
        " OR ".join(f"(NEW.{name} <> '' AND NEW.{name} <> OLD.{name})" for name in ("prompt", "negative_prompt", "made_with")),
    )
    op.create_table(
        "comparisons",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("left_id", sa.String(), sa.ForeignKey("remark_videos.video_id"), nullable=False),
        sa.Column("right_id", sa.String(), sa.ForeignKey("remark_videos.video_id"), nullable=False),
        sa.Column("asked_at", sa.Integer(), nullable=False),
        sa.UniqueConstraint("id", "person_id", name="comparison_of"),
        sa.CheckConstraint("left_id <> right_id", name="comparison_of_two"),
    )
    op.create_index("ix_comparisons_person_id", "comparisons", ["person_id"])
    append_only("comparisons", ["id"])
    op.create_table(
        "remarks",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("video_id", sa.String(), sa.ForeignKey("remark_videos.video_id")),
        sa.Column("comparison_id", sa.String(), unique=True),
        sa.Column("said_at", sa.Integer(), nullable=False),
        sa.Column("withdrawn_at", sa.Integer()),
        sa.ForeignKeyConstraint(["comparison_id", "person_id"], ["comparisons.id", "comparisons.person_id"]),
        sa.UniqueConstraint("id", "person_id", name="remark_of"),
        sa.CheckConstraint(
            "kind = 'feedback' AND video_id IS NOT NULL AND comparison_id IS NULL OR kind = 'bug' AND comparison_id IS NULL "
            "OR kind = 'preference' AND video_id IS NULL AND comparison_id IS NOT NULL", name="remark_about",
        ),
    )
    op.create_index("ix_remarks_person_id", "remarks", ["person_id"])
    op.create_index("ix_remarks_video_id", "remarks", ["video_id"])
    append_only("remarks", ["id", "comparison_id"], "id, person_id, kind, video_id, comparison_id, said_at")
    guard("remarks", "withdrawn", "UPDATE OF withdrawn_at", "what was withdrawn stays so", "OLD.withdrawn_at IS NOT NULL")
    op.create_table(
        "remark_versions",
        sa.Column("remark_id", sa.String(), sa.ForeignKey("remarks.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("vocabulary", sa.Integer(), nullable=False),
        sa.Column("written_at", sa.Integer(), nullable=False),
    )
    append_only("remark_versions", ["remark_id, number"], "remark_id, number, vocabulary, written_at")
    guard(
        "remark_versions", "words", "UPDATE OF content", "words can be erased and not changed",
        "NEW.content <> '' AND NEW.content <> OLD.content",
    )
    op.create_table(
        "remark_verdicts",
        sa.Column("remark_id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decider", sa.String()),
        sa.Column("decided_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["remark_id", "person_id"], ["remarks.id", "remarks.person_id"]),
        sa.CheckConstraint("decider <> person_id", name="remark_verdict_not_on_oneself"),
        sa.CheckConstraint("state <> 'declined' OR length(trim(reason)) > 0", name="remark_verdict_reason"),
        sa.CheckConstraint("(state = 'open') = (decider IS NULL)", name="remark_verdict_contest"),
    )
    append_only("remark_verdicts", ["remark_id, number"], "remark_id, number, person_id, state, decider, decided_at")
    guard(
        "remark_verdicts", "words", "UPDATE OF reason", "a contest can be erased and no reason changed",
        "NEW.reason <> OLD.reason AND (NEW.reason <> '' OR OLD.decider IS NOT NULL)",
    )
    op.create_table(
        "dataset_releases",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("licence", sa.String(), nullable=False),
        sa.Column("exported_by", sa.String(), nullable=False),
        sa.Column("exported_at", sa.Integer(), nullable=False),
    )
    append_only("dataset_releases", ["id"])
    op.create_table(
        "dataset_records",
        sa.Column("release_id", sa.String(), sa.ForeignKey("dataset_releases.id"), primary_key=True),
        sa.Column("remark_id", sa.String(), sa.ForeignKey("remarks.id"), primary_key=True),
        sa.Column("person_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.create_index("ix_dataset_records_person_id", "dataset_records", ["person_id"])
    append_only("dataset_records", ["release_id, remark_id, person_id"])
    op.create_table(
        "dataset_models",
        sa.Column("release_id", sa.String(), sa.ForeignKey("dataset_releases.id"), primary_key=True),
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("registered_by", sa.String(), nullable=False),
        sa.Column("registered_at", sa.Integer(), nullable=False),
    )
    append_only("dataset_models", ["release_id, sha256"])
