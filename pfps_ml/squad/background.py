"""The last pages: who is outside what the model has seen, how good the data are, what changed, how it was made."""

from pfps_ml.knowledge.contracts import origin_of
from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.squad.report_data import Answers
from pfps_ml.squad.drawing import percent
from pfps_ml.squad.forecast import WORLDS, club_spread
from pfps_ml.squad.page import chips, paragraphs, section, table
from pfps_ml.squad.formatting import points, runners


def unusual(found: Answers) -> str:
    """Name who is outside what the model has seen."""
    rows = list(found.screening.unusual())
    if not len(found.screening.squad):
        return ""
    if not rows:
        return section("Outside what the model has seen", paragraphs("Nobody."))
    about = "For these runners the model reaches beyond the data it was trained on. Check the value first."
    return section("Outside what the model has seen", paragraphs(about),
                   table(("Runner", "Field", "Value", "Seen in training"), rows))  # fmt: skip


def quality(found: Answers) -> str:
    """Say how many rows were used, which were not and why, and how much is known of the others."""
    squad = found.screening
    total, rejected = len(squad.roster.ids), list(squad.rejected())
    said = (f"{total} rows: {len(squad.squad)} scored, {len(squad.in_pain)} with knee pain now, "
            f"{total - len(squad.rows)} rejected.")  # fmt: skip
    parts = [paragraphs(said)]
    if rejected:
        twice = any("another row has too" in fault for _, fault in rejected)
        more = "An id that stands twice may mean that two seasons are in one file." if twice else ""
        parts += [table(("Rejected", "Why"), rejected), paragraphs(more)]
    if len(squad.squad):
        parts.append(_known(found))
    return section("How good the data are", *parts)


def _known(found: Answers) -> str:
    tiers = [(name.capitalize(), percent(share)) for name, share in found.screening.known_by_tier().items()]
    fields = sorted(found.screening.measured.items(), key=lambda item: item[1])
    rows = [(BY_NAME[name].label, percent(share)) for name, share in fields]
    return (table(("What is known, by how it is obtained", "of the squad#"), tiers)
            + f"<details><summary>By field</summary>{table(('Field', 'known#'), rows)}</details>")  # fmt: skip


def since(found: Answers) -> str:
    """Say what changed since the earlier file."""
    changes = found.changes
    if changes is None:
        return ""
    parts = [paragraphs(*changes.notes)]
    if changes.compared:
        moved = f"the risk of {len(changes.moved) or 'none'} moved by half a percentage point or more."
        parts.append(paragraphs(f"Of {runners(changes.compared)} scored in both files, {moved}"))
    if changes.moved:
        rows = [
            (move.runner, percent(move.before), percent(move.now), points(move.points), move.why)
            for move in changes.moved
        ]
        parts.append(table(("Runner", "then#", "now#", "points#", "What moved it most"), rows))
    for heading, names in (
        ("Knee pain since then", changes.in_pain),
        ("New", changes.new),
        ("No longer here", changes.gone),
        ("In both files, but rejected: not compared", changes.unread),
    ):
        parts.append(f"<h3>{heading}</h3>{chips(names)}" if names else "")
    return section("Since the earlier file", *parts)


def method(found: Answers) -> str:
    """Say in a few lines how the numbers came about."""
    bundle = found.screening.bundle
    trained, spread = bundle.manifest["trained_on"], club_spread(bundle)
    kind = "simulated " if trained["simulated"] else ""
    updated = "".join(origin_of(bundle.manifest).partition(", ")[1:])
    return section(
        "How these numbers came about",
        paragraphs(
            f"Model {bundle.name}, trained on {trained['runners']:,} {kind}runners of {trained['clubs']} "
            f"clubs{updated}. Its risks, reasons and intervals are those of `pfps score`.",
            f"The forecast counts cases over {WORLDS:,} ways that things may be: draws over what the evidence leaves "
            f"open, and a club that has more or fewer cases than others (standard deviation of the log rate "
            f"{spread.value:g}, {spread.low:g} to {spread.high:g}: an assumption). {_clubs(found)} Runners of one club "
            "share their club, so their cases come together and the range is wider than for strangers. The range is "
            "the shortest that holds nine in ten.",
            "What measuring brings is the expected number of coming cases among those seen first, with the measurement "
            "less without it. Nothing here says that seeing a runner prevents a case.",
        ),
        kind="method",
    )


def _clubs(found: Answers) -> str:
    """Say how many clubs the forecast counts with."""
    given = set(found.screening.club_names)
    count = len(given - {""})
    if not count:
        return "The file names no club, so all are taken for one." if given else ""
    named = "The file names 1 club." if count == 1 else f"The file names {count} clubs."
    return f"{named} Those without one are taken for one more." if "" in given else named


__all__ = ["method", "quality", "since", "unusual"]
