"""Runners who ask at the same moment are answered as if each were alone."""

import asyncio
import json

import pytest

from pfps_ml.core.errors import BundleError, InvalidInput
from pfps_ml.model.assess import assess
from serving.active_bundle import ActiveBundle, MicroBatch
from serving.requests import Runner, coded
from tests.serving.client import PATIENT, RUNNER


@pytest.fixture
def together(models_home, monkeypatch):
    monkeypatch.setenv("PFPS_MODELS", str(models_home))
    live = ActiveBundle()
    live.take_over()
    return MicroBatch(live)


def runners(count):
    return [Runner.model_validate((PATIENT if at % 3 else RUNNER) | {"age_years": 12 + at}) for at in range(count)]


def answers(together, asked):
    async def all_at_once():
        return await asyncio.gather(*(together.assess(one) for one in asked), return_exceptions=True)

    return asyncio.run(all_at_once())


def test_each_gets_the_answer_that_it_would_get_alone_to_the_last_digit(together, bundle):
    asked = runners(20)
    alone = [assess(bundle, coded([one])).as_dict(0) for one in asked]
    assert json.dumps(answers(together, asked)) == json.dumps(alone)


def test_a_fault_is_its_own_senders_alone(together):
    asked = runners(3)
    asked[1] = asked[1].model_copy(update={"age_years": 255})
    first, second, third = answers(together, asked)
    assert first["risk"] and third["risk"]
    assert isinstance(second, InvalidInput) and second.faults[0].row == 0


def test_without_a_bundle_nobody_is_answered(monkeypatch):
    assert all(isinstance(found, BundleError) for found in answers(MicroBatch(ActiveBundle()), runners(2)))


def test_one_who_hangs_up_costs_the_others_nothing(together):
    async def one_leaves():
        first, second = (asyncio.ensure_future(together.assess(one)) for one in runners(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(one_leaves())["risk"]
