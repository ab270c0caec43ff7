"""pfps-ml: who will get runner's knee, and which treatment pathway may help them.

Trained on simulated data. Not a medical device. Validate locally before any use.

The public surface loads nothing heavy: each name is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # without these a type checker would see Any
    from pfps_ml.batch.rosters import score_roster
    from pfps_ml.core.errors import PfpsError
    from pfps_ml.model import Assessment, Bundle, load_bundle, released_bundle

_HOMES = {
    "Assessment": "pfps_ml.model.assess",
    "Bundle": "pfps_ml.model.bundle",
    "PfpsError": "pfps_ml.core.errors",
    "load_bundle": "pfps_ml.model.bundle",
    "released_bundle": "pfps_ml.model.bundle",
    "score_roster": "pfps_ml.batch.rosters",
}

__version__ = "0.2.0"
__all__ = ["Assessment", "Bundle", "PfpsError", "load_bundle", "released_bundle", "score_roster"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pfps_ml' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
