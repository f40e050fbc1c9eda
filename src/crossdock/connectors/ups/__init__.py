"""UPS: labels and tracking subscriptions out through the REST APIs, scans in from Track Alert."""
