"""Every setting of the service, typed, in one place.

From the environment (LANTERNE_PORT=9000) or from settings.toml in the home folder (port = 9000); the environment wins.
"""

import ipaddress
import json
import logging
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from lanterne.errors import LanterneError
from lanterne.paths import home
from lanterne.programme.mail import Post

_ADDRESS = "it must be an address that begins with http:// or https://, such as "
_DATABASE = "it must be like postgresql+psycopg://user:password@host/name, or sqlite:////folder/service.db"
_RULES = {  # in words, where pydantic's name neither the rule nor the remedy
    "database_url": _DATABASE, "jobs_database_url": _DATABASE,
    "bucket": "it must be s3:// with a bucket's name in small letters and perhaps a prefix, such as s3://my-bucket/lanterne",
    "bucket_endpoint": f"{_ADDRESS}https://s3.example.org",
    "worker": "it must be 1 to 64 letters, digits, dots, dashes and underscores, such as worker-1",
    "model_names": 'it must be a JSON object of texts, such as {"sora-2": "lanterne"}, or a table in settings.toml',
    "public_url": f"{_ADDRESS}https://videos.example.org, without ? and #",
    "mail_from": "it must be a mail address, such as lanterne@example.org",
    "secret_scanning_keys": 'it must be a JSON object of texts, such as {"id": "-----BEGIN PUBLIC KEY-----…"}, or a table in settings.toml',
    "timestamp_url": f"{_ADDRESS}http://timestamp.example.org",
}
_NO_SETTINGS = {"LANTERNE_HOME"}  # what else the program reads from the environment
_log = logging.getLogger("lanterne.settings")


class SettingsError(LanterneError):
    """A setting that cannot be used, in one sentence."""


