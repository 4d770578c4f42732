"""The demo: a made-up community for `serve --demo`, its pictures, and its life while the server runs."""
