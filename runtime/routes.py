"""All routers of both APIs, in the order of the documentation. Matching does not depend on the order (`attach`)."""

from __future__ import annotations

from fastapi import APIRouter

from command_api.routes.auth import auth
from command_api.routes.graph import graph
from command_api.routes.media import media
from command_api.routes.notifications import notifications as marking_notifications
from command_api.routes.stream_tickets import stream_tickets
from command_api.routes.tweets import tweets
from query_api.routes.feeds import feeds
from query_api.routes.media import media as reading_media
from query_api.routes.notifications import notifications
from query_api.routes.recommendations import recommendations
from query_api.routes.search import search
from query_api.routes.sentiment import sentiment
from query_api.routes.sessions import sessions
from query_api.routes.stream import stream
from query_api.routes.trends import trends
from query_api.routes.tweets import tweets as reading_tweets
from query_api.routes.users import users

ROUTERS: tuple[APIRouter, ...] = (
    auth,
    sessions,
    users,
    recommendations,
    graph,
    reading_tweets,
    tweets,
    feeds,
    search,
    trends,
    sentiment,
    media,
    reading_media,
    notifications,
    marking_notifications,
    stream_tickets,
    stream,
)
COMMAND_ROUTERS: tuple[APIRouter, ...] = (auth, graph, tweets, media, marking_notifications, stream_tickets)
"""The routers that write."""
QUERY_ROUTERS: tuple[APIRouter, ...] = tuple(each for each in ROUTERS if each not in COMMAND_ROUTERS)
"""The routers that read."""
