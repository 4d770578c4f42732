"""The adapters that every contract is held to, each behind the same few handles (embedded.py)."""

import pytest
from embedded import Embedded

PROFILES = ["sqlite"]


@pytest.fixture(params=PROFILES)
async def make(request, tmp_path):
    """Opens data directories, and closes them again."""
    opened = []

    def made(name="data", **options):
        opened.append(Embedded(tmp_path / name, **options))
        return opened[-1]

    yield made
    for one in opened:
        one.disk.release()
        await one.close()


@pytest.fixture
def system(make):
    """A data directory with one partition a topic."""
    return make()
