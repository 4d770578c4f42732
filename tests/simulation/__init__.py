"""A deterministic simulation of the whole system in one process: `python -m tests.simulation --seeds N`.

Seeded clients issue random requests; the clock, the randomness, the crashes, the deliveries and the order of
everything come from the seed. Afterwards the laws of the design must hold. A seed that fails is printed with the
command that replays it.
"""
