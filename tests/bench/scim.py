"""SCIM, ours and a peer's: CPU and latency in one run on one machine. `--help` tells the options."""

import sys

from scim_bench.cli import main  # type: ignore[import-not-found]  # found beside this file

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
