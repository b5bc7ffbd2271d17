"""Signed links: a video's file for whoever has the link, such as a player, a page or a jury, until a moment that is in it.

A link names the video, which of its files, the key that made it and its end, under an HMAC over all of these; nothing is kept of it. It
opens nothing that this key does not open now, so it dies with the key, its person or its cohort. No log has it: what counts is in the
query.
"""

import hmac
import json
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from lanterne.service.database import now
from lanterne.service.errors import APIError

LONGEST = 7 * 86400  # seconds


@dataclass(frozen=True)
class Link:
    """expires: UTC seconds."""

    video_id: str
    variant: str
    key_id: str
    expires: int

    def signature(self, secret: bytes) -> str:
        # Keys' hashes are under the same secret and begin with ltn_, so that no signature is the hash of a key.
        said = json.dumps(["link", self.video_id, self.variant, self.key_id, self.expires])
        return hmac.new(secret, said.encode(), "sha256").hexdigest()

    def address(self, secret: bytes) -> str:
        """Its path and query."""
        said = {"variant": self.variant, "key": self.key_id, "expires": self.expires, "signature": self.signature(secret)}
        return f"/media/{quote(self.video_id)}?{urlencode(said)}"

    def check(self, secret: bytes, signature: str) -> None:
        """Raises APIError 403 where nobody here signed it, or it has expired."""
        if not hmac.compare_digest(self.signature(secret), signature):
            raise broken(403)
        if self.expires <= now():
            raise APIError(403, "link_expired", "This link has expired; ask who gave it to you for another.")


def broken(status: int) -> APIError:
    """400: a part is missing or cut short. 403: nobody here signed it."""
    said = "This link was not made here, or a letter of it is wrong or missing; copy the whole link again."
    return APIError(status, "invalid_link", said)
