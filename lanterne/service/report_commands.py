"""`lanterne report`: the transparency report, and whether one holds."""

from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError, counted, writing
from lanterne.service.pay_commands import _read, _seconds, _session

report_app = typer.Typer()
_DAY = 86400


@report_app.command()
def report(
    since: Annotated[str | None, typer.Option("--from", help="The first day. \\[default: that of the log]", show_default=False)] = None,
    until: Annotated[str | None, typer.Option("--to", help="The last day. \\[default: today]", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write it to.")] = Path("report"),
    check: Annotated[Path | None, typer.Option(help="Instead: count this report.json again.", show_default=False)] = None,
    log: Annotated[Path | None, typer.Option(help="With --check: by a log.jsonl, without the server.", show_default=False)] = None,
    key: Annotated[str | None, typer.Option(help="With --log: the log's public key.", show_default=False)] = None,
):
    """Write the transparency report: what anybody may know of the programme, counted from the audit log.

    Examples:

      lanterne report --from 2026-11-01 --to 2026-11-30 -o november

      lanterne report --check november/report.json
    """
    from lanterne.programme import report as reports

    if check is not None:
        _check(check, log, key)
        return
    if log or key:
        raise LanterneError("--log and --key are for checking a report; give it with --check report.json.")
    with _session() as session:
        made = reports.make(session, _seconds(since) if since else 0, _seconds(until) + _DAY if until else None)
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
        for name, content in (("report.html", made.html()), ("report.json", made.json()), ("log.jsonl", made.log())):
            (output / name).write_text(content, "utf-8")
    log = made.told["log"]
    typer.echo(f"{output / 'report.html'}, from {counted(log['size'], 'line')} of the log with the root {log['root']}")


def _check(path: Path, log: Path | None, key: str | None) -> None:
    from lanterne.programme import report as reports

    if (log is None) != (key is None):
        raise LanterneError("A log's lines are checked with its public key, and the key with lines; give both --log and --key.")
    if log is None:
        with _session() as session:
            told = reports.check(session, _read(path))
        typer.echo(f"The log of {counted(told['log']['size'], 'line')} gives this report, figure by figure.")
        return
    told = reports.check_lines(_read(path), _read(log), key)
    typer.echo(f"The log of {counted(told['log']['size'], 'line')} is the one that this report names, and has the steps that it says.")
