"""The roles, named as the command line names them (`serve command`, `serve query`, `work …`), and a process for one."""
