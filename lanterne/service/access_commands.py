"""`lanterne people`, `cohort`, `invite`, `revoke`, `leaks` and `drill`, at the server's machine; --by says who acts: an operator, or an
artist about what is their own.

Help must answer at once, so all that they need is imported when they run.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError, writing
from lanterne.service.pay_commands import By, Output, _put, _seconds, _session

people_app = typer.Typer(help="Accounts: artists, reviewers, operators.", no_args_is_help=True)
cohort_app = typer.Typer(help="Cohorts, and the terms that they are under.", no_args_is_help=True)
revoke_app = typer.Typer(help="Cut one key, one person or one cohort, within a second, and nothing else.", no_args_is_help=True)
leaks_app = typer.Typer(help="Alarms about keys that look leaked, and what is decided about them.", no_args_is_help=True)
drill_app = typer.Typer(help="Drills against a running server.", no_args_is_help=True)
invite_app = typer.Typer(help="Invitations to cohorts, each a link that works once.", no_args_is_help=True)

Artist = Annotated[str, typer.Option("--by", help="Who does this: the artist's id.")]
Digest = Annotated[str, typer.Option("--sha256", help="Of the terms that were shown, whole.")]
Link = Annotated[str, typer.Argument(help="The invitation's link, or what comes last in it.")]
PersonId = Annotated[str, typer.Argument(help="The person's id, as `lanterne people list` shows it.")]
CohortName = Annotated[str, typer.Argument(help="The cohort's name.")]
Reason = Annotated[str, typer.Option(help="Why; whom it is about reads it.")]
Text = Annotated[Path, typer.Option("--terms", help="A file with the text of the terms.")]
Card = Annotated[str, typer.Option(help="The rate card; its latest version is what these terms promise.")]
Ends = Annotated[str, typer.Option(help="The first day on which it is over, such as 2027-03-01.")]
Videos = Annotated[int, typer.Option(help="Videos that a member may ask for in a period, with all keys together.")]
Seconds = Annotated[int, typer.Option(help="And seconds of video.")]
Period = Annotated[int, typer.Option(help="The days of that period; it moves with the time.")]
AtOnce = Annotated[int, typer.Option(help="Videos that a member may have queued and in progress at once.")]


# lanterne people


@people_app.command(name="add")
def add_person(
    name: Annotated[str, typer.Argument(help="Their name.")],
    email: Annotated[str, typer.Argument(help="Their address.")],
    by: By,
    role: Annotated[list[str], typer.Option(help="operator, reviewer or artist; repeat for several.")],
    id_: Annotated[str | None, typer.Option("--id", help="An id that is easy to type. \\[default: drawn by chance]")] = None,
):
    """Open an account. The first is an operator's, with the same --id and --by; artists come by invitation."""
    from lanterne.programme import people

    with _session() as session:
        typer.echo(people.open_account(session, name, email, list(role), by, id_).id)


@people_app.command()
def password(person: PersonId):
    """Set somebody's password, read from the keyboard or from standard input; their sessions end, and their keys for programs in a role."""
    from lanterne.programme import people
    from lanterne.service import revocation

    text = _hidden("The new password")
    with _session() as session:
        people.set_password(session, person, text)
        revocation.revoke_role_keys(session, person)


@people_app.command()
def reset(person: PersonId, by: By):
    """Mail somebody a link with which they set their password, for a week and once. The link is shown here, too."""
    from lanterne.programme import people

    settings = _settings()
    with _session() as session:
        people.require(session, by, "operator")
        link = f"{settings.base}/programme/password-links/{people.make_link(session, person, people.FIRST_LINK_HOURS)}"
        mail = people.link_mail(people.get(session, person), link, people.FIRST_LINK_HOURS)
    typer.echo(link)
    settings.post.send(mail)


@people_app.command()
def roles(
    person: PersonId, by: By, role: Annotated[list[str], typer.Option(help="All that they have from now on; repeat for several.")],
    reason: Reason,
):
    """Change what somebody may do; why is kept in the audit log."""
    from lanterne.programme import people

    with _session() as session:
        people.set_roles(session, person, list(role), by, reason)


