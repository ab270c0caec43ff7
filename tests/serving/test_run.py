"""What `pfps serve` refuses before it starts."""

import socket
import subprocess
import sys

import pytest

from pfps_ml.cli.main import main
from pfps_ml.core.errors import InputError
from serving.access import access_from
from serving.app import _allowed, listen
from tests.serving.client import HOUSE

KEYS = access_from({"PFPS_API_KEYS": "k"})
NONE = access_from({})


def explained(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["serve", *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::"])
def test_without_keys_it_does_not_listen_to_other_machines(capsys, monkeypatch, host):
    monkeypatch.delenv("PFPS_API_KEYS", raising=False)
    assert "set PFPS_API_KEYS" in explained(capsys, "--host", host)
    assert _allowed(host, KEYS) == host
    assert _allowed("127.0.0.1", NONE) == "127.0.0.1" and _allowed("::1", NONE) == "::1"


def test_a_host_that_is_no_address_and_a_port_that_is_taken_are_explained(capsys):
    assert "expected an IP address for --host" in explained(capsys, "--host", "localhost")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"expected to listen on 127.0.0.1 port {port}" in explained(capsys, "--port", port)
    with pytest.raises(InputError):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_its_socket_names_its_protocol_so_that_small_answers_do_not_wait_for_40_ms(host, family):
    with listen(host, 0) as listener:
        assert (listener.family, listener.proto) == (family, socket.IPPROTO_TCP)


def test_keys_that_cannot_be_read_stop_it(capsys, monkeypatch):
    monkeypatch.setenv("PFPS_API_KEYS", "/nowhere/at/all")
    assert "expected a file of keys" in explained(capsys)


def test_it_starts_without_bentoml():
    loaded = "import serving.app, serving.app, uvicorn, sys; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", loaded], cwd=HOUSE, check=True, capture_output=True, text=True)
    modules = shown.stdout.split()
    assert "serving.app" in modules and not [name for name in modules if "bentoml" in name]


def test_without_a_server_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'pfps-ml[serve]'" in explained(capsys)
