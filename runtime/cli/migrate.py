"""`minitwitter migrate`."""

from __future__ import annotations

from .options import Config, Data, Json, load, print_json, run


def migrate(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Apply the missing migrations to PostgreSQL and Cassandra: forward only, each once.

    Several hosts may run it at once. Only the stores with a URL in the settings are migrated.

    Example: MINITWITTER_POSTGRES_URL=postgresql://minitwitter@127.0.0.1/minitwitter minitwitter migrate
    """
    from runtime.distributed.migrations import migrate as migrating

    applied = run(migrating(load(data, None, config).settings))
    if json:
        print_json(applied)
        return
    for store, names in applied.items():
        for name in names:
            print(f"{store}: applied {name}")
        if not names:
            print(f"{store}: nothing to apply")
