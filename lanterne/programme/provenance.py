"""What was found of where a file comes from, in words: who made it with what and when, whether it was changed, what it came from."""

from pathlib import Path


def told(file: Path, report, looked: bool) -> list[str]:
    """The report as lines for a person. looked: whether there was a watermark to look for."""
    lines = [f"{file}: {_STATES[report.state]}"]
    lines += [f"  What does not hold: {problem}." for problem in report.problems]
    if report.lineage:
        lines += [f"  {line}" for line in _made(report.lineage[0])]
    for depth, parent in enumerate(report.lineage[1:]):
        lines.append(f"  {'Its parent' if depth else 'Parent'}: {_origin(parent)}.")
    lines += [f"  Made from a given file: {_origin(given)}." for given in report.inputs]
    if report.settings and report.state in ("trusted", "unknown signer") and isinstance(request := report.settings.get("request"), dict):
        lines.append(f"  Prompt: {request.get('prompt')!r}, seed {request.get('seed')!r}.")
    return [*lines, f"  Watermark: {_watermark(report, looked)}."]


def _watermark(report, looked: bool) -> str:
    found = report.watermark
    if not looked:
        return "not looked for, since this installation has made nothing yet, and others' can be read by them alone"
    if report.unreadable:
        return f"could not be looked for; {report.unreadable.rstrip('.')}"
    if found is None:
        return "none of this installation's found"
    lines = f"found, number {found.number:010x}, so this installation made it ({found.odds})"
    if min(found.share) < 0.99:
        lines += f"; {found.share[0]:.0%} of the width and {found.share[1]:.0%} of the height are left"
    said = report.lineage[0].watermark if report.lineage else None
    if said is not None and report.state != "changed":
        lines += "; it is the one that the signed statement names" if said == found.number else "; the signed statement names another"
    return lines


_STATES = {
    "trusted": "signed by an installation that is trusted here, and not changed since. (That is this installation's own word, or that of "
               "one you named; it is not the C2PA trust list's.)",
    "unknown signer": "signed, and not changed since; but nobody vouches for the signer here.",
    "changed": "CHANGED after it was signed, or its signature is damaged. What follows is what it claims.",
    "unsigned": "it carries no signed statement. That does not say that no machine made it.",
}
_HOW = {"created": "made from a text", "edited": "remade from the parent below", "extended": "continued from the parent below"}


def _made(made) -> list[str]:
    machine = {"trainedAlgorithmicMedia": "By a machine-learning model", "compositeWithTrainedAlgorithmicMedia": "In part by a model"}
    by = machine.get((made.source_type or "").rpartition("/")[2])
    how = ", ".join(filter(None, [by, _HOW.get(made.kind), made.when and f"on {made.when}", made.generator and f"with {made.generator}"]))
    lines = [f"{how[:1].upper()}{how[1:]}."] if how else []
    if made.model:
        lines.append(f"Model: {made.model}, weights {(made.weights or 'unknown')[:16]}….")
    lines.append(f"Signed by: {made.signer or 'nobody named'}" + (f"; its maker goes by {made.author}." if made.author else "."))
    if made.time_stamp:
        lines.append(f"Time-stamped: {made.time_stamp}.")
    if made.training_allowed is not None:
        lines.append(f"Training other models on it: {'allowed' if made.training_allowed else 'not allowed'} by its maker.")
    if made.approval:
        lines.append("Approved for release: " + ", ".join(f"{name} {value!r}" for name, value in sorted(made.approval.items())) + ".")
    return lines


def _origin(made) -> str:
    what = ", ".join(filter(None, [made.kind, made.when and f"on {made.when}", made.generator and f"with {made.generator}", made.model]))
    changed = ", CHANGED after it was signed" if made.changed else ""
    return (what or "a file that carries no signed statement") + changed + (f", SHA-256 {made.sha256[:16]}…" if made.sha256 else "")
