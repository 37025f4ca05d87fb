"""Who is calling: bearer tokens of programs, assertions of front ends, and the session of our own pages."""
