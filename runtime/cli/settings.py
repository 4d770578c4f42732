"""`minitwitter settings`."""

from __future__ import annotations

from .options import Config, Data, Host, Json, Port, load, print_json, print_table, table_of


def settings(
    data: Data = None, host: Host = None, port: Port = None, config: Config = None, json: Json = False
) -> None:
    """Print every setting in force and its source. Secrets are masked.

    Example: MINITWITTER_PORT=9000 minitwitter settings --data var/data
    """
    loaded = load(data, port, config, host=host)
    if json:
        print_json({o.name: {"value": o.value, "from": o.origin, "about": o.description} for o in loaded.origins})
        return
    table = table_of("setting", "value", "from", "about")
    for one in loaded.origins:
        value = ", ".join(one.value) if isinstance(one.value, tuple) else "" if one.value is None else str(one.value)
        table.add_row(one.name, value, one.origin, one.description)
    print_table(table)
