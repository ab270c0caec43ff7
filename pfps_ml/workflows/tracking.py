"""What happened, told to MLflow: pipelines yield records, and one loop logs them.

The only file that knows MLflow. It is also the code of the logged model (models from code): MLflow keeps a copy
of it beside the bundle's JSON files, so a model that it loads holds no pickle.
"""

import gc
import io
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from pfps_ml import __version__
from pfps_ml.batch.scoring import score_rows
from pfps_ml.core import (
    Artifact,
    Child,
    Dataset,
    FactError,
    InputError,
    Message,
    Metric,
    MissingLibrary,
    Model,
    OutputError,
    Param,
    Record,
    Tag,
    destination,
)
from pfps_ml.domain import INPUTS, VISIT, check
from pfps_ml.model import Bundle, load_bundle

HOME = Path("mlruns")
_PATIENCE = 1.0  # seconds for a thread to end
_DIGEST = 36  # characters; MLflow keeps no more of a dataset's digest
_SERVERS = ("http", "https", "databricks", "databricks-uc", "uc")
_MANNERS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",  # a machine without git is no reason for a warning
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # of a server that is not there: 12 seconds of waiting, not minutes
}


def track(
    records: Iterable[Record], run_name: str, experiment: str = "pfps", uri: str | None = None, home: Path = HOME
) -> str:
    """Log one run and return its id.

    Parameters
    ----------
    records
        What happened; may be yielded while it happens. If that fails, the run is marked as failed.
    run_name, experiment
        What the run is called, and the experiment that it is put under; made if it is not there.
    uri
        Where MLflow keeps runs: a database or a server; else MLFLOW_TRACKING_URI, else SQLite in `home`.
    home
        The folder of the default database, and of the artifacts of any database.

    Raises
    ------
    FactError
        If the address is a folder, which MLflow no longer writes to.
    MissingLibrary
        If MLflow is not installed.
    OutputError
        If the store cannot be written, or refuses a record.
    """
    address = _address(uri, home)
    with _connected(address) as mlflow:
        with _refusals(mlflow, address):
            number = _experiment(mlflow, experiment, address, home)
            run = mlflow.start_run(experiment_id=number, run_name=run_name)
        with run:
            for record in records:
                with _refusals(mlflow, address):
                    _log(mlflow, record)
        return str(run.info.run_id)


def expect_store(uri: str | None = None, home: Path = HOME) -> None:
    """Refuse, before any work, what `track` would refuse after it; parameters and errors are those of `track`."""
    _address(uri, home)
    _mlflow()


def latest_table(
    tag: Tag, artifact: str, experiment: str, uri: str | None = None, home: Path = HOME
) -> tuple[dict[str, str], pd.DataFrame]:
    """Return the newest finished run with a tag: its params and name, and one of its tables.

    Parameters
    ----------
    tag
        What the run is marked with.
    artifact
        The CSV file to read.
    experiment, uri, home
        As for `track`.

    Raises
    ------
    InputError
        If there is no such run.
    OutputError
        If the store cannot be read.
    """
    address = _address(uri, home)
    if not uri and "MLFLOW_TRACKING_URI" not in os.environ and not (home / "mlflow.db").exists():
        raise InputError(Message("nothing_tracked", {"home": str(home)}))
    with _connected(address) as mlflow, _refusals(mlflow, address):
        wanted = f"tags.`{tag.name}` = '{tag.value}' and attributes.status = 'FINISHED'"
        known = mlflow.get_experiment_by_name(experiment)
        runs = known and mlflow.MlflowClient().search_runs([known.experiment_id], wanted, max_results=1)
        if not runs:
            raise InputError(Message("run_not_tracked", {"tag": tag.name, "value": tag.value}))
        text = mlflow.artifacts.load_text(f"{runs[0].info.artifact_uri}/{artifact}")
    return {**runs[0].data.params, "run": runs[0].info.run_name}, pd.read_csv(io.StringIO(text))


