"""Mail: through an SMTP server where one is set, else into files of the outbox, for somebody to pass on."""

import secrets
import smtplib
import ssl
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import formatdate, make_msgid
from pathlib import Path

from lanterne.errors import LanterneError, writing
from lanterne.paths import create_private

_PATIENCE = 20  # seconds


class MailError(LanterneError):
    """A mail that did not leave, and lies in the outbox, or that should lie there no more, in one sentence."""


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    text: str


@dataclass(frozen=True)
class Post:
    """Where mail leaves. host: of an SMTP server that speaks STARTTLS, or TLS on port 465; None: files in `outbox` alone."""

    outbox: Path
    sender: str = "lanterne@localhost"
    host: str | None = None
    port: int = 587
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def send(self, mail: Mail) -> None:
        """Raises MailError where the server did not take it, WriteError where not even the outbox did."""
        message = EmailMessage()
        subject = "".join(sign if sign.isprintable() else " " for sign in mail.subject)  # a name in it may hold the end of a line
        message["From"], message["To"], message["Subject"] = self.sender, mail.to, subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self.sender.rpartition("@")[2])
        message.set_content(mail.text)
        if self.host is None:
            self._keep(message)
            return
        try:
            with self._server() as server:
                if self.user:
                    server.login(self.user, self.password or "")
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            path = self._keep(message)
            raise MailError(f"The mail to {mail.to} did not leave through {self.host} ({error}); it lies in {path}.") from None

    def forget(self, address: str) -> None:
        """Remove what lies in the outbox for somebody. Raises MailError for what must then be removed by hand."""
        for path in sorted(self.outbox.glob("*.eml")):
            try:
                with open(path, "rb") as file:
                    to = BytesHeaderParser(policy=policy.default).parse(file)["To"]
                if str(to).strip().lower() == address:
                    path.unlink()
            except FileNotFoundError:
                pass  # somebody passed it on meanwhile
            except OSError as error:
                reason = error.strerror or error
                raise MailError(f"{path} could not be looked at or removed ({reason}); remove it by hand if it is to {address}.") from None

    def _server(self) -> smtplib.SMTP:
        if self.port == 465:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=_PATIENCE, context=ssl.create_default_context())
        server = smtplib.SMTP(self.host, self.port, timeout=_PATIENCE)
        # A password never goes over a line that anybody can read; mail without one may, to a server on this machine.
        if self.user or self.host not in ("localhost", "127.0.0.1", "::1"):
            server.starttls(context=ssl.create_default_context())
        return server

    def _keep(self, message: EmailMessage) -> Path:
        path = self.outbox / f"{secrets.token_hex(8)}.eml"
        with writing(path):
            self.outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
            with create_private(path) as file:
                file.write(message.as_bytes())
        return path
