"""Rosters in many pieces: the same answer as in one, whatever the pieces and the workers."""

from itertools import product

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pfps_ml.batch import scoring
from pfps_ml.batch.rosters import score_roster
from pfps_ml.core import errors
from pfps_ml.core.errors import InputError
from pfps_ml.core.numbers import generator
from pfps_ml.io.roster import read_roster
from tests.rosters import HEADER, ROW, cells, roster
from tests.streams import SMALL, digest, left, run_options, runners, written

ENDINGS = (".csv", ".parquet")


# from one format to the other in the quick suite, to itself in the slow one
@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        pytest.param(kind, ending, marks=[pytest.mark.slow] if kind == ending else [])
        for kind, ending in product(ENDINGS, ENDINGS)
    ],
)
def test_the_bytes_depend_neither_on_the_workers_nor_on_the_rows_assessed_at_once(tmp_path, bundle, kind, ending):
    source = written(runners(), tmp_path / f"in{kind}")
    found = set()
    for number, how in enumerate((run_options(), run_options(2, chunk=7), run_options(1, chunk=5_000))):
        out = tmp_path / f"out{number}{ending}"
        summary = score_roster(source, out, bundle, options=how)
        assert (summary.rows, summary.rejected) == (1_000, 5)
        assert summary.problems == {"age_years": 2, "runner_id": 2, "sex": 1}
        found.add(digest(out))
    assert len(found) == 1


@pytest.mark.parametrize("kind", ENDINGS)
def test_the_sentence_of_rows_with_the_same_fault_is_made_once(tmp_path, monkeypatch, kind):
    made, sentence = list[str](), errors.sentence
    monkeypatch.setattr(errors, "sentence", lambda *message: made.append(message[0]) or sentence(*message))
    frame = runners(600).assign(age_years=300, weight_kg=lambda rows: 201.5 + np.arange(len(rows)) % 2)
    checked = read_roster(written(frame, tmp_path / f"in{kind}")).checked
    assert not made
    columns = scoring._account(checked)
    assert set(columns["status"].to_pylist()) == {"rejected"}
    assert "outside_limits, outside_limits_other_unit" in columns["problem_codes"].to_pylist()
    assert (made.count("outside_limits"), made.count("outside_limits_other_unit")) == (1, 2)


@pytest.mark.parametrize("kind", ENDINGS)
def test_many_pieces_give_what_one_piece_gives(tmp_path, bundle, kind):
    source = written(runners(), tmp_path / f"in{kind}")
    score_roster(source, tmp_path / "one.csv", bundle)
    score_roster(source, tmp_path / "many.csv", bundle, options=run_options(2))
    assert digest(tmp_path / "one.csv") == digest(tmp_path / "many.csv")
    score_roster(source, tmp_path / "one.parquet", bundle)
    score_roster(source, tmp_path / "many.parquet", bundle, options=run_options(2))
    one, many = pq.ParquetFile(tmp_path / "one.parquet"), pq.ParquetFile(tmp_path / "many.parquet")
    assert one.read().equals(many.read())
    assert one.metadata.num_row_groups == 1 < many.metadata.num_row_groups


@pytest.mark.parametrize("rows", [1, 64, 500])
def test_a_row_gets_the_same_bits_alone_in_company_and_shuffled(tmp_path, bundle, rows):
    frame = runners()
    every = _risks(frame, tmp_path, bundle)
    order = generator(1, "shuffled").permutation(len(frame))[:rows]
    some = _risks(frame.iloc[order], tmp_path, bundle)
    shared = frame["runner_id"].iloc[order] != "R-shared"
    np.testing.assert_array_equal(some[shared], every[order][shared])


def _risks(frame, folder, bundle):
    score_roster(written(frame, folder / "in.parquet"), folder / "out.parquet", bundle)
    return pd.read_parquet(folder / "out.parquet", columns=["risk_12m", "risk_low", "risk_high"]).to_numpy()


def test_an_id_in_the_first_and_the_last_piece_is_rejected_in_both(tmp_path, bundle):
    rows = [ROW.format(f"R-{i}") for i in range(600)]
    source = roster(tmp_path, HEADER + "".join([rows[0], *rows, rows[0].replace("R-0", " R-0 ")]))
    assert source.stat().st_size > 2 * SMALL.characters
    score_roster(source, tmp_path / "out.csv", bundle, options=run_options())
    rejected = [row["runner_id"].strip() for row in cells(tmp_path / "out.csv") if row["status"] == "rejected"]
    assert rejected == ["R-0"] * 3


