"""Make the runs that need a GPU, the most important first.

Run: python -m experiments.gpu_runs TEXT OUT

seed       the original's recipe
choose-*   a comparison of recipes on the first 90 % of TEXT, the training split; its last 10 % are
           the validation split of these runs, so that the real one does not influence the choice
best-SEED  the best of these recipes, or --recipe, on all of TEXT with five seeds
time-*     short runs, to measure the time to the original's validation loss

The command can be interrupted at any time and started again: finished runs are kept, and an
unfinished run is resumed. After each run, the results are written to OUT/pack (or --pack DIR), in a
few files of at most 15 MB: a report, the records of all runs, and the checkpoint of the best-* run
with the median loss. To unpack them:

mkdir -p OUT && tar xzf PACK/records.tar.gz -C OUT && cat PACK/best-*.tar.* | tar x -C OUT

If a checkpoint opens, it is complete: its config.json holds the SHA-256 of its files. A run whose
record is in OUT counts as finished_run, so another machine can continue from the unpacked files.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.gpu_runs import CHOICES, CHOOSING, SEED, SEEDS, TIMED, VARIATIONS, Settings
from experiments.gpu_runs.results import estimates_path, finished_run, pack, report
from microgpt import atomic, checkpoint
from microgpt.analysis.loss import evaluate
from microgpt.checkpoint import WEIGHTS
from microgpt.checkpoint.provenance import code_commit, command_line
from microgpt.checkpoint.runs import Run
from microgpt.cli.arguments import set_values
from microgpt.config import PRESETS
from microgpt.data import TRAIN_FRACTION, Splits, read_text, split
from microgpt.device import pick_device
from microgpt.errors import MicroGPTError
from microgpt.training.interrupt import Interrupt
from microgpt.training.loop import TrainError
from microgpt.training.run import RunFolder, Source, train_checkpoint


def make(args: argparse.Namespace) -> Iterator[Run]:
    """Make the missing runs; yield each run when it is finished.

    Raises TrainError if a run fails that others need, DataError and OSError.
    """
    corpus, part = read_text(args.text), args.out / "train-split.txt"
    part.write_text(corpus[: int(TRAIN_FRACTION * len(corpus))], encoding="utf-8", newline="")

    yield _make_and_measure(args, "seed", "seed", SEED)
    recipe: Settings = dict(pair.split("=", 1) for pair in args.recipe)
    if not recipe:
        losses: list[tuple[float, Settings]] = []
        yield from _compare(args, part, CHOICES, losses)
        changed = [_best_settings(losses) | change for change in VARIATIONS]
        yield from _compare(args, part, changed, losses)
        recipe = _best_settings(losses)
        print(f"chosen: {recipe}", flush=True)
    for seed in SEEDS:
        yield _make_and_measure(args, f"best-{seed}", "gpu", recipe | {"seed": seed})
    for settings in TIMED:
        yield _make_run(args, f"time-{settings['steps']}", args.text, "gpu", settings, cold=True)


def _compare(
    args: argparse.Namespace,
    part: Path,
    recipes: list[Settings],
    losses: list[tuple[float, Settings]],
) -> Iterator[Run]:
    """Make a run of each recipe and add its loss to `losses`; report and skip a run that fails."""
    for settings in recipes:
        name = "-".join(["choose", *(f"{name}{value}" for name, value in settings.items())])
        try:
            run = _make_run(args, name, part, "gpu", CHOOSING | settings)
        except TrainError as error:
            print(f"error: {error}", file=sys.stderr)
            continue
        losses.append((run.training.val_loss_full, settings))
        yield run


def _best_settings(losses: list[tuple[float, Settings]]) -> Settings:
    if not losses:
        raise TrainError("every comparison run failed; pass a recipe with --recipe")
    return min(losses, key=lambda pair: pair[0])[1]


def _make_and_measure(args: argparse.Namespace, name: str, preset: str, settings: Settings) -> Run:
    """Make a run on the whole text, and measure it with the original's protocol too."""
    run = _make_run(args, name, args.text, preset, settings)
    path = estimates_path(args.out, name)
    if not path.exists() and (args.out / name / WEIGHTS).exists():
        _call(args.out, name, _estimate, args.out / name, args.text, args.device, path)
    return run


def _estimate(folder: Path, data: Path, device: str | None, path: Path) -> None:
    """Write the losses of a checkpoint to a file, as `evaluate --sampled` prints them."""
    chosen, made = pick_device(device), checkpoint.load(folder)
    splits = split(made.tokenizer.encode(read_text(data)), made.config.block_size)
    splits = Splits(*(part.to(chosen) for part in splits))
    losses = evaluate(made.model.to(chosen), splits, sampled=True)
    with atomic.replacing(path) as partial:
        partial.write_text(json.dumps(losses), encoding="utf-8")


def _make_run(
    args: argparse.Namespace,
    name: str,
    data: Path,
    preset: str,
    settings: Settings,
    cold: bool = False,
) -> Run:
    """Return a finished run; make it or resume it if necessary."""
    if run := finished_run(args.out / name):
        return run
    pairs = [*(f"{name}={value}" for name, value in settings.items()), *args.set]
    _call(args.out, name, _train, preset, data, args.out / name, pairs, args, cold)
    if run := finished_run(args.out / name):
        return run
    raise TrainError(f"{name} was interrupted")


def _train(
    preset: str, data: Path, out: Path, pairs: list[str], args: argparse.Namespace, cold: bool
) -> None:
    """Make a run, or resume it."""
    recipe = PRESETS[preset]
    arguments = ["train", "--preset", preset, "--data", str(data), "--out", str(out)]
    arguments += [f"--set={pair}" for pair in pairs] + ([] if args.no_compile else ["--compile"])
    source = Source(data.name, preset, command_line(arguments), code_commit())
    model_config, config = set_values(pairs, recipe.model, recipe.train)
    with Interrupt() as interrupt, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
        if cold:  # an empty cache, so that compilation is timed too
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
                print(f"step {row.step}: train {row.train_loss:.4f}, val {row.val_loss:.4f}")
            if row.step == config.steps:
                interrupt.restore()  # a signal ends the measurements at once


def _call(out: Path, name: str, function: Callable[..., None], *args: Any) -> None:
    """Call a function in a new process, with its output in OUT/NAME.log. Raises TrainError."""
    log = out / f"{name}.log"
    process = multiprocessing.Process(target=_child, args=(log, function, args))
    process.start()
    process.join()
    if process.exitcode:
        last = log.read_text(encoding="utf-8").splitlines()[-1:]
        raise TrainError(f"{name} failed ({' '.join(last)}); see {log}")


def _child(log: Path, function: Callable[..., None], args: tuple[Any, ...]) -> None:
    for number in (1, 2):
        with open(log, "a", encoding="utf-8") as file:
            os.dup2(file.fileno(), number)
    try:
        function(*args)
    except (MicroGPTError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.gpu_runs", description="Make the runs that need a GPU."
    )
    parser.add_argument("text", type=Path, metavar="TEXT", help="the corpus, a UTF-8 text file")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder for the runs")
    parser.add_argument(
        "--pack", type=Path, metavar="DIR", help="folder of the results (default: OUT/pack)"
    )
    parser.add_argument(
        "--recipe",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="skip the comparison, use this",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting for every run"
    )
    parser.add_argument("--device", help="cpu or cuda (default: cuda if available)")
    parser.add_argument("--no-compile", action="store_true", help="run without torch.compile")
    args = parser.parse_args(argv)
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
