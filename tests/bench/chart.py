"""A bar chart of the rows, as SVG: a row's bars are parts of its longest."""

from html import escape

from row import HOSTS

NAMES = {"basalt": "Basalt", "kvm": "KVM + QEMU", "xen": "Xen"}
COLOURS = {"basalt": "#3b4a5a", "kvm": "#d9822b", "xen": "#8aa8c4"}
WIDTH, LEFT, RIGHT = 840, 190, 90
BAR, GAP, TOP = 12, 10, 40


def text(x, y, words, anchor="start"):
    return (f'<text x="{x}" y="{y}" text-anchor="{anchor}">'
            f'{escape(words)}</text>')


def bar(y, host, cost, longest):
    """One bar and its figure."""
    length = max(1, round((WIDTH - LEFT - RIGHT) * cost / longest))
    return (f'<rect x="{LEFT}" y="{y}" width="{length}" height="{BAR - 2}"'
            f' fill="{COLOURS[host]}"/>'
            + text(LEFT + length + 5, y + BAR - 3, f"{cost:,}"))


def legend():
    parts = []
    for number, host in enumerate(HOSTS):
        x = LEFT + 150 * number
        parts.append(f'<rect x="{x}" y="12" width="10" height="10"'
                     f' fill="{COLOURS[host]}"/>')
        parts.append(text(x + 16, 21, NAMES[host]))
    return parts


def draw(entries):
    """The chart of those of @entries (bench.json) that a peer has, too."""
    parts, y = legend(), TOP
    for entry in entries:
        costs = {host: entry[host] for host in HOSTS
                 if entry[host] is not None}
        if len(costs) < 2 or "basalt" not in costs or max(costs.values()) < 100:
            continue
        parts.append(text(LEFT - 8, y + BAR - 3,
                          f"{entry['name']}, {entry['unit']}", "end"))
        for host, cost in costs.items():
            parts.append(bar(y, host, cost, max(costs.values())))
            y += BAR
        y += GAP
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}"'
            f' height="{y}" viewBox="0 0 {WIDTH} {y}" font-size="11"'
            ' font-family="sans-serif">\n<title>Costs, less is better</title>\n'
            f'<rect width="{WIDTH}" height="{y}" fill="white"/>\n')
    return head + "\n".join(parts) + "\n</svg>\n"
