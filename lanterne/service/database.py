"""What the service remembers besides files and jobs: SQLAlchemy models, and the database opened and brought up to date.

SQLite in WAL mode by default, Postgres by its URL; the same statements run on both. Times are whole UTC seconds.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyio import to_thread
from sqlalchemy import Connection, Double, Engine, ForeignKey, Index, Row, Select, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from lanterne.errors import LanterneError
from lanterne.tables import Base, now  # noqa: F401 (now: the service's clock, too)

MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseError(LanterneError):
    """A database that cannot be opened or is of another version, in one sentence."""


class Key(Base):
    """A key to the API. Its text is shown once and never kept; several keys may open the same owner's things."""

    __tablename__ = "keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list]
    created_at: Mapped[int]
    expires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]
    max_videos: Mapped[int | None]  # that it may ask for within any period_days, and
    max_seconds: Mapped[int | None]  # seconds of video
    period_days: Mapped[int | None]
    max_active: Mapped[int | None]  # that it may have queued and in progress at once
    pool: Mapped[str | None]  # with which keys it shares what it may ask for; by default none
    cohort_id: Mapped[str | None] = mapped_column(index=True)  # whose terms it is under; the owner is then a person
    networks: Mapped[list | None]  # from which it may be used; None: from anywhere
    decoy: Mapped[bool] = mapped_column(default=False)  # nobody should have it, so any use is an alarm
    throttled_at: Mapped[int | None]
    frozen_at: Mapped[int | None]


class Use(Base):
    """A video that a key with a quota asked for. It outlives the video: deleting one gives nothing back."""

    __tablename__ = "uses"
    video_id: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    seconds: Mapped[int]
    created_at: Mapped[int]
    __table_args__ = (Index("uses_of_key", "key_id", "created_at"),)


class Video(Base):
    """A video asked for. number: in order of creation. plan: all fields of generate.Request."""

    __tablename__ = "videos"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str]
    key_id: Mapped[str | None] = mapped_column(index=True)  # that asked for it
    kind: Mapped[str]  # create, edit or extend
    status: Mapped[str]  # queued, in_progress, completed or failed
    progress: Mapped[int] = mapped_column(default=0)
    prompt: Mapped[str]
    model: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    seconds: Mapped[int]  # of the finished file
    plan: Mapped[dict]
    remixed_from: Mapped[str | None]
    stopping: Mapped[bool]  # to be finished with the chunks that are done
    claim: Mapped[str | None]  # the token of the worker process that makes it; no other writes about it
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[int]
    started_at: Mapped[int | None]
    completed_at: Mapped[int | None]
    expires_at: Mapped[int | None]
    __table_args__ = (
        Index("videos_of_owner", "owner", "number"), Index("videos_by_status", "status", "number"), {"sqlite_autoincrement": True}
    )


class Character(Base):
    __tablename__ = "characters"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    created_at: Mapped[int]


class File(Base):
    """Which bytes in the store play which role for whom. holder: a video's, a character's, or of a release the request's id."""

    __tablename__ = "files"
    holder: Mapped[str] = mapped_column(primary_key=True)
    # video, thumbnail, spritesheet, latents, segment-…, chunk-…, image, source, history, released
    role: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int]
    media_type: Mapped[str]
    seconds: Mapped[float | None]  # of a segment


class Event(Base):
    """What happened to a video, for those who watch it being made. owner, place: of one that was deleted, so that a list goes on after it
    as long as this is kept."""

    __tablename__ = "events"
    number: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[str]
    name: Mapped[str]
    data: Mapped[dict]
    created_at: Mapped[int]
    owner: Mapped[str | None]
    place: Mapped[int | None]  # the video's number
    __table_args__ = (Index("events_of_video", "video_id", "number"), {"sqlite_autoincrement": True})


class Manifest(Base):
    """The first signed manifest of a content, so that every worker's file of it has the same bytes. name: the content's, in signing.py."""

    __tablename__ = "manifests"
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    manifest: Mapped[bytes]
    __table_args__ = ({"sqlite_autoincrement": True},)


class Repeat(Base):
    """A create that carried an Idempotency-Key: the same key and body give the same video again."""

    __tablename__ = "repeats"
    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    video_id: Mapped[str]
    created_at: Mapped[int]


class Webhook(Base):
    """An address that is told when videos end. The secret signs what is sent, so it is kept as it is."""

    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    url: Mapped[str]
    secret: Mapped[str]
    created_at: Mapped[int]


