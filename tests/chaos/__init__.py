"""The distributed profile under load, processes killed and engines taken away; a ledger says what has to hold."""