class Settings(BaseSettings):
    # Decoded here and not by pydantic_settings, whose error tells no value.
    model_config = SettingsConfigDict(env_prefix="LANTERNE_", extra="forbid", enable_decoding=False)

    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 opens the server to the network.")
    port: int = Field(8000, ge=0, le=65535, description="The port; 0 takes a free one.")
    database_url: SecretStr | None = Field(None, description="postgresql+psycopg://…; by default SQLite files in the home folder.")
    jobs_database_url: SecretStr | None = Field(None, description="Where jobs are kept, if not beside the rest.")
    bucket: str | None = Field(
        None, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()/-]{0,200})?$",
        description="s3://name/prefix, where files are kept instead of the home folder; the prefix must be this deployment's alone.",
    )
    bucket_endpoint: str | None = Field(None, pattern=r"^https?://", description="Another S3 server than Amazon's.")
    bucket_cache_bytes: int = Field(2 * 2**30, ge=0, description="Of the bucket's files, so many are also kept on this machine.")
    worker: str = Field("worker-0", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="This worker's slot: a name that stays its own.")
    lease_seconds: int = Field(30, ge=3, description="A worker silent for so long is taken for dead, and its jobs go to another.")

    weights: Path | None = Field(None, description="A weights file instead of the embedded model.")
    model: str = Field("lanterne", description="The name under which the model is served.")
    model_names: dict[str, str] = Field(
        {"sora-2": "lanterne", "sora-2-pro": "lanterne"},
        description="A JSON object: names that programs send, and the model that answers to each.",
    )
    max_seconds: int = Field(60, ge=1, le=600, description="The longest video; an extension counts with what it extends.")

    max_upload_bytes: int = Field(256 * 2**20, ge=2**20, description="The largest body of a request.")
    queued_per_owner: int = Field(20, ge=1, description="Videos that an owner may have waiting and running at once.")
    running_per_owner: int = Field(1, ge=1, description="Of these, how many run at once where there are workers enough.")
    keep_days: int | None = Field(None, ge=1, description="Files of finished videos leave after so many days; by default never.")
    disk_budget_bytes: int | None = Field(
        None, ge=2**20, description="Files of finished videos may take so much; the oldest leave first. By default no limit but the disk's."
    )
    reserve_bytes: int = Field(2**30, ge=0, description="New videos are refused when the disk has less than this left.")
    grace_seconds: int = Field(30, ge=1, description="What is being downloaded or uploaded when the server ends may take so long.")
    log_format: Literal["text", "json"] = Field("text", description="json: every line an object, for programs that collect logs.")
    log_prompts: bool = Field(False, description="Write prompts into the log. They are what people thought and meant: leave it off.")
    public_url: str | None = Field(
        None, pattern=r"^https?://[^\s?#]+$", description="Where people reach this server; links in mails begin with it."
    )
    mail_from: str = Field("lanterne@localhost", pattern=r"^[^@\s<>]+@[^@\s<>]+$", description="The sender of mails.")
    smtp_host: str | None = Field(None, description="The server that sends mails; by default they are files in the home folder's outbox.")
    smtp_port: int = Field(587, ge=1, le=65535, description="587 with STARTTLS, or 465.")
    smtp_user: str | None = Field(None, description="How to sign in there, if one must.")
    smtp_password: SecretStr | None = Field(None, description="And with what.")
    secret_scanning_keys: dict[str, str] = Field(
        {}, description='A JSON object, {"id": "PEM"}: keys of scanners that report published keys; by default anybody may who shows a key.'
    )
    payer_name: str | None = Field(None, description="Who pays artists, as it stands on their bank's statements.")
    payer_iban: str | None = Field(None, description="The account that artists are paid from.")
    payer_bic: str | None = Field(None, description="Its bank's BIC, where the IBAN does not tell it.")
    visible_mark: bool = Field(False, description='Show "made with AI" in a corner of every video. All are signed and watermarked anyway.')
    timestamp_url: str | None = Field(
        None, pattern=r"^https?://", description="An RFC 3161 authority that says when a file was signed. While it fails, nobody does."
    )
    webhooks_to_private: bool = Field(False, description="Let webhooks and image addresses reach private networks.")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls, init_settings: PydanticBaseSettingsSource, env_settings, dotenv_settings, file_secret_settings
    ):
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, home() / "settings.toml")

    @field_validator("model_names", "secret_scanning_keys", mode="before")
    @classmethod
    def _decoded(cls, given):
        return json.loads(given) if isinstance(given, str) else given

    @field_validator("database_url", "jobs_database_url")
    @classmethod
    def _supported(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            # Not above: a fifth of a second that who sets none need not wait.
            from sqlalchemy.engine import make_url
            from sqlalchemy.exc import ArgumentError

            try:
                found = make_url(url.get_secret_value())
            except ArgumentError:
                raise ValueError(_DATABASE) from None
            if found.drivername != "postgresql+psycopg" and not (found.drivername == "sqlite" and found.database):
                raise ValueError(_DATABASE)
        return url

    @classmethod
    def load(cls, **given) -> "Settings":
        """given: what the command line says, None for nothing. Raises SettingsError."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from None
        except (ValueError, OSError) as error:  # TOML that cannot be read
            reason = getattr(error, "strerror", None) or error
            raise SettingsError(f"The settings in {home() / 'settings.toml'} cannot be read: {reason}; see docs/operations.md.") from None

    @property
    def base(self) -> str:
        """Where people reach this server, as far as it knows; links that are sent begin with it. Logs a warning where it leads nowhere."""
        if self.unreachable:
            _log.warning(self.unreachable)
        return (self.public_url or self._own_address).rstrip("/")

    @property
    def _own_address(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def unreachable(self) -> str | None:
        """Why links in mails lead nowhere, and what to do, in one sentence."""
        if self.public_url or _is_loopback(self.host):
            return None
        return f"Links in mails begin with {self._own_address}, which leads nowhere; set LANTERNE_PUBLIC_URL to where people reach it."

    @property
    def post(self) -> Post:
        password = self.smtp_password.get_secret_value() if self.smtp_password else None
        return Post(home() / "outbox", self.mail_from, self.smtp_host, self.smtp_port, self.smtp_user, password)

    @property
    def database(self) -> str:
        return self.database_url.get_secret_value() if self.database_url else f"sqlite:///{home() / 'service.db'}"

    @property
    def jobs_database(self) -> str:
        if self.jobs_database_url:
            return self.jobs_database_url.get_secret_value()
        return self.database if self.database_url else f"sqlite:///{home() / 'jobs.db'}"


def unknown_variables() -> list[str]:
    """LANTERNE_… in the environment that are no setting, each with the nearest that is."""
    known = {f"LANTERNE_{name.upper()}" for name in Settings.model_fields} | _NO_SETTINGS
    found = sorted(name for name in os.environ if name.upper().startswith("LANTERNE_") and name.upper() not in known)
    return [name + _nearest(name.upper(), known) for name in found]


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    setting, name = str(first["loc"][0]), ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":  # without its value: it may be a secret whose name is misspelt
        return f"There is no setting {name!r}{_nearest(setting.lower(), Settings.model_fields)}; see docs/operations.md."
    given = "" if SecretStr in get_args(Settings.model_fields[setting].annotation) else f"={first['input']!r}"
    rule = _RULES.get(setting) or ("it must be text, in quotes" if first["type"] == "string_type" else first["msg"])
    return f"The setting {name}{given} cannot be used: {rule}; see docs/operations.md."


def _nearest(name: str, known) -> str:
    near = get_close_matches(name, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
