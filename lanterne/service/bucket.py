"""The store in a bucket, for servers and workers on several machines: the functions of files.Store over S3.

What is read or written here passes through a folder of bounded size on this machine's own disk, so that everybody else goes on reading
files. Objects are named by the SHA-256 of what they are, and a download that is something else is not handed on.
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lanterne.errors import LanterneError
from lanterne.service.files import STALE, Store, StoreError, sha256_of

_IN_USE = 60  # seconds since its last use in which a file of the cache is not removed: somebody may be about to open it
_UNUSED = 86400  # seconds after which it leaves in any case: what was deleted elsewhere should not stay here
_TRIM_AFTER = 60  # seconds between looks through the cache, which may hold tens of thousands of chunks
_MOST = 1000  # objects that one request may name
_NAME = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger("lanterne.store")


class Bucket:
    """address: s3://name or s3://name/prefix. endpoint: of a server other than Amazon's. Credentials and region are where boto3 looks
    for them. folder: the cache, of at most cache_bytes beside what came or was used within a minute or two."""

    def __init__(self, address: str, endpoint: str | None, folder: Path, cache_bytes: int):
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._address, self._cache, self._cache_bytes = address, Store(folder), cache_bytes
        self._next_trim = 0.0
        # Names of buckets as parts of the path where the server is one's own: it seldom has a host name for each.
        style = {"addressing_style": "path"} if endpoint else {}
        config = Config(
            connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}, max_pool_connections=32, s3=style
        )
        self._client = boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)

    def check(self) -> None:
        """Raises LanterneError, with the reason, where the bucket cannot be used."""
        try:
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        except (BotoCoreError, ClientError) as error:
            raise LanterneError(
                f"The bucket {self._address} cannot be used: {error}; check its name, bucket_endpoint and the credentials."
            ) from error

    def receive(self, source: BinaryIO) -> Path:
        return self._cache.receive(source)

    def send_ahead(self, path: Path) -> None:
        """Upload a file that is going to be `put`, before the transaction in which that is done. Raises StoreError."""
        self._upload(path, sha256_of(path))

    def put(self, path: Path, name: str) -> None:
        """Upload a whole file, unless it is there, and keep it at hand. Raises StoreError, WriteError."""
        if not self._there(name):
            self._upload(path, name)
        self._cache.put(path, name)
        self._trim()

    def local(self, name: str) -> Path:
        """A path to read the bytes from, soon. Raises StoreError; FileNotFoundError where the bucket does not have them."""
        try:
            os.utime(self._cache.local(name))
        except FileNotFoundError:
            self._download(name)
            self._trim()
        return self._cache.local(name)

    def remove(self, names: Iterable[str]) -> None:
        names = list(names)
        for some in (names[start : start + _MOST] for start in range(0, len(names), _MOST)):
            with self._asking():
                objects = [{"Key": self._prefix + name} for name in some]
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
                if answer.get("Errors"):
                    raise _refused(answer["Errors"][0])
            self._cache.remove(some)

    def names(self) -> list[str]:
        """What is in the bucket under this prefix and was not put there just now."""
        found = []
        with self._asking():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
                for item in page.get("Contents", []):
                    name = item["Key"].removeprefix(self._prefix)
                    if _NAME.fullmatch(name) and item["LastModified"].timestamp() < time.time() - STALE:
                        found.append(name)
        return found

    def sweep(self) -> None:
        """Remove what a crash left half received, and what is in the cache for nobody."""
        self._cache.sweep()
        self._trim()

    def free(self) -> int:
        """Bytes left on this machine's disk."""
        return self._cache.free()

    def _there(self, name: str) -> bool:
        with self._asking():
            try:
                self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                raise
        return True

    def _upload(self, path: Path, name: str) -> None:
        # In one request: S3 takes it whole, by its length and checksum, or not at all.
        with self._asking(), path.open("rb") as file:
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=file)

    def _download(self, name: str) -> None:
        with self._asking():
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            except self._client.exceptions.NoSuchKey:
                raise FileNotFoundError(f"{self._address} does not have {name}") from None
            path = self._cache.receive(_Checked(body, name))
        self._cache.put(path, name)

    def _trim(self) -> None:
        """Bring the cache back to its size, what was not used for longest going first."""
        if time.monotonic() < self._next_trim:
            return
        self._next_trim = time.monotonic() + _TRIM_AFTER
        found = []
        for path in self._cache.folder.glob("??/*"):
            with suppress(FileNotFoundError):  # another process trims, too
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        over = sum(size for _, size, _ in found) - self._cache_bytes
        for used, size, path in sorted(found):
            if used > time.time() - _IN_USE or (over <= 0 and used > time.time() - _UNUSED):
                break
            path.unlink(missing_ok=True)
            over -= size

    @contextmanager
    def _asking(self):
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            _log.error("the bucket %s failed: %s", self._address, error)
            raise StoreError("The store of files does not answer; try again later.") from error


class _Checked:
    """A stream that must turn out to be what it is called."""

    def __init__(self, body: BinaryIO, name: str):
        self._body, self._name, self._hash = body, name, hashlib.sha256()

    def read(self, size: int) -> bytes:
        piece = self._body.read(size)
        self._hash.update(piece)
        if not piece and self._hash.hexdigest() != self._name:
            raise StoreError("The store of files gave something else than was asked for; try again later.")
        return piece


def _refused(error: dict) -> ClientError:
    return ClientError({"Error": error}, "DeleteObjects")
