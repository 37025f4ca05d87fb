"""The schemas of RFC 7643 as data; a product adds its own."""
