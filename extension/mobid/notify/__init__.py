"""Mails: letters of the processes as messages, and the connection to the mail server."""

from mobid.notify.mailer import SMTPMailer, check_connection

__all__ = ["SMTPMailer", "check_connection"]
