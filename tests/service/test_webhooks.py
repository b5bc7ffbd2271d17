"""Webhooks: signed as the official SDK checks, sent again until they arrive."""

import openai
import pytest
from serving import QUICK, SMALL, receiver, until

from lanterne.errors import LanterneError
from lanterne.service import webhooks
from lanterne.service.database import Database
from lanterne.service.settings import Settings


@pytest.fixture(name="receiver")
def fixture_receiver():
    with receiver() as kept:
        yield kept


def test_an_end_is_told_to_its_owner_and_the_sdk_believes_it(server, client, receiver, monkeypatch):
    url, received, _ = receiver
    secret = server.lanterne("webhooks", "add", url)
    server.lanterne("webhooks", "add", url, "--owner", "stranger")
    video = client.videos.create(prompt="a lake", seconds="1", size=SMALL, extra_body=QUICK)
    until(lambda: received)
    headers, body = received[0]
    event = openai.OpenAI(api_key="x", webhook_secret=secret).webhooks.unwrap(body, headers)
    assert (event.type, event.data.id, event.object) == ("video.completed", video.id, "event")
    assert headers["webhook-id"] == event.id
    with pytest.raises(openai.InvalidWebhookSignatureError):
        openai.OpenAI(api_key="x", webhook_secret=secret).webhooks.unwrap(body + b" ", headers)
    long = client.videos.create(prompt="a lake", seconds="60", size=SMALL, extra_body=QUICK)
    client.post(f"/videos/{long.id}/cancel", cast_to=object)
    until(lambda: len(received) == 2)
    assert b"video.failed" in received[1][1]


def test_what_does_not_arrive_is_sent_again_with_the_same_id(server, client, receiver):
    url, received, statuses = receiver
    statuses += [500, 302]
    server.lanterne("webhooks", "add", url)
    client.videos.create(prompt="a lake", seconds="1", size=SMALL, extra_body=QUICK)
    until(lambda: len(received) == 2)
    assert received[0][0]["webhook-id"] == received[1][0]["webhook-id"] and received[0][1] == received[1][1]


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    database.migrate()
    return database


def test_a_test_message_says_what_came_of_it(database, receiver):
    url, received, statuses = receiver
    settings = Settings(webhooks_to_private=True)
    webhook_id, _ = webhooks.add(database, settings, "me", url)
    statuses += [404]
    assert webhooks.test(database, settings, webhook_id) == "404"
    assert webhooks.test(database, settings, webhook_id) == "200" and len(received) == 2
    silent, _ = webhooks.add(database, settings, "me", "http://127.0.0.1:9/hook")  # discard's port: nobody listens
    assert webhooks.test(database, settings, silent).startswith("The connection was refused; check")
    webhooks.remove(database, webhook_id)
    with pytest.raises(LanterneError, match="no webhook"):
        webhooks.test(database, settings, webhook_id)


def test_attempts_go_on_for_72_hours_with_growing_pauses(database, receiver, monkeypatch):
    url, received, statuses = receiver
    settings = Settings(webhooks_to_private=True)
    webhook_id, _ = webhooks.add(database, settings, "me", url)
    statuses += [500] * 100
    with database.session() as session:
        delivery_id = webhooks._write(session, webhook_id, "video.completed", "video_x")
    clock, start, delays = [webhooks.now()], webhooks.now(), []
    monkeypatch.setattr(webhooks, "now", lambda: clock[0])
    while (delay := webhooks.attempt(database, settings, delivery_id, len(delays))) is not None:
        delays.append(delay)
        clock[0] += int(delay)
    assert delays == sorted(delays) and 60 * 3600 < clock[0] - start <= 72 * 3600
    assert webhooks.attempt(database, settings, delivery_id, len(delays)) is None and len(received) == len(delays) + 1


def test_private_addresses_are_refused(database):
    with pytest.raises(LanterneError, match="private network"):
        webhooks.add(database, Settings(), "me", "https://127.0.0.1/hook")
