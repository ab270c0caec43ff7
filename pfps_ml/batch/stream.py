"""A roster of any size, scored in pieces on all cores in constant memory, and gone on with after a run that was killed.

The main process reads and hands out pieces; worker processes turn each into a part of the output; the parts are put
together in order, so the result depends neither on the number of workers nor on how many rows are assessed at once.
A file of one piece is scored where it is read, without workers or parts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from pfps_ml.batch.checkpoints import Parts, Stamp, check_steady, parts_beside, stamp_of
from pfps_ml.batch.scoring import CHUNK, scored_columns
from pfps_ml.batch.workers import ParallelMap, cores, in_turn, working
from pfps_ml.core import GO_ON, check_output, destination, explained, written_whole
from pfps_ml.io.cells import Dialect
from pfps_ml.io.csv_chunks import Span
from pfps_ml.io.duplicates import Shared, find_shared, plain_ids, with_newest
from pfps_ml.io.mapping import Mapping, load_mapping
from pfps_ml.io.output_writer import join, write_part
from pfps_ml.io.readers import (
    ENDINGS,
    Format,
    Piece,
    Size,
    Source,
    extent,
    open_source,
    pieces,
    read_piece,
    written_format,
)
from pfps_ml.io.roster import (
    NAMES,
    ColumnLayout,
    Summary,
    answers_of,
    column_layout,
    has_decimal_comma,
    id_texts,
    of_other_events,
    read_rows,
    summary_of,
)
from pfps_ml.model import Bundle, digest, dump

ProgressCallback = Callable[[str, float, int], None]


@dataclass(frozen=True)
class RunOptions:
    """How a run is spread over processes and pieces, which changes no row; and how strict it is, which does.

    Attributes
    ----------
    workers
        Processes; as many as there are cores if None.
    chunk
        Rows assessed at once.
    size
        What one piece of a file is. A piece of the input is a row group of a Parquet output.
    cluster
        For a data set: the address of a Dask cluster, or None in its place for one on this machine.
    strict
        Whether any fault rejects its row; else one of an optional cell costs that cell alone.
    in_turn
        Whether a file of several pieces is scored in this process, without parts that a run could go on from.
    """

    workers: int | None = None
    chunk: int = CHUNK
    size: Size = field(default_factory=Size)
    cluster: tuple[str | None] | None = None
    strict: bool = False
    in_turn: bool = False


@dataclass(frozen=True)
class Task:
    """What is needed to turn any piece of one file into a part of the output.

    Attributes
    ----------
    source, layout
        The file, and what its columns are.
    out_format
        The format of the output.
    dialect
        How CSV is written, if the output is CSV.
    options
        How the run is spread over processes and pieces.
    shared
        The ids that more than one row has.
    spans
        The pieces of a CSV file, once they are known.
    stamp
        What the disk said of the file before it was read.
    """

    source: Source
    layout: ColumnLayout
    out_format: Format
    dialect: Dialect
    options: RunOptions
    shared: Shared = field(default_factory=Shared)
    spans: tuple[Span, ...] = ()
    stamp: Stamp | None = None


@dataclass(frozen=True)
class WorkerContext:
    """What a worker needs: the task, the released model, the folder of parts, and the output."""

    task: Task
    bundle: Bundle
    parts: Parts
    out: Path


def silent(_step: str, _share: float, _rows: int) -> None:
    """Report no progress."""


def score_file(
    source: Path,
    out: Path,
    bundle: Bundle,
    mapping: Path | Mapping | None,
    options: RunOptions,
    progress: ProgressCallback,
) -> Summary:
    """Score one file; see `pfps_ml.batch.rosters.score_roster`."""
    check_output(out, ENDINGS)
    progress("Reading", 0, 0)
    task = open_task(source, load_mapping(mapping), written_format(out), options)
    if options.in_turn or task.source.is_one_piece(options.size):
        task = settled(task, in_turn(task), progress)
        with written_whole(out) as file:
            return score_in_turn(task, bundle, file, progress)
    workers = options.workers or cores()
    with working(workers, task) as parallel_map:
        task = settled(task, parallel_map, progress)
    run = {
        "input": task.source.digest,
        "ending": task.out_format.ending,
        **run_of(bundle, task.layout.mapping, options),
    }
    with explained(out), parts_beside(destination(out), run) as parts:
        context = WorkerContext(task, bundle, parts, out)
        with working(workers, context) as parallel_map, written_whole(out, parts.folder) as file:
            return _score_in_parts(context, parallel_map, file, progress)


def open_task(source: Path, mapping: Mapping, out_format: Format, options: RunOptions, part: bool = False) -> Task:
    """Look at a roster, or at a part of a data set (which may be empty), and decide what its columns are.

    Raises
    ------
    InputError
        As for `pfps_ml.batch.rosters.score_roster`.
    """
    stamp = stamp_of(source)
    opened = open_source(source, NAMES.union(mapping.sources, mapping.other_sides), whole=not part, sheet=mapping.sheet)
    layout = column_layout(replace(opened, rows=1) if part else opened, mapping)
    return Task(opened, layout, out_format, opened.dialect, options, stamp=stamp)


def settled(task: Task, parallel_map: ParallelMap, progress: ProgressCallback) -> Task:
    """Find what only a whole file can tell: the ids that several rows share, and how it writes its numbers."""
    place, spans = task.layout.places["runner_id"] if task.layout.mapping.event is None else None, dict[Span, None]()

    def noted() -> Iterator[Piece]:
        for piece in pieces(task.source, task.options.size, place):
            if isinstance(piece, Span):
                spans[piece] = None
            yield piece

    def every(function: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        items = ((piece, function, arguments) for piece in noted())
        for share, result in _shares(parallel_map, of_ids, items, task.source):
            progress("Reading", share, 0)
            yield result

    shared = find_shared(every, task.source.digest)
    if task.layout.newest >= 0 and task.layout.mapping.event is None and len(shared.hashes):
        shared = with_newest(shared, _ids_and_times(task))
    dialect = task.dialect
    if task.out_format.is_text and task.layout.decimal_comma:
        sheets = (read_piece(task.source, span) for span in spans)
        comma = any(has_decimal_comma(sheet, task.layout) for sheet in sheets)
        dialect = replace(dialect, decimal="," if comma else ".")
    return replace(task, shared=shared, dialect=dialect, spans=tuple(spans))


def _ids_and_times(task: Task) -> Iterator[tuple[pd.Series, Callable[[Sequence[int]], list[tuple[str, str]]]]]:
    """Yield the ids and the times of a file, piece by piece."""
    for piece in pieces(task.source, task.options.size):
        table = read_piece(task.source, piece).table
        ids = id_texts(table.column(task.layout.places["runner_id"]), task.layout)
        yield plain_ids(ids), answers_of(table, task.layout)


def of_ids(task: Task, piece: Piece, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Apply a function to the ids of a piece; a worker's work in the first pass."""
    if task.layout.mapping.event is not None:
        table = read_piece(task.source, piece).table
        ids = plain_ids(id_texts(table.column(task.layout.places["runner_id"]), task.layout))
        return function(ids.where(~of_other_events(table, task.layout)), *arguments)
    column = read_piece(task.source, piece, [task.layout.places["runner_id"]]).table.column(0)
    return function(plain_ids(id_texts(column, task.layout)), *arguments)


