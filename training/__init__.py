"""Draws bank cards, trains the models that read them, exports and measures those models."""
