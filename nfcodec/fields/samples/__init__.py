"""The samples themselves, packed: what `auto` takes where a field would need more bytes than that."""
