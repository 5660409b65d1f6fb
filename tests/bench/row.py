"""A figure."""

from dataclasses import dataclass


class BenchError(Exception):
    """A figure could not be taken: what, and all that was seen."""


@dataclass
class Row:
    """One figure. @spread: largest less smallest of the repeated runs."""

    name: str
    unit: str
    goal: int  # at most; None: no goal
    basalt: int
    spread: int = 0

    def is_missed(self):
        return self.goal is not None and self.basalt > self.goal
