"""Who may ask, and how often."""

import asyncio
from dataclasses import replace
from hashlib import sha256

import pytest

from pfps_ml.core.errors import FactError
from serving.access import (
    ALL_INTERFACES,
    LOOPBACK,
    AccessConfig,
    RateLimits,
    WrongKeys,
    access_from,
    hosts_from,
    keys_from,
    rates_from,
)
from serving.errors import TooMany
from serving.requests import ENDPOINTS, ROLES
from tests.rosters import GOOD
from tests.serving.client import CANARY, PATIENT, RUNNER, THEIRS, ask, client_of, refusal

pytestmark = THEIRS
KEY, OTHER = "key-of-the-clinic", "key-of-the-club"


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def open_to(client, active):
    """Return a function that gives a client of the same service with other keys and limits."""
    return lambda access: client_of(active, replace(access, wrong_keys=WrongKeys(0.0)))


def test_keys_are_given_as_a_list_or_as_a_file_of_their_hashes(tmp_path):
    file = tmp_path / "keys"
    lines = f"# ours\n{sha256(KEY.encode()).hexdigest()}  clinic\n\n{sha256(OTHER.encode()).hexdigest().upper()}  -\n"
    file.write_text(lines)
    for value, name in ((f" {KEY}, {OTHER},", sha256(KEY.encode()).hexdigest()[:8]), (str(file), "clinic")):
        keys = keys_from({"PFPS_API_KEYS": value})
        assert keys.find(f"Bearer {KEY}".encode()).name == name
        assert keys.find(f"bearer  {OTHER} ".encode()).name == sha256(OTHER.encode()).hexdigest()[:8]
        for wrong in (b"", b"Bearer", b"Bearer ", KEY.encode(), f"Basic {KEY}".encode(), b"Bearer \xff"):
            assert keys.find(wrong) is None
        assert KEY not in repr(keys)


def test_a_service_that_was_meant_to_have_keys_does_not_start_without(subtests):
    for value in [" , ", "/nowhere/at/all", "/proc/self/mem"]:
        with subtests.test(value=value):
            with pytest.raises(FactError) as refused:
                keys_from({"PFPS_API_KEYS": value})
            assert "sha256sum" in refused.value.message


def test_a_key_that_stands_in_the_file_as_it_is_is_not_repeated(tmp_path):
    (tmp_path / "keys").write_text(f"{CANARY}\n")
    with pytest.raises(FactError) as refused:
        keys_from({"PFPS_API_KEYS": str(tmp_path / "keys")})
    assert "line 1" in refused.value.message and CANARY not in refused.value.message


def test_without_keys_the_service_listens_on_this_machine_only():
    assert access_from({}).host == LOOPBACK == "127.0.0.1"
    assert access_from({"PFPS_API_KEYS": KEY}).host == ALL_INTERFACES


