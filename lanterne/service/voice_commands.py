"""`lanterne feedback`, `consent` and `data`: for people at the server's machine; --by says who acts.

Help must answer at once, so all that they need is imported when they run.
"""

from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError, counted, writing
from lanterne.service.pay_commands import By, _operator, _read, _session

feedback_app = typer.Typer(help="What artists say of videos, bugs, and which of two they prefer.", no_args_is_help=True)
consent_app = typer.Typer(help="What artists allow beside being served, and what consent is asked for with.", no_args_is_help=True)
data_app = typer.Typer(help="Data sets of what may be used now, and the models trained on them.", no_args_is_help=True)

Artist = Annotated[str, typer.Option("--by", help="Whose words these are: a person's id.")]
RemarkId = Annotated[str, typer.Argument(help="The remark's id, as `lanterne feedback list` shows it.")]
Rating = Annotated[int | None, typer.Option(help="1 to 5.", show_default=False)]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="From the vocabulary; repeat for several.", show_default=False)]
Notes = Annotated[
    str | None, typer.Option(help='JSON: [{"from": 1, "to": 2.5, "words": "…", "region": {"x": 0, "y": 0, "w": 0.5, "h": 1}}].',
                             show_default=False)
]
Words = Annotated[str | None, typer.Option(help="In words.", show_default=False)]
Purpose = Annotated[str, typer.Argument(help="training, evaluation or publicity.")]


# lanterne feedback


@feedback_app.command()
def say(
    video: Annotated[str, typer.Argument(help="The video's id.")], by: Artist, rating: Rating = None, tag: Tags = None, notes: Notes = None,
    words: Words = None,
):
    """Say what somebody thinks of a video."""
    from lanterne.programme import feedback, people
    from lanterne.programme.pay import Actor
    from lanterne.service import voice

    with _session() as session:
        people.known(session, by)
        said = feedback.say(
            session, Actor(by), voice.seen(session, video), rating=rating, tags=tag, notes=voice.notes_of(notes) if notes else None,
            words=words or "",
        )
        typer.echo(said.remark.id)


@feedback_app.command()
def bug(
    title: Annotated[str, typer.Argument(help="Is public.")],
    words: Annotated[str, typer.Argument(help="Is for operators.")],
    by: Artist,
    credit: Annotated[str, typer.Option(help="How who found it is called in public: name or pseudonym.")] = "pseudonym",
    video: Annotated[str | None, typer.Option(help="Where it was seen.", show_default=False)] = None,
):
    """Report a bug."""
    from lanterne.programme import feedback, people
    from lanterne.programme.pay import Actor
    from lanterne.service import voice

    with _session() as session:
        people.known(session, by)
        seen = voice.seen(session, video) if video else None
        typer.echo(feedback.report_bug(session, Actor(by), title, words, credit, seen).remark.id)


@feedback_app.command()
def bugs():
    """Bugs as anybody may see them: id, state, title, who found it."""
    from lanterne.service import voice

    with _session() as session:
        for one in voice.bugs(session):
            typer.echo(f"{one['id']}  {one['state']}  {one['title']}  ({one['credit']})" + (f"  {one['reason']}" if one["reason"] else ""))


@feedback_app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A video's id.")],
    second: Annotated[str, typer.Argument(help="Another's, of the same prompt.")],
    by: Annotated[str, typer.Option("--by", help="Who asks.")],
    person: Annotated[str | None, typer.Option("--for", help="Who is asked. \\[default: who asks]", show_default=False)] = None,
):
    """Put two videos side by side for somebody; chance says which is left."""
    from lanterne.programme import feedback, people
    from lanterne.programme.pay import Actor
    from lanterne.service import voice

    with _session() as session:
        asks = Actor(by) if person in (None, by) else _operator(session, by)
        people.known(session, person or by)
        typer.echo(feedback.ask(session, asks, person or by, voice.seen(session, first), voice.seen(session, second)).id)


@feedback_app.command()
def answer(
    comparison: Annotated[str, typer.Argument(help="The comparison's id.")],
    choice: Annotated[str, typer.Argument(help="left, right or equal.")],
    by: Artist,
    because: Annotated[str, typer.Option(help="Why.")],
):
    """Say which of the two somebody prefers."""
    from lanterne.programme import feedback
    from lanterne.programme.pay import Actor

    with _session() as session:
        typer.echo(feedback.prefer(session, Actor(by), comparison, choice, because).remark.id)


