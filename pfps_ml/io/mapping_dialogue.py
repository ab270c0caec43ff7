"""The dialogue about a proposed map: its questions, what their answers make of it, and the map as a text.

Questions are data, one list for the terminal, the page and the service.
"""

import datetime as dt
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping as Dictionary
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pfps_ml.core import InputError, InvalidInput, Message
from pfps_ml.domain import BY_NAME, YES_NO, Field
from pfps_ml.domain.synonyms import facts, plain, units_of
from pfps_ml.io.mapping import BORN, LEVER_ARMS, OPEN, load_mapping
from pfps_ml.io.mapping_suggestions import Proposal, Proposed

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ANY = "any of them"
LEAVE = "leave"  # the answer that leaves a column out
_ORDER = ("ask_required", "ask_pain", "ask_name", "ask_column", "ask_unit", "ask_weight_unit", "ask_notation",
          "ask_pain_scale", "ask_decimal", "ask_lever_arm", "ask_date_order", "ask_serial", "ask_levels", "ask_unread",
          "ask_event", "ask_sides")  # fmt: skip
_PAIN = "current_knee_pain"


@dataclass(frozen=True)
class Question:
    """What only a person who knows the file can answer.

    Attributes
    ----------
    id
        The code and the first column, or the field, by which an answer is given.
    columns
        The columns that it is about.
    code, text
        What is asked, for programs and for people.
    samples
        Some values of the columns, if they are numbers or levels.
    choices
        The answers to choose from; none where a number is asked for.
    default
        The answer of somebody who says nothing: one of the choices, or `leave`. Blank where there must be an answer.
    """

    id: str
    columns: tuple[str, ...]
    code: str
    text: str
    samples: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    default: str = LEAVE

    def as_dict(self) -> dict[str, Any]:
        """Return the question as JSON values."""
        return {"id": self.id, "columns": list(self.columns), "code": self.code, "text": self.text,
                "samples": list(self.samples), "choices": list(self.choices), "default": self.default}  # fmt: skip


def questions_of(proposed: Proposed) -> list[Question]:
    """Return the questions of a proposal: what is required, unread pain, units, codes, sides.

    A column has one question at a time; an answer may bring its next one.
    """
    asked = [_required(name, proposed) for name in proposed.lacking]
    if proposed.events and proposed.event is None:
        text, choices = Message("ask_event").text, (*proposed.events[1:], LEAVE)
        name = proposed.events[0]
        asked.append(Question(f"ask_event:{name}", (name,), "ask_event", text, (), choices, choices[0]))
    seen = set[str]()
    for column in proposed.columns:
        if column.question and not (column.question.code == "ask_column" and column.field in seen):
            seen.add(column.field)
            asked.append(_question(column, column.question, proposed))
    return sorted(asked, key=lambda question: (not _is_required(question, proposed), _ORDER.index(question.code)))


def _is_required(question: Question, proposed: Proposed) -> bool:
    fields = [column.field for column in proposed.columns if column.column in question.columns]
    return question.code == "ask_required" or any(field and BY_NAME[field].required for field in fields)


def _required(name: str, proposed: Proposed) -> Question:
    unread = tuple(column.column for column in proposed.columns if not column.field)
    everybody = tuple(f"all {level}" for level in BY_NAME[name].levels)
    text = Message("ask_required", {"field": name}).text
    return Question(f"ask_required:{name}", unread, "ask_required", text, (), (*unread, *everybody), "")


def _question(column: Proposal, message: Message, proposed: Proposed) -> Question:
    columns, choices, default = column.columns, _choices(column, message), LEAVE
    if message.code == "ask_column":
        columns = tuple(other.column for other in proposed.columns if other.field == column.field)
        choices = (*columns, *([_ANY] if BY_NAME[column.field].levels == YES_NO else []), LEAVE)
    if message.code in (
        "ask_sides",
        "ask_serial",
        "ask_notation",
        "ask_pain_scale",
        "ask_weight_unit",
        "ask_date_order",
    ):
        default = choices[0]
    if default == LEAVE and (BY_NAME[column.field].required or column.field == _PAIN):
        default = ""  # nobody is scored by a slip of the Enter key
    name = column.field if message.code == "ask_column" else column.column
    return Question(f"{message.code}:{name}", columns, message.code, message.text, column.samples, choices, default)


