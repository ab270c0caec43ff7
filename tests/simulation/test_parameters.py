"""The scenarios and the mechanisms agree: what is written is read, what is read is written, and every draw can be."""

import re
from inspect import getsource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pfps_ml.domain.dictionary import BY_NAME, EXAMINED, SCREENING
from pfps_ml.domain.scenario import PARTS, RANGES, load_scenario, scenario_names
from pfps_ml.simulation import cohort, course, patients, runners
from pfps_ml.simulation.cohort import PATIENTS, RUNNERS, World, solved_parameters

MODULES = (runners, patients, course, cohort)
# what no scenario holds: solved from its figures, its horizon, and the choice of a run
SOLVED = {"onset_intercept", "failed_care_intercept", "success_intercept", "hip_log_odds", "orthotic_log_odds"}
GIVEN = {"months", "randomised", "frame_median", "frame_log_sd"}  # a frame sets how long patients have been in pain


def written(part):
    return set(getattr(load_scenario("reference"), part))


def read_by(module):
    """Return the parameters that a module reads by name, as `p.name`."""
    return read_in(Path(module.__file__).read_text(encoding="utf-8"))


def read_in(source):
    return set(re.findall(r"\bp\.(\w+)", source))


def errors():
    return {f"error_{name}" for name in BY_NAME}


def test_every_parameter_of_the_reference_is_read_and_every_parameter_that_is_read_is_written():
    read, all_written = set().union(*map(read_by, MODULES)), written("runners") | written("patients")
    measured = {name for name in all_written if name.startswith("error_")}
    assert measured <= errors()
    assert read - SOLVED - GIVEN - errors() == all_written - measured


def test_runners_need_no_parameter_of_patients():
    measuring = "".join(map(getsource, (World, cohort.observe, cohort._column, cohort._seen)))
    read = read_by(runners) | read_in(measuring)
    assert "missed_test" in read
    assert read - SOLVED - GIVEN <= written("runners")


class Watched:
    """Parameters that note the name of each one that is read."""

    def __init__(self, parameters):
        self.parameters, self.read = parameters, set()

    def __getattr__(self, name):
        self.read.add(name)
        return getattr(self.parameters, name)


def test_what_patients_replace_is_read_for_patients():
    p = Watched(SimpleNamespace(**vars(solved_parameters("reference")[1]), randomised=False))
    world = World(1, "patient", 0, 50, p, 10, PATIENTS)
    cohort.observe(world, (*SCREENING, *EXAMINED))
    for name in patients.__all__:
        world.column(name)
    replaced = written("patients") & written("runners")
    assert replaced
    assert replaced <= p.read


@pytest.mark.parametrize("part", PARTS)
def test_every_column_can_be_computed_from_the_parameters_of_its_part(part):
    population, functions = {"runners": ("runner", RUNNERS), "patients": ("patient", PATIENTS)}[part]
    p = solved_parameters("reference")[PARTS.index(part)]
    world = World(1, population, 0, 50, SimpleNamespace(**vars(p), randomised=False), 10, functions)
    for name in functions:
        column = np.asarray(world.column(name))
        assert len(column) == 50
        assert column.dtype.kind == "U" or np.isfinite(column.astype(float)).all(), name


def test_no_draw_of_a_parameter_is_one_that_no_world_can_have(subtests):
    """One draw in 10,000, on either side, is still what the parameter's name allows."""
    for name in scenario_names():
        with subtests.test(name=name):
            held = 0
            for part in PARTS:
                for parameter in getattr(load_scenario(name), part).values():
                    fits = [fits for names, _, fits in RANGES if re.fullmatch(names, parameter.name)][:1]
                    # spike_months may be drawn beyond the horizon and below 0, and is cut there
                    if parameter.name != "spike_months":
                        held += len(fits)
                        assert all(each(parameter.at(q)) for each in fits for q in (1e-4, 1 - 1e-4)), parameter.name
                drawn = getattr(load_scenario(name), part)
                ends = {"fppa_hip_correlation": 1e-4, "fppa_fpi_correlation": 1 - 1e-4}
                squat = [drawn[key].at(q) for key, q in ends.items() if key in drawn]
                assert np.square(squat).sum() < 1
            assert held > 60


@pytest.mark.slow
def test_every_scenario_is_solved_in_draws_too(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            for draw in (1, 2):
                runner, patient = solved_parameters(name, 5, draw)
                assert np.isfinite([value for p in (runner, patient) for value in vars(p).values()]).all()
