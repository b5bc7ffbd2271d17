"""Settings: from the environment, from a file, and refused with a sentence."""

from pathlib import Path

import pytest

from lanterne.service.settings import Settings, SettingsError


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(home, monkeypatch):
    home.mkdir()
    (home / "settings.toml").write_text('port = 1\nhost = "::1"\nmax_seconds = 9\n[model_names]\nmine = "lanterne"\n')
    monkeypatch.setenv("LANTERNE_PORT", "2")
    monkeypatch.setenv("LANTERNE_HOST", "0.0.0.0")
    settings = Settings.load(port=3, host=None)
    assert (settings.port, settings.host, settings.max_seconds, settings.model_names) == (3, "0.0.0.0", 9, {"mine": "lanterne"})
    assert settings.database == f"sqlite:///{home / 'service.db'}" and settings.jobs_database == f"sqlite:///{home / 'jobs.db'}"


def test_one_setting_moves_everything_to_postgres_and_never_shows_its_password(monkeypatch):
    monkeypatch.setenv("LANTERNE_DATABASE_URL", "postgresql+psycopg://me:hush@db/lanterne")
    settings = Settings.load()
    assert settings.database == settings.jobs_database == "postgresql+psycopg://me:hush@db/lanterne"
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("PORT", "many"), ("PORT", "70000"), ("MODEL_NAMES", "{"), ("MAX_SECONDS", "0")])
def test_a_wrong_setting_is_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(f"LANTERNE_{name}", value)
    with pytest.raises(SettingsError, match=name.lower()):
        Settings.load()


def rows():
    """The table of docs/operations.md: each setting, what it is by default, and what it does."""
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else ", ".join(field.default) if isinstance(field.default, dict) else str(field.default)
        yield f"| `{name}` | {default} | {field.description} |"


def test_the_operators_page_has_every_setting():
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    table = page.partition("## Settings")[2].partition("\n## ")[0]
    assert [line for line in table.splitlines() if line.startswith("| `")] == list(rows()), "\n".join(["the table is:", *rows()])
