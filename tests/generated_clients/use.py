"""Signs in, posts and reads the feed with the Python client that openapi-python-client made: use.py URL."""

import sys

from made import AuthenticatedClient, Client
from made.api.accounts import sign_in
from made.api.feeds import get_feed
from made.api.tweets import post_tweet
from made.models import FeedItemPage, LoginBody, ProblemBody, Tokens, Tweet, TweetBody

url = sys.argv[1]
tokens = sign_in.sync(client=Client(base_url=url), body=LoginBody(login="tester", password="a password for tests"))
assert isinstance(tokens, Tokens), tokens

ada = AuthenticatedClient(base_url=url, token=tokens.access_token)
posted = post_tweet.sync_detailed(client=ada, body=TweetBody(text="Hello, #world"))
tweet = posted.parsed
assert isinstance(tweet, Tweet), posted
assert tweet.entities.hashtags[0].tag == "world"

page = get_feed.sync(client=ada, consistency_token=posted.headers["consistency-token"])
assert isinstance(page, FeedItemPage), page
assert (page.items[0].tweet.id, page.items[0].reason.kind) == (tweet.id, "posted")

refused = post_tweet.sync(client=ada, body=TweetBody(text=""))
assert isinstance(refused, ProblemBody), refused
assert refused.errors[0].code == "empty"
print("done")
