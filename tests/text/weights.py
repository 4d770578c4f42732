"""What any text weighs, a tweet or not."""

from command_api.text.characters import compose
from command_api.text.urls import find_links
from command_api.text.weighing import weigh as weigh_composed


def weigh(text: str) -> int:
    """The weight of `text` once it is in NFC."""
    composed = compose(text)
    return weigh_composed(composed, find_links(composed))