def _choices(column: Proposal, message: Message) -> tuple[str, ...]:
    about = BY_NAME[column.field]
    if message.code == "ask_levels":
        codes = list((column.declared or {}).get("levels", {}))
        pairs = [", ".join(f"{code} = {level}" for code, level in zip(codes, levels, strict=False))
                 for levels in (about.levels, about.levels[::-1])] if len(codes) == 2 else []  # fmt: skip
        return (*pairs, LEAVE)
    return {
        "ask_pain": ("yes", "no"), "ask_name": ("yes", "no"), "ask_date_order": BORN[:2],
        "ask_serial": ("serial", LEAVE),
        "ask_decimal": (",", "."), "ask_pain_scale": ("0 to 10", "0 to 100"), "ask_weight_unit": ("lb", "kg"),
        "ask_notation": (str(message.parameters.get("notation")), "decimal"), "ask_unread": (LEAVE,),
        "ask_unit": (*_main_units(about), LEAVE), "ask_lever_arm": (),
        "ask_sides": (str(message.parameters.get("rule")), "the first alone", LEAVE),
    }.get(message.code, (LEAVE,))  # fmt: skip


def _main_units(about: Field) -> list[str]:
    """Return the units that a field may come in, each once, by its first name."""
    if about.unit == "Nm/kg":
        return ["Nm/kg", "Nm"]
    names = dict[float, str]()
    for name, factor in facts()["units"].get(about.unit, {}).items():
        names.setdefault(factor, name)
    return list(names.values())


def answered(proposed: Proposed, question: Question, answer: str) -> Proposed:
    """Return a proposal with one question answered.

    Raises
    ------
    InputError
        If the answer is none of the choices, or no number where one is asked for.
    """
    answer = answer.strip() or question.default
    if question.code == "ask_required":
        return _with_required(proposed, question, answer)
    if question.code == "ask_event":
        if answer not in question.choices:
            raise InputError(Message("answer_invalid", {"choices": question.choices}))
        return replace(proposed, event=answer) if answer != LEAVE else replace(proposed, events=())
    if question.code == "ask_column":
        return _with_column(proposed, question, answer)
    columns = [_answered(column, question, answer) if column.column == question.columns[0] else column
               for column in proposed.columns]  # fmt: skip
    return replace(proposed, columns=tuple(columns))


def _answered(column: Proposal, question: Question, answer: str) -> Proposal:
    if answer == LEAVE or (question.code in ("ask_pain", "ask_name") and answer == "no"):
        return Proposal(column.column, declared={LEAVE: True}, others=column.others)
    declared, rest = dict(column.declared or {}), column.questions[1:]
    changes = _changes(column, question, answer)
    if changes is None:
        raise InputError(
            Message("answer_invalid", {"choices": question.choices or (f"{LEVER_ARMS[0]} to {LEVER_ARMS[1]}",)})
        )
    others = () if answer == "the first alone" else column.others
    declared = {key: value for key, value in {**declared, **changes}.items() if value is not None}
    return replace(column, declared=declared, questions=rest, others=others)


def _changes(column: Proposal, question: Question, answer: str) -> dict[str, Any] | None:
    """Return what an answer changes in what a map says of a column; None if it is no answer."""
    if question.code == "ask_lever_arm":
        with suppress(ValueError):
            metres = float(answer.replace(",", "."))
            return {"lever_arm_m": metres} if LEVER_ARMS[0] <= metres <= LEVER_ARMS[1] else None
        return None
    if question.code == "ask_levels":
        return _levels(column, answer)
    if answer not in question.choices:
        return None
    if question.code in ("ask_unit", "ask_weight_unit"):
        unit = units_of(BY_NAME[column.field])[plain(answer)]
        return {"factor": None if unit.factor == 1 else unit.factor, "per_kg": True if unit.needs else None}
    large = {"cm": 30.48, "kg": 6.35029318}.get(BY_NAME[column.field].unit)
    changes: dict[str, dict[str, Any]] = {
        "ask_pain_scale": {"factor": 10 if answer == "0 to 10" else None}, "ask_decimal": {"decimal": answer},
        "ask_date_order": {"born": answer}, "ask_serial": {"born": answer},
        "ask_notation": {"notation": None, "factor": large} if answer == "decimal" else {"notation": answer},
        "ask_sides": {"combine": None, "split": None} if answer == "the first alone" else {},
    }  # fmt: skip
    return changes.get(question.code, {})


