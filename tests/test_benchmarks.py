import json
import re
from pathlib import Path

import pytest

from microgpt.generate import KEPT
from tests.benchmarks import decode, pages, reruns, sliding, stream

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "assets" / "benchmarks"


@pytest.mark.parametrize(
    "benchmark", [decode, pages, reruns, stream], ids=lambda each: each.RECORD.name
)
def test_the_readmes_tables_are_those_of_the_record(benchmark):
    record = json.loads(benchmark.RECORD.read_text(encoding="utf-8"))
    assert benchmark.table(record) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_is_kept_of_a_window_is_the_least_that_costs_no_more_than_the_goal():
    record = json.loads((BENCHMARKS / "sliding.json").read_text(encoding="utf-8"))
    assert min(p["kept"] for p in record["policies"] if p["loss above exact"] <= 0.005) == KEPT
    assert sliding.table(record) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_goal_is_met_or_missed_by_the_fastest_path_at_a_full_window():
    taken = {
        decode.RECOMPUTED: {decode.FULL: 50.0},
        "engine: slow": {decode.FULL: 9.0},
        "engine: fast": {decode.FULL: 1.0},
        "transformers, 1 thread": {decode.FULL: 5.0},
        "transformers, 2 threads": {decode.FULL: 3.0},
    }
    for row in taken.values():
        row.update(dict.fromkeys(decode.PLACES, row[decode.FULL]))
    assert [measured for _, _, measured in decode.goals(taken)] == [50.0, 3.0], "no CTranslate2"
    machine = {"cpu": "one", "cores": 1, "versions": {"python": "3"}}
    shown = decode.table({"milliseconds a character": taken, "machine": machine})
    assert re.search(r"40 × \| 50.0 × \| met \|", shown)
    assert re.search(r"4 × \| 3.0 × \| missed \|", shown)
