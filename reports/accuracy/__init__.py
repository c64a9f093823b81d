"""Are the outputs right? Candidate against the fp32 reference, with thresholds per executed precision."""

from __future__ import annotations

from reports.accuracy.images import ImageAccuracy, PictureAccuracy
from reports.accuracy.metrics import Differences
from reports.accuracy.outputs import compare_outputs
from reports.accuracy.thresholds import THRESHOLDS, Threshold

__all__ = ["THRESHOLDS", "Differences", "ImageAccuracy", "PictureAccuracy", "Threshold", "compare_outputs"]
