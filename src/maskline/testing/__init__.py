"""Public test doubles: clocks, networks, phones, relays."""
