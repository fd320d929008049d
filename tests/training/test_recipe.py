"""Recipes: the shipped ones say what the paper says, and wrong ones are named."""

import json
from pathlib import Path

import pytest

from ainet.errors import UsageError
from ainet.training.recipe import FOLDER, Recipe, load_recipe, recipe_from_dict
from ainet.training.stop import parse_duration


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.toml")))
def test_shipped_recipes_survive_a_checkpoint(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_the_two_readings_of_the_paper() -> None:
    short, full = load_recipe("paper-4k"), load_recipe("full")
    for recipe in (short, full):
        assert (recipe.batch_size, recipe.crop, recipe.lr, recipe.position_weight, recipe.boundary_weight) == (16, 208, 8e-5, 0.003, 0.5)
        assert (recipe.boundary, recipe.jitter) == ("paper", "paper")
    assert (short.iterations, short.boundary_start) == (4000, 3000)
    assert [short.lr_at(iteration) for iteration in (0, 1999, 2000, 3999)] == [8e-5, 8e-5, 4e-5, 4e-5]
    assert (full.iterations, full.boundary_start) == (300_000, 200_000)
    assert [full.lr_at(iteration) for iteration in (0, 199_999, 200_000, 299_999)] == [8e-5, 8e-5, 4e-5, 4e-5]


@pytest.mark.parametrize(("schedule", "middle"), [("constant", 1.0), ("poly", 0.5**0.9), ("cosine", 0.5)])
def test_schedules(schedule: str, middle: float) -> None:
    recipe = recipe_from_dict({"name": "x", "iterations": 110, "batch_size": 1, "lr": 1, "schedule": schedule, "warmup": 10})
    assert recipe.lr_at(0) == pytest.approx(1 / 11) and recipe.lr_at(9) == pytest.approx(10 / 11)
    assert recipe.lr_at(10) == pytest.approx(1) and recipe.lr_at(60) == pytest.approx(middle)
    assert recipe.lr_at(109) == 1 if schedule == "constant" else 0 < recipe.lr_at(109) < 0.02


def test_warmup_stable_decay_falls_in_the_last_tenth() -> None:
    recipe = Recipe("x", iterations=200, batch_size=1, lr=2.0, schedule="warmup-stable-decay", warmup=3)
    assert [recipe.lr_at(iteration) for iteration in (0, 3, 100, 179)] == pytest.approx([0.5, 2.0, 2.0, 2.0])
    assert [recipe.lr_at(iteration) for iteration in (185, 190, 199)] == pytest.approx([1.5, 1.0, 0.1])


def test_the_decay_is_as_long_as_asked() -> None:
    recipe = Recipe("x", iterations=200, batch_size=1, lr=2.0, schedule="warmup-stable-decay", decay=0.5)
    assert [recipe.lr_at(iteration) for iteration in (0, 100, 150, 190)] == pytest.approx([2.0, 2.0, 1.0, 0.2])


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("decay", 0.0, r"in \(0, 1\]"),
        ("smallest_scale", 1.5, r"in \[0.1, 1\]"),
        ("largest_scale", 0.9, r"in \[1, 10\]"),
        ("colour", 0.1, "0 without a range of scales"),
    ],
)
def test_values_out_of_range(field: str, value: float, wanted: str) -> None:
    with pytest.raises(UsageError, match=f"{field} is {value}; it must be {wanted}"):
        Recipe("x", 1, 1, 1.0, **{field: value})  # type: ignore[arg-type]


def test_patch_jitter_and_scales_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="jitter is 'paper'; it must be off with a range of scales"):
        Recipe("x", 1, 1, 1.0, jitter="paper", largest_scale=2.0)


def write(path: Path, text: str) -> str:
    file = path / "mine.toml"
    file.write_text(text)
    return str(file)


