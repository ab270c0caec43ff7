"""A further horizon of the onset model is one number in its declaration: models, bundle and answer follow."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
DECLARED, WANTED = (
    'source="design", fitted=(12,),\n    beside=(\n        ("onset_month"',
    'source="design", fitted=(6, 12),\n    beside=(\n        ("onset_month"',
)
WALK = """
import json, sys
from pathlib import Path
import pandas as pd
import pfps_ml
from pfps_ml.model.assess import assess
from pfps_ml.model.bundle import load_bundle
from pfps_ml.domain.input_validation import check
from pfps_ml.workflows.evaluate import evaluate
from pfps_ml.workflows.release import release
from pfps_ml.workflows.simulate import simulate
from pfps_ml.workflows.train import train, write_candidate
from pfps_ml.workflows.validate import validate
from tests.conftest import small_config

SMALL = small_config()

home = Path(sys.argv[1])
assert Path(pfps_ml.__file__).is_relative_to(home)
frames = simulate(SMALL.cohort)
validate(frames, SMALL, "reference")
candidate = train(frames, SMALL, "reference", lambda _step: None)
write_candidate(candidate, home / "candidate")
evaluate(candidate, frames, SMALL, lambda _step: None).write(home / "evaluation")
bundle = load_bundle(release(home / "candidate", home / "evaluation", home / "models", "1"))
rows = check(pd.DataFrame([{"age_years": 24, "sex": "female"}, {"age_years": 50, "sex": "male", "bmi": 22}])).values
found = assess(bundle, rows)
happened = frames.onset[["pfps_onset_6m", "pfps_onset_12m"]]
print(json.dumps({"risks": [found.as_dict(row)["risk"] for row in (0, 1)], "rates": happened.mean().tolist(),
                  "nested": bool((happened["pfps_onset_6m"] <= happened["pfps_onset_12m"]).all())}))
"""


@pytest.mark.slow
def test_a_further_horizon_of_onset_is_one_number(tmp_path):
    for package in ("pfps_ml", "pipelines", "serving", "tests"):
        shutil.copytree(HOUSE / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    place = tmp_path / "pfps_ml" / "domain" / "outcomes.py"
    text = place.read_text(encoding="utf-8")
    assert text.count(DECLARED) == 1
    place.write_text(text.replace(DECLARED, WANTED), encoding="utf-8")
    (tmp_path / "walk.py").write_text(f"if __name__ == '__main__':\n    exec({WALK!r})\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "walk.py", str(tmp_path)], cwd=tmp_path, check=True, capture_output=True,
                          text=True, env={"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"})  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["nested"] and found["rates"][0] < found["rates"][1]
    for risk in found["risks"]:
        first, main = risk["by_month"]
        assert (first["months"], main["months"], risk["horizon_months"]) == (6, 12, 12)
        assert main["probability"] == risk["probability"] > first["probability"] > first["low"] > 0
