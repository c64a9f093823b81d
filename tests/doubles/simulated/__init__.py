"""What the simulated machines of several vendors have in common: memory, time, handles, faults, and what is recorded.

The doubles of a vendor's modules stand on it. What is a rule of one vendor's, or its way to fail, is not here.
"""
