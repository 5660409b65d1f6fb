"""Takes the figures: every job on every host, RUNS times."""

from row import BenchError, Row, spread_of
import table

RUNS = 2
RUNS_PARALLEL = 3  # in the host's time, which others share
PPM = 1_000_000
SETTLED = 1  # percent; runs that differ by less agree


class Suite:
    """@hosts: have `name`, `say(job)` and `figures(job, said)`. @bare: the
    machine without a hypervisor. @logs: folder for what machines said."""

    def __init__(self, hosts, bare, logs):
        self.hosts = hosts
        self.bare = bare
        self.logs = logs
        self.found = {}

    def run(self, host, job):
        """The figures of all runs, taken once."""
        if (host.name, job) not in self.found:
            runs = RUNS_PARALLEL if job == "smp" else RUNS
            if host is self.bare:
                runs = 1
            self.found[host.name, job] = [self.run_once(host, job, number)
                                          for number in range(runs)]
        return self.found[host.name, job]

    def run_once(self, host, job, number):
        said = host.say(job)
        self.logs.mkdir(parents=True, exist_ok=True)
        (self.logs / f"{host.name}-{job}-{number}.log").write_text(said)
        try:
            return host.figures(job, said)
        except KeyError as error:
            raise BenchError(f"{host.name}, {job}: no figure {error} in:\n"
                             f"{said}") from error

    def costs(self, host, line, which):
        """Of @line, all runs; @which: 0 the least, 1 the mean."""
        runs = self.run(host, host.job_of(line))
        if any(line.figure not in run for run in runs):
            raise BenchError(f"{host.name}: no {line.figure} for {line.name}:"
                             f" see {self.logs}")
        costs = [run[line.figure][which] for run in runs]
        if not line.is_relative():
            return costs
        bare = self.run(self.bare, line.job)[0][line.figure][0]
        return [(cost - bare) * PPM // bare for cost in costs]

    def row(self, line):
        """The row of @line: the first run, which the others have to repeat."""
        goal = line.goal
        if line.like:
            goal = self.costs(self.hosts[0], line.like, 0)[0]
        row = Row(line.name, line.unit, goal)
        why = table.MISSING.get((line.name, ""))
        if why:
            row.notes.append(why)
            return row
        for host in self.hosts:
            self.add(row, line, host)
        return row

    def add(self, row, line, host):
        """@host's figure to @row."""
        missing = table.MISSING.get((line.name, host.name))
        remark = table.REMARKS.get((line.name, host.name))
        row.notes += [f"{host.name}: {text}" for text in (missing, remark)
                      if text]
        if missing:
            return
        costs = self.costs(host, line, 0)
        setattr(row, host.name, sorted(costs)[len(costs) // 2]
                if line.job == "smp" else costs[0])
        # A share of nearly nothing has no spread worth telling.
        spread = spread_of(costs) if not line.is_relative() else 0
        if spread > SETTLED:
            row.notes.append(f"{host.name}: {len(costs)} runs differ by"
                             f" {spread} %")
        row.spread = max(row.spread, spread)
        mean = self.costs(host, line, 1)[0]
        if line.job == "exits" and mean > costs[0] * 1.1:
            row.notes.append(f"{host.name}: mean {mean:,}")
