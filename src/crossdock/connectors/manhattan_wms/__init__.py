"""Manhattan Active Warehouse Management: orders and labels out, shipments and stock in."""
