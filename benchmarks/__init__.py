"""Benchmarks: toile beside what its user would write or install instead, both measured in one run on one machine.

`python -m benchmarks NAME` (or `make bench NAME=…`). A name is a file here, `benchmarks/NAME.py`, with a docstring that says
what is compared with what, and one function:

    cases(quick: bool) -> list[Case]
        What is measured; much smaller where `quick`.

A `Case` lays sides beside each other, toile's first. A `Side` is a function of the file that runs in a fresh process, once
for each repeat, the sides in turn; it returns its figures by name. See `benchmarks.harness.measure`.
"""
