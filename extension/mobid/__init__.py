"""mobid: mobile IDs for the identity platform that you already have."""
