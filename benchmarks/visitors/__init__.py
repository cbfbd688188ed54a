"""Conversations behind a web server: the pages that visitors have open, the apps that serve them. ``suites/visitors`` measures."""
