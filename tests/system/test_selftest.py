"""The hypervisor's own tests, in a debug image on the machine; and its panics."""

import re

import pytest

BOTH = ["qemu-bios", "bochs"]
PASSED = ["threads", "calls", "timers", "idle", "memory", "address-space",
          "clock"]
PANIC = r"^basalt: panic: (.*)\n"


@pytest.mark.parametrize("name, cpus", [
    ("qemu-bios", 1), ("qemu-bios", 4), ("qemu-efi", 2),
    ("bochs", 1), ("bochs", 2),
    pytest.param("qemu-bios", 16, marks=pytest.mark.long),
    pytest.param("bochs", 8, marks=pytest.mark.long),
])
def test_all(boot, name, cpus):
    machine = boot(name, cpus=cpus, variant="debug", cmdline="selftest=all")
    machine.ready()
    for test in PASSED:
        machine.expect(rf"^selftest: {test} passed\n", 240)
    machine.expect(r"^selftest: all passed\n")


@pytest.mark.parametrize("test, text, function", [
    ("panic", r"on request, 42", "test_panic"),
    ("null", r"exception 14 \(page fault\), error code 0x2: null pointer",
     "test_null"),
    ("stack-overflow", r"exception 8 \(double fault\), .*: stack overflow",
     "overflow_stack"),
    ("canary", r"stack canary overwritten in the caller of this",
     "test_canary"),
    ("write-text", r"exception 14 \(page fault\), error code 0x3",
     "test_write_text"),
    ("execute-data", r"exception 14 \(page fault\), error code 0x11",
     "selftest_panic"),  # the call has not become a frame yet
    ("lock-rank", r"lock rank: \d+ taken while holding \d+", "test_lock_rank"),
    ("double-free", r"pool_free: .*", "test_double_free"),
    ("panic-elsewhere", r"on cpu 1", "panic_here"),
])
@pytest.mark.parametrize("name", BOTH)
def test_panics(boot, name, test, text, function):
    machine = boot(name, cpus=2, variant="debug", cmdline=f"selftest={test}")
    machine.ready()
    found = machine.expect(PANIC, fatal=None).group(1)
    assert re.fullmatch(text, found), found
    machine.expect(r"^  cpu \d of 2, 1 stopped, thread \S+\n", fatal=None)
    machine.expect(rf"^  #\d+ {function}\S*\+0x[0-9a-f]+\n", fatal=None)
    if test != "panic-elsewhere":
        machine.expect(r"^  #\d+ thread_begin\+0x[0-9a-f]+\n", fatal=None)


def test_release_has_none(boot):
    machine = boot("qemu-bios", cmdline="selftest=all")
    machine.ready()
    assert "only debug builds have self-tests" in machine.stopped()


def test_unknown_name(boot):
    machine = boot("qemu-bios", cmdline="selftest=nothing", variant="debug")
    machine.ready()
    assert 'selftest = "nothing"' in machine.stopped()
