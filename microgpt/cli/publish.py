"""Upload a checkpoint to the Hugging Face Hub as one commit.

Log in first with `hf auth login`, or set HF_TOKEN to a token with write access.
"""

import argparse
from pathlib import Path

from microgpt.hub import publish


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="DIR", help="the checkpoint folder"
    )
    parser.add_argument(
        "--repo",
        required=True,
        metavar="USER/NAME",
        help="the repo on the Hub; it is created if it does not exist",
    )
    parser.add_argument(
        "--private", action="store_true", help="if the repo is created, make it private"
    )
    parser.add_argument(
        "--with-transformers",
        action="store_true",
        help="also upload the files that AutoModelForCausalLM and AutoTokenizer of transformers "
        "need to open the repo",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the files that would be uploaded, without using the network",
    )


def run(args: argparse.Namespace) -> int:
    published = publish(
        args.checkpoint,
        args.repo,
        dry_run=args.dry_run,
        private=args.private,
        with_transformers=args.with_transformers,
    )
    for name, size in published.files.items():
        print(f"{size:>13,}  {name}")
    total = f"{sum(published.files.values()):>13,}  bytes"
    if published.commit is None:
        print(f"{total} would be uploaded to {args.repo} as one commit")
    else:
        print(f"{total} uploaded to {args.repo} as commit {published.commit}\n{published.url}")
    return 0
