import json
import random
import re
from itertools import product
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from microgpt.engine import KEPT
from tests.benchmarks import cold_start, decode, inside, load, pages, reruns, sliding, soak, stream
from tests.ui.pages import TAB_KEYS, TITLES, new_app, open_page, tabs

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "assets" / "benchmarks"


@pytest.mark.parametrize(
    "benchmark",
    [cold_start, decode, inside, load, pages, reruns, soak, stream],
    ids=lambda each: each.RECORD.name,
)
def test_the_tables_in_the_readme_are_current(benchmark):
    record = json.loads(benchmark.RECORD.read_text(encoding="utf-8"))
    assert benchmark.table(record) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_number_of_writers_in_the_hosting_guide_is_current():
    record = json.loads(load.RECORD.read_text(encoding="utf-8"))
    assert load.capacity(record) in (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")


def test_the_table_of_sliding_in_the_readme_is_current():
    record = json.loads((BENCHMARKS / "sliding.json").read_text(encoding="utf-8"))
    assert KEPT in [policy["kept"] for policy in record["policies"]]
    assert sliding.table(record) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_soak_opens_every_tab_with_every_checkpoint(monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT", raising=False)
    checkpoints = soak.bundled_models()
    shown = {tab for page in TITLES for tab in tabs(open_page(new_app(), page))}
    default = next(iter(checkpoints))
    opened = set()
    for seed in range(1000):
        _, query = soak.link(random.Random(seed), checkpoints)
        values = dict(parse_qsl(query))
        (tab,) = (values[key] for key in TAB_KEYS.values() if key in values)
        opened.add((values.get("checkpoint", default), tab))
    assert opened == set(product(checkpoints, shown))


def test_a_cold_start_is_judged_by_the_medians_of_the_same_run():
    pages = {
        commit: {name: [scale * each for each in (9.0, 1.0, 2.0)] for name in cold_start.PAGES}
        for commit, scale in ((cold_start.BEFORE, 2.0), ("now", 1.0))
    }
    record = {cold_start.FIRST: pages, cold_start.WHOLE: pages, "rounds": 3}
    record["machine"] = {"cpu": "a CPU", "cores": 2, "versions": {}}
    _, _, first, *_ = cold_start.table(record).splitlines()
    assert first.endswith("| 4.00 s | 2.00 s | 0.50 × | ≤ 0.5 × | met |")


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
    assert [measured for _, _, measured in decode.goals(times)] == [50.0, 3.0], "no runtime"
    machine = {"cpu": "one", "cores": 1, "versions": {"python": "3"}}
    table = decode.table({"milliseconds a character": times, "machine": machine})
    assert re.search(r"40 × \| 50.0 × \| met \|", table)
    assert re.search(r"4 × \| 3.0 × \| missed \|", table)


def test_a_runtime_is_judged_at_every_position_and_its_int8_where_it_is_faster():
    times = {
        "engine: C, float32": {"1": 1.0, "128": 1.0, decode.FULL: 2.0, decode.PAST: 1.0},
        "OpenVINO, float32, 1 thread": {"1": 3.0, "128": 5.0, decode.FULL: 8.0},
        "OpenVINO, float32, 2 threads": {"1": 4.0, "128": 2.5, decode.FULL: 6.0},
        "CTranslate2, int8, 1 thread": {"1": 0.5, "128": 1.5, decode.FULL: 3.0},
    }
    assert [(wanted, measured) for _, wanted, measured in decode.goals(times)] == [
        (1, 2.5),
        (2, 1.5),
    ]
    assert decode.int8_sentence(times).endswith(": CTranslate2 (at 1).")
