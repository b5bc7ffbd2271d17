"""The service's log: lines on standard error, each with its time, level and origin; as text for people or JSON for programs.

Keys are never in it, and prompts only where a setting asks for them.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from lanterne.service.settings import Settings


def start(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(_AsJSON() if settings.log_format == "json" else plain)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("lanterne").setLevel(logging.INFO)


class _AsJSON(logging.Formatter):
    """A message that is an object already, such as the line about a request, gives its fields."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": at, "level": record.levelname.lower(), "origin": record.name}
        line |= record.fields if hasattr(record, "fields") else {"message": record.getMessage()}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)
