"""Amazon marketplaces: orders that the seller ships, over the Selling Partner API."""
