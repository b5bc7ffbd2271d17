"""Claims, decisions, disputes, credits and payouts, with the guards that keep what was said about them."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard

revision = "0011"
down_revision = "0010"


def upgrade():
    op.create_table(
        "work_entries",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String()),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("card", sa.String(), nullable=False),
        sa.Column("card_version", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("claimed", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["card", "card_version"], ["rate_cards.name", "rate_cards.version"]),
        sa.UniqueConstraint("person_id", "key", name="work_entry_key"),
        sa.UniqueConstraint("person_id", "kind", "subject", name="work_entry_subject"),
        sa.UniqueConstraint("id", "person_id", "claimed", "currency", name="work_entry_as_decided"),
        sa.CheckConstraint("claimed > 0 AND units > 0 AND (kind <> 'hours' OR units <= 1440)", name="work_entry_amounts"),
    )
    op.create_index("ix_work_entries_person_id", "work_entries", ["person_id"])
    append_only(
        "work_entries", ["id", "person_id, key", "person_id, kind, subject"],
        "id, person_id, key, kind, day, units, subject, card, card_version, currency, claimed, claimed_at, due_at",
    )
    guard("work_entries", "words", "UPDATE OF note", "a note can be erased and not changed", "NEW.note <> '' AND NEW.note <> OLD.note")
    op.create_table(
        "pay_decisions",
        sa.Column("entry_id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("claimed", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decider", sa.String(), nullable=False),
        sa.Column("decided_at", sa.Integer(), nullable=False),
        sa.Column("pay_by", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.String(), sa.ForeignKey("transactions.id"), unique=True),
        sa.ForeignKeyConstraint(
            ["entry_id", "person_id", "claimed", "currency"],
            ["work_entries.id", "work_entries.person_id", "work_entries.claimed", "work_entries.currency"],
        ),
        sa.UniqueConstraint("entry_id", "decider", name="pay_decision_by_another"),
        sa.CheckConstraint("decider <> person_id", name="pay_decision_not_on_oneself"),
        sa.CheckConstraint("accepted BETWEEN 0 AND claimed", name="pay_decision_amount"),
        sa.CheckConstraint("accepted = claimed OR length(trim(reason)) > 0", name="pay_decision_reason"),
    )
    append_only("pay_decisions", ["entry_id, number", "entry_id, decider", "transaction_id"])
    op.create_table(
        "pay_disputes",
        sa.Column("entry_id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("opened_at", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id", "number"], ["pay_decisions.entry_id", "pay_decisions.number"]),
    )
    append_only("pay_disputes", ["entry_id, number"], "entry_id, number, opened_at, due_at")
    guard(
        "pay_disputes", "words", "UPDATE OF statement", "a statement can be erased and not changed",
        "NEW.statement <> '' AND NEW.statement <> OLD.statement",
    )
    guard(
        "pay_decisions", "next", "INSERT", "only a dispute opens a decision again",
        "NEW.number > 1 AND NOT EXISTS (SELECT 1 FROM pay_disputes WHERE entry_id = NEW.entry_id AND number = NEW.number - 1) "
        "OR NEW.number < 1",
    )
    guard(
        "pay_decisions", "no_worse", "INSERT", "a dispute cannot make it worse",
        "EXISTS (SELECT 1 FROM pay_decisions WHERE entry_id = NEW.entry_id AND accepted > NEW.accepted)",
    )
    op.create_table(
        "credits",
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("due_at", sa.Integer(), nullable=False),
        sa.Column("missed_at", sa.Integer(), nullable=False),
        sa.Column("pay_by", sa.Integer(), nullable=False),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.String(), sa.ForeignKey("transactions.id"), nullable=False, unique=True),
        sa.CheckConstraint("given_by <> person_id", name="credit_not_to_oneself"),
        sa.CheckConstraint("amount > 0 AND missed_at > due_at", name="credit_missed"),
    )
    op.create_index("ix_credits_person_id", "credits", ["person_id"])
    append_only("credits", ["subject", "transaction_id"])
    op.create_table(
        "payees",
        sa.Column("person_id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("iban", sa.String(), nullable=False),
        sa.Column("changed_at", sa.Integer(), nullable=False),
    )
    op.create_table(
        "payouts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), nullable=False, unique=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("exported_by", sa.String()),
        sa.Column("exported_at", sa.Integer()),
        sa.Column("copies", sa.Integer(), nullable=False),
    )
    append_only("payouts", ["id", "key"], "id, key, currency, day, made_by, made_at, file")
    guard("payouts", "export", "UPDATE OF exported_by, exported_at", "a bank file is exported once", "OLD.exported_at IS NOT NULL")
    op.create_table(
        "payout_lines",
        sa.Column("payout_id", sa.String(), sa.ForeignKey("payouts.id"), primary_key=True),
        sa.Column("person_id", sa.String(), primary_key=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.String(), sa.ForeignKey("transactions.id"), nullable=False, unique=True),
        sa.CheckConstraint("amount > 0", name="payout_amount"),
    )
    append_only("payout_lines", ["payout_id, person_id", "transaction_id"])
