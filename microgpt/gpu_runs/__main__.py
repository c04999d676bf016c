"""Make the runs that need a GPU, in order of worth. Run: python -m microgpt.gpu_runs TEXT OUT

seed       the original's recipe
choose-*   recipes compared on a slice of the training split: on the first 90 % of TEXT, so that
           the last 10 % of that is what they are judged by
best-SEED  the one that did best there, or --recipe, on the whole of TEXT with five seeds
time-*     short runs, to see how soon they reach the original's validation loss

It may be cut off at any time and started again: what is finished is kept, what was begun is
resumed. After each run, what is worth keeping stands in OUT/pack (or --pack DIR) in a few files of
at most 15 MB: a report, every run's record, and the checkpoint of the best-* with the median loss.
To unpack them:

mkdir -p OUT && tar xzf PACK/records.tar.gz -C OUT && cat PACK/best-*.tar.* | tar x -C OUT

A checkpoint that opens is whole: its config.json holds the SHA-256 of its files. A run whose record
is in OUT counts as finished, so that another machine goes on from there.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from microgpt import evaluate
from microgpt.checkpoint import WEIGHTS, CheckpointError
from microgpt.data import TRAIN_FRACTION, DataError, read_text
from microgpt.gpu_runs import CHOICES, CHOOSING, SEED, SEEDS, TIMED, VARIATIONS, Settings
from microgpt.gpu_runs.results import estimates_path, finished, pack, report
from microgpt.loss_record import LossRecordError
from microgpt.runs import Run
from microgpt.train import TrainError
from microgpt.train import __main__ as train


def make(args: argparse.Namespace) -> Iterator[Run]:
    """Make the runs that are missing; yield each when it is there.

    Raises TrainError where one fails that the others need, DataError and OSError.
    """
    corpus, part = read_text(args.text), args.out / "train-split.txt"
    part.write_text(corpus[: int(TRAIN_FRACTION * len(corpus))], encoding="utf-8", newline="")

    yield _measured(args, "seed", "seed", SEED)
    recipe: Settings = dict(pair.split("=", 1) for pair in args.recipe)
    if not recipe:
        losses: list[tuple[float, Settings]] = []
        yield from _compared(args, part, CHOICES, losses)
        changed = [_lowest(losses) | change for change in VARIATIONS]
        yield from _compared(args, part, changed, losses)
        recipe = _lowest(losses)
        print(f"chosen: {recipe}", flush=True)
    for seed in SEEDS:
        yield _measured(args, f"best-{seed}", "gpu", recipe | {"seed": seed})
    for settings in TIMED:
        yield _made(args, f"time-{settings['steps']}", args.text, "gpu", settings, cold=True)


def _compared(
    args: argparse.Namespace,
    part: Path,
    recipes: list[Settings],
    losses: list[tuple[float, Settings]],
) -> Iterator[Run]:
    """A run of each recipe, whose loss is added to losses; one that fails is told and left out."""
    for settings in recipes:
        name = "-".join(["choose", *(f"{name}{value}" for name, value in settings.items())])
        try:
            run = _made(args, name, part, "gpu", CHOOSING | settings)
        except TrainError as error:
            print(f"error: {error}", file=sys.stderr)
            continue
        losses.append((run.training.val_loss_full, settings))
        yield run


def _lowest(losses: list[tuple[float, Settings]]) -> Settings:
    if not losses:
        raise TrainError("no recipe could be tried; name one with --recipe")
    return min(losses, key=lambda pair: pair[0])[1]


def _measured(args: argparse.Namespace, name: str, preset: str, settings: Settings) -> Run:
    """A run on the whole text, measured by the original's protocol too."""
    run = _made(args, name, args.text, preset, settings)
    path = estimates_path(args.out, name)
    if not path.exists() and (args.out / name / WEIGHTS).exists():
        command = ["--checkpoint", str(args.out / name), "--data", str(args.text), "--sampled"]
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        _call(args, name, evaluate.main, command, printed=partial)
        os.replace(partial, path)
    return run


def _made(
    args: argparse.Namespace,
    name: str,
    data: Path,
    preset: str,
    settings: Settings,
    cold: bool = False,
) -> Run:
    """A finished run: the one that is there, or one resumed or made now."""
    if run := finished(args.out / name):
        return run
    command = ["--preset", preset, "--data", str(data), "--out", str(args.out / name)]
    command += [f"--set={name}={value}" for name, value in settings.items()]
    command += [f"--set={pair}" for pair in args.set]
    command += [] if args.no_compile else ["--compile"]
    command += ["--resume"] if (args.out / f"{name}.state" / "state.pt").exists() else []
    _call(args, name, train.main, command, cold=cold)
    if run := finished(args.out / name):
        return run
    raise TrainError(f"{name} was interrupted")


def _call(
    args: argparse.Namespace,
    name: str,
    main: Callable[[list[str]], int],
    command: list[str],
    printed: Path | None = None,
    cold: bool = False,
) -> None:
    """Run a command of the package in a process of its own, which is forked where that can be.

    What it prints goes to the file printed, what it says to OUT/NAME.log. Raises TrainError.
    """
    command = [*command, *(["--device", args.device] if args.device else [])]
    log = args.out / f"{name}.log"
    process = multiprocessing.Process(target=_child, args=(main, command, printed, log, cold))
    process.start()
    process.join()
    if process.exitcode:
        last = log.read_text(encoding="utf-8").splitlines()[-1:]
        raise TrainError(f"{name} failed ({' '.join(last)}); the rest is in {log}")


def _child(
    main: Callable[[list[str]], int],
    command: list[str],
    printed: Path | None,
    log: Path,
    cold: bool,
) -> None:
    for number, path in ((1, printed or log), (2, log)):
        with open(path, "a", encoding="utf-8") as file:
            os.dup2(file.fileno(), number)
    if not cold:
        sys.exit(main(command))
    # What was compiled for other runs is kept in another folder.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = empty
        sys.exit(main(command))


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m microgpt.gpu_runs", description="Make the runs that need a GPU."
    )
    parser.add_argument("text", type=Path, metavar="TEXT", help="the corpus, a UTF-8 text file")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to make the runs in")
    parser.add_argument("--pack", type=Path, metavar="DIR", help="what to keep (default: OUT/pack)")
    parser.add_argument(
        "--recipe", nargs="+", default=[], metavar="NAME=VALUE", help="try no others, take this one"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of every run"
    )
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
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
    except (CheckpointError, DataError, LossRecordError, TrainError) as error:
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
