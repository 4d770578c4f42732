"""The CommandStore port on PostgreSQL, with an outbox from which events get into the log.

The sequence of a command, a module for each step:

1. `store`: the port. It keeps a command going when its caller has gone, and refuses a key that is in use.
2. `turns`: commands of one entity wait for each other within this process, without a connection.
3. `groups`: commands that come while a transaction is under way share the next one. A command that cannot be done in a
   group, because another process has its locks or the database refuses the group, is done by itself.
4. `transaction`: one attempt at a group. `writing` locks the entities and loads in one round trip: the questions of all
   commands (`answers`, `credentials`), the remembered answers, the entities' newest events (`outbox`). Then each
   command is decided by itself, in memory.
5. `writing` again: one round trip writes decision state (`rows`), private changes (`credentials`), outbox and
   remembered answers, and commits. From here on the command is durable. `sets` carries any number of rows as one value.
6. `publishing`: the process that committed publishes its rows, after the earlier events of the same entity (`flights`),
   and notes their positions. The client gets a token of these positions.
7. `relay`: what was not published in time, or by a process that died, is published by the one relay that leads. Until
   then a token names rows of the outbox; `tokens` finds their positions for readers.

Beside this sequence: `kept` publishes keys and passwords into Kafka's topic `keys`, and `taking_back` restores them
from there; `rebuild` folds the decision state from the log; `signing_keys` and `revocations` tell every process about
keys of access tokens and about sessions that ended; `migrating` creates the tables.
"""
