"""`lanterne verify`: who made a file with what and when, whether it was changed, what it came from, and whether it was released here."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError

verify_app = typer.Typer()
EXIT_CODES = {"trusted": 0, "unknown signer": 3, "changed": 4, "unsigned": 5}  # 2 is for what cannot be looked at


@verify_app.command(epilog="Ends with 0: signed and whole; 3: whole, signer unknown; 4: changed; 5: no signature; 2: not a video.")
def verify(
    file: Annotated[Path, typer.Argument(help="A video or a picture.")],
    trust: Annotated[
        Path | None, typer.Option(help="PEM file of other roots to trust, such as another installation's.", show_default=False)
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
):
    """Tell who made a file, with what and when, and whether it was changed since; look for this installation's watermark, and, where there
    is a server's database, whether it is public here."""
    from lanterne.programme.identity import existing
    from lanterne.programme.provenance import told
    from lanterne.programme.verify import examine

    own = existing()
    report = examine(file, (own.root if own else "") + (_pem(trust) if trust else ""), own.watermark_secret if own else None)
    standing = _standing(file, report.watermark and report.watermark.number)
    words = told(file, report, own is not None) + ([f"  {standing.words}"] if standing else [])
    found = asdict(report) | {"released": standing and asdict(standing), "words": words}
    typer.echo(json.dumps(found, indent=1) if json_ else "\n".join(words))
    raise typer.Exit(EXIT_CODES[report.state])


@dataclass(frozen=True)
class Standing:
    """What a file has to do with what is public here. how: released, approved, copy, taken down (see release.found), or no."""

    how: str
    request: str | None
    words: str


def _standing(file: Path, watermark: int | None) -> Standing | None:
    """None where there is no server's database, or it does not answer, or nothing is installed that could ask it."""
    from lanterne.paths import home

    try:
        from lanterne.service.settings import Settings
    except ModuleNotFoundError:  # without the extra `serve`
        return None
    settings = Settings.load()
    if settings.database_url is None and not (home() / "service.db").exists():
        return None
    from sqlalchemy.exc import SQLAlchemyError

    from lanterne.programme import release
    from lanterne.programme.pay import day_of
    from lanterne.service.database import Database
    from lanterne.service.files import sha256_of

    try:
        with Database(settings.database).session() as session:
            found = release.found(session, sha256_of(file), watermark)
    except SQLAlchemyError:
        return None
    if found is None:
        return Standing("no", None, "It is not public here, and never was.")
    how, released = found
    name = f"{released.request_id}, released on {day_of(released.released_at)}"
    said = {
        "released": f"It is public here: {name}.",
        "approved": f"A copy of exactly this file, with its approval signed into it, is public here: {name}.",
        "copy": f"By its watermark, it is a copy of what is public here ({name}), and not that file itself.",
        "taken down": f"It was public here ({name}), and was taken down.",
    }
    return Standing(how, released.request_id, said[how])


def _pem(path: Path) -> str:
    if not path.exists():
        raise LanterneError(f"There is no file {path} with roots to trust; check the path.")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        text = ""
    if "BEGIN CERTIFICATE" not in text:
        raise LanterneError(f"{path} holds no certificate; give a PEM file with the roots to trust.")
    return text
