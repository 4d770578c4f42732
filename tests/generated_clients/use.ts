// Signs in, posts and reads the feed with the types that openapi-typescript made: node use.js URL.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Tweet = components["schemas"]["Tweet"];

function must(held: boolean, what: unknown): asserts held {
  if (!held) throw new Error(JSON.stringify(what));
}

async function main(url: string): Promise<void> {
  const api = createClient<paths>({ baseUrl: url });
  const signedIn = await api.POST("/api/v1/auth/login", {
    body: { login: "tester", password: "a password for tests" },
  });
  must(signedIn.data !== undefined, signedIn.error);
  const headers = { Authorization: `Bearer ${signedIn.data.access_token}` };

  const posted = await api.POST("/api/v1/tweets", { body: { text: "Hello, #world" }, headers });
  must(posted.data !== undefined, posted.error);
  const tweet: Tweet = posted.data;
  must(tweet.entities.hashtags[0]?.tag === "world", tweet);

  const token = posted.response.headers.get("Consistency-Token") ?? "";
  const feed = await api.GET("/api/v1/feed", { params: { header: { "Consistency-Token": token } }, headers });
  must(feed.data !== undefined, feed.error);
  must(feed.data.items[0]?.tweet.id === tweet.id, feed.data);
  must(feed.data.items[0].reason.kind === "posted", feed.data);

  const refused = await api.POST("/api/v1/tweets", { body: { text: "" }, headers });
  must(refused.error?.errors?.[0]?.code === "empty", refused);
  console.log("done");
}

void main(process.argv[2] ?? "");