def _levels(column: Proposal, answer: str) -> dict[str, Any] | None:
    """Return the levels of an answer such as `1 = male, 2 = female`."""
    pairs = [part.split("=") for part in answer.split(",")]
    known = BY_NAME[column.field].levels
    if not all(len(pair) == 2 and pair[1].strip() in known for pair in pairs):
        return None
    return {"levels": {theirs.strip(): ours.strip() for theirs, ours in pairs}}


def _with_required(proposed: Proposed, question: Question, answer: str) -> Proposed:
    name = question.id.partition(":")[2]
    if answer not in question.choices:
        raise InputError(Message("answer_invalid", {"choices": question.choices}))
    lacking = tuple(field for field in proposed.lacking if field != name)
    if answer.startswith("all ") and answer not in question.columns:
        constant = Proposal("", name, (), {"value": answer.removeprefix("all ")})
        return replace(proposed, columns=(*proposed.columns, constant), lacking=lacking)
    columns = [
        replace(column, field=name, declared={}) if column.column == answer else column for column in proposed.columns
    ]
    return replace(proposed, columns=tuple(columns), lacking=lacking)


def _with_column(proposed: Proposed, question: Question, answer: str) -> Proposed:
    if answer not in question.choices:
        raise InputError(Message("answer_invalid", {"choices": question.choices}))
    if answer == _ANY:
        first = next(column for column in proposed.columns if column.column in question.columns)
        levels = {code: level for column in proposed.columns if column.column in question.columns
                  for code, level in (column.declared or {}).get("levels", {}).items()}  # fmt: skip
        declared = {**(first.declared or {}), **({"levels": levels} if levels else {}), "combine": "any"}
        together = replace(first, declared=declared, questions=_after_choice(first), others=tuple(question.columns[1:]))
        kept = [together if column is first else column for column in proposed.columns
                if column is first or column.column not in question.columns]  # fmt: skip
        return replace(proposed, columns=tuple(kept))
    return replace(proposed, columns=tuple(
        column if column.column not in question.columns
        else replace(column, questions=_after_choice(column)) if column.column == answer
        else Proposal(column.column, declared={LEAVE: True}, others=column.others)
        for column in proposed.columns
    ))  # fmt: skip


def _after_choice(column: Proposal) -> tuple[Message, ...]:
    """Return the questions that are left once somebody has said which field a column is."""
    return tuple(question for question in column.questions if question.code not in ("ask_column", "ask_name"))


def answers(proposed: Proposed, read: Callable[[str], str] | None, show: Callable[[str], None]) -> Proposed:
    """Ask the questions of a proposal one at a time, and return it with the answers.

    Enter takes the default, `s` leaves the column out, `q` ends without a map.

    Parameters
    ----------
    read
        Shows what is asked for and returns a line; None where nobody can answer.
    show
        Shows a line.

    Raises
    ------
    InputError
        If nobody can answer, with the questions; or if somebody ends the dialogue.
    """
    questions = questions_of(proposed)
    if questions and read is None:
        asked = [f"{', '.join(question.columns)}: {question.text}" for question in questions]
        raise InputError(Message("ask_without_terminal", {"n": len(asked), "questions": " ".join(asked)}))
    skipped = set[str]()
    while read and (left := [question for question in questions_of(proposed) if question.id not in skipped]):
        question = left[0]
        for line in _shown(question, len(left)):
            show(line)
        try:
            answer = read("> ").strip()
        except EOFError:
            answer = "q"
        if answer == "q":
            raise InputError(Message("ask_ended"))
        if answer == "s" and question.code == "ask_required":
            skipped.add(question.id)
            continue
        try:
            proposed = answered(proposed, question, LEAVE if answer == "s" else _chosen(question, answer))
        except InputError as error:
            show(error.message)
    return proposed


def with_answers(proposed: Proposed, given: object) -> Proposed:
    """Return a proposal with the answers that a program sends, in their order.

    Parameters
    ----------
    given
        Objects with the `id` of a question and its `answer`, as `json.loads` returns them.

    Raises
    ------
    InputError
        If they have another shape, or one answers no open question. No cell and no name of the file is in its text.
    """
    if not isinstance(given, list) or not all(map(_is_answer, given)):
        raise InputError(Message("answers_unreadable"))
    for place, answer in enumerate(given, start=1):
        question = next((each for each in questions_of(proposed) if each.id == answer["id"]), None)
        try:
            if question is None:
                raise InputError(Message("answer_invalid", {"choices": ()}))
            proposed = answered(proposed, question, answer["answer"])
        except InputError as error:
            raise InputError(Message("answer_of_list_invalid", {"place": place})) from error
    return proposed


