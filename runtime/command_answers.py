"""The Answering of commands without an HTTP client (command line, timers): only whether anything was appended."""

from __future__ import annotations

from command_api.deciding import Answer, Decided, Refused

NEW = Answer(201)
NOTHING_NEW = Answer(204)


class WhetherNew:
    """Answers NEW or NOTHING_NEW."""

    def accepted(self, state: object, decided: Decided) -> Answer:
        """Return NEW if events were appended."""
        return NEW if decided else NOTHING_NEW

    def refused(self, error: Refused) -> Answer:
        """Never called: only commands with an idempotency key store a refusal, and these have none."""
        raise error
