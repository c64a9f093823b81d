"""The functions of the module, by what they are about. Importing this package registers them all."""

from tests.doubles.acl.calls import (
    copies,
    datasets,
    descriptions,
    devices,
    events,
    executions,
    memory,
    models,
    process,
    streams,
    util,
)

__all__ = [
    "copies",
    "datasets",
    "descriptions",
    "devices",
    "events",
    "executions",
    "memory",
    "models",
    "process",
    "streams",
    "util",
]
