"""The queue of jobs, as seen from outside the worker. DBOS keeps it: a workflow per video under the video's id, so that putting
the same video in twice is putting it in once."""

import sqlite3
from pathlib import Path

from dbos import DBOS, DBOSClient, EnqueueOptions
from sqlalchemy.engine import make_url

from lanterne.service.database import attentive

# The name under which jobs belong together, and the version of their steps: a job that began under one version goes on only under
# the same, so it changes when steps are added, removed or put in another order, and with nothing else.
APPLICATION, VERSION = "lanterne", "1"
VIDEOS, WEBHOOKS = "videos", "webhooks"
_OVER = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


def migrate(url: str) -> None:
    """Create the jobs' tables, or bring them up to date."""
    if make_url(url).get_backend_name() == "sqlite":
        path = Path(make_url(url).database)
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path, timeout=30) as connection:  # kept in the file: readers then never wait for the writer
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
    DBOS.migrate(url)


class Queue:
    def __init__(self, url: str):
        self._client = DBOSClient(system_database_url=attentive(url), application_name=APPLICATION, retry_connection_errors=False)

    def put(self, video_id: str, owner: str, number: int) -> None:
        """Owners take turns: each has a partition of its own, and a free worker draws among those that wait. number: an owner's
        videos are made in this order (DBOS's own times are whole seconds on SQLite, and its ids are drawn by chance)."""
        options = EnqueueOptions(
            workflow_name="make_video", queue_name=VIDEOS, workflow_id=video_id, app_version=VERSION, queue_partition_key=owner,
            priority=number,
        )
        self._client.enqueue(options, video_id)

    def take_out(self, video_id: str) -> None:
        """Forget a video that waits. One that runs is stopped by its own row, within a step, and its job then ends in order."""
        jobs = self._client.list_workflows(workflow_ids=[video_id], load_input=False, load_output=False)
        if jobs and jobs[0].status == "ENQUEUED":
            self._client.cancel_workflow(video_id)

    def deliver(self, delivery_id: str, attempt: int = 0, delay: float = 0) -> None:
        self._client.enqueue(delivery_options(delivery_id, attempt, delay), delivery_id, attempt)

    def lost(self, video_ids: list[str]) -> tuple[list[str], list[str]]:
        """Of videos that should be waiting or running: those the queue does not know, and those whose job is over."""
        if not video_ids:
            return [], []
        jobs = self._client.list_workflows(workflow_ids=video_ids, load_input=False, load_output=False)
        found = {job.workflow_id: job.status for job in jobs}
        return [name for name in video_ids if name not in found], [name for name in video_ids if found.get(name) in _OVER]

    def close(self) -> None:
        self._client.destroy()


def delivery_options(delivery_id: str, attempt: int, delay: float) -> EnqueueOptions:
    options = EnqueueOptions(
        workflow_name="deliver", queue_name=WEBHOOKS, workflow_id=f"{delivery_id}-{attempt}", app_version=VERSION
    )
    if delay:
        options["delay_seconds"] = delay
    return options
