"""Make the runs that need a GPU.

Run: python -m experiments.gpu_runs TEXT OUT [STAGE ...]

choose  a comparison of recipes on the first 90 % of TEXT, the training split; its last 10 % are
        the validation split of these runs, so that the real one does not influence the choice
best    the best of these recipes, or --recipe, on all of TEXT with five seeds
seed    the original's recipe
time    short runs, one at a time, to measure the time to the original's validation loss

Without a STAGE, all of them, in this order. The command can be interrupted at any time and started
again: finished runs are kept, and an unfinished run is resumed. After each run, the results are
written to OUT/pack (or --pack DIR), in a few files of at most 15 MB: a report, the records of all
runs, and the checkpoint of the best-* run with the median loss. To unpack them:

mkdir -p OUT && tar xzf PACK/records.tar.gz -C OUT && cat PACK/best-*.tar.* | tar x -C OUT

If a checkpoint opens, it is complete: its config.json holds the SHA-256 of its files. A run whose
record is in OUT counts as finished, so another machine can continue from the unpacked files.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from experiments.gpu_runs import CHOICES, CHOOSING, ORIGINAL_RECIPE, SEEDS, TIMED, Settings
from experiments.gpu_runs.results import estimates_path, finished_run, pack, report
from microgpt import atomic, checkpoint
from microgpt.analysis.loss import evaluate
from microgpt.checkpoint import WEIGHTS
from microgpt.checkpoint.provenance import code_commit, command_line
from microgpt.checkpoint.runs import Run
from microgpt.cli.arguments import set_values
from microgpt.data import TRAIN_FRACTION, Splits, read_text, split
from microgpt.device import pick_device
from microgpt.errors import MicroGPTError
from microgpt.training.finish import Source
from microgpt.training.folder import RunFolder
from microgpt.training.interrupt import Interrupt
from microgpt.training.loop import TrainError
from microgpt.training.presets import PRESETS
from microgpt.training.run import train_checkpoint

STAGES = ("choose", "best", "seed", "time")


@dataclass(frozen=True)
class Plan:
    """A run to make.

    settings: changes to the preset. measured: whether to also measure the losses by the original's
    protocol. cold: whether to start with an empty cache of compiled code, so that the wall-clock
    time includes compilation.
    """

    name: str
    settings: Settings
    preset: str = "gpu"
    measured: bool = False
    cold: bool = False


CHOOSE = [
    Plan("-".join(["choose", *(f"{name}{value}" for name, value in each.items())]), each)
    for each in CHOICES
]


def make(args: argparse.Namespace) -> Iterator[Run]:
    """Make the missing runs of the stages; yield each run when it is finished.

    Raises TrainError if a run failed or was interrupted, DataError and OSError.
    """
    for stage in args.stages:
        if stage == "choose":
            part = args.out / "train-split.txt"
            corpus = read_text(args.text)
            part.write_text(corpus[: int(TRAIN_FRACTION * len(corpus))], "utf-8", newline="")
            plans = [Plan(plan.name, CHOOSING | plan.settings) for plan in CHOOSE]
            yield from _make_runs(args, part, plans, args.jobs)
        elif stage == "best":
            recipe = dict(pair.split("=", 1) for pair in args.recipe) or _best_settings(args.out)
            print(f"recipe: {recipe}", flush=True)
            plans = [Plan(f"best-{seed}", recipe | {"seed": seed}, measured=True) for seed in SEEDS]
            yield from _make_runs(args, args.text, plans, args.jobs)
        elif stage == "seed":
            plans = [Plan("seed", ORIGINAL_RECIPE, "seed", measured=True)]
            yield from _make_runs(args, args.text, plans)
        else:
            plans = [Plan(f"time-{timed['steps']}", timed, cold=True) for timed in TIMED]
            yield from _make_runs(args, args.text, plans)


def _best_settings(out: Path) -> Settings:
    """The settings of the comparison run with the lowest loss."""
    runs = [(run, plan) for plan in CHOOSE if (run := finished_run(out / plan.name))]
    if not runs:
        raise TrainError("no comparison run is finished; make the stage choose, or pass --recipe")
    return min(runs, key=lambda pair: pair[0].training.val_loss_full)[1].settings


def _make_runs(
    args: argparse.Namespace, data: Path, plans: list[Plan], jobs: int = 1
) -> Iterator[Run]:
    """Make runs, `jobs` at a time, each in a process with its output in OUT/NAME.log.

    Raises TrainError after the last run if a run failed.
    """
    waiting = list(plans)
    running: dict[int, tuple[Plan, multiprocessing.Process]] = {}
    failed: list[str] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            plan = waiting.pop(0)
            process = multiprocessing.Process(target=_child, args=(args, data, plan, jobs))
            process.start()
            running[process.sentinel] = plan, process
        for sentinel in wait(list(running)):
            plan, process = running.pop(sentinel)  # type: ignore[index]  # a sentinel is an int
            process.join()
            run = finished_run(args.out / plan.name)
            if process.exitcode == 0 and run:
                yield run
            else:
                failed.append(plan.name)
    if failed:
        log = args.out / f"{failed[0]}.log"
        last = log.read_text(encoding="utf-8").splitlines()[-1:]
        raise TrainError(f"{', '.join(failed)}: not finished ({' '.join(last)}); see {log}")


def _child(args: argparse.Namespace, data: Path, plan: Plan, jobs: int) -> None:
    """Make one run and its measurement. Runs as a separate process."""
    for number in (1, 2):
        with open(args.out / f"{plan.name}.log", "a", encoding="utf-8") as file:
            os.dup2(file.fileno(), number)
    folder, estimates = args.out / plan.name, estimates_path(args.out, plan.name)
    try:
        if not finished_run(folder):
            _train(args, data, plan, jobs)
        if plan.measured and not estimates.exists() and (folder / WEIGHTS).exists():
            _estimate(folder, data, args.device, estimates)
    except (MicroGPTError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _train(args: argparse.Namespace, data: Path, plan: Plan, jobs: int) -> None:
    """Make a run, or resume it."""
    out, recipe = args.out / plan.name, PRESETS[plan.preset]
    pairs = [*(f"{name}={value}" for name, value in plan.settings.items()), *args.set]
    arguments = ["train", "--preset", plan.preset, "--data", str(data), "--out", str(out)]
    arguments += [f"--set={pair}" for pair in pairs] + ([] if args.no_compile else ["--compile"])
    source = Source(data.name, plan.preset, command_line(arguments), code_commit(), jobs)
    model_config, config = set_values(pairs, recipe.model, recipe.train)
    with Interrupt() as interrupt, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
        if plan.cold:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = empty
        rows = train_checkpoint(
            read_text(data),
            model_config,
            config,
            out,
            source=source,
            device=args.device,
            resume=RunFolder(out).state.exists(),
            compiled=not args.no_compile,
            stop=lambda: interrupt.requested,
        )
        for row in rows:
            if row.val_loss is not None:
                print(
                    f"step {row.step} after {row.seconds:.1f} s ({row.wall_seconds:.1f} s): "
                    f"train {row.train_loss:.4f}, val {row.val_loss:.4f}",
                    flush=True,
                )
            if row.step == config.steps:
                interrupt.restore()  # a signal ends the measurements at once


def _estimate(folder: Path, data: Path, device: str | None, path: Path) -> None:
    """Write the losses of a checkpoint to a file, as `evaluate --sampled` prints them."""
    chosen, made = pick_device(device), checkpoint.load(folder)
    splits = split(made.tokenizer.encode(read_text(data)), made.config.block_size)
    splits = Splits(*(part.to(chosen) for part in splits))
    losses = evaluate(made.model.to(chosen), splits, sampled=True)
    with atomic.replacing(path) as partial:
        partial.write_text(json.dumps(losses), encoding="utf-8")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.gpu_runs", description="Make the runs that need a GPU."
    )
    parser.add_argument("text", type=Path, metavar="TEXT", help="the corpus, a UTF-8 text file")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder for the runs")
    parser.add_argument(
        "stages",
        nargs="*",
        default=STAGES,
        metavar="STAGE",
        help=f"any of {', '.join(STAGES)} (default: all)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="make N runs at a time, except in the stage time",
    )
    parser.add_argument(
        "--pack", type=Path, metavar="DIR", help="folder of the results (default: OUT/pack)"
    )
    parser.add_argument(
        "--recipe",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="the settings for the stage best (default: those of the best comparison run)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting for every run"
    )
    parser.add_argument("--device", help="cpu or cuda (default: cuda if available)")
    parser.add_argument("--no-compile", action="store_true", help="run without torch.compile")
    args = parser.parse_args(argv)
    if bad := [stage for stage in args.stages if stage not in STAGES]:
        parser.error(f"there is no stage {bad[0]}; choose from {', '.join(STAGES)}")
    if bad := [pair for pair in args.recipe if "=" not in pair]:
        parser.error(f"--recipe {bad[0]}: write NAME=VALUE")
    return args


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        for run in make(args):
            print(f"{run.name}: val_loss_full {run.training.val_loss_full:.4f}", flush=True)
            pack(args.out, args.pack or args.out / "pack")
        print(report(args.out), end="")
    except MicroGPTError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
