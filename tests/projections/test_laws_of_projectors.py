"""Laws 3 and 4, for every read model: any interleaving, batches and redelivery lead to the same rows."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.community import Community
from tests.examples import at_most
from tests.histories import batched, histories, interleaved, redelivered
from tests.projections.projected import digests

SEEDS = st.integers(0, 2**32).map(random.Random)


@at_most(80)
@given(histories(), SEEDS)
def test_any_interleaving_that_keeps_each_entitys_order_ends_in_the_same_rows(
    community: Community, randomness: random.Random
) -> None:
    in_order = digests([community.records])

    assert digests(batched(interleaved(community.records, randomness), randomness)) == in_order


@at_most(80)
@given(histories(), SEEDS)
def test_events_delivered_again_at_once_late_or_at_another_offset_change_nothing(
    community: Community, randomness: random.Random
) -> None:
    once = digests([community.records])
    order = interleaved(community.records, randomness)

    assert digests(batched(redelivered(order, randomness), randomness)) == once
