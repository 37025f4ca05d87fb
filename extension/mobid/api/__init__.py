"""The JSON interfaces: what phones, front ends, SCIM clients and administrators call."""
