"""Log to new topics: sentiment, trends, notifications, public tweets; `catalogue.py` lists them all."""
