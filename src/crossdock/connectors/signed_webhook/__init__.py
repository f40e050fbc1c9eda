"""Signed webhooks: events out to any follower and CloudEvents in, both under Standard Webhooks signatures."""
