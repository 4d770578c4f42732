"""The demo of `serve --demo`: an invented community, its pictures, and its activity while the server runs."""
