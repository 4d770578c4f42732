"""The roles, named as on the command line (`serve command`, `serve query`, `work …`), and the process that runs one."""
