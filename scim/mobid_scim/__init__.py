"""A SCIM 2.0 service provider engine: RFC 7643 and 7644, without storage and without a product."""
