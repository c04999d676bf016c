"""Publish: python -m microgpt.hub publish --checkpoint DIR --repo USER/NAME [--dry-run]"""

import argparse
import sys
from pathlib import Path

from microgpt.checkpoint import CheckpointError
from microgpt.hub.repo import HubError
from microgpt.hub.upload import publish


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m microgpt.hub")
    command = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "publish",
        help="put a checkpoint on the Hugging Face Hub",
        description="Put a checkpoint on the Hugging Face Hub as one commit. "
        "Log in first with `hf auth login`, or set HF_TOKEN to a token that may write.",
    )
    command.add_argument("--checkpoint", type=Path, required=True, metavar="DIR")
    command.add_argument("--repo", required=True, metavar="USER/NAME", help="made if not there")
    command.add_argument("--private", action="store_true", help="make a new repo private")
    command.add_argument(
        "--dry-run", action="store_true", help="only list what would go up; needs no network"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        published = publish(args.checkpoint, args.repo, dry_run=args.dry_run, private=args.private)
    except (CheckpointError, HubError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    for name, size in published.files.items():
        print(f"{size:>13,}  {name}")
    total = f"{sum(published.files.values()):>13,}  bytes"
    if published.commit is None:
        print(f"{total} would go up to {args.repo} as one commit")
    else:
        print(f"{total} went up to {args.repo} as commit {published.commit}\n{published.url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
