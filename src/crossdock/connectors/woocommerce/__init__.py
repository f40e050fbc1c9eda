"""WooCommerce shops: orders and cancellations by signed webhook."""