class Delivery(Base):
    """One message to one webhook, and how it went. id is the message's own, the same at every attempt."""

    __tablename__ = "deliveries"
    id: Mapped[str] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    type: Mapped[str]
    body: Mapped[str]
    attempts: Mapped[int]
    outcome: Mapped[str | None]  # what the last attempt met: a status or the reason there was none
    created_at: Mapped[int]
    delivered_at: Mapped[int | None]
    given_up_at: Mapped[int | None]
    __table_args__ = (Index("deliveries_by_attempts", "attempts", "created_at"),)


class Worker(Base):
    """A worker's slot and until when it counts as alive. token: of the process that holds the slot; None once it was taken away."""

    __tablename__ = "workers"
    slot: Mapped[str] = mapped_column(primary_key=True)
    alive_until: Mapped[int]
    token: Mapped[str | None]


class Tally(Base):
    """A count that only ever rises, whatever is deleted; label: the value of a metric's one label, or nothing."""

    __tablename__ = "tallies"
    name: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float] = mapped_column(Double)


class Database:
    """An engine, and sessions from it that commit at the end or not at all."""

    def __init__(self, url: str):
        options = {"pool_size": 20, "pool_pre_ping": True}
        if make_url(url).get_backend_name() == "sqlite":
            Path(make_url(url).database).parent.mkdir(parents=True, exist_ok=True)
            options = {"pool_size": 20, "connect_args": {"timeout": 30, "isolation_level": "IMMEDIATE"}}
        self.engine: Engine = create_engine(attentive(url), **options)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            _take_turns(self.engine)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self._sessions.begin() as session:
            yield session

    def check(self) -> None:
        """Raises DatabaseError where the database does not answer or is not of this version."""
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        with self._telling(), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            found = MigrationContext.configure(connection).get_current_revision()
        wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        if found != wanted:
            raise DatabaseError(f"The database is at version {found} and this program needs {wanted}; start `lanterne serve` once.")

    def migrate(self) -> None:
        """Bring the tables to this version. Raises DatabaseError."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._telling(), self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # two servers that start at once take turns
                connection.execute(text("SELECT pg_advisory_xact_lock(7265263)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _telling(self):
        url = self.engine.url.set(query={}).render_as_string(hide_password=True)  # what is asked of it is ours
        try:
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise DatabaseError(f"The database {url} cannot be used: {reason}; check the address, the server and the disk.") from error


class Reader:
    """One row at a time, for the event loop. On SQLite a connection that stays open answers there and then, in a tenth of the time that
    a thread and a transaction take; on a server's database, or where SQLite makes it wait, the read goes to a thread."""

    def __init__(self, database: Database):
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._at_once = database.engine.dialect.name == "sqlite"
        self._connection: Connection | None = None

    async def row(self, statement: Select, **values) -> Row | None:
        """The first row of a statement with bindparams. Raises SQLAlchemyError."""
        if self._at_once:
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                    self._connection.exec_driver_sql("PRAGMA busy_timeout=0")
                return self._connection.execute(statement, values).first()
            except SQLAlchemyError:
                self.close()
        return await to_thread.run_sync(self._patiently, statement, values)

    def _patiently(self, statement: Select, values: dict) -> Row | None:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).first()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # its patience is not the pool's
            self._connection.close()
            self._connection = None


def _prepare_sqlite(connection, _) -> None:
    # FULL: what was promised to a client is on the disk, even if the power goes the next moment.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _take_turns(engine: Engine) -> None:
    """One writer of this process after the other. SQLite lets those who wait try again now and then, and whoever comes at the right moment
    goes first: of eight threads that wrote without a pause, one waited for 20 seconds. Other processes still wait as SQLite has it."""
    turn = threading.Lock()

    def before_write(connection, cursor, statement, parameters, context, executemany):
        if "turn" not in connection.info and context and (context.isinsert or context.isupdate or context.isdelete):
            connection.info["turn"] = turn.acquire(timeout=30)

    def after_session(dbapi_connection, record):
        if record.info.pop("turn", False):
            turn.release()

    event.listen(engine, "before_cursor_execute", before_write)
    event.listen(engine, "checkin", after_session)


def attentive(url: str) -> str:
    """An address whose connections end, on both sides, when the other cannot be reached any more: by default this end would wait for a
    quarter of an hour, and the server would hold the locks of who is gone for two. What the address says itself stays."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return url
    patience = {
        "connect_timeout": "10", "keepalives_idle": "5", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "15000",
        "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=15000"
                   " -c idle_in_transaction_session_timeout=60000",
    }
    return parsed.set(query=patience | dict(parsed.query)).render_as_string(hide_password=False)
