"""The distributed profile under load, with killed processes and engine outages, checked against a ledger of writes."""
