"""A day of trade through the twins, on a hub of its own: what `crossdock demo` shows and `crossdock prove` breaks."""
