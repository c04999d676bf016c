import sys
from pathlib import Path

import pytest

from microgpt.training.job_status import JobError
from microgpt.training.operator import (
    LEAST_MEMORY,
    MINUTES,
    RUNS,
    Settings,
    memory_limit,
    operator_setting,
)

HOME, LARGE = Path("/home/ada/microgpt"), 8 * 2**30


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Settings(1, 5)),
        ({RUNS: " "}, Settings(1, 5)),
        ({RUNS: "off"}, Settings(0, 5)),
        ({RUNS: "OFF", MINUTES: "1"}, Settings(0, 1)),
        ({RUNS: "3", MINUTES: "0.5"}, Settings(3, 0.5)),
    ],
)
def test_what_the_operator_sets(environ, expected):
    assert operator_setting(environ, HOME, LARGE) == expected


@pytest.mark.parametrize("runs", ["0", "-1", "65", "two", "1.5", "²"])
def test_a_malformed_number_of_runs(runs):
    with pytest.raises(JobError, match=f"{RUNS} is '{runs}'; it must be off or a number"):
        operator_setting({RUNS: runs}, HOME, LARGE)


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "long", "1441"])
def test_a_malformed_time(minutes):
    with pytest.raises(JobError, match=f"{MINUTES} is '{minutes}'; it must be"):
        operator_setting({MINUTES: minutes}, HOME, LARGE)


def test_training_is_off_by_default_where_it_could_end_the_app():
    small = operator_setting({}, HOME, LEAST_MEMORY - 1)
    assert small.at_once == 0 and "too little memory" in small.reason
    cloud = operator_setting({}, Path("/mount/src/microgpt"), LARGE)
    assert cloud.at_once == 0 and "the host" in cloud.reason
    for memory, code in ((LEAST_MEMORY - 1, HOME), (LARGE, Path("/mount/src/microgpt"))):
        assert operator_setting({RUNS: "1"}, code, memory) == Settings(1)


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_the_memory_of_a_container(name, tmp_path):
    file = tmp_path / "sys/fs/cgroup" / name
    file.parent.mkdir(parents=True)
    file.write_text("723517440\n")
    assert memory_limit(tmp_path) == 723517440
    file.write_text("max\n")
    assert (memory_limit(tmp_path) is None) == (sys.platform == "win32")