def score_in_turn(task: Task, bundle: Bundle, file: BinaryIO, progress: ProgressCallback) -> Summary:
    """Score a file piece by piece in this process."""
    summaries = list[Summary]()

    def tables() -> Iterator[Any]:
        done = 0
        for piece in pieces(task.source, task.options.size):
            progress("Scoring", done / task.source.extent, sum(part.rows for part in summaries))
            table, summary = score_piece(task, bundle, piece)
            summaries.append(summary)
            done += extent(piece)
            yield table
        progress("Writing", 1, sum(part.rows for part in summaries))

    join(file, tables(), task.out_format, task.dialect)
    return total(summaries)


def score_piece(task: Task, bundle: Bundle, piece: Piece) -> tuple[Any, Summary]:
    """Return some rows of the output, and their account.

    Raises
    ------
    InputError
        If the file is damaged, or was written to since it was first looked at.
    """
    rows = read_rows(read_piece(task.source, piece), task.layout, task.shared, task.options.strict)
    table = rows.table
    for name, column in scored_columns(bundle, rows.checked, task.layout.visit, task.options.chunk).items():
        table = table.append_column(name, column)
    # after the reading, so that no rows of another file are ever kept
    check_steady(task.source.path, task.stamp)
    return table, summary_of(rows.checked)


