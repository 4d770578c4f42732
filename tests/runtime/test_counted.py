"""Numbers of things, as sentences say them."""

import pytest

from runtime.dead_letters import Waiting
from runtime.quantities import counted
from runtime.status import letters_told


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12_000, "12,000 rows")])
def test_a_noun_goes_with_its_number(number: int, said: str) -> None:
    assert counted(number, "row") == said


def test_a_plural_may_be_another_word() -> None:
    assert counted(1, "record was", "records were") == "1 record was"
    assert counted(2, "entity", "entities") == "2 entities"


@pytest.mark.parametrize(
    ("failed", "every", "said"),
    [(1, 1, "1 dead letter;"), (1, 2, "2 dead letters, 1 of them held back;"), (2, 2, "2 dead letters;")],
)
def test_readiness_and_status_say_one_number_of_dead_letters(failed: int, every: int, said: str) -> None:
    assert Waiting(failed, every).sentence("serving").startswith(f"serving has {said}")
    assert letters_told(every).startswith(said.split(",")[0].rstrip(";"))
