"""The BentoML service, thin: a request becomes a one-row frame, `assess` answers, a message goes back."""

import bentoml
from bentoml._internal.server.http import traffic
from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pfps_ml.errors import PfpsError
from serving.access import access_from
from serving.active_bundle import ActiveBundle
from serving.errors import error_reply
from serving.microbatch import MicroBatch
from serving.middleware import Guard, answered
from serving.requests import AssessRequest
from serving.roster_routes import application

LIVE, DOOR = ActiveBundle(), access_from()
TOGETHER = MicroBatch(LIVE)


class _Untimed:
    """Stands where BentoML's own timer would, which keeps a kilobyte of each request until its time would be over.

    The guard has a timer, which ends with the answer.
    """

    def __init__(self, app: ASGIApp, timeout: float) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


# there is no setting for it: a time must be given, and none is short enough and long enough
traffic.TimeoutMiddleware = _Untimed


@bentoml.service(
    name="pfps",
    workers=1,
    http={"host": DOOR.host, "port": 3000},
    # paths and content types are free text of the sender's: the guard counts routes, and a proxy keeps the access log
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
)
@bentoml.asgi_app(application(LIVE), path="/")
class PfpsService:
    """Explained risk of runner's knee, and treatment pathways for patients."""

    def __init__(self) -> None:
        LIVE.start()

    async def __is_ready__(self) -> bool:
        return LIVE.ready

    @bentoml.on_shutdown
    def stop(self) -> None:
        """Put the bundle out of service, for the promotion log."""
        LIVE.stop()

    @bentoml.api(input_spec=AssessRequest, output_spec=dict)
    async def assess(self, runner: BaseModel) -> JSONResponse:
        """Assess one runner or patient: risk with its reasons; for a patient, the pathways side by side."""
        try:
            found = await TOGETHER.assess(runner)
        except PfpsError as error:
            return error_reply(error)
        answered(found["bundle"], risks=[found["risk"] and found["risk"]["probability"]])
        return JSONResponse(found)


# the decorator has made the class a BentoML service
PfpsService.add_asgi_middleware(  # type: ignore[attr-defined]
    Guard, live=LIVE, door=DOOR, bodies={"/assess": AssessRequest}
)

__all__ = ["DOOR", "LIVE", "PfpsService"]
