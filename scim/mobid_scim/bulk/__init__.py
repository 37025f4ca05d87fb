"""Bulk requests (RFC 7644, 3.7): many operations in one, referring to each other."""
