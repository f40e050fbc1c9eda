"""E-mail: tells customers over SMTP what becomes of their order."""
