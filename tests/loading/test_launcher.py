"""Processes that a launcher started and that do not know each other are not overlooked."""

import pytest

from packkit.base.errors import InputError
from packkit.loading.launcher import check_launched

VARIABLES = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", VARIABLES)
def test_more_processes_than_ranks_name_the_variable_and_the_way_out(monkeypatch, name):
    check_launched(1, "start them together")
    monkeypatch.setenv(name, "2")
    check_launched(2, "start them together")
    # One task a node may start several ranks of its own.
    check_launched(16, "start them together")
    with pytest.raises(InputError, match=f"{name} says 2 .* group of 1: start them together, or"):
        check_launched(1, "start them together")


def test_a_variable_that_is_no_number_is_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(InputError, match="WORLD_SIZE must be a number of processes, got 'two'"):
        check_launched(1, "start them together")