@feedback_app.command()
def change(
    remark: RemarkId, by: Artist, rating: Rating = None, tag: Tags = None, notes: Notes = None, words: Words = None,
    title: Annotated[str | None, typer.Option(help="Of a bug.", show_default=False)] = None,
    credit: Annotated[str | None, typer.Option(help="Of a bug.", show_default=False)] = None,
    choice: Annotated[str | None, typer.Option(help="Of a preference.", show_default=False)] = None,
):
    """Change what somebody said; the rest stays, and what it was is kept."""
    from lanterne.programme.pay import Actor
    from lanterne.service import voice

    given = {
        "rating": rating, "tags": tag, "notes": voice.notes_of(notes) if notes else None, "words": words, "title": title, "credit": credit,
        "choice": choice,
    }
    with _session() as session:
        said = voice.change(session, Actor(by), remark, {name: value for name, value in given.items() if value is not None})
        typer.echo(f"{said.remark.id}, version {len(said.versions)}")


@feedback_app.command()
def withdraw(remark: RemarkId, by: Artist):
    """Take back what somebody said."""
    from lanterne.programme import feedback
    from lanterne.programme.pay import Actor

    with _session() as session:
        feedback.withdraw(session, Actor(by), remark)


@feedback_app.command()
def contest(remark: RemarkId, words: str, by: Artist):
    """Enter an author's no to their remark being declined; somebody else then decides."""
    from lanterne.programme import feedback
    from lanterne.programme.pay import Actor

    with _session() as session:
        feedback.contest(session, Actor(by), remark, words)


@feedback_app.command(name="list")
def list_remarks(
    person: Annotated[str | None, typer.Option(help="Whose. \\[default: everybody's]", show_default=False)] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what nobody decided on yet, and bugs to be mended.")] = False,
):
    """What was said: id, whose, state, content. What was withdrawn is shown to nobody else."""
    import json

    from lanterne.programme import feedback, people
    from lanterne.service import voice

    with _session() as session:
        if person is not None:
            people.known(session, person)
        found = voice.waiting(session) if waiting else feedback.listed(session, feedback.Remark.withdrawn_at.is_(None))
        for said in found:
            if person in (None, said.remark.person_id):
                about = said.remark.video_id or said.remark.comparison_id or "–"
                typer.echo(f"{said.remark.id}  {said.remark.person_id}  {about}  {said.state}")
                typer.echo(f"    {json.dumps(said.content, ensure_ascii=False)}")


@feedback_app.command()
def decide(
    remark: RemarkId,
    state: Annotated[str, typer.Argument(help="Of bugs confirmed, fixed or declined; of the rest accepted or declined.")],
    by: By,
    reason: Annotated[str, typer.Option(help="Why, if it is declined. Its author reads it.")] = "",
    card: Annotated[str | None, typer.Option(help="The rate card. \\[default: what its author's terms name]", show_default=False)] = None,
):
    """Accept what somebody said, which pays for it once, or decline it with a reason."""
    from lanterne.programme import feedback

    with _session() as session:
        typer.echo(feedback.decide(session, _operator(session, by), remark, state, reason, card).state)


# lanterne consent


@consent_app.command()
def publish(purpose: Purpose, by: By, words: Annotated[Path, typer.Option("--text", help="A file with what consent is asked for.")]):
    """Publish the words that consent is asked for with from now on. Consents to earlier words stay consents to those."""
    from lanterne.programme import consent

    with _session() as session:
        asked = consent.publish(session, _operator(session, by), purpose, _read(words))
        typer.echo(f"{asked.purpose}, version {asked.version}, SHA-256 {asked.sha256}")


@consent_app.command()
def show(purpose: Purpose):
    """The words in force, with their hash."""
    from lanterne.programme import consent

    with _session() as session:
        asked = consent.in_force(session, purpose)
        if asked is None:
            raise LanterneError(f"Nobody has asked for consent to {purpose} yet; `lanterne consent publish` does.")
        typer.echo(f"{asked.words}\n\n{asked.purpose}, version {asked.version}, SHA-256 {asked.sha256}")


