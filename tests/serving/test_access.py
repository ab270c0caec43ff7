"""Who may ask, and how often."""

from hashlib import sha256

import pytest

from pfps_ml.core.errors import FactError
from serving.access import ALL_INTERFACES, LOOPBACK, AccessConfig, RateLimits, access_from, keys_from, rates_from
from serving.errors import TooMany
from tests.serving.client import CANARY, THEIRS, client_of, refusal

pytestmark = THEIRS
KEY, OTHER = "key-of-the-clinic", "key-of-the-club"


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def open_to(client, active):
    """Return a function that gives a client of the same service with other keys and limits."""
    return lambda access: client_of(active, access)


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
    for path in ("/assess", "/assess_roster", "/score_roster", "/reload"):
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
