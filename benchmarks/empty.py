"""Two services with the work taken out, which answer every request with one assessment that was made before.

Both read the messages of `POST /assess` and run in one process as `pfps serve` does: one is a BentoML endpoint with
access log, metrics and traces off, the other a route of Starlette. Neither has the guard.
"""

import sys
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pfps_ml import released_bundle
from pfps_ml.model.assess import assess
from serving.app import listen, run_app
from serving.requests import EXAMPLES, AssessRequest, Runner, coded, read


def made() -> Any:
    """Return the assessment of the example patient."""
    return assess(released_bundle(), coded([Runner.model_validate(EXAMPLES["patient"]["runner"])])).as_dict(0)


def bentoml_endpoint() -> ASGIApp:
    """Return a BentoML service of one endpoint."""
    import bentoml  # noqa: PLC0415 (the other service does without)

    answer = made()

    @bentoml.service(
        name="empty",
        workers=1,
        logging={"access": {"enabled": False}},
        metrics={"enabled": False},
        tracing={"excluded_urls": ".*"},
    )
    class Empty:
        @bentoml.api(input_spec=AssessRequest, output_spec=dict)
        async def assess(self, runner: Any) -> JSONResponse:
            return JSONResponse(answer)

    return Empty.to_asgi()  # type: ignore[attr-defined]


def starlette_endpoint() -> ASGIApp:
    """Return a Starlette application of one endpoint."""
    answer = made()

    async def assess(request: Request) -> Response:
        read(AssessRequest, await request.body())
        return JSONResponse(answer)

    async def ready(_: Request) -> Response:
        return Response()

    return Starlette(routes=[Route("/assess", assess, methods=["POST"]), Route("/readyz", ready)])


def main(framework: str, port: int) -> None:
    """Serve one of them, of the framework that is named."""
    run_app({"bentoml": bentoml_endpoint, "starlette": starlette_endpoint}[framework](), listen("127.0.0.1", port))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
