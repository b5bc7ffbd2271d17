"""Settings: from the environment, from a file, and refused with a sentence."""

import json
from pathlib import Path

import pytest

from lanterne.service.settings import Settings, SettingsError, unknown_variables


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


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "many", "port='many'"), ("PORT", "70000", "less than or equal to 65535"), ("MAX_SECONDS", "0", "greater than"),
        ("MODEL_NAMES", "foo", """model_names='foo' cannot be used: it must be a JSON object of texts, such as {"sora-2": "lanterne"}"""),
        ("MODEL_NAMES", "{", "JSON object"), ("MODEL_NAMES", '{"sora-2": 1}', "model_names.sora-2=1"), ("BUCKET", "x", "s3://my-bucket"),
        ("PUBLIC_URL", "videos.example.org", "begins with http"), ("DATABASE_URL", "foo", "database_url cannot be used"),
        ("DATABASE_URL", "mysql://me:hush@db/x", "postgresql+psycopg://"), ("DATABASE_URL", "sqlite://", "sqlite:////folder"),
        ("JOBS_DATABASE_URL", "postgresql+psycopg://me:hush@db:port/x", "jobs_database_url cannot be used"),
    ],
)
def test_a_wrong_setting_is_a_sentence(monkeypatch, name, value, said):
    monkeypatch.setenv(f"LANTERNE_{name}", value)
    with pytest.raises(SettingsError) as told:
        Settings.load()
    assert said in str(told.value) and "hush" not in str(told.value) and "^" not in str(told.value)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("prot = 9000", "There is no setting 'prot' (did you mean port?)"), ("smtp_pasword = 1234", "did you mean smtp_password?"),
        ("smtp_password = 1234", "The setting smtp_password cannot be used: it must be text, in quotes"), ("port 9", "settings.toml"),
    ],
)
def test_what_a_file_has_wrong_is_a_sentence_without_its_secrets(home, file, said):
    home.mkdir()
    (home / "settings.toml").write_text(file)
    with pytest.raises(SettingsError) as told:
        Settings.load()
    assert said in str(told.value) and "1234" not in str(told.value)


def test_variables_that_no_setting_reads_are_named(monkeypatch):
    monkeypatch.setenv("LANTERNE_KEEP_DAY", "3")
    monkeypatch.setenv("lanterne_port", "9000")
    assert [name for name in unknown_variables() if "KEEP" in name] == ["LANTERNE_KEEP_DAY (did you mean LANTERNE_KEEP_DAYS?)"]
    assert not any("port" in name or "HOME" in name for name in unknown_variables())


def test_links_that_lead_nowhere_are_warned_of(caplog):
    assert Settings(port=9000).base == "http://127.0.0.1:9000" and Settings(host="::1").base == "http://[::1]:8000"
    assert Settings(host="0.0.0.0", public_url="https://videos.example.org/").base == "https://videos.example.org"
    assert not caplog.records
    assert Settings(host="0.0.0.0").base and "LANTERNE_PUBLIC_URL" in caplog.text


def rows():
    """The table of docs/operations.md: each setting, what it is by default, and what it does."""
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, {}) else json.dumps(field.default) if isinstance(field.default, dict) else field.default
        yield f"| `{name}` | {default} | {field.description} |"


def test_the_operators_page_has_every_setting():
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    table = page.partition("## Settings")[2].partition("\n## ")[0]
    assert [line for line in table.splitlines() if line.startswith("| `")] == list(rows()), "\n".join(["the table is:", *rows()])
