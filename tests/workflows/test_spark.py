"""Spark: the logged model scores under mlflow.pyfunc.spark_udf as a roster is scored."""

import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyspark", reason="pyspark is an extra of its own: pip install 'pfps-ml[spark]'")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("Spark needs Java", allow_module_level=True)

from pfps_ml.batch.scoring import score_rows
from pfps_ml.core.records import Model
from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.domain.input_validation import check
from pfps_ml.workflows.tracking import track
from tests.streams import runners

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def address(bundle, tmp_path_factory):
    """Return where the logged model is."""
    import mlflow

    home = tmp_path_factory.mktemp("tracked")
    run = track([Model(bundle.path)], "spark", home=home)
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    yield f"models:/{mlflow.MlflowClient().get_run(run).outputs.model_outputs[0].model_id}"
    mlflow.set_tracking_uri(None)


def cohort(**columns):
    frame = runners(200).assign(runner_id=[f"R-{i:03}" for i in range(200)], **columns)
    return frame[[field.name for field in INPUTS if field.name in frame]]


def scored(spark, udf, frame):
    from pyspark.sql import functions as f

    rows = spark.createDataFrame(frame.astype(object).where(frame.notna(), None)).repartition(3)
    answer = rows.withColumn("scored", udf(f.struct(*frame.columns))).select("runner_id", "scored.*")
    return answer.toPandas().sort_values("runner_id", ignore_index=True)


def same(answer, expected):
    assert answer["status"].value_counts().to_dict() == {"scored": 197, "rejected": 3}
    for name in expected:
        if pd.api.types.is_numeric_dtype(expected[name]):
            np.testing.assert_array_equal(answer[name].to_numpy(float), expected[name].to_numpy(float))
        else:
            assert answer[name].tolist() == expected[name].fillna("").tolist()


def test_a_spark_frame_with_a_visit_column_gets_what_a_roster_gets(spark, bundle, address):
    from mlflow.pyfunc import spark_udf

    frame = cohort(worst_pain_mm=[50.0, np.nan] * 100)
    same(
        scored(spark, spark_udf(spark, address, env_manager="local"), frame),
        score_rows(bundle, check(frame), visit=True),
    )


def test_a_spark_frame_without_visit_columns_names_the_columns_that_it_wants(spark, bundle, address):
    from mlflow.pyfunc import spark_udf

    account, numbers = "status string, problems string, problem_codes string", "risk_12m, risk_low, risk_high"
    names = f"{account}, {numbers.replace(',', ' double,')} double, reason_1 string"
    udf = spark_udf(spark, address, result_type=names, env_manager="local")
    frame = cohort()
    expected = score_rows(bundle, check(frame), visit=False)
    same(scored(spark, udf, frame), expected[[part.split()[0] for part in names.split(", ")]])
