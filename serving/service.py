"""The BentoML service, thin: a request becomes a one-row frame, `assess` answers, a message goes back."""

import bentoml
from pydantic import BaseModel
from starlette.responses import JSONResponse

from pfps_ml.assess import assess
from pfps_ml.errors import PfpsError
from serving.errors import error_reply
from serving.guard import Guard
from serving.live import LiveBundle
from serving.messages import AssessRequest, coded
from serving.pages import pages

LIVE = LiveBundle()


@bentoml.service(
    name="pfps",
    workers=1,
    http={"host": "127.0.0.1", "port": 3000},
    traffic={"timeout": 10},
    # paths and content types are free text of the sender's; a proxy keeps the access log
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(pages(LIVE), path="/")
class PfpsService:
    """Explained risk of runner's knee, and treatment pathways for patients."""

    def __init__(self) -> None:
        LIVE.start()

    async def __is_ready__(self) -> bool:
        return LIVE.ready

    @bentoml.api(input_spec=AssessRequest, output_spec=dict)
    def assess(self, runner: BaseModel) -> JSONResponse:
        """Assess one runner or patient: risk with its reasons; for a patient, the pathways side by side."""
        try:
            return JSONResponse(assess(LIVE.current(), coded(runner)).as_dict(0))
        except PfpsError as error:
            return error_reply(error)


# the decorator has made the class a BentoML service
PfpsService.add_asgi_middleware(Guard, bodies={"/assess": AssessRequest})  # type: ignore[attr-defined]

__all__ = ["LIVE", "PfpsService"]
