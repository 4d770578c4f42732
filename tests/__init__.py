"""The tests, a package: helpers are imported by their whole name, `from tests.stores.on_postgres import ...`."""
