"""The limits of a service: their variables, their table, and that they hold in both servers."""

import socket
from dataclasses import fields

import pytest

from pfps_ml.core.errors import FactError
from pfps_ml.io.cells import Limits
from serving.access import access_from
from serving.active_bundle import ActiveBundle
from serving.app import create_app
from serving.limits import (
    FILES,
    PAGE,
    ConnectionLimits,
    RequestLimits,
    ServiceLimits,
    WorkLimits,
    limits_from,
    page_with_table,
    table_of_limits,
)
from tests.serving.client import HOUSE
from tests.serving.test_http import BENTOML, PFPS, process_of
from tests.serving.test_protocol import arrived
from tests.waiting import LIMIT

KINDS = {"work": WorkLimits, "connections": ConnectionLimits, "requests": RequestLimits}
DECLARED = [(part, one) for part, kind in KINDS.items() for one in fields(kind)]
NAMES = [one.metadata["variable"] for _, one in DECLARED]


@pytest.mark.parametrize(("part", "one"), DECLARED, ids=NAMES)
def test_a_variable_sets_its_limit_and_no_other(part, one):
    found = limits_from({one.metadata["variable"]: "7"})
    assert getattr(getattr(found, part), one.name) == 7
    default = ServiceLimits()
    for other, field in DECLARED:
        if field is not one:
            assert getattr(getattr(found, other), field.name) == getattr(getattr(default, other), field.name)


@pytest.mark.parametrize(("part", "one"), DECLARED, ids=NAMES)
@pytest.mark.parametrize("value", ["0", "-1", "nan", "1e99", "many", "5 s"])
def test_a_limit_that_is_no_number_above_zero_stops_the_service_and_is_explained(part, one, value):
    with pytest.raises(FactError) as refused:
        limits_from({one.metadata["variable"]: value})
    assert one.metadata["variable"] in refused.value.message
    assert f"at most {one.metadata['most']:,}" in refused.value.message


def test_a_blank_variable_is_none_and_whole_limits_take_no_fractions():
    assert limits_from(dict.fromkeys(NAMES, " ")) == limits_from({}) == ServiceLimits()
    assert limits_from({"PFPS_HEADER_SECONDS": "0.5"}).connections.headers == 0.5
    with pytest.raises(FactError, match="whole number"):
        limits_from({"PFPS_CONNECTIONS": "0.5"})


def test_every_variable_stands_once_in_the_table_of_the_page_with_its_default():
    page = (HOUSE / PAGE).read_text(encoding="utf-8")
    assert len(set(NAMES)) == len(NAMES)
    rows = table_of_limits().splitlines()[2:]
    assert sorted(row.split("`")[1] for row in rows if "PFPS_" in row) == sorted(NAMES)
    assert page_with_table(page) == page, "run `python -m serving.limits`"


def test_a_service_has_the_limits_that_were_set():
    limits = limits_from({"PFPS_BODIES_MEGABYTES": "3", "PFPS_ROSTER_ROWS": "9", "PFPS_REQUEST_SECONDS": "8"})
    app = create_app(ActiveBundle(), access_from({}), limits)
    (guard,) = app.user_middleware
    assert guard.kwargs["bodies"].most == 3_000_000
    assert access_from({"PFPS_REQUEST_SECONDS": "8"}).max_seconds == 8


def test_a_file_may_hold_less_in_a_service_than_on_the_command_line():
    anywhere = Limits()
    for name, most in FILES.items():
        general = getattr(anywhere, name)
        assert general is None or most < general, name


@pytest.mark.slow
@pytest.mark.parametrize("command", [PFPS, BENTOML], ids=["pfps", "bentoml"])
def test_deadlines_of_connections_hold_in_the_real_server(command, models_home, tmp_path):
    hurried = {"PFPS_HEADER_SECONDS": "0.5", "PFPS_BODY_SECONDS": "0.5"}
    with process_of(command, tmp_path, models_home, **hurried) as (http, _, _):
        address = ("127.0.0.1", http.base_url.port)
        head = b"POST /assess HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        for content in (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", head + b"Content-Length: 9\r\n\r\n{"):
            status, headers, body = arrived(address, content)
            assert status == 408 and headers["connection"] == "close" and b"request_timeout" in body
        assert arrived(address, b"no HTTP\r\n\r\n")[0] == 400
        assert http.get("/livez").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("command", [PFPS, BENTOML], ids=["pfps", "bentoml"])
def test_the_limit_of_connections_holds_in_the_real_server(command, models_home, tmp_path):
    with process_of(command, tmp_path, models_home, PFPS_CONNECTIONS="4", PFPS_HEADER_SECONDS="3600") as (http, _, _):
        address = ("127.0.0.1", http.base_url.port)
        waiting = [socket.create_connection(address, timeout=LIMIT) for _ in range(12)]
        closed = []
        for one in waiting:
            one.settimeout(LIMIT)
        while len(closed) < 8:  # the oldest make room; to read waits for the end of a connection, or fails
            one = waiting.pop(0)
            try:
                closed.append(one.recv(1))
            except ConnectionResetError:
                closed.append(b"")
            one.close()
        assert set(closed) == {b""}
        assert http.get("/livez").status_code == 200
        for one in waiting:
            one.close()
