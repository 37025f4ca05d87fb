"""Keep a SCIM service provider in step with a CSV file of people. `--help` tells all."""  # noqa: INP001  run by its path

import sys

from idm_sync.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
