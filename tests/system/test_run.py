"""`make run`: the image in the user's terminal, and the terminal afterwards."""

import os
import signal
import subprocess
import termios

import pexpect
import pytest

from machine import ROOT

READY = r"basalt: ready version=\S+ cpus=(\d+) memory=(\d+)M backend=\w+\r+\n"
LIMIT = 180  # seconds for a boot on a loaded host
END = "\x01x"  # Ctrl-A X


def start(**variables):
    """`make run` in a pseudo-terminal; the build is there already."""
    environment = dict(os.environ, **variables)
    environment.pop("MAKEFLAGS", None)
    return pexpect.spawn("make", ["run"], cwd=str(ROOT), env=environment,
                         encoding="latin-1", timeout=LIMIT)


def end(session):
    """Whatever state it is in: make, its script and QEMU are one group."""
    try:
        os.killpg(session.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    session.close(force=True)


def emulators_of(session):
    """The command lines of QEMU in the terminal's session."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--sid",
                             str(session.pid)], text=True, check=False,
                            capture_output=True).stdout
    return [line for line in listed.splitlines() if "qemu-system" in line]


def settings(session):
    return termios.tcgetattr(session.child_fd)


@pytest.mark.parametrize("firmware, cpus, memory", [
    ("bios", None, None), ("uefi", "1", "512")])
def test_ends_with_ctrl_a_x(firmware, cpus, memory):
    variables = {"FIRMWARE": firmware}
    if cpus:
        variables.update(CPUS=cpus, MEM=memory)
    session = start(**variables)
    try:
        before = settings(session)
        session.expect(r"run: QEMU \(\w+\), (\d+) CPUs?, (\d+) MiB, (\w+); "
                       r"Ctrl-A X ends it\r\n")
        assert session.match.groups() == (cpus or "2", memory or "1024",
                                          firmware)
        session.expect(READY)
        assert session.match.group(1) == (cpus or "2")
        assert 0 <= int(memory or 1024) - int(session.match.group(2)) <= 16
        assert settings(session) != before  # QEMU reads every key
        session.send(END)
        session.expect(pexpect.EOF, timeout=30)
        assert settings(session) == before
        assert not emulators_of(session)
        session.close()
        assert session.exitstatus == 0
    finally:
        end(session)


@pytest.mark.parametrize("name, value, words", [
    ("CPUS", "0", "from 1 to 255"),
    ("CPUS", "256", "from 1 to 255"),
    ("CPUS", "two", "from 1 to 255"),
    ("MEM", "64", "from 128 to"),
    ("MEM", "1G", "from 128 to"),
    ("MEM", "99999999999999999999", "from 128 to"),
    ("FIRMWARE", "coreboot", "bios or uefi"),
])
def test_bad_value(name, value, words):
    """One line, before anything is started."""
    done = subprocess.run([ROOT / "scripts" / "run"], text=True, check=False,
                          env=dict(os.environ, **{name: value}),
                          capture_output=True, timeout=60)
    assert done.returncode == 2
    assert not done.stdout
    assert done.stderr.startswith(f"run: {name}={value}: expected ")
    assert done.stderr.endswith("\n") and done.stderr.count("\n") == 1
    assert words in done.stderr
