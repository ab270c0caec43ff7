"""The routes of design 4.4: what each is for, who may ask, and what it reads.

The guard and the OpenAPI document both follow this list, so a route that is not in it does not exist.
"""

from dataclasses import dataclass

JSON = "application/json"
MARKDOWN = "text/markdown"
MULTIPART = "multipart/form-data"
PAGE = "/page/"  # the page's own files
ELSEWHERE = "elsewhere"  # what metrics say of every other path: a path is free text of the sender's


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes
    ----------
    media, largest
        The media type that a POST must have, and the most bytes of its body; no body is read without them.
    key
        Whether a key is wanted where the service has keys.
    """

    path: str
    summary: str
    method: str = "GET"
    media: str | None = None
    largest: int = 0
    key: bool = True

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be asked of it."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


_ALL = (
    Route("/assess", "Assess one runner or patient", "POST", JSON, 2_000_000),
    Route("/assess_roster", "Assess up to 5,000 runners", "POST", JSON, 20_000_000),
    Route("/score_roster", "Score a roster file", "POST", MULTIPART, 20_000_000),
    Route("/reload", "Take over the bundle that PFPS_MODELS/CURRENT names", "POST"),
    Route("/tables", "The models as tables, for what-if in a browser"),
    Route("/schema", "What POST /assess reads: fields, limits and levels"),
    Route("/about", "What this is, its version and its intended use"),
    Route("/card", "The model card: what the bundle was trained on, how well it does, what it is not for"),
    Route("/docs.json", "The OpenAPI document"),
    Route("/metrics", "Counts and times of requests, for Prometheus"),
    Route("/", "The page", key=False),
    Route("/livez", "Whether the process answers", key=False),
    Route("/healthz", "Whether the process answers", key=False),
    Route("/readyz", "Whether a bundle is in service", key=False),
)
ROUTES = {route.path: route for route in _ALL}
_FILES = Route(PAGE, "The page's own files", key=False)


def route_of(path: str) -> Route | None:
    """Return the route of a path, or None if there is none."""
    return ROUTES.get(path) or (_FILES if path.startswith(PAGE) else None)


__all__ = ["ELSEWHERE", "JSON", "MARKDOWN", "MULTIPART", "PAGE", "ROUTES", "Route", "route_of"]
