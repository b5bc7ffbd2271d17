"""Who may do what: every route, asked by everybody, allowed to nobody but those it is for."""

import pytest

ROUTES = [
    ("POST", "/v1/videos", "write"), ("GET", "/v1/videos", "read"), ("POST", "/v1/videos/edits", "write"),
    ("POST", "/v1/videos/extensions", "write"), ("POST", "/v1/videos/characters", "write"), ("GET", "/v1/videos/characters/{c}", "read"),
    ("GET", "/v1/videos/{id}", "read"), ("DELETE", "/v1/videos/{id}", "write"), ("GET", "/v1/videos/{id}/content", "read"),
    ("HEAD", "/v1/videos/{id}/content", "read"), ("GET", "/v1/videos/{id}/content?variant=thumbnail", "read"),
    ("POST", "/v1/videos/{id}/remix", "write"), ("POST", "/v1/videos/{id}/cancel", "write"), ("GET", "/v1/videos/{id}/events", "read"),
    ("GET", "/v1/videos/{id}/stream.m3u8", "read"), ("GET", "/v1/videos/{id}/stream/0.ts", "read"),
    ("GET", "/v1/models", "read"), ("GET", "/metrics", "metrics"),
]


@pytest.fixture(scope="session")
def readers_key(server):
    return server.lanterne("keys", "create", "--name", "tests", "--scope", "videos:read")


@pytest.fixture(scope="session")
def writers_key(server):
    return server.lanterne("keys", "create", "--name", "tests", "--scope", "videos:write")


@pytest.fixture(scope="session")
def metrics_key(server):
    return server.lanterne("keys", "create", "--name", "tests", "--scope", "metrics")


def test_the_matrix_names_every_route(http):
    document = http.get("/openapi.json").json()
    paths = {path.partition("?")[0].replace("{c}", "{id}").replace("/0.ts", "/{number}.ts") for _, path, _ in ROUTES} | {"/healthz"}
    assert set(document["paths"]) == paths


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_only_those_who_may_can(server, finished, readers_key, writers_key, metrics_key, stranger, method, path, scope):
    path = path.format(id=finished.id, c="char_none")
    holders = {"read": readers_key, "write": writers_key, "metrics": metrics_key}
    for name, key in {"nobody": None, "junk": "ltn_junk", **holders}.items():
        with server.http(key) as http:
            answer = http.request(method, path) if name != scope else None
            if answer is not None:
                assert answer.status_code == (401 if name in ("nobody", "junk") else 403), (name, answer.text)
    if "{" in path or finished.id in path:
        with server.http(stranger) as http:
            answer = http.request(method, path, json={"prompt": "mine"} if path.endswith("remix") else None)
            assert answer.status_code == 404, answer.text


def test_a_strangers_ids_are_of_no_use_in_bodies_and_pages(server, finished, stranger):
    with server.http(stranger) as http:
        for path in ("/v1/videos/edits", "/v1/videos/extensions"):
            assert http.post(path, json={"prompt": "a", "video": {"id": finished.id}}).status_code == 404
        assert http.get(f"/v1/videos?after={finished.id}").status_code == 404


def test_a_revoked_key_is_out_at_once(server):
    key = server.lanterne("keys", "create", "--name", "short")
    with server.http(key) as http:
        assert http.get("/v1/models").status_code == 200
        key_id = server.lanterne("keys", "list").splitlines()[-1].split()[0]
        server.lanterne("keys", "revoke", key_id)
        assert http.get("/v1/models").status_code == 401


def test_metrics_count(server, metrics_key, finished):
    with server.http(metrics_key) as http:
        text = http.get("/metrics").text
    assert 'lanterne_videos{status="completed"}' in text and "lanterne_workers 1.0" in text


def test_the_log_has_no_prompt_and_no_key(server, key, finished):
    log = server.log.read_text()
    assert finished.id in log and "a lake at dawn" not in log and key not in log
