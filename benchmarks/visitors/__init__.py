"""Conversations behind a web server: pages that visitors have open, and apps that serve them. ``suites.visitors`` measures."""
