"""Asking a language model behind an OpenAI-compatible endpoint, and keeping every answer."""
