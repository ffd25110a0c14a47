"""Draws bank cards, scenes with cards, and strips of text, all from seeds; nothing here reads a photograph."""
