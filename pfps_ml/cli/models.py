"""The commands about models: simulate, train, compare and release them; what they are trained on, and what they say.

Simulating, training, comparing and releasing are jobs of `pfps_ml.workflows`, and so are their options: a command
passes on what was typed, so that `pfps train` and `python -m pipelines.train` are the same, and `pfps --help` loads
no library of training.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from pfps_ml.cli.cohort import RESEARCHER
from pfps_ml.cli.roster import Folder, Out, bundle_of, deliver
from pfps_ml.core import Message, MissingLibrary
from pfps_ml.workflows.tables import show_differences, show_scenarios

CLINICIAN = "For a clinician"
# the job parses its own options, --help among them
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
_OURS = ("pfps_ml", "serving")

Pair = Annotated[tuple[str, str] | None, typer.Option("--diff", metavar="A B", help="Where two scenarios differ.")]

app = typer.Typer()


@app.command(rich_help_panel=CLINICIAN)
def card(bundle: Folder = None) -> None:
    """Show the model card: what the bundle was trained on, how well it does, and what it is not for."""
    from rich.markdown import Markdown

    Console().print(Markdown(bundle_of(bundle).card))


@app.command(rich_help_panel=CLINICIAN)
def dictionary(out: Out = None) -> None:
    """Print every field with its limits, meaning and source, as Markdown."""
    from pfps_ml.domain import dictionary_page

    deliver(dictionary_page(), out)


@app.command(rich_help_panel=RESEARCHER)
def scenarios(diff: Pair = None) -> None:
    """List the simulated worlds, or show where two of them differ, with the sources of both."""
    from pfps_ml.domain import load_scenario, scenario_names

    if diff is None:
        show_scenarios([load_scenario(name) for name in scenario_names()])
    else:
        show_differences(*map(load_scenario, diff))


@app.command(rich_help_panel=RESEARCHER, context_settings=_PASSED_ON)
def simulate(context: typer.Context) -> None:
    """Simulate a cohort of runners and patients, and the truth apart from them."""
    with _libraries():
        from pfps_ml.workflows.simulate import main

        _run(context, main)


@app.command(rich_help_panel=RESEARCHER, context_settings=_PASSED_ON)
def train(context: typer.Context) -> None:
    """Train a candidate on simulated frames, or with --cohort or --patients a bundle on real people."""
    with _libraries():
        from pfps_ml.workflows.train import main

        _run(context, main)


@app.command(rich_help_panel=RESEARCHER, context_settings=_PASSED_ON)
def compare(context: typer.Context) -> None:
    """Compare candidates on the same clubs and log it to MLflow; with --last, print the latest comparison again."""
    with _libraries():
        from pfps_ml.workflows.compare import main

        _run(context, main)


@app.command(rich_help_panel=RESEARCHER, context_settings=_PASSED_ON)
def release(context: typer.Context) -> None:
    """Release a candidate, or a bundle that was validated, if it passes the release gate."""
    with _libraries():
        from pfps_ml.workflows.release import main

        _run(context, main)


def _run(context: typer.Context, main: Callable[..., Any]) -> None:
    """Run a job with what was typed behind the name of its command."""
    job = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    job.command()(main)
    job(args=context.args, prog_name=f"pfps {context.info_name}")


@contextmanager
def _libraries() -> Iterator[None]:
    """Explain which extras a job needs where one of their libraries is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = str(error.name).split(".")[0]
        if library in _OURS:
            raise
        raise MissingLibrary(Message("training_library_missing", {"library": library})) from error


__all__ = ["app", "card", "compare", "dictionary", "release", "scenarios", "simulate", "train"]
