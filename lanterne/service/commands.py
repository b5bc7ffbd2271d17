"""`lanterne serve`, `worker`, `keys`, `webhooks`, `doctor`, `backup`, `restore` and `trace`.

Help must answer at once, so all that they need is imported when they run.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

serve_app = typer.Typer()
worker_app = typer.Typer()
doctor_app = typer.Typer()
backup_app = typer.Typer()
restore_app = typer.Typer()
trace_app = typer.Typer()
keys_app = typer.Typer(help="Make, list and revoke keys to the API.", no_args_is_help=True)
webhooks_app = typer.Typer(help="Addresses that are told when videos end.", no_args_is_help=True)

Weights = Annotated[Path | None, typer.Option(help="Another weights file than the embedded one.", show_default=False)]
_MOST = 2**31 - 1  # what a database's whole number holds
_LAST = 253402300799  # the last second of the year 9999, beyond which datetime has none
Owner = Annotated[str | None, typer.Option("--by", help="The artist whose key it is. \\[default: who runs the server]", show_default=False)]


@serve_app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. \\[default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one. \\[default: 8000]")] = None,
    weights: Weights = None,
    worker: Annotated[bool, typer.Option(help="Start a worker beside the server.")] = True,
):
    """Serve the Videos API: the web process, and a worker that makes the videos."""
    from lanterne.service import log
    from lanterne.service.server import serve as run
    from lanterne.service.settings import Settings

    settings = Settings.load(host=host, port=port, weights=weights)
    log.start(settings)
    run(settings, with_worker=worker)


@worker_app.command()
def worker(
    slot: Annotated[str | None, typer.Option(help="A name that stays this worker's own. \\[default: worker-0]")] = None,
    weights: Weights = None,
    with_parent: Annotated[bool, typer.Option(hidden=True)] = False,
):
    """Make the videos that wait in the queue, beside other workers."""
    from lanterne.service import log
    from lanterne.service.settings import Settings
    from lanterne.service.worker import work

    settings = Settings.load(worker=slot, weights=weights)
    log.start(settings)
    work(settings, with_parent)


@doctor_app.command()
def doctor():
    """Look at everything that serving needs, and say what to mend."""
    from lanterne.service.doctor import examine

    ill = False
    for found, remedy in examine(_settings()):
        typer.echo(f"{'MEND' if remedy else 'ok  '}  {found}" + (f": {remedy}" if remedy else ""))
        ill = ill or remedy is not None
    raise typer.Exit(1 if ill else 0)


@backup_app.command()
def backup(target: Annotated[Path, typer.Argument(help="The file to write, such as lanterne.tar.")]):
    """Copy the whole state of the server into one file, while it runs."""
    from lanterne.service.backup import backup as run

    run(_settings(), target)


@restore_app.command()
def restore(source: Annotated[Path, typer.Argument(help="A file that `lanterne backup` wrote.")]):
    """Bring a backup back, into an empty home folder."""
    from lanterne.service.backup import restore as run

    run(source)


def _settings():
    from lanterne.service.settings import Settings

    return Settings.load()


def _database():
    from lanterne.service.server import prepare

    return prepare(_settings())


@trace_app.command()
def trace(
    file: Annotated[Path, typer.Argument(help="A copy of a video, found somewhere.")],
    public_url: Annotated[
        str | None, typer.Option(help="Where in public it was found: unless it is released, an alarm is raised.", show_default=False)
    ] = None,
    by: Annotated[str | None, typer.Option(help="With --public-url: the operator who says so.", show_default=False)] = None,
):
    """Tell which video of this server a copy was made from, and whose it is, by its invisible watermark."""
    from lanterne.errors import LanterneError
    from lanterne.programme.identity import existing
    from lanterne.programme.watermark import find
    from lanterne.service.provenance import traced

    if (public_url is None) != (by is None):
        raise LanterneError("A copy in public is reported by somebody: give both --public-url and --by, or neither.")
    own = existing()
    found = find(file, own.watermark_secret) if own else None
    if found is None:
        typer.echo("It carries no watermark of this server that can be read.")
        raise typer.Exit(5)
    typer.echo(f"watermark {found.number:010x}, {found.odds}")
    videos = list(traced(_database(), found.number))
    for video in videos:
        typer.echo(f"{video.id}  {video.owner}  {_day(video.created_at)}  {video.kind}")
    if not videos:
        typer.echo("No video of this server has it: it was deleted, or made by `lanterne generate`.")
    if by is not None:
        _report_copy(videos, public_url, by)


def _report_copy(videos: list, url: str, by: str) -> None:
    from lanterne.service import watch

    with _database().session() as session:
        reported, mails = watch.report_copy(session, videos, url, by)
    watch.send(_settings().post, mails)
    for one in reported:
        raised = ", ".join(f"{alarm.id} ({alarm.step}, {alarm.key_id})" for alarm in one.alarms)
        said = "it is released, and may be there" if one.public else f"alarm {raised}" if raised else "written down; no new step was due"
        typer.echo(f"{one.video.id}  {said}")


@keys_app.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for, to know it again.")],
    owner: Annotated[str, typer.Option(help="Whose videos it opens.")] = "me",
    scope: Annotated[
        list[str], typer.Option(help="What it may do: videos:read, videos:write, metrics, or what its owner's role does: review, admin; "
                                "repeat for several.")
    ] = ("videos:read", "videos:write"),
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="It expires after so many days. \\[default: never]")] = None,
    videos: Annotated[
        int | None, typer.Option(min=1, max=_MOST, help="It may ask for so many videos in a period. \\[default: any number]")
    ] = None,
    seconds: Annotated[int | None, typer.Option(min=1, max=_MOST, help="And for so many seconds of video. \\[default: any number]")] = None,
    period: Annotated[int, typer.Option(min=1, max=3660, help="The days of that period; it moves with the time.")] = 30,
    network: Annotated[
        list[str] | None, typer.Option(help="It may be used from here alone, such as 192.0.2.0/24; repeat for several.")
    ] = None,
):
    """Make a key. It is shown once."""
    from lanterne.errors import LanterneError
    from lanterne.service import keys
    from lanterne.tables import now

    for noun, given in (("name", name), ("owner", owner)):
        if not 0 < len(given.strip()) <= 80:
            raise LanterneError(f"The {noun} {given[:80]!r} cannot be used; give 1 to 80 characters that are not all blank.")
    quota, expires_at = keys.Quota(videos, seconds, period), now() + days * 86400 if days else None
    with _database().session() as session:
        _, text = keys.insert(session, name, owner, list(scope), expires_at, quota, list(network or ()), decoy=False)
    _show(text)


@keys_app.command()
def make(
    cohort: Annotated[str, typer.Option(help="The cohort that it belongs to.")],
    name: Annotated[str, typer.Option(help="What it is for, to know it again.")],
    by: Annotated[str, typer.Option("--by", help="Whose it is: the id of an artist in that cohort.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; repeat for several.")] = ("videos:read", "videos:write"),
    days: Annotated[int | None, typer.Option(help="It ends after so many days. \\[default: with the cohort]", show_default=False)] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="It may be used from here alone, such as 192.0.2.0/24; repeat for several.")
    ] = None,
):
    """Make an artist's key, with the quota of the terms that they accepted. It is shown once."""
    from lanterne.service import access

    with _database().session() as session:
        _, text = access.make_key(session, by, cohort, access.Wish(name, tuple(scope), days, tuple(network or ())))
    _show(text)


