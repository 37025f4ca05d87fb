"""A sandbox for option scripts: from a text to validated options, in a process that can be killed."""
