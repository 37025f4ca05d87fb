"""Mails: letters of the processes as messages, and the connection to the mail server."""