@people_app.command(name="list")
def list_people():
    """Accounts: id, name, address, roles, cohorts, state."""
    from lanterne.programme import cohorts, people
    from lanterne.programme.pay import day_of

    with _session() as session:
        for person in people.listed(session):
            state = f"closed {day_of(person.closed_at)}" if person.closed_at else "open"
            parts = [person.id, person.name, person.email, " ".join(person.roles), " ".join(cohorts.of(session, person.id)), state]
            typer.echo("  ".join(part for part in parts if part))


@people_app.command(name="export")
def export_person(
    person: PersonId, by: By, output: Annotated[Path, typer.Option("--output", "-o", help="The ZIP file to write.")],
):
    """All that is kept about somebody, for them: data as JSON, their videos, and a page that says what is what."""
    from lanterne.programme import people
    from lanterne.programme.pay import Actor
    from lanterne.service import dossier
    from lanterne.service.deployment import Deployment

    with _session() as session:
        operator = by != person
        if operator:
            people.require(session, by, "operator")
    if output.exists():
        raise LanterneError(f"{output} is there already; choose another name.")
    with writing(output):
        partial = output.with_name(f".{output.name}.partial")
        try:
            with open(partial, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                dossier.write(Deployment.of(_settings()), Actor(by, operator), person, file)
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)


# lanterne cohort


@cohort_app.command(name="open")
def open_(
    name: CohortName, by: By, terms: Text, ends: Ends, videos: Videos, seconds: Seconds, period: Period = 30, at_once: AtOnce = 3,
    card: Card = "artists",
):
    """Open a cohort with its first terms."""
    from lanterne.programme import cohorts

    quotas = cohorts.Quotas(videos, seconds, period, at_once)
    with _session() as session:
        typer.echo(cohorts.open_cohort(session, name, _read(terms), card, quotas, _seconds(ends), by).text())


@cohort_app.command()
def terms(
    name: CohortName, by: By, terms: Text, ends: Ends, videos: Videos, seconds: Seconds, period: Period = 30, at_once: AtOnce = 3,
    card: Card = "artists",
):
    """Publish a cohort's next terms. Members stay under those that they accepted until they accept these."""
    from lanterne.programme import cohorts

    quotas = cohorts.Quotas(videos, seconds, period, at_once)
    with _session() as session:
        typer.echo(cohorts.publish_terms(session, name, _read(terms), card, quotas, _seconds(ends), by).text())


@cohort_app.command()
def show(name: CohortName):
    """The terms in force, word for word, with the pay and the quotas."""
    from lanterne.programme import cohorts

    with _session() as session:
        cohorts.get(session, name)
        typer.echo(cohorts.offer(session, name).text())


@cohort_app.command(name="accept")
def accept_next(name: CohortName, sha256: Digest, by: Artist, output: Output = None):
    """Accept a cohort's next terms, as a member; keys have their quotas from then on. Gives a receipt of the audit log."""
    from lanterne.programme import people
    from lanterne.service import access

    with _session() as session:
        people.get(session, by)
        receipt = access.accept_next(session, name, sha256, by)
    _put(receipt.text(), output)


@cohort_app.command(name="list")
def list_cohorts():
    """Cohorts: name, terms in force, end, members, state."""
    from lanterne.programme import cohorts
    from lanterne.programme.pay import day_of

    with _session() as session:
        for cohort, offer, members in cohorts.listed(session):
            state = f"closed {day_of(cohort.closed_at)}" if cohort.closed_at else f"until {day_of(offer.ends_at)}"
            typer.echo(f"{cohort.id}  terms {offer.version}  {members} members  {state}")


# lanterne invite