def digest_of_map(mapping: Mapping) -> str:
    """Return what a map is known by, in any process: a set of names has another order in each."""
    return digest(
        repr(
            (mapping.columns, mapping.constants, sorted(mapping.leave), mapping.sheet, mapping.newest, mapping.event)
        ).encode()
    )


def total(summaries: Iterable[Summary]) -> Summary:
    """Return the account of several parts as one."""
    parts, problems = list(summaries), Counter[str]()
    for part in parts:
        problems.update(part.problems)
    counts = ((part.rows, part.scored, part.partly, part.rejected) for part in parts)
    rows, scored, partly, rejected = (sum(column) for column in zip((0, 0, 0, 0), *counts, strict=True))
    return Summary(rows, scored, partly, rejected, dict(problems.most_common()))


def _score_in_parts(
    context: WorkerContext, parallel_map: ParallelMap, file: BinaryIO, progress: ProgressCallback
) -> Summary:
    """Let workers keep the parts, and put each into the output as soon as those before it are there."""
    task, summaries = context.task, list[Summary]()

    def paths() -> Iterator[Path]:
        for share, summary in _shares(parallel_map, keep_piece, _numbered(task), task.source):
            yield context.parts.path(len(summaries))
            summaries.append(summary)
            progress("Scoring", share, sum(part.rows for part in summaries))
        progress("Writing", 1, sum(part.rows for part in summaries))

    progress("Scoring", 0, 0)
    join(file, paths(), task.out_format, task.dialect)
    return total(summaries)


def keep_piece(context: WorkerContext, piece: Piece, number: int) -> Summary:
    """Keep a part of the output if it is not there yet; a worker's work in the second pass."""
    with explained(context.out, GO_ON):
        summary = context.parts.whole(number)
        if summary is None:
            table, summary = score_piece(context.task, context.bundle, piece)
            task = context.task
            write = partial(
                write_part, table=table, file_format=task.out_format, dialect=task.dialect, first=number == 0
            )
            context.parts.keep(number, write, summary)
    return summary


def _numbered(task: Task) -> Iterator[tuple[Piece, int]]:
    return ((piece, number) for number, piece in enumerate(task.spans or pieces(task.source, task.options.size)))


def _shares(
    parallel_map: ParallelMap, function: Callable[..., Any], items: Iterable[Any], source: Source
) -> Iterator[tuple[float, Any]]:
    """Yield the results of work on pieces, each with the share of the file that it and those before it are."""
    extents = list[int]()

    def handed_out() -> Iterator[Any]:
        for item in items:
            extents.append(extent(item[0]))
            yield item

    done = 0
    for at, result in enumerate(parallel_map(function, handed_out())):
        done += extents[at]
        yield done / source.extent, result


def run_of(bundle: Bundle, mapping: Mapping, options: RunOptions) -> dict[str, Any]:
    """Return what the result of a run depends on, beside its input: parts of another run are never gone on with."""
    return {
        "bundle": digest(dump(bundle.manifest)), "version": version("pfps-ml"),
        "map": digest_of_map(mapping), "size": asdict(options.size), "strict": options.strict,
    }  # fmt: skip


__all__ = [
    "ProgressCallback",
    "RunOptions",
    "Task",
    "WorkerContext",
    "digest_of_map",
    "keep_piece",
    "of_ids",
    "open_task",
    "run_of",
    "score_file",
    "score_in_turn",
    "score_piece",
    "settled",
    "silent",
    "total",
]  # fmt: skip
