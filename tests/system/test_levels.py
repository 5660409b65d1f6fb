"""A guest at a level of CPUs sees the level, whatever the machine has."""

import re

import pytest

from debian import Shell, modules, section
from test_guest import complaints


def cpu(shell):
    """The words of /proc/cpuinfo, by their names."""
    text = shell.run("cat /proc/cpuinfo")
    return dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.M))


@pytest.mark.parametrize("level, has, lacks", [
    ("x86-64-v2", {"sse4_2", "popcnt", "cx16", "aes", "rdtscp"},
     {"xsave", "avx", "bmi1", "rdrand", "smep", "svm"}),
    ("x86-64-v3", {"avx2", "bmi2", "fma", "movbe", "xsaveopt", "smep"},
     {"avx512f", "adx", "rdseed", "smap", "pku", "sha_ni"}),
])
def test_shows_the_level(boot, level, has, lacks):
    """Linux finds what the level has, no more, and works with it."""
    machine = boot("qemu-bios", cpus=2, memory=768,
                   modules=modules(section(vcpus=2, cpu=level)))
    shell = Shell(machine)
    found = cpu(shell)
    flags = set(found["flags"].split())
    assert has <= flags and not lacks & flags
    assert found["model name"] == f"Basalt {level}"
    assert (found["cpu family"], found["model"], found["stepping"]) == \
        ("23", "1", "2")
    assert found["address sizes"] == "39 bits physical, 48 bits virtual"
    assert found["siblings"] == found["cpu cores"] == "2"
    assert "clock source kvm-clock" in machine.serial
    assert not complaints(shell.run("dmesg"))


def test_names_what_is_missing(boot):
    """QEMU has no AVX-512: no VM at that level, and the others start."""
    machine = boot("qemu-bios", cpus=2, memory=768, modules=modules(
        section("big", cpu="x86-64-v4"), section(cpu="host")))
    machine.expect(r'^.*vm big: not started: cpu = "x86-64-v4": '
                   r'this machine has no AVX512F\n')
    assert "avx" in cpu(Shell(machine))["flags"].split()
