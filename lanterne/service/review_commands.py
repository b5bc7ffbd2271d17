"""`lanterne policy`, `release` and `review`: the gate to the public, from the artist's request to the appeal; --by says who that is.

Help must answer at once, so all that they need is imported when they run.
"""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError, counted, writing
from lanterne.service.pay_commands import Output, _put, _seconds

policy_app = typer.Typer(help="What may be shown to the public: words, numbered grounds, deadlines.", no_args_is_help=True)
release_app = typer.Typer(help="What an artist does: ask for a release, appeal, release, take down.", no_args_is_help=True)
review_app = typer.Typer(help="What reviewers and operators do: claim, look, approve, refuse.", no_args_is_help=True)

Artist = Annotated[str, typer.Option("--by", help="Who does this: the artist's id.")]
Reviewer = Annotated[str, typer.Option("--by", help="Who does this: a reviewer's id.")]
Operator = Annotated[str, typer.Option("--by", help="Who does this: an operator's id.")]
RequestId = Annotated[str, typer.Argument(help="The request's id.")]
Explanation = Annotated[str, typer.Option(help="Why; the artist reads it. It goes into the EU's database: name nobody.")]


def _house():
    from lanterne.paths import make_home
    from lanterne.service.deployment import Deployment
    from lanterne.service.settings import Settings

    make_home()
    house = Deployment.of(Settings.load())
    house.database.migrate()
    return house


def _actor(house, by: str):
    from lanterne.programme import people
    from lanterne.programme.pay import Actor

    with house.database.session() as session:
        roles = people.get(session, by).roles
    return Actor(by, operator="operator" in roles, reviewer="reviewer" in roles)


def _owner(house, by: str):
    """Who sees, appeals, withdraws or takes down what is theirs: these rights outlast the account, which gives no role once closed."""
    from lanterne.programme import people
    from lanterne.programme.pay import Actor

    with house.database.session() as session:
        if people.known(session, by).closed_at is not None:
            return Actor(by)
    return _actor(house, by)


# lanterne policy


@policy_app.command(name="publish")
def publish_policy(
    file: Annotated[Path, typer.Argument(help="A TOML file; docs/review-policy.toml is one.")], by: Operator,
):
    """Publish the policy, or its next version; requests made before stay under the version of their time."""
    from lanterne.programme import review

    house, given = _house(), _policy(file)
    with house.database.session() as session:
        typer.echo(f"version {review.publish_policy(session, _actor(house, by), **given).version}")


@policy_app.command(name="show")
def show_policy(
    version: Annotated[int | None, typer.Argument(min=1, max=2**31 - 1, help="\\[default: the latest]", show_default=False)] = None,
):
    """The policy, word for word."""
    from lanterne.programme import money, review
    from lanterne.programme.pay import day_of

    with _house().database.session() as session:
        found = review.policy(session, version)
        typer.echo(f"Version {found.version}, published on {day_of(found.published_at)} by {found.published_by}.\n\n{found.words}\n")
        for number, ground in found.grounds.items():
            typer.echo(f"{number}  {ground}")
        remedy = money.written(found.credit, found.currency) if found.remedy == "credit" else "it counts as approved"
        typer.echo(
            f"\nDecided within {counted(found.decide_days, 'day')}, else: {remedy}. Appeal for {found.appeal_days} days. "
            f"Of approvals, {found.sample_percent} % are looked at again."
        )


def _policy(path: Path) -> dict:
    """The file as arguments of review.publish_policy. Raises LanterneError."""
    from lanterne.programme import money

    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LanterneError(f"The policy in {path} cannot be read ({error}); give a TOML file such as docs/review-policy.toml.") from None
    known = ("words", "grounds", "decide_days", "appeal_days", "sample_percent", "remedy", "credit", "currency")
    for name in sorted({"words", "grounds"} - set(given)) + sorted(set(given) - set(known)):
        raise LanterneError(f"The policy in {path} has the fields {', '.join(known)}; {name} is missing, or is not one of them.")
    if not isinstance(given["grounds"], dict):
        raise LanterneError(f"The grounds in {path} are not numbered; give a table [grounds] with lines such as \"1\" = \"…\".")
    if "credit" in given:
        given["credit"] = money.read(str(given["credit"]), money.currency(given.get("currency")))
    return given


# lanterne release


