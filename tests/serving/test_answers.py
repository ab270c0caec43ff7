"""What every answer has, the page's files, and what is counted."""

from serving.middleware import HEADERS
from tests.serving.client import CANARY, PATIENT, THEIRS, ask

pytestmark = THEIRS


def test_every_answer_tells_browsers_to_be_careful_and_names_the_bundle(client, bundle, subtests):
    cases = [
        ("GET", "/"), ("GET", "/about"), ("GET", "/page/style.css"), ("GET", "/page/none"), ("GET", "/livez"),
        ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/tables"), ("GET", "/none"), ("POST", "/about"),
        ("POST", "/assess"), ("POST", "/score_roster"), ("HEAD", "/about"),
    ]  # fmt: skip
    for method, path in cases:
        with subtests.test(method=method, path=path):
            answer = client.request(method, path)
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert answer.headers["cache-control"] in ("no-store", "no-cache", "private, no-cache")
            assert answer.headers["x-pfps-bundle"] == bundle.name


def test_no_inline_script_and_no_other_host_may_run():
    policy = dict(part.split(" ", 1) for part in HEADERS["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in HEADERS["content-security-policy"] and "http" not in HEADERS["content-security-policy"]


def test_the_pages_files_have_their_types_and_are_sent_again_only_if_changed(client):
    answer = client.get("/page/style.css")
    assert answer.headers["content-type"].startswith("text/css") and answer.headers["cache-control"] == "no-cache"
    again = client.get("/page/style.css", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    for outside in ("/page/../service.py", "/page/%2e%2e/service.py", "/page/..%2fservice.py", "/page/"):
        assert client.get(outside).status_code == 404


def test_requests_are_counted_by_route_and_a_path_that_is_none_has_no_label(client):
    def counted(endpoint, status):
        line = f'bentoml_service_request_total{{endpoint="{endpoint}",http_response_code="{status}"}}'
        found = [row for row in client.get("/metrics").text.splitlines() if row.startswith(line)]
        return float(found[0].split()[-1]) if found else 0.0

    before = counted("/assess", 200), counted("elsewhere", 404)
    assert ask(client, **PATIENT).status_code == 200
    client.get(f"/{CANARY}")
    assert (counted("/assess", 200), counted("elsewhere", 404)) == (before[0] + 1, before[1] + 1)
    assert CANARY not in client.get("/metrics").text
