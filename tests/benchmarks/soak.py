"""Many people who open, write, stop, reload and leave at random, for a long time, on one server.

Run: python tests/benchmarks/soak.py --minutes 60
Print the README's table from the record: python tests/benchmarks/soak.py --table

A session is a client without a browser, as in load.py, with pauses between its actions. The memory
and the threads of the server are read while they go on. The record is assets/benchmarks/soak.json.
"""

import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import machine, machine_line, options, read_record, write_record  # noqa: E402
from serving import Server, served  # noqa: E402
from visitor import Visitor  # noqa: E402

from microgpt.analysis.presets import presets  # noqa: E402
from microgpt.checkpoint import Checkpoint  # noqa: E402
from microgpt.hub import bundled_folders, load_bundled  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "soak.json"
SESSIONS = 30
# Memory is compared with its level after this many minutes. A level is the median of as many
# minutes: it varies with what the sessions do at the moment.
SETTLED = 5
MOST_GROWTH = 1.05
READINGS = 12  # of the memory in a minute
PAUSE = (1.0, 15.0)  # the shortest and the longest pause, seconds
# Streamlit keeps the session of a closed tab for two minutes.
LEAVING_SECONDS = 180

WRITE, OTHER, STOP = "Write", "New seed", "Stop"
# Names of tabs.
LIFE = "The life of a head"
MAPS = ("All heads", "On the text", "Head scores", "Ablation", "Stages", "Combined")
INSIDE = ("Through the model", "Layer by layer", "Why this character", "Neurons", "Tour")
LOSSES = ("Curves", "Snapshots", "Baselines", "Compare runs")
MIB, THREADS = "MiB in each minute", "threads in each minute"
OUTSIDE, ERRORS = "threads before and after", "errors"


@dataclass
class Soak:
    """What SESSIONS sessions do until `end`, a time of time.monotonic.

    checkpoints: those that the sidebar offers, by name; the first is the default. done, errors:
    lists, to which several threads may append.
    """

    url: str
    end: float
    checkpoints: dict[str, Checkpoint]
    done: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def person(self, seed: int) -> None:
        """Open pages, one after the other, until the end."""
        chance = random.Random(seed)
        while time.monotonic() < self.end:
            page, query = link(chance, self.checkpoints)
            try:
                self._visit(chance, page, query)
            except Exception as error:  # is reported
                self.errors.append(f"/{page}?{query}: {type(error).__name__}: {error}")
            self._pause(chance)

    def _visit(self, chance: random.Random, page: str, query: str) -> None:
        """Open a page, and use and reload it a few times."""
        while True:
            with Visitor(self.url, page, query) as visitor:
                visitor.run()
                self.done.append("open")
                for _ in range(chance.randrange(4)):
                    self._pause(chance)
                    if time.monotonic() >= self.end:
                        return
                    action = chance.choice(_ACTIONS if WRITE in visitor.buttons else [_rerun])
                    self.done.append(action(visitor, chance))
                if chance.random() < 0.3:
                    visitor.request()
                    self.done.append("leave at once")
            if chance.random() < 0.7:
                return
            self.done.append("reload")

    def _pause(self, chance: random.Random) -> None:
        time.sleep(max(0.0, min(chance.uniform(*PAUSE), self.end - time.monotonic())))


def bundled_models() -> dict[str, Checkpoint]:
    """The bundled checkpoints of a GPT, which the pages with tabs show, by their names."""
    found = {name: load_bundled(folder) for name, folder in bundled_folders().items()}
    return {name: each for name, each in found.items() if isinstance(each, Checkpoint)}


def link(chance: random.Random, checkpoints: dict[str, Checkpoint]) -> tuple[str, str]:
    """A page and its query: any tab and any checkpoint, with a text of its own.

    checkpoints: as in Soak; all have head scores and snapshots.
    """
    page, tab, names, text = chance.choice(
        [
            ("", "view", ("Write",), "prompt"),
            ("", "view", ("Write", "Side by side"), "prompt"),
            ("", "view", ("Score a text",), "scored"),
            ("", "view", ("Context length",), "context_text"),
            ("attention", "attention_view", (LIFE,), ""),
            ("attention", "attention_view", (LIFE, *MAPS), "text"),
            ("attention", "attention_view", ("Compare",), "other_text"),
            ("inside", "inside_view", INSIDE, "text"),
            ("loss_record", "record_view", LOSSES, ""),
        ]
    )
    name = chance.choice(list(checkpoints))
    query: dict[str, object] = {tab: chance.choice(names)}
    if name != next(iter(checkpoints)):
        query["checkpoint"] = name
    if text:
        query[text] = "".join(chance.choices("etaoin shrdlu", k=chance.randrange(20, 200)))
    if text == "prompt":
        query |= {"length": chance.choice((200, 450, 2000)), "seed": chance.randrange(1000)}
    if query[tab] == LIFE:
        query |= _in_the_life_of_a_head(chance, checkpoints[name])
    if query[tab] == "Compare" and "checkpoint" in query:
        query["compared_checkpoint"] = "the bundled checkpoint"
    return page, urlencode(query)


