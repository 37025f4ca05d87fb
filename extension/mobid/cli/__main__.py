"""`python -m mobid.cli`: the same as `mobid`, for programs that start it with their own Python."""

from mobid.cli import main

main()