def _is_answer(given: object) -> bool:
    return (
        isinstance(given, dict) and set(given) == {"id", "answer"} and all(isinstance(v, str) for v in given.values())
    )


def dialogue_of(proposed: Proposed) -> dict[str, Any]:
    """Return a proposal as JSON values: the open questions, the map so far, what each column is read as, and the rest.

    `needed` says whether a map is needed at all; `unread` are the columns that are no field that we know.
    """
    columns = [{"columns": list(column.columns), "field": column.field, "samples": list(column.samples),
                "open": bool(column.questions), "notes": [note.text for note in column.notes]}
               for column in proposed.columns if column.field]  # fmt: skip
    return {"needed": proposed.needed, "questions": [question.as_dict() for question in questions_of(proposed)],
            "columns": columns, "unread": unread_of(proposed), "map": map_text(proposed),
            "no_runners": [{"row": row, "text": text} for row, text in proposed.no_runners]}  # fmt: skip


def _shown(question: Question, left: int) -> Iterator[str]:
    yield ""
    yield f"{left}. {', '.join(map(_in_comment, question.columns))}: {question.text}"
    if question.samples:
        yield f"   {', '.join(map(_in_comment, question.samples))}"
    for number, choice in enumerate(question.choices, start=1):
        yield f"   {number}) {choice}{'   (Enter)' if choice == question.default else ''}"
    ends = "Enter: leave it out; " if question.default == LEAVE and LEAVE not in question.choices else ""
    yield f"   {ends}s: leave it out; q: end without a map"


def _chosen(question: Question, answer: str) -> str:
    """Return the choice with that number, or the answer itself."""
    return (
        question.choices[int(answer) - 1] if answer.isdigit() and 0 < int(answer) <= len(question.choices) else answer
    )


def like(proposed: Proposed, path: Path) -> Proposed:
    """Return a proposal for the second file of a club that says what the map of the first one says.

    What the map names and the file has is read as the map says, without a question; what the map leaves out stays
    out; what the file has besides is proposed as ever.

    Raises
    ------
    InputError
        If the map cannot be read.
    InvalidInput
        If it has faults.
    """
    faults = load_mapping(path).faults
    if faults:
        raise InvalidInput(Message("map_misfit", {"n": len(faults)}), list(faults))
    told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    header = {plain(name): name for column in proposed.columns for name in column.columns}
    known = {name: spec for name, spec in told["columns"].items() if _present(spec, header)}
    left = {header[plain(name)] for name in told.get("leave", []) if plain(name) in header}
    used = {header[plain(name)] for spec in known.values() for name in _sources(spec)}
    columns = [_as_told(name, spec, header) for name, spec in known.items()]
    columns += [Proposal(name, declared={LEAVE: True}) for name in sorted(left - used)]
    columns += [
        column for column in proposed.columns if not {*column.columns} & (used | left) and column.field not in known
    ]
    columns += [Proposal(column.column, others=column.others) for column in proposed.columns
                if not {*column.columns} & (used | left) and column.field in known]  # fmt: skip
    lacking = tuple(name for name in proposed.lacking if name not in known)
    gone = tuple(name for name in BY_NAME if BY_NAME[name].required and name not in {*known, *lacking}
                 and not any(column.field == name for column in columns))  # fmt: skip
    event = told.get("event", {})
    if proposed.events and event.get("column") == proposed.events[0]:
        proposed = replace(proposed, event=event.get("value"))
    return replace(
        proposed, columns=tuple(columns), sheet=proposed.sheet or told.get("sheet"), lacking=(*lacking, *gone)
    )


def _sources(spec: Dictionary[str, Any]) -> list[str]:
    source = spec.get("from", [])
    return [source] if isinstance(source, str) else list(source)


def _present(spec: Dictionary[str, Any], header: Dictionary[str, str]) -> bool:
    return all(plain(name) in header for name in _sources(spec))


def _as_told(name: str, spec: dict[str, Any], header: Dictionary[str, str]) -> Proposal:
    declared = {key: value for key, value in spec.items() if key != "from"}
    first, *others = [header[plain(source)] for source in _sources(spec)] or [""]
    return Proposal(first, name, (), declared, others=tuple(others))


