"""Run a command. Run: python -m microgpt COMMAND --help"""

import sys

from microgpt.cli import main

if __name__ == "__main__":
    sys.exit(main())
