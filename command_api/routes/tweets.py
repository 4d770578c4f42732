"""Routes under /tweets: post, edit, delete, like, retweet and bookmark."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Header, Request, Response
from pydantic import Field, ValidationError

from events.ids import ActivityId, MediaId, TweetId, is_id, millis
from events.tweets import Place, TweetPosted
from rest import resources
from rest.authentication import Viewer
from rest.bodies import read_body
from rest.edge import Hot
from rest.exchange import Exchange, PlainResponse, Receive, Scope
from rest.openapi import answers
from rest.problems import ProblemError, invalid
from rest.route_problems import problems, takes_key
from rest.routing import (
    AN_ID,
    Body,
    Exchanged,
    SignedIn,
    TweetInPath,
    check_type,
    parsed,
    router,
    validation_problem,
    version_wanted,
)
from rest.times import rfc3339

from ..deciding import Answer, Decided
from ..domain.bookmark_tweet import BOOKMARK_TWEET, BookmarkTweet
from ..domain.delete_tweet import DELETE_TWEET, DeleteTweet
from ..domain.edit_tweet import EDIT_TWEET, EditTweet
from ..domain.errors import (
    EditWindowClosed,
    MediaGone,
    MediaNotFound,
    MediaUnfinished,
    NotYours,
    TooManyEdits,
    TweetGone,
    TweetNotFound,
)
from ..domain.like_tweet import LIKE_TWEET, LikeTweet
from ..domain.post_tweet import POST_TWEET, PostTweet, State
from ..domain.remove_bookmark import REMOVE_BOOKMARK, RemoveBookmark
from ..domain.retweet_tweet import RETWEET_TWEET, RetweetTweet
from ..domain.undo_retweet import UNDO_RETWEET, UndoRetweet
from ..domain.unlike_tweet import UNLIKE_TWEET, UnlikeTweet
from ..text.errors import EmptyText, ForbiddenCharacter, TextError, TextTooLong
from ..text.validation import TweetText, read_tweet
from .executing import Commands, Executing, Executor
from .free_text import FreeText

tweets = router("Tweets")

POST_PATH = "/api/v1/tweets"
_CODES: dict[type[TextError], str] = {EmptyText: "empty", TextTooLong: "too_long", ForbiddenCharacter: "character"}


# A JSON Schema cannot express the weight of a text (a link of 4,000 characters weighs 23), so the schema has a format.
_TEXT: Any = {
    "description": "The text; its weight by twitter-text is 1 to 280",
    "json_schema_extra": {"minLength": 1, "format": "tweet-text"},
}


class LocationBody(Body):
    """The location of a tweet, in degrees (WGS 84)."""

    lat: Annotated[float, Field(ge=-90, le=90, description="Degrees north", examples=[59.33])]
    lon: Annotated[float, Field(ge=-180, le=180, description="Degrees east", examples=[18.06])]
    name: Annotated[
        Annotated[str, FreeText(100)] | None, Field(description="The name of the place", examples=["Stockholm"])
    ] = None


class TweetBody(Body):
    """A tweet to post."""

    text: Annotated[str, Field(examples=["Hello, #world"], **_TEXT)]
    reply_to: Annotated[str | None, Field(description="The id of the replied tweet", json_schema_extra=AN_ID)] = None
    quote_of: Annotated[str | None, Field(description="The id of the quoted tweet", json_schema_extra=AN_ID)] = None
    location: Annotated[LocationBody | None, Field(description="Where the tweet was written")] = None
    sensitive: Annotated[
        bool | None, Field(description="Whether clients hide the tweet until the reader asks for it")
    ] = None
    content_warning: Annotated[
        Annotated[str, FreeText(200, least=1)] | None, Field(description="A warning to show before the tweet")
    ] = None
    media_ids: Annotated[
        Annotated[
            list[Annotated[str, Field(json_schema_extra=AN_ID)]],
            Field(max_length=4, json_schema_extra={"uniqueItems": True}),
        ]
        | None,
        Field(description="The ids of up to 4 finished media of yours"),
    ] = None


class EditBody(Body):
    """The new text of a tweet."""

    text: Annotated[str, Field(examples=["Hello, #World"], **_TEXT)]


def _read(text: str) -> TweetText:
    """Return the text as stored, with its entities. Raises a problem with status 422."""
    try:
        return read_tweet(text)
    except TextError as error:
        raise invalid("text", _CODES[type(error)], str(error)) from None


def tweet_id(text: str) -> TweetId:
    """Parse an id from a path. Raises a problem with status 404 if it is not an id."""
    if not is_id(text):
        raise ProblemError("not-found", f"there is no tweet {text}")
    return TweetId(text)


def _referred(field: str, id_: str | None) -> TweetId | None:
    if id_ is None:
        return None
    if not is_id(id_):
        raise invalid(field, "not_an_id", f"{field} must be the id of a tweet")
    return TweetId(id_)


def _media(ids: list[str] | None) -> tuple[MediaId, ...]:
    if ids is None:
        return ()
    for id_ in ids:
        if not is_id(id_):
            raise invalid("media_ids", "not_an_id", "media_ids must contain ids of media")
    if len(set(ids)) < len(ids):
        raise invalid("media_ids", "twice", "a tweet can show a medium only once")
    return tuple(map(MediaId, ids))


def posted(state: State, decided: Decided) -> Answer:
    """Return 201 with the tweet in the shape that reads return."""
    (event,) = decided
    assert isinstance(event, TweetPosted)
    assert state.author is not None
    author = state.author
    reply, quote = event.reply_to, event.quote_of
    tweet = resources.Tweet(
        id=event.tweet,
        author=resources.Author(
            author.id,
            author.username,
            author.profile.display_name,
            avatar_url=resources.picture_url(author.profile.avatar),
        ),
        text=event.text,
        entities=event.entities,
        created_at=rfc3339(millis(event.tweet)),
        conversation_id=event.conversation,
        location=event.location,
        sensitive=event.sensitive,
        content_warning=event.content_warning,
        reply_to=resources.Reference(reply.tweet, reply.author) if reply else None,
        quote=resources.Quote(quote.tweet, quote.author) if quote else None,
        viewer=resources.TweetViewer(),
        media=resources.tweet_media(event.media),
    )
    headers = (("content-type", "application/json"), ("location", f"{POST_PATH}/{event.tweet}"))
    return Answer(201, msgspec.json.encode(tweet), headers)


async def post(commands: Commands, exchange: Exchange, viewer: Viewer, body: TweetBody, raw: bytes) -> PlainResponse:
    """Post a tweet, for the FastAPI route and for `hot_post`."""
    read = _read(body.text)
    place = body.location
    command = PostTweet(
        actor=viewer.account,
        tweet=TweetId(commands.ids.issue()),
        text=read.text,
        entities=read.entities,
        reply_to=_referred("reply_to", body.reply_to),
        quote_of=_referred("quote_of", body.quote_of),
        location=Place(lat=place.lat, lon=place.lon, name=place.name) if place else None,
        sensitive=bool(body.sensitive),
        content_warning=body.content_warning,
        media=_media(body.media_ids),
    )
    executor = Executor(commands, exchange, "POST", POST_PATH)
    context = executor.context(viewer.account, raw)
    outcome = await executor.execute_limited(
        commands.policies.tweets, viewer.account, POST_TWEET, command, context, posted
    )
    headers = [(name.encode(), value.encode()) for name, value in executor.headers(outcome)]
    return PlainResponse(outcome.answer.status, outcome.answer.body, headers)


def hot_post(commands: Commands) -> Hot:
    """Return a handler of `POST /tweets` that bypasses FastAPI, which takes half the time of a request."""

    async def handler(exchange: Exchange, scope: Scope, receive: Receive) -> PlainResponse:
        viewer = exchange.signed_in()
        check_type(exchange.headers.get(b"content-type", b"").decode("latin-1"))
        raw = await read_body(receive, commands.most_bytes)
        try:
            body = TweetBody.model_validate(parsed(raw))
        except ValidationError as error:
            raise validation_problem([{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]) from None
        return await post(commands, exchange, viewer, body, raw)

    return handler


@tweets.post("/tweets", status_code=201, response_model=None)
@answers(resources.Tweet, 201)
@problems(TweetNotFound, TweetGone, MediaNotFound, MediaGone, MediaUnfinished)
@takes_key
async def post_tweet(
    body: TweetBody, request: Request, viewer: SignedIn, executing: Executing, exchange: Exchanged
) -> Response:
    """Post a tweet, a reply or a quote.

    Mentions are resolved now. The answer is the tweet, without `sentiment`, which is scored later.
    """
    reply = await post(executing.commands, exchange, viewer, body, await request.body())
    response = Response(reply.body, reply.status)
    response.raw_headers += [*reply.headers]
    return response


@tweets.patch("/tweets/{id}", status_code=204)
@problems(TweetNotFound, TweetGone, NotYours, EditWindowClosed, TooManyEdits)
async def edit_tweet(
    id: TweetInPath,
    body: EditBody,
    viewer: SignedIn,
    executing: Executing,
    if_match: Annotated[str | None, Header(description="The `ETag` of the tweet that was read")] = None,
) -> Response:
    """Edit your tweet within the edit window after posting; every version stays visible."""
    read = _read(body.text)
    commands = executing.commands
    command = EditTweet(
        actor=viewer.account,
        tweet=tweet_id(id),
        text=read.text,
        entities=read.entities,
        at=commands.ids.now(),
        if_version=version_wanted(if_match),
        window_ms=commands.edit_window_ms,
    )
    return executing.response(await executing.execute(EDIT_TWEET, command, executing.context(viewer.account)))


@tweets.delete("/tweets/{id}", status_code=204)
@problems(TweetNotFound, TweetGone, NotYours)
async def delete_tweet(id: TweetInPath, viewer: SignedIn, executing: Executing) -> Response:
    """Delete your tweet for ever."""
    command = DeleteTweet(viewer.account, tweet_id(id))
    return executing.response(await executing.execute(DELETE_TWEET, command, executing.context(viewer.account)))


@tweets.post("/tweets/{id}/like", status_code=204)
@problems(TweetNotFound, TweetGone)
@takes_key
async def like_tweet(id: TweetInPath, request: Request, viewer: SignedIn, executing: Executing) -> Response:
    """Like a tweet; nothing changes if you like it already."""
    command = LikeTweet(viewer.account, tweet_id(id))
    context = executing.context(viewer.account, await request.body())
    return executing.response(await executing.execute(LIKE_TWEET, command, context))


@tweets.delete("/tweets/{id}/like", status_code=204)
@problems(TweetNotFound)
async def unlike_tweet(id: TweetInPath, viewer: SignedIn, executing: Executing) -> Response:
    """Remove your like of a tweet."""
    command = UnlikeTweet(viewer.account, tweet_id(id))
    return executing.response(await executing.execute(UNLIKE_TWEET, command, executing.context(viewer.account)))


@tweets.post("/tweets/{id}/retweet", status_code=204)
@problems(TweetNotFound, TweetGone)
@takes_key
async def retweet_tweet(id: TweetInPath, request: Request, viewer: SignedIn, executing: Executing) -> Response:
    """Retweet a tweet to your followers."""
    retweet = ActivityId(executing.commands.ids.issue())
    command = RetweetTweet(viewer.account, tweet_id(id), retweet)
    context = executing.context(viewer.account, await request.body())
    return executing.response(await executing.execute(RETWEET_TWEET, command, context))


@tweets.delete("/tweets/{id}/retweet", status_code=204)
@problems(TweetNotFound)
async def undo_retweet(id: TweetInPath, viewer: SignedIn, executing: Executing) -> Response:
    """Undo your retweet of a tweet."""
    command = UndoRetweet(viewer.account, tweet_id(id))
    return executing.response(await executing.execute(UNDO_RETWEET, command, executing.context(viewer.account)))


@tweets.post("/tweets/{id}/bookmark", status_code=204)
@problems(TweetNotFound, TweetGone)
@takes_key
async def bookmark_tweet(id: TweetInPath, request: Request, viewer: SignedIn, executing: Executing) -> Response:
    """Bookmark a tweet; only you see the bookmark."""
    command = BookmarkTweet(viewer.account, tweet_id(id))
    context = executing.context(viewer.account, await request.body())
    return executing.response(await executing.execute(BOOKMARK_TWEET, command, context))


@tweets.delete("/tweets/{id}/bookmark", status_code=204)
@problems(TweetNotFound)
async def remove_bookmark(id: TweetInPath, viewer: SignedIn, executing: Executing) -> Response:
    """Remove your bookmark of a tweet."""
    command = RemoveBookmark(viewer.account, tweet_id(id))
    return executing.response(await executing.execute(REMOVE_BOOKMARK, command, executing.context(viewer.account)))