@release_app.command()
def ask(video: Annotated[str, typer.Argument(help="The video's id.")], by: Artist):
    """Ask for the release of a finished video; somebody looks at it by the day that is shown."""
    from lanterne.programme.pay import day_of
    from lanterne.service import releasing

    house = _house()
    asked = releasing.ask(house, _actor(house, by), video)
    typer.echo(f"{asked.id}  to be decided by {day_of(asked.due_at)}, under version {asked.policy} of the policy")


@release_app.command(name="list")
def list_own(by: Artist):
    """One's own requests: id, video, state, day by which the next decision is due."""
    from lanterne.programme import people, review

    house = _house()
    with house.database.session() as session:
        people.known(session, by)
        for file in review.files(session):
            if file.request.artist_id == by:
                typer.echo(_line(session, file))


@release_app.command(name="show")
def show_own(request: RequestId, by: Artist):
    """A request's state, and the reasons for a refusal or a takedown."""
    from lanterne.programme import release, review
    from lanterne.programme.pay import day_of

    house = _house()
    actor = _owner(house, by)
    with house.database.session() as session:
        file = review.own(session, actor, request)
        typer.echo(_line(session, file))
        for reason in release.reasons(session, actor, request):
            typer.echo(f"  {reason['reviewer']} on {reason['application_date']}: {reason['incompatible_content_ground']}")
            typer.echo(f"    {reason['incompatible_content_explanation']}")
            typer.echo(f"    seconds {', '.join(f'{start:g} to {end:g}' for start, end in reason['times'])}")
        if ended := release.takedown(session, actor, request):
            typer.echo(f"  taken down on {ended['application_date']}: {ended['incompatible_content_ground']}")
            typer.echo(f"    {ended['incompatible_content_explanation']}")
            if overturned := ended.get("end_date_visibility_restriction"):
                typer.echo(f"    overturned on {overturned}")
        if until := release.appeal_until(session, file):
            typer.echo(f"  can be appealed against until {day_of(until)}")
        if shown := release.shown(session, request):
            typer.echo(f"  public: SHA-256 {shown.sha256}, a signed copy of {shown.approved}")


@release_app.command()
def appeal(request: RequestId, words: Annotated[str, typer.Argument(help="Why the refusal or the takedown is wrong.")], by: Artist):
    """Appeal against a refusal or a takedown by an operator, each once; somebody who has not looked at the video decides."""
    from lanterne.programme.pay import day_of
    from lanterne.service import releasing

    house = _house()
    typer.echo(f"to be answered by {day_of(releasing.appeal(house, _owner(house, by), request, words).due_at)}")


@release_app.command(name="publish")
def publish_video(
    request: RequestId, by: Artist,
    title: Annotated[str, typer.Option(help="Shown beside the video. \\[default: none]", show_default=False)] = "",
    credit: Annotated[str, typer.Option(help="A name or pseudonym to be shown. \\[default: none]", show_default=False)] = "",
    prompt: Annotated[bool, typer.Option("--prompt", help="Show the prompt, too.")] = False,
):
    """Show an approved video to the public, as a copy with the approval signed into it."""
    from lanterne.programme.release import Wishes
    from lanterne.service import releasing

    house = _house()
    typer.echo(releasing.publish(house, _actor(house, by), request, Wishes(title=title, credit=credit), prompt).sha256)


@release_app.command()
def withdraw(request: RequestId, by: Artist):
    """End a request before its release. For this file that is final."""
    from lanterne.programme import release

    house = _house()
    actor = _owner(house, by)
    with house.database.session() as session:
        release.withdraw(session, actor, request)


@release_app.command(name="takedown")
def take_down(
    request: RequestId, by: Annotated[str, typer.Option("--by", help="Who does this: the artist, or an operator.")],
    ground: Annotated[str | None, typer.Option(help="For operators: a number of the policy.", show_default=False)] = None,
    explanation: Explanation = "",
):
    """End a release, within a second: its artist at will and for good, an operator with a ground and an explanation."""
    from lanterne.service import releasing

    house = _house()
    releasing.take_down(house, _owner(house, by), request, ground, explanation)


@release_app.command(name="public")
def list_public():
    """What is public, the latest first: id, day, credit, title."""
    from lanterne.programme import release
    from lanterne.programme.pay import day_of

    with _house().database.session() as session:
        after, more = None, True
        while more:
            found, more = release.page(session, 100, after)
            for shown in found:
                after = shown.request.id
                day = day_of(shown.publication.published_at)
                typer.echo("  ".join(filter(None, [after, day, shown.showing.credit, shown.showing.title])))


# lanterne review


