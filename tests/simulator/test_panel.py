import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from archiver.simulator import tokens
from archiver.simulator.clock import SECOND


def error(body: Any) -> tuple[str, str]:
    return (body["errors"][0]["code"], body["errors"][0]["status"])


def test_the_list_is_paged_with_at_most_100_on_a_page(build, ask):
    world = build(servers=230, booted=False, request_limit=1000)
    found = []
    for page, count in ((1, 100), (2, 100), (3, 30)):
        status, _, body = ask(world, f"/api/client?per_page=500&page={page}")
        pagination = body["meta"]["pagination"]
        assert status == 200
        assert (pagination["total"], pagination["count"]) == (230, count)
        assert (pagination["current_page"], pagination["total_pages"]) == (page, 3)
        assert ("next" in pagination["links"]) == (page < 3)
        found += [server["attributes"]["uuid"] for server in body["data"]]
    assert found == [server.uuid for server in world.servers]
    assert ask(world, "/api/client?per_page=x")[2]["meta"]["pagination"]["per_page"] == 50
    assert ask(world, "/api/client?page=99")[2]["data"] == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Survival", "Rust Main", "Creative"]),
        ("?type=owner", ["Survival", "Rust Main", "Creative"]),
        ("?type=admin-all", []),
        ("?filter[name]=sur", ["Survival"]),
        ("?filter[*]=rust", ["Rust Main"]),
    ],
)
def test_the_list_takes_types_and_filters(build, ask, query, names):
    world = build(games=("paper", "rust"), servers=3)
    body = ask(world, f"/api/client{query}")[2]
    assert [server["attributes"]["name"] for server in body["data"]] == names


def test_a_server_is_found_by_uuid_and_by_identifier(world, ask):
    server = world.server("Silent")
    for name in (server.uuid, server.identifier):
        status, _, body = ask(world, f"/api/client/servers/{name}")
        assert status == 200
        assert body["attributes"]["uuid"] == server.uuid
        assert body["attributes"]["identifier"] == server.uuid[:8]
        assert body["meta"]["user_permissions"] == ["*"]


def test_a_token_has_the_claims_and_the_url_of_the_socket(world, ask):
    server = world.server("Silent")
    status, _, body = ask(world, f"/api/client/servers/{server.identifier}/websocket")
    claims = tokens.read(body["data"]["token"], server.node.key)
    now = world.now // SECOND
    assert status == 200
    assert claims is not None
    assert body["data"]["socket"] == f"ws://127.0.0.1:8000/api/servers/{server.uuid}/ws"
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (now, now - 300, now + 600)
    assert claims["server_uuid"] == server.uuid
    assert claims["permissions"] == ["*"]
    assert claims["scope"] == "websocket"
    assert claims["iss"] == world.panel.url


@pytest.mark.parametrize("settings", [{"generation": "1.11"}, {"token_scope": False}])
def test_older_panels_leave_the_scope_out(build, fetch_token, settings):
    world = build(**settings)
    token = fetch_token(world, world.server("Silent").identifier)
    claims = tokens.read(token, world.server("Silent").node.key)
    assert claims is not None
    assert "scope" not in claims


def test_a_token_may_be_used_for_many_sockets(world, see, fetch_token):
    token = fetch_token(world, world.server("Silent").identifier)
    for _ in range(5):
        assert "auth success" in see(world, "Silent").authenticate(token).events()


def test_the_node_may_be_down_and_a_token_is_given_all_the_same(world, ask):
    path = f"/api/client/servers/{world.server('Silent').uuid}"
    world.restart_daemon(seconds=5)
    assert ask(world, f"{path}/websocket")[0] == 200
    assert ask(world, f"{path}/resources")[0] == 504


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"authorization": "Bearer ptlc_wrong"}, 401, "AuthenticationException"),
        ({"authorization": ""}, 401, "AuthenticationException"),
        ({"authorization": "Bearer ptla_x"}, 403, "AccessDeniedHttpException"),
    ],
)
def test_a_wrong_key_is_refused(world, ask, headers, status, code):
    got, _, body = ask(world, "/api/client", **headers)
    assert got == status
    assert error(body) == (code, str(status))