@invite_app.command()
def send(
    cohort: CohortName, email: Annotated[str, typer.Argument(help="Whom.")], by: By,
    days: Annotated[int, typer.Option(help="It can be accepted for so many days.")] = 14,
):
    """Invite somebody: a mail with the terms, the pay and a link that works once. The link is shown here, too."""
    from lanterne.programme import cohorts

    settings = _settings()
    with _session() as session:
        invitation, secret = cohorts.invite(session, cohort, email, by, days)
        link = f"{settings.base}/programme/invitations/{secret}"
        mail = cohorts.mail(session, invitation, link)
    typer.echo(f"{invitation.id}  {link}")  # first, so that it is not lost should the mail not leave
    settings.post.send(mail)


@invite_app.command(name="show")
def show_invitation(link: Link):
    """What an invitation offers: terms, pay, quotas, end. Nothing is agreed on by looking."""
    from lanterne.programme import cohorts
    from lanterne.programme.pay import day_of

    with _session() as session:
        invitation, offer = cohorts.look(session, _secret_of(link))
        typer.echo(f"For {invitation.email}, until {day_of(invitation.expires_at)}.\n\n{offer.text()}")


@invite_app.command()
def accept(
    link: Link, sha256: Digest, name: Annotated[str, typer.Option(help="Who accepts.")],
    output: Output = None,
):
    """Accept an invitation with a password, read from the keyboard or from standard input: a new one, or that of the account that this
    address has. Shows the person's id, and gives a receipt of the audit log."""
    from lanterne.programme import cohorts

    text = _hidden("The password")
    with _session() as session:  # a wrong password is counted, so the transaction ends before that is said
        done = cohorts.accept(session, _secret_of(link), sha256, name, text)
    if done is None:
        raise LanterneError("There is an account for this address already, and this is not its password; give that one.")
    person, receipt = done
    typer.echo(person.id)
    _put(receipt.text(), output)


@invite_app.command(name="list")
def list_invitations():
    """Invitations: id, cohort, address, state."""
    from lanterne.programme import cohorts
    from lanterne.programme.pay import day_of
    from lanterne.tables import now

    with _session() as session:
        for invitation in cohorts.invitations(session):
            state = (
                f"accepted {day_of(invitation.used_at)}" if invitation.used_at else "withdrawn" if invitation.withdrawn_at
                else "expired" if invitation.expires_at <= now() else f"open until {day_of(invitation.expires_at)}"
            )
            typer.echo(f"{invitation.id}  {invitation.cohort_id}  {invitation.email}  {state}")


@invite_app.command()
def withdraw(invitation: Annotated[str, typer.Argument(help="The invitation's id.")], by: By):
    """Withdraw an invitation that was not accepted yet."""
    from lanterne.programme import cohorts

    with _session() as session:
        cohorts.withdraw(session, invitation, by)


# lanterne revoke


@revoke_app.command()
def key(key_id: Annotated[str, typer.Argument(help="The key's id, as `lanterne keys list` shows it.")], by: By, reason: Reason):
    """Revoke a key: its requests, streams, downloads and videos under way end."""
    from lanterne.programme import people
    from lanterne.service import revocation

    with _session() as session:
        people.require(session, by, "operator")
        cut = revocation.revoke_key(session, key_id, by, reason)
    _tell(cut)


@revoke_app.command(name="person")
def revoke_person(person: PersonId, by: By, reason: Reason):
    """Close an account: keys, sessions and videos under way end. What they made and are owed stays theirs."""
    from lanterne.service import revocation

    with _session() as session:
        cut = revocation.revoke_person(session, person, by, reason)
    _tell(cut)


@revoke_app.command(name="cohort")
def revoke_cohort(name: CohortName, by: By, reason: Reason):
    """Close a cohort: its keys and their videos under way end. Accounts stay, and so do other cohorts' keys."""
    from lanterne.service import revocation

    with _session() as session:
        cut = revocation.revoke_cohort(session, name, by, reason)
    _tell(cut)


# lanterne leaks


AlarmId = Annotated[str, typer.Argument(help="The alarm's id.")]


