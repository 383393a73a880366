"""From integers to bytes: integer probability tables, contexts, and the range coder."""