def test_with_keys_every_route_wants_one_but_the_probes_and_the_pages_own_files(open_to):
    client = open_to(access_from({"PFPS_API_KEYS": KEY}))
    for path in ("/about", "/card", "/schema", "/docs.json", "/metrics", "/tables"):
        answer = client.get(path)
        assert refusal(answer, 401)["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert refusal(client.get(path, headers=bearer(OTHER)), 401)
        assert client.get(path, headers=bearer(KEY)).status_code == 200
    for path in ("/assess", "/assess_roster", "/score_roster", "/map", "/reload"):
        assert refusal(client.post(path, content=b"x"), 401)
    for path in ("/", "/page/style.css"):
        assert client.get(path).status_code == 200


def test_with_keys_other_machines_are_answered_and_may_reload(open_to):
    client = open_to(access_from({"PFPS_API_KEYS": KEY}))
    assert client.post("/reload", headers=bearer(KEY)).json()["bundle"] == "pfps-0.0.1"
    from_page = client.post("/reload", headers=bearer(KEY) | {"Origin": "http://elsewhere"})
    assert refusal(from_page, 401)["code"] == "unauthorized"


def test_a_key_that_asks_too_often_is_told_when_to_come_again_and_costs_no_other(open_to):
    client = open_to(AccessConfig(keys_from({"PFPS_API_KEYS": f"{KEY},{OTHER}"}), RateLimits(20, clock=lambda: 0.0)))
    seen = [client.get("/about", headers=bearer(KEY)) for _ in range(3)]
    assert [answer.status_code for answer in seen] == [200, 200, 429]
    assert refusal(seen[2], 429)["code"] == "too_many_requests"
    assert seen[2].headers["retry-after"] == "3"
    assert client.get("/about", headers=bearer(OTHER)).status_code == 200
    assert client.get("/").status_code == 200


def test_a_bucket_fills_again_with_time_but_never_beyond_its_size():
    time = [0.0]
    rates = RateLimits(60, clock=lambda: time[0])
    for _ in range(6):
        rates.take("a")
    with pytest.raises(TooMany):
        rates.take("a")
    time[0] = 1.0
    rates.take("a")
    time[0] = 1000.0
    for _ in range(6):
        rates.take("a")
    with pytest.raises(TooMany):
        rates.take("a")


def test_a_limit_that_is_none_is_refused(subtests):
    for value in ["0", "many", "-1", "1.5"]:
        with subtests.test(value=value):
            with pytest.raises(FactError):
                rates_from({"PFPS_RATE_LIMIT": value})
            assert rates_from({"PFPS_RATE_LIMIT": "60"})


def line_of(key, rest=""):
    return f"{sha256(key.encode()).hexdigest()} {rest}".strip()


def test_a_line_of_a_key_names_its_roles_and_without_any_it_may_assess_and_score_rosters(tmp_path):
    (tmp_path / "keys").write_text(
        "\n".join([line_of("a", "one"), line_of("b"), line_of("c", "three metrics"), line_of("d", "- reload, assess")])
    )
    roles = {"a": {"assess", "roster"}, "b": {"assess", "roster"}, "c": {"metrics"}, "d": {"reload", "assess"}}
    for value in (str(tmp_path / "keys"), (tmp_path / "keys").read_text(), line_of("a", "one")):
        keys = keys_from({"PFPS_API_KEYS": value})
        for key in keys.keys:
            [text] = [text for text in roles if sha256(text.encode()).digest() == key.digest]
            assert key.roles == roles[text]
            assert key.name == {"a": "one", "c": "three"}.get(text, key.digest.hex()[:8])


def test_a_key_of_the_list_may_ask_for_everything():
    keys = keys_from({"PFPS_API_KEYS": f"{KEY},{'0' * 64}"})
    assert [key.roles for key in keys.keys] == [ROLES, ROLES]
    assert keys.find(b"Bearer " + b"0" * 64)  # a key, however much it looks like a hash


def test_roles_that_are_none_and_keys_in_two_lines_stop_the_service(tmp_path, subtests):
    for lines in [
        [line_of("a", f"clinic {CANARY}")], [line_of("a", f"clinic north {CANARY}")],
        [line_of("a", "clinic assess,all")], [line_of("a", "clinic ,")],
        [line_of("a", "one"), line_of("a", "two reload")],
    ]:  # fmt: skip
        with subtests.test(lines=lines):
            (tmp_path / "keys").write_text("\n".join(lines))
            with pytest.raises(FactError) as refused:
                keys_from({"PFPS_API_KEYS": str(tmp_path / "keys")})
            assert CANARY not in refused.value.message and "assess, metrics" in refused.value.message


def test_a_key_asks_for_what_its_roles_open_and_for_nothing_else(open_to, subtests):
    lines = "\n".join(line_of(role, f"{role} {role}") for role in sorted(ROLES))
    client = open_to(access_from({"PFPS_API_KEYS": lines}))
    requests = {
        "/assess": {"json": {"runner": PATIENT}}, "/assess_roster": {"json": {"runners": [RUNNER]}},
        "/score_roster": {"files": {"roster": ("r.csv", GOOD)}}, "/map": {"files": {"roster": ("r.csv", GOOD)}},
    }  # fmt: skip
    opened = {"assess": {"/assess", "/tables"}, "roster": {"/assess_roster", "/score_roster", "/map"},
              "reload": {"/reload"}, "metrics": {"/metrics"}}  # fmt: skip
    for role in sorted(ROLES):
        for path, endpoint in ENDPOINTS.items():
            with subtests.test(role=role, path=path):
                answer = client.request(endpoint.method, path, headers=bearer(role), **requests.get(path, {}))
                if endpoint.role is None or path in opened[role]:
                    assert answer.status_code == 200
                else:
                    error = refusal(answer, 403)
                    assert error["code"] == "forbidden" and endpoint.role in error["message"]


def test_wrong_keys_are_counted_and_a_request_without_one_is_not_a_wrong_one(open_to):
    client = open_to(access_from({"PFPS_API_KEYS": KEY}))

    def counted():
        text = client.get("/metrics", headers=bearer(KEY)).text
        return float(next(line for line in text.splitlines() if line.startswith("pfps_wrong_keys_total")).split()[1])

    before = counted()
    for headers in ({}, bearer(OTHER), {"Authorization": "Basic eDp5"}, bearer(KEY)):
        client.get("/about", headers=headers)
    assert counted() == before + 2


def test_wrong_keys_wait_while_right_ones_are_answered_and_only_so_many_wait():
    async def tried():
        wrong = WrongKeys(3_600.0)
        waiting = [asyncio.create_task(wrong.wait()) for _ in range(64)]
        await asyncio.sleep(0)
        assert not [task for task in waiting if task.done()]
        with pytest.raises(TooMany):
            await wrong.wait()  # one more would only fill the memory
        waiting[0].cancel()  # its sender has hung up: another may wait
        await asyncio.gather(waiting[0], return_exceptions=True)
        waiting[0] = asyncio.create_task(wrong.wait())
        await asyncio.sleep(0)
        assert not waiting[0].done()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(tried())


def test_a_right_key_is_answered_while_a_wrong_one_waits(active, client):
    from concurrent.futures import ThreadPoolExecutor

    access = replace(access_from({"PFPS_API_KEYS": KEY}), wrong_keys=WrongKeys(3_600.0), max_seconds=1.0)
    slowed = client_of(active, access)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slowed.get, "/about", headers=bearer(OTHER))
        assert slowed.get("/about", headers=bearer(KEY)).status_code == 200
        assert waiting.result().status_code == 504  # the end of the time that a request may take


