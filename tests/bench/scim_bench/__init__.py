"""The SCIM benchmark: what is asked, of whom, how it is measured, and how it is told."""