def test_without_accept_json_a_stranger_is_sent_to_a_login_page(world):
    answer = world.respond("GET", "/api/client", {})
    assert (answer.status, answer.headers["Location"]) == (302, "/auth/login")
    page = world.respond("GET", answer.headers["Location"], {})
    assert page.status == 200
    assert page.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("path", ["/servers/nothere", "/servers/nothere/websocket", "/elsewhere"])
def test_what_is_not_there_is_a_404(world, ask, path):
    status, _, body = ask(world, f"/api/client{path}")
    assert (status, error(body)) == (404, ("NotFoundHttpException", "404"))


def test_another_method_is_a_405(world):
    headers = {"authorization": f"Bearer {world.api_key}"}
    assert world.respond("POST", "/api/client", headers).status == 405


def test_a_server_in_a_conflict_state_shows_itself_but_gives_no_token(build, ask):
    for condition, detail in (("suspended", "suspended"), ("installing", "installation process")):
        world = build(generation="1.11")
        server = world.server("Silent")
        setattr(server, condition, True)
        path = f"/api/client/servers/{server.uuid}"
        assert ask(world, path)[2]["attributes"]["status"] == condition
        assert ask(world, path)[2]["attributes"][f"is_{condition}"]
        for what in ("websocket", "resources"):
            status, _, body = ask(world, f"{path}/{what}")
            assert (status, error(body)) == (409, ("ServerStateConflictException", "409"))
            assert detail in body["errors"][0]["detail"]


def test_pelican_gives_tokens_of_suspended_servers(build, ask):
    world = build(generation="pelican")
    world.suspend("Silent")
    assert ask(world, f"/api/client/servers/{world.server('Silent').uuid}/websocket")[0] == 200


def test_without_the_permission_there_is_no_token(world, ask):
    world.permit("Silent", "control.console")
    path = f"/api/client/servers/{world.server('Silent').uuid}"
    assert ask(world, path)[2]["meta"]["user_permissions"] == ["control.console"]
    status, _, body = ask(world, f"{path}/websocket")
    assert status == 403
    assert "permission to connect" in body["errors"][0]["detail"]


def test_a_deleted_server_is_gone(build, ask):
    world = build(servers=2)
    gone = world.servers[0]
    world.delete(gone.identifier)
    assert [s["attributes"]["uuid"] for s in ask(world, "/api/client")[2]["data"]] == [
        world.servers[1].uuid
    ]
    assert ask(world, f"/api/client/servers/{gone.uuid}")[0] == 404


