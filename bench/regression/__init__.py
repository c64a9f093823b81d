"""Measuring two sides in turns, each time in fresh processes, for `bench check`."""
