pytest_plugins = ["engines"]
