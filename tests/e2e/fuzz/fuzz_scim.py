"""SCIM under requests that are nearly right, by the hundred thousand. `--help` tells the options."""

import sys

from scim_fuzz.cli import main  # type: ignore[import-not-found]  # found beside this file

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
