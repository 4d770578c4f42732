"""The CommandStore port on PostgreSQL, with an outbox from which events get into the log.

The sequence of a command, a module for each step:

1. `store`: the port. It finishes a command even if its caller is cancelled, and refuses an idempotency key in use.
2. `turns`: commands of one entity wait for each other within this process, without a connection.
3. `groups`: commands that arrive during a transaction share the next one. A command is executed alone if another
   process holds its locks or the database refuses its group.
4. `transaction`: one attempt at a group. `writing` locks the entities and loads in one round trip: the questions of all
   commands (`answers`, `credentials`), the remembered answers, the entities' newest events (`outbox`). Then each
   command is decided by itself, in memory.
5. `writing` again: one round trip writes decision state (`rows`), private changes (`credentials`), outbox and
   remembered answers, and commits. From here on the command is durable. `sets` carries any number of rows as one value.
6. `publishing`: the process that committed publishes its rows, after the earlier events of the same entity (`flights`),
   and marks them with their positions. The client gets a token of these positions.
7. `relay`: the leading relay publishes the rows that their process could not publish in time. Until then a token names
   rows of the outbox; `tokens` finds their positions for readers.

Beside this sequence: `kept` publishes keys and passwords into Kafka's topic `keys`, and `taking_back` restores them
from there; `rebuild` folds the decision state from the log; `signing_keys` and `revocations` tell every process about
keys of access tokens and about sessions that ended; `migrating` creates the tables.
"""
