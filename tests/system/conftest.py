"""What every system test may ask for."""

import pytest

import emulators
from machine import Machine


def pytest_configure(config):
    config.addinivalue_line("markers", "long: more than a minute")


@pytest.fixture
def boot():
    """boot(environment, **case): a started machine, stopped after the test."""
    machines = []

    def start(name, **options):
        machine = emulators.make(name, **options)
        machines.append(machine)
        return machine.start()

    yield start
    for machine in machines:
        machine.stop()


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    """No emulator and no temporary folder outlives the run."""
    yield
    left = [machine.environment.name for machine in Machine.every
            if machine.left_behind()]
    assert not left
