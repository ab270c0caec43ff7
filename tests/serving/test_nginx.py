"""The example of docs/SERVICE.md in a real nginx, before a real service."""

import re
import shutil
import socket
import ssl
import subprocess
from contextlib import contextmanager

import httpx
import pytest

from tests.serving.client import HOUSE, PATIENT
from tests.serving.test_http import PFPS, free_port, listening, process_of
from tests.waiting import LIMIT, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="nginx or openssl is not here"),
]
KEY = "a-key-of-this-test"
SIGNED = {"Authorization": f"Bearer {KEY}"}


def configuration(folder, port, service):
    """Return the example for files, ports and deadlines of a test; everything else is as it stands in the document."""
    page = (HOUSE / "docs" / "SERVICE.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```nginx\n(.*?)```", page, re.S)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy"))
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;", "127.0.0.1:3000": f"127.0.0.1:{service}",
        "/etc/nginx/pfps.crt": f"{folder}/crt", "/etc/nginx/pfps.key": f"{folder}/key",
        "client_header_timeout 10s": "client_header_timeout 1s", "http {\n": f"http {{\n{temporary}access_log off;\n",
    }  # fmt: skip
    for before, after in changes.items():
        assert example.count(before) == 1, before
        example = example.replace(before, after)
    return f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/log;\n{example}"


@contextmanager
def proxied(folder, models, **environment):
    """Lend a client of a service behind nginx, and the port of nginx."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pfps.example.org"]
    subprocess.run([*made, "-keyout", folder / "key", "-out", folder / "crt"], check=True, capture_output=True)
    with process_of(PFPS, folder, models, **environment) as (http, _, _):
        port = free_port()
        (folder / "conf").write_text(configuration(folder, port, http.base_url.port), encoding="utf-8")
        with (folder / "out").open("wb") as out:
            nginx = subprocess.Popen(["nginx", "-c", folder / "conf", "-e", folder / "log"], stdout=out, stderr=out)
        try:
            until(lambda: nginx.poll() is not None or listening(port), "that nginx listens")
            assert nginx.poll() is None, (folder / "out").read_text() + (folder / "log").read_text()
            with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, timeout=LIMIT) as client:
                yield client, port
        finally:
            nginx.terminate()
            nginx.wait(timeout=LIMIT)


def test_behind_the_documented_proxy_a_key_decides_and_limits_hold(models_home, tmp_path):
    with proxied(tmp_path, models_home, PFPS_API_KEYS=KEY) as (client, port):
        assert client.get("/livez").status_code == 200
        assert client.post("/assess", json={"runner": PATIENT}).status_code == 401
        assert client.post("/assess", json={"runner": PATIENT}, headers=SIGNED).json()["risk"]
        forwarded = SIGNED | {"X-Forwarded-For": "unknown"}
        assert client.get("/about", headers=forwarded).status_code == 200
        roster = "runner_id,age_years,sex\n" + "".join(f"R-{at},30,male\n" for at in range(20_000))
        assert client.post("/score_roster", files={"roster": ("r.csv", roster)}, headers=SIGNED).status_code == 200
        refused = client.post("/score_roster", files={"roster": ("r.csv", b"x" * 22_000_000)}, headers=SIGNED)
        assert refused.status_code == 413 and "nginx" in refused.headers["server"]
        assert not [
            path for name in ("client_body", "proxy") for path in (tmp_path / name).rglob("*") if path.is_file()
        ]
        assert half_asked(port) in (b"", b"HTTP/1.1 408 ")
        assert client.get("/livez").status_code == 200


def half_asked(port):
    """Return the start of what comes back where the headers never end, once the connection is closed."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as plain, context.wrap_socket(plain) as caller:
        caller.sendall(b"GET /livez HTTP/1.1\r\nHost: pfps.example.org\r\nX-Slow: ")
        answer = b""
        while part := caller.recv(65_536):
            answer += part
    return answer[:13]


@pytest.mark.parametrize("host", ["pfps.example.org", "localhost", "127.0.0.1"])
def test_without_keys_nothing_that_the_proxy_passes_on_is_answered(models_home, tmp_path, host):
    with proxied(tmp_path, models_home) as (client, _):
        assert client.get("/about", headers={"Host": host}).status_code == 401
        assert client.post("/assess", json={"runner": PATIENT}, headers={"Host": host}).status_code == 401