def _in_the_life_of_a_head(chance: random.Random, checkpoint: Checkpoint) -> dict[str, object]:
    """The choices of the tab: a preset with one of its heads, on or off, and a step."""
    assert checkpoint.head_scores is not None and checkpoint.snapshots is not None
    preset = chance.choice(presets(checkpoint.head_scores))
    step = chance.choice(checkpoint.snapshots.steps.tolist())
    query: dict[str, object] = {"preset": preset.name, "step": step}
    if preset.heads:
        layer, head = chance.choice(preset.heads)
        query |= {"layer": layer + 1, "head": head + 1}
        if chance.random() < 0.5:
            query[f"off_{layer + 1}"] = f"H{head + 1}"
    return query


def _rerun(visitor: Visitor, chance: random.Random) -> str:
    visitor.run()
    return "rerun"


def _write(visitor: Visitor, chance: random.Random) -> str:
    visitor.run(chance.choice((WRITE, OTHER)))
    return "write"


def _write_and_stop(visitor: Visitor, chance: random.Random) -> str:
    visitor.request(OTHER)
    least = chance.randrange(20, 80)
    for read, _ in enumerate(visitor.answers()):
        if read >= least and STOP in visitor.buttons:
            visitor.request(STOP)
            del visitor.buttons[STOP]  # press it once
    return "write and stop"


_ACTIONS: list[Callable[[Visitor, random.Random], str]] = [_rerun, _write, _write_and_stop]


def measure(minutes: int) -> dict[str, object]:
    checkpoints = bundled_models()
    with tempfile.TemporaryFile("w+") as log, served(log=log) as server:
        with Visitor(server.url) as visitor:
            visitor.run()
        time.sleep(10)  # until the fastest backend is compiled and timed
        before = server.threads
        soak = Soak(server.url, time.monotonic() + 60 * minutes, checkpoints)
        with ThreadPoolExecutor(SESSIONS) as pool:
            people = [pool.submit(soak.person, seed) for seed in range(SESSIONS)]
            mib, threads = _readings(server, minutes, people)
        deadline = time.monotonic() + LEAVING_SECONDS
        while server.threads > before and time.monotonic() < deadline:
            time.sleep(1)
        after = server.threads
        log.seek(0)
        lines = log.read().splitlines()
    return {
        "command": f"python tests/benchmarks/soak.py --minutes {minutes}",
        "machine": machine("torch", "streamlit"),
        "sessions": SESSIONS,
        "minutes": minutes,
        "actions": dict(sorted(Counter(soak.done).items())),
        ERRORS: soak.errors,
        "the server's log": lines,
        MIB: mib,
        THREADS: threads,
        OUTSIDE: [before, after],
    }


def _readings(
    server: Server, minutes: int, people: list[Future[None]]
) -> tuple[list[int], list[int]]:
    """The memory, MiB, and the threads of a server in each minute, both as a median."""
    mib, threads = [], []
    for _ in range(minutes):
        readings = []
        for _ in range(READINGS):
            time.sleep(60 / READINGS)
            readings.append((server.mib(), server.threads))
        mib.append(round(statistics.median(memory for memory, _ in readings)))
        threads.append(round(statistics.median(count for _, count in readings)))
    for person in people:
        person.result()
    return mib, threads


def table(record: dict) -> str:
    """The README's table of a record: goals, measured values, and the machine."""
    mib, (before, after) = record[MIB], record[OUTSIDE]
    settled = mib[SETTLED:] or mib
    early, late = statistics.median(settled[:SETTLED]), statistics.median(settled[-SETTLED:])
    growth = late / early
    errors = len(record[ERRORS]) + len(record["the server's log"])
    rows = [
        ("errors on a page and lines in the server's log", "none", str(errors), not errors),
        (
            f"memory in the last {SETTLED} minutes, relative to {early:,.0f} MiB in the {SETTLED} "
            f"minutes after the first {SETTLED}",
            f"≤ {MOST_GROWTH:.2f} ×",
            f"{growth:.3f} ×",
            growth <= MOST_GROWTH,
        ),
        (
            f"threads after all have left ({before} before)",
            str(before),
            str(after),
            after <= before,
        ),
    ]
    did = ", ".join(f"{count:,} × {name}" for name, count in record["actions"].items())
    lines = [
        f"| {record['sessions']} sessions at random for {record['minutes']} minutes | goal | "
        "measured | |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {goal} | {measured} | {'met' if met else 'missed'} |"
            for name, goal, measured, met in rows
        ),
        "",
        f"The sessions did: {did}. In each minute, the server used {min(settled)} to "
        f"{max(settled)} MiB of memory and had {min(record[THREADS])} to {max(record[THREADS])} "
        f"threads. {machine_line(record['machine'])}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = options(RECORD)
    parser.add_argument("--minutes", type=int, default=60)
    args = parser.parse_args()
    if not args.table:
        write_record(measure(args.minutes), args.out)
    print(table(read_record(args.out)))
