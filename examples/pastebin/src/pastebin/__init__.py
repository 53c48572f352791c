"""A small paste service that shows the infra packages at work."""
