"""`minitwitter topics`."""

from __future__ import annotations

import typer

from .options import Config, Data, Json, load, print_json, run

app = typer.Typer(help="Kafka's topics, as schemas/topics says they have to be.", no_args_is_help=True)


@app.command("apply")
def apply(data: Data = None, config: Config = None, json: Json = False) -> None:
    """Create the topics that are missing and put right the settings of the others; running it again changes nothing.

    A topic with another number of partitions is refused: a key's partition follows from it.

    Example: MINITWITTER_KAFKA_URL=127.0.0.1:9092 minitwitter topics apply
    """
    from events.kafka import topics
    from runtime.distributed.command_store import admin
    from runtime.distributed.roles.process import required

    settings = load(data, None, config).settings
    required(settings, "kafka_url")
    done = run(topics.apply(admin(settings), partitions=settings.topic_partitions, prefix=settings.topic_prefix))
    if json:
        print_json({"created": done.created, "changed": done.changed})
        return
    for what, names in (("created", done.created), ("changed", done.changed)):
        for name in names:
            print(f"{what} {name}")
    if not done.created and not done.changed:
        print("every topic is there and as it has to be")
