"""What changed since the figures that the repository keeps."""

import json

from row import HOSTS, BenchError
from table import PPM_OVER_BARE

CHANGED = 2  # percent; less is no change


def load(path):
    """Name -> entry of bench.json."""
    if not path.exists():
        raise BenchError(f"{path} is missing:"
                         " make bench writes build/bench.json")
    return {entry["name"]: entry
            for entry in json.loads(path.read_text())["rows"]}


def percent(before, after):
    """By how much @after is more, in percent of @before."""
    if before == after:
        return 0
    return 100 * (after - before) / before if before else float("inf")


def cell(value):
    return "-" if value is None else f"{value:,}"


def changes(before, after):
    """Lines: name, host, both costs and the change. A host that was not asked
    at all has not changed."""
    hosts = [host for host in HOSTS
             if any(entry[host] is not None for entry in after.values())]
    for name, entry in after.items():
        for host in hosts:
            old = before.get(name, {}).get(host)
            new = entry[host]
            if (old is None) != (new is None):
                yield f"{name:24} {host:7} {cell(old):>12} {cell(new):>12}"
            elif new is not None and abs(percent(old, new)) > CHANGED:
                yield (f"{name:24} {host:7} {old:>12,} {new:>12,}"
                       f" {percent(old, new):+8.1f} %")


def complaint(entry, before):
    """What is wrong with @entry, or None. @before: the baseline's, if it has
    one. Of a share of nearly nothing only the goal counts."""
    cost, goal = entry["basalt"], entry["goal"]
    if goal is not None and cost > goal:
        return f"{cost:,} {entry['unit']}, goal {goal:,}"
    old = before and before["basalt"]
    if old is not None and entry["unit"] != PPM_OVER_BARE and \
            percent(old, cost) > CHANGED:
        return f"{cost:,} {entry['unit']}, was {old:,}"
    return None


def check(baseline, entries):
    """Print what is wrong with @entries, which were measured, then how many
    are right. Are all?"""
    kept = load(baseline)
    wrong = [(entry["name"], complaint(entry, kept.get(entry["name"])))
             for entry in entries]
    wrong = [(name, why) for name, why in wrong if why]
    for name, why in wrong:
        print(f"FAIL {name}: {why}")
    print(f"bench: {len(entries) - len(wrong)} rows passed,"
          f" {len(wrong)} failed")
    return not wrong


def show(baseline, measured):
    """Print what @measured has changed of @baseline."""
    lines = list(changes(load(baseline), load(measured)))
    if not lines:
        print(f"bench: nothing changed by more than {CHANGED} %")
        return
    print(f"{'benchmark':24} {'':7} {'baseline':>12} {'now':>12}"
          f" {'change':>10}")
    print("\n".join(lines))