def test_a_comma_in_the_last_piece_makes_all_answers_have_commas(tmp_path, bundle):
    lines = [f"R-{i};30;male;61\n" for i in range(2_000)]
    text = "runner_id;age_years;sex;weight_kg\n" + "".join(lines)
    for name, content in {"points": text, "commas": text + "R-x;30;male;61,5\n"}.items():
        score_roster(roster(tmp_path, content), tmp_path / f"{name}.csv", bundle, options=run_options())
    assert "." in cells(tmp_path / "points.csv", ";")[0]["risk_12m"]
    assert "," in cells(tmp_path / "commas.csv", ";")[0]["risk_12m"]


def test_a_byte_in_the_last_piece_that_is_no_utf8_changes_how_the_first_is_read(tmp_path, bundle):
    lines = [ROW.format(f"R-{i}").encode() for i in range(600)]
    content = HEADER.encode() + "Zoë".encode() + b"".join(lines) + "Zoë".encode("cp1252") + ROW.format("x").encode()
    score_roster(roster(tmp_path, content), tmp_path / "out.csv", bundle, options=run_options())
    found = cells(tmp_path / "out.csv")
    assert (found[0]["runner_id"], found[-1]["runner_id"]) == ("ZoÃ«R-0", "Zoëx")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_quote_left_open_in_the_last_piece_is_told_with_its_line_and_nothing_is_written(tmp_path, bundle, workers):
    lines = [ROW.format(f"R-{i}") for i in range(600)]
    source = roster(tmp_path, HEADER + "".join(lines) + ROW.format('"R-x"y'))
    with pytest.raises(InputError, match="line 602 of the file"):
        score_roster(source, tmp_path / "out.csv", bundle, options=run_options(workers))
    assert left(tmp_path) == ["roster.csv"]


def test_a_parquet_file_that_breaks_off_in_the_middle_is_an_error_and_nothing_is_written(tmp_path, bundle):
    source = tmp_path / "in.parquet"
    pq.write_table(pq.read_table(written(runners(), source)), source, row_group_size=100)
    content = bytearray(source.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2_000] = bytes(2_000)
    source.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        score_roster(source, tmp_path / "out.csv", bundle, options=run_options(2))
    assert "out.csv" not in left(tmp_path)


def test_scoring_tells_its_steps_their_share_and_the_rows_behind_it(tmp_path, bundle):
    told = []
    source = written(runners(), tmp_path / "in.csv")
    score_roster(source, tmp_path / "out.csv", bundle, None, run_options(), lambda *step: told.append(step))
    assert list(dict.fromkeys(step for step, _, _ in told)) == ["Reading", "Scoring", "Writing"]
    shares = [share for step, share, _ in told if step == "Scoring"]
    assert shares == sorted(shares)
    assert told[-1] == ("Writing", 1, 1_000)


def test_the_output_may_be_the_input_of_many_pieces(tmp_path, bundle):
    source = written(runners(), tmp_path / "in.csv")
    score_roster(source, tmp_path / "out.csv", bundle, options=run_options())
    score_roster(source, source, bundle, options=run_options())
    assert digest(source) == digest(tmp_path / "out.csv")
    assert left(tmp_path) == ["in.csv", "out.csv"]


@pytest.mark.parametrize("groups", [30, 150, 1_000])
def test_row_groups_of_any_size_are_read(tmp_path, bundle, groups):
    source = written(runners(), tmp_path / "in.parquet")
    score_roster(source, tmp_path / "one.csv", bundle)
    pq.write_table(pq.read_table(source), source, row_group_size=groups)
    score_roster(source, tmp_path / "many.csv", bundle, options=run_options(2))
    assert digest(tmp_path / "one.csv") == digest(tmp_path / "many.csv")


def test_texts_come_back_from_parquet_as_text(tmp_path, bundle):
    score_roster(written(runners(), tmp_path / "in.parquet"), tmp_path / "out.parquet", bundle, options=run_options())
    found = pq.read_table(tmp_path / "out.parquet")
    assert {
        str(found.schema.field(name).type) for name in ("status", "problems", "problem_codes", "reason_1", "bundle")
    } == {"string"}
    assert pd.read_parquet(tmp_path / "out.parquet")["risk_band"].dropna().isin(["low", "moderate", "high"]).all()
