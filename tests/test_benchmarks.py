import json
import re
from pathlib import Path

import pytest

from microgpt.engine import KEPT
from tests.benchmarks import decode, load, pages, reruns, sliding, stream

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "assets" / "benchmarks"


@pytest.mark.parametrize(
    "benchmark", [decode, load, pages, reruns, stream], ids=lambda each: each.RECORD.name
)
def test_the_tables_in_the_readme_are_current(benchmark):
    record = json.loads(benchmark.RECORD.read_text(encoding="utf-8"))
    assert benchmark.table(record) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_sliding_in_the_readme_is_current():
    record = json.loads((BENCHMARKS / "sliding.json").read_text(encoding="utf-8"))
    assert KEPT in [policy["kept"] for policy in record["policies"]]
    assert sliding.table(record) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_goals_are_judged_by_the_fastest_contender():
    times = {
        decode.RECOMPUTED: {decode.FULL: 50.0},
        "engine: slow": {decode.FULL: 9.0},
        "engine: fast": {decode.FULL: 1.0},
        "transformers, 1 thread": {decode.FULL: 5.0},
        "transformers, 2 threads": {decode.FULL: 3.0},
    }
    for row in times.values():
        row.update(dict.fromkeys(decode.PLACES, row[decode.FULL]))
    assert [measured for _, _, measured in decode.goals(times)] == [50.0, 3.0], "no CTranslate2"
    machine = {"cpu": "one", "cores": 1, "versions": {"python": "3"}}
    table = decode.table({"milliseconds a character": times, "machine": machine})
    assert re.search(r"40 × \| 50.0 × \| met \|", table)
    assert re.search(r"4 × \| 3.0 × \| missed \|", table)
