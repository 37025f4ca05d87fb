"""Requests by grammar, of what is really there, spoiled by chance, and judged by what always holds."""
