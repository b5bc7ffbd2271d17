"""The ledger and the audit log, with the guards that keep them append-only and the ledger in balance."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard

revision = "0010"
down_revision = "0003"

_UNBALANCED = (
    "(SELECT COUNT(*) FROM postings WHERE transaction_id = NEW.id) < 2 OR EXISTS "
    "(SELECT 1 FROM postings WHERE transaction_id = NEW.id GROUP BY currency HAVING SUM(amount) <> 0)"
)


def upgrade():
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("peaks", sa.JSON(), nullable=False),
    )
    op.execute("INSERT INTO audit_head (id, size, peaks) VALUES (1, 0, '[]')")
    guard("audit_head", "one", "INSERT", "audit_head has one row")
    guard("audit_head", "grows", "UPDATE", "the audit log only grows", "NEW.id <> 1 OR NEW.size < OLD.size")
    guard("audit_head", "kept", "DELETE", "audit_head has one row")
    op.create_table(
        "audit_log",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
    )
    append_only("audit_log", ["number"])
    guard(
        "audit_log", "next", "INSERT", "the audit log has no gaps",
        "NEW.number <> COALESCE((SELECT MAX(number) FROM audit_log), -1) + 1",
    )
    op.create_table(
        "audit_openings",
        sa.Column("number", sa.Integer(), sa.ForeignKey("audit_log.number"), primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.String()),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("data", sa.String(), nullable=False),
    )
    op.create_index("ix_audit_openings_person_id", "audit_openings", ["person_id"])
    guard("audit_openings", "stays", "UPDATE", "audit_openings can be erased and not changed")

    op.create_table(
        "accounts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), unique=True),
        sa.Column("opened_at", sa.Integer(), nullable=False),
    )
    append_only("accounts", ["id", "person_id"])
    op.create_table(
        "transactions",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("key", sa.String(), nullable=False, unique=True),
        sa.Column("memo", sa.String(), nullable=False),
        sa.Column("reverses", sa.String(), sa.ForeignKey("transactions.id"), unique=True),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    append_only("transactions", ["number", "id", "key", "reverses"])
    op.create_table(
        "postings",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column(
            "transaction_id", sa.String(), sa.ForeignKey("transactions.id", deferrable=True, initially="DEFERRED"), nullable=False
        ),
        sa.Column("account_id", sa.String(), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0 AND amount BETWEEN -1000000000000 AND 1000000000000", name="posting_amount"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_postings_transaction_id", "postings", ["transaction_id"])
    op.create_index("postings_of_account", "postings", ["account_id", "number"])
    append_only("postings", ["number"])
    # A posting without its transaction fails at the commit (its foreign key is deferred), a transaction that does not balance when it is
    # written, and a posting to a transaction that is there at once: so what is committed balances, and stays as it is. The lock lets no
    # two sessions write at once what each alone would be refused.
    guard("transactions", "balance", "INSERT", "the transaction does not balance", _UNBALANCED)
    guard(
        "postings", "before", "INSERT", "the transaction is closed", "EXISTS (SELECT 1 FROM transactions WHERE id = NEW.transaction_id)",
        first="PERFORM pg_advisory_xact_lock(7265264);",
    )
    op.create_table(
        "rate_cards",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("rates", sa.JSON(), nullable=False),
        sa.Column("decide_days", sa.Integer(), nullable=False),
        sa.Column("pay_days", sa.Integer(), nullable=False),
        sa.Column("published_by", sa.String(), nullable=False),
        sa.Column("published_at", sa.Integer(), nullable=False),
    )
    append_only("rate_cards", ["name, version"])
