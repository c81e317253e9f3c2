"""A mixture's TOML is checked key by key, and those that are shipped are the paper's."""

from pathlib import Path

import pytest

from packkit.base.errors import InputError
from packkit.infimed.data.catalog import catalog
from packkit.mixture import read_mixture
from packkit.mixture.filters import installed_filters, make_filters
from packkit.mixture.recipe import check_mixture

SHIPPED = sorted((Path(__file__).parents[2] / "recipes" / "mixtures").glob("*.toml"))
SOURCE = {"use": "a", "path": "a.jsonl"}


def tables(*sources, **fields):
    return {"version": 1, "name": "x", "sources": [*sources] or [SOURCE], **fields}


def samples(mixture):
    """Samples that each source gives where its data set has what its catalogue entry says."""
    for source, quantity in zip(mixture.sources, mixture.quantities, strict=True):
        size = catalog()[source.use].samples
        yield quantity.value if quantity.kind == "samples" else size


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_mixtures_take_known_data_sets_that_the_paper_kept(path):
    mixture = read_mixture(path)
    assert mixture.name == path.stem
    assert (path.parents[1] / path.name).exists()
    for source, quantity in zip(mixture.sources, mixture.quantities, strict=True):
        data_set = catalog()[source.use]
        assert not data_set.excluded
        make_filters(source.filters, Path())
        if quantity.kind == "samples":
            assert quantity.value <= data_set.samples


def test_stages_add_up_to_what_the_paper_says():
    medical, cross = (read_mixture(SHIPPED[0].parent / f"sft-{name}.toml") for name in (
        "2-medical", "3-cross-distribution"))  # fmt: skip
    assert sum(samples(cross)) == 304_282
    assert sum(samples(medical)) == pytest.approx(11_690_000, rel=0.003)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (tables(sauces=1), "sauces is no key of a recipe"),
        (tables({**SOURCE, "taken": 3}), "taken"),
        (tables({"use": "a"}), "path"),
        (tables({**SOURCE, "take": "12.3456K"}), "source a: take: must be a whole number"),
        (tables({**SOURCE, "take": 0}), "source a: take: must be a whole number of at least 1"),
        (tables({**SOURCE, "take": 3, "repeat": 2.0}), "only one of take and repeat can be given"),
        (
            tables({**SOURCE, "repeat": -1.0}),
            "source a: repeat must be positive and finite",
        ),
        (tables({**SOURCE, "weight": 10**400}), "source a: weight must be"),
        (tables({**SOURCE, "shortage": "some"}), "shortage"),
        (tables({**SOURCE, "modality": "ct"}), "modality must be one of CT, MRI"),
        (tables({**SOURCE, "max_reject_rate": 2.0}), r"max_reject_rate must be in \[0, 1\]"),
        (tables(SOURCE, SOURCE), "sources: a stands there 2 times"),
        (tables({**SOURCE, "weight": 1.0}), "total and the weights of sources go together"),
        (tables(total=5), "total and the weights of sources go together"),
        (
            tables({**SOURCE, "weight": 1.0}, {"use": "b", "path": "b"}, total=5),
            "either all have a weight or none, b has none",
        ),
        (tables(version=2), "version must be 1"),
        (tables(pack={"max_len": 0}), "max_len must be at least 1"),
        (tables(pack={"overlong": "drop"}), "overlong"),
        ({**tables(), "sources": []}, "sources must name at least one"),
        (tables(seed=-1), "seed must not be negative"),
    ],
)
def test_what_is_wrong_is_named(broken, message):
    with pytest.raises(InputError, match=message):
        check_mixture(broken, "stage.toml")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no-such", "no filter 'no-such' is installed; there are min-score, no-refusal"),
        ("no-refusal@7", "filter no-refusal is of version 1 here, '7' is wanted"),
        ({"name": "no-refusal", "strict": True}, "filter no-refusal: strict is no key"),
        ({"name": "min-score", "scores": "gone.jsonl", "min": 3}, "gone.jsonl is not a file"),
        ({"name": "min-score", "scores": "x", "min": 7}, "min must be in 1..5, got 7"),
        ({"name": "min-score", "scores": "x", "min": 1, "dimension": "y"}, "dimension must be"),
        ({}, "no filter ''"),
    ],
)
def test_filters_that_cannot_be_made(tmp_path, spec, message):
    with pytest.raises(InputError, match=message):
        make_filters([spec], tmp_path)


def test_filters_are_installed_once():
    assert list(installed_filters()) == ["min-score", "no-refusal"]
    with pytest.raises(InputError, match="filter no-refusal@1 is named twice"):
        make_filters(["no-refusal", "no-refusal@1"], Path())