@keys_app.command(name="list")
def list_(by: Annotated[str | None, typer.Option("--by", help="Only the keys of this person.", show_default=False)] = None):
    """List keys: id, owner, name, scopes, state, and what was used of a quota."""
    from lanterne.programme import people
    from lanterne.service import keys

    database = _database()
    if by is not None:
        with database.session() as session:
            people.get(session, by)
    for key in (key for key in keys.listed(database) if by in (None, key.owner)):
        state = (
            "revoked" if key.revoked_at else "frozen" if key.frozen_at else f"until {_day(key.expires_at)}" if key.expires_at else "in use"
        )
        parts = [key.id, key.owner, key.name, " ".join(key.scopes), state, keys.quota_text(database, key)]
        typer.echo("  ".join(part for part in parts if part))


@keys_app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key's id, as `lanterne keys list` shows it.")], by: Owner = None):
    """Revoke a key; within a second it opens nothing more, and what it had open or under way ends."""
    from lanterne.programme import people
    from lanterne.service import access
    from lanterne.service.revocation import revoke_key

    who, reason = ("the operator at the server", "It was revoked at the server.") if by is None else (by, "Its owner revoked it.")
    with _database().session() as session:
        if by is not None:
            people.get(session, by)
            access.own(session, by, key_id)
        cut = revoke_key(session, key_id, who, reason)
    for mail in cut.mails:
        _settings().post.send(mail)


@keys_app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `lanterne keys list` shows it.")],
    hours: Annotated[int, typer.Option(help="The old key goes on opening for so long, 0 to 168.")] = 24,
    by: Owner = None,
):
    """Make a key's successor, with the same rights and one quota for both. It is shown once."""
    from lanterne.programme import people
    from lanterne.service import access, keys

    with _database().session() as session:
        if by is None:
            _, text = keys.rotate(session, key_id, hours)
        else:
            people.get(session, by)
            _, text = access.rotate(session, by, key_id, hours)
    _show(text)


@webhooks_app.command()
def add(
    url: Annotated[str, typer.Argument(help="An https address.")],
    owner: Annotated[str, typer.Option(help="Whose videos it is told about.")] = "me",
):
    """Add an address. The secret to check signatures with is shown once."""
    from lanterne.service import webhooks

    webhook_id, secret = webhooks.add(_database(), _settings(), owner, url)
    typer.echo(f"{webhook_id}; its secret is shown once, keep it safe:", err=True)
    typer.echo(secret)


@webhooks_app.command(name="list")
def list_webhooks():
    """List addresses and how the latest message went."""
    from lanterne.service import webhooks

    for webhook, delivery in webhooks.listed(_database()):
        latest = f"{delivery.type} {_day(delivery.created_at)}: {delivery.outcome or 'on its way'}" if delivery else "nothing sent yet"
        typer.echo(f"{webhook.id}  {webhook.owner}  {webhook.url}  {latest}")


@webhooks_app.command()
def test(webhook_id: str):
    """Send a test message now and say what came of it."""
    from lanterne.service import webhooks

    typer.echo(webhooks.test(_database(), _settings(), webhook_id))


@webhooks_app.command()
def remove(webhook_id: str):
    """Remove an address."""
    from lanterne.service import webhooks

    webhooks.remove(_database(), webhook_id)


def _show(key: str) -> None:
    typer.echo("This key is shown once; keep it safe:", err=True)
    typer.echo(key)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(min(seconds, _LAST), UTC).strftime("%Y-%m-%d")
