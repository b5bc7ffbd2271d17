"""An invitation's address can be erased; what makes it work once cannot be changed, as before."""

from alembic import op

from lanterne.service.migrations.guards import guard

revision = "0023"
down_revision = "0022"


def upgrade():
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER invitations_once")
    else:
        op.execute("DROP TRIGGER invitations_once ON invitations")
        op.execute("DROP FUNCTION invitations_once()")
    guard(
        "invitations", "once", "UPDATE OF used_at, withdrawn_at, hash, expires_at", "an invitation is used once, and within its time",
        "OLD.used_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL OR NEW.used_at >= OLD.expires_at OR NEW.hash <> OLD.hash "
        "OR NEW.expires_at <> OLD.expires_at",
    )
