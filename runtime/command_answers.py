"""The Answering of commands that come from the command line or from time itself: only whether anything was new."""

from __future__ import annotations

from command_api.deciding import Answer, Decided, Refused

NEW = Answer(201)
NOTHING_NEW = Answer(204)


class WhetherNew:
    """Answers NEW or NOTHING_NEW."""

    def accepted(self, state: object, decided: Decided) -> Answer:
        """Whether anything was appended."""
        return NEW if decided else NOTHING_NEW

    def refused(self, error: Refused) -> Answer:
        """Only asked for where there is an idempotency key, and these commands have none."""
        raise error