@review_app.command()
def queue(by: Reviewer):
    """What this reviewer may look at, the most urgent first."""
    from lanterne.programme.pay import day_of
    from lanterne.service import releasing

    house = _house()
    for task in releasing.queue(house, _actor(house, by)):
        appeal = "  an appeal against a takedown" if task.takedown else "  an appeal" if task.appeal else ""
        typer.echo(f"{task.request_id}  due {day_of(task.due_at)}{appeal}")


@review_app.command()
def claim(
    request: RequestId, by: Reviewer,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the video here, to look at it.", show_default=False)] = None,
):
    """Take a request for half an hour, in which nobody else gets it; again to go on."""
    from lanterne.programme import review
    from lanterne.service import releasing

    house = _house()
    actor = _actor(house, by)
    task = releasing.claim(house, actor, request)
    if output:
        _, path = releasing.claimed_file(house, actor, request)
        with writing(output):
            shutil.copyfile(path, output)
    with house.database.session() as session:
        grounds = review.policy(session, task.policy).grounds
    typer.echo(f"{task.request_id}  SHA-256 {task.sha256}")
    if task.takedown:
        typer.echo(f"It was public, and was taken down: {task.takedown}")
    if task.appeal:
        typer.echo(f"An appeal; the artist says: {task.appeal}")
    for number, ground in grounds.items():
        typer.echo(f"  {number}  {ground}")


@review_app.command()
def approve(request: RequestId, by: Reviewer, explanation: Explanation = ""):
    """Approve a claimed request; on an appeal, with an explanation. Against a takedown, that overturns it."""
    from lanterne.service import releasing

    house = _house()
    typer.echo(_said(house, releasing.look(house, _actor(house, by), request, True, explanation=explanation)))


@review_app.command()
def refuse(
    request: RequestId, by: Reviewer,
    ground: Annotated[str, typer.Option(help="The number of a ground of the policy.")],
    explanation: Explanation,
    at: Annotated[list[str], typer.Option(help="Where in the video, in seconds, such as 1-2.5; repeat for several.")],
):
    """Refuse a claimed request; it takes a second reviewer who refuses, too. Of an appeal against a takedown, that upholds it."""
    from lanterne.service import releasing

    house = _house()
    times = [_span(text) for text in at]
    typer.echo(_said(house, releasing.look(house, _actor(house, by), request, False, ground, explanation, times)))


@review_app.command(name="list")
def list_all(
    by: Operator, waiting: Annotated[bool, typer.Option("--waiting", help="Only what somebody is to look at.")] = False,
):
    """Every request: id, video, state, due day, artist; and where no reviewer is left who may look at it."""
    from lanterne.programme import review

    house = _house()
    _actor(house, by).require_operator()
    with house.database.session() as session:
        reviewers = review.reviewers(session)
        for file in review.files(session):
            if not waiting or file.waits:
                stalled = "  no reviewer is left" if review.stalled(file, reviewers) else ""
                typer.echo(f"{_line(session, file)}  {file.request.artist_id}{stalled}")


@review_app.command()
def escalate(by: Operator):
    """Give the remedy for every deadline that passed, now; a running server does so every minute."""
    from lanterne.service import releasing

    house = _house()
    _actor(house, by).require_operator()
    for late in releasing.escalate(house):
        typer.echo(f"{late.request_id}  {late.what}  {late.remedy}")


@review_app.command()
def dsa(
    by: Operator, since: Annotated[str, typer.Option(help="The first day, such as 2026-11-01.")] = "2020-01-01", output: Output = None,
):
    """Statements of reasons of all refusals and takedowns, as the EU's DSA transparency database takes them (100 at once)."""
    from lanterne.programme import release

    house = _house()
    actor = _actor(house, by)
    with house.database.session() as session:
        found = release.statements(session, actor, _seconds(since))
    _put(json.dumps({"statements": found}, ensure_ascii=False, indent=1) + "\n", output)


def _line(session, file) -> str:
    from lanterne.programme import release
    from lanterne.programme.pay import day_of

    shown = release.state(session, file)
    due = f", due {day_of(file.due_at)}" if file.waits else ""
    return f"{file.request.id}  {file.request.video_id}  {shown}{due}"


def _said(house, look) -> str:
    from lanterne.programme import release, review

    with house.database.session() as session:
        return f"{look.request_id}  {look.stage} look, now {release.state(session, review.file_of(session, look.request_id))}"


def _span(text: str) -> tuple[float, float]:
    start, _, end = text.partition("-")
    try:
        return float(start), float(end)
    except ValueError:
        raise LanterneError(f"The time code {text[:80]!r} cannot be read; give seconds such as 1-2.5.") from None
