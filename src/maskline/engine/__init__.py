"""Drivers: sockets, timers, the media process, the switch."""
