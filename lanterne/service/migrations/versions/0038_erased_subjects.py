"""What work was about, and the key of its claim, can be erased: a word of chance comes in their place."""

from lanterne.service.migrations.guards import guard, unguard

revision = "0038"
down_revision = "0037"


def upgrade():
    unguard("work_entries", "stays")
    guard(
        "work_entries", "stays",
        "UPDATE OF id, person_id, kind, day, units, card, card_version, currency, claimed, claimed_at, due_at",
        "work_entries is append-only",
    )
    guard(
        "work_entries", "erased", "UPDATE OF key, subject", "what work was about can be erased and not changed",
        "NEW.key <> OLD.key AND NEW.key NOT LIKE 'erased:%' OR (NEW.subject IS NULL) <> (OLD.subject IS NULL) "
        "OR NEW.subject <> OLD.subject AND NEW.subject NOT LIKE 'erased:%'",
    )