@leaks_app.command(name="list")
def list_alarms():
    """Alarms, the latest first: id, day, key, whose, what was done, points, state."""
    from lanterne.programme import leaks
    from lanterne.programme.pay import day_of

    with _session() as session:
        for alarm, contest, verdict in leaks.listed(session):
            waits = contest and (verdict is None or contest.opened_at > verdict.decided_at)
            state = "contested" if waits else "open" if verdict is None else "upheld" if verdict.upheld else "lifted"
            typer.echo(f"{alarm.id}  {day_of(alarm.raised_at)}  {alarm.key_id}  {alarm.person_id}  {alarm.step}  {alarm.score}  {state}")


@leaks_app.command(name="show")
def show_alarm(alarm: AlarmId):
    """What an alarm is based on, word for word as the artist sees it, and what the artist says."""
    from lanterne.programme import leaks

    with _session() as session:
        typer.echo(leaks.words(leaks.get(session, alarm)))
        if contest := session.get(leaks.Contest, alarm):
            typer.echo(f"\nThe artist says: {contest.statement}")
        if verdict := leaks.verdict_of(session, alarm):
            typer.echo(f"\n{'Upheld' if verdict.upheld else 'Lifted'} by {verdict.decider}: {verdict.reasons}")


@leaks_app.command()
def contest(alarm: AlarmId, words: Annotated[str, typer.Argument(help="What speaks against it; who decides reads it.")], by: Artist):
    """Say against an alarm about a key of yours, once; an operator who is not you decides."""
    from lanterne.programme import leaks, people

    with _session() as session:
        people.get(session, by)
        leaks.contest(session, alarm, by, words)


@leaks_app.command()
def lift(alarm: AlarmId, by: By, reason: Reason):
    """The alarm was wrong: the key opens again."""
    from lanterne.service import watch

    with _session() as session:
        mails = watch.lift(session, alarm, by, reason)
    watch.send(_settings().post, mails)


@leaks_app.command()
def uphold(alarm: AlarmId, by: By, reason: Reason):
    """The alarm was right: the key is revoked."""
    from lanterne.service import watch

    with _session() as session:
        mails = watch.uphold(session, alarm, by, reason)
    watch.send(_settings().post, mails)


@leaks_app.command()
def decoy(
    name: Annotated[str, typer.Argument(help="Where it will lie.")], by: By,
    owner: Annotated[str, typer.Option(help="Who is told when it is used, beside the operators.")] = "decoy",
):
    """Make a decoy: a key that opens nothing, to be left where a thief looks. Any use is an alarm."""
    from lanterne.service import watch

    with _session() as session:
        typer.echo(watch.make_decoy(session, name, owner, by))


# lanterne drill


@drill_app.callback()
def drills():
    pass


@drill_app.command()
def leak(
    url: Annotated[str, typer.Option(help="The server, on this machine and with this home folder.")] = "http://127.0.0.1:8000",
    addresses: Annotated[int, typer.Option(help="How many the relay has.")] = 30,
    seconds: Annotated[float, typer.Option(help="It gives up after so long.")] = 20,
):
    """Spread a key over many addresses: how long until that is noticed and cut, and how many innocent requests fail (must be 0)."""
    from lanterne.service import drill
    from lanterne.service.database import Database

    outcome = drill.leak(Database(_settings().database), url, addresses, seconds)
    typer.echo(outcome.table())
    if outcome.cut is None or outcome.collateral:
        raise typer.Exit(1)


def _tell(cut) -> None:
    keys, videos = len(cut.keys), len(cut.videos)
    cut_keys = f"{keys} {'key was' if keys == 1 else 'keys were'} revoked"
    typer.echo(f"{cut_keys}, and {videos} {'video was' if videos == 1 else 'videos were'} stopped.")
    for mail in cut.mails:
        _settings().post.send(mail)


def _hidden(what: str) -> str:
    return typer.prompt(what, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _secret_of(link: str) -> str:
    return link.strip().rstrip("/").rpartition("/")[2]


def _settings():
    from lanterne.service.settings import Settings

    return Settings.load()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LanterneError(f"The terms in {path} cannot be read ({error}); give a text file.") from None
