"""Messages: sentences come from one catalogue, and the catalogue is whole."""

import json

import pytest

from pfps_ml.core import messages
from pfps_ml.core.errors import FactError
from pfps_ml.core.messages import HOME, Catalogue, Message, catalogue, languages, parameters_of, sentence
from pfps_ml.domain.dictionary import FIELDS
from pfps_ml.workflows.messages import compiled


@pytest.fixture
def some(monkeypatch):
    texts = {
        "list_and": "{others} and {last}", "list_or": "{others} or {last}", "label.sex": "Sex", "label.akps": "AKPS",
        "list_parts": "{others}; {last}", "quoted": "got {name!r}", "fields": "{names}",
        "parts": "{parts:sentences}", "parts_and": "{parts:sentences_and}",
        "rows": ["{n} row", "{n:,} rows"], "about": "{fields:label}: {part:sentence}", "any": "any of {names:or}",
    }  # fmt: skip
    monkeypatch.setattr(messages, "catalogue", lambda language: Catalogue(texts, lambda n: int(n != 1)))


def test_the_compiled_catalogue_of_every_language_is_fresh():
    assert languages() == sorted(path.stem for path in HOME.glob("*.po"))
    for language in languages():
        assert (HOME / f"{language}.json").read_bytes() == compiled(HOME / f"{language}.po"), "run `make messages`"


def test_labels_and_limits_of_every_field_are_in_the_catalogue():
    texts = catalogue().texts
    assert all(texts[f"label.{field.name}"] == field.label for field in FIELDS)
    assert all(texts[f"limits.{field.name}"] == field.limits for field in FIELDS)


def test_a_plural_follows_the_number(some):
    assert [Message("rows", {"n": n}).text for n in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_lists_labels_and_nested_messages_are_written_out(some):
    part = Message("any", {"names": ["a", "b", "c"]}).as_dict()
    assert sentence("about", {"fields": ["sex", "akps"], "part": part}) == "Sex and AKPS: any of a, b or c"


def test_a_name_can_be_quoted_and_a_list_is_joined_by_commas(some):
    assert Message("quoted", {"name": "Höhe"}).text == "got 'Höhe'"
    assert Message("fields", {"names": ["a", "b"]}).text == "a, b"


def test_several_messages_are_joined_and_one_stands_alone(some):
    parts = [Message("rows", {"n": n}).as_dict() for n in (1, 2, 3)]
    assert sentence("parts", {"parts": parts}) == "1 row; 2 rows; 3 rows"
    assert sentence("parts_and", {"parts": parts}) == "1 row, 2 rows and 3 rows"
    assert sentence("parts", {"parts": parts[:1]}) == "1 row"


def test_a_message_is_json(some):
    shape = Message("any", {"names": ["a"]}).as_dict()
    assert json.loads(json.dumps(shape)) == {"code": "any", "parameters": {"names": ["a"]}, "text": "any of a"}


@pytest.mark.parametrize(("code", "parameters"), [("nonsense", {}), ("any", {}), ("rows", {})])
def test_an_unknown_code_or_a_parameter_that_is_not_there_is_an_error(some, code, parameters):
    with pytest.raises(KeyError):
        sentence(code, parameters)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("stands twice", 'msgid "a"\nmsgstr "x"\n\nmsgid "a"\nmsgstr "y"\n'),
        ("has no sentence", 'msgid "a"\nmsgstr ""\n'),
        ("is fuzzy", '#, fuzzy\nmsgid "a"\nmsgstr "x"\n'),
        ("names no n", 'msgid "a"\nmsgid_plural "a"\nmsgstr[0] "x"\nmsgstr[1] "y"\n'),
    ],
)
def test_a_catalogue_that_is_not_whole_is_refused(tmp_path, fault, text):
    head = (HOME / "en.po").read_text(encoding="utf-8").partition("# ---")[0]
    (tmp_path / "en.po").write_text(head + text, encoding="utf-8")
    with pytest.raises(FactError, match=fault):
        compiled(tmp_path / "en.po")


def test_another_language_must_have_every_code_with_its_parameters(tmp_path):
    (tmp_path / "de.po").write_text(
        (HOME / "en.po").read_text(encoding="utf-8").replace('"{others} and {last}"', '"{others} und"'),
        encoding="utf-8",
    )
    with pytest.raises(FactError, match="list_and names"):
        compiled(tmp_path / "de.po")


def test_the_parameters_of_a_text_are_read_from_its_braces():
    assert parameters_of("{a} {b:label} {{c}} {d[0]}") == {"a", "b", "d"}
