"""Options that more than one command has."""

from pathlib import Path
from typing import Annotated

import typer

# `pfps --help` lists the commands by who needs them first
PHYSIO = "For the physio of a club"
CLINICIAN = "For a clinician"
RESEARCHER = "For a researcher with a cohort"
ENGINEER = "For an engineer"

Sheet = Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Of a workbook with more than one roster.")]
Toml = Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE.toml", help="Write the map to a file.")]
Workbook = Annotated[bool, typer.Option("--xlsx", help="As a workbook, with lists to choose from and an example.")]
Answered = Annotated[Path, typer.Argument(metavar="SCORED", help="What `pfps score` wrote.", show_default=False)]
Mended = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="The rows, .csv, .xlsx or .parquet.")]

Page = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="The report, .html, or .pdf with a Chromium.")]
Hours = Annotated[
    float, typer.Option("--hours", min=0, max=10_000, metavar="H", help="Hours that there are for measuring.")
]
Flags = Annotated[int, typer.Option("--flags", min=1, metavar="N", help="How many runners can be seen first.")]
Since = Annotated[Path | None, typer.Option("--since", metavar="FILE", help="An earlier roster, to say what changed.")]

__all__ = [
    "CLINICIAN", "ENGINEER", "PHYSIO", "RESEARCHER", "Answered", "Flags", "Hours", "Mended", "Page",
    "Sheet", "Since", "Toml", "Workbook",
]  # fmt: skip
