"""The framebuffer console shows what COM1 says."""

import time

import pytest

import screen

PATIENCE = 20  # seconds from the line on COM1 to the same on the screen


def wait_for_line(machine, line):
    """The screen's lines once @line is among them."""
    deadline = time.monotonic() + PATIENCE
    while True:
        lines = screen.read_text(machine.screen())
        if line in lines:
            return lines
        if time.monotonic() > deadline:
            text = "\n".join(lines)
            raise machine.error(f"no {line!r} on the screen:\n{text}")


@pytest.mark.parametrize("name", ["qemu-bios", "qemu-efi", "qemu-efi-app"])
def test_ready(boot, name):
    machine = boot(name)
    machine.ready()
    wanted = machine.serial.splitlines()[-1]
    lines = wait_for_line(machine, wanted)
    assert any("] memory: " in line for line in lines)


@pytest.mark.parametrize("name", ["qemu-bios", "qemu-efi", "qemu-efi-app"])
def test_refusal(boot, name):
    machine = boot(name, modules={"basalt.conf": b"\n[vm.one]\n"})
    reason = machine.stopped()
    assert "basalt.conf:2" in reason
    wait_for_line(machine, f"basalt: stopped: {reason}")
