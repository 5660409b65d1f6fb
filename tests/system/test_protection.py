"""What the page tables of a running hypervisor allow, seen from outside."""

import pytest

import pagetable


@pytest.mark.parametrize("name", ["qemu-bios", "qemu-efi", "qemu-efi-app"])
@pytest.mark.parametrize("variant", ["release", "debug"])
def test_page_tables(boot, name, variant):
    cpus = 2
    machine = boot(name, cpus=cpus, variant=variant)
    machine.ready()
    for cpu in range(cpus):
        state = machine.monitor("info registers", cpu)
        registers = pagetable.registers(state)
        assert registers["CR0"] & pagetable.CR0_WP
        assert registers["EFER"] & pagetable.EFER_NXE
        mappings = list(pagetable.walk(machine.memory_page, registers["CR3"]))
        code = [m for m in mappings if m.is_executable
                and m.virtual <= registers["RIP"] < m.virtual + m.size]
        assert len(code) == 1, state
        assert not pagetable.faults(mappings)
