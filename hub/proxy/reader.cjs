// Loaded by hub/proxy/main.py before JupyterHub's proxy. What a program sets here is not in /proc/PID/environ.
process.env.CONFIGPROXY_AUTH_TOKEN = require("node:fs").readFileSync(0, "utf8");
