"""Ascend ACL: .om models on Ascend chips, through CANN's Python module `acl`. Not run on hardware by us.

Written against the pyACL reference and what users of it report; tested against a double that enforces its rules.
"""

from __future__ import annotations

from backends.acl.backend import AclBackend

__all__ = ["AclBackend"]
