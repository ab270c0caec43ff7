"""The same application through BentoML: what BentoML puts around it changes nothing, and collects nothing."""

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.requests import ENDPOINTS, JSON
from tests.rosters import GOOD
from tests.serving.client import CANARY, LOCAL, PATIENT, THEIRS, until_ready
from tests.serving.test_canary import everywhere
from tests.serving.test_http import BENTOML, process_of

pytestmark = [
    *THEIRS,
    # BentoML, when it is imported and when it makes its models
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The `__get_pydantic_core_schema__` method:DeprecationWarning"),
]
BODIES = {
    "/assess": {"json": {"runner": PATIENT}},
    "/assess_roster": {"json": {"runners": [PATIENT, {"runner_id": "b"}]}},
    "/score_roster": {"files": {"roster": ("roster.csv", GOOD)}},
    "/map": {"files": {"roster": ("roster.csv", GOOD)}},
}


@pytest.fixture(scope="module")
def spans():
    """Return what a hospital's tracing would collect, if it samples every request."""
    from bentoml._internal.container import BentoMLContainer

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    BentoMLContainer.tracer_provider.set(provider)
    yield exporter
    BentoMLContainer.tracer_provider.reset()


@pytest.fixture(scope="module")
def through_bentoml(models_home, spans):
    """Return a client of BentoML's own application; once, for BentoML registers its parts once a process."""
    from starlette.testclient import TestClient

    from serving.service import PfpsService

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PFPS_MODELS", str(models_home))
        with TestClient(PfpsService.to_asgi(), **LOCAL) as client:
            until_ready(client.get)
            yield client


def test_nothing_of_a_request_is_traced_logged_or_counted(through_bentoml, spans, logged):
    answers = list(everywhere(through_bentoml))
    assert {answer.status_code for answer in answers} >= {200, 400, 404, 405, 415, 422}
    assert max(answer.status_code for answer in answers) < 500
    assert not spans.get_finished_spans()
    log = "".join(line for line in logged().splitlines() if "httpx" not in line)  # the client's own log
    for text in (log, through_bentoml.get("/metrics").text):
        assert CANARY not in text and "7654321" not in text


def requests_of_every_route():
    """Yield a valid request for every endpoint, one for a file of the page, and three that are refused."""
    for endpoint in ENDPOINTS.values():
        yield endpoint.method, endpoint.path, BODIES.get(endpoint.path, {})
    yield "GET", "/page/style.css", {}
    yield "GET", "/schema.json", {}  # a route of BentoML's that is none of ours
    yield "DELETE", "/assess", {}
    yield "POST", "/assess", {"content": b"{", "headers": {"Content-Type": JSON}}


def headers_of(answer: httpx.Response) -> dict[str, str]:
    # the server's own, and the type of the connection
    return {name: value for name, value in answer.headers.items() if name not in ("date", "connection")}


def assert_alike(mine: httpx.Response, other: httpx.Response) -> None:
    assert (other.status_code, set(headers_of(other))) == (mine.status_code, set(headers_of(mine))), mine.url
    if mine.url.path != "/metrics":  # counts differ
        assert other.content == mine.content, mine.url
        assert headers_of(other) == headers_of(mine), mine.url


def test_every_route_answers_as_it_does_without_bentoml(client, through_bentoml):
    for method, path, body in requests_of_every_route():
        assert_alike(client.request(method, path, **body), through_bentoml.request(method, path, **body))


@pytest.mark.slow
def test_every_route_of_its_real_server_answers_as_it_does_without_bentoml(client, models_home, tmp_path):
    with process_of(BENTOML, tmp_path, models_home) as (http, _, _):
        for method, path, body in requests_of_every_route():
            assert_alike(client.request(method, path, **body), http.request(method, path, **body))
