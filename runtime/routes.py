"""Every router of both APIs, in the order of the REST contract."""

from __future__ import annotations

from fastapi import APIRouter

from command_api.routes.auth import auth
from command_api.routes.graph import graph
from command_api.routes.notifications import notifications as marking_notifications
from command_api.routes.stream_tickets import stream_tickets
from command_api.routes.tweets import tweets
from query_api.routes.feeds import feeds
from query_api.routes.sessions import sessions
from query_api.routes.stream import stream
from query_api.routes.tweets import tweets as reading_tweets
from query_api.routes.users import users

ROUTERS: tuple[APIRouter, ...] = (
    auth,
    sessions,
    users,
    graph,
    reading_tweets,
    tweets,
    feeds,
    marking_notifications,
    stream_tickets,
    stream,
)
