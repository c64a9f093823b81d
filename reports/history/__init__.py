"""Runs over time: series of points, plots, a table, history.csv."""

from reports.history.series import Change, Point, Series, all_series, changes

__all__ = ["Change", "Point", "Series", "all_series", "changes"]