def test_without_keys_a_request_that_a_proxy_has_forwarded_is_refused_whatever_the_header_says(client, subtests):
    for name in [
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything", "Forwarded", "Via",
        "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP",
    ]:  # fmt: skip
        for value in ["unknown", "127.0.0.1", "", CANARY]:
            with subtests.test(name=name, value=value):
                answer = client.get("/about", headers={name: value})
                assert refusal(answer, 401)["code"] == "unauthorized"
                assert CANARY not in answer.text and "proxy" in answer.json()["error"]["message"]


def test_without_keys_a_request_by_another_name_is_refused(client, subtests):
    for host in [
        "evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.evil.example",
        "localhost@evil.example",
        "10.1.2.3", "0.0.0.0", "[::]", "", "localhost:port", "localhost:123456", "localhost:80:80", "127.0.0.2",
    ]:  # fmt: skip
        with subtests.test(host=host):
            assert "PFPS_HOSTS" in refusal(client.get("/about", headers={"Host": host}), 401)["message"]
    for host in ["localhost", "LOCALHOST:3000", "127.0.0.1", "127.0.0.1:3000", "[::1]", "[::1]:3000"]:
        with subtests.test(host=host):
            assert client.get("/about", headers={"Host": host}).status_code == 200


def test_a_name_of_this_machine_may_be_added(open_to):
    named = open_to(access_from({"PFPS_HOSTS": "Scoring.clinic.example, other"}))
    for host, status in [("scoring.clinic.example:3000", 200), ("other", 200), ("localhost", 200), ("third", 401)]:
        assert named.get("/about", headers={"Host": host}).status_code == status
    assert hosts_from({}) == hosts_from({"PFPS_HOSTS": " , "}) == {"localhost", "127.0.0.1", "[::1]"}


def test_without_keys_no_page_of_another_site_may_ask_and_the_services_own_page_may(client, subtests):
    for headers, status in [
        ({"Origin": "http://evil.example"}, 401), ({"Origin": "null"}, 401), ({"Origin": "http://127.0.0.1:8080"}, 401),
        ({"Sec-Fetch-Site": "cross-site"}, 401), ({"Sec-Fetch-Site": "same-site"}, 401),
        ({"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-origin"}, 200), ({}, 200),
    ]:  # fmt: skip
        with subtests.test(headers=headers):
            assert client.post("/assess", json={"runner": PATIENT}, headers=headers).status_code == status
            files = {"roster": ("r.csv", GOOD)}
            assert client.post("/score_roster", files=files, headers=headers).status_code == status
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # a link may lead here


def test_with_keys_a_proxy_may_forward_by_any_name(open_to):
    client = open_to(access_from({"PFPS_API_KEYS": KEY}))
    headers = {
        "X-Forwarded-For": "10.1.2.3",
        "Host": "scoring.clinic.example",
        "Origin": "https://scoring.clinic.example",
    }
    assert client.get("/about", headers=bearer(KEY) | headers).status_code == 200
    client.headers.update(bearer(KEY) | headers)
    assert ask(client, **PATIENT).status_code == 200
