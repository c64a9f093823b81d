"""What the numbers mean: the record of a measurement, its storage, statistics, and its renderings."""
