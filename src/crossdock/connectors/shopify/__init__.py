"""Shopify: orders in by webhook; fulfilments, availability and cancellations out over GraphQL."""
