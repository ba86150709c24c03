"""What a payload logger sends of each request and response: events, whose they are, and which belong together."""
