"""The command side: decide commands and append the events.

`domain/` has one pure decision in each file. `deciding.py` is the port that loads, decides and appends in one
transaction. `decision_state.py` folds events into the rows that decisions ask for. No code here reads a read model
(law 7).
"""
