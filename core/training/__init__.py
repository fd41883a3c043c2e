"""Training of one network on one dataset: a child process or a terminal, never the web server."""
