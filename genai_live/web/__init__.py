"""Conversations on web pages. Each module says on which thread its code runs.

- ``static/``: the element ``<genai-live-voice>`` for pages: ES modules and two audio worklets, served as they are.
"""
