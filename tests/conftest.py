"""What all tests share."""

import gc
import signal

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.engines"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and with them every process that they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("fast", settings.get_profile("suite"), max_examples=10)  # `make test-fast` asks for it
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Exempt from garbage collection what was imported, and collect more rarely: that saves 6 % of the fast tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
