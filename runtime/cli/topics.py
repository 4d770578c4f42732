"""`minitwitter topics`."""

from __future__ import annotations

import typer

from .options import Config, Data, Json, load, print_json, run

app = typer.Typer(help="Manage the topics in Kafka, as schemas/topics declares them.", no_args_is_help=True)


@app.command("apply")
def apply(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Create the missing topics and correct the settings of the others; running it again changes nothing.

    A topic with another number of partitions is refused, because the partition of a key depends on it.

    Example: MINITWITTER_KAFKA_URL=127.0.0.1:9092 minitwitter topics apply
    """
    from events.kafka import topics
    from runtime.distributed.kafka_clients import admin
    from runtime.distributed.settings import LogSettings

    settings = LogSettings.of(load(data, None, config).settings)
    done = run(topics.apply(admin(settings), partitions=settings.topic_partitions, prefix=settings.topic_prefix))
    if json:
        print_json({"created": done.created, "changed": done.changed})
        return
    for what, names in (("created", done.created), ("changed", done.changed)):
        for name in names:
            print(f"{what} {name}")
    if not done.created and not done.changed:
        print("every topic exists and has the declared settings")
