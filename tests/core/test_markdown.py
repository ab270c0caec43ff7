"""A table in Markdown holds every cell in its place, whatever the cell says."""

import pytest

from pfps_ml.core.markup import markdown_table


def test_a_table_has_a_header_a_rule_and_a_line_for_each_row():
    assert markdown_table(("a", "b"), [(1, "x"), (2.5, "**y**")]) == "| a | b |\n|---|---|\n| 1 | x |\n| 2.5 | **y** |"
    assert markdown_table(("a", "b"), [], spaced_rule=True) == "| a | b |\n| --- | --- |"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("a | b", "a \\| b"),
        ("two\nlines", "two lines"),
        ("a\r\nb\u2028c", "a b c"),
        ("| x |\n| y |", "\\| x \\| \\| y \\|"),
    ],
)
def test_no_text_of_a_cell_begins_another_cell_or_row(cell, shown):
    assert markdown_table(("a",), [(cell,)]).splitlines()[2:] == [f"| {shown} |"]


@pytest.mark.parametrize("row", [(), ("one",), ("one", "two", "three")])
def test_a_row_of_another_length_than_the_header_is_refused(row):
    with pytest.raises(ValueError, match="expected 2 cells"):
        markdown_table(("a", "b"), [row])
