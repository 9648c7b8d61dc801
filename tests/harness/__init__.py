"""What the tests stand on: servers, relay processes, and eyes that are not the relay's own."""
