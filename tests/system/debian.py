"""A Debian guest under Basalt: its configuration, and a shell on its console."""

import re

from machine import BUILD, MachineError

PROMPT = re.compile(r"^guest# ", re.M)
STATUS = re.compile(r"^status=(\d+)\n", re.M)
BOOT_LIMIT = 300  # seconds: a guest's boot in TCG on a loaded host
COMMAND_LIMIT = 120
# Bochs draws slowly, and its serial port drops what comes while Basalt scrolls.
HYPERVISOR = {"bochs": "console = ['serial']"}
# Its CPU delivers them into handlers: docs/architecture.md, "Emulators".
BOCHS_KEYS = "virtual_interrupts = false\n"


def files():
    """The modules that every configuration here names."""
    folder = BUILD / "guest"
    return {name: (folder / name).read_bytes()
            for name in ("vmlinuz", "initrd.img")}


def section(name="guest", memory="256M", **keys):
    """A [vm.NAME] of basalt.conf."""
    keys = {"kernel": "vmlinuz", "initrd": "initrd.img", "memory": memory,
            "cmdline": "console=ttyS0"} | keys
    lines = "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())
    return f"[vm.{name}]\n{lines}"


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, int) else f"'{value}'"


def modules(*sections, hypervisor=""):
    """Boot modules of a machine with these VMs."""
    text = f"[hypervisor]\n{hypervisor}\n" + "\n".join(sections)
    return {"basalt.conf": text.encode(), **files()}


def start(boot, name, *sections, cpus=2, memory=768, files=None, **options):
    """A machine of environment @name with these VMs; @files: more modules."""
    if name == "bochs":
        sections = [section + BOCHS_KEYS for section in sections]
    boot_modules = modules(*sections, hypervisor=HYPERVISOR.get(name, ""))
    return boot(name, cpus=cpus, memory=memory,
                modules=boot_modules | (files or {}), **options)


class Shell:
    """The guest that has the console's focus."""

    def __init__(self, machine, limit=BOOT_LIMIT):
        self.machine = machine
        machine.expect(PROMPT, limit)
        # Without echo what comes back is only what commands print. What is typed
        # before stty has ended may still be echoed, and spoil a line.
        self.run("stty -echo; PS1=")

    def run(self, command, limit=COMMAND_LIMIT):
        """What @command prints; it must succeed."""
        port = self.machine.serial_port
        port.send(f"{command}; echo status=$?\n")
        self.machine.expect(STATUS, limit)
        output, status = port.before, port.match.group(1)
        if status != "0":
            raise MachineError(f"{command!r}: status {status}: {output}")
        return output

    def type(self, text):
        """Without waiting for anything."""
        self.machine.serial_port.send(text)


def ended(machine, name="guest", limit=COMMAND_LIMIT):
    """How VM @name ends: the hypervisor's own line."""
    return machine.expect(rf"^basalt: vm {name}: (.*)\n", limit).group(1)
