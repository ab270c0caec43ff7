"""The same application as a BentoML service: `bentoml build` packs it, `bentoml serve` and a container start it.

BentoML has its own /livez, /readyz, /healthz and /metrics, and matches them before a mounted application. So the
application is not mounted but put in front, as BentoML's innermost middleware: it answers every request, and
BentoML's routes are never reached. What BentoML puts around it is set by its documented settings alone:

- its access log, metrics and traces are off, because paths and media types are free text of the sender;
- its timer is longer than the guard's, which therefore answers first. BentoML keeps about a kilobyte of every request
  until that time is over; `pfps serve` has no such timer.

Connections have the limits and the deadlines of `pfps serve`: BentoML starts uvicorn with its default protocol, and a
process that has loaded this module has ours for a default.
"""

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import HTTP_PROTOCOLS

from serving.access import access_from
from serving.active_bundle import ActiveBundle
from serving.app import create_app, start
from serving.audit_log import show_log
from serving.connections import protocol_of
from serving.limits import limits_from

ACTIVE, ACCESS, LIMITS = ActiveBundle(), access_from(), limits_from()
APP = create_app(ACTIVE, ACCESS, LIMITS)
# BentoML has no setting for the protocol of its server, which is uvicorn: what uvicorn takes by default is ours then
HTTP_PROTOCOLS["auto"] = protocol_of(LIMITS.connections)  # type: ignore[assignment]


class Application:
    """ASGI middleware that answers every request by the application; BentoML starts and ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._bentoml = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass the start and the end of the process on to BentoML."""
        await (self._bentoml if scope["type"] == "lifespan" else APP)(scope, receive, send)


@bentoml.service(
    name="pfps",
    workers=1,
    http={"host": ACCESS.host, "port": 3000},
    traffic={"timeout": ACCESS.max_seconds + 5},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
)
class PfpsService:
    """Explained risk of runner's knee, and treatment pathways for patients."""

    def __init__(self) -> None:
        show_log()
        start(ACTIVE)

    @bentoml.on_shutdown
    def stop(self) -> None:
        """Take the bundle out of service, for the promotion log."""
        ACTIVE.stop()


# the decorator has made the class a BentoML service
PfpsService.add_asgi_middleware(Application)  # type: ignore[attr-defined]

__all__ = ["ACCESS", "ACTIVE", "APP", "Application", "PfpsService"]
