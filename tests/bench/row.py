"""A line of the table."""

from dataclasses import dataclass, field


class BenchError(Exception):
    """A figure could not be taken: what, and all that was seen."""


HOSTS = ("basalt", "kvm", "xen")


@dataclass
class Row:
    """What one operation costs; None: not measured, and `notes` may say why.
    @spread: the most by which repeated runs of a host differ, in percent."""

    name: str
    unit: str
    goal: int = None  # at most
    basalt: int = None
    kvm: int = None
    xen: int = None
    spread: float = 0
    notes: list = field(default_factory=list)

    def is_missed(self):
        return (self.goal is not None and self.basalt is not None
                and self.basalt > self.goal)

    def ratio(self):
        """How many times as much the better peer's is."""
        peers = [cost for cost in (self.kvm, self.xen) if cost is not None]
        return min(peers) / self.basalt if peers and self.basalt else None

    def entry(self):
        """As in bench.json."""
        return {"name": self.name, "unit": self.unit, "goal": self.goal,
                **{host: getattr(self, host) for host in HOSTS},
                "spread": self.spread}


def spread_of(values):
    """In percent of the least; what is within rounding is none."""
    least, most = min(values), max(values)
    return round(100 * (most - least) / least, 2) if least > 0 else 0
