"""The initial RAM disk of the guest that does whole jobs: tests/bench/jobs, a
compiler and what it compiles."""

import pathlib
import re
import subprocess

import archive
from row import BenchError

COMPILER = "/usr/bin/tcc"
LOADER = "lib/ld-linux-x86-64.so.2"
FUNCTIONS = 1000
FUNCTION = """\
unsigned f{n}(unsigned a, unsigned b)
{{
	struct {{ unsigned x, y[4]; }} s = {{ a + {n}u, {{ b }} }};

	for (unsigned i = 0; i < {rounds}; i++) {{
		if ((a ^ b) & {mask:#x})
			s.x += a * {factor} + (b >> 3);
		else
			s.y[i & 3] ^= s.x - b;
		switch (a % 5) {{
		case 0: b += s.y[1]; break;
		case 3: b ^= f{before}(b, i); break;
		default: a -= s.x;
		}}
		a += s.y[b & 3];
	}}
	return a + s.x;
}}
"""


def source():
    """The C file: always the same."""
    parts = ["unsigned f0(unsigned a, unsigned b) { return a * b; }\n"]
    parts += [FUNCTION.format(n=n, rounds=n % 7 + 2, mask=1 << n % 31,
                              factor=n * 2654435761 % 65521, before=n - 1)
              for n in range(1, FUNCTIONS)]
    return "".join(parts).encode()


def libraries(program):
    """Names in the guest -> bytes of the libraries that @program needs."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True,
                          check=False)
    paths = re.findall(r"(?:=> |^\s*)(/\S+)", done.stdout, re.M)
    if done.returncode or not paths:
        raise BenchError(f"ldd {program}: {done.stderr or done.stdout}")
    return {f"lib/{pathlib.Path(path).name}": pathlib.Path(path).read_bytes()
            for path in paths}


def make_initrd(path, base, program):
    """Write to @path: the initial RAM disk @base with all of it; @program is
    its first process."""
    files = libraries(COMPILER)
    if LOADER not in files:
        raise BenchError(f"{COMPILER}: {LOADER} is not among {sorted(files)}")
    return archive.extend(path, base, files | {
        "jobs": program.read_bytes(),
        "bin/tcc": pathlib.Path(COMPILER).read_bytes(),
        "root/job.c": source()})
