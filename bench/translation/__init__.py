"""Translating whole sets of pictures: what goes in, the pipeline in the worker, and the folder that comes out."""
