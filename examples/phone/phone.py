"""A phone on the command line: scans the QR code, makes keys, gets a mobile ID. `--help` tells all."""  # noqa: INP001  run by its path

import sys

from handset.cli import main  # type: ignore[import-not-found]  # found beside this file

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
