"""Option scripts: what a run costs behind the walls, and a soak of hostile ones; `--help` tells options."""

import sys

from scripts_bench.cli import main  # type: ignore[import-not-found]  # found beside this file

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