@pytest.mark.parametrize("generation", ["1.12", "pelican"])
def test_five_tokens_a_minute_for_each_server(build, ask, generation):
    world = build(generation=generation, servers=2, token_limit=5)
    first, second = (f"/api/client/servers/{s.uuid}/websocket" for s in world.servers)
    rest = [ask(world, first)[1]["X-RateLimit-Remaining"] for _ in range(5)]
    assert rest == ["4", "3", "2", "1", "0"]
    world.pass_time(20)
    status, headers, body = ask(world, first)
    assert (status, error(body)) == (429, ("ThrottleRequestsException", "429"))
    assert headers["Retry-After"] == "40"
    assert headers["X-RateLimit-Reset"] == str(world.now // SECOND + 40)
    assert ask(world, second)[0] == 200
    world.pass_time(40)
    assert ask(world, first)[0] == 200
    assert world.counters.most_in_window("tokens", 60, world.servers[0].uuid) == 5
    assert world.counters.total("refused") == 1


def test_an_old_panel_does_not_limit_tokens(build, fetch_token):
    world = build(generation="1.11", token_limit=5)
    for _ in range(20):
        assert fetch_token(world, world.server("Silent").uuid)


@pytest.mark.parametrize(
    ("settings", "limit"),
    [({"generation": "pelican"}, 256), ({"generation": "1.11"}, 720), ({"request_limit": 7}, 7)],
)
def test_all_requests_of_a_key_are_limited_by_the_minute(build, ask, settings, limit):
    world = build(**settings)
    answers = [ask(world, "/api/client") for _ in range(limit + 1)]
    assert [status for status, _, _ in answers] == [200] * limit + [429]
    assert answers[0][1]["X-RateLimit-Limit"] == str(limit)
    assert answers[-1][1]["Retry-After"] == "60"
    assert world.counters.most_in_window("requests") == limit + 1


def test_the_date_header_is_the_panel_s_clock(world, ask):
    world.skew(-3600)
    _, headers, _ = ask(world, "/api/client")
    date = parsedate_to_datetime(headers["Date"]).timestamp()
    assert date == world.now // SECOND - 3600


def test_a_panel_clock_far_behind_issues_tokens_that_are_expired_at_once(world, see):
    world.skew(-700)
    assert (
        see(world, "Silent")
        .authenticate()
        .texts("jwt error")[0]
        .endswith("jwt: exp claim is invalid")
    )


def test_a_panel_clock_behind_a_restarted_node_keeps_new_tokens_denied(world, see):
    world.skew(-30)
    world.restart_daemon(seconds=1)
    world.pass_time(5)
    assert "denylist" in see(world, "Silent").authenticate().texts("jwt error")[0]
    world.pass_time(30)
    assert "auth success" in see(world, "Silent").authenticate().events()


def test_resources_are_flat_and_cached_for_20_s(build, ask):
    world = build(stats_interval=1.0)
    path = f"/api/client/servers/{world.server('Silent').uuid}/resources"
    world.pass_time(5)
    first = ask(world, path)[2]["attributes"]
    assert first["current_state"] == "running"
    assert set(first["resources"]) == {
        *["memory_bytes", "cpu_absolute", "disk_bytes", "uptime"],
        *["network_rx_bytes", "network_tx_bytes"],
    }
    world.pass_time(10)
    assert ask(world, path)[2]["attributes"] == first
    world.pass_time(10)
    assert ask(world, path)[2]["attributes"]["resources"]["uptime"] > 20_000


def test_requests_fail_as_told_and_then_no_more(world, ask):
    world.fail_requests(503, 2, containing="/websocket")
    path = f"/api/client/servers/{world.server('Silent').uuid}"
    assert [ask(world, path)[0], *(ask(world, f"{path}/websocket")[0] for _ in range(3))] == [
        *[200, 503, 503, 200]
    ]


def test_requests_for_tokens_are_counted_also_where_none_is_given(world, ask):
    uuid = world.server("Silent").uuid
    world.fail_requests(500)
    for wanted in (uuid, uuid[:8], "0000dead"):
        ask(world, f"/api/client/servers/{wanted}/websocket")
    assert world.counters.total("token requests", uuid) == 2
    assert world.counters.total("token requests") == 3
    assert world.counters.total("tokens") == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [("<html>502</html>", "text/html; charset=UTF-8"), ('{"error":"x"}', "application/json")],
)
def test_a_failure_may_have_any_body(world, body, kind):
    world.fail_requests(200, body=body)
    answer = world.respond("GET", "/api/client", {})
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert answer.body.decode() == body


def test_a_failing_429_says_when_to_come_back(world, ask):
    world.fail_requests(429)
    assert ask(world, "/api/client")[1]["Retry-After"] == "5"


def test_keys_and_names_look_like_the_real_ones(world, ask):
    assert world.api_key.startswith("ptlc_")
    assert len(world.api_key) == 48
    body = json.dumps(ask(world, "/api/client")[2])
    assert world.api_key not in body
