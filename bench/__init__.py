"""One command that measures inference backends under one timing loop. See `python -m bench --help`."""
