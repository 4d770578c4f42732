"""A deterministic simulation of hybrid fan-out: `python -m tests.simulation.fan_out --seeds N`.

Workers apply batches from several partitions to a store that behaves as Cassandra does, held up, crashed and replaced
between any two of its calls; what a viewer is shown has to be what law 5 says. The same seed is the same run.
"""