def _address(uri: str | None, home: Path) -> str:
    default = f"sqlite:///{destination(home / 'mlflow.db').as_posix()}"
    address = uri or os.environ.get("MLFLOW_TRACKING_URI") or default
    scheme = urlsplit(address).scheme
    if scheme == "file" or not (scheme or address in _SERVERS):
        raise FactError(Message("tracking_address_is_folder", {"address": address, "default": default}))
    return address


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Lend MLflow, turned to one address; leave the process's own address, and MLflow's voice, as they were."""
    mlflow = _mlflow()
    from mlflow.utils.logging_utils import enable_logging

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(address)
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before
        enable_logging()
    gc.collect()  # MLflow's stores hold themselves in circles, and their threads end with them
    for thread in filter(lambda each: each.name.startswith("Mlflow"), threading.enumerate()):
        thread.join(_PATIENCE)


def _mlflow() -> Any:
    for name, value in _MANNERS.items():
        os.environ.setdefault(name, value)  # MLflow reads some of them while it is imported
    try:
        with _unwarned():
            import mlflow
            import mlflow.pyfunc  # here, because importing it makes MLflow talkative again
    except ImportError as error:
        raise MissingLibrary(Message("mlflow_missing")) from error
    return mlflow


@contextmanager
def _unwarned() -> Iterator[None]:
    with warnings.catch_warnings():
        # MLflow warns of its own code: of its database library, and of type hints in classes that are not ours
        warnings.filterwarnings("ignore", module=r"(mlflow|sqlalchemy)\b")
        yield


@contextmanager
def _refusals(mlflow: Any, address: str) -> Iterator[None]:
    """Let MLflow do one thing in silence: no word on migrations, links and versions; what it refuses is ours."""
    from mlflow.utils.logging_utils import disable_logging
    from sqlalchemy.exc import SQLAlchemyError

    disable_logging()  # again for each record: parts of MLflow that are loaded in between turn its voice on
    try:
        with _unwarned():
            yield
    except (mlflow.MlflowException, SQLAlchemyError, OSError) as error:
        # the address may hold a password, and the message of a refusal what was refused
        raise OutputError(
            Message(
                "tracking_refused",
                {
                    "address": urlsplit(address).scheme or address,
                    "reason": type(error).__name__,
                    "version": mlflow.__version__,
                },
            )
        ) from error


def _experiment(mlflow: Any, name: str, address: str, home: Path) -> str:
    place = None
    if not {urlsplit(address).scheme, address}.intersection(_SERVERS):
        # a server knows where artifacts go; a database would put them under the working directory
        home.mkdir(parents=True, exist_ok=True)
        place = destination(home / "artifacts").as_uri()
    experiment = mlflow.get_experiment_by_name(name)
    return str(experiment.experiment_id if experiment else mlflow.create_experiment(name, artifact_location=place))


def _log(mlflow: Any, record: Record) -> None:
    match record:
        case Param(name, value):
            mlflow.log_param(name, value)
        case Tag(name, value):
            mlflow.set_tag(name, value)
        case Metric(name, value, low, high):
            ends = {name: value, f"{name}_low": low, f"{name}_high": high}
            mlflow.log_metrics({key: float(number) for key, number in ends.items() if number is not None})
        case Artifact(path, folder):
            mlflow.log_artifact(str(path), folder or None)
        case Child(name, records):
            beside = mlflow.active_run().info.experiment_id  # or it would be put under "Default"
            with mlflow.start_run(experiment_id=beside, run_name=name, nested=True):
                for each in records:
                    _log(mlflow, each)
        case Dataset():
            mlflow.log_input(_described(record), record.context)
        case _:
            _log_model(mlflow, record)


def _described(record: Dataset) -> Any:
    """Describe a frame by the types of its columns: MLflow is never handed the frame, so it can keep no row."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = CodeDatasetSource(tags={"pfps_ml": __version__})
    return MetaDataset(source, record.name, record.digest[:_DIGEST], _schema(record.frame))


def _log_model(mlflow: Any, record: Model) -> None:
    bundle = load_bundle(record.bundle_path)
    logged = mlflow.pyfunc.log_model(
        name=record.name,
        python_model=__file__,
        artifacts={"bundle": str(record.bundle_path)},
        signature=_signature(bundle),
        pip_requirements=[f"mlflow=={mlflow.__version__}", f"pfps-ml=={__version__}"],
        registered_model_name=record.name,
        metadata={"bundle": bundle.name},
    )
    mlflow.MlflowClient().set_registered_model_alias(record.name, record.alias, logged.registered_model_version)


def _signature(bundle: Bundle) -> Any:
    """Return every input field as an optional column, and the columns that come back."""
    from mlflow.models import ModelSignature

    kinds = {field.name: "float64" if field.kind in ("number", "whole") else "str" for field in INPUTS}
    fields = pd.DataFrame(columns=list(kinds)).astype(kinds)
    return ModelSignature(inputs=_schema(fields), outputs=_schema(_scored(bundle, fields)))


def _schema(frame: pd.DataFrame) -> Any:
    from mlflow.types import ColSpec, Schema

    kinds = {name: "double" if pd.api.types.is_numeric_dtype(frame[name]) else "string" for name in frame}
    return Schema([ColSpec(kind, str(name), required=False) for name, kind in kinds.items()])


def _scored(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """Score a frame as a roster is scored, but for the rule on shared ids: rows of a frame need none.

    A text that is not there is blank, as in a CSV file: under Spark, MLflow would write it as 'nan'.
    """
    visit = any(field.name in frame for field in VISIT)
    scored = score_rows(bundle, check(frame), visit).set_axis(frame.index, axis=0)
    texts = [name for name in scored if not pd.api.types.is_numeric_dtype(scored[name])]
    return scored.assign(**scored[texts].fillna(""))


def _offer() -> None:
    """Hand MLflow the model that it loads and serves; it is a class because MLflow demands one."""
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class PfpsModel(PythonModel):
        """A bundle behind MLflow's door: raw rows in, assessed rows out, in the same order."""

        def load_context(self, context: Any) -> None:
            self.bundle = load_bundle(Path(context.artifacts["bundle"]))

        def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
            return _scored(self.bundle, model_input)

    set_model(PfpsModel())


if __name__ != "pfps_ml.workflows.tracking":  # MLflow runs this file under a name of its own, and asks for the model
    _offer()

__all__ = ["HOME", "expect_store", "latest_table", "track"]
