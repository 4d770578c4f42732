"""The command side: decides what may happen, and appends what did.

`domain/` holds a decision a file, pure; `deciding.py` is the port that loads, decides and appends in one transaction;
`decision_state.py` is the fold that keeps what decisions ask for. It never reads a read model (law 7).
"""
