"""The configuration: one file overrides it, and a mistake in it is named."""

import pytest

from pfps_ml.core.config import Config, load_config
from pfps_ml.core.errors import FactError


def test_without_a_file_the_defaults_hold():
    assert load_config() == Config()


def test_a_file_overrides_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[onset]\nknots = 3\nroughness = 2\npenalties = [1, 2.5]\n[cohort]\nscenario = 'null'\n")
    found = load_config(path)
    assert (found.onset.knots, found.onset.roughness, found.onset.penalties) == (3, 2.0, (1.0, 2.5))
    assert found.cohort.scenario == "null"
    assert found.pathways == Config().pathways


def test_all_mistakes_are_named_at_once(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("colour = 1\n[onset]\nknot = 3\nbins = 'many'\n")
    with pytest.raises(FactError) as caught:
        load_config(path)
    for part in ("colour: unknown", "onset.knot: unknown", "onset.bins: expected int, got str"):
        assert part in caught.value.message


def test_a_section_given_as_a_number_is_a_mistake(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("onset = 3\n")
    with pytest.raises(FactError, match="onset: expected OnsetConfig"):
        load_config(path)


@pytest.mark.parametrize(
    "content",
    [
        "[split]\nfolds = 1",
        "[split]\nheld_out_share = 1.5",
        "[onset]\nbootstraps = 1",
        "[pathways]\nposterior_draws = 1",
        "[cohort]\ndraws = 1",
    ],
)
def test_a_choice_that_cannot_be_is_refused(tmp_path, content):
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(FactError, match="change the configuration"):
        load_config(path)


@pytest.mark.parametrize("content", ["onset = [", None])
def test_a_file_that_is_not_there_or_no_toml_is_named(tmp_path, content):
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FactError, match=r"config\.toml"):
        load_config(path)