def test_own_file(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, 'iterations = 5\nbatch_size = 2\nlr = 1\nsplits = ["train", "val"]'))
    assert recipe == Recipe("mine", iterations=5, batch_size=2, lr=1.0, splits=("train", "val"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("iterations = 5\nbatch_size = 2", "'lr' is missing"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\ncorp = 64", "unknown field 'corp'; the fields are"),
        ("iterations = 5.5\nbatch_size = 2\nlr = 1", "iterations is 5.5; it must be of the type int"),
        ("iterations = true\nbatch_size = 2\nlr = 1", "iterations is True; it must be of the type int"),
        ("iterations = 5\nbatch_size = 2\nlr = -1", "lr is -1.0; it must be positive"),
        ("iterations = 5\nbatch_size = 2\nlr = nan", "lr is nan; it must be positive"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\ncrop = 100", "crop is 100; it must be a multiple of 16"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\nsingle_class_weight = 0", "single_class_weight is 0.0; it must be positive"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\nlaplacian_weight = -1", "laplacian_weight is -1.0; it must be 0 or more"),
        ('iterations = 5\nbatch_size = 2\nlr = 1\nschedule = "linear"', "one of constant, step, poly, cosine"),
        ('iterations = 5\nbatch_size = 2\nlr = 1\nschedule = "step"', "halve_every is 0; it must be positive"),
        ('iterations = 5\nbatch_size = 2\nlr = 1\nsplits = "train"', "splits is 'train'; it must be a list"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\nema_decay = 1", "ema_decay is 1.0"),
        ("iterations = 5\nbatch_size = 2\nlr = inf", "lr is inf; it must be finite"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\nboundary_weight = inf", "boundary_weight is inf; it must be finite"),
        (f"iterations = 5\nbatch_size = 2\nlr = {10**400}", "lr is inf; it must be finite"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\nseed = -1", r"seed is -1; it must be in 0\.\.2\^63 - 1"),
        (f"iterations = 5\nbatch_size = 2\nlr = 1\nseed = {2**63}", f"seed is {2**63}; it must be in 0"),
        ("iterations =", r"mine\.toml is not valid TOML"),
        ("iterations = 5\nbatch_size = 2\nlr = 1\nannotations = 0", "annotations is 0; it must be positive"),
        (f"iterations = {10**400}\nbatch_size = 2\nlr = 1", r"iterations is 1000.*; it must be below 2\^31"),
        (f"iterations = 5\nbatch_size = 2\nlr = 1\nwarmup = {2**31}", r"warmup is 2147483648; it must be below 2\^31"),
        (f"iterations = 5\nbatch_size = 2\nlr = 1\nannotations = {10**23}", r"annotations is 1000.*; it must be below 2\^16"),
        ("iterations = 5\nbatch_size = 2\nlr = 1e300", r"lr is 1e\+300; it must be finite, and at most 1e\+30"),
        (f"iterations = {'1' * 5000}", r"mine\.toml is not valid TOML: Exceeds the limit"),
        (f"lr = {'[' * 100_000}", r"mine\.toml is nested too deeply"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_recipe(write(tmp_path, text))


def test_a_file_of_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes("# Größe".encode("latin-1"))
    with pytest.raises(UsageError, match=r"mine\.toml is not valid TOML: 'utf-8' codec can't decode"):
        load_recipe(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_seeds_at_the_ends_of_the_range(seed: int) -> None:
    assert recipe_from_dict({"name": "x", "iterations": 1, "batch_size": 1, "lr": 1, "seed": seed}).seed == seed


def test_unknown_name_lists_the_recipes() -> None:
    with pytest.raises(UsageError, match=r"no recipe 'best'; choose one of .*full.*paper-4k"):
        load_recipe("best")


def test_durations() -> None:
    assert [parse_duration(text) for text in ("90s", "25m", "1.5h")] == [90, 1500, 5400]
    for text in ("", "25", "m", "-5m", "infm", "nans", "5 minutes"):
        with pytest.raises(UsageError, match="write for example"):
            parse_duration(text)
