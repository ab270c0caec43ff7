"""Adds the released bundle to the wheel, so that an installed pfps-ml scores without a checkout or a training run."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ReleasedBundleHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling finds hooks by their base class
    """Put models/CURRENT and the bundle that it names into the wheel as pfps_ml/models/."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the bundle, or stop the build; an editable install reads the checkout's own models/."""
        if version == "editable":
            return
        models = Path(self.root) / "models"
        current = models / "CURRENT"
        if not current.is_file():
            self.app.abort(
                "expected models/CURRENT, which names the released bundle, but it is not there: run `make demo` first"
            )
        name = current.read_text(encoding="utf-8").strip()
        if not name or Path(name).name != name or not (models / name / "manifest.json").is_file():
            self.app.abort(
                f"models/CURRENT names {name!r}, but models/ has no such folder with a manifest.json: "
                "run `make demo` first"
            )
        build_data["force_include"] |= {
            str(current): "pfps_ml/models/CURRENT",
            str(models / name): f"pfps_ml/models/{name}",
        }


__all__ = ["ReleasedBundleHook"]