@consent_app.command()
def give(
    purpose: Purpose, by: Artist, sha256: Annotated[str, typer.Option(help="Of the words, as `lanterne consent show` has it.")],
):
    """Enter somebody's consent to exactly these words."""
    from lanterne.programme import consent

    with _session() as session:
        consent.give(session, by, purpose, sha256)


@consent_app.command(name="withdraw")
def withdraw_consent(purpose: Purpose, by: Artist):
    """Enter that somebody withdraws consent, and list the models that were trained on something of theirs."""
    from lanterne.programme import consent, people

    with _session() as session:
        people.known(session, by)
        consent.withdraw(session, by, purpose)
        _tell_affected(session, by, purpose)


@consent_app.command(name="list")
def list_consents(person: Annotated[str, typer.Argument(help="The person's id.")]):
    """What somebody allows, by purpose."""
    from lanterne.programme import consent, people
    from lanterne.programme.pay import day_of

    with _session() as session:
        people.known(session, person)
        for one in consent.choices(session, person):
            since = f"given {day_of(one.given.at)} to version {one.given.version}" if one.given else "not given"
            newer = one.asked and one.given and one.asked.version > one.given.version
            typer.echo(f"{one.purpose}  {since}" + (f"; version {one.asked.version} is in force" if newer else ""))


# lanterne data


@data_app.command()
def export(
    kind: Annotated[str, typer.Argument(help="preferences or feedback.")],
    by: By,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder for the records and their description in Croissant.")],
    purpose: Annotated[str, typer.Option(help="training, evaluation or publicity.")] = "training",
    licence: Annotated[str | None, typer.Option(help="What it may be used for. \\[default: its purpose, and nothing else]",
                                                show_default=False)] = None,
):
    """Export what everybody in it has a live consent for at this moment."""
    from lanterne.programme import datasets

    with _session() as session:
        files = datasets.export(session, _operator(session, by), kind, purpose, licence or datasets.LICENCE)
        with writing(output):  # if this fails, it was not exported
            if output.exists():
                raise LanterneError(f"{output} is there already; choose another folder.")
            output.mkdir(parents=True)
            (output / files.data_name).write_text(files.data, encoding="utf-8")
            (output / datasets.CROISSANT).write_text(files.description, encoding="utf-8")
    typer.echo(f"{files.release.id}  {counted(files.release.records, 'record')}")


@data_app.command()
def releases():
    """Data sets that were exported, and the models trained on them."""
    from lanterne.programme import datasets
    from lanterne.programme.pay import day_of

    with _session() as session:
        for release, models in datasets.releases(session):
            records = counted(release.records, "record")
            typer.echo(f"{release.id}  {release.kind}  for {release.purpose}  {records}  {day_of(release.exported_at)}")
            for model in models:
                typer.echo(f"    {model.name}  {model.sha256}")


@data_app.command()
def register(
    weights: Annotated[Path, typer.Argument(help="The file of weights. What it says that it was trained on is written down.")],
    by: By,
    release: Annotated[list[str] | None, typer.Option(help="A data set that it was trained on, too.", show_default=False)] = None,
):
    """Write down that a model was trained on data sets, so that a withdrawal can name it."""
    from lanterne.models import checkpoint
    from lanterne.programme import datasets
    from lanterne.service.files import sha256_of

    said = [source["release"] for source in checkpoint.load(weights).metadata.get("sources", [])]
    if not (names := dict.fromkeys([*said, *(release or [])])):
        raise LanterneError(f"{weights} names no data set that it was trained on; name it with --release.")
    with _session() as session:
        for name in names:
            model = datasets.register(session, _operator(session, by), name, sha256_of(weights), weights.name)
            typer.echo(f"{model.release_id}  {model.sha256}")


@data_app.command()
def affected(person: Annotated[str, typer.Argument(help="The person's id.")]):
    """The data sets that hold something of somebody, and the models trained on them."""
    from lanterne.programme import people

    with _session() as session:
        people.known(session, person)
        _tell_affected(session, person, None)


def _tell_affected(session, person: str, purpose: str | None) -> None:
    from lanterne.programme import datasets

    found = datasets.affected(session, person, purpose)
    for one in found:
        typer.echo(f"{one.release.id}  {one.release.kind}  {counted(one.records, 'record')}")
        for model in one.models:
            typer.echo(f"    {model.name}  {model.sha256}")
    if not any(one.models for one in found):
        typer.echo("No model was trained on anything of theirs.")