def map_text(proposed: Proposed) -> str:
    """Return a proposal as the TOML that `--map` reads; questions and columns not read stand in it as comments."""
    lines = ["# What the columns of this roster are. Look each line through: what it says is what is scored."]
    lines += [f"# Row {row} of the sheet is no runner: {_in_comment(text)}" for row, text in proposed.no_runners]
    if proposed.sheet is not None:
        lines.append(f"sheet = {_toml(proposed.sheet)}")
    if proposed.events:
        event = {"column": proposed.events[0], "value": proposed.event or proposed.events[1]}
        lines += ["# ASKED: " + Message("ask_event").text] if proposed.event is None else []
        lines.append(f"{'# ' if proposed.event is None else ''}event = {_toml(event)}")
    left = [name for column in proposed.columns if _is_left(column) for name in column.columns]
    if left:
        lines.append(f"leave = {_toml(left)}")
    lines += _sore(proposed)
    for column in proposed.columns:
        if column.field and (column.questions or column.declared is not None):
            lines += ["", *_lines(column)]
    for name in proposed.lacking:
        lines += ["", f"# ASKED: no column seems to be {name} ({BY_NAME[name].limits}), which is required."]
        lines += [f"# [columns.{name}]", '# from = "the column"']
        lines += [f"# value = {_toml(BY_NAME[name].levels[0])}   # instead, if all are"] if BY_NAME[name].levels else []
    lines += list(_unread(proposed))
    return "\n".join(lines) + "\n"


def _is_left(column: Proposal) -> bool:
    """Return whether a map leaves a column out; one that may say who has a sore knee is left out on purpose alone."""
    return LEAVE in (column.declared or {}) or bool(column.questions and column.field != _PAIN)


def _sore(proposed: Proposed) -> Iterator[str]:
    """Yield what keeps a map from being read until somebody has said which column is knee pain now, or that none is."""
    asked = [name for column in proposed.columns if column.field == _PAIN and column.questions
             for name in column.columns]  # fmt: skip
    if asked:
        yield ""
        yield f"# ASKED: which column says who has knee pain now: {', '.join(map(_in_comment, asked))}?"
        yield "# Nobody is scored before: a runner in pain is no runner without. `pfps map ROSTER --ask` asks. By hand:"
        yield "# write the column in place of the ? (its levels stand below), or take this table out and write each of"
        yield "# these columns into `leave`."
        yield f"[columns.{_PAIN}]"
        yield f"from = {_toml(OPEN)}"


def unread_of(proposed: Proposed) -> list[str]:
    """Return the columns that are no field that we know, and that nobody has left out."""
    return [column.column for column in proposed.columns if not column.field and LEAVE not in (column.declared or {})]


def _unread(proposed: Proposed) -> Iterator[str]:
    """Yield a stanza for each column that is not read, to be filled in."""
    unread = unread_of(proposed)
    if unread:
        yield ""
        yield "# NOT READ are the columns below. docs/MAPPING.md explains every key by an example."
        yield "# - It is a field: take the # away, and write the field (`pfps dictionary`) in place of FIELD."
        yield "# - It is none, on purpose: write its name into `leave`."
        yield "# - A field that is the same for everybody needs no column: value = ... in place of from = ..."
    for name in unread:
        yield "#"
        yield "# [columns.FIELD]"
        yield f"# from = {_toml(name)}"
        yield '# levels = { "their word" = "yes", "their other word" = "no" }   # if the words of a choice are not read'
        yield f"# or: leave = [{_toml(name)}]"


def _lines(column: Proposal) -> Iterable[str]:
    source = column.column if not column.others else list(column.columns)
    declared = {**({"from": source} if column.column else {}), **(column.declared or {})}
    hash_ = "# " if column.questions else ""
    then = "" if column.field == _PAIN else " Then take the # away, and the name out of `leave` above."
    for question in column.questions:
        yield f"# ASKED: {_in_comment(question.text)}{then}"
    yield f"{hash_}[columns.{column.field}]"
    for note in column.notes:
        yield f"# {_in_comment(note.text)}"
    for key, value in declared.items():
        yield f"{hash_}{key} = {_toml(value)}"


def _in_comment(sentence: str) -> str:
    """Return a sentence as a comment may hold it: signs of control, a line's end among them, would end it."""
    return _CONTROL.sub("?", sentence)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return (
        value.isoformat()
        if isinstance(value, dt.date)
        else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    )


__all__ = [
    "LEAVE", "Question", "answered", "answers", "dialogue_of", "like", "map_text", "questions_of", "unread_of",
    "with_answers",
]  # fmt: skip
