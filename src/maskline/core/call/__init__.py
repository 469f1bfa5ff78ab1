"""The call machine: events in, commands out."""
