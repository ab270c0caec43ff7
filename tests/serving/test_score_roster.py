"""A roster file in, the scored file out, through the product's own functions; and nothing of it on a disk."""

import io
import tempfile

import pandas as pd
import pytest

from pfps_ml.batch.rosters import score_roster
from serving.limits import WorkLimits
from serving.roster_routes import MEMORY
from tests.rosters import EXAMPLE, GOOD
from tests.serving.client import CANARY, THEIRS, refusal

pytestmark = THEIRS


def send(client, content, name="roster.csv", **files):
    return client.post("/score_roster", files={"roster": (name, content), **files})


def left():
    return sorted(MEMORY.glob("pfps-*"))


def test_a_file_comes_back_as_the_command_line_writes_it(client, bundle, tmp_path):
    answer = send(client, EXAMPLE.read_bytes())
    expected = score_roster(EXAMPLE, tmp_path / "out.csv", bundle)
    assert answer.content == (tmp_path / "out.csv").read_bytes()
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="scored.csv"'
    counts = f"in={expected.rows}; scored={expected.scored}; partly={expected.partly}; rejected={expected.rejected}"
    assert answer.headers["x-pfps-counts"] == counts and expected.partly and expected.rejected
    assert answer.headers["x-pfps-bundle"] == bundle.name


def test_a_parquet_file_comes_back_as_one(client):
    content = io.BytesIO()
    pd.read_csv(io.StringIO(GOOD)).to_parquet(content)
    answer = send(client, content.getvalue(), "Roster.PARQUET")
    scored = pd.read_parquet(io.BytesIO(answer.content))
    assert list(scored["status"]) == ["scored", "scored"]


def test_a_page_that_asks_for_csv_is_given_csv_whatever_it_sent(client):
    content = io.BytesIO()
    pd.read_csv(io.StringIO(GOOD)).to_parquet(content)
    files = {"roster": ("roster.parquet", content.getvalue())}
    answer = client.post("/score_roster", files=files, headers={"accept": "text/csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="scored.csv"'
    assert answer.text.startswith("runner_id,")


def test_whoever_wants_csv_gets_it_whatever_was_sent(client):
    content = io.BytesIO()
    pd.read_csv(io.StringIO(GOOD)).to_parquet(content)
    files = {"roster": ("roster.parquet", content.getvalue())}
    answer = client.post("/score_roster", files=files, headers={"Accept": "text/csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="scored.csv"'
    assert list(pd.read_csv(io.BytesIO(answer.content))["status"]) == ["scored", "scored"]


def test_a_map_may_come_with_the_file(client):
    mapping = b'[columns.age_years]\nfrom = "years"\n'
    answer = send(client, GOOD.replace("age_years", "years").encode(), map=("m.toml", mapping))
    assert answer.status_code == 200 and answer.headers["x-pfps-counts"] == "in=2; scored=2; partly=0; rejected=0"


def test_an_upload_never_touches_the_disk_and_leaves_nothing_in_memory(client, monkeypatch, tmp_path):
    # whatever would put a temporary file into the usual folder fails
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    many = GOOD + "".join(f"R-{at},Club,30,female,170,25,no,{CANARY * 10}\n" for at in range(3, 20_000))
    before = left()
    assert len(many) > 2 << 20
    assert send(client, many.encode()).headers["x-pfps-counts"].startswith("in=19999")
    assert refusal(send(client, b"runner_id\n1\n"), 422)
    assert left() == before


def test_a_file_that_cannot_be_read_is_explained_without_its_name(client, subtests):
    for content, name, code in [
        (GOOD.encode(), f"{CANARY}.doc", "unreadable"),
        (GOOD.encode(), "roster", "unreadable"),
        (GOOD.encode(), "roster." + "x" * 300, "unreadable"),
        (b"", "roster.csv", "unreadable"),
        (b"PAR1 is not enough", "roster.parquet", "unreadable"),
    ]:
        with subtests.test(content=content, name=name, code=code):
            answer = send(client, content, name)
            assert refusal(answer, 400)["code"] == code and CANARY not in answer.text


def test_a_form_of_another_shape_is_told_the_right_one(client, subtests):
    for request_ in [
        {"files": {"map": ("m.toml", b"")}},
        {"files": [("roster", ("a.csv", b"x")), ("other", ("b.csv", b"x"))]},
        {"files": {"roster": ("a.csv", b"x")}, "data": {"text": "x"}},
        {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
    ]:
        with subtests.test(request_=request_):
            assert (
                "expected a form with a roster file"
                in refusal(client.post("/score_roster", **request_), 400)["message"]
            )


def test_what_is_wrong_with_a_form_is_told_its_sender_and_not_the_log(client, logged):
    broken = f"--x\r\n{CANARY}[: y\r\n\r\nz".encode()
    headers = {"content-type": "multipart/form-data; boundary=x"}
    refusal(client.post("/score_roster", content=broken, headers=headers), 400)
    told = logged()
    assert "invalid character" not in told and "multipart" not in told and CANARY not in told


def many_rows(ending):
    """Return a small file with more rows than are scored at once."""
    frame, content = (
        pd.DataFrame({"runner_id": ["a"] * (WorkLimits.rows + 1), "age_years": 20, "sex": "male"}),
        io.BytesIO(),
    )
    (frame.to_parquet if ending == ".parquet" else frame.to_csv)(content, index=False)
    return content.getvalue()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_small_file_with_very_many_rows_is_refused_unread(client, ending):
    error = refusal(send(client, many_rows(ending), f"r{ending}"), 413)
    assert error["code"] == "too_large" and "100,000 rows" in error["message"]


def test_without_a_folder_in_memory_nothing_is_scored(client, monkeypatch, tmp_path):
    monkeypatch.setattr("serving.roster_routes.MEMORY", tmp_path / "none")
    assert refusal(send(client, GOOD.encode()), 500)["code"] == "missing_library"


def test_what_is_no_form_is_refused_unread(client):
    answer = client.post("/score_roster", content=GOOD, headers={"content-type": "text/csv"})
    assert refusal(answer, 415)["code"] == "media_type"
