"""Conversations behind a web server: the pages that visitors have open, and the apps that serve them. ``suites/visitors.py`` measures."""
