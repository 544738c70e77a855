"""The server on the wire: connections, bounds, the gate before the application."""
